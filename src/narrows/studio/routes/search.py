"""Search by example: the rows whose codes are nearest, as `narrows.tasks.Index` finds them, all compared."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, Field

from narrows.studio.messages import Body, Finite, Index, Number
from narrows.studio.routes import asking
from narrows.studio.routes.asking import Mapped

router = APIRouter(prefix="/api/search")


class RowQuery(Body):
    """Search for what is like a row."""

    row: Index
    k: Annotated[int, Field(ge=1, le=200)] = 24


class CodeQuery(Body):
    """Search for what is near a code."""

    code: Annotated[list[Number], Field(min_length=1, max_length=1_000_000)]
    k: Annotated[int, Field(ge=1, le=200)] = 24


class Neighbour(BaseModel):
    """A row, and how far its code is."""

    row: int
    distance: Finite
    label: str | None


class Neighbours(BaseModel):
    """Rows, nearest first."""

    results: list[Neighbour]


@router.post("", responses=asking.refusals(400, 404, 413, 422))
def search(view: Mapped, body: RowQuery | CodeQuery) -> Neighbours:
    """The rows nearest to a row or to a code; the row itself is left out."""
    index = view.index
    if isinstance(body, RowQuery):
        row = asking.check_row(view, body.row)
        rows, distances, _ = index.search_codes(index.codes[[row]], min(body.k, len(index) - 1), without=[row])
    else:
        rows, distances, _ = index.search_codes(asking.check_codes(view, [body.code]), min(body.k, len(index)))
    labels = asking.data_of(view).labels
    return Neighbours(
        results=[
            Neighbour(row=row, distance=distance, label=labels.word(row) if labels else None)
            for row, distance in zip(rows[0].tolist(), distances[0].tolist(), strict=True)
        ]
    )
