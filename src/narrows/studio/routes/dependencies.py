"""Parameters of routes: the session, its trainings, the view that is shown, rows and codes of a request."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

import numpy as np
from fastapi import Depends, HTTPException, Path, Query, Request
from fastapi.requests import HTTPConnection

from narrows.params import counted
from narrows.studio.data import Data
from narrows.studio.jobs import Jobs
from narrows.studio.session import Session
from narrows.studio.view import MAX_ABS_CODE, View

MAX_ROWS = 1000  # rows in one request
MAX_IMAGE_BYTES = 32 << 20
T = TypeVar("T")
RowIndex = Annotated[int, Path(ge=0, le=2**31 - 1)]
RowIndices = Annotated[
    str,
    Query(
        pattern=r"^[0-9]{1,9}(,[0-9]{1,9}){0,999}$", max_length=10_000, description="Row numbers, separated by commas."
    ),
]
Id = Annotated[str, Path(max_length=32, pattern="^[0-9a-z]+$")]


async def _get_session(connection: HTTPConnection) -> Session:
    session: Session = connection.app.state.session
    return session


async def _get_jobs(connection: HTTPConnection) -> Jobs:
    jobs: Jobs = connection.app.state.jobs
    return jobs


SessionDep = Annotated[Session, Depends(_get_session)]
JobsDep = Annotated[Jobs, Depends(_get_jobs)]


async def _get_view(session: SessionDep) -> View:
    if session.current is None:
        raise HTTPException(404, "No model is open. Train one, or start `narrows studio MODEL`.")
    return session.current


CurrentView = Annotated[View, Depends(_get_view)]
"""The view that is shown."""


async def _get_view_with_code(view: CurrentView) -> View:
    if not view.has_code:
        raise HTTPException(404, "This model has no codes, because its n_components is None.")
    return view


async def _get_view_with_data(view: CurrentView) -> View:
    if view.data is None:
        raise HTTPException(404, "No data is open. Start `narrows studio MODEL DATA`.")
    return view


ViewWithCode = Annotated[View, Depends(_get_view_with_code)]
"""The view that is shown, whose model has codes."""
ViewWithData = Annotated[View, Depends(_get_view_with_data)]
"""The view that is shown, which has data."""


async def _get_view_with_decoder(view: ViewWithCode) -> View:
    if not view.decodes_codes:
        raise HTTPException(404, f"Codes of {type(view.model).__name__} cannot be decoded.")
    return view


ViewWithDecoder = Annotated[View, Depends(_get_view_with_decoder)]
"""The view that is shown, whose model has codes that can be decoded."""


async def _get_view_with_code_and_data(view: ViewWithCode) -> View:
    return await _get_view_with_data(view)


ViewWithCodeAndData = Annotated[View, Depends(_get_view_with_code_and_data)]
"""The view that is shown, which has data and whose model has codes."""


def require(value: T | None, message: str) -> T:
    """Return the value; answer 404 with the message if it is None."""
    if value is None:
        raise HTTPException(404, message)
    return value


def require_images(view: View) -> None:
    """Answer 404 if the examples of the model are not images."""
    if not view.is_image:
        raise HTTPException(404, "The examples of this model are not images.")


def get_data(view: View) -> Data:
    """Return the data of a view that has some."""
    assert view.data is not None
    return view.data


def check_row(view: View, row: int) -> int:
    """Return the row; answer 404 if the data have no such row."""
    n = len(get_data(view))
    if row >= n:
        raise HTTPException(404, f"There is no row {row}: the data have {counted(n, 'row')}.")
    return row


def parse_rows(view: View, text: str) -> np.ndarray:
    """Convert rows such as "1,2,3" to an array (k,)."""
    rows = np.array([int(number) for number in text.split(",")])
    check_row(view, int(rows.max()))
    return rows


def parse_code(view: View, text: str) -> np.ndarray:
    """Convert a code such as "0.1,-2" to an array, 1 x L."""
    try:
        numbers = [float(number) for number in text.split(",")]
    except ValueError:
        raise HTTPException(422, "A code must be numbers separated by commas.") from None
    return check_codes(view, [numbers])


def check_codes(view: View, codes: Any) -> np.ndarray:
    """Convert codes to an array (n x L, float32); answer 422 if the model has no such codes."""
    n = view.n_components
    if any(len(code) != n for code in codes):
        raise HTTPException(422, f"A code of this model has {counted(n, 'number')}.")
    array = np.asarray(codes, dtype=np.float64)
    if not (np.abs(array) <= MAX_ABS_CODE).all():  # False for NaN, too
        raise HTTPException(422, f"The numbers of a code must lie between -{MAX_ABS_CODE:g} and {MAX_ABS_CODE:g}.")
    return array.astype(np.float32)


async def read_body(request: Request, limit: int) -> bytes:
    """Return the body of a request; answer 413 if it has more than `limit` bytes."""
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > limit:
            raise HTTPException(413, f"The body has more than {limit:,} bytes.")
        parts.append(part)
    return b"".join(parts)
