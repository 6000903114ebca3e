"""What routes have in common: the view that is shown, rows and codes out of a request, messages, documented errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import numpy as np
from anyio import to_thread
from fastapi import Depends, HTTPException, Path, Query, Request, Response
from fastapi.requests import HTTPConnection

from narrows.studio import pictures
from narrows.studio.data import Data
from narrows.studio.messages import Example, Problem
from narrows.studio.session import Session
from narrows.studio.view import FARTHEST, View

MOST_ROWS = 1000  # in one request
MOST_IMAGE_BYTES = 32 << 20
T = TypeVar("T")
RowNumber = Annotated[int, Path(ge=0, le=2**31 - 1)]
RowNumbers = Annotated[
    str, Query(pattern=r"^[0-9]{1,9}(,[0-9]{1,9}){0,999}$", max_length=10_000, description="Numbers with commas.")
]
_WORDS = {
    400: "The request is not what HTTP or JSON must be.",
    404: "There is no such thing, no model, no data, or this model cannot do that.",
    409: "Not now.",
    413: "Too large.",
    415: "Not a kind of file that is read.",
    422: "A value is not what it must be.",
}


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For the documentation: that a route may answer with these."""
    return {code: {"model": Problem, "description": _WORDS[code]} for code in codes}


def binary(*more: int) -> dict[int | str, dict[str, Any]]:
    """For the documentation: that a route answers with an array, or with these errors."""
    media = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": media, "description": "Little-endian; X-Shape and X-Dtype say what."}, **refusals(*more)}


def image(*more: int) -> dict[int | str, dict[str, Any]]:
    """For the documentation: that a route answers with a PNG, or with these errors."""
    media = {pictures.MEDIA: {"schema": {"type": "string", "format": "binary"}}}
    return {200: {"content": media, "description": "A PNG."}, **refusals(*more)}


def binary_or_image(*more: int) -> dict[int | str, dict[str, Any]]:
    """For the documentation: that a route answers with an array, a PNG or JSON as asked, or with these errors."""
    found = binary(*more)
    found[200]["content"].update(image()[200]["content"])
    return found


def raw_body(description: str) -> dict[str, Any]:
    """For the documentation: that a route takes plain bytes."""
    media = {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    return {"requestBody": {"required": True, "description": description, "content": media}}


def _session(connection: HTTPConnection) -> Session:
    session: Session = connection.app.state.session
    return session


async def _view(connection: HTTPConnection) -> View:
    view = _session(connection).current
    if view is None:
        raise HTTPException(404, "No model is open. Train one, or start `narrows studio MODEL`.")
    return view


async def _coded(connection: HTTPConnection) -> View:
    view = await _view(connection)
    if not view.has_code:
        raise HTTPException(404, "This model has no codes, because its n_components is None.")
    return view


async def _shown(connection: HTTPConnection) -> View:
    view = await _view(connection)
    if view.data is None:
        raise HTTPException(404, "No data is open. Start `narrows studio MODEL DATA`.")
    return view


async def _mapped(connection: HTTPConnection) -> View:
    await _coded(connection)
    return await _shown(connection)


async def _session_of(connection: HTTPConnection) -> Session:
    return _session(connection)


Here = Annotated[Session, Depends(_session_of)]
Coded = Annotated[View, Depends(_coded)]
"""The view, which has codes."""
Shown = Annotated[View, Depends(_shown)]
"""The view, which has data."""
Mapped = Annotated[View, Depends(_mapped)]
"""The view, which has codes and data."""
Opened = Annotated[View, Depends(_view)]
"""The view."""


def there(found: T | None, words: str) -> T:
    """What was looked up, otherwise 404 with those words."""
    if found is None:
        raise HTTPException(404, words)
    return found


def data_of(view: View) -> Data:
    """The data of a view that has some."""
    assert view.data is not None
    return view.data


def check_row(view: View, row: int) -> int:
    """A row that there is."""
    n = len(data_of(view))
    if row >= n:
        raise HTTPException(404, f"There is no row {row}: the data have {n}.")
    return row


def parse_rows(view: View, text: str) -> np.ndarray:
    """Rows written as 1,2,3."""
    rows = np.array([int(word) for word in text.split(",")])
    check_row(view, int(rows.max()))
    return rows


def parse_code(view: View, text: str) -> np.ndarray:
    """A code written as 0.1,-2: 1 x L."""
    try:
        numbers = [float(word) for word in text.split(",")]
    except ValueError:
        raise HTTPException(422, "A code is numbers with commas between.") from None
    return check_codes(view, [numbers])


def check_codes(view: View, codes: Any) -> np.ndarray:
    """Codes such as the model has: n x L, float32."""
    n = view.n_components
    if any(len(code) != n for code in codes):
        raise HTTPException(422, f"A code of this model has {n} numbers.")
    found = np.asarray(codes, dtype=np.float64)
    if not (np.abs(found) <= FARTHEST).all():  # not of NaN either
        raise HTTPException(422, f"The numbers of a code must lie between -{FARTHEST:g} and {FARTHEST:g}.")
    return found.astype(np.float32)


def image_only(view: View) -> None:
    """Refuse what only images have."""
    if not view.is_image:
        raise HTTPException(404, "The examples of this model are no images.")


def example(view: View, shown: np.ndarray) -> Example:
    """One example as the page gets it, from `View.shown`."""
    if view.is_image:
        return Example(picture=pictures.uri(shown))
    return Example(values=[float(v) for v in shown])


def array(values: np.ndarray, **headers: str) -> Response:
    """A binary reply."""
    little = np.ascontiguousarray(values.astype(values.dtype.newbyteorder("<"), copy=False))
    named = {f"X-{name.capitalize()}": value for name, value in headers.items()}
    shape = ",".join(map(str, values.shape))
    return Response(
        little.tobytes(),
        media_type="application/octet-stream",
        headers={"X-Shape": shape, "X-Dtype": str(values.dtype), **named},
    )


def picture(image: np.ndarray, scale: int = 1) -> Response:
    """A PNG as a reply."""
    return Response(pictures.png(image, scale), media_type=pictures.MEDIA)


async def raw(request: Request, most: int) -> bytes:
    """The body as it is, at most so many bytes."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > most:
            raise HTTPException(413, f"The body has more than {most:,} bytes.")
        parts.append(part)
    return b"".join(parts)


async def in_thread(work: Callable[[], T]) -> T:
    """`work`, off the event loop."""
    return await to_thread.run_sync(work)
