"""Outliers: the strangest rows, and why."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from fastapi import APIRouter, Query
from pydantic import BaseModel

from narrows.studio import pictures
from narrows.studio.messages import Example, Finite, Picture
from narrows.studio.routes import asking
from narrows.studio.routes.asking import RowNumber, Shown
from narrows.studio.view import View

router = APIRouter(prefix="/api/outliers")
_REASONS = 3


class Reason(BaseModel):
    """A column, and its share of what makes an example strange."""

    name: str
    share: Finite


class OutlierEntry(BaseModel):
    """A row by how strange it is."""

    row: int
    score: Finite
    outlier: bool
    label: str | None
    reasons: list[Reason]


class Outliers(BaseModel):
    """Rows, strangest first."""

    threshold: Finite
    rows: list[OutlierEntry]


class Contribution(BaseModel):
    """What a column adds to how strange an example is."""

    name: str
    value: Finite
    expected: Finite
    nats: Finite


class Outlier(BaseModel):
    """A row, and why it is strange."""

    row: int
    score: Finite | None
    threshold: Finite
    outlier: bool
    example: Example
    expected: Example
    heat: Picture | None
    contributions: list[Contribution] | None


@router.get("", responses=asking.refusals(404, 422))
def strangest(view: Shown, n: Annotated[int, Query(ge=1, le=500)] = 50) -> Outliers:
    """The rows that the model finds least likely."""
    scores, threshold = view.scores, float(view.model.offset_)
    order = np.argsort(scores, kind="stable")  # rows that cannot be scored come last
    chosen = [int(row) for row in order[:n] if np.isfinite(scores[row])]
    reasons = [[] for _ in chosen] if view.is_image else _reasons(view, chosen)
    labels = asking.data_of(view).labels
    rows = [
        OutlierEntry(
            row=row,
            score=float(scores[row]),
            outlier=bool(scores[row] < threshold),
            label=labels.word(row) if labels else None,
            reasons=why,
        )
        for row, why in zip(chosen, reasons, strict=True)
    ]
    return Outliers(threshold=threshold, rows=rows)


@router.get("/{row}", responses=asking.refusals(404, 422))
def one(view: Shown, row: RowNumber) -> Outlier:
    """Why a row is strange: what each entry costs above what is usual, in nats."""
    X = view.example(asking.check_row(view, row))
    score, threshold = float(view.scores[row]), float(view.model.offset_)
    excess = view.contributions(np.array([row]))[0]
    shown, expected = view.shown(X)[0], view.reconstructed(X)[0]
    return Outlier(
        row=row,
        score=score if np.isfinite(score) else None,
        threshold=threshold,
        outlier=not score >= threshold,
        example=asking.example(view, shown),
        expected=asking.example(view, expected),
        heat=pictures.uri(pictures.heat(excess.sum(0))) if view.is_image else None,
        contributions=None if view.is_image else _contributions(view, excess, shown, expected),
    )


def _contributions(view: View, excess: np.ndarray, shown: np.ndarray, expected: np.ndarray) -> list[Contribution]:
    names = view.columns or []
    return [
        Contribution(name=names[i], value=float(shown[i]), expected=float(expected[i]), nats=float(excess[i]))
        for i in np.argsort(-excess, kind="stable")
    ]


def _reasons(view: View, rows: list[int]) -> list[list[Reason]]:
    """For each row the columns that make it strange, with their shares of all that is strange in it."""
    if not rows:
        return []
    names, found = view.columns or [], []
    for excess in view.contributions(np.array(rows)).clip(min=0):
        total = max(float(excess.sum()), 1e-12)
        most = np.argsort(-excess, kind="stable")[:_REASONS]
        found.append([Reason(name=names[i], share=float(excess[i] / total)) for i in most if excess[i] > 0])
    return found
