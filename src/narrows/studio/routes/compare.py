"""Compare panel: the model that is shown beside another one of this session, on the same rows."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from narrows.data import take_rows
from narrows.studio.comparing import check_alike, draw_strip, measure
from narrows.studio.messages import Example, Finite, Picture
from narrows.studio.routes.dependencies import Id, RowIndices, SessionDep, ViewWithData, get_data, parse_rows
from narrows.studio.routes.models import find_view
from narrows.studio.routes.responses import document_errors, to_example
from narrows.studio.view import View

router = APIRouter(prefix="/api/compare")
_N_DIALS = 6


class MeasureEntry(BaseModel):
    """A measure of both models; null where a model has none. `better` is 1 if more is better, -1 if less is, else 0."""

    name: str
    values: tuple[Finite | None, Finite | None]
    better: Literal[-1, 0, 1]
    words: str


class ComparedDial(BaseModel):
    """A dial, what it carries, and its effect: a strip of pictures, or the columns that it changes."""

    component: int
    label: str
    carries: Finite
    strip: Picture | None


class ComparedModel(BaseModel):
    """A model and its first dials. `unit` says what they carry; dials are null if codes cannot be decoded."""

    name: str
    title: str
    n_components: int
    unit: Literal["nats", "share"]
    dials: list[ComparedDial] | None


class ModelComparison(BaseModel):
    """Two models, and their measures on the same rows."""

    n_rows: int
    measures: list[MeasureEntry]
    models: tuple[ComparedModel, ComparedModel]


class ComparedRow(BaseModel):
    """A row, and what each of the two models makes of it."""

    row: int
    label: str | None
    example: Example
    reconstructions: tuple[Example, Example]


async def _get_other(session: SessionDep, view: ViewWithData, model: Id) -> View:
    other = find_view(session, model)
    check_alike(view, other)
    return other


OtherView = Annotated[View, Depends(_get_other)]
"""A view of the session that takes the same kind of examples as the one that is shown."""


@router.get("/{model}", responses=document_errors(404, 422))
def compare_models(view: ViewWithData, other: OtherView) -> ModelComparison:
    """Return the measures of both models on at most 300 rows of the data that are shown, and their first dials."""
    n_rows, lines = measure(view, other)
    measures = [MeasureEntry(**line._asdict()) for line in lines]
    return ModelComparison(n_rows=n_rows, measures=measures, models=(_describe(view), _describe(other)))


@router.get("/{model}/rows", responses=document_errors(404, 422))
def compare_rows(view: ViewWithData, other: OtherView, rows: RowIndices) -> list[ComparedRow]:
    """Return rows, and what both models make of them."""
    indices, data = parse_rows(view, rows), get_data(view)
    X = take_rows(view.given, indices)
    examples, made = view.to_page(data.get_rows(indices)), [one.reconstruct(X) for one in (view, other)]
    return [
        ComparedRow(
            row=row,
            label=data.labels.to_text(row) if data.labels else None,
            example=to_example(view, examples[i]),
            reconstructions=(to_example(view, made[0][i]), to_example(other, made[1][i])),
        )
        for i, row in enumerate(indices.tolist())
    ]


def _describe(view: View) -> ComparedModel:
    dials = None
    if view.decodes_codes:
        dials = [
            ComparedDial(component=d.component, label=d.label, carries=d.carries, strip=draw_strip(view, d))
            for d in view.dials[:_N_DIALS]
        ]
    return ComparedModel(
        name=view.name,
        title=type(view.model).__name__,
        n_components=view.n_components,
        unit="nats" if view.has_nats else "share",
        dials=dials,
    )
