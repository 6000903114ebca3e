"""Why a row is strange: what its entries add to its score, for an OutlierDetector and for any other model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from narrows.estimators import Estimator
from narrows.evaluation.inspection import Inspection
from narrows.tasks.outliers.detector import OutlierDetector


class Reasons(NamedTuple):
    """Rows scored, and the entries that make them strange.

    Attributes
    ----------
    score : (n,) as of `score_samples`, lower is stranger.
    outlier : (n,) what `predict` says is one.
    names : (n, k) names of the k entries of each row that lower its score most, the first most.
    nats : (n, k) what each of them adds to the score.
    """

    score: np.ndarray
    outlier: np.ndarray
    names: np.ndarray
    nats: np.ndarray

    def columns(self) -> dict[str, np.ndarray]:
        """As columns of a table: score, outlier, reason_1, nats_1, reason_2, ..."""
        found = {"score": self.score, "outlier": self.outlier.astype(np.int64)}
        for i in range(self.names.shape[1]):
            found |= {f"reason_{i + 1}": self.names[:, i], f"nats_{i + 1}": self.nats[:, i]}
        return found


def reasons(
    model: OutlierDetector | Estimator, X: Any, n_reasons: int = 3, names: Sequence[str] | None = None
) -> Reasons:
    """Score the rows of X, and name the entries that make each of them strange.

    Parameters
    ----------
    model : fitted. Of an OutlierDetector the entries' nats sum to the score. Of another model they are the entries'
        log-likelihoods at the row's own code, each less the median of that entry over X: a column that is noisy in
        every row is no reason.
    X : rows such as the model was fitted on.
    n_reasons : entries to name for each row, at most.
    names : of the columns of vectors; without them, numbers from 0. An entry of an image or series is called by its
        indices, as in 3:14.
    """
    if isinstance(model, OutlierDetector):
        score, nats = model.score_samples(X), model.explain(X)
    else:
        score, nats = model.score_samples(X), _log_likelihoods(model, X)
    shape, flat = nats.shape[1:], nats.reshape(len(nats), -1)
    which = np.argsort(flat, axis=1, kind="stable")[:, :n_reasons]
    labels: list[Any] = list(getattr(model, "feature_names_in_", ()) if names is None else names)
    if len(labels) != flat.shape[1]:
        labels = [":".join(map(str, index)) for index in np.ndindex(*shape)]
    return Reasons(
        score, score < model.offset_, np.array(labels, dtype=object)[which], np.take_along_axis(flat, which, 1)
    )


def _log_likelihoods(model: Estimator, X: Any) -> np.ndarray:
    """Return the log-likelihood of each entry less its median: n x the shape of a row of X."""
    nats, schema = -Inspection(model, X).excess_costs, model.schema_
    nats = np.moveaxis(nats, 1, -1) if schema.layout == "hwc" else nats
    return nats.reshape(len(nats), *schema.user_shape)
