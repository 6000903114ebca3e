"""Widget with the dials and the map for Jupyter, VS Code, Colab and marimo, made from the modules of the page.

The application is the same as in the browser, but there is no server: requests are messages of the widget. See
https://anywidget.dev.
"""

from __future__ import annotations

import asyncio
import functools
import json
import posixpath
import re
import threading
from importlib import resources
from typing import Any
from urllib.parse import urlsplit

from narrows.data import as_array, is_frame
from narrows.data.labels import check_labels
from narrows.estimators.base import Estimator
from narrows.studio.app import create_app
from narrows.studio.data import Colour, Data, other_columns
from narrows.studio.session import Session

try:
    import anywidget
    import traitlets
except ImportError as error:
    raise ImportError("The widget needs anywidget, which is not installed: pip install 'narrows[notebook]'.") from error

_ENTRY, _STYLE = "widget.js", "parts.css"
_FACETS = "../../report/assets/explorer-facets.css"
_IMPORT = re.compile(r"""(\bfrom\s*|\bimport\s*)(["'])(\.{1,2}/[^"']+)\2""")


class Studio(anywidget.AnyWidget):
    """Widget with the dials of a model, and a map of the examples: `Studio(model, X)` as the last line of a cell.

    Parameters
    ----------
    model : fitted model.
    X : n examples as the model takes them, or None for dials alone. Other columns of a data frame colour the map.
    y : n labels, which colour the map, or None.

    Attributes
    ----------
    code : the code that the dials show, a list of n_components floats; empty before a dial is moved.

    Raises
    ------
    ValueError
        If the model is not fitted or has no codes that can be decoded, or if X or y do not fit it.
    """

    _esm = ""
    _css = ""
    code = traitlets.List(traitlets.Float()).tag(sync=True)

    def __init__(self, model: Estimator, X: Any = None, y: Any = None) -> None:
        if not model.model_.has_code:
            raise ValueError("The studio in a notebook needs a model with codes. This one has n_components=None.")
        if not model.model_.decodes_codes:
            name = type(model).__name__
            raise ValueError(
                f"The studio in a notebook shows dials, and codes of {name} cannot be decoded. Save the model, and "
                "start `narrows studio MODEL DATA`: its page fills and draws rows."
            )
        session = Session()
        session.open(model, None if X is None else _make_data(model, X, y), name=type(model).__name__)
        self._app = create_app(session)
        super().__init__(_esm=bundle_modules(), _css=read_style())
        self.on_msg(self._answer)

    def _answer(self, _: Any, message: dict[str, Any], buffers: list[Any]) -> None:
        """Answer a request of the JavaScript modules."""
        body = bytes(buffers[0]) if message["raw"] else b""
        if message["body"] is not None:
            body = json.dumps(message["body"]).encode()
        media_type = "application/octet-stream" if message["raw"] else "application/json"
        request = _request(self._app, message["method"], message["path"], media_type, body)
        status, headers, content = asyncio.run_coroutine_threadsafe(request, _get_loop()).result()
        self.send({"id": message["id"], "status": status, "headers": headers}, [content])


def bundle_modules() -> str:
    """Return one JavaScript module that holds the widget and its imports, and makes a blob URL of each when it runs."""
    texts: dict[str, str] = {}
    _collect_modules(_ENTRY, texts)
    return (
        f"const texts = {json.dumps(texts)};\nconst places = {{}};\n"
        "for (const [name, text] of Object.entries(texts)) {\n"
        "  const whole = text.replace(/\\0([^\\0]+)\\0/g, (_, other) => places[other]);\n"
        '  places[name] = URL.createObjectURL(new Blob([whole], { type: "text/javascript" }));\n'
        "}\n"
        f"export default (await import(places[{json.dumps(_ENTRY)}])).default;\n"
    )


def read_style() -> str:
    """Return the styles that the page and the widget share, without fonts: those of the notebook are used."""
    return re.sub(r"@font-face\s*\{[^}]*\}", "", _read_static(_STYLE) + _read_static(_FACETS))


def _collect_modules(name: str, texts: dict[str, str]) -> None:
    """Add a module to `texts`, after the modules that it imports. Marks stand for the URLs of its imports."""

    def mark(match: re.Match[str]) -> str:
        keyword, quote, path = match.groups()
        imported = _resolve(name, path)
        if imported not in texts:
            _collect_modules(imported, texts)
        return f"{keyword}{quote}\0{imported}\0{quote}"

    lines = _read_static(name).splitlines()
    code = [line if line.lstrip().startswith(("//", "*", "/**")) else _IMPORT.sub(mark, line) for line in lines]
    texts[name] = "\n".join(code)


def _resolve(name: str, relative: str) -> str:
    """Return the name of a module that the module `name` imports by a relative path.

    >>> _resolve("vendor/a.js", "../b.js")
    'b.js'
    """
    return posixpath.normpath(posixpath.join(posixpath.dirname(name), relative))


def _read_static(name: str) -> str:
    return (resources.files("narrows.studio") / "static" / name).read_text(encoding="utf-8")


def _make_data(model: Estimator, X: Any, y: Any) -> Data:
    X = X if is_frame(X) else as_array(X, "Studio")
    labels = None if y is None else Colour.from_column(check_labels(y, len(X), "the studio"))
    return Data("X", X, labels, other_columns(X, model.schema_.columns or ()) if is_frame(X) else {})


@functools.cache
def _get_loop() -> asyncio.AbstractEventLoop:
    """Return the event loop of all widgets. It runs in a thread, because the notebook's loop blocks for the answer."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="narrows-studio", daemon=True).start()
    return loop


async def _request(app: Any, method: str, url: str, media_type: str, body: bytes) -> tuple[int, dict[str, str], bytes]:
    """Send a request to an ASGI application, and return status, headers and body of the response."""
    target = urlsplit(url)
    headers = [
        (b"host", b"localhost"),
        (b"content-type", media_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
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
    received = {name.decode("latin-1"): value.decode("latin-1") for name, value in started["headers"]}
    return started["status"], received, b"".join(parts)
