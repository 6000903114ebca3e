"""Units panel: the activation rate, the top examples and the effect of each unit of a sparse code."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel

from narrows.data import as_dense
from narrows.params import counted
from narrows.report.page import as_signed_ink
from narrows.studio import pictures
from narrows.studio.effects import Effect
from narrows.studio.messages import Body, Example, Finite, Index, Number, Picture
from narrows.studio.routes.dependencies import RowIndex, ViewWithCodeAndData, check_row
from narrows.studio.routes.responses import document_errors, to_example
from narrows.studio.view import View

router = APIRouter(prefix="/api/units")
_MAX_NAMED = 3


class UnitEntry(BaseModel):
    """A unit: its activation rate, its mean and highest activation, and the rows that activate it most.

    `effect` says which columns or channels it changes, such as "Age up, Home: owner"; it is empty for images.
    """

    unit: int
    rate: Finite
    strength: Finite
    highest: Finite
    top: list[int]
    effect: str


class Units(BaseModel):
    """A page of the list of units."""

    total: int
    pages: int
    page: int
    units: list[UnitEntry]


class NamedValue(BaseModel):
    """A column, and its change in the user's units, or a level and the change of its probability.

    `size` is the change in standard deviations of the column, or that of the probability.
    """

    name: str
    column: int
    level: str | None
    value: Finite
    size: Finite


class Unit(UnitEntry):
    """A unit and its effect on a decoded example."""

    adds: Picture | None
    columns: list[NamedValue] | None


class ActiveUnit(UnitEntry):
    """A unit and its activation for an example."""

    activation: Finite


class ActiveUnits(BaseModel):
    """The units that a row activates, strongest first."""

    row: int
    units: list[ActiveUnit]


class SetActivation(Body):
    """A row, and the activation that a unit should have in its code."""

    row: Index
    value: Number


class ActivationEffect(BaseModel):
    """A row's reconstruction before and after the activation was set."""

    before: Example
    after: Example
    was: Finite


async def _get_sparse_view(view: ViewWithCodeAndData) -> View:
    if not view.is_sparse:
        raise HTTPException(404, "This model has no units: its code is not sparse.")
    return view


SparseView = Annotated[View, Depends(_get_sparse_view)]
"""The view that is shown, which has data and whose code is sparse."""


@router.get("", responses=document_errors(404, 422))
def list_units(
    view: SparseView,
    page: Annotated[int, Query(ge=0, le=1_000_000)] = 0,
    size: Annotated[int, Query(ge=1, le=100)] = 24,
    sort: Annotated[Literal["rate", "strength", "index"], Query()] = "rate",
) -> Units:
    """Return a page of the list of units."""
    n = view.n_components
    order = np.arange(n) if sort == "index" else np.argsort(-getattr(view.units, sort), kind="stable")
    shown = [int(unit) for unit in order[page * size : (page + 1) * size]]
    entries = [UnitEntry(**fields) for fields in _unit_fields(view, shown)]
    return Units(total=n, pages=-(-n // size), page=page, units=entries)


@router.get("/for/{row}", responses=document_errors(404, 422))
def list_active_units(view: SparseView, row: RowIndex) -> ActiveUnits:
    """Return up to 100 units that a row activates, strongest first."""
    code = as_dense(view.all_codes[[check_row(view, row)]])[0]
    floor = view.floor
    order = [int(unit) for unit in np.argsort(-code, kind="stable")[:100] if code[unit] > floor]
    fields = _unit_fields(view, order)
    units = [ActiveUnit(activation=float(code[unit]), **f) for unit, f in zip(order, fields, strict=True)]
    return ActiveUnits(row=row, units=units)


@router.get("/{unit}", responses=document_errors(404, 422))
def get_unit(view: SparseView, unit: RowIndex) -> Unit:
    """Return a unit and its effect: the change of the decoded zero code when the unit is at its highest."""
    _check_unit(view, unit)
    if not view.is_image:
        columns = [
            NamedValue(name=name, column=column, level=level, value=change, size=size)
            for column, name, level, size, change, _ in _find_effects(view, [unit])[0]
        ]
        return Unit(adds=None, columns=columns, **_unit_fields(view, [unit])[0])
    codes = np.zeros((2, view.n_components), np.float32)
    codes[1, unit] = view.max_activations[unit] or 1.0
    off, on = view.decode(codes).astype(np.float64)
    picture = pictures.to_data_uri(np.asarray(as_signed_ink((on - off).mean(-1))))
    return Unit(adds=picture, columns=None, **_unit_fields(view, [unit])[0])


@router.post("/{unit}/turn", responses=document_errors(400, 404, 413, 422))
def set_activation(view: SparseView, unit: RowIndex, body: SetActivation) -> ActivationEffect:
    """Return a row's reconstruction as it is, and with another activation of the unit."""
    _check_unit(view, unit)
    code = as_dense(view.all_codes[[check_row(view, body.row)]])[0]
    codes = np.stack([code, code])
    codes[1, unit] = body.value
    before, after = (to_example(view, displayed) for displayed in view.decode(codes))
    return ActivationEffect(before=before, after=after, was=float(code[unit]))


def _check_unit(view: View, unit: int) -> None:
    if unit >= view.n_components:
        raise HTTPException(404, f"There is no unit {unit}: the code has {counted(view.n_components, 'unit')}.")


def _unit_fields(view: View, units: list[int]) -> list[dict[str, Any]]:
    effects = [[] for _ in units] if view.is_image else _find_effects(view, units)
    return [
        {
            "unit": unit,
            "rate": float(view.units.rate[unit]),
            "strength": float(view.units.strength[unit]),
            "highest": float(view.max_activations[unit]),
            "top": view.find_top_rows(unit).tolist(),
            "effect": ", ".join(effect.describe() for effect in largest[:_MAX_NAMED]),
        }
        for unit, largest in zip(units, effects, strict=True)
    ]


def _find_effects(view: View, units: list[int]) -> list[list[Effect]]:
    """Return what each unit changes in a decoded example when it goes from 0 to its highest activation."""
    if not units:
        return []
    codes = np.zeros((2 * len(units), view.n_components), np.float32)
    for i, unit in enumerate(units):
        codes[2 * i + 1, unit] = view.max_activations[unit] or 1.0
    return view.compute_effects(codes)
