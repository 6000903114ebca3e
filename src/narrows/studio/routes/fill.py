"""Fill and draw: the distribution of each open cell of a row, given the cells that are set, and rows drawn from it."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field

from narrows.studio.filling import MAX_COLUMNS
from narrows.studio.messages import Body, Finite, Index
from narrows.studio.routes.dependencies import CurrentView
from narrows.studio.routes.responses import document_errors
from narrows.studio.view import View

router = APIRouter(prefix="/api/fill")


class SetCell(Body):
    """A cell that is set: the position of its column, and its number."""

    column: Index
    value: Finite


SetCells = Annotated[list[SetCell], Field(max_length=MAX_COLUMNS)]


class FillRequest(Body):
    """The cells of a row that are set."""

    cells: SetCells


class DrawRequest(Body):
    """The cells that all drawn rows have; the same seed draws the same rows."""

    cells: SetCells
    n: Annotated[int, Field(ge=1, le=100)] = 10
    seed: Index | None = None


class FormColumnEntry(BaseModel):
    """A column of the form: see `narrows.studio.filling.FormColumn`."""

    n_choices: int
    edges: list[Finite] | None
    values: list[Finite] | None
    ticks: list[Finite] | None
    share: list[Finite]


class FormEntry(BaseModel):
    """The columns of the form, the first ones of the model."""

    columns: list[FormColumnEntry]


class PredictionEntry(BaseModel):
    """The distribution of a cell: see `narrows.studio.filling.Prediction`."""

    column: int
    best: Finite
    low: Finite | None
    high: Finite | None
    levels: list[int] | None
    probs: list[Finite]
    gap: Finite | None


class Predictions(BaseModel):
    """The distribution of each column of the form, given the cells that are set."""

    columns: list[PredictionEntry]


class DrawnRows(BaseModel):
    """Drawn rows: the numbers of their cells, null for a gap; and the seed that they were drawn with."""

    rows: list[list[Finite | None]]
    seed: int


async def _get_view_that_fills(view: CurrentView) -> View:
    if not view.predicts_hidden:
        raise HTTPException(404, "This model does not predict single cells. Train a TableAE.")
    return view


FillingView = Annotated[View, Depends(_get_view_that_fills)]
"""The view that is shown, whose model predicts hidden cells."""


@router.get("", responses=document_errors(404))
def describe_form(view: FillingView) -> FormEntry:
    """Return the columns of the form."""
    return FormEntry(columns=[FormColumnEntry(**column._asdict()) for column in view.form.columns])


@router.post("", responses=document_errors(400, 404, 413, 422))
def fill(view: FillingView, body: FillRequest) -> Predictions:
    """Return the distribution of each cell, given the cells that are set, but not itself."""
    form = view.form
    with view.compute_lock.hold(urgent=True):
        found = form.predict({cell.column: cell.value for cell in body.cells})
    return Predictions(columns=[PredictionEntry(**each._asdict()) for each in found])


@router.post("/draw", responses=document_errors(400, 404, 413, 422))
def draw(view: FillingView, body: DrawRequest) -> DrawnRows:
    """Draw rows that have the cells that are set."""
    form, seed = view.form, body.seed
    if seed is None:
        seed = int(np.random.default_rng().integers(2**31))
    with view.compute_lock.hold(urgent=True):
        rows = form.draw({cell.column: cell.value for cell in body.cells}, body.n, seed)
    return DrawnRows(rows=[[None if np.isnan(v) else float(v) for v in row] for row in rows.tolist()], seed=seed)
