"""Rows of the data that are shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from narrows.studio import pictures
from narrows.studio.messages import Example, Finite
from narrows.studio.routes.dependencies import (
    RowIndex,
    RowIndices,
    ViewWithData,
    check_row,
    get_data,
    parse_rows,
    require_images,
)
from narrows.studio.routes.responses import document_errors, document_png, send_png, to_example

router = APIRouter(prefix="/api")


class Row(BaseModel):
    """A row of the data."""

    row: int
    name: str
    label: str | None
    example: Example
    code: list[Finite] | None
    columns: dict[str, str | None] | None


@router.get("/data/{row}", responses=document_errors(404, 422))
def get_row(view: ViewWithData, row: RowIndex) -> Row:
    """Return a row: the example, its label, its code, and the columns that the model does not take."""
    data = get_data(view)
    X = view.get_example(check_row(view, row))
    return Row(
        row=row,
        name=data.files[row] if data.files else f"row {row}",
        label=data.labels.to_text(row) if data.labels else None,
        example=to_example(view, view.to_page(X)[0]),
        code=view.encode(X)[0].tolist() if view.has_code else None,
        columns={name: colour.to_text(row) for name, colour in data.columns.items()} or None,
    )


@router.get("/data/{row}/picture", response_class=Response, responses=document_png(404, 422))
def get_row_picture(view: ViewWithData, row: RowIndex) -> Response:
    """Return the image of a row."""
    require_images(view)
    return send_png(view.to_page(view.get_example(check_row(view, row)))[0])


@router.get("/sprites", response_class=Response, responses=document_png(404, 422))
def get_sprites(view: ViewWithData, rows: RowIndices, columns: Annotated[int, Query(ge=1, le=100)] = 16) -> Response:
    """Return the images of many rows as one picture, without gaps."""
    require_images(view)
    indices = parse_rows(view, rows)
    return send_png(pictures.make_sheet(view.to_page(get_data(view).get_rows(indices)), columns))
