"""The examples that are shown."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from narrows.studio import pictures
from narrows.studio.messages import Example, Finite
from narrows.studio.routes import asking
from narrows.studio.routes.asking import RowNumber, RowNumbers, Shown

router = APIRouter(prefix="/api")


class Row(BaseModel):
    """A row of the data."""

    row: int
    name: str
    label: str | None
    example: Example
    code: list[Finite] | None
    columns: dict[str, str | None] | None


@router.get("/data/{row}", responses=asking.refusals(404, 422))
def one(view: Shown, row: RowNumber) -> Row:
    """A row: the example, its label, its code, and columns that no model was fed with."""
    data = asking.data_of(view)
    X = view.example(asking.check_row(view, row))
    return Row(
        row=row,
        name=data.files[row] if data.files else f"row {row}",
        label=data.labels.word(row) if data.labels else None,
        example=asking.example(view, view.shown(X)[0]),
        code=view.encoded(X)[0].tolist() if view.has_code else None,
        columns={name: colour.word(row) for name, colour in data.columns.items()} or None,
    )


@router.get("/data/{row}/picture", response_class=Response, responses=asking.image(404, 422))
def one_picture(view: Shown, row: RowNumber) -> Response:
    """The image of a row."""
    asking.image_only(view)
    return asking.picture(view.shown(view.example(asking.check_row(view, row)))[0])


@router.get("/sprites", response_class=Response, responses=asking.image(404, 422))
def sprites(view: Shown, rows: RowNumbers, columns: Annotated[int, Query(ge=1, le=100)] = 16) -> Response:
    """The images of many rows on one, without gaps."""
    asking.image_only(view)
    index = asking.parse_rows(view, rows)
    return asking.picture(pictures.sheet(view.shown(asking.data_of(view).rows(index)), columns))
