"""Two models on the same rows: whether they can be compared, their measures, and the dials of each."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from narrows.data import spaced_indices, take_rows
from narrows.evaluation.inspection import Inspection
from narrows.studio import cells, pictures
from narrows.studio.dials import Dial
from narrows.studio.view import View

_MEASURES = (
    *("mse", "rmse", "accuracy", "psnr", "ssim", "explained_variance", "elbo", "nll", "kl", "active_components", "l0"),
    *("dead_fraction", "trustworthiness", "continuity", "knn_accuracy", "flagged"),
)
_SCALED = ("mse", "elbo", "nll")  # measures that are comparable on the same scale of the examples only
_MAX_ROWS, _MAX_NUMBERS = 300, 1 << 21  # rows that are measured, and numbers in all of them
_MAX_LINES = 40
_N_STEPS = 9  # examples in the strip of a dial


class Measured(NamedTuple):
    """A measure of two models; None where a model has none. `better` is 1 if more is better, -1 if less is, else 0."""

    name: str
    values: tuple[float | None, float | None]
    better: int
    words: str


def check_alike(view: View, other: View) -> None:
    """Check that two models take the same kind of examples.

    Raises
    ------
    ValueError
        If they do not.
    """
    if cells.kind_of(view.schema) != cells.kind_of(other.schema) or view.shape != other.shape:
        raise ValueError(
            f"{view.name} and {other.name} cannot be compared: one takes {view.schema.describe()}, the other "
            f"{other.schema.describe()}."
        )
    if _describe(view) != _describe(other):
        raise ValueError(f"{view.name} and {other.name} cannot be compared: they learn from unlike columns.")


def _describe(view: View) -> list[tuple[str, str, object]]:
    return [(column.name, column.kind, column.levels) for column in cells.describe_columns(view.schema) or ()]


def measure(view: View, other: View) -> tuple[int, list[Measured]]:
    """Measure two models on evenly spaced rows of the first one's data. Return the number of rows, and the measures.

    Raises
    ------
    ValueError
        If the rows do not fit the other model.
    """
    from narrows.evaluation.measures import evaluate_inspection  # imported late, for a fast start of the studio

    data = view.data
    assert data is not None
    rows = spaced_indices(len(data), max(20, min(_MAX_ROWS, _MAX_NUMBERS // view.schema.n_entries)))
    X, labels = take_rows(view.given, rows), None
    if data.labels is not None and data.labels.categories is not None:
        known = data.labels.values[rows]
        labels = None if (known < 0).any() else np.unique(known, return_inverse=True)[1]
    table = evaluate_inspection(
        *(Inspection(view.model, X), labels),
        beside=Inspection(other.model, X),
        measures=_MEASURES,
        skip_missing=True,
        has_pca=False,
        turn=view.compute_lock.hold,
        verbose=0,
    )
    lines = []
    for name, row in list(table.rows.items())[1:]:  # the first is the number of rows
        better, words = row.better, row.words
        if name in _SCALED and not view.schema.has_scale_of(other.schema):
            better, words = 0, f"{words}; each model has its own scale"
        lines.append(Measured(name, (_finite(row.value), _finite(row.other)), better, words))
    return len(rows), lines[:_MAX_LINES]


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def draw_strip(view: View, dial: Dial) -> str | None:
    """Return a picture of a dial's effect as a data URI: examples from its low to its high end; None without images."""
    if not view.is_image:
        return None
    codes = np.repeat(np.asarray(view.model.code_mean_, np.float32)[None], _N_STEPS, axis=0)
    codes[:, dial.component] = np.linspace(dial.low, dial.high, _N_STEPS)
    return pictures.to_data_uri(pictures.make_sheet(view.decode(codes, urgent=False), _N_STEPS))
