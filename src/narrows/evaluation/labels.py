"""Measures of how well the code separates classes: by neighbours, by a probe, and by clusters without labels.

ARI  (sum_ij C(n_ij, 2) - e) / ((sum_i C(a_i, 2) + sum_j C(b_j, 2)) / 2 - e),
     e = sum_i C(a_i, 2) sum_j C(b_j, 2) / C(n, 2)              Hubert and Arabie (1985)
NMI  2 I(class; cluster) / (H(class) + H(cluster))
n_ij: number of examples of class i in cluster j; a_i, b_j: sizes of class i and of cluster j; C(n, 2) = n (n - 1) / 2.
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
_MOST = 10_000  # examples whose distances from each other are computed
MOST_PROBED = 5_000  # examples for the probe
_MOST_CLUSTERS = 500
_FOLDS = 5


@measure(better=1)
def knn_accuracy(subject: Subject) -> Estimate:
    """Accuracy of the ten nearest neighbours in the code, each example left out in turn.

    Raises Absent with too few examples.
    """
    labels, index = take_labels(subject, _MOST)
    if len(index) <= N_NEIGHBORS:
        raise Absent(f"{N_NEIGHBORS} neighbours need more than {N_NEIGHBORS} examples, and there are {len(index)}")
    is_correct = neighbours_vote(subject.codes_of(index), labels, N_NEIGHBORS) == labels
    description = (
        f"accuracy of the {N_NEIGHBORS} nearest neighbours in the code, leave-one-out{describe_labels(labels)}"
    )
    return subject.comparison.resamples.mean(is_correct, description)


@measure(better=1)
def probe_accuracy(subject: Subject) -> Estimate:
    """Accuracy of logistic regression on the code, cross-validated."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    labels, index = take_labels(subject, MOST_PROBED)
    split = split_folds(labels, subject.comparison.seed)
    probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=100))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe need not converge fully
        predicted = cross_val_predict(probe, subject.codes_of(index).astype(np.float32), labels, cv=split)
    description = f"accuracy of logistic regression on the code, {len(split)}-fold{describe_labels(labels)}"
    return subject.comparison.resamples.mean(predicted == labels, description)


@measure(better=1)
def clustering(subject: Subject) -> dict[str, Estimate]:
    """Agreement of the classes with as many clusters, which k-means finds without the labels."""
    from sklearn.cluster import KMeans

    labels, index = take_labels(subject, _MOST)
    if len(index) < 2 * N_GROUPS:
        raise Absent(f"it needs at least {2 * N_GROUPS} examples, and there are {len(index)}")
    n_classes = len(np.unique(labels))
    if n_classes > _MOST_CLUSTERS:
        raise Absent(f"there are {n_classes:,} classes, and it takes at most {_MOST_CLUSTERS}")
    codes = subject.codes_of(index)
    n_distinct = len(np.unique(codes, axis=0))
    if n_distinct < n_classes:
        raise Absent(f"there are {n_distinct} different codes for {n_classes} clusters")
    clusters = KMeans(n_classes, n_init=4, random_state=subject.comparison.seed).fit_predict(codes)
    cells, shape = labels * n_classes + clusters, (int(labels.max()) + 1, n_classes)

    def estimate(agreement: Callable[[np.ndarray], float], description: str) -> Estimate:
        def among(mask: np.ndarray) -> float:
            return agreement(np.bincount(cells[mask], minlength=shape[0] * shape[1]).reshape(shape))

        return jackknife(
            among, len(index), f"{description} of the classes and {n_classes} k-means clusters of the codes"
        )

    return {
        "kmeans_ari": estimate(adjusted_rand, "adjusted Rand index (0 is chance, 1 is best)"),
        "kmeans_nmi": estimate(mutual_information, "normalised mutual information (1 is best)"),
    }


def neighbours_vote(codes: np.ndarray, labels: np.ndarray, n_neighbors: int) -> np.ndarray:
    """Return the most frequent label among the nearest neighbours of each point, in a tie the smallest: (n,).

    Parameters
    ----------
    codes : n x L.
    labels : n class numbers from 0.
    """
    index, _ = nearest(points(codes), n_neighbors)
    return vote(labels[index.numpy()])


def vote(labels: np.ndarray) -> np.ndarray:
    """Return the most frequent label in each row of `labels` (n x k), in a tie the smallest: (n,)."""
    ordered = np.sort(labels, axis=1)  # by pairs, because there may be more classes than examples
    counts = (ordered[:, :, None] == ordered[:, None, :]).sum(2)
    return ordered[np.arange(len(ordered)), counts.argmax(1)]


def adjusted_rand(cells: np.ndarray) -> float:
    """Return the ARI of a table of counts, classes x clusters."""

    def pairs(counts: np.ndarray) -> float:
        return float((counts * (counts - 1)).sum()) / 2

    same, a, b, n = pairs(cells), pairs(cells.sum(1)), pairs(cells.sum(0)), pairs(cells.sum())
    expected = a * b / n
    return (same - expected) / ((a + b) / 2 - expected) if (a + b) / 2 != expected else 1.0


def mutual_information(cells: np.ndarray) -> float:
    """Return the NMI of a table of counts, classes x clusters."""

    def entropy(p: np.ndarray) -> float:
        p = p[p > 0]
        return float(-(p * np.log(p)).sum())

    p = cells / cells.sum()
    a, b = entropy(p.sum(1)), entropy(p.sum(0))
    return 2 * (a + b - entropy(p.ravel())) / (a + b) if a + b > 0 else 1.0


def take_labels(subject: Subject, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels of at most `most` examples, and the indices of these examples."""
    if subject.comparison.labels is None:
        raise Absent("it needs labels: pass y=")
    index = subject.comparison.subsample(most)
    return subject.comparison.labels[index], index


def split_folds(labels: np.ndarray, seed: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the indices of training and of held-out examples of each fold, at most five; classes are spread evenly.

    Raises Absent if a class has one example.
    """
    from sklearn.model_selection import StratifiedKFold

    folds = min(_FOLDS, int(np.bincount(labels)[np.unique(labels)].min()))
    if folds < 2:
        raise Absent("a class has only one example, which cannot be used both to train and to test")
    split = StratifiedKFold(folds, shuffle=True, random_state=seed).split(labels, labels)
    return [(train, test) for train, test in split]


def describe_labels(labels: np.ndarray) -> str:
    """Return the end of a description: the number of examples, and the share of the largest class."""
    share = np.bincount(labels).max() / len(labels)
    return f"; n = {len(labels):,}, of which the largest class is {share:.3g}"
