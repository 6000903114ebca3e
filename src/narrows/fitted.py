"""The interface of a fitted model, for the modules that measure it, plot it and show it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Protocol

import numpy as np
from torch import Tensor

from narrows.data import Schema, target_of
from narrows.model import Autoencoder
from narrows.params import Parameter
from narrows.recipes import Recipe
from narrows.types import Finding


class FittedModel(Protocol):
    """Protocol: the part of `Estimator` that evaluation, plots, report and studio use.

    `inverse_transform`, `traverse` and `dial_scale` are only there if `model_.decodes_codes`.

    Attributes
    ----------
    model_ : the trained network.
    schema_ : description of one example.
    history_ : losses at each validation, oldest first.
    report_ : decisions of the training and their reasons.
    findings_ : what is well about the model and what is not; empty for a model of an older narrows.
    n_iter_ : number of trained epochs.
    offset_ : threshold of `score_samples` in nats; outliers score below it.
    contamination : expected share of outliers, which sets the threshold, or "auto".
    code_mean_, code_std_ : (L,) mean and standard deviation of each component over training examples.
    components_kl_ : (L,) nats of each component, largest first; only if the KL has a closed form.
    unused_components_ : indices of the components that carry nothing; only for a stochastic code.
    """

    recipe: ClassVar[Recipe]
    model_: Autoencoder
    schema_: Schema
    history_: list[dict[str, Any]]
    report_: list[str]
    findings_: list[Finding]
    n_iter_: int
    offset_: float
    contamination: Any
    code_mean_: np.ndarray
    code_std_: np.ndarray
    components_kl_: np.ndarray
    unused_components_: list[int]

    @classmethod
    def parameters(cls) -> Mapping[str, Parameter]:
        """Return the parameters by name."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the values of the parameters by name."""

    def module(self) -> Autoencoder:
        """Return `model_` in evaluation mode, on the device on which it computes."""

    def prepare(self, X: Any) -> Tensor:
        """Return X checked and on the model's scale: n x `schema_.shape`."""

    def apply(self, function: Callable[[Tensor], Tensor], rows: np.ndarray | Tensor) -> Tensor:
        """Apply `function` to many examples in batches of bounded size; the result is on the CPU."""

    def compute_sparse_codes(self, X: Any) -> Any:
        """Return the codes of X as a `scipy.sparse.csr_array` (n x L) without zeros."""

    def transform(self, X: Any) -> np.ndarray:
        """Return the codes of X: (n, L)."""

    def inverse_transform(self, Z: Any, y: Any = None) -> Any:
        """Decode the codes Z (n, L) into examples, in the user's units."""

    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Return X encoded and decoded, in the user's units."""

    def decision_function(self, X: Any) -> np.ndarray:
        """Return `score_samples`, corrected for missing entries, less `offset_`: (n,) nats, below 0 for outliers."""

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-likelihood of each example: (n,) nats."""

    def sample(self, n_samples: int = 1, *, random_state: Any = None, noise: bool | None = None) -> Any:
        """Draw new examples, in the user's units."""

    def traverse(
        self, X: Any = None, *, components: Any = None, n_steps: int = 9, span: float = 3.0, y: Any = None
    ) -> np.ndarray:
        """Decode while one component at a time changes: (components, n_steps, ...)."""

    def dial_scale(self) -> np.ndarray:
        """Return the standard deviation of each component, which is the unit of its dial: (L,)."""


class CellModel(FittedModel, Protocol):
    """Protocol: a fitted model that predicts hidden cells of a table."""

    def surprise_numbers(self, X: Any) -> np.ndarray:
        """Return how strange each cell is in its row: (n, D) nats, NaN where it is missing."""


def check_no_targets(model: FittedModel, owner: str) -> None:
    """Raise ValueError if `model` was fitted with targets, so that it does not reconstruct X.

    Parameters
    ----------
    owner : name of the function that needs reconstructions of X, for the message.
    """
    if target_of(model.schema_) is not model.schema_:
        raise ValueError(
            f"{owner} needs a model of X alone, and this {type(model).__name__} has learned targets Y from X. "
            "`score(X, Y)` tells how well it predicts them, and `reconstruct(X)` gives them."
        )
