"""Files of rows: codes, scores, labels and columns, as CSV or Parquet."""

from __future__ import annotations

import secrets
from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, HTTPException, Response
from pydantic import Field

from narrows.data.files import write_columns
from narrows.studio.exports import PARTS, Part, collect_columns
from narrows.studio.messages import Body, Finite, Index
from narrows.studio.routes.dependencies import SessionDep, ViewWithData, check_row, get_data
from narrows.studio.routes.responses import document_errors
from narrows.studio.view import View

router = APIRouter(prefix="/api/export")
_MEDIA_TYPES = {"csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
_BYTES = {"schema": {"type": "string", "format": "binary"}}


class ExportRequest(Body):
    """Rows to write to a file, all if they are null; `distances` has one for each of them."""

    parts: Annotated[list[Part], Field(max_length=len(PARTS))]
    rows: Annotated[list[Index], Field(min_length=1, max_length=100_000)] | None = None
    distances: Annotated[list[Finite], Field(max_length=100_000)] | None = None
    format: Literal["csv", "parquet"] = "csv"


@router.post(
    "",
    response_class=Response,
    responses={
        200: {"content": dict.fromkeys(_MEDIA_TYPES.values(), _BYTES), "description": "The file."},
        **document_errors(400, 404, 409, 413, 422),
    },
)
def export_rows(view: ViewWithData, session: SessionDep, body: ExportRequest) -> Response:
    """Write rows with their codes, scores, labels or columns to a file. Its first column is the number of the row."""
    rows = _list_rows(view, body.rows)
    if body.distances is not None and len(body.distances) != len(rows):
        raise HTTPException(422, "There must be one distance for each row.")
    columns = collect_columns(view, rows, body.parts, body.distances)
    folder = session.folder / "exports"
    folder.mkdir(exist_ok=True)
    path = folder / f"{secrets.token_hex(8)}.{body.format}"
    try:
        write_columns(path, columns)
        content = path.read_bytes()
    finally:
        path.unlink(missing_ok=True)
    headers = {"Content-Disposition": f'attachment; filename="rows.{body.format}"'}
    return Response(content, media_type=_MEDIA_TYPES[body.format], headers=headers)


def _list_rows(view: View, rows: list[int] | None) -> np.ndarray:
    """Return the rows as an array (k,); answer 404 if the data have no such row."""
    if rows is None:
        return np.arange(len(get_data(view)))
    check_row(view, max(rows))
    return np.array(rows)
