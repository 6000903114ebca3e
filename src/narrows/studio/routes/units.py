"""Units of a sparse code: how often each fires, for what, and what it adds."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel

from narrows.report.page import as_signed_ink
from narrows.studio import pictures
from narrows.studio.replies import Body, Example, Finite, Index, Number, Picture
from narrows.studio.routes import asking
from narrows.studio.routes.asking import Mapped, RowNumber
from narrows.studio.view import View

router = APIRouter(prefix="/api/units")
_MOST_COLUMNS = 12


class UnitEntry(BaseModel):
    """A unit of a sparse code."""

    unit: int
    rate: Finite
    strength: Finite
    highest: Finite
    top: list[int]


class Units(BaseModel):
    """A page of the wall of units."""

    total: int
    pages: int
    page: int
    units: list[UnitEntry]


class NamedValue(BaseModel):
    """A column and a number."""

    name: str
    value: Finite


class Unit(UnitEntry):
    """A unit, and what it adds."""

    adds: Picture | None
    columns: list[NamedValue] | None


class ActiveUnit(UnitEntry):
    """A unit that an example sets off."""

    activation: Finite


class ActiveUnits(BaseModel):
    """The units that a row sets off, strongest first."""

    row: int
    units: list[ActiveUnit]


class Turn(Body):
    """A unit's activation to set for a row."""

    row: Index
    value: Number


class Turned(BaseModel):
    """A row's reconstruction before and after a unit was turned."""

    before: Example
    after: Example
    was: Finite


async def _sparse(view: Mapped) -> View:
    if not view.sparse:
        raise HTTPException(404, "This model has no units: its code is not sparse.")
    return view


Wall = Annotated[View, Depends(_sparse)]
"""The view, which is sparse and has data."""


@router.get("", responses=asking.refusals(404, 422))
def wall(
    view: Wall,
    page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[int, Query(ge=1, le=100)] = 24,
    sort: Annotated[Literal["rate", "strength", "index"], Query()] = "rate",
) -> Units:
    """A page of the wall: units with how often they fire and their top examples."""
    n = view.n_components
    order = np.arange(n) if sort == "index" else np.argsort(-getattr(view.units, sort), kind="stable")
    chosen = order[page * size : (page + 1) * size]
    return Units(total=n, pages=-(-n // size), page=page, units=[UnitEntry(**_entry(view, int(u))) for u in chosen])


@router.get("/for/{row}", responses=asking.refusals(404, 422))
def active(view: Wall, row: RowNumber) -> ActiveUnits:
    """The units that a row sets off, strongest first."""
    code = view.codes[asking.check_row(view, row)]
    floor = view.floor
    order = [int(u) for u in np.argsort(-code, kind="stable")[:100] if code[u] > floor]
    return ActiveUnits(row=row, units=[ActiveUnit(activation=float(code[u]), **_entry(view, u)) for u in order])


@router.get("/{unit}", responses=asking.refusals(404, 422))
def one(view: Wall, unit: RowNumber) -> Unit:
    """A unit, and what it adds to an example."""
    _check(view, unit)
    codes = np.zeros((2, view.n_components), np.float32)
    codes[1, unit] = view.highest[unit] or 1.0
    off, on = view.decoded(codes).astype(np.float64)
    change = on - off
    if view.is_image:
        adds = pictures.uri(np.asarray(as_signed_ink(change.mean(-1))))
        return Unit(adds=adds, columns=None, **_entry(view, unit))
    names = view.columns or []
    most = np.argsort(-np.abs(change), kind="stable")[:_MOST_COLUMNS]
    columns = [NamedValue(name=names[i], value=float(change[i])) for i in most]
    return Unit(adds=None, columns=columns, **_entry(view, unit))


@router.post("/{unit}/turn", responses=asking.refusals(400, 404, 413, 422))
def turn(view: Wall, unit: RowNumber, body: Turn) -> Turned:
    """A row's reconstruction as it is, and with another activation of the unit."""
    _check(view, unit)
    code = view.codes[asking.check_row(view, body.row)]
    codes = np.stack([code, code])
    codes[1, unit] = body.value
    before, after = view.decoded(codes)
    return Turned(before=asking.example(view, before), after=asking.example(view, after), was=float(code[unit]))


def _check(view: View, unit: int) -> None:
    if unit >= view.n_components:
        raise HTTPException(404, f"There is no unit {unit}: there are {view.n_components}.")


def _entry(view: View, unit: int) -> dict[str, Any]:
    return {
        "unit": unit,
        "rate": float(view.units.rate[unit]),
        "strength": float(view.units.strength[unit]),
        "highest": float(view.highest[unit]),
        "top": view.top_rows(unit).tolist(),
    }
