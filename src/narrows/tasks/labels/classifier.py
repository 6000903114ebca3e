"""`Classifier`: classes of examples, learned from all examples and few labels."""

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
from narrows.data.labels import fill_unknown, find_classes, split_known
from narrows.estimators import VAE
from narrows.estimators.signature import as_seed
from narrows.renamed import Renamed
from narrows.tasks.labels.base import SemiSupervisedModel, default_n_components
from narrows.tasks.labels.graph import ALPHAS

_PROBE_POWER = 0.3  # exponent of the probe's probabilities in the product with those from spreading
_N_FOLDS = 3
_PENALTIES = np.logspace(-3, 2, 6)


class Classifier(ClassifierMixin, SemiSupervisedModel):
    """Classification from few labels and all examples.

    Parameters
    ----------
    encoder : an estimator of narrows with codes. A fitted one is used as it is; an unfitted one is fitted on all
        examples. None takes `AE(32)` (a VAE for "joint"), with fewer components for examples of fewer than 64 entries.
        `GridSearchCV` clones estimators: wrap a fitted encoder in scikit-learn's `FrozenEstimator` there.
    method : "probe", "spread", "fine-tune" or "joint", see `narrows.tasks.labels`. "auto" is "spread" if some labels
        are unknown, else "probe". "joint" takes the settings of `encoder`, which must be a VAE.
    n_neighbors : number of edges of each example in the graph of label spreading, from 1 to n - 1.
    random_state : seed of the random numbers.

    Attributes
    ----------
    classes_ : (C,), the classes, sorted.
    encoder_ : the fitted encoder.
    method_ : str, the method that was used.
    probabilities_ : (n, C), class probabilities of the training examples; only if labels were spread.

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

    spread_by_ = Renamed("alpha_")

    def fit(self, X: Any, y: Any) -> Classifier:
        """Fit the model.

        Parameters
        ----------
        X : n examples, as the estimators of narrows take them.
        y : (n,) labels, numbers or words. -1, NaN and None mean an unknown label. But if the labels are -1 and only one
            other class, -1 is a class, too.

        Raises
        ------
        ValueError
            If a parameter is outside its range, or if `y` has another length than X or fewer than two classes.
        TypeError
            If `encoder` is not an estimator of narrows, or not a VAE for "joint".
        """
        labels, known = self._targets(y, self._start_fit(X, y))
        self.classes_, indices = find_classes(
            labels[known], type(self).__name__, "give some examples of another class their label"
        )
        class_index = np.full(len(labels), UNKNOWN)
        class_index[known] = indices
        if self.method == "joint":
            return self._fit_joint(X, class_index)
        codes = self._encode_training(X, known)
        self.probe_ = _fit_probe(codes[known], indices, as_seed(self.random_state))
        if self.method_ == "spread" or (self.method_ == "fine-tune" and not known.all()):
            self._fit_graph(codes, class_index)
        if self.method_ == "fine-tune":
            if not known.all():
                class_index = np.where(known, class_index, self.probabilities_.argmax(1))
            counts = np.bincount(class_index, minlength=len(self.classes_)).clip(min=1)
            self._fine_tune(X, class_index, lambda n: LabelHead(n, (counts / counts.sum()).tolist()))
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return the most probable class of each example: (n,). Raises as `predict_proba` does."""
        check_is_fitted(self)
        return self.classes_[self.predict_proba(X).argmax(1)]

    def predict_proba(self, X: Any) -> np.ndarray:
        """Return the probability of each class for each example: (n, C), in the order of `classes_`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not like the examples of the fit.
        """
        check_is_fitted(self)
        if self.method_ in ("fine-tune", "joint"):
            return self._apply_head(LabelHead.log_probs, X).softmax(1).numpy()
        codes = self._codes(X)
        probabilities = self.probe_.predict_proba(codes)
        if self.method_ == "spread":
            spread = self.graph_.interpolate(self._graph_points(codes), self.spread_, self.n_neighbors)
            probabilities = _combine(spread, probabilities)
        return probabilities

    def _method_names(self) -> tuple[str, ...]:
        return "probe", "spread", "fine-tune", "joint"

    def _targets(self, y: Any, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the labels (n,), and True for those that are known (n,)."""
        labels = self._column(y, n, "label")
        _, known = split_known(labels)
        if labels.dtype.kind in "iufO":
            pairs = zip(known, labels.tolist(), strict=True)
            is_minus_one = np.array(
                [is_known and not isinstance(v, str) and v == -1 for is_known, v in pairs], dtype=bool
            )
            if len(set(labels[known & ~is_minus_one].tolist())) > 1:
                known &= ~is_minus_one
        if labels.dtype.kind == "O":
            labels = fill_unknown(labels, known)
        if known.any():
            check_classification_targets(labels[known])
        self._check_known(known)
        return labels, known

    # ---------------------------------------------------------------------------------------------- spreading

    def _fit_graph(self, codes: np.ndarray, class_index: np.ndarray) -> None:
        self.graph_ = self._build_graph(codes)
        one_hot = _one_hot(class_index, len(self.classes_))
        self.alpha_ = self._select_alpha(codes, class_index, one_hot)
        self.spread_ = _normalize(self.graph_.spread(one_hot, self.alpha_))
        self.probabilities_ = _combine(self.spread_, self.probe_.predict_proba(codes))

    def _select_alpha(self, codes: np.ndarray, class_index: np.ndarray, one_hot: np.ndarray) -> float:
        """Return the alpha of the highest accuracy in a cross-validation over the known labels."""
        known = np.flatnonzero(class_index != UNKNOWN)
        folds = min(_N_FOLDS, np.bincount(class_index[known]).min())
        if folds < 2:
            return ALPHAS[1]
        split = StratifiedKFold(folds, shuffle=True, random_state=as_seed(self.random_state))
        n_correct = dict.fromkeys(ALPHAS, 0)
        for _, hidden in split.split(known, class_index[known]):
            rows, start = known[hidden], one_hot.copy()
            start[rows] = 0
            for a in ALPHAS:
                predicted = _normalize(self.graph_.spread(start, a))[rows].argmax(1)
                n_correct[a] += int((predicted == class_index[rows]).sum())
        return max(ALPHAS, key=lambda a: n_correct[a])

    # ---------------------------------------------------------------------------------------------- joint

    def _fit_joint(self, X: Any, class_index: np.ndarray) -> Classifier:
        """Fit one VAE of examples and labels."""
        encoder = self._unwrap_encoder()
        if encoder is not None and not isinstance(encoder, VAE):
            raise TypeError(
                'The `encoder` parameter of Classifier(method="joint") must be a VAE or None. Got '
                f"{type(encoder).__name__} instead."
            )
        known = class_index != UNKNOWN
        if known.all():
            raise ValueError(
                f'{type(self).__name__}(method="joint") also needs examples without a label, and all have one. '
                'Add some with the label -1, or use method="fine-tune".'
            )
        if encoder is None:
            encoder = VAE(default_n_components(X))
        # labelled examples are repeated, so that each batch has some
        repeats = np.tile(np.flatnonzero(known), max(0, int(0.1 * len(class_index) / known.sum()) - 1))
        order = np.concatenate([np.arange(len(class_index)), repeats])
        y = np.where(known, self.classes_.astype(object)[class_index], None)[order]
        self.method_ = "joint"
        self.encoder_ = self._fit_clone(encoder, take_rows(X, order), y, conditional=True)
        self._copy_feature_names()
        label = self.encoder_.model_.label
        assert label is not None
        assert label.head is not None  # some labels are missing
        self.head_ = label.head
        return self


def _fit_probe(codes: np.ndarray, indices: np.ndarray, seed: int) -> Pipeline | GridSearchCV:
    """Fit a logistic regression on the codes (n, L), whose penalty is chosen by cross-validation."""
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
    folds = min(_N_FOLDS, np.bincount(indices).min())
    if folds < 2:
        return probe.fit(codes, indices)
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    search = GridSearchCV(probe, {"logisticregression__C": _PENALTIES}, cv=split, scoring="neg_log_loss")
    return search.fit(codes, indices)


def _one_hot(class_index: np.ndarray, n_classes: int) -> np.ndarray:
    """Return 1 in the column of each known label, else 0: n x C."""
    return (class_index[:, None] == np.arange(n_classes)).astype(np.float64)


def _normalize(spread: np.ndarray) -> np.ndarray:
    """Return class probabilities (n x C). Each class spreads the same total, however many labels it has."""
    ratios = spread / spread.sum(0).clip(min=1e-300)
    total = ratios.sum(1, keepdims=True)
    # an example that no label reached has equal probabilities
    return np.where(total > 0, ratios / total.clip(min=1e-300), 1 / ratios.shape[1])


def _combine(spread: np.ndarray, probe: np.ndarray) -> np.ndarray:
    """Return p (n x C) proportional to spread * probe^0.3."""
    product = (spread + 1e-6) * (probe + 1e-6) ** _PROBE_POWER
    return product / product.sum(1, keepdims=True)
