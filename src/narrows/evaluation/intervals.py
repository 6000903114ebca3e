"""95 % intervals of measures: of such intervals from other examples of the same kind, 95 % hold the true value.

    a mean               the bootstrap: percentiles 2.5 and 97.5 of the mean over 1,000 resamples of the examples
    a smooth function    the delete-a-group jackknife: value +- 1.96 s,
                         s^2 = (G - 1) / G sum_g (v_g - mean v)^2,  v_g the value without group g

Efron and Tibshirani, An introduction to the bootstrap (1993); Kott, The delete-a-group jackknife (2001).
Only examples are resampled: the intervals say nothing about another training of the model.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

N_RESAMPLES = 1_000
N_GROUPS = 10
MOST_RESAMPLED = (
    20_000  # examples; with more, the normal limit of the mean replaces the bootstrap, which gives the same
)
Z = 1.959963984540054  # the 97.5th percentile of N(0, 1)


class Estimate(NamedTuple):
    """A value, the ends of its 95 % interval (NaN where there is none), and a description."""

    value: float
    low: float = math.nan
    high: float = math.nan
    description: str = ""


class Resamples:
    """Resamples of examples. Measures of the same number of examples share them, so that they can be compared.

    >>> values = np.arange(100.0)
    >>> estimate = Resamples(0).mean(values, "of 0 to 99")
    >>> estimate.low < estimate.value == 49.5 < estimate.high
    True
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._counts: dict[int, np.ndarray] = {}

    def counts(self, n: int) -> np.ndarray:
        """Count how often each of n examples is in each resample: `N_RESAMPLES` x n."""
        if n not in self._counts:
            rng = np.random.default_rng(self.seed)
            counts = np.empty((N_RESAMPLES, n), np.float32)
            for row in counts:
                row[:] = np.bincount(rng.integers(n, size=n), minlength=n)
            self._counts = {n: counts}  # only one is kept: it is the largest array of an evaluation
        return self._counts[n]

    def mean(self, values: np.ndarray, description: str = "") -> Estimate:
        """Return the mean of `values`, one for each example (n,), with its interval."""
        values = np.asarray(values, dtype=np.float64)
        n, centre = len(values), float(values.mean())
        if n > MOST_RESAMPLED:
            error = Z * float(values.std(ddof=1)) / math.sqrt(n)
            return Estimate(centre, centre - error, centre + error, description)
        # single precision is enough for deviations from the mean
        means = centre + self.counts(n) @ (values - centre).astype(np.float32) / n
        means = means.clip(values.min(), values.max())  # a share stays within 0 and 1 after rounding
        return Estimate(centre, *percentiles(means), description)

    def ratio(self, numerators: np.ndarray, denominators: np.ndarray, description: str = "") -> Estimate:
        """Return the ratio of two sums over examples (n,), with its interval; the denominators are at least 0."""
        a, b = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
        n, value = len(a), float(a.sum() / b.sum())
        if n > MOST_RESAMPLED:  # the delta method: of r = mean a / mean b, the error is that of mean (a - r b) / mean b
            error = Z * float((a - value * b).std(ddof=1)) / math.sqrt(n) / float(b.mean())
            return Estimate(value, value - error, value + error, description)
        counts = self.counts(n)
        sums_a, sums_b = (counts @ (values / b.mean()).astype(np.float32) for values in (a, b))
        # a resample without any variance has no ratio
        ratios = np.divide(sums_a, sums_b, out=np.full(len(sums_a), value, np.float32), where=sums_b > 0)
        low, high = percentiles(ratios)
        return Estimate(value, min(low, value), max(high, value), description)


def percentiles(values: np.ndarray) -> tuple[float, float]:
    """Return the percentiles 2.5 and 97.5 of `values`."""
    low, high = np.quantile(values, (0.025, 0.975))
    return float(low), float(high)


def jackknife(
    function: Callable[[np.ndarray], float], n: int, description: str = "", largest: float = math.inf
) -> Estimate:
    """Return the value of `function` for all n examples, with an interval from its values without each group.

    Parameters
    ----------
    function : maps n booleans, True for the examples to use, to a value.
    largest : largest possible value, where the interval ends; such as 1 for a share.
    """
    group = np.arange(n) % N_GROUPS
    without = np.array([function(group != g) for g in range(N_GROUPS)])
    error = Z * math.sqrt((N_GROUPS - 1) / N_GROUPS * float(np.square(without - without.mean()).sum()))
    value = function(np.ones(n, bool))
    return Estimate(value, value - error, min(value + error, largest), description)
