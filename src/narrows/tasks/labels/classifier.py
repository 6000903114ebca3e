"""Classes of examples, learned from few labels and all examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from narrows.bottlenecks import UNKNOWN, LabelHead
from narrows.data import take_rows
from narrows.data.labels import fill_unknown, split_known
from narrows.estimators import VAE
from narrows.estimators.signature import as_seed
from narrows.tasks.labels.few import FromFew, components_for
from narrows.tasks.labels.graph import SPREADS

_PROBE = 0.3  # the power to which the probe's probabilities are taken beside those that flowed
_FOLDS = 3
_PENALTIES = np.logspace(-3, 2, 6)


class Classifier(ClassifierMixin, FromFew):
    """Classes of examples, learned from few labels and all examples.

    Parameters
    ----------
    encoder : an estimator of narrows with codes: a fitted one is used as it is (in a `GridSearchCV`, which clones, wrap
        it in scikit-learn's `FrozenEstimator`), another one is fitted on all examples; None for `AE(32)` (a VAE for
        "joint"), or half as many components as there are columns.
    method : "probe", "spread", "fine-tune" or "joint", see `narrows.tasks.labels`; "auto" spreads where examples
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
        self.probe_ = _logistic(codes[known], numbers, as_seed(self.random_state))
        if self.method_ == "spread" or (self.method_ == "fine-tune" and not known.all()):
            self._fit_graph(codes, place)
        if self.method_ == "fine-tune":
            if not known.all():
                place = np.where(known, place, self.probabilities_.argmax(1))
            counts = np.bincount(place, minlength=len(self.classes_)).clip(min=1)
            self._fine_tune(X, place, lambda n: LabelHead(n, (counts / counts.sum()).tolist()))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each example: (n,)."""
        found = self.predict_proba(X).argmax(1)
        return self.classes_[found]

    def predict_proba(self, X: Any) -> np.ndarray:
        """The probability of each class for each example: (n, C), in the order of `classes_`."""
        check_is_fitted(self)
        if self.method_ in ("fine-tune", "joint"):
            return self._by_head(LabelHead.log_probs, X).softmax(1).numpy()
        codes = self._codes(X)
        found = self.probe_.predict_proba(codes)
        if self.method_ == "spread":
            found = _product(self.graph_.at(self._points(codes), self.spread_, self.n_neighbors), found)
        return found

    def _methods(self) -> tuple[str, ...]:
        return "probe", "spread", "fine-tune", "joint"

    def _targets(self, y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """The labels, and which of the n are known."""
        labels = self._column(y, n, "label")
        _, known = split_known(labels)
        if labels.dtype.kind in "iufO":
            pairs = zip(known, labels.tolist(), strict=True)
            absent = np.array([is_known and not isinstance(v, str) and v == -1 for is_known, v in pairs], dtype=bool)
            if len(set(labels[known & ~absent].tolist())) > 1:
                known &= ~absent
        if labels.dtype.kind == "O":
            labels = fill_unknown(labels, known)
        if known.any():
            check_classification_targets(labels[known])
        self._check_known(known)
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
            return SPREADS[1]
        split = StratifiedKFold(folds, shuffle=True, random_state=as_seed(self.random_state))
        right = dict.fromkeys(SPREADS, 0)
        for _, hidden in split.split(known, place[known]):
            rows, shown = known[hidden], marked.copy()
            shown[rows] = 0
            for a in SPREADS:
                right[a] += int((_shares(self.graph_.spread(shown, a))[rows].argmax(1) == place[rows]).sum())
        return max(SPREADS, key=lambda a: right[a])

    # ---------------------------------------------------------------------------------------------- learning on

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
            given = VAE(components_for(X))
        # labelled examples are shown more often, so that each batch has some
        again = np.tile(np.flatnonzero(known), max(0, int(0.1 * len(place) / known.sum()) - 1))
        order = np.concatenate([np.arange(len(place)), again])
        y = np.where(known, self.classes_.astype(object)[place], None)[order]
        self.method_ = "joint"
        self.encoder_ = self._seeded(given).set_params(conditional=True).fit(take_rows(X, order), y)
        self._take_form()
        label = self.encoder_.model_.label
        assert label is not None
        assert label.head is not None  # some labels are missing
        self.head_ = label.head
        return self


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
    return (place[:, None] == np.arange(n_classes)).astype(np.float64)


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
