"""Search by example: the rows whose codes are nearest, as `narrows.tasks.Index` finds them, all compared.

distance = 1 - cos(z - m, q - m)      m: the mean code of the training examples
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field

from narrows.studio.replies import Body, Finite, Index, Number
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
    own = None
    if isinstance(body, RowQuery):
        own = asking.check_row(view, body.row)
        query = view.directions[own]
    else:
        query = view.direction(asking.check_codes(view, [body.code]))[0]
    distances = 1 - (view.directions @ query).astype(np.float64)
    if own is not None:
        distances[own] = np.inf
    k = min(body.k, len(distances) - (own is not None))
    nearest = np.argpartition(distances, k - 1)[:k]
    nearest = nearest[np.argsort(distances[nearest], kind="stable")]
    labels = asking.data_of(view).labels
    return Neighbours(
        results=[
            Neighbour(
                row=int(row), distance=max(0.0, float(distances[row])), label=labels.word(int(row)) if labels else None
            )
            for row in nearest
        ]
    )
