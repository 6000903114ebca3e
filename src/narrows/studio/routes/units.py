"""Units panel: the activation rate, the top examples and the effect of each unit of a sparse code."""

from __future__ import annotations

from typing import Annotated, Any

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query
from pydantic import BaseModel, Field

from narrows.params import counted
from narrows.report.page import as_signed_ink
from narrows.studio import pictures
from narrows.studio.dictionary import Order
from narrows.studio.effects import Effect
from narrows.studio.messages import Body, Example, Finite, Index, Number, Picture
from narrows.studio.routes.dependencies import RowIndex, ViewWithCodeAndData, check_row
from narrows.studio.routes.responses import document_errors, to_example
from narrows.studio.uploads import to_printable
from narrows.studio.view import View

router = APIRouter(prefix="/api/units")
_MAX_NAMED = 3
_MAX_LABELS = 12


class UnitEntry(BaseModel):
    """A unit: its name, its activation rate, its mean and highest activation, and the rows that activate it most.

    `label` is the one for whose rows it is active most often; null without labels. `effect` says which columns or
    channels it changes, such as "Age up, Home: owner"; it is empty for images.
    """

    unit: int
    name: str
    label: str | None
    rate: Finite
    strength: Finite
    highest: Finite
    top: list[int]
    effect: str


class Units(BaseModel):
    """A page of the list of units; `found` of all `total` units are in the list."""

    total: int
    found: int
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


class ActivationCounts(BaseModel):
    """Histogram of a unit's activations: numbers of rows in intervals of the same width from `low` to `high`.

    For the `silent` rows the unit is not active.
    """

    low: Finite
    high: Finite
    counts: list[int]
    silent: int


class LabelActivity(BaseModel):
    """A label, its number of rows, and the share of them for which a unit is active."""

    label: str
    n: int
    share: Finite


class SimilarUnit(BaseModel):
    """A unit, its name, and the cosine of its direction in the decoder with that of another unit."""

    unit: int
    name: str
    cosine: Finite


class Unit(UnitEntry):
    """A unit and its effect on a decoded example. The labels for whose rows it is active most often come first."""

    adds: Picture | None
    columns: list[NamedValue] | None
    histogram: ActivationCounts
    labels: list[LabelActivity]
    similar: list[SimilarUnit]


class ActiveUnit(UnitEntry):
    """A unit and its activation for an example."""

    activation: Finite


class ActiveUnits(BaseModel):
    """The units that a row activates, strongest first."""

    row: int
    units: list[ActiveUnit]


class UnitName(Body):
    """A name of a unit; an empty one takes the name away."""

    name: Annotated[str, Field(max_length=100)]


class SetActivation(Body):
    """A unit, and the activation that it should have."""

    unit: Index
    value: Number


class SetActivations(Body):
    """Activations that some units should have in the code of a row."""

    activations: Annotated[list[SetActivation], Field(min_length=1, max_length=100)]


class ActivationEffect(BaseModel):
    """A row's reconstruction before and after activations were set, and what these were."""

    before: Example
    after: Example
    was: list[Finite]


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
    sort: Annotated[Order, Query()] = "rate",
    query: Annotated[str, Query(max_length=100)] = "",
) -> Units:
    """Return a page of the list of units: of all, or of those with this number, or with this in the name or label."""
    found = view.dictionary.find(query, sort)
    shown = [int(unit) for unit in found[page * size : (page + 1) * size]]
    entries = [UnitEntry(**fields) for fields in _unit_fields(view, shown)]
    n_pages = max(1, -(-len(found) // size))
    return Units(total=view.n_components, found=len(found), pages=n_pages, page=page, units=entries)


@router.get("/for/{row}", responses=document_errors(404, 422))
def list_active_units(view: SparseView, row: RowIndex) -> ActiveUnits:
    """Return up to 100 units that a row activates, strongest first."""
    code = view.codes_of([check_row(view, row)])[0]
    floor = view.dictionary.floor
    order = [int(unit) for unit in np.argsort(-code, kind="stable")[:100] if code[unit] > floor]
    fields = _unit_fields(view, order)
    units = [ActiveUnit(activation=float(code[unit]), **f) for unit, f in zip(order, fields, strict=True)]
    return ActiveUnits(row=row, units=units)


@router.get("/{unit}", responses=document_errors(404, 422))
def get_unit(view: SparseView, unit: RowIndex) -> Unit:
    """Return a unit and its effect: the change of the decoded zero code when the unit is at its highest."""
    _check_unit(view, unit)
    units, fields = view.dictionary, _unit_fields(view, [unit])[0]
    counts = units.count(unit)
    fields["histogram"] = ActivationCounts(
        low=counts.low, high=counts.high, counts=counts.counts, silent=counts.n_silent
    )
    fields["labels"] = [LabelActivity(**line._asdict()) for line in units.share_by_label(unit)[:_MAX_LABELS]]
    fields["similar"] = [
        SimilarUnit(unit=other, name=units.names.get(other, ""), cosine=cosine) for other, cosine in units.similar(unit)
    ]
    if not view.is_image:
        columns = [
            NamedValue(name=name, column=column, level=level, value=change, size=size)
            for column, name, level, size, change, _ in _find_effects(view, [unit])[0]
        ]
        return Unit(adds=None, columns=columns, **fields)
    codes = np.zeros((2, view.n_components), np.float32)
    codes[1, unit] = units.highest[unit] or 1.0
    off, on = view.decode(codes).astype(np.float64)
    picture = pictures.to_data_uri(np.asarray(as_signed_ink((on - off).mean(-1))))
    return Unit(adds=picture, columns=None, **fields)


@router.put("/{unit}/name", responses=document_errors(400, 404, 409, 413, 422))
def name_unit(view: SparseView, unit: RowIndex, body: UnitName) -> UnitEntry:
    """Name a unit. The name is kept in the model's folder, and the report shows it."""
    _check_unit(view, unit)
    view.dictionary.name(unit, to_printable(body.name))
    return UnitEntry(**_unit_fields(view, [unit])[0])


@router.post("/for/{row}", responses=document_errors(400, 404, 413, 422))
def set_activations(view: SparseView, row: RowIndex, body: SetActivations) -> ActivationEffect:
    """Return a row's reconstruction as it is, and with other activations of some units."""
    units = [setting.unit for setting in body.activations]
    for unit in units:
        _check_unit(view, unit)
    code = view.codes_of([check_row(view, row)])[0]
    codes = np.stack([code, code])
    codes[1, units] = [setting.value for setting in body.activations]
    before, after = (to_example(view, displayed) for displayed in view.decode(codes))
    return ActivationEffect(before=before, after=after, was=code[units].tolist())


def _check_unit(view: View, unit: int) -> None:
    if unit >= view.n_components:
        raise HTTPException(404, f"There is no unit {unit}: the code has {counted(view.n_components, 'unit')}.")


def _unit_fields(view: View, units: list[int]) -> list[dict[str, Any]]:
    effects = [[] for _ in units] if view.is_image else _find_effects(view, units)
    return [
        {
            "unit": unit,
            "name": view.dictionary.names.get(unit, ""),
            "label": view.dictionary.main_label(unit),
            "rate": float(view.dictionary.rate[unit]),
            "strength": float(view.dictionary.strength[unit]),
            "highest": float(view.dictionary.highest[unit]),
            "top": view.dictionary.top_rows(unit),
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
        codes[2 * i + 1, unit] = view.dictionary.highest[unit] or 1.0
    return view.compute_effects(codes)
