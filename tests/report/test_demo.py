"""The demo writes a complete page that fetches nothing and decodes as the models do."""

import base64
import io
import json
import re
import shlex
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from mixed_table import make_frame
from opened_page import Opened
from pasted_code import pieces, run_pieces
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

import narrows
from narrows.cli import app
from narrows.plots.drawing import format_number
from narrows.report import anatomy, baselines, demo, page
from narrows.report.live import pack_decoder
from narrows.report.machine import from_home

SECTIONS = ["reconstructions", "map", "dials", "samples", "cleaning", "units", "training", "numbers", "decisions"]
AXE = Path(__file__).parents[1] / "studio" / "vendor" / "axe.min.js"
VOID = {"br", "hr", "img", "input", "link", "meta"}


class Structure(HTMLParser):
    """All elements of a page as (tag, attributes); each element that is opened must be closed."""

    def __init__(self, markup):
        super().__init__()
        self.open, self.elements, self.scripts = [], [], {}
        self.feed(markup)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data):
        kind = self.elements[-1][1].get("class") if self.elements else None
        if self.open and self.open[-1] == "script" and kind:
            self.scripts[kind] = self.scripts.get(kind, "") + data


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory):
    console = Console(record=True, width=110, file=io.StringIO())
    path = demo.run(tmp_path_factory.mktemp("demo") / "new" / "folder", console=console, budget=0.02)
    return path, console.export_text()


@pytest.fixture(scope="module")
def structure(demo_run):
    return Structure(demo_run[0].read_text(encoding="utf-8"))


def test_everything_is_shown(demo_run, structure):
    path, _ = demo_run
    ids = [attributes["id"] for tag, attributes in structure.elements if tag == "section"]
    assert ids == SECTIONS
    text = path.read_text(encoding="utf-8")
    assert path.name == "index.html"
    assert path.stat().st_size < 5_000_000
    assert text.count('class="kind"') == 4
    assert text.count('class="spot ') == 360
    assert "nan" not in re.findall(r">([^<>]{1,12})<", text)
    assert [p.name for p in path.parent.iterdir() if p.name.startswith(".")] == []


def test_nothing_is_fetched(demo_run, structure):
    for tag, attributes in structure.elements:
        for name in ("src", "href", "srcset", "data", "action", "poster"):
            value = attributes.get(name, "")
            assert value.startswith(("data:", "#")) or not value, (tag, name, value[:80])
    text = demo_run[0].read_text(encoding="utf-8")
    assert not re.search(r"@import|url\(|\bfetch\(|XMLHttpRequest|\bimport\(", text)
    assert "default-src 'none'" in text


def test_it_can_be_used_without_eyes_or_mouse(structure):
    ids = [attributes["id"] for _, attributes in structure.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag, attributes in structure.elements:
        if tag == "img":
            assert "alt" in attributes
            assert attributes.get("width") or attributes["class"].endswith("sprite")
        if tag == "input" or attributes.get("role") in ("img", "group", "application", "region"):
            assert attributes.get("aria-label")
        if "aria-labelledby" in attributes:
            assert attributes["aria-labelledby"] in ids


def test_the_console_says_what_is_done(demo_run):
    path, output = demo_run
    for name in ("AE", "VAE", "DAE", "SAE"):
        assert re.search(rf"^  {name} .* s$", output, re.MULTILINE)
    assert output.count("PCA") >= 4
    assert path.name in output.replace("\n", "")


def test_the_models_are_saved(demo_run):
    X = narrows.load_dataset("digits", "test").X[:3]
    for name in ("ae", "vae", "dae", "sae"):
        model = narrows.load(demo_run[0].parent / "models" / name)
        assert type(model).__name__ == name.upper()
        assert np.isfinite(model.reconstruct(X)).all()


# ------------------------------------------------------------------------------------------------- code as pasted


def test_the_code_on_the_page_runs_from_the_top(demo_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_pieces(demo_run[0])
    assert {"X", "y", "X_test", "y_test", "X_noisy", "ae", "vae", "dae", "sae"} <= set(names)
    saved = narrows.load(demo_run[0].parent / "models" / "sae")
    # the models that the page shows, not others like them
    np.testing.assert_allclose(names["sae"].transform(names["X_test"]), saved.transform(names["X_test"]), atol=1e-4)


@pytest.mark.slow
def test_the_code_on_the_page_runs_in_a_fresh_python_and_a_shell(demo_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("pasted.py").write_text("\n".join(pieces(demo_run[0])), encoding="utf-8")
    subprocess.run([sys.executable, "pasted.py"], check=True, timeout=200)
    opened = []
    monkeypatch.setattr("narrows.studio.serving.serve", lambda model, data, **_: opened.append((model, data.name)))
    commands = [line for piece in pieces(demo_run[0], "shell") for line in piece.splitlines()]
    for command in commands:
        name, *arguments = shlex.split(command)
        result = CliRunner().invoke(app, arguments)
        assert (name, result.exit_code) == ("narrows", 0), (command, result.output)
    assert opened == [(demo_run[0].parent / "models" / "vae", "digits")]
    assert commands[-1].startswith("narrows studio ")


def test_the_studio_is_the_last_word_of_the_page(demo_run):
    text = demo_run[0].read_text(encoding="utf-8")
    last = text[text.rindex("<pre") : text.index("</footer>")]
    assert re.sub("<[^>]+>", "", last).strip() == f"narrows studio {demo_run[0].parent}/models/vae digits"


def test_paths_on_the_page_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert str(from_home(tmp_path / "my demo")) == "~/my demo"
    assert from_home(tmp_path.parent) == tmp_path.parent
    assert demo.studio_command(Path("~/my demo")) == "narrows studio '~/my demo/models/vae' digits"


# ------------------------------------------------------------------------------------------------- the five parts


def frames_of(markup, strip):
    """Return the pictures (25 x 8 x 8, from 0 to 1) of one strip of the page's film."""
    source = re.search(r'<div class="frames"><img [^>]*src="data:image/png;base64,([^"]+)"', markup)[1]
    with Image.open(io.BytesIO(base64.b64decode(source))) as image:
        sheet = np.asarray(image)[..., 1] / 255
    rows = sheet.reshape(10, 9, 13, 9)[:, :8, :, :8].swapaxes(1, 2)
    return np.stack([rows[strip + 5 * (i % 2), i // 2] for i in range(25)])


def turned(markup, kind):
    """Return the component that the slider of a kind turns, and its values."""
    slider = re.search(rf'<input type="range"[^>]*data-kind="{kind}"[^>]*>', markup)[0]
    values = {name: float(re.search(rf'{name}="([^"]+)"', slider)[1]) for name in ("min", "max", "step", "value")}
    component = re.search(r'aria-label="Turn \w+ (\d+)', slider)
    grid = np.linspace(values["min"], values["max"], 25)
    assert np.diff(grid)[0] == pytest.approx(values["step"])
    return component and int(component[1]), grid, int(np.abs(grid - values["value"]).argmin())


@pytest.mark.parametrize(("kind", "strip"), [("ae", 0), ("vae", 1), ("sae", 4)])
def test_a_dial_of_the_drawing_shows_what_the_model_decodes(demo_run, kind, strip):
    path, _ = demo_run
    markup = path.read_text(encoding="utf-8")
    model = narrows.load(path.parent / "models" / kind)
    test = narrows.load_dataset("digits", "test")
    x = test.X[test.y == 3][:1]
    component, values, start = turned(markup, kind)
    codes = model.transform(x).astype(float).repeat(25, 0)
    own = codes[0, component]
    codes[:, component] = (
        own * values if kind == "sae" else model.code_mean_[component] + model.dial_scale()[component] * values
    )
    frames = frames_of(markup, strip)
    np.testing.assert_allclose(frames, model.inverse_transform(codes).clip(0, 1), atol=1 / 255)
    nearest = np.abs(codes[:, component] - own).argmin()
    assert start == nearest
    # no other setting is so like the picture as the model draws it
    assert np.abs(frames - model.reconstruct(x)).mean((1, 2)).argmin() in (nearest - 1, nearest, nearest + 1)


def test_the_noise_of_the_drawing_is_what_the_dae_sees(demo_run):
    markup = demo_run[0].read_text(encoding="utf-8")
    _, values, start = turned(markup, "dae")
    assert values[start] == pytest.approx(demo.NOISE)
    seen, drawn = frames_of(markup, 2), frames_of(markup, 3)
    test = narrows.load_dataset("digits", "test")
    np.testing.assert_allclose(seen[0], test.X[test.y == 3][0], atol=1 / 255)
    assert (np.diff(np.square(seen - seen[0]).mean((1, 2))) > 0).all()
    model = narrows.load(demo_run[0].parent / "models" / "dae")
    np.testing.assert_allclose(drawn[0], model.reconstruct(test.X[test.y == 3][:1])[0].clip(0, 1), atol=1 / 255)


def test_each_kind_has_its_words_and_the_parts_that_it_changes():
    parts = {part for changed in demo.demo_texts.CHANGES.values() for part in changed}
    assert parts <= set(demo.demo_texts.PARTS)
    for roles in demo.demo_texts.PARTS.values():
        assert "" in roles or set(roles) == set(anatomy.KINDS)
    for texts in (demo.demo_texts.ANATOMY, demo.demo_texts.FORMULAS, demo.demo_texts.CHANGES, demo.demo_texts.HINTS):
        assert tuple(texts) == anatomy.KINDS


READ = "[...document.querySelectorAll('.anatomy canvas')].filter((c) => c.offsetParent).map((c) => c.toDataURL())"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_the_drawing_is_switched_and_turned_by_keys(chromium, demo_run, width, scheme):
    with Opened(chromium, demo_run[0], width, color_scheme=scheme) as tab:
        tab.locator("canvas[data-of=ae]").first.wait_for()
        assert tab.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
        tab.locator("[value=ae]").focus()
        shown = {}
        for kind in anatomy.KINDS:
            assert tab.locator(f"[value={kind}]").is_checked()
            changed = [b.inner_text() for b in tab.locator("[data-changes] em:visible ~ span:visible").all()]
            assert len(changed) == len(demo.demo_texts.CHANGES[kind])
            shown[kind] = tab.locator(".words").inner_text()
            before = tab.evaluate(READ)
            assert len(before) == (4 if kind == "dae" else 2)
            tab.keyboard.press("Tab")
            assert tab.evaluate("document.activeElement.dataset.kind") == kind
            tab.keyboard.press("Home")
            assert float(tab.locator(".turned output:visible").inner_text().replace("−", "-")) <= 0
            assert all(a != b for a, b in zip(before, tab.evaluate(READ), strict=True))
            tab.keyboard.press("Shift+Tab")
            tab.keyboard.press("ArrowRight")
        assert len(set(shown.values())) == 4
        assert "KL" in shown["vae"]


def faults(tab, where):
    """Return what axe finds in a part of the page."""
    found = tab.evaluate("(where) => axe.run(where)", where)["violations"]
    return [(v["id"], v["nodes"][0]["html"][:120]) for v in found]


@pytest.mark.parametrize(("width", "scheme"), [pytest.param(1280, "light", marks=pytest.mark.slow), (390, "dark")])
def test_axe_finds_no_fault_in_the_drawing(chromium, demo_run, width, scheme):
    with Opened(chromium, demo_run[0], width, color_scheme=scheme) as tab:
        tab.evaluate(AXE.read_text(encoding="utf-8"))
        for kind in anatomy.KINDS:
            tab.locator(f"[value={kind}]").check(force=True)
            assert faults(tab, ".anatomy") == []


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_axe_finds_no_fault_on_the_page(chromium, demo_run, width, scheme):
    with Opened(chromium, demo_run[0], width, color_scheme=scheme) as tab:
        tab.evaluate(AXE.read_text(encoding="utf-8"))
        assert faults(tab, "html") == []


def test_without_scripts_and_on_paper_the_drawing_is_whole(chromium, demo_run):
    with Opened(chromium, demo_run[0], java_script_enabled=False) as tab:
        tab.locator("[value=dae]").check(force=True)
        assert tab.locator(".seen img").is_visible()
        assert tab.locator(".film").is_visible()
        assert tab.locator(".turned input:visible").count() == 0
        assert tab.locator(".words > div:visible").count() == 1
        tab.emulate_media(media="print")
        assert not tab.locator(".kinds").is_visible()
        assert tab.locator(".words > div:visible").count() == 4
        assert tab.locator(".flow svg:visible").count() == 1


def run_script(spec, codes):
    """Decode `codes` by the page's script in node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    lines = f"""
    const spec = {json.dumps(spec)}, codes = {json.dumps(codes)}, decode = createDecoder(spec);
    console.log(JSON.stringify(codes.map((z) => Array.from(decode(z)))));
    """
    done = subprocess.run(
        [node, "-"], input=page.asset("decoder.js") + lines, capture_output=True, text=True, check=True, timeout=60
    )
    return np.array(json.loads(done.stdout))


def test_the_dials_on_the_page_turn_the_saved_model(demo_run, structure):
    vae = narrows.load(demo_run[0].parent / "models" / "vae")
    packed = json.loads(structure.scripts["decoder-vae"])
    X = narrows.load_dataset("digits", "test").X
    codes = vae.transform(X[:20]).astype(float)
    drawn = run_script(packed, codes.tolist())
    np.testing.assert_allclose(drawn, vae.inverse_transform(codes).reshape(20, -1), atol=5e-3)  # half precision


LIKELIHOODS = ["bernoulli", "continuous_bernoulli", "gaussian", "poisson", "table"]


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_the_script_decodes_as_the_model_does(likelihood):
    X = narrows.load_dataset("digits").X[:200]
    settings = {"hidden": (32, 16), "max_epochs": 3, "learning_rate": 1e-2, "random_state": 0}
    if likelihood == "table":  # numbers, counts, atoms and levels
        vae = narrows.VAE(5, **settings).fit(make_frame(200))
    else:
        X = np.rint(16 * X) if likelihood == "poisson" else X
        vae = narrows.VAE(5, likelihood=likelihood, **settings).fit(X)
    network = vae.model_
    network.order.copy_(torch.tensor([2, 0, 4, 1, 3]))  # so that the order of the components matters
    codes = np.random.default_rng(0).normal(0, 2, (40, 5))
    drawn = run_script(pack_decoder(vae), codes.tolist())

    def decode():
        if likelihood != "table":
            return vae.inverse_transform(codes).reshape(40, -1)
        inputs = torch.zeros(40, 5)
        inputs[:, network.order] = torch.tensor(codes, dtype=torch.float32)
        return network.decoder(inputs).detach().numpy()

    np.testing.assert_allclose(drawn, decode(), atol=5e-3, rtol=5e-3)
    # the same weights in half precision on both sides: the rest is the error of the script
    for parameter in network.decoder.parameters():
        parameter.data = parameter.data.half().float()
    np.testing.assert_allclose(drawn, decode(), atol=2e-5, rtol=2e-5)


def test_a_decoder_that_the_script_does_not_know_is_not_packed():
    X = np.random.default_rng(0).random(size=(60, 8, 8))
    assert pack_decoder(narrows.AE(2, network="conv", max_epochs=1, random_state=0).fit(X)) is None
    assert pack_decoder(narrows.SAE(8, max_epochs=1, random_state=0).fit(X)) is None


def test_the_scripts_are_valid(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("node is not here")
    whole = tmp_path / "page.js"
    whole.write_text(page.script(), encoding="utf-8")
    checked = subprocess.run([node, "--check", str(whole)], capture_output=True, text=True, timeout=60)
    assert (checked.returncode, checked.stderr) == (0, "")


def test_what_is_refused(tmp_path):
    (tmp_path / "file").write_text("kept")
    with pytest.raises(FileExistsError, match="Name a folder"):
        demo.run(tmp_path / "file")
    assert (tmp_path / "file").read_text() == "kept"
    with pytest.raises(ValueError, match=r"`budget` .* \(0, 1\]"):
        demo.run(Path(tmp_path), budget=0)


def test_text_cannot_become_markup():
    section = page.Section("a", "<b>", "1 < 2", "x < y", "<i>body</i>")
    markup = section.render(1)
    assert "&lt;b&gt;" in markup
    assert "1 &lt; 2" in markup
    assert "x &lt; y" in markup
    assert "</script" not in page.data_script("kind", {"a": "</script>"}).removesuffix("</script>")


@pytest.mark.parametrize(
    ("value", "formatted"), [(0.0, "0"), (-35.17, "−35.2"), (1437.0, "1437"), (0.01234, "0.0123"), (2.5, "2.5")]
)
def test_numbers(value, formatted):
    assert format_number(value) == formatted


def test_baselines():
    rng = np.random.default_rng(0)
    X = (rng.random((50, 2)) @ rng.random((2, 9))).reshape(50, 3, 3)
    X /= X.max()
    pca = baselines.Baseline.fit(X, 2)
    assert baselines.mse(pca.reconstruct(X), X) < 1e-20
    assert pca.encode(X).shape == (50, 2)
    noisy = X + 0.1 * rng.standard_normal(X.shape)
    assert baselines.best_cleaner(X, noisy).n_components <= 3
    assert baselines.psnr(np.zeros(4), np.full(4, 0.1)) == pytest.approx(20)
    assert baselines.novelty(X, X) == pytest.approx(0, abs=1e-6)
    a, b = rng.random((1, 4)), rng.random((3, 4))
    assert baselines.novelty(a, b) == pytest.approx(np.sqrt(np.square(a - b).mean(1).min()))
