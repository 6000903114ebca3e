"""Base class of the classifier and the regressor: the encoder, the graph, and the checks of X and y."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.frozen import FrozenEstimator
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import Tensor

from narrows.bottlenecks import LabelHead, RegressionHead
from narrows.data import as_dense, count_entries, count_rows, is_frame
from narrows.data.labels import check_labels, labels_as_array
from narrows.estimators import AE
from narrows.estimators.base import Estimator
from narrows.estimators.signature import as_seed, reset_fitted
from narrows.objectives import HeadCost, WeightedObjective
from narrows.params import Integer, OneOf, Parameter
from narrows.tasks.labels.graph import NeighborGraph
from narrows.training import Interrupted, seeded_init
from narrows.training import fit as train

_MAX_COMPONENTS = 32
_LABEL_WEIGHT = 100.0  # w in fine-tuning: the weight of a nat of label; a nat of reconstruction has weight 1
_MIN_ANGULAR = 8  # codes with at least this many components are compared by direction


class SemiSupervisedModel(BaseEstimator, ABC):
    """Abstract: base of `Classifier` and `Regressor`."""

    def __init__(
        self, encoder: Any = None, *, method: str = "auto", n_neighbors: int = 15, random_state: Any = None
    ) -> None:
        self.encoder, self.method, self.n_neighbors, self.random_state = encoder, method, n_neighbors, random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        encoder = self.encoder.estimator if isinstance(self.encoder, FrozenEstimator) else self.encoder
        tags.input_tags.three_d_array = True
        tags.input_tags.categorical = tags.input_tags.string = True
        tags.input_tags.allow_nan = encoder.recipe.allows_gaps if isinstance(encoder, Estimator) else True
        return tags

    @abstractmethod
    def _method_names(self) -> tuple[str, ...]:
        """Return the names that `method` may have, apart from "auto"."""

    def _encode_training(self, X: Any, known: np.ndarray) -> np.ndarray:
        """Set `method_` and `encoder_`, and return the codes of X (n, L); `known` (n,) is True where y is known."""
        owner = type(self).__name__
        Parameter("method", "auto", OneOf(("auto", *self._method_names())), "").check(owner, self.method)
        Parameter("n_neighbors", 15, Integer(1), "").check(owner, self.n_neighbors)
        self.method_ = ("probe" if known.all() else "spread") if self.method == "auto" else self.method
        self.encoder_ = self._fitted_encoder(X)
        if not self.encoder_.model_.has_code:
            raise ValueError(
                f"The `encoder` parameter of {owner} must have codes. This {type(self.encoder_).__name__} has none, "
                "because n_components=None: pass a number."
            )
        if self.method_ == "fine-tune" and self.encoder_.model_.n_classes:
            raise ValueError(
                f'{owner}(method="fine-tune") takes an encoder that is not conditional. Fit one on X '
                'alone, or take method="spread".'
            )
        self._copy_feature_names()
        return as_dense(self.encoder_.transform(X))

    def _copy_feature_names(self) -> None:
        """Take the number and the names of the columns from the encoder."""
        self.n_features_in_ = self.encoder_.n_features_in_
        if hasattr(self.encoder_, "feature_names_in_"):
            self.feature_names_in_ = self.encoder_.feature_names_in_

    def _start_fit(self, X: Any, y: Any) -> int:
        """Delete an earlier fit, check that X is valid and that there is a `y`, and return the number of examples."""
        reset_fitted(self)
        encoder = self._unwrap_encoder()
        fitted = encoder is not None and encoder.__sklearn_is_fitted__()
        encoder = AE() if encoder is None else encoder if fitted else clone(encoder)
        n = count_rows(X, type(self).__name__) if is_frame(X) else len(encoder.validate(X, reset=not fitted))
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        return n

    def _check_known(self, known: np.ndarray) -> None:
        if known.sum() < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 examples with a label. Got {known.sum()}.")

    def _column(self, y: Any, n: int, what: str) -> np.ndarray:
        """Return `y` as n numbers or words. `what` is the noun for one of them in messages."""
        column = check_labels(y, n, type(self).__name__, what)
        if labels_as_array(y).ndim == 2:
            column_or_1d(column.reshape(-1, 1), warn=True)  # as scikit-learn warns of a column
        if column.dtype.kind == "f" and np.isinf(column).any():
            raise ValueError(f"y passed to {type(self).__name__} contains infinity. Drop those examples.")
        return column

    def _unwrap_encoder(self) -> Any:
        """Return the `encoder` parameter without scikit-learn's `FrozenEstimator` around it."""
        encoder = self.encoder.estimator if isinstance(self.encoder, FrozenEstimator) else self.encoder
        if encoder is not None and not isinstance(encoder, Estimator):
            raise TypeError(
                f"The `encoder` parameter of {type(self).__name__} must be an estimator of narrows, fitted or not, or "
                f"None. Got {type(encoder).__name__} instead."
            )
        return encoder

    def _fitted_encoder(self, X: Any) -> Estimator:
        """Return the encoder; fit it on X unless it is fitted already."""
        encoder = self._unwrap_encoder()
        if encoder is None:
            encoder = AE(default_n_components(X))
        return encoder if encoder.__sklearn_is_fitted__() else self._fit_clone(encoder, X)

    def _fit_clone(self, encoder: Estimator, X: Any, y: Any = None, **params: Any) -> Estimator:
        """Return a fitted copy of `encoder` with other `params`, and with the seed of this model if it has none.

        A copy that Ctrl-C stops is kept as `encoder_`: pass it as `encoder` to go on from there.
        """
        fresh = clone(encoder).set_params(**params)
        if fresh.random_state is None:
            fresh.set_params(random_state=as_seed(self.random_state))
        try:
            return fresh.fit(X, y)
        except Interrupted:
            self.encoder_ = fresh
            raise

    def _build_graph(self, codes: np.ndarray) -> NeighborGraph:
        """Return the graph of the codes (n, L) of the training examples."""
        if len(codes) <= self.n_neighbors:
            raise ValueError(
                f"The `n_neighbors` parameter of {type(self).__name__} must be less than the number of examples, "
                f"{len(codes)}. Got {self.n_neighbors} instead."
            )
        self.centre_ = codes.mean(0)
        return NeighborGraph.build(self._graph_points(codes), self.n_neighbors)

    def _graph_points(self, codes: np.ndarray) -> Tensor:
        """Return centred codes (n, L). If they have many components, lengths say little, so each gets length 1."""
        points = torch.from_numpy(np.asarray(codes - self.centre_, dtype=np.float64))
        return torch.nn.functional.normalize(points, dim=1) if points.shape[1] >= _MIN_ANGULAR else points

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "head_" in state:
            # a pickle from a machine with a GPU must open on one without
            state = {**state, "head_": copy.deepcopy(state["head_"]).cpu()}
        return state

    def _fine_tune(self, X: Any, labels: np.ndarray, head: Callable[[int], LabelHead | RegressionHead]) -> None:
        """Train a copy of the encoder and a new head on X and `labels` (n,); `head(n_inputs)` makes the head."""
        tuned = self.encoder_ = copy.deepcopy(self.encoder_)
        seed = as_seed(self.random_state)
        with seeded_init(seed):
            head_cost = HeadCost(head(tuned.model_.bottleneck.n_inputs))
        weights = {**tuned.own_costs(seed), head_cost.name: _LABEL_WEIGHT}
        objective = WeightedObjective(weights, costs=(head_cost,))
        rows = tuned.check(X)
        stopped: Interrupted | None = None
        try:
            # the best epochs, batch and learning rate differ from those of the first training
            reset: dict[str, Any] = dict.fromkeys(("max_epochs", "batch_size", "learning_rate"), "auto")
            settings = tuned.settings(seed, **reset, checkpoint=None, track=None)
            result = train(tuned.model_, objective, rows, tuned.schema_, settings, title="fine-tune", labels=labels)
        except Interrupted as interrupted:
            stopped, result = interrupted, interrupted.result
        self.head_ = head_cost.head.eval()
        tuned._absorb(result, rows)
        if stopped is not None:
            raise stopped

    def _apply_head(self, method: Callable[[Any, Tensor], Tensor], X: Any) -> Tensor:
        """Return `method` of the head, applied to the encoder's output for X, in double precision."""
        model = self.encoder_.module()
        head = self.head_.to(next(model.parameters()))  # the encoder may be on another device by now
        rows = self.encoder_.prepare(X)
        return self.encoder_.apply(lambda x: method(head, model.encoder(x)), rows).double()

    def _codes(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return as_dense(self.encoder_.transform(X))


def default_n_components(X: Any) -> int:
    """Return half the number of entries of an example of X (n, ...), from 1 to 32."""
    return max(1, min(_MAX_COMPONENTS, count_entries(X) // 2))
