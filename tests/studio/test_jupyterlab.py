"""A real JupyterLab in a real browser: the bar of a fit, the model, the widget, and a kernel that is interrupted."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

CELLS = (
    "import narrows\n"
    "from sklearn.datasets import load_digits\n\n"
    "X = load_digits().images / 16\n"
    "settings = dict(network='mlp', hidden=(32,), max_epochs=10**6, early_stopping=False, random_state=0)",
    "model = narrows.VAE(4, max_time=8, **settings).fit(X)",
    "model",
    "widget = model.studio(X[:200])\nwidget",
    "print('first dial at', widget.code[0])",
    "other = narrows.AE(4, max_time=500, **settings).fit(X)\nprint('the rest of the cell:', other.transform(X).shape)",
    "print('the next cell:', len(other.history_))",
)


@pytest.fixture
def lab(tmp_path):
    """Address of a notebook with `CELLS`, opened in a JupyterLab that nothing else uses."""
    pytest.importorskip("jupyterlab", reason="needs the extra `lab`")
    cells = [
        {"cell_type": "code", "id": f"c{i}", "metadata": {}, "execution_count": None, "outputs": [], "source": source}
        for i, source in enumerate(CELLS)
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    notebook = {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "test.ipynb").write_text(json.dumps(notebook))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    token, address = secrets.token_hex(16), f"http://127.0.0.1:{port}"
    home = {name: str(tmp_path / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    variables = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    options = ["--no-browser", "--allow-root", "--ip=127.0.0.1", f"--port={port}", f"--IdentityProvider.token={token}"]
    settings = tmp_path / "JUPYTER_CONFIG_DIR" / "lab" / "user-settings" / "@jupyterlab" / "apputils-extension"
    settings.mkdir(parents=True)
    (settings / "themes.jupyterlab-settings").write_text('{"theme": "JupyterLab Dark"}')
    (settings / "notification.jupyterlab-settings").write_text('{"fetchNews": "false", "checkForUpdates": false}')
    with (tmp_path / "log").open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", *options],
            cwd=tmp_path / "work",
            env={**variables, **home},
            stdout=log,
            stderr=log,
        )
        try:
            wait_for(f"{address}/api?token={token}", server, tmp_path / "log")
            yield f"{address}/lab/tree/test.ipynb?token={token}"
        finally:
            server.terminate()
            server.wait(30)


def wait_for(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=5)
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"JupyterLab does not answer: {log.read_text()}")


class Notebook:
    """The notebook in the browser, cell by cell."""

    def __init__(self, page, folder: Path):
        self.page, self.folder = page, folder
        page.set_default_timeout(120_000)

    def cell(self, i: int):
        return self.page.locator(".jp-Notebook .jp-CodeCell").nth(i)

    def run(self, i: int) -> None:
        self.cell(i).locator(".jp-InputArea-editor").click()
        self.page.keyboard.press("Shift+Enter")

    def wait(self, i: int, selector: str) -> None:
        self.cell(i).locator(".jp-OutputArea-output").locator(selector).first.wait_for()

    def wait_until_idle(self) -> None:
        self.page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()

    def output(self, i: int) -> str:
        return "\n".join(self.cell(i).locator(".jp-OutputArea-output").all_inner_texts())

    def take_picture(self, name: str) -> None:
        self.page.screenshot(path=self.folder / f"{name}.png")


def test_a_notebook_in_jupyterlab(lab, tmp_path):
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright and Chromium")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium")
    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--enable-unsafe-swiftshader"])
        page = browser.new_page(viewport={"width": 1300, "height": 1200})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(lab)
        notebook = Notebook(page, tmp_path)
        try:
            check_bar(notebook)
            check_model(notebook)
            check_widget(notebook)
            check_interrupt(notebook)
        finally:
            notebook.take_picture("end")
            browser.close()
    assert errors == []


def check_bar(notebook: Notebook) -> None:
    """The first fit has one output: a bar, which becomes a line."""
    notebook.cell(0).wait_for()
    notebook.wait_until_idle()
    for i in range(3):
        notebook.run(i)
    notebook.wait(1, "progress")
    notebook.take_picture("bar")
    notebook.wait(1, "text=VAE: done in")
    assert notebook.cell(1).locator(".jp-OutputArea-output").count() == 1


def check_model(notebook: Notebook) -> None:
    """The model is shown with its curve, pictures and decisions, which open."""
    notebook.wait(2, ".narrows-model svg")
    assert notebook.cell(2).locator(".narrows-model img").count() == 16
    assert "8 x 8 grey images" in notebook.output(2)
    notebook.cell(2).locator("summary").click()
    notebook.cell(2).locator("text=device = cpu").wait_for()
    notebook.take_picture("model")
    notebook.cell(2).locator("summary").click()


def check_widget(notebook: Notebook) -> None:
    """A dial that is turned reaches Python. The widget has the theme of the notebook, not that of the browser."""
    notebook.run(3)
    notebook.wait(3, "input[type=range]")
    dial = notebook.cell(3).locator("input[type=range]").first
    dial.fill("1")
    notebook.page.wait_for_timeout(1000)  # the code is sent once the dials rest
    notebook.take_picture("widget")
    assert notebook.cell(3).locator("canvas").count() >= 2  # the picture, and the map
    notebook.run(4)
    notebook.wait(4, "text=first dial at")
    assert float(notebook.output(4).split()[-1]) == pytest.approx(float(dial.input_value()), abs=1e-3)
    assert notebook.cell(3).locator(".narrows").first.evaluate("el => getComputedStyle(el).colorScheme") == "dark"


def check_interrupt(notebook: Notebook) -> None:
    """A fit that is stopped keeps its model, without a traceback; what waits behind it is not run."""
    notebook.run(5)
    notebook.run(6)
    notebook.wait(5, "progress")
    notebook.page.locator(
        '[data-jp-item-name="interrupt"] button, [data-command="notebook:interrupt-kernel"]'
    ).first.click()
    notebook.wait(5, "text=the rest of the cell: (1797, 4)")
    assert "UserWarning: Training stopped at step" in notebook.output(5)
    assert "Traceback" not in notebook.output(5)
    assert "AE: stopped at" in notebook.output(5)
    notebook.wait_until_idle()
    notebook.take_picture("stopped")
    assert notebook.output(6) == ""
    notebook.run(6)
    notebook.wait(6, "text=the next cell:")
