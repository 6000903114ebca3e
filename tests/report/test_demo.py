"""The demo writes a complete page that fetches nothing and decodes as the models do."""

import io
import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import narrows
from narrows.plots.drawing import format_number
from narrows.report import baselines, demo, page
from narrows.report.live import pack_decoder

SECTIONS = ["reconstructions", "map", "dials", "samples", "cleaning", "units", "training", "numbers", "decisions"]
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


@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous_bernoulli", "gaussian"])
def test_the_script_decodes_as_the_model_does(likelihood):
    X = narrows.load_dataset("digits").X[:200]
    vae = narrows.VAE(5, hidden=(32, 16), likelihood=likelihood, max_epochs=3, learning_rate=1e-2, random_state=0).fit(
        X
    )
    assert vae.model_.order.tolist() != list(range(5)), "the order of the components should matter here"
    codes = np.random.default_rng(0).normal(0, 2, (40, 5))
    drawn = run_script(pack_decoder(vae), codes.tolist())
    np.testing.assert_allclose(drawn, vae.inverse_transform(codes).reshape(40, -1), atol=5e-3)
    # the same weights in half precision on both sides: the rest is the error of the script
    decoder = vae.model_.decoder
    for parameter in decoder.parameters():
        parameter.data = parameter.data.half().float()
    np.testing.assert_allclose(drawn, vae.inverse_transform(codes).reshape(40, -1), atol=2e-5)


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
    subprocess.run([node, "--check", str(whole)], check=True, timeout=60)


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
