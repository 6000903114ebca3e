"""Outliers panel: the rows with the lowest scores, and the columns or pixels that explain them."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel

from narrows.evaluation.scores import outlier_share
from narrows.studio import pictures
from narrows.studio.messages import Example, Finite, Picture
from narrows.studio.routes.dependencies import RowIndex, ViewWithData, check_row, get_data
from narrows.studio.routes.responses import document_errors, to_example
from narrows.studio.view import View

router = APIRouter(prefix="/api/outliers")
_MAX_REASONS = 3


class Reason(BaseModel):
    """A column or a channel, and its share of the excess cost of an example, 0 to 1."""

    name: str
    column: int
    share: Finite


class OutlierEntry(BaseModel):
    """A row with its score, in nats, and its main reasons."""

    row: int
    score: Finite
    outlier: bool
    label: str | None
    reasons: list[Reason]


class Outliers(BaseModel):
    """Rows, lowest score first; the number of outliers; as text, their shares, and whether the model saw the rows."""

    threshold: Finite
    n_outliers: int
    shares: str
    rows: list[OutlierEntry]


class Contribution(BaseModel):
    """The value of a column, its expected value, and its excess cost in nats; `prob` is that of the expected level.

    A channel of a series has no single value: `value` and `expected` are null.
    """

    name: str
    column: int
    value: Finite | None
    expected: Finite | None
    prob: Finite | None
    nats: Finite


class Outlier(BaseModel):
    """A row with its score, in nats, and the excess cost of each of its entries."""

    row: int
    score: Finite | None
    threshold: Finite
    outlier: bool
    example: Example
    expected: Example
    heat: Picture | None
    contributions: list[Contribution] | None


@router.get("", responses=document_errors(404, 422))
def list_outliers(view: ViewWithData, n: Annotated[int, Query(ge=1, le=500)] = 50) -> Outliers:
    """Return the rows with the lowest scores."""
    scores, threshold = view.scores, float(view.model.offset_)
    is_outlier = ~(scores >= threshold)  # also rows without a score
    share = outlier_share(view.model.contamination, is_outlier, getattr(view.model, "n_threshold_", None))
    order = np.argsort(scores, kind="stable")  # rows without a score come last
    rows = [int(row) for row in order[:n] if np.isfinite(scores[row])]
    reasons = [[] for _ in rows] if view.is_image else _list_reasons(view, rows)
    labels = get_data(view).labels
    entries = [
        OutlierEntry(
            row=row,
            score=float(scores[row]),
            outlier=bool(is_outlier[row]),
            label=labels.to_text(row) if labels else None,
            reasons=row_reasons,
        )
        for row, row_reasons in zip(rows, reasons, strict=True)
    ]
    shares = f"{share}{share.hint or '.'} {view.seen}"
    return Outliers(threshold=threshold, n_outliers=int(is_outlier.sum()), shares=shares, rows=entries)


@router.get("/{row}", responses=document_errors(404, 422))
def explain_row(view: ViewWithData, row: RowIndex) -> Outlier:
    """Return the excess cost of each entry of a row: its cost minus the usual (median) cost of the entry, in nats."""
    X = view.get_example(check_row(view, row))
    score, threshold = float(view.scores[row]), float(view.model.offset_)
    excess = view.compute_excess_costs(np.array([row]))[0]
    example, expected = view.to_page(X)[0], view.reconstruct(X)[0]
    return Outlier(
        row=row,
        score=score if np.isfinite(score) else None,
        threshold=threshold,
        outlier=not score >= threshold,
        example=to_example(view, example),
        expected=to_example(view, expected),
        heat=pictures.to_data_uri(pictures.draw_heat(excess.sum(0))) if view.is_image else None,
        contributions=None if view.is_image else _list_contributions(view, excess, example, expected),
    )


def _list_contributions(
    view: View, excess: np.ndarray, example: np.ndarray, expected: np.ndarray
) -> list[Contribution]:
    names = view.columns or []
    nothing: list[float | None] = [None] * len(names)
    values, expected_values, probs = nothing, nothing, nothing
    if not view.is_series:
        values, shown = to_example(view, example).values or nothing, to_example(view, expected)
        expected_values, probs = shown.values or nothing, shown.probs or nothing
    costs = view.sum_by_column(excess[None])[0]
    return [
        Contribution(
            name=names[i],
            column=int(i),
            value=values[i],
            expected=expected_values[i],
            prob=probs[i],
            nats=float(costs[i]),
        )
        for i in np.argsort(-costs, kind="stable")
    ]


def _list_reasons(view: View, rows: list[int]) -> list[list[Reason]]:
    """Return, for each row, the columns with the largest shares of its excess cost."""
    if not rows:
        return []
    names, reasons = view.columns or [], []
    for excess in view.sum_by_column(view.compute_excess_costs(np.array(rows))).clip(min=0):
        total = max(float(excess.sum()), 1e-12)
        largest = np.argsort(-excess, kind="stable")[:_MAX_REASONS]
        reasons.append(
            [Reason(name=names[i], column=int(i), share=float(excess[i] / total)) for i in largest if excess[i] > 0]
        )
    return reasons
