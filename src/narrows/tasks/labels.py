"""Labels from few: an encoder that learns from all examples, and labels that only some of them have.

Four ways, from the cheapest:

- probe: a linear model on the frozen codes.
- spread: labels flow along the graph of nearest neighbours among the codes, F = (1 - a) (I - a S)^-1 Y with
  S = D^-1/2 W D^-1/2, W the weights of its edges; what they say of an example is multiplied by what the probe says
  (Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with local and global consistency, 2004,
  https://papers.nips.cc/paper/2506-learning-with-local-and-global-consistency).
- fine-tune: encoder and decoder go on learning, while a head on the encoder learns the labels, those known and those
  that spreading gives: loss = - log p(x | z) + costs - w log q(y | x).
- joint: one VAE of examples and labels together, in which a label that is not known is a second latent variable (M2:
  Kingma, Rezende, Mohamed and Welling, Semi-supervised learning with deep generative models, 2014,
  https://arxiv.org/abs/1406.5298).
"""

from __future__ import annotations

import copy
from abc import abstractmethod
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, clone
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d
from torch import Tensor

from narrows.bottlenecks.guess import UNKNOWN, Guess
from narrows.estimators import AE, VAE
from narrows.estimators.base import Estimator
from narrows.estimators.signature import seed_from
from narrows.evaluation.distances import blocks, nearest
from narrows.objectives import WeightedCosts
from narrows.params import Integer, OneOf, Parameter
from narrows.training import Settings
from narrows.training import fit as train

_COMPONENTS = 32
_ANGULAR = 8  # components from which on codes are compared by direction
_SPREADS = (0.9, 0.95, 0.99)  # a: how far labels flow
_ROUNDS = 60  # of flowing; what comes later is too little to change a label
_PROBE = 0.3  # the power to which the probe's probabilities are taken beside those that flowed
_FOLDS = 3
_PENALTIES = np.logspace(-3, 2, 6)
_LABEL_WEIGHT = 100.0  # of a nat of label beside one of reconstruction


class Graph(NamedTuple):
    """The nearest neighbours of codes.

    Attributes
    ----------
    points : n x L, the codes as they are compared.
    scale : n, the distance within which a code has its near neighbours.
    flow : n x n sparse, S: symmetric, its largest eigenvalue is 1.
    """

    points: Tensor
    scale: Tensor
    flow: sp.csr_array

    @classmethod
    def of(cls, points: Tensor, k: int) -> Graph:
        """Edges to the `k` nearest others, weighed exp(-d^2 / (s_i s_j)), s the distance of a middling neighbour.

        Zelnik-Manor and Perona, Self-tuning spectral clustering (2004),
        https://papers.nips.cc/paper/2619-self-tuning-spectral-clustering.
        """
        n = len(points)
        index, distance = nearest(points, k)
        scale = distance[:, k // 2].clamp(min=1e-12)
        weight = _nearness(distance, scale[:, None], scale[index])
        edges = sp.csr_array((weight.flatten().numpy(), index.flatten().numpy(), np.arange(0, n * k + 1, k)), (n, n))
        edges = edges.maximum(edges.T)
        root = sp.diags_array(1 / np.sqrt(np.asarray(edges.sum(1)).ravel().clip(min=1e-300)))
        return cls(points, scale, sp.csr_array(root @ edges @ root))

    def spread(self, start: np.ndarray, a: float) -> np.ndarray:
        """`start` (n x C) after it has flowed."""
        found = start
        for _ in range(_ROUNDS):
            found = a * (self.flow @ found) + (1 - a) * start
        return found

    def at(self, points: Tensor, values: np.ndarray, k: int) -> np.ndarray:
        """What others' places take of the `values` (n x C) of their `k` nearest neighbours: a weighted mean."""
        parts = []
        for _, distances in blocks(points, self.points):
            near = distances.topk(k, dim=1, largest=False)
            own = near.values[:, k // 2, None].clamp(min=1e-12)
            weight = _nearness(near.values, own, self.scale[near.indices])
            # so far from all that nothing is left in floating point: the nearest counts
            weight[:, 0] += torch.finfo(weight.dtype).tiny
            weight = weight / weight.sum(1, keepdim=True)
            parts.append(np.einsum("bk,bkc->bc", weight.numpy(), values[near.indices.numpy()]))
        return np.concatenate(parts)


def _nearness(distance: Tensor, own: Tensor, other: Tensor) -> Tensor:
    return torch.exp(-distance.square() / (own * other))


class _FromFew(BaseEstimator):
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
        """The codes of X; what `method` and the encoder are is settled."""
        owner = type(self).__name__
        Parameter("method", "auto", OneOf(("auto", *self._methods())), "").check(owner, self.method)
        Parameter("n_neighbors", 15, Integer(1), "").check(owner, self.n_neighbors)
        if known.sum() < 2:
            raise ValueError(f"{owner} needs at least 2 examples with a label. Got {known.sum()}.")
        self.method_ = ("probe" if known.all() else "spread") if self.method == "auto" else self.method
        self.encoder_ = self._encoded(X)
        if not self.encoder_.model_.has_code:
            raise ValueError(
                f"The `encoder` parameter of {owner} must have codes. This {type(self.encoder_).__name__} has none, "
                "because n_components=None: pass a number."
            )
        self.n_features_in_ = self.encoder_.n_features_in_
        if hasattr(self.encoder_, "feature_names_in_"):
            self.feature_names_in_ = self.encoder_.feature_names_in_
        return np.asarray(self.encoder_.transform(X))

    def _rows(self, X: Any, y: Any) -> int:
        """How many examples X holds, once it and `y` are found to be there."""
        given = self._given()
        fitted = given is not None and given.__sklearn_is_fitted__()
        encoder = AE() if given is None else given if fitted else clone(given)
        n = len(encoder._validated(X, reset=not fitted))
        if y is None:
            raise ValueError(f"{type(self).__name__} requires y to be passed, but the target y is None.")
        return n

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
            given = AE(_components(X), random_state=seed_from(self.random_state))
        return given if given.__sklearn_is_fitted__() else clone(given).fit(X)

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

    def _codes(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return np.asarray(self.encoder_.transform(X))


class Classifier(ClassifierMixin, _FromFew):
    """Classes of examples, learned from few labels and all examples.

    Parameters
    ----------
    encoder : an estimator of narrows with codes: a fitted one is used as it is (in a `GridSearchCV`, which clones, wrap
        it in scikit-learn's `FrozenEstimator`), another one is fitted on all examples; None for `AE(32)` (a VAE for
        "joint"), or half as many components as there are columns.
    method : "probe", "spread", "fine-tune" or "joint", see the top of this module; "auto" spreads where examples
        without a label are given, and probes otherwise. "joint" takes the settings of an encoder that is a VAE.
    n_neighbors : edges of each example in the graph along which labels spread.
    random_state : seed of everything random.

    Attributes
    ----------
    classes_ : C classes, sorted.
    encoder_ : the fitted encoder.
    method_ : what was done.
    probabilities_ : (n, C) of the examples fitted on; only where labels spread.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import VAE
    >>> from narrows.tasks import Classifier
    >>> rng = np.random.default_rng(0)
    >>> X = np.concatenate([rng.normal(size=(60, 4)), rng.normal(6, size=(60, 4))])
    >>> y = np.full(120, -1)
    >>> y[[0, 1, 60, 61]] = [0, 0, 1, 1]  # -1: not known
    >>> model = Classifier(VAE(2, hidden=(16,), max_epochs=40), random_state=0).fit(X, y)
    >>> float(model.score(X, np.repeat([0, 1], 60))) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> Classifier:
        """Learn from all of X, and from the labels that are known.

        Parameters
        ----------
        X : examples, as narrows' estimators take them.
        y : a label for each: numbers or words. -1, NaN and None stand for a label that is not known; -1 is a class like
            any other where there is only one besides.

        Raises
        ------
        ValueError
            If `y` is of another length, or fewer than two classes are known.
        """
        labels, known = self._targets(y, self._rows(X, y))
        self.classes_, numbers = np.unique(labels[known], return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(
                f"{type(self).__name__} needs labels of at least 2 classes. Got one class, {self.classes_[0].item()!r}."
            )
        place = np.full(len(labels), UNKNOWN)
        place[known] = numbers
        if self.method == "joint":
            return self._fit_joint(X, place)
        codes = self._begin(X, known)
        self.probe_ = _logistic(codes[known], numbers, seed_from(self.random_state))
        if self.method_ == "spread" or (self.method_ == "fine-tune" and not known.all()):
            self._fit_graph(codes, place)
        if self.method_ == "fine-tune":
            if not known.all():
                place = np.where(known, place, self.probabilities_.argmax(1))
            self._fine_tune(X, place)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each example: (n,)."""
        found = self.predict_proba(X).argmax(1)
        return self.classes_[found]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class for each example: (n, C), in the order of `classes_`."""
        check_is_fitted(self)
        if self.method_ in ("fine-tune", "joint"):
            return self._guessed(X)
        codes = self._codes(X)
        found = self.probe_.predict_proba(codes)
        if self.method_ == "spread":
            k = min(self.n_neighbors, len(self.graph_.points))
            found = _product(self.graph_.at(self._points(codes), self.spread_, k), found)
        return found

    def _methods(self) -> tuple[str, ...]:
        return "probe", "spread", "fine-tune", "joint"

    def _targets(self, y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The labels, and which of the n are known."""
        labels = self._column(y, n, "label")
        known = np.array([not (v is None or v != v) for v in labels.tolist()], dtype=bool)
        if labels.dtype.kind in "iufO":
            absent = np.array([known[i] and not isinstance(v, str) and v == -1 for i, v in enumerate(labels.tolist())])
            if len(set(labels[known & ~absent].tolist())) > 1:
                known &= ~absent
        if labels.dtype.kind == "O" and known.any():
            labels = np.where(known, labels, labels[known][0])
            labels = np.array(labels.tolist())
        if known.any():
            check_classification_targets(labels[known])
        if known.sum() < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 examples with a label. Got {known.sum()}.")
        return labels, known

    # ---------------------------------------------------------------------------------------------- spreading

    def _fit_graph(self, codes: np.ndarray, place: np.ndarray) -> None:
        self.graph_ = self._graph(codes)
        marked = _marked(place, len(self.classes_))
        self.spread_by_ = self._chosen_spread(codes, place, marked)
        self.spread_ = _shares(self.graph_.spread(marked, self.spread_by_))
        self.probabilities_ = _product(self.spread_, self.probe_.predict_proba(codes))

    def _chosen_spread(self, codes: np.ndarray, place: np.ndarray, marked: np.ndarray) -> float:
        """How far labels are best made to flow: judged on known ones that are hidden, a fold at a time."""
        known = np.flatnonzero(place != UNKNOWN)
        folds = min(_FOLDS, np.bincount(place[known]).min())
        if folds < 2:
            return _SPREADS[1]
        split = StratifiedKFold(folds, shuffle=True, random_state=seed_from(self.random_state))
        right = dict.fromkeys(_SPREADS, 0)
        for _, hidden in split.split(known, place[known]):
            rows, shown = known[hidden], marked.copy()
            shown[rows] = 0
            for a in _SPREADS:
                right[a] += int((_shares(self.graph_.spread(shown, a))[rows].argmax(1) == place[rows]).sum())
        return max(_SPREADS, key=lambda a: right[a])

    # ---------------------------------------------------------------------------------------------- learning on

    def _fine_tune(self, X: Any, place: np.ndarray) -> None:
        """Let the encoder learn the labels, too."""
        tuned = self.encoder_ = copy.deepcopy(self.encoder_)
        seed = seed_from(self.random_state)
        counts = np.bincount(place, minlength=len(self.classes_)).clip(min=1)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            guess = Guess(tuned.model_.bottleneck.n_inputs, (counts / counts.sum()).tolist())
        tuned.model_.guess = guess  # while it learns; the model that is left is one like others
        costs = {name: 1.0 for name in tuned.model_.bottleneck.costs if name in ("kl", "l1", "kl_rate")}
        objective = WeightedCosts({**costs, "label": _LABEL_WEIGHT})
        rows = tuned._checked(X)
        train(tuned.model_, objective, rows, tuned.schema_, Settings(seed=seed), title="fine-tune", labels=place)
        self.head_, tuned.model_.guess = guess.eval(), None

    def _fit_joint(self, X: Any, place: np.ndarray) -> Classifier:
        """One VAE of examples and labels."""
        given = self._given()
        if given is not None and not isinstance(given, VAE):
            raise TypeError(
                'The `encoder` parameter of Classifier(method="joint") must be a VAE or None. Got '
                f"{type(given).__name__} instead."
            )
        known = place != UNKNOWN
        if known.all():
            raise ValueError(
                f'{type(self).__name__}(method="joint") learns from examples without a label, too, and all have one. '
                'Give such examples with the label -1, or take method="fine-tune".'
            )
        if given is None:
            given = VAE(_components(X), random_state=seed_from(self.random_state))
        # labelled examples are shown more often, so that each batch has some
        again = np.tile(np.flatnonzero(known), max(0, int(0.1 * len(place) / known.sum()) - 1))
        order = np.concatenate([np.arange(len(place)), again])
        label = np.where(known, place, np.nan)[order]
        self.method_ = "joint"
        self.encoder_ = clone(given).set_params(conditional=True).fit(_taken(X, order), label)
        self.n_features_in_ = self.encoder_.n_features_in_
        head = self.encoder_.model_.guess
        assert head is not None
        self.head_ = head
        return self

    def _guessed(self, X: Any) -> np.ndarray:
        """q(y | x) of the encoder's head."""
        model, head = self.encoder_.module(), self.head_
        rows = self.encoder_.prepared(X)
        found = self.encoder_.applied(lambda x: head.log_probabilities(model.encoder(x)), rows)
        return found.double().softmax(1).numpy()


class Regressor(RegressorMixin, _FromFew):
    """Numbers for examples, learned from few of them and all examples.

    The probe is a ridge regression on the codes, and what spreads is what it misses where the number is known.

    Parameters
    ----------
    encoder, n_neighbors, random_state : as of `Classifier`.
    method : "probe" or "spread"; "auto" spreads where examples without a number are given.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> from narrows.tasks import Regressor
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X @ [1.0, 2.0, 0.0, 0.0]
    >>> few = np.where(np.arange(200) < 100, y, np.nan)  # NaN: not known
    >>> float(Regressor(AE(4, hidden=(), random_state=0)).fit(X, few).score(X[100:], y[100:])) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> Regressor:
        """Learn from all of X, and from the numbers `y` (n,) that are known: NaN stands for one that is not.

        Raises
        ------
        ValueError
            If `y` is of another length or holds words or infinite numbers.
        """
        given = self._column(y, self._rows(X, y), "number")
        try:
            numbers = given.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y passed to {type(self).__name__} must hold numbers.") from error
        known = ~np.isnan(numbers)
        codes = self._begin(X, known)
        self.probe_ = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(codes[known], numbers[known])
        if self.method_ == "spread":
            self.graph_ = self._graph(codes)
            missed = np.where(known, numbers - self.probe_.predict(codes), 0.0)
            # beside what is missed flows how much is known of it: the ratio is a mean over known neighbours, drawn to 0
            # where they are few
            flowed = self.graph_.spread(np.stack([missed, known.astype(float)], 1), _SPREADS[0])
            self.spread_ = flowed[:, :1] / (flowed[:, 1:] + (1 - _SPREADS[0]))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """A number for each example: (n,)."""
        codes = self._codes(X)
        found = self.probe_.predict(codes)
        if self.method_ == "spread":
            found = found + self.graph_.at(self._points(codes), self.spread_, self.n_neighbors)[:, 0]
        return found

    def _methods(self) -> tuple[str, ...]:
        return "probe", "spread"


def _logistic(codes: np.ndarray, numbers: np.ndarray, seed: int) -> Pipeline | GridSearchCV:
    """A linear probe, whose penalty is chosen by what it makes of labels that it was not shown."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = min(_FOLDS, np.bincount(numbers).min())
    if folds < 2:
        return probe.fit(codes, numbers)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    search = GridSearchCV(probe, {"logisticregression__C": _PENALTIES}, cv=split, scoring="neg_log_loss")
    return search.fit(codes, numbers)


def _marked(place: np.ndarray, n_classes: int) -> np.ndarray:
    """n x C: 1 in the column of each known label."""
    marked = np.zeros((len(place), n_classes))
    known = np.flatnonzero(place != UNKNOWN)
    marked[known, place[known]] = 1
    return marked


def _shares(flowed: np.ndarray) -> np.ndarray:
    """What flowed, as probabilities: each class flowed equally, so that one with more labels does not drown others."""
    shares = flowed / flowed.sum(0).clip(min=1e-300)
    total = shares.sum(1, keepdims=True)
    # where no label came there is nothing to say
    return np.where(total > 0, shares / total.clip(min=1e-300), 1 / shares.shape[1])


def _product(spread: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """Both opinions: p proportional to spread * probe^0.3."""
    found = (spread + 1e-6) * (probe + 1e-6) ** _PROBE
    return found / found.sum(1, keepdims=True)


def _components(X: Any) -> int:
    shape = X.shape if hasattr(X, "shape") else np.shape(X)
    return max(1, min(_COMPONENTS, int(np.prod(shape[1:])) // 2))


def _taken(X: Any, order: np.ndarray) -> Any:
    return X.iloc[order] if hasattr(X, "iloc") else np.asarray(X)[order]
