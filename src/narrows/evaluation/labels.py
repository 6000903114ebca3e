"""Whether the code tells classes apart: with a few labels (a probe), by neighbours, and without any (clusters).

ARI  (sum_ij C(n_ij, 2) - e) / ((sum_i C(a_i, 2) + sum_j C(b_j, 2)) / 2 - e),
     e = sum_i C(a_i, 2) sum_j C(b_j, 2) / C(n, 2)              Hubert and Arabie (1985)
NMI  2 I(class; cluster) / (H(class) + H(cluster))
n_ij: the examples of class i in cluster j; a_i, b_j: its sums over rows and columns; C(n, 2) = n (n - 1) / 2.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np

from narrows.evaluation.absent import Absent
from narrows.evaluation.distances import nearest, points
from narrows.evaluation.intervals import N_GROUPS, Estimate, jackknife
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject

N_NEIGHBORS = 10
_MOST = 10_000  # examples, of all of which the distances from each other are looked at
_MOST_PROBED = 5_000
_MOST_CLUSTERS = 500
_FOLDS = 5


@measure(better=1)
def knn_accuracy(subject: Subject) -> Estimate:
    """Accuracy of the ten nearest neighbours in the code, each example left out in turn."""
    labels, few = _labels(subject, _MOST)
    if len(few) <= N_NEIGHBORS:
        raise Absent(f"{N_NEIGHBORS} neighbours need more than {N_NEIGHBORS} examples, and there are {len(few)}")
    right = neighbours_vote(subject.codes[few], labels, N_NEIGHBORS) == labels
    words = f"accuracy of {N_NEIGHBORS} nearest neighbours in the code, leave-one-out{_setting(labels)}"
    return subject.scene.resamples.mean(right, words)


@measure(better=1)
def probe_accuracy(subject: Subject) -> Estimate:
    """Accuracy of logistic regression on the code, cross-validated."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, few = _labels(subject, _MOST_PROBED)
    folds = min(_FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    if folds < 2:
        raise Absent("a class has one example only, which cannot be both learned from and asked for")
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100))
    split = StratifiedKFold(folds, shuffle=True, random_state=subject.scene.seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe need not be the very best one
        found = cross_val_predict(probe, subject.codes[few].astype(np.float32), labels, cv=split)
    words = f"accuracy of logistic regression on the code, {folds}-fold{_setting(labels)}"
    return subject.scene.resamples.mean(found == labels, words)


@measure(better=1)
def clustering(subject: Subject) -> dict[str, Estimate]:
    """Agreement of classes with as many clusters, found by k-means without the labels."""
    from sklearn.cluster import KMeans

    labels, few = _labels(subject, _MOST)
    if len(few) < 2 * N_GROUPS:
        raise Absent(f"it needs at least {2 * N_GROUPS} examples, and there are {len(few)}")
    n_classes = len(np.unique(labels))
    if n_classes > _MOST_CLUSTERS:
        raise Absent(f"there are {n_classes:,} classes, and clusters are looked for up to {_MOST_CLUSTERS}")
    codes = subject.codes[few]
    n_distinct = len(np.unique(codes, axis=0))
    if n_distinct < n_classes:
        raise Absent(f"there are {n_distinct} different codes for {n_classes} clusters")
    clusters = KMeans(n_classes, n_init=4, random_state=subject.scene.seed).fit_predict(codes)
    places, shape = labels * n_classes + clusters, (int(labels.max()) + 1, n_classes)

    def estimate(agreement: Callable[[np.ndarray], float], words: str) -> Estimate:
        def among(kept: np.ndarray) -> float:
            return agreement(np.bincount(places[kept], minlength=shape[0] * shape[1]).reshape(shape))

        return jackknife(among, len(few), f"{words} of {n_classes} k-means clusters of codes with the classes")

    return {
        "kmeans_ari": estimate(adjusted_rand, "adjusted Rand index (0 is chance)"),
        "kmeans_nmi": estimate(mutual_information, "normalised mutual information"),
    }


def neighbours_vote(codes: np.ndarray, labels: np.ndarray, n_neighbors: int) -> np.ndarray:
    """The commonest of the labels (integers from 0) of each point's nearest others; the least where several are."""
    index, _ = nearest(points(codes), n_neighbors)
    return vote(labels[index.numpy()])


def vote(labels: np.ndarray) -> np.ndarray:
    """The label that most in a row of `labels` (n x k) have; of several such the least."""
    ordered = np.sort(labels, axis=1)  # counted pair by pair: there may be more classes than examples
    counts = (ordered[:, :, None] == ordered[:, None, :]).sum(2)
    return ordered[np.arange(len(ordered)), counts.argmax(1)]


def adjusted_rand(cells: np.ndarray) -> float:
    """ARI of a table of counts, classes x clusters."""

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1)).sum()) / 2

    same, a, b, n = pairs(cells), pairs(cells.sum(1)), pairs(cells.sum(0)), pairs(cells.sum())
    expected = a * b / n
    return (same - expected) / ((a + b) / 2 - expected) if (a + b) / 2 != expected else 1.0


def mutual_information(cells: np.ndarray) -> float:
    """NMI of a table of counts, classes x clusters."""

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    p = cells / cells.sum()
    a, b = entropy(p.sum(1)), entropy(p.sum(0))
    return 2 * (a + b - entropy(p.ravel())) / (a + b) if a + b > 0 else 1.0


def _labels(subject: Subject, most: int) -> tuple[np.ndarray, np.ndarray]:
    """The labels of at most `most` examples, and which those are."""
    if subject.scene.labels is None:
        raise Absent("it needs labels: pass y=")
    few = subject.scene.few(most)
    return subject.scene.labels[few], few


def _setting(labels: np.ndarray) -> str:
    commonest = np.bincount(labels).max() / len(labels)
    return f"; n = {len(labels):,}, the commonest class is {commonest:.3g} of them"
