"""The page's files: no inline code, nothing from other servers, and vendored files as vendor.json lists them."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import narrows.report
import narrows.studio

ROOT = Path(__file__).parents[2]
STATIC = Path(narrows.studio.__file__).parent / "static"
ASSETS = Path(narrows.report.__file__).parent / "assets"
OURS = sorted(
    path
    for path in STATIC.rglob("*")
    if path.suffix in (".js", ".css", ".html", ".svg") and STATIC / "vendor" not in path.parents
)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.relative_to(STATIC).as_posix())
def test_nothing_comes_from_other_servers(path):
    text = path.read_text(encoding="utf-8")
    # names of namespaces and sources of formulas are not fetched
    links = re.findall(r"https?://[^\s\"')]+", re.sub(r"^\s*(//|\*).*$", "", text, flags=re.M))
    assert [link for link in links if not link.startswith("http://www.w3.org/")] == []
    if path.suffix == ".js":
        modules = re.findall(r"""(?:from|import)\s*\(?\s*["']([^"']+)["']""", text)
        files = [(path.parent / (f"{name}.d.ts" if name.endswith("types") else name)).resolve() for name in modules]
        assert [file for file in files if not {STATIC, ASSETS} & set(file.parents) or not file.is_file()] == []
        assert not re.search(r"\beval\(|new Function|innerHTML|document\.write", text)
    if path.suffix == ".html":
        assert not re.search(r"<style|\sstyle=|<script(?![^>]*\ssrc=)|\son\w+=", text)


def imports(path: Path) -> set[Path]:
    """The modules that a module imports at its start, and those that these import."""
    modules = re.findall(r"""^(?:import|\}).* from ["']([^"']+)["'];$""", path.read_text(encoding="utf-8"), flags=re.M)
    files = {(path.parent / name).resolve() for name in modules}
    return files.union(*map(imports, files))


def test_the_modules_of_the_first_panel_are_preloaded():
    page = (STATIC / "index.html").read_text(encoding="utf-8")
    preloaded = {STATIC / name for name in re.findall(r'rel="modulepreload" href="/static/([^"]+)"', page)}
    entries = {STATIC / "main.js", STATIC / "dials" / "panel.js"}
    assert preloaded == entries.union(*map(imports, entries))


def test_vendored_files_are_as_listed():
    listing = json.loads((STATIC / "vendor" / "vendor.json").read_text(encoding="utf-8"))
    for name, expected in listing["sha256"].items():
        assert hashlib.sha256((ROOT / name).read_bytes()).hexdigest() == expected, name
    for entry in listing["files"]:
        assert any("LICENSE" in copy for copy in entry["copies"].values()), entry["package"]
        assert entry["licence"]
    copied = {ROOT / copy for entry in listing["files"] for copy in entry["copies"].values()}
    ours = {"vendor.json", "twgl.d.ts"}
    assert {path for path in (STATIC / "vendor").iterdir() if path.name not in ours} <= copied


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm, which brings TypeScript")
def test_the_types_of_the_modules_hold():
    checked = subprocess.run([ROOT / "scripts" / "types"], capture_output=True, text=True, timeout=300)
    assert checked.returncode == 0, checked.stdout
