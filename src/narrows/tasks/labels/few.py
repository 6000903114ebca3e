"""What the classifier and the regressor share: the encoder, and what is asked of X and y."""

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
from narrows.estimators import AE
from narrows.estimators.base import Estimator
from narrows.estimators.signature import as_seed, reset_fitted
from narrows.objectives import HeadCost, WeightedObjective
from narrows.params import Integer, OneOf, Parameter
from narrows.tasks.labels.graph import Graph
from narrows.training import Interrupted, seeded_init
from narrows.training import fit as train

_COMPONENTS = 32
_LABEL_WEIGHT = 100.0  # of a nat of label beside one of reconstruction, while the encoder learns the labels
_ANGULAR = 8  # components from which on codes are compared by direction


class FromFew(BaseEstimator, ABC):
    """Abstract: what the classifier and the regressor share."""

    def __init__(
        self, encoder: Any = None, *, method: str = "auto", n_neighbors: int = 15, random_state: Any = None
    ) -> None:
        self.encoder, self.method, self.n_neighbors, self.random_state = encoder, method, n_neighbors, random_state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags

    @abstractmethod
    def _methods(self) -> tuple[str, ...]:
        """The names that `method` may have, beside "auto"."""

    def _begin(self, X: Any, known: np.ndarray) -> np.ndarray:
        """The codes of X, of which those `known` have a label; what `method` and the encoder are is settled."""
        owner = type(self).__name__
        Parameter("method", "auto", OneOf(("auto", *self._methods())), "").check(owner, self.method)
        Parameter("n_neighbors", 15, Integer(1), "").check(owner, self.n_neighbors)
        self.method_ = ("probe" if known.all() else "spread") if self.method == "auto" else self.method
        self.encoder_ = self._encoded(X)
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
        self._take_form()
        return np.asarray(self.encoder_.transform(X))

    def _take_form(self) -> None:
        """What the encoder knows of the columns."""
        self.n_features_in_ = self.encoder_.n_features_in_
        if hasattr(self.encoder_, "feature_names_in_"):
            self.feature_names_in_ = self.encoder_.feature_names_in_

    def _rows(self, X: Any, y: Any) -> int:
        """How many examples X holds, once it and `y` are found to be there; an earlier fit is forgotten."""
        reset_fitted(self)
        given = self._given()
        fitted = given is not None and given.__sklearn_is_fitted__()
        encoder = AE() if given is None else given if fitted else clone(given)
        n = len(encoder.validated(X, reset=not fitted))
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        return n

    def _check_known(self, known: np.ndarray) -> None:
        if known.sum() < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 examples with a label. Got {known.sum()}.")

    def _column(self, y: Any, n: int, what: str) -> np.ndarray:
        """`y` as n numbers or words."""
        found = np.asarray(y)
        if found.ndim == 2 and found.shape[1] == 1:
            found = column_or_1d(found, warn=True)
        if found.ndim != 1 or len(found) != n:
            raise ValueError(
                f"y passed to {type(self).__name__} must hold one {what} for each of {n} examples. Got shape "
                f"{np.shape(y)}."
            )
        if found.dtype.kind == "f" and np.isinf(found).any():
            raise ValueError(f"y passed to {type(self).__name__} contains infinity. Drop those examples.")
        return found

    def _given(self) -> Any:
        """The `encoder` parameter, out of its wrapping."""
        given = self.encoder.estimator if isinstance(self.encoder, FrozenEstimator) else self.encoder
        if given is not None and not isinstance(given, Estimator):
            raise TypeError(
                f"The `encoder` parameter of {type(self).__name__} must be an estimator of narrows, fitted or not, or "
                f"None. Got {type(given).__name__} instead."
            )
        return given

    def _encoded(self, X: Any) -> Estimator:
        """The encoder, fitted on X unless it comes fitted."""
        given = self._given()
        if given is None:
            given = AE(components_for(X))
        return given if given.__sklearn_is_fitted__() else self._seeded(given).fit(X)

    def _seeded(self, given: Estimator) -> Estimator:
        """A copy to fit, with a seed of its own where it has none."""
        fresh = clone(given)
        return fresh if fresh.random_state is not None else fresh.set_params(random_state=as_seed(self.random_state))

    def _graph(self, codes: np.ndarray) -> Graph:
        if len(codes) <= self.n_neighbors:
            raise ValueError(
                f"The `n_neighbors` parameter of {type(self).__name__} must be less than the number of examples, "
                f"{len(codes)}. Got {self.n_neighbors} instead."
            )
        self.centre_ = codes.mean(0)
        return Graph.of(self._points(codes), self.n_neighbors)

    def _points(self, codes: np.ndarray) -> Tensor:
        """Codes as the graph compares them: of many components by direction, because lengths then say little."""
        points = torch.from_numpy(np.asarray(codes - self.centre_, dtype=np.float64))
        return torch.nn.functional.normalize(points, dim=1) if points.shape[1] >= _ANGULAR else points

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "head_" in state:
            # a pickle made beside a GPU must open without one
            state = {**state, "head_": copy.deepcopy(state["head_"]).cpu()}
        return state

    def _fine_tune(self, X: Any, labels: np.ndarray, head: Callable[[int], LabelHead | RegressionHead]) -> None:
        """Let the encoder learn the `labels` (n,), too, by the `head` made for so many inputs."""
        tuned = self.encoder_ = copy.deepcopy(self.encoder_)
        seed = as_seed(self.random_state)
        with seeded_init(seed):
            learned = HeadCost(head(tuned.model_.bottleneck.n_inputs))
        weights = {**tuned.own_costs(seed), learned.name: _LABEL_WEIGHT}
        objective = WeightedObjective(weights, costs=(learned,))
        rows = tuned.checked(X)
        stopped: Interrupted | None = None
        try:
            # how long and in which steps is another question than it was for what the encoder learned first
            anew: dict[str, Any] = dict.fromkeys(("max_epochs", "batch_size", "learning_rate"), "auto")
            settings = tuned.settings(seed, **anew, checkpoint=None, track=None)
            result = train(tuned.model_, objective, rows, tuned.schema_, settings, title="fine-tune", labels=labels)
        except Interrupted as interrupted:
            stopped, result = interrupted, interrupted.result
        self.head_ = learned.head.eval()
        tuned._absorb(result, rows)
        if stopped is not None:
            raise stopped

    def _by_head(self, read: Callable[[Any, Tensor], Tensor], X: Any) -> Tensor:
        """What `read` makes of the head and of what the encoder gives for X, in double precision."""
        model = self.encoder_.module()
        head = self.head_.to(next(model.parameters()))  # the encoder may have moved since
        rows = self.encoder_.prepared(X)
        return self.encoder_.applied(lambda x: read(head, model.encoder(x)), rows).double()

    def _codes(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self.encoder_.transform(X))


def components_for(X: Any) -> int:
    """Components for data of which nothing else is known."""
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    return max(1, min(_COMPONENTS, int(np.prod(shape[1:])) // 2))
