"""Reasons for the score of a row: the entries that lower it most, for an OutlierDetector and for any other model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.data import as_array
from narrows.estimators import Estimator, TableAE
from narrows.evaluation.inspection import Inspection
from narrows.tasks.outliers.detector import OutlierDetector
from narrows.tasks.outliers.tables import TableReader


class Reasons(NamedTuple):
    """Scores of n rows, and the k entries that make each row strange.

    Attributes
    ----------
    score : (n,) of float, as `score_samples` gives it; lower is stranger.
    outlier : (n,) of bool, True for the rows that `predict` calls outliers.
    names : (n, k) of names or indices, the entries of each row that lower its score most, strongest first.
    nats : (n, k) of float, what each of these entries adds to the score.
    found : (n, k), the values of these entries in X, in its units.
    expected : (n, k), the values that `model.reconstruct` gives for them.
    """

    score: np.ndarray
    outlier: np.ndarray
    names: np.ndarray
    nats: np.ndarray
    found: np.ndarray
    expected: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """Return the columns of a table, (n,) each: score, outlier, reason_1, nats_1, found_1, expected_1, ..."""
        table = {"score": self.score, "outlier": self.outlier.astype(np.int64)}
        kinds = {"reason": self.names, "nats": self.nats, "found": self.found, "expected": self.expected}
        for i in range(self.names.shape[1]):
            table |= {f"{kind}_{i + 1}": values[:, i] for kind, values in kinds.items()}
        return table


def reasons(
    model: OutlierDetector | Estimator, X: Any, n_reasons: int = 3, names: Sequence[str] | None = None
) -> Reasons:
    """Score the rows of X, and name the entries that make each row strange.

    Parameters
    ----------
    model : a fitted model. For an OutlierDetector the nats of the entries sum to the score. For a TableAE they are
        -`surprise`. For another model they are the log-likelihoods of the entries at the row's own code, each less the
        median of that entry over X: a column that is noisy in every row is no reason.
    X : rows like those that the model was fitted on.
    n_reasons : largest number of entries to name for each row.
    names : names of the columns of vectors; None for numbers from 0. The name of an entry of an image or series is its
        indices, such as 3:14.

    Raises
    ------
    ValueError
        If X is not like the examples of the fit.
    """
    entries, nats, found, expected = strange_entries(model, X, n_reasons, names)
    return Reasons(model.score_samples(X), model.predict(X) == -1, entries, np.nan_to_num(nats), found, expected)


def strange_entries(
    model: OutlierDetector | Estimator, X: Any, n_reasons: int = 3, names: Sequence[str] | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return `names`, `nats`, `found` and `expected` of `reasons`, whose parameters it has: (n, k) each.

    The nats of missing entries are NaN, and such entries come last.
    """
    table = _table_reader(model)
    rows = X if table is None else table.encode(X, type(model).__name__)
    nats = _entry_nats(model, rows)
    flat = nats.reshape(len(nats), -1)
    indices = np.argsort(flat, axis=1, kind="stable")[:, :n_reasons]
    labels = _label_entries(model, nats.shape[1:], names)
    if table is not None:
        found, expected = table.values_of(X), table.values_of(model.reconstruct(rows))
    else:
        found, expected = (
            np.asarray(values).reshape(flat.shape)
            for values in (as_array(X, type(model).__name__), model.reconstruct(X))
        )
    parts = [np.take_along_axis(values, indices, 1) for values in (flat, found, expected)]
    return np.array(labels, dtype=object)[indices], parts[0], parts[1], parts[2]


def surprises(model: OutlierDetector | Estimator, X: Any, names: Sequence[str] | None = None) -> dict[Any, np.ndarray]:
    """Return how strange each entry of X is by its name, (n,) nats each: minus the nats of `reasons`.

    High is strange. It is NaN where an entry is missing; an OutlierDetector gives 0 there. Parameters are those of
    `reasons`, and it raises as `reasons` does.
    """
    nats = _entry_nats(model, X)
    return dict(zip(_label_entries(model, nats.shape[1:], names), -nats.reshape(len(nats), -1).T, strict=True))


def _label_entries(
    model: OutlierDetector | Estimator, shape: tuple[int, ...], names: Sequence[str] | None
) -> list[Any]:
    """Return a name for each entry of a row of that shape."""
    table = _table_reader(model)
    if table is not None:
        names = [column.name for column in table.table.used]
    labels: list[Any] = list(getattr(model, "feature_names_in_", ()) if names is None else names)
    return labels if len(labels) == np.prod(shape) else [":".join(map(str, index)) for index in np.ndindex(*shape)]


def _table_reader(model: OutlierDetector | Estimator) -> TableReader | None:
    """Return the reader of the table that the model was fitted on; None if it was an array."""
    if isinstance(model, OutlierDetector):
        return model._reader
    table = model.schema_.table
    return None if table is None else TableReader(table, np.zeros(len(table.used)))


def _entry_nats(model: OutlierDetector | Estimator, X: Any) -> np.ndarray:
    """Return the nats of each entry as `reasons` explains them: n x the shape of a row; NaN where it is missing."""
    if isinstance(model, OutlierDetector):
        return np.asarray(model.explain(X))
    if isinstance(model, TableAE):
        return -model.surprise_numbers(X)
    inspection, schema = Inspection(model, X), model.schema_
    nats = np.where(torch.isnan(inspection.rows).numpy(), np.nan, -inspection.excess_costs)
    nats = np.moveaxis(nats, 1, -1) if schema.layout == "hwc" else nats
    return nats.reshape(len(nats), *schema.user_shape)
