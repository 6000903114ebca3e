"""The facts by which a model is judged: errors on held-out rows, beside those of PCA. Each is computed when asked."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import as_sparse
from narrows.corruptions import Noise, TableCorruption
from narrows.data import spaced_indices
from narrows.estimators.summary import Summary
from narrows.estimators.threshold import select_scored
from narrows.evaluation.cells import example_errors
from narrows.evaluation.pca import pca_errors
from narrows.fitted import FittedModel
from narrows.model import inference_mode
from narrows.networks import MLPEncoder
from narrows.recipes.sizes import decide_sizes
from narrows.training import RandomStream, Result, draws_globally, find_overfitting, remaining_fall
from narrows.types import Batch

_PCA_NUMBERS, _PCA_ROWS = 1 << 22, (256, 10_000)  # numbers, and fewest and most rows, that PCA is fitted on
_EXACT = 1e-4  # share of the rows' variance below which an error counts as none
_NOISE_SEED = 20_260_102


class Evidence:
    """The facts by which a fitted model is judged.

    Parameters
    ----------
    estimator : the trained model.
    rows : rows of the training, in the user's units.
    result : result of the training.
    summary : summary of the model's codes and scores.
    """

    def __init__(self, estimator: FittedModel, rows: np.ndarray, result: Result, summary: Summary) -> None:
        self.estimator, self.rows, self.result, self.summary = estimator, rows, result, summary

    @property
    def n_components(self) -> int:
        """Number of components of a code."""
        return self.estimator.model_.bottleneck.n_components

    @property
    def is_sparse(self) -> bool:
        """True if few of the code's units are active for one row."""
        return as_sparse(self.estimator.model_.bottleneck) is not None

    @property
    def is_empty(self) -> bool:
        """True if no component of a stochastic code carries anything."""
        return len(self.summary.unused_components_ or ()) == self.n_components > 0

    @property
    def is_wide(self) -> bool:
        """True if the user set hidden layers that are wider than those that suit the rows and the columns."""
        hidden = self.value("hidden") if self.has("hidden") else "auto"
        if hidden == "auto" or not isinstance(self.estimator.model_.encoder, MLPEncoder):
            return False
        suited, _ = decide_sizes(self.estimator.schema_, {"hidden": "auto"}, len(self.rows), self.value("max_time"))
        return sum(hidden) > sum(suited["hidden"])

    @functools.cached_property
    def best_epoch(self) -> int | None:
        """The epoch after which the held-out loss rose; None if it did not."""
        return find_overfitting(self.result.history, self.estimator.schema_.n_entries)

    @property
    def keeps_start(self) -> bool:
        """True if the model began at PCA, and no later weights had a lower held-out loss: these weights are kept."""
        start = self.result.start_loss
        losses = [r["valid_loss"] for r in self.result.history if r.get("valid_loss") is not None]
        return start is not None and bool(losses) and start <= min(losses)

    @property
    def is_past_best(self) -> bool:
        """True if earlier weights than the last were the best, so that a longer training would not help."""
        return self.best_epoch is not None or (self.keeps_start and self.result.end == "plateau")

    @functools.cached_property
    def remaining_fall(self) -> float | None:
        """Fall of the held-out loss at the end, in nats per entry; None if there are too few measurements."""
        return remaining_fall(self.result.history, self.estimator.schema_.n_entries)

    @property
    def could_start_linear(self) -> bool:
        """True if `start="pca"` would change the model: its networks have names, and it has no labels."""
        network = self.value("network") if self.has("network") else "auto"
        has_names = all(isinstance(name, str) for name in (network if isinstance(network, tuple) else (network,)))
        is_random = self.has("start") and self.value("start") != "pca"
        return is_random and has_names and self.estimator.model_.label is None

    def has(self, parameter: str) -> bool:
        """Return True if the estimator has this parameter."""
        return parameter in self.estimator.parameters()

    def value(self, parameter: str) -> Any:
        """Return the value of a parameter of the estimator."""
        return self.estimator.get_params(deep=False)[parameter]

    # ---------------------------------------------------------------------------------------------- held-out rows

    @property
    def has_reconstructions(self) -> bool:
        """True if rows were held out, and the model reconstructs them from a code or from their other cells."""
        model = self.estimator.model_
        return len(self.result.held_out) > 0 and model.has_code

    @functools.cached_property
    def held_out(self) -> Tensor:
        """Held-out rows on the model's scale, n x `schema_.shape`."""
        held_out = self.result.held_out
        return self._prepare(select_scored(self.estimator, self.rows, held_out, self.summary.sample))

    @functools.cached_property
    def _error(self) -> float:
        """Mean error of the reconstructions of held-out rows."""
        made = self.estimator.apply(self.estimator.model_.reconstruct, self.held_out)
        return float(example_errors(made, self.held_out, self.estimator.schema_).mean())

    @property
    def ratio_to_pca(self) -> tuple[float, int]:
        """Error of held-out rows, divided by that of PCA with as many components as are in use; and their number."""
        n = self.n_components
        if self.is_sparse:
            model = self.estimator.model_
            bottleneck = as_sparse(model.bottleneck)
            assert bottleneck is not None
            fires = bottleneck.fires
            n_active = self.estimator.apply(lambda x: fires(model.encode(x)).sum(1), self.held_out)
            n = max(1, round(float(n_active.double().mean())))
        elif not self.is_empty:
            n -= len(self.summary.unused_components_ or ())
        mean, pca = self._pca_errors([0, n])
        floor = max(_EXACT * mean, 1e-30)
        return max(self._error, floor) / max(pca, floor), n

    @property
    def ratio_to_mean(self) -> float:
        """Error of held-out rows, divided by that of the training rows' mean, and of the most frequent levels."""
        return self._error / max(self._pca_errors([0])[0], 1e-30)

    @functools.cached_property
    def noise_left(self) -> float | None:
        """Share of the noise in held-out rows that the model leaves, as it was trained; None if it adds none."""
        model, device = self.estimator.module(), next(self.estimator.model_.parameters()).device
        if not isinstance(model.corruption, (Noise, TableCorruption)) or not len(self.result.held_out):
            return None
        x, schema = self.held_out, self.estimator.schema_
        with RandomStream(_NOISE_SEED, device, draws_globally(model)).use(), inference_mode(model):
            noisy = model.corruption(Batch(x.to(device), x.to(device))).x.cpu()
        before = float(example_errors(noisy, x, schema).mean())
        after = float(example_errors(self.estimator.apply(model.reconstruct, noisy), x, schema).mean())
        return after / before if before > 0 else None

    @property
    def signal(self) -> float:
        """Variance along the first principal axis, in units of the noise that an entry has if the code is empty."""
        mean, first = self._pca_errors([0, 1])
        noise = mean
        if self.estimator.model_.likelihood.required_support == "unit":  # noise of 0 and 1
            expected = self.held_out.double().nanmean(0)
            noise = float((expected * (1 - expected)).nanmean())
        return (mean - first) * self.estimator.schema_.n_entries / max(noise, 1e-30)

    def _pca_errors(self, sizes: list[int]) -> list[float]:
        """Return the errors of held-out rows by PCA of training rows with so many components."""
        schema = self.estimator.schema_
        learned = np.setdiff1d(np.arange(len(self.rows)), self.result.held_out)
        fewest, most = _PCA_ROWS
        n = min(max(_PCA_NUMBERS // schema.n_entries, fewest), most)
        train = self._prepare(self.rows[learned[spaced_indices(len(learned), n)]])
        return pca_errors(train, self.held_out, schema, sizes).tolist()

    def _prepare(self, rows: np.ndarray) -> Tensor:
        return self.estimator.schema_.prepare(torch.from_numpy(np.array(rows)))
