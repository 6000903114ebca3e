"""Whether the outlier threshold keeps its promise on examples that the model has not seen.

flagged      share of examples below the threshold; `contamination` is what was promised, if none is an outlier
score_shift  max_s |F(s) - F'(s)|, the distribution functions of the scores of these and of training examples
             (Kolmogorov and Smirnov): by how much the share below any threshold may be off
"""

from __future__ import annotations

import numpy as np

from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject


@measure()
def flagged(subject: Subject) -> Estimate:
    """Share of the examples that are called outliers."""
    threshold, promised = subject.threshold
    words = f"share of examples called outliers; the threshold is made for {promised:g} of the training examples"
    return subject.scene.resamples.mean(subject.scores < threshold, words)


@measure(better=-1)
def score_shift(subject: Subject) -> Estimate:
    """How far the scores of these examples are from those of training examples."""
    scores, train = subject.scores, subject.train_scores
    chance = 1.358 * float(np.sqrt(1 / len(scores) + 1 / len(train)))  # the 95th percentile of Kolmogorov's limit
    words = (
        f"greatest gap between the shares of these and of {len(train):,} training examples below any one score; "
        f"chance alone stays below {chance:.2g} in 95 % of cases"
    )
    return Estimate(kolmogorov_smirnov(scores, train), words=words)


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> float:
    """The greatest distance between the distribution functions of `a` and `b`."""
    at = np.concatenate([a, b])
    shares = (np.searchsorted(np.sort(x), at, side="right") / len(x) for x in (a, b))
    return float(np.abs(np.subtract(*shares)).max())
