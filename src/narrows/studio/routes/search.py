"""Search panel: the rows with the nearest codes, found by comparing all rows."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from narrows.studio.messages import Body, Finite, Index, Number
from narrows.studio.routes.dependencies import ViewWithCodeAndData, check_codes, check_row, get_data
from narrows.studio.routes.responses import document_errors

router = APIRouter(prefix="/api/search")


class RowQuery(Body):
    """A row to find the neighbors of."""

    row: Index
    k: Annotated[int, Field(ge=1, le=200)] = 24


class CodeQuery(Body):
    """A code to find the neighbors of."""

    code: Annotated[list[Number], Field(min_length=1, max_length=1_000_000)]
    k: Annotated[int, Field(ge=1, le=200)] = 24


class Neighbor(BaseModel):
    """A row, and the distance of its code."""

    row: int
    distance: Finite
    label: str | None


class Neighbors(BaseModel):
    """Rows, nearest first."""

    results: list[Neighbor]


@router.post("", responses=document_errors(400, 404, 413, 422))
def search(view: ViewWithCodeAndData, body: RowQuery | CodeQuery) -> Neighbors:
    """Return the rows nearest to a row or to a code; the row itself is left out."""
    index = view.index
    if isinstance(body, RowQuery):
        row = check_row(view, body.row)
        rows, distances, _ = index.search_codes(view.codes_of([row]), min(body.k, len(index) - 1), without=[row])
    else:
        rows, distances, _ = index.search_codes(check_codes(view, [body.code]), min(body.k, len(index)))
    labels = get_data(view).labels
    return Neighbors(
        results=[
            Neighbor(row=row, distance=distance, label=labels.to_text(row) if labels else None)
            for row, distance in zip(rows[0].tolist(), distances[0].tolist(), strict=True)
        ]
    )
