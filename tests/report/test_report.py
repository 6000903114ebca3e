"""The page about a fitted model: its sections, its texts, its sample of the data, and its script in a browser."""

import html
import json
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from opened_page import Opened
from pasted_code import pieces, run_pieces
from PIL import Image
from sklearn.datasets import load_digits
from typer.testing import CliRunner

import narrows
import narrows.report
from narrows.cli import app
from narrows.evaluation.inspection import Inspection
from narrows.report import atlas, page, write_report
from narrows.report.display import Display
from narrows.report.sampling import draw_sample
from narrows.report.sections import where_strange
from narrows.report.verdict import find_all
from narrows.types import Finding

TINY = {"hidden": (32,), "max_epochs": 3, "random_state": 0, "device": "cpu", "precision": "float32"}
COLUMNS = ["height", "weight", "age", "pulse", "sleep", "income"]


@pytest.fixture(scope="session")
def images(digits):
    return digits[:150]


@pytest.fixture(scope="session")
def labels():
    return load_digits().target[:150]


@pytest.fixture(scope="session")
def frame(vectors):
    return pd.DataFrame(vectors, columns=COLUMNS)


@pytest.fixture(scope="session")
def pages(images, labels, frame, tmp_path_factory):
    """Write a page about each kind of model; return (model, examples, file) by name."""
    folder = tmp_path_factory.mktemp("pages")
    colour = np.stack([images, images[:, ::-1], images * 0.5], -1)
    series = np.cumsum(np.random.default_rng(0).normal(size=(80, 60)), 1)
    cases = {
        "vae": (narrows.VAE(3, **TINY), images, labels),
        "ae": (narrows.AE(2, **TINY), images, None),
        "sae": (narrows.SAE(12, k=3, **TINY), images, labels),
        "dae": (narrows.DAE(network="mlp", **TINY), images, None),
        "colour": (narrows.VAE(2, **TINY), colour, np.array(["even", "odd"])[labels % 2]),
        "table": (narrows.VAE(2, **TINY), frame, frame["age"].to_numpy()),
        "cleaner": (narrows.DAE(2, **TINY), frame, None),
        "units": (narrows.SAE(8, k=2, **TINY), frame, np.zeros(200)),
        "series": (narrows.AE(2, **TINY), series, None),
    }
    return {
        name: (model.fit(X), X, write_report(model, X, folder / f"{name}.html", y=y))
        for name, (model, X, y) in cases.items()
    }


def sections_of(path: Path) -> list[str]:
    return re.findall(r'<section id="(\w+)"', path.read_text(encoding="utf-8"))


def read_data(path: Path, kind: str) -> dict:
    match = re.search(rf'<script type="application/json" class="{kind}">(.*?)</script>', path.read_text("utf-8"))
    return json.loads(match[1])


START, END = ["diagnosis", "decisions", "training", "reconstructions"], ["outliers", "numbers", "made"]


@pytest.mark.parametrize(
    ("name", "between"),
    [
        ("vae", ["map", "dials", "samples"]),
        ("ae", ["map", "dials", "samples"]),
        ("sae", ["map", "units"]),
        ("dae", ["cleaning"]),
        ("colour", ["map", "dials", "samples"]),
        ("table", ["map", "dials", "samples", "newrows"]),
        ("cleaner", ["cleaning", "map", "dials", "samples", "newrows"]),
        ("units", ["map", "units"]),
        ("series", ["map", "dials", "samples"]),
    ],
)
def test_every_model_shows_what_it_has(pages, name, between):
    _, _, path = pages[name]
    assert sections_of(path) == START + between + END
    markup = path.read_text(encoding="utf-8")
    assert path.stat().st_size < 10_000_000
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|\bimport\(|https?://(?!www.w3.org/)", markup)
    assert "nan" not in re.findall(r">([^<>]{1,12})<", markup)
    ids = re.findall(r'\bid="([^"]+)"', markup)
    assert len(ids) == len(set(ids))
    assert all(target in ids for target in re.findall(r'href="#([^"]+)"', markup))
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_the_page_says_what_was_trained_and_why(pages):
    model, _, path = pages["vae"]
    markup = path.read_text(encoding="utf-8")
    for line in model.report_[1:]:
        name, _, reason = line.partition(": ")
        assert page.escape(reason or name) in markup
    assert model.schema_.describe() in markup
    assert "narrows.write_report(model, X, " in markup
    for name, value in narrows.evaluate(model, *_evaluated(pages["vae"]), verbose=0).values.items():
        if not name.startswith("kl_"):
            assert f"<td>{value:.5g}</td>" in markup, name


def _evaluated(case):
    return case[1], load_digits().target[:150]


@pytest.mark.parametrize("name", ["vae", "sae", "table", "series"])
def test_a_page_can_be_used_without_eyes_or_mouse(pages, name):
    markup = pages[name][2].read_text(encoding="utf-8")
    assert all(" alt=" in tag for tag in re.findall(r"<img[^>]*>", markup))
    assert all("aria-label=" in tag for tag in re.findall(r"<input[^>]*>", markup))
    assert all(
        "aria-label=" in tag for tag in re.findall(r'<[^>]*role="(?:img|group|application|region)"[^>]*>', markup)
    )
    named = re.findall(r'aria-labelledby="([^"]+)"', markup)
    assert all(f'id="{name}"' in markup for name in named)
    assert re.search(r'<svg[^>]*tabindex="0"[^>]*role="application"', markup)


def test_the_map_holds_the_codes_the_labels_and_the_decoder(pages):
    model, X, path = pages["vae"]
    map_ = read_data(path, "map-data")
    assert map_["names"] == [str(i) for i in range(10)]
    assert map_["groups"] == load_digits().target[:150].tolist()
    # from the places back to the plane: what the script does when the map is pointed at
    (left, top), (right, bottom) = map_["ends"]
    places = np.array(map_["places"][0])
    margin = map_["margin"]
    unit = (places - margin) / (np.array([640, 520]) - 2 * margin)
    plane = np.array([left, top]) + unit * (np.array([right, bottom]) - np.array([left, top]))
    expected = Inspection(model, X).plane.places
    inside = ((unit > 0) & (unit < 1)).all(1)
    assert inside.mean() > 0.9
    assert np.allclose(plane[inside], expected[inside], atol=0.01 * np.ptp(expected))
    assert map_["decoder"] == "decoder-vae"
    assert read_data(path, "decoder-vae")["shape"] == [1, 8, 8]


def test_labels_that_are_measurements_are_steps(pages):
    map_ = read_data(pages["table"][2], "map-data")
    assert len(map_["names"]) == 7
    counts = np.bincount(map_["groups"])
    assert counts.max() - counts.min() <= 2
    assert "with labels from" in pages["table"][2].read_text("utf-8")


def test_one_label_for_all_is_said(pages):
    markup = pages["units"][2].read_text("utf-8")
    assert "All labels are the same: 0" in markup
    assert "knn_accuracy" not in re.findall(r'<th scope="row">(\w+)</th>', markup)


def test_outliers_have_their_reasons(frame):
    X = frame.copy()
    model = narrows.VAE(2, **TINY).fit(X)
    X.iloc[7, 3] += 40
    display = Display(model, X)
    assert int(np.argmin(display.inspection.scores)) == 7
    (first, *_) = display.reasons(7)
    assert first.startswith(f"pulse is {X.iloc[7, 3]:.1f}, but ")
    expected = model.reconstruct(X).iloc[7, 3]
    assert f"but {expected:.3g}"[:7] in first.replace("−", "-")


def test_a_spoiled_corner_of_a_picture_is_found(images):
    model = narrows.AE(2, **TINY).fit(images)
    X = images.copy()
    X[3, -2:, -2:] = 1
    place = where_strange(Display(model, X), 3)
    assert place.startswith("more than expected at the bottom right")


def test_the_page_opens_with_the_verdict_and_the_code_that_mends(images, tmp_path):
    model = narrows.VAE(3, beta=50.0, **TINY).fit(images[:110])
    markup = write_report(model, images[110:], tmp_path / "page.html").read_text("utf-8")
    head = markup[: markup.index("<section")]
    assert head.index('class="verdict look"') < head.index('class="lede"')
    assert "<b>Not yet:</b> 3 of 3 components carry nothing. Try <code>beta=1.0</code>." in head
    names = {"X": images}
    exec(pieces(tmp_path / "page.html")[0], names)
    exec(html.unescape(re.search(r'class="code" tabindex="0"><code>(better = .*?)</code>', head)[1]), names)
    assert names["better"].beta == 1.0
    assert names["better"].n_components == 3
    assert "These 40 pictures are not among those that the model was fitted on." in head
    first = markup[markup.index("<section") :]
    assert first.startswith('<section id="diagnosis"')


def test_the_findings_are_of_the_model_and_of_the_examples(images):
    model = narrows.VAE(3, beta=50.0, **TINY).fit(images)
    found = {finding.name: finding for finding in find_all(*shown(model, images))}
    assert found["unused_components"] in model.findings_
    share = np.mean(model.score_samples(images) < model.offset_)
    assert found["outliers"].message == f"5.0% outliers expected, {share:.1%} found."
    assert "are among those that the model was fitted on. So the measures" in found["rows"].message
    far = {finding.name: finding for finding in find_all(*shown(model, 1 - images))}
    message = "5.0% outliers expected, 100.0% found. These examples differ from those of the training."
    assert far["outliers"] == Finding("outliers", False, message, {})
    assert "not among" in far["rows"].message


def test_a_model_of_an_older_version_is_compared_with_pca_on_the_page(images):
    model = narrows.AE(2, **TINY).fit(images)
    model.findings_ = []
    found = [finding.name for finding in find_all(*shown(model, images))]
    assert found == ["pca", "outliers", "rows"]


def shown(model, X):
    return Display(model, X), narrows.evaluate(model, X, verbose=0)


def test_the_same_call_gives_the_same_page(pages, tmp_path, images, labels):
    model, _, path = pages["vae"]
    again = write_report(model, images, tmp_path / "vae.html", y=labels).read_text("utf-8")

    def steady(markup):
        markup = re.sub(r"<dd>[\d-]+, in \d+ s</dd>", "", markup)
        return re.sub(r"&quot;[^&]*vae.html&quot;", "", markup)

    assert steady(again) == steady(path.read_text("utf-8"))


# --------------------------------------------------------------------------------------------- more than is looked at


def test_a_file_is_sampled_and_the_page_says_so(pages, tmp_path, images):
    model, _, _ = pages["ae"]
    many = np.concatenate([images] * 3)
    np.save(tmp_path / "many.npy", many)
    path = write_report(model, tmp_path / "many.npy", tmp_path / "a.html", y=np.arange(450) % 2, max_examples=100)
    markup = path.read_text("utf-8")
    assert "100 of 450 pictures of many.npy" in markup
    assert "of which a random sample of 100 is shown" in markup
    rows = read_data(path, "map-data")["rows"]
    assert len(rows) == 100


def test_samples_of_every_kind_of_source_hold_the_same_rows(pages, tmp_path, frame):
    model, X, _ = pages["table"]
    np.save(tmp_path / "x.npy", X.to_numpy())
    y = np.arange(200)
    from_file = draw_sample(model, tmp_path / "x.npy", y, 50, 0)
    from_frame = draw_sample(model, X, y, 50, 0)
    assert np.array_equal(from_file.X, from_frame.X.to_numpy())
    assert np.array_equal(from_file.y, from_file.rows)
    blocks = iter([X.to_numpy()[:77], X.to_numpy()[77:]])
    from_iterator = draw_sample(model, blocks, y, 50, 0)
    assert from_iterator.n == 200
    assert np.array_equal(from_iterator.X, X.to_numpy()[from_iterator.rows])
    assert np.array_equal(from_iterator.y, from_iterator.rows)


def test_a_stream_is_sampled_evenly(pages):
    model, X, _ = pages["table"]
    rows = np.concatenate([draw_sample(model, iter([X.to_numpy()] * 5), None, 20, seed).rows for seed in range(60)])
    counts = np.histogram(rows, 5, (0, 1000))[0]
    assert np.abs(counts - 240).max() < 5 * np.sqrt(240)


def test_a_large_map_shows_some(monkeypatch, images):
    monkeypatch.setattr(atlas, "_MOST_SPOTS", 50)
    display = Display(narrows.AE(2, **TINY).fit(images), images)
    assert "50 of 150 pictures is shown" in atlas.latent_map(display).body


# ------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"y": [1, 2]}, ValueError, r"write_report must hold one label for each of 150 examples, .* Got shape \(2,\)"),
        ({"X": "empty"}, ValueError, "X passed to write_report holds no examples"),
        ({"X": "other"}, ValueError, r"has examples of shape \(4, 4\)|at least 8 x 8|the model was fitted on shape"),
        ({"X": "nothing.npy"}, FileNotFoundError, "nothing.npy"),
        ({"model": "no"}, TypeError, "write_report takes a fitted AE, VAE or the like. Got str, which has no report"),
        ({"model": "unfitted"}, TypeError, "takes a fitted AE, VAE or the like. Got VAE, fit it first"),
        ({"path": "no/folder/a.html"}, FileNotFoundError, "the folder .* does not exist"),
        ({"path": "."}, IsADirectoryError, "is a folder"),
        ({"max_examples": 1}, ValueError, r"The `max_examples` parameter of write_report must be an int"),
        ({"random_state": -1}, ValueError, r"The `random_state` parameter of write_report must be an int"),
    ],
)
def test_what_is_refused(pages, tmp_path, images, monkeypatch, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    Path("a.html").write_text("old page")
    call = {"model": pages["vae"][0], "X": images, "path": "a.html", **arguments}
    call["model"] = (
        {"unfitted": narrows.VAE(2)}.get(call["model"], call["model"]) if arguments.get("model") else call["model"]
    )
    if arguments.get("X") in ("empty", "other"):
        call["X"] = images[:0] if arguments["X"] == "empty" else images[:, :4, :4]
    with pytest.raises(error, match=message):
        write_report(call.pop("model"), call.pop("X"), call.pop("path"), **call)
    assert Path("a.html").read_text() == "old page"


@pytest.mark.parametrize("n", [1, 2, 5])
def test_few_examples_make_a_page_or_a_message(pages, tmp_path, images, n):
    for name in ("vae", "sae", "dae"):
        path = write_report(pages[name][0], images[:n], tmp_path / "a.html", y=["a"] * n)
        assert "All labels are the same: a" in path.read_text("utf-8") or name == "dae"


def test_labels_with_markup_stay_text(pages, tmp_path, images):
    path = write_report(pages["ae"][0], images, tmp_path / "a.html", y=["<b>", "</script>"] * 75, name="<i>x</i>")
    markup = path.read_text("utf-8")
    assert "<i>x" not in markup
    assert "<b></" not in markup.replace("<b></b>", "")
    assert markup.count("</script>") == markup.count("<script")


def test_a_failure_leaves_the_old_page(pages, tmp_path, images, monkeypatch):
    path = tmp_path / "a.html"
    path.write_text("old page")
    monkeypatch.setattr(Path, "write_text", lambda *_, **__: (_ for _ in ()).throw(OSError("No space left on device")))
    with pytest.raises(OSError, match="No space"):
        write_report(pages["ae"][0], images, path)
    monkeypatch.undo()
    assert [p.name for p in tmp_path.iterdir()] == ["a.html"]
    assert path.read_text() == "old page"


# ------------------------------------------------------------------------------------------------- code as pasted


@pytest.mark.parametrize("name", ["vae", "units", "cleaner"])
def test_the_code_on_a_page_runs_from_the_top(pages, labels, name, monkeypatch):
    model, X, path = pages[name]
    assert len(pieces(path)) == 1 + len(sections_of(path))
    written = []
    monkeypatch.setattr(narrows, "write_report", lambda *given, **named: written.append((given, named)))
    y = {"vae": labels, "units": np.zeros(200)}.get(name)
    run_pieces(path, model=model, X=X, **({} if y is None else {"y": y}))
    assert written == [((model, X, str(path)), {} if y is None else {"y": y})]


def test_code_about_a_file_reads_it(pages, tmp_path, images):
    np.save(tmp_path / "x.npy", images)
    path = write_report(pages["ae"][0], tmp_path / "x.npy", tmp_path / "a.html")
    names: dict = {}
    exec(pieces(path)[0], names)
    assert np.array_equal(names["X"], images)


@pytest.mark.parametrize(
    ("options", "label"),
    [
        ("--label kind --drop when", "kind"),
        ("--labels a --id when", "a"),
        ("--labels y.csv", None),
        ("--columns a,b,kind --label b", "b"),
    ],
)
def test_code_about_a_table_opens_it_as_the_command_does(tmp_path, vectors, monkeypatch, options, label):
    monkeypatch.chdir(tmp_path)
    table = pd.DataFrame(vectors[:, :2], columns=["a", "b"]).assign(kind=np.where(vectors[:, 0] > 0, "up", "down"))
    narrows.AE(2, **{**TINY, "max_epochs": 1}).fit(table).save("m")
    table.assign(when=[f"day {i}" for i in range(len(table))]).to_csv("t.csv", index=False)
    Path("y.csv").write_text("sign\n" + "\n".join(table["kind"]))
    line = ["report", "m", "t.csv", *options.split(), "-o", "r.html"]
    monkeypatch.setattr(sys, "argv", ["narrows", *line])
    given = {}

    def record(model, X, out, **named):
        given.update(named, model=model, X=X)
        out.write_text("page")

    monkeypatch.setattr(narrows.report, "write_report", record)
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.output
    names: dict = {}
    exec(given["code"], names)
    assert (np.asarray(names["y"]) == np.asarray(given["y"])).all()
    assert label is None or np.asarray(names["y"]).tolist() == table[label].tolist()
    assert np.array_equal(names["model"].transform(names["X"]), given["model"].transform(given["X"]))
    # the command may be repeated, though the page is there by now
    assert given["command"] == f"narrows report m t.csv {options} -o r.html --overwrite"
    assert CliRunner().invoke(app, given["command"].split()[1:]).exit_code == 0


# ------------------------------------------------------------------------------------------------- the command


def test_the_command(tmp_path, images, labels, monkeypatch):
    monkeypatch.chdir(tmp_path)
    narrows.AE(2, **TINY).fit(images).save("m")
    np.save("x.npy", images)
    Path("y.csv").write_text("digit\n" + "\n".join(map(str, labels)))
    line = ["report", "m", "x.npy", "--labels", "y.csv", "-o", "r.html"]
    monkeypatch.setattr(sys, "argv", ["narrows", *line])
    result = CliRunner().invoke(app, line)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert "r.html: 0." in result.stderr
    assert "narrows report m x.npy --labels y.csv -o r.html" in Path("r.html").read_text("utf-8")
    assert read_data(tmp_path / "r.html", "map-data")["groups"] == labels.tolist()
    assert run_pieces(Path("r.html"))["y"].tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["m", "x.npy", "--labels", "short.csv"],
            "short.csv must hold one label for each of the 150 examples. It holds 2.",
        ),
        (["m", "x.npy", "-o", "r.pdf"], "the name must end in .html"),
        (["m", "x.npy", "--labels", "none.csv"], "No such file or directory: none.csv"),
        (["n", "x.npy"], "n"),
    ],
)
def test_a_mistake_on_the_command_line_is_a_line(tmp_path, images, arguments, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    narrows.AE(2, **{**TINY, "max_epochs": 1}).fit(images).save("m")
    np.save("x.npy", images)
    Path("short.csv").write_text("1\n2\n")
    result = CliRunner().invoke(app, ["report", *arguments])
    assert result.exit_code == 1
    assert message in result.stderr
    assert "Traceback" not in result.stderr
    assert not Path("report.html").exists()


def test_a_folder_of_classes_is_labelled(tmp_path, images, monkeypatch):
    from narrows.cli.report import _read_data

    for kind in ("cat", "dog"):
        (tmp_path / "d" / kind).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.uint8(255 * images[i])).save(tmp_path / "d" / kind / f"{i}.png")
    X, y = _read_data(str(tmp_path / "d"), None)
    assert X.shape == (6, 8, 8)
    assert y.tolist() == ["cat"] * 3 + ["dog"] * 3


# ------------------------------------------------------------------------------------------------- in a browser


@pytest.mark.parametrize("name", ["vae", "sae", "dae", "colour", "table", "cleaner", "units", "series"])
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_a_page_opens_without_complaint_at_any_size(chromium, pages, name, width, scheme):
    with Opened(chromium, pages[name][2], width, color_scheme=scheme) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        assert tab.locator("section").count() == len(sections_of(pages[name][2]))


def test_pointing_at_the_map_shows_the_example(chromium, pages):
    _, _, path = pages["vae"]
    map_ = read_data(path, "map-data")
    with Opened(chromium, path) as tab:
        stage = tab.locator(".stage svg").first
        stage.scroll_into_view_if_needed()
        box = stage.bounding_box()
        x, y = map_["places"][0][17]
        tab.mouse.move(box["x"] + x * box["width"] / 640, box["y"] + y * box["height"] / 520)
        tip = tab.locator(".tip")
        assert "on" in tip.get_attribute("class")
        nearest = np.argmin(np.square(np.array(map_["places"][0]) - [x, y]).sum(1))
        assert tab.locator(".what").inner_text() == f"picture {nearest}, label {map_['names'][map_['groups'][nearest]]}"
        assert tab.locator(".window").bounding_box()["height"] > 40
        drawn = tab.evaluate(
            "[...document.querySelector('.tip canvas').getContext('2d').getImageData(0, 0, 8, 8).data]"
        )
        assert max(drawn[3::4]) > 30
        tab.mouse.move(box["x"] - 50, box["y"] - 50)
        assert "on" not in tip.get_attribute("class").split()


def test_the_legend_shows_one_label(chromium, pages):
    map_ = read_data(pages["vae"][2], "map-data")
    with Opened(chromium, pages["vae"][2]) as tab:
        button = tab.locator("[data-group='3']")
        button.click()
        assert button.get_attribute("aria-pressed") == "true"
        assert tab.locator(".spot:not(.off)").count() == map_["groups"].count(3)
        button.click()
        assert tab.locator(".spot.off").count() == 0


def test_the_keyboard_walks_over_the_map_and_turns_dials(chromium, pages):
    with Opened(chromium, pages["vae"][2]) as tab:
        tab.locator(".stage svg").first.focus()
        labels = set()
        for key in ("ArrowRight", "ArrowRight", "ArrowUp", "ArrowLeft"):
            tab.keyboard.press(key)
            labels.add(tab.locator("[aria-live]").inner_text())
        assert len(labels) >= 3
        assert all(re.fullmatch(r"picture \d+, label \d", label) for label in labels)
        tab.keyboard.press("Escape")
        assert "on" not in tab.locator(".tip").get_attribute("class").split()
        read = "document.querySelector('.screen canvas').toDataURL()"
        before = tab.evaluate(read)
        tab.locator(".dial input").first.focus()
        tab.keyboard.press("End")
        assert tab.locator(".dial output").first.inner_text() == "3.00"
        assert tab.evaluate(read) != before


def test_the_dials_turn_the_model(chromium, pages):
    model, _, path = pages["table"]
    with Opened(chromium, path) as tab:
        tab.locator("[data-start]").nth(1).click()
        z = [float(v.replace("−", "-")) for v in tab.locator(".dial output").all_inner_texts()]
        codes = np.zeros((1, 2))
        codes[0, read_data(path, "dials-data")["components"]] = z
        expected = np.asarray(model.inverse_transform(codes))[0]
        shown = [float(v.replace("−", "-")) for v in tab.locator(".bars output").all_inner_texts()]
        assert np.allclose(shown, expected, atol=0.02 + 0.01 * np.abs(expected).max())
        tab.locator("[data-centre]").click()
        assert set(tab.locator(".dial output").all_inner_texts()) <= {"0.00", "−0.00"}
        tab.locator("[data-draw]").click()
        assert set(tab.locator(".dial output").all_inner_texts()) != {"0.00"}


def test_on_paper_everything_is_there_and_dark_is_light(chromium, pages):
    with Opened(chromium, pages["vae"][2], 794, color_scheme="dark") as tab:
        tab.emulate_media(media="print")
        assert tab.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert tab.locator(".legend").is_visible()
        assert not tab.locator(".dials.js").is_visible()
        assert tab.locator(".sheet").is_visible()


def test_without_scripts_the_map_is_still_there(chromium, pages):
    with Opened(chromium, pages["vae"][2], java_script_enabled=False) as tab:
        assert tab.locator(".spot").count() == 150
        assert not tab.locator(".dials.js").is_visible()
