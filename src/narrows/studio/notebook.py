"""The dials and the map in a notebook: widgets made of the page's own modules, for Jupyter, VS Code, Colab and marimo.

The same application answers as in the browser, but without a network: a request is a message of the widget. See
https://anywidget.dev.
"""

from __future__ import annotations

import asyncio
import functools
import json
import re
import threading
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from narrows.data import as_array
from narrows.data.labels import check_labels
from narrows.estimators.base import Estimator
from narrows.studio.app import create
from narrows.studio.data import Colour, Data
from narrows.studio.session import Session

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("The widget needs anywidget, which is not installed: pip install 'narrows[notebook]'.") from error

_ENTRY, _STYLE = "widget.js", "parts.css"
_IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])(\.{1,2}/[^"']+)\2""")


class Studio(anywidget.AnyWidget):
    """Dials, and a map where there are examples: `Studio(model, X)` as the last line of a cell shows them.

    Parameters
    ----------
    model : fitted.
    X : examples, as the model takes them, or None.
    y : what each of them is, which colours the map, or None.

    Attributes
    ----------
    code : the code that the dials show, a list of n_components floats; empty before the first turn.

    Raises
    ------
    ValueError
        If the model has no codes, or X and y do not fit it.
    """

    _esm = ""
    _css = ""
    code = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, model: Estimator, X: Any = None, y: Any = None) -> None:
        if not model.model_.has_code:
            raise ValueError("The studio in a notebook turns dials, and this model has no codes: n_components=None.")
        session = Session()
        session.open(model, None if X is None else _data(X, y), name=type(model).__name__)
        self._app = create(session)
        super().__init__(_esm=bundle(), _css=style())
        self.on_msg(self._answer)

    def _answer(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        """Answer a request of the page's modules."""
        body = bytes(buffers[0]) if message["raw"] else b""
        if message["body"] is not None:
            body = json.dumps(message["body"]).encode()
        kind = "application/octet-stream" if message["raw"] else "application/json"
        answer = _ask(self._app, message["method"], message["path"], kind, body)
        status, headers, content = asyncio.run_coroutine_threadsafe(answer, _loop()).result()
        self.send({"id": message["id"], "status": status, "headers": headers}, [content])


def bundle() -> str:
    """The widget's entry and all that it imports, as one module: each part becomes an address of its own when run."""
    texts: dict[str, str] = {}
    _gather(_ENTRY, texts)
    return (
        f"const texts = {json.dumps(texts)};\nconst places = {{}};\n"
        "for (const [name, text] of Object.entries(texts)) {\n"
        "  const whole = text.replace(/\\0([^\\0]+)\\0/g, (_, other) => places[other]);\n"
        '  places[name] = URL.createObjectURL(new Blob([whole], { type: "text/javascript" }));\n'
        "}\n"
        f"export default (await import(places[{json.dumps(_ENTRY)}])).default;\n"
    )


def style() -> str:
    """The styles that the page and a notebook share; fonts are the notebook's own."""
    return re.sub(r"@font-face\s*\{[^}]*\}", "", _text(_STYLE))


def _gather(name: str, texts: dict[str, str]) -> None:
    """Put a module's text behind those of all that it imports, with marks where their addresses go."""

    def mark(found: re.Match[str]) -> str:
        other = _joined(name, found[3])
        if other not in texts:
            _gather(other, texts)
        return f"{found[1]}{found[2]}\0{other}\0{found[2]}"

    lines = _text(name).splitlines()
    code = [line if line.lstrip().startswith(("//", "*", "/**")) else _IMPORT.sub(mark, line) for line in lines]
    texts[name] = "\n".join(code)


def _joined(name: str, relative: str) -> str:
    """The name of a module that another one imports.

    >>> _joined("vendor/a.js", "../b.js")
    'b.js'
    """
    parts = name.split("/")[:-1]
    for part in relative.split("/"):
        if part == "..":
            parts.pop()
        elif part != ".":
            parts.append(part)
    return "/".join(parts)


def _text(name: str) -> str:
    return (resources.files("narrows.studio") / "static" / name).read_text(encoding="utf-8")


def _data(X: Any, y: Any) -> Data:
    X = X if hasattr(X, "iloc") else as_array(X, "Studio")
    return Data("X", X, None if y is None else Colour.of(check_labels(y, len(X), "the studio")))


@functools.cache
def _loop() -> asyncio.AbstractEventLoop:
    """An event loop in a thread of its own, for all widgets: a notebook's own loop waits for the answer."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="narrows-studio", daemon=True).start()
    return loop


async def _ask(app: Any, method: str, address: str, kind: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Ask an ASGI application: status, headers and body of its answer."""
    target = urlsplit(address)
    headers = [(b"host", b"localhost"), (b"content-type", kind.encode()), (b"content-length", str(len(body)).encode())]
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": target.path,
        "raw_path": target.path.encode(),
        "query_string": target.query.encode(),
        "root_path": "",
        "headers": headers,
        "server": ("localhost", 0),
        "client": ("localhost", 0),
    }
    started: dict[str, Any] = {}
    parts: list[bytes] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            started.update(message)
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    found = {name.decode("latin-1"): value.decode("latin-1") for name, value in started["headers"]}
    return started["status"], found, b"".join(parts)
