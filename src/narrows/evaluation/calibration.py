"""The outlier threshold on examples that the model has not seen.

flagged      share of examples below the threshold; about `contamination`, if they are like the training examples
score_shift  max_s |F(s) - F'(s)| (Kolmogorov and Smirnov), F and F': distribution functions of the scores of these
             examples and of training examples. The share below any threshold differs by at most this number.
"""

from __future__ import annotations

import numpy as np

from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject


@measure()
def flagged(subject: Subject) -> Estimate:
    """Share of the examples that are called outliers."""
    threshold, expected = subject.threshold
    description = f"share of examples called outliers; {expected:g} is expected of examples like the training examples"
    return subject.comparison.resamples.mean(subject.scores < threshold, description)


@measure(better=-1)
def score_shift(subject: Subject) -> Estimate:
    """Largest difference between the distribution functions of scores of these and of training examples."""
    scores, train = subject.scores, subject.train_scores
    chance = 1.358 * float(np.sqrt(1 / len(scores) + 1 / len(train)))  # the 95th percentile of Kolmogorov's limit
    description = (
        f"largest difference between the distribution functions of the scores of these and of {len(train):,} training "
        f"examples; by chance alone it is below {chance:.2g} in 95 % of cases"
    )
    return Estimate(kolmogorov_smirnov(scores, train), description=description)


def kolmogorov_smirnov(a: np.ndarray, b: np.ndarray) -> float:
    """Return the largest difference between the distribution functions of `a` and `b`, (n,) and (m,)."""
    values = np.concatenate([a, b])
    shares = (np.searchsorted(np.sort(x), values, side="right") / len(x) for x in (a, b))
    return float(np.abs(np.subtract(*shares)).max())
