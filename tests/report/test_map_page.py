"""The page of a map: what it holds, and what its controls do in a browser."""

import base64
import json
import re

import numpy as np
import pandas as pd
import pytest
from opened_page import Opened
from typer.testing import CliRunner

import narrows
from narrows.cli import app
from narrows.report import write_map
from narrows.report.map_columns import MapColumn, choose, find_clusters, medoid, name_clusters

KINDS = ["reed", "<b>sand</b>", "stone"]


@pytest.fixture(scope="module")
def frame():
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=240)
    depth = 4.0 * kind + rng.normal(scale=0.3, size=240)
    depth[5] = np.nan
    return pd.DataFrame(
        {
            "depth": depth,
            "width": 2.0 * (kind == 1) + rng.normal(scale=0.3, size=240),
            "colour": np.where(kind == 2, "grey", "brown"),
            "kind": np.array(KINDS)[kind],
            "note": [f"row {i}" for i in range(240)],
        }
    )


@pytest.fixture(scope="module")
def model(frame):
    columns = ["depth", "width", "colour"]
    return narrows.AE(3, hidden=(16,), max_epochs=30, random_state=0).fit(frame[columns])


@pytest.fixture(scope="module")
def path(model, frame, tmp_path_factory):
    rest = {"note": frame["note"]}
    out = tmp_path_factory.mktemp("map") / "map.html"
    return write_map(model, frame[["depth", "width", "colour"]], out, y=frame["kind"], label="kind", columns=rest)


def read_values(path):
    (text,) = re.findall(r'<script type="application/json" class="explorer-data">(.*?)</script>', path.read_text())
    return json.loads(text)


def unpack(text, dtype):
    return np.frombuffer(base64.b64decode(text), dtype)


def wait_for(tab, text):
    """Wait for the number of rows that the page shows, which follows in the next frame."""
    tab.locator(".explorer-count p").get_by_text(text, exact=True).wait_for(timeout=15_000)


def test_it_holds_the_columns_and_the_places(path, model, frame):
    values = read_values(path)
    columns = {column["name"]: column for column in values["columns"]}
    assert {"kind", "cluster", "depth", "width", "colour", "note", "surprise, nats", "error"} == set(columns)
    np.testing.assert_allclose(unpack(columns["depth"]["data"], "<f4"), frame["depth"], rtol=1e-6)
    levels = columns["kind"]["levels"]
    assert [levels[i] for i in unpack(columns["kind"]["data"], "<u2")] == frame["kind"].tolist()
    middles = columns["kind"]["medoids"]
    assert [frame["kind"][row] for row in middles] == levels
    assert columns["note"]["medoids"] == []  # too many levels to name
    assert [view["name"] for view in values["views"]] == ["Neighbours", "Principal axes"]
    plane = model.transform(frame[["depth", "width", "colour"]])
    axes = np.stack([unpack(values["views"][1]["places"][k], "<u2") for k in "xy"], 1).astype(float)
    apart = (np.linalg.norm(v[:, None] - v[None], axis=2).ravel() for v in (axes, plane))
    assert np.corrcoef(*apart)[0, 1] > 0.95
    assert "<b>sand" not in path.read_text().split("<script")[0]


def test_without_scripts_it_is_a_picture(chromium, path):
    with Opened(chromium, path, java_script_enabled=False) as tab:
        assert tab.locator(".explorer-still").is_visible()
        assert not tab.locator("[data-explorer]").is_visible()


def test_filters_follow_each_other(chromium, path, frame):
    with Opened(chromium, path) as tab:
        wait_for(tab, "240 rows")
        tab.locator(".level", has_text="stone").first.click()
        stones = int((frame["kind"] == "stone").sum())
        wait_for(tab, f"{stones} of 240 rows")
        colour = tab.locator(".facet", has=tab.locator("figcaption b", has_text=re.compile("^colour$")))
        assert colour.locator(".level", has_text="brown").locator("output").inner_text() == "0"
        assert tab.locator(".explorer-table tbody tr").count() == min(stones, 100)
        bars = tab.locator(".facet", has=tab.locator("figcaption b", has_text=re.compile("^depth$"))).locator(
            ".bars-of"
        )
        bars.scroll_into_view_if_needed()
        box = bars.bounding_box()
        tab.mouse.move(box["x"] + 2, box["y"] + 9)
        tab.mouse.down()
        tab.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 9)
        tab.mouse.up()
        wait_for(tab, "0 of 240 rows")  # no stone is so near the surface
        tab.get_by_role("button", name="Clear all").click()
        wait_for(tab, "240 rows")


def test_a_box_selects(chromium, path):
    with Opened(chromium, path) as tab:
        tab.get_by_role("button", name="Box").click()
        stage = tab.locator(".explorer-stage").bounding_box()
        corners = [
            (stage["x"] + 12, stage["y"] + 12),
            (stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] - 9),
        ]
        tab.mouse.move(*corners[0])
        tab.mouse.down()
        tab.mouse.move(*corners[1])
        tab.mouse.up()
        inside = tab.evaluate("document.querySelector('.explorer').explorer.map.x.filter((x) => x < 0.5).length")
        assert 0 < inside < 240
        wait_for(tab, f"{inside} of 240 rows")
        tab.keyboard.press("Escape")
        wait_for(tab, "240 rows")


def test_the_pointer_shows_a_row_and_a_switch_shows_the_axes(chromium, path):
    with Opened(chromium, path, reduced_motion="reduce") as tab:
        place = "(() => { const { map } = document.querySelector('.explorer').explorer;"
        a, b = tab.evaluate(f"{place} return map.toScreen(map.x[7], map.y[7]); }})()")
        stage = tab.locator(".explorer-stage").bounding_box()
        tab.mouse.move(stage["x"] + a, stage["y"] + b)
        assert tab.locator(".explorer-tip.on .what").inner_text().startswith("row ")
        before = tab.evaluate(f"{place} return [map.x[7], map.y[7]]; }})()")
        tab.get_by_role("button", name="Principal axes").click()
        assert tab.evaluate(f"{place} return [map.x[7], map.y[7]]; }})()") != before
        tab.locator(".chooser select").select_option(label="depth")
        assert tab.evaluate(f"{place} return map.column.name; }})()") == "depth"


def test_pictures_of_images(tmp_path, chromium):
    X, y = narrows.load_dataset("digits", "test")[:2]
    model = narrows.VAE(4, hidden=(16,), network="mlp", max_epochs=1, random_state=0).fit(X)
    with Opened(chromium, write_map(model, X[:60], tmp_path / "a.html", y=y[:60], method="axes"), 390) as tab:
        assert tab.locator(".explorer-table .pictured canvas").count() == 60
        assert tab.evaluate("document.documentElement.scrollWidth") <= 390
        assert not tab.locator(".switch", has_text="Neighbours").count()


def test_clusters_of_a_sparse_code_are_named_by_its_units(tmp_path):
    rng = np.random.default_rng(0)
    kinds = np.eye(3)[np.arange(240) % 3] @ rng.normal(scale=4, size=(3, 8))
    X = (kinds + rng.normal(scale=0.3, size=(240, 8))).astype(np.float32)
    model = narrows.SAE(12, k=2, max_epochs=3, random_state=0).fit(X)
    values = read_values(write_map(model, X, tmp_path / "a.html", method="axes"))
    (clusters,) = [column for column in values["columns"] if column["name"] == "cluster"]
    assert all(re.match(r"unit \d+", name) for name in clusters["levels"])


def test_clusters_are_peaks_with_names():
    rng = np.random.default_rng(0)
    centres = np.array([[0, 0], [8, 0], [0, 8]])
    owner = np.repeat([0, 1, 2], [300, 200, 100])
    places = centres[owner] + rng.normal(size=(600, 2))
    clusters = find_clusters(places)
    assert clusters.max() == 2
    assert (clusters == owner).mean() > 0.95
    depth = MapColumn("depth", owner == 1.0)
    kind = MapColumn("kind", (owner == 2).astype(int), ["reed", "stone"])
    codes = rng.normal(size=(600, 3))
    codes[owner == 0, 2] += 4
    assert name_clusters(clusters, None, [depth, kind], codes, is_sparse=False, has_names=True)[1:] == [
        "depth high",
        "stone, depth low",
    ]
    same = kind._replace(name="label")
    assert name_clusters(clusters, None, [kind, same], codes, is_sparse=False, has_names=True)[2] == "stone"
    label = MapColumn("label", owner, ["a", "b", "c"])
    assert name_clusters(clusters, label, [], codes, is_sparse=True, has_names=True) == ["a", "b", "c"]
    vague = MapColumn("safe", np.zeros(600, int), ["yes", "no"])  # all clusters have the same
    assert name_clusters(clusters, vague, [depth, kind], codes, is_sparse=True, has_names=True)[1] == "depth high"
    assert name_clusters(clusters, None, [], codes, is_sparse=True, has_names=True)[0] == "unit 2"
    assert name_clusters(clusters, None, [depth], codes, is_sparse=True, has_names=False)[0] == "unit 2"
    noise = [MapColumn(f"noise {i}", rng.normal(size=600)) for i in range(14)]
    assert depth in choose([*noise, depth], clusters, ["noise 3"])
    line = np.array([[0.0, 0], [1, 0], [2, 0], [9, 0]])
    assert medoid(line, np.arange(4)) in (1, 2)
    assert medoid(line, np.array([], int)) == -1


def test_clusters_are_named_by_what_is_known():
    rng = np.random.default_rng(0)
    owner = np.repeat([0, 1], 300)
    codes = (0.1 * rng.normal(size=(600, 2)) + owner[:, None] * [1, 0]).astype(np.float32)
    codes[:, 1] = 5.1  # a constant
    known = {"is_sparse": False, "has_names": True}
    assert name_clusters(owner, None, [], codes, **known) == ["component 0 low", "component 0 high"]
    some = MapColumn("label", np.where(owner == 0, -1, 0), ["ham", "spam"])  # none is known in the first cluster
    assert name_clusters(owner, some, [], codes, **known) == ["component 0 low", "ham"]
    empty = MapColumn("label", np.full(600, -1), [])
    gaps = MapColumn("gaps", np.full(600, np.nan))
    assert name_clusters(owner, empty, [gaps], codes, **known) == ["component 0 low", "component 0 high"]


def test_columns_of_any_type_are_shown(model, frame, tmp_path):
    n = len(frame)
    days = np.datetime64("2024-01-31") + 31 * (np.arange(n) % 12)
    many = {f"more {i}": np.arange(n) * 1.5 for i in range(20)}
    given = {
        "day": days,
        "stamp": pd.Series(pd.to_datetime(days)).dt.tz_localize("UTC"),
        "good": np.arange(n) % 2 == 0,
        "word": pd.Series(["a", None, "b"] * (n // 3)),
        "steps": np.arange(n) % 4,
        "empty": [None] * n,
        "wild": np.where(np.arange(n) == 3, np.inf, 1.0 * np.arange(n)),
    }
    X = frame[["depth", "width", "colour"]]
    labels = np.where(np.arange(n) < 100, np.nan, np.arange(n) % 3)
    values = read_values(write_map(model, X, tmp_path / "a.html", y=labels, columns=given, label="cluster"))
    columns = {column["name"]: column for column in values["columns"] if not column.get("isCluster")}
    kinds = {name: column["kind"] for name, column in columns.items()}
    assert kinds["day"] == kinds["stamp"] == "date"
    expected = (np.array(days, "datetime64[s]") - np.datetime64(0, "s")).astype(float)
    for name in ("day", "stamp"):
        np.testing.assert_array_equal(unpack(columns[name]["data"], "<f8"), expected)
    assert (columns["good"]["levels"], columns["word"]["levels"]) == (["no", "yes"], ["a", "b"])
    assert columns["steps"]["levels"] == ["0", "1", "2", "3"]
    assert np.isnan(unpack(columns["wild"]["data"], "<f4")).nonzero()[0].tolist() == [3]
    assert "empty" not in columns
    assert columns["cluster"]["levels"] == ["0", "1", "2"]  # the labels: gaps are no class
    assert (unpack(columns["cluster"]["data"], "<u2") == 65535).sum() == 100
    assert sum(bool(column.get("isCluster")) for column in values["columns"]) == 1
    wide = read_values(write_map(model, X, tmp_path / "b.html", columns=many, color="more 7"))
    names = [column["name"] for column in wide["columns"]]
    assert "more 7" in names
    assert len(names) <= 15  # the clusters, 12 columns, and what the model says


def test_identifiers_have_no_place_on_a_map(model, frame, tmp_path, monkeypatch):
    monkeypatch.setattr("narrows.report.map_columns._MOST_LEVELS", 100)
    X = frame[["depth", "width", "colour"]]
    out = write_map(model, X, tmp_path / "a.html", columns={"note": frame["note"]})
    assert "note" not in {column["name"] for column in read_values(out)["columns"]}


def test_three_rows_have_axes_only(model, frame, tmp_path):
    out = write_map(model, frame[["depth", "width", "colour"]][:3], tmp_path / "a.html")
    assert [view["name"] for view in read_values(out)["views"]] == ["Principal axes"]
    assert "neighbours lie together" not in out.read_text()


def test_bad_arguments_are_refused(model, frame, tmp_path):
    X = frame[["depth", "width", "colour"]]
    with pytest.raises(ValueError, match=r"`color` must name a column of the map: .*depth.*Got 'deep'"):
        write_map(model, X, tmp_path / "a.html", color="deep")
    with pytest.raises(ValueError, match="method"):
        write_map(model, X, tmp_path / "a.html", method="umap")
    with pytest.raises(ValueError, match=r"'tide' of write_map must hold one value for each of 240.*\(3,\)"):
        write_map(model, X, tmp_path / "a.html", columns={"tide": [1, 2, 3]})
    with pytest.raises(ValueError, match=r"y passed to write_map"):
        write_map(model, X, tmp_path / "a.html", y=[1, 2])
    with pytest.raises(TypeError, match=r"write_map takes a fitted model\. Got AE"):
        write_map(narrows.AE(2), X, tmp_path / "a.html")
    with pytest.raises(FileNotFoundError, match="does not exist"):
        write_map(model, X, tmp_path / "none/a.html")
    assert not list(tmp_path.iterdir())


def test_the_command_writes_it(model, frame, tmp_path):
    model.save(tmp_path / "model")
    frame.to_csv(tmp_path / "rows.csv", index=False)
    arguments = ["map", str(tmp_path / "model"), str(tmp_path / "rows.csv"), "-o", str(tmp_path / "map.html")]
    result = CliRunner().invoke(
        app, [*arguments, "--label", "kind", "--color", "note", "--method", "axes", "--examples", "100"]
    )
    assert result.exit_code == 0, result.output
    values = read_values(tmp_path / "map.html")
    names = [column["name"] for column in values["columns"]]
    assert names[0] == "kind"
    assert names[values["start"]] == "note"  # which the model does not know
    assert (values["n"], len(values["views"])) == (100, 1)
