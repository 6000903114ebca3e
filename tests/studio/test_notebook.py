"""The widget: requests as messages, and the bundle of the page's modules."""

import base64
import json
import re
import shutil
import subprocess

import numpy as np
import pytest

from narrows import AE, DAE
from narrows.estimators import load

notebook = pytest.importorskip("narrows.studio.notebook", reason="needs the extra `notebook`", exc_type=ImportError)


@pytest.fixture(scope="module")
def widget(models, digits):
    return load(models["vae"]).studio(digits[:50], np.arange(50) % 3)


def send_request(widget, method: str, path: str, body=None, raw: bytes | None = None):
    """Send a message, and return status, headers and body of the response."""
    sent = []
    widget.send = lambda content, buffers: sent.append((content, buffers))
    message = {"id": "a-1", "method": method, "path": path, "body": body, "raw": raw is not None}
    widget._handle_custom_msg(message, [] if raw is None else [memoryview(raw)])
    ((content, (answer,)),) = sent
    assert content["id"] == "a-1"
    return content["status"], content["headers"], answer


def test_requests_are_answered_as_over_http(widget, models, digits):
    status, _, answer = send_request(widget, "GET", "/api/state")
    state = json.loads(answer)
    assert status == 200
    assert (state["model"]["title"], state["data"]["n"], state["data"]["classes"]) == ("VAE", 50, ["0", "1", "2"])
    status, headers, answer = send_request(widget, "POST", "/api/decode", {"codes": [[0.0] * 4]})
    assert (status, headers["x-shape"]) == (200, "1,8,8,1")
    expected = 255 * load(models["vae"]).inverse_transform(np.zeros((1, 4)))[0]
    np.testing.assert_allclose(np.frombuffer(answer, np.uint8).reshape(8, 8), expected, atol=0.51)
    status, headers, answer = send_request(widget, "GET", "/api/map?x=1&y=0")
    assert headers["x-shape"] == "50,2"
    assert send_request(widget, "GET", "/api/dials/0/strip")[1]["content-type"] == "image/png"
    assert send_request(widget, "POST", "/api/encode/image", raw=b"no image")[0] == 415
    assert send_request(widget, "GET", "/api/data/50")[0] == 404


def test_the_code_is_synchronized(widget):
    assert widget.code == []
    widget.set_state({"code": [1.0, 2.0, 3.0, 4.0]})
    assert widget.code == [1.0, 2.0, 3.0, 4.0]


def test_without_examples_there_are_dials_only(models):
    *_, answer = send_request(load(models["table"]).studio(), "GET", "/api/state")
    assert json.loads(answer)["model"]["can"] == ["dials"]


def test_wrong_examples_and_labels_are_refused(models, digits):
    with pytest.raises(ValueError, match="one label for each of 5 examples"):
        load(models["vae"]).studio(digits[:5], [1, 2, 3, 4])
    with pytest.raises(ValueError, match="examples of shape"):
        load(models["vae"]).studio(np.zeros((5, 9, 9)))
    with pytest.raises(ValueError, match="a model with codes"):
        load(models["dae"]).studio(digits[:5])
    with pytest.raises(ValueError, match="not fitted"):
        AE(2).studio()
    assert not hasattr(DAE, "code")


def test_the_bundle_holds_each_module_after_its_imports():
    texts = {}
    notebook._collect_modules("widget.js", texts)
    names = list(texts)
    assert names[-1] == "widget.js"
    assert {"dials/dials.js", "map/map.js", "state.js", "transport.js"} < set(names)
    for position, text in enumerate(texts.values()):
        parts = text.split("\0")
        assert set(parts[1::2]) <= set(names[:position]), "an import of a later module"
        code = "".join(line for line in text.splitlines() if not line.lstrip().startswith(("//", "*", "/*")))
        assert not re.search(r'from "\.{1,2}/', code)
        assert "import(" not in code


def test_styles_fetch_nothing():
    assert ".narrows" in notebook.read_style()
    assert "url(" not in notebook.read_style()


def test_the_bundle_runs(tmp_path):
    """Run the bundle in Node, which imports modules from data URLs instead of blobs."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs node")
    (tmp_path / "widget.mjs").write_text(notebook.bundle_modules(), encoding="utf-8")
    script = """
    URL.createObjectURL = (blob) => blob.url;
    const of = (text) => "data:text/javascript;base64," + Buffer.from(text).toString("base64");
    globalThis.Blob = class { constructor([text]) { this.url = of(text); } };
    const widget = (await import("./widget.mjs")).default;
    console.log(typeof widget.render);
    """
    (tmp_path / "run.mjs").write_text(script, encoding="utf-8")
    done = subprocess.run([node, "run.mjs"], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.strip() == "function", done.stderr


PAGE = """
async ([source, style]) => {
  document.head.append(Object.assign(document.createElement("style"), { textContent: style }));
  const heard = new Set();
  const bytes = (text) => Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  window.saved = {};
  const model = {
    async send(content, callbacks, buffers) {
      const { content: answer, body } = await window.kernel(content);
      for (const one of heard) one(answer, [new DataView(bytes(body).buffer)]);
    },
    on: (name, one) => heard.add(one),
    off: (name, one) => heard.delete(one),
    set: (name, value) => { window.saved[name] = value; },
    save_changes() {},
  };
  const place = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
  const widget = (await import(place)).default;
  const el = document.body.appendChild(document.createElement("div"));
  window.end = await widget.render({ model, el });
  return heard.size;
}
"""


@pytest.mark.slow
def test_the_widget_in_a_browser(models, digits):
    """Run the widget as a notebook does: messages of the page go to the widget in Python."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright and Chromium")
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("needs Chromium")
    widget = load(models["vae"]).studio(digits[:50], np.arange(50) % 3)

    def kernel(content):
        status, headers, body = send_request(widget, content["method"], content["path"], content["body"])
        answer = {"id": content["id"], "status": status, "headers": headers}
        return {"content": answer, "body": base64.b64encode(body).decode()}

    with playwright.sync_playwright() as play:
        browser = play.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--enable-unsafe-swiftshader"])
        page = browser.new_page(viewport={"width": 1000, "height": 900})
        errors = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.expose_function("kernel", kernel)
        assert page.evaluate(PAGE, [notebook.bundle_modules(), notebook.read_style()]) == 1
        slider = page.locator(".dials input[type=range]").first
        slider.wait_for()
        slider.fill("2")
        page.wait_for_function("window.saved.code?.includes(2)")
        assert page.locator("canvas").count() >= 2  # the picture, and the map
        page.evaluate("window.end()")
        browser.close()
    assert not errors
