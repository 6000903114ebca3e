"""k-sparse probing: how well a few units of a dictionary tell the classes apart.

For each class, k units are chosen among the training rows of a fold by

    |mean of z_j in the class  -  mean of z_j elsewhere|,

and a logistic regression on these k predicts the class against all others. An example gets the class with the largest
probability; with two classes there is one regression. Beside it stand, by the same rule and on the same folds,

- components of PCA instead of units;
- units of a dictionary that learned nothing: L random unit vectors d_j, and as code of an example the k_0 largest
  positive (x - m) . d_j, k_0 the L0 of the model. It is the untrained form of the frozen decoder of Korznikov et al.,
  whose encoder is trained and whose probes come close to those of trained dictionaries;
- logistic regression on all columns of the rows, without a code.

Gurnee et al., Finding neurons in a haystack (2023), https://arxiv.org/abs/2305.01610; Kantamneni et al., Are sparse
autoencoders useful? (2025), https://arxiv.org/abs/2502.16681; Korznikov et al., Sanity checks for sparse autoencoders
(2026), https://arxiv.org/abs/2602.14111.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np

from narrows.evaluation.absent import Absent
from narrows.evaluation.cells import as_linear
from narrows.evaluation.intervals import Estimate
from narrows.evaluation.labels import MOST_PROBED, describe_labels, split_folds, take_labels
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import ModelSubject, PCABaseline, Subject

_SIZES = (1, 5, 20)
_MOST_CLASSES = 50
_MOST_COMPONENTS = 256  # of PCA, from which k are chosen
_N_FROZEN = 3  # dictionaries of random directions


@measure(better=1)
def k_probe(subject: Subject) -> dict[str, Estimate]:
    """Accuracy of logistic regression on k units, beside random directions and all columns.

    Raises Absent for a code that is not sparse, or without labels.
    """
    comparison = subject.comparison
    _ = comparison.inspection.sparse  # of the evaluated model
    labels, index = take_labels(subject, MOST_PROBED)
    n_classes = len(np.unique(labels))
    if not 2 <= n_classes <= _MOST_CLASSES:
        raise Absent(f"there are {n_classes:,} classes, and it takes 2 to {_MOST_CLASSES}")
    folds = split_folds(labels, comparison.seed)
    setting = f", {len(folds)}-fold{describe_labels(labels)}"
    vectors = as_linear(comparison.rows[index], comparison.schema)

    def estimate(is_correct: np.ndarray, description: str) -> Estimate:
        return comparison.resamples.mean(is_correct, description + setting)

    if isinstance(subject, PCABaseline):
        hits = _probe(_components(vectors), labels, folds)
        return {f"k_probe_{k}": estimate(hits[k], f"the same with {k} components of PCA") for k in hits}
    assert isinstance(subject, ModelSubject)
    _ = subject.inspection.sparse
    codes = subject.codes_of(index).astype(np.float32)
    hits = _probe(codes, labels, folds)
    rows = {
        f"k_probe_{k}": estimate(hits[k], f"accuracy of logistic regression on {_units(k)} for each class")
        for k in hits
    }
    n_active = max(1, round(float(np.diff(subject.inspection.firing[index].indptr).mean())))
    frozen = [
        _probe(codes_of_random(vectors, codes.shape[1], n_active, seed), labels, folds)
        for seed in np.random.default_rng(comparison.seed).integers(1 << 31, size=_N_FROZEN)
    ]
    for k in frozen[0]:
        mean = np.mean([hits[k] for hits in frozen], axis=0)
        rows[f"k_probe_{k}_random"] = estimate(
            mean,
            f"the same with random directions of which {n_active} are active, mean of {_N_FROZEN} sets",
        )
    everything = _predict(vectors.astype(np.float64), labels, folds)
    rows["k_probe_raw"] = estimate(everything, "accuracy of logistic regression on all columns, without a code")
    return rows


def codes_of_random(vectors: np.ndarray, n_units: int, n_active: int, seed: int) -> np.ndarray:
    """Return the codes of a dictionary of random directions: the largest positive (x - mean) . d_j of each row.

    Parameters
    ----------
    vectors : n x d.
    n_units, n_active : L, and how many of the L numbers of a row are kept.
    seed : seed of the directions, which have length 1.

    Returns
    -------
    n x L, of which at most `n_active` of each row are above 0.
    """
    directions = np.random.default_rng(seed).standard_normal((vectors.shape[1], n_units)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=0)
    codes = ((vectors - vectors.mean(0)).astype(np.float32) @ directions).clip(min=0)
    if n_active < n_units:
        smaller = np.argpartition(codes, n_units - n_active, axis=1)[:, : n_units - n_active]
        np.put_along_axis(codes, smaller, 0, axis=1)
    return codes


def choose_units(codes: np.ndarray, labels: np.ndarray, k: int) -> np.ndarray:
    """Return, for each class, the k units whose means in the class and elsewhere differ most, the largest first: C x k.

    Parameters
    ----------
    codes : n x L.
    labels : n class numbers, of at least two classes; the result has their order.
    """
    is_in = (labels == np.unique(labels)[:, None]).astype(codes.dtype)
    sums, n = is_in @ codes, is_in.sum(1, keepdims=True)
    difference = np.abs(sums / n - (sums.sum(0) - sums) / (len(labels) - n))
    return np.argsort(-difference, axis=1, kind="stable")[:, :k]


def _probe(codes: np.ndarray, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> dict[int, np.ndarray]:
    """Return for each size whether the probe is right for each example, (n,), while it was held out."""
    sizes = [k for k in _SIZES if k <= codes.shape[1]]
    is_correct = {k: np.zeros(len(labels)) for k in sizes}
    for train, test in folds:
        classes = np.unique(labels[train])
        scores = {k: np.empty((len(test), len(classes))) for k in sizes}
        best_units = choose_units(codes[train], labels[train], sizes[-1])
        for c, of_class in _against_all(classes):
            target, chosen = labels[train] == of_class, best_units[c]
            a, b = _standardised(codes[np.ix_(train, chosen)], codes[np.ix_(test, chosen)])
            for k in sizes:
                scores[k][:, c] = _fit(a[:, :k], target).decision_function(b[:, :k])
        for k in sizes:
            best = scores[k].argmax(1) if len(classes) > 2 else (scores[k][:, 1] > 0).astype(int)
            is_correct[k][test] = classes[best] == labels[test]
    return is_correct


def _predict(vectors: np.ndarray, labels: np.ndarray, folds: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return whether logistic regression on all columns is right for each example, (n,), while it was held out."""
    is_correct = np.zeros(len(labels))
    for train, test in folds:
        a, b = _standardised(vectors[train], vectors[test])
        is_correct[test] = _fit(a, labels[train], solver="lbfgs").predict(b) == labels[test]
    return is_correct


def _against_all(classes: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield the position and the number of each class; of two classes only the second."""
    yield from list(enumerate(classes))[1 if len(classes) == 2 else 0 :]


def _fit(X: np.ndarray, y: np.ndarray, solver: str = "newton-cholesky") -> Any:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe need not converge fully
        return LogisticRegression(solver=solver, max_iter=100).fit(X, y)


def _standardised(train: np.ndarray, test: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    mean, std = train.mean(0, dtype=np.float64), train.std(0, dtype=np.float64)
    std = np.where(std > 0, std, 1)
    return (train - mean) / std, (test - mean) / std


def _components(vectors: np.ndarray) -> np.ndarray:
    """Return the coordinates of rows along their first principal components, at most 256. They use no label."""
    from sklearn.decomposition import PCA

    return np.asarray(PCA(min(_MOST_COMPONENTS, *vectors.shape), random_state=0).fit_transform(vectors))


def _units(k: int) -> str:
    return "1 unit" if k == 1 else f"{k} units"
