"""The second argument of `fit`: labels for a conditional model, or targets that an SAE learns from X (a transcoder)."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import as_sparse
from narrows.data import (
    MappedRows,
    PairedRows,
    PairSchema,
    Schema,
    as_floats,
    as_rows,
    infer,
    is_blocks,
    normalize,
    open_path,
    subsample_evenly,
    target_of,
)
from narrows.estimators.findings import judge_pairs
from narrows.estimators.labels import label_indices_where_known, learn_classes
from narrows.estimators.summary import Summary, summarize_units
from narrows.estimators.threshold import Threshold
from narrows.estimators.training_rows import scan_sample
from narrows.evaluation.scores import OutlierShare
from narrows.fitted import FittedModel
from narrows.model import Autoencoder
from narrows.training import Result
from narrows.training.health import n_health_rows
from narrows.types import Finding, split_missing

_SCORED = 2_000  # held-out pairs by which the explained variance is measured


class Targeted:
    """Mixin: the labels or the targets of an estimator.

    Attributes
    ----------
    takes_targets : True if `fit` takes a `y` of several columns as targets.
    """

    takes_targets = False
    model_: Autoencoder
    schema_: Schema
    check: Callable[[Any], np.ndarray]
    apply: Callable[..., Tensor]
    findings_: list[Finding]
    n_iter_: int
    n_threshold_: int
    code_mean_: np.ndarray
    code_std_: np.ndarray
    _targets: np.ndarray | None = None  # of the training that runs

    def _label_indices(self, y: Any, n: int) -> np.ndarray | None:
        """Return the class index of each of `n` examples, for a conditional model. The first call sets the classes.

        A `y` of several columns becomes the targets.

        Raises
        ------
        ValueError
            If it has several columns, and the model takes no targets.
        """
        owner = type(self).__name__
        self._targets = self._read_targets(y, n, owner)
        if not getattr(self, "conditional", False):
            return None
        if self.schema_.classes is None:
            self.schema_ = learn_classes(self.schema_, y, n, owner)
        return label_indices_where_known(y, self.schema_, n, owner)

    def _read_targets(self, y: Any, n: int | None, owner: str) -> np.ndarray | None:
        """Return targets for `n` examples, n x d, in memory or in files, or None; the first call sets their schema."""
        y = _open_targets(y, owner, self.takes_targets)
        shape = () if y is None else tuple(getattr(y, "shape", None) or np.asarray(y, dtype=object).shape)
        is_paired = target_of(self.schema_) is not self.schema_
        if len(shape) < 2 or int(np.prod(shape[1:])) == 1:
            if is_paired:
                raise ValueError(
                    f"{owner} was fitted with targets: pass y with {target_of(self.schema_).shape[0]} columns."
                )
            return None
        if not self.takes_targets:
            raise ValueError(
                f"The `y` of {owner} must be labels, one for each example. Got an array of shape {shape} instead: only "
                "SAE learns targets of several columns from X."
            )
        rows = cast(np.ndarray, y) if isinstance(y, MappedRows) else as_floats(as_rows(y, owner))
        if rows.ndim != 2 or (n is not None and len(rows) != n):
            raise ValueError(
                f"The targets `y` of {owner} must have one row of numbers for each of the {n} examples of X. Got an "
                f"array of shape {shape} instead."
            )
        if not is_paired:
            if hasattr(self, "offset_"):
                raise ValueError(f"{owner} was fitted without targets: call fit(X, y) to learn y from X.")
            sample, allow_nan = scan_sample(rows, owner), not isinstance(rows, MappedRows)
            target = self._normalize(infer(sample, owner, allow_nan=allow_nan, dtype=rows.dtype), rows)
            self.schema_ = PairSchema.of(self.schema_, target)
        elif rows.shape[1:] != target_of(self.schema_).shape:
            raise ValueError(
                f"The targets `y` of {owner} must have {target_of(self.schema_).shape[0]} columns, as in `fit`. Got "
                f"{rows.shape[1]} instead."
            )
        return rows

    def _normalize(self, schema: Schema, rows: np.ndarray) -> Schema:
        """Return the schema of the rows with the scale and the center that the parameters ask for."""
        scale, center = getattr(self, "scale", "column"), getattr(self, "center", "mean")
        return normalize(schema, rows, scale, center, type(self).__name__)

    def _pair(self, rows: np.ndarray) -> np.ndarray | PairedRows:
        """Return the training rows, with the targets if there are some."""
        return rows if self._targets is None else PairedRows(rows, self._targets, self.schema_)

    def _store_summary_of_pairs(self, rows: np.ndarray, result: Result) -> None:
        """Summarize and judge a model of targets. It has no threshold of outliers, because X has no score."""
        model, targets = cast(FittedModel, self), self._targets
        code = as_sparse(self.model_.bottleneck)
        assert targets is not None
        assert code is not None
        sample = subsample_evenly(rows, n_health_rows(model.module(), self.n_iter_ * len(rows)))
        self.code_mean_, self.code_std_, n_dead = summarize_units(model, code, sample)
        none = Threshold(
            float("nan"), "X alone does not tell how well targets are predicted", OutlierShare(0, 0, 0), False
        )
        facts = Summary(sample, None, n_dead, None, None, self.code_mean_, self.code_std_, None, None, none)
        held_out = np.sort(result.held_out)[:_SCORED]
        explained = None
        if len(held_out):
            made = self.apply(self.model_.reconstruct, rows[held_out])
            explained = explained_share(targets[held_out], target_of(self.schema_).restore(made))
        self.findings_, self.n_threshold_ = judge_pairs(model, rows, result, facts, explained), 0
        self._targets, self.offset_ = None, float("nan")

    def _score_targets(self, X: Any, Y: Any) -> float:
        """Return the mean of log p(y | x) in nats, in the units of Y."""
        check_is_fitted(self)
        rows, owner = self.check(X), type(self).__name__
        targets, target = self._read_targets(Y, len(rows), owner), target_of(self.schema_)
        assert targets is not None
        params = self.apply(self.model_.decode_own, rows)
        device = next(self.model_.parameters()).device
        y, observed = split_missing(target.prepare(torch.from_numpy(np.array(targets))).to(device))
        with torch.no_grad():
            scores = self.model_.likelihood.score(params.to(device), y, observed)
        return float(np.mean(scores.double().cpu().numpy() - target.log_scale(targets)))


def _open_targets(y: Any, owner: str, takes_targets: bool) -> Any:
    """Return the rows of `y` if it is a path or a list of paths; otherwise `y`.

    Raises
    ------
    ValueError, OSError
        If it is a path for a model that learns no targets or of a single column, an iterator, or cannot be read.
    """
    is_path = isinstance(y, (str, os.PathLike))
    if is_blocks(y):
        raise ValueError(
            f"The `y` of {owner} must be in memory, or in a file for an SAE. Got an iterator or a function "
            f"({type(y).__name__}). Pass one array."
        )
    if takes_targets:
        rows = open_path(y)
        if rows is not y and int(np.prod(np.shape(rows)[1:])) == 1:
            raise ValueError(
                f"The targets `y` of {owner} must have several columns. Got shape {np.shape(rows)} in {y}."
            )
        return rows
    if is_path or (isinstance(y, (list, tuple)) and any(isinstance(part, os.PathLike) for part in y)):
        raise ValueError(
            f"The `y` of {owner} must be labels in memory, one for each example. Got {'a path' if is_path else 'paths'}"
            f" ({y if is_path else y[0]}). Read it first, for example with np.load."
        )
    return y


def explained_share(targets: np.ndarray, made: np.ndarray) -> float:
    """Return 1 - (sum of squared errors) / (sum of squared deviations from the mean), in the units of the targets."""
    y = np.asarray(targets, dtype=np.float64)
    errors, deviations = np.nansum((y - made) ** 2), np.nansum((y - np.nanmean(y, 0)) ** 2)
    return float(1 - errors / max(deviations, 1e-30))
