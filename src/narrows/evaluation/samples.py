"""Measures of new examples: are they like real ones, and as varied? All compare two sets in a space of features.

    Frechet    |m - m'|^2 + tr(S + S' - 2 (S S')^1/2),  m, S: mean and covariance    Heusel et al. (2017),
               https://arxiv.org/abs/1706.08500
    kernel     the unbiased squared MMD with (x . y / d + 1)^3                       Binkowski et al. (2018),
               https://arxiv.org/abs/1801.01401
    precision  share of new examples within the reach of a real one, its distance from its third neighbour
    recall     share of real examples within the reach of a new one                  Kynkaanniemi et al. (2019),
               https://arxiv.org/abs/1904.06991
    C2ST       accuracy of a classifier that tells the two apart, on examples that it has not seen; 0.5 is chance
               Lopez-Paz and Oquab (2017), https://arxiv.org/abs/1610.06545

The Frechet distance of few examples is too large on average, by about d / n if both sets have the same distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from narrows.evaluation.absent import Absent
from narrows.evaluation.distances import blocks, nearest
from narrows.evaluation.intervals import N_GROUPS, Estimate, Z, jackknife
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import ModelSubject, Subject

N_REACH = 3  # neighbours
_FEWEST = 2 * N_GROUPS


@measure(better=-1)
def frechet(subject: Subject) -> Estimate:
    """The Frechet distance of new examples from real ones."""
    real, new = _compared(subject)
    description = (
        f"Frechet distance of {len(new):,} new examples from {len(real):,} real ones in {subject.comparison.space_name}"
    )

    def between(mask: np.ndarray) -> float:
        return frechet_distance(real[mask], new[mask])

    return jackknife(between, len(real), description + _floor(subject, frechet_distance))


@measure(better=-1)
def kernel(subject: Subject) -> Estimate:
    """The kernel distance of new examples from real ones."""
    real, new = _compared(subject)
    value = kernel_distance(real, new)
    # the mean over groups has nearly the variance of the whole: pairs across groups add little to it
    groups = [kernel_distance(real[g::N_GROUPS], new[g::N_GROUPS]) for g in range(N_GROUPS)]
    error = Z * float(np.std(groups, ddof=1)) / math.sqrt(N_GROUPS)
    description = "kernel distance of the same examples; unbiased, so it may be below 0" + _floor(
        subject, kernel_distance
    )
    return Estimate(value, value - error, value + error, description)


@measure(better=1)
def precision(subject: Subject) -> Estimate:
    """Share of new examples that could be real."""
    real, new = _compared(subject)
    description = f"share of new examples within reach of a real one (the distance to its neighbour number {N_REACH})"
    return subject.comparison.resamples.mean(within_reach(new, real, N_REACH), description)


@measure(better=1)
def recall(subject: Subject) -> Estimate:
    """Share of real examples that could be new ones."""
    real, new = _compared(subject)
    description = f"share of real examples within reach of a new one (the distance to its neighbour number {N_REACH})"
    return subject.comparison.resamples.mean(within_reach(real, new, N_REACH), description)


@measure(better=-1)
def c2st(subject: Subject) -> Estimate:
    """Accuracy of a classifier that tells new examples from real ones."""
    real, new = _compared(subject)
    correct = classify_sets(real.numpy(), new.numpy(), subject.comparison.seed)
    description = (
        "accuracy of gradient-boosted trees that tell new from real examples, 2-fold; 0.5 is chance, the best value"
    )
    return subject.comparison.resamples.mean(correct, description)


def frechet_distance(a: Tensor, b: Tensor) -> float:
    """Return the Frechet distance between two sets of features, n x d each."""
    (m, s), (n, t) = ((x.mean(0), torch.cov(x.t(), correction=1).reshape(x.shape[1], -1)) for x in (a, b))
    values, vectors = torch.linalg.eigh(s)
    root = vectors * values.clamp(min=0).sqrt() @ vectors.t()
    # the eigenvalues of S S' are those of S^1/2 S' S^1/2, which is symmetric
    cross = torch.linalg.eigvalsh(root @ t @ root).clamp(min=0).sqrt().sum()
    return float((m - n).square().sum() + s.trace() + t.trace() - 2 * cross)


def kernel_distance(a: Tensor, b: Tensor) -> float:
    """Return the unbiased squared MMD between two sets of features, n x d and m x d."""

    def mean(x: Tensor, y: Tensor, same: bool) -> float:
        total = sum(float(((part @ y.t() / x.shape[1] + 1) ** 3).sum()) for part in x.split(1024))
        diagonal = float(((x.square().sum(1) / x.shape[1] + 1) ** 3).sum()) if same else 0.0
        return (total - diagonal) / (len(x) * (len(y) - same))

    return mean(a, a, True) + mean(b, b, True) - 2 * mean(a, b, False)


def within_reach(a: Tensor, b: Tensor, k: int) -> np.ndarray:
    """Return True for each of `a` (n x d) that is as near to one of `b` (m x d) as the k-th neighbour of that: (n,)."""
    reach = nearest(b, k)[1][:, -1]
    return torch.cat([(block <= reach).any(1) for _, block in blocks(a, b)]).numpy()


def classify_sets(a: np.ndarray, b: np.ndarray, seed: int) -> np.ndarray:
    """Return True for each example of both sets whose set is found by a classifier trained on the other half.

    Raises Absent with fewer than two examples for each half.
    """
    from sklearn.ensemble import HistGradientBoostingClassifier

    x, y = np.concatenate([a, b]), np.repeat([0, 1], [len(a), len(b)])
    half = np.random.default_rng(seed).permutation(len(x)) % 2 == 0
    correct = np.empty(len(x), bool)
    for seen in (half, ~half):
        if len(np.unique(y[seen])) < 2:
            raise Absent("there are too few examples for two halves")
        classifier = HistGradientBoostingClassifier(max_iter=50, early_stopping=False, random_state=seed)
        correct[~seen] = classifier.fit(x[seen], y[seen]).predict(x[~seen]) == y[~seen]
    return correct


def _compared(subject: Subject) -> tuple[Tensor, Tensor]:
    real = subject.comparison.real_features
    if len(real) < _FEWEST:
        raise Absent(f"it needs at least {_FEWEST} examples, and there are {len(real)}")
    return real, subject.new_features


def _floor(subject: Subject, distance: Callable[[Tensor, Tensor], float]) -> str:
    """Return a text with the distance of real training examples: a model need not have a smaller one."""
    train = subject.comparison.train_features if isinstance(subject, ModelSubject) else None
    return (
        ""
        if train is None
        else f"; real training examples have {distance(subject.comparison.real_features, train):.3g}"
    )
