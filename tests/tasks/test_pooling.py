"""Rubin's rules: closed forms, limits, and the coverage of the pooled interval of a mean."""

import re

import numpy as np
import pytest
from scipy import stats

from narrows.tasks import pool_estimates


def test_two_tables_by_hand():
    pooled = pool_estimates([1.0, 3.0], [0.5, 1.5], confidence=0.9)
    assert (pooled.estimate, pooled.within, pooled.between) == (2.0, 1.0, 2.0)
    assert pooled.variance == pytest.approx(1.0 + 1.5 * 2.0)
    assert pooled.standard_error == pytest.approx(2.0)
    assert pooled.degrees_of_freedom == pytest.approx((4 / 3) ** 2)  # (m - 1) (1 + W / (1.5 B))^2
    assert pooled.missing_information == pytest.approx((3 + 2 / ((4 / 3) ** 2 + 3)) / 4)  # r = 3
    low, high = stats.t.interval(0.9, (4 / 3) ** 2, 2.0, 2.0)
    assert (pooled.low, pooled.high) == pytest.approx((low, high))
    assert str(pooled).startswith("2 +- 2, 90 % interval ")


def test_degrees_of_freedom_of_barnard_and_rubin():
    pooled = pool_estimates([1.0, 3.0, 2.0], [2.0, 2.0, 2.0], complete_df=17)
    share = (4 / 3) / (2 + 4 / 3)
    old, observed = 2 / share**2, 18 / 20 * 17 * (1 - share)
    assert pooled.degrees_of_freedom == pytest.approx(1 / (1 / old + 1 / observed))
    assert pool_estimates([1.0, 3.0, 2.0], [2.0] * 3).degrees_of_freedom == pytest.approx(old)
    many = pool_estimates([1.0, 3.0, 2.0], [2.0] * 3, complete_df=1e12)
    assert many.degrees_of_freedom == pytest.approx(old)
    assert pool_estimates([1.0, 3.0, 2.0], [2.0] * 3, complete_df=np.inf).degrees_of_freedom == pytest.approx(old)


def test_several_estimates_are_pooled_one_by_one():
    rng = np.random.default_rng(0)
    estimates, variances = rng.normal(size=(5, 3)), rng.random((5, 3))
    pooled = pool_estimates(estimates, variances, complete_df=30)
    for j in range(3):
        one = pool_estimates(estimates[:, j], variances[:, j], complete_df=30)
        for name in ("estimate", "variance", "degrees_of_freedom", "missing_information", "low", "high"):
            assert getattr(pooled, name)[j] == pytest.approx(getattr(one, name)), name
    assert len(repr(pooled).splitlines()) == 3


def test_tables_that_agree_and_analyses_without_variance():
    same = pool_estimates([2.0, 2.0, 2.0], [1.0, 1.0, 1.0])
    assert (same.degrees_of_freedom, same.missing_information) == (np.inf, 0.0)
    assert (same.low, same.high) == pytest.approx((2 - 1.959964, 2 + 1.959964), abs=1e-6)
    exact = pool_estimates([2.0, 2.0], [0.0, 0.0])
    assert (exact.low, exact.high, exact.variance) == (2.0, 2.0, 0.0)
    only_gaps = pool_estimates([1.0, 2.0], [0.0, 0.0])
    assert (only_gaps.degrees_of_freedom, only_gaps.missing_information) == (1.0, 1.0)
    assert pool_estimates([1.0, 2.0], [0.0, 0.0], complete_df=9).high == np.inf


def test_the_interval_of_a_mean_covers_it_as_often_as_it_says():
    """Rows from N(0, 1), of which 40 % are hidden at random, filled by draws from their true posterior."""
    rng = np.random.default_rng(0)
    n, n_hidden, m, n_trials = 40, 16, 5, 4_000
    n_seen = n - n_hidden
    seen = rng.normal(size=(n_trials, n_seen))
    variance = seen.var(1, ddof=1) * (n_seen - 1) / rng.chisquare(n_seen - 1, (m, n_trials))
    mean = seen.mean(1) + rng.normal(size=(m, n_trials)) * np.sqrt(variance / n_seen)
    drawn = mean[..., None] + rng.normal(size=(m, n_trials, n_hidden)) * np.sqrt(variance)[..., None]
    filled = np.concatenate([np.broadcast_to(seen, (m, n_trials, n_seen)), drawn], 2)
    pooled = pool_estimates(filled.mean(2), filled.var(2, ddof=1) / n, complete_df=n - 1)
    covered = (pooled.low < 0) & (pooled.high > 0)
    assert covered.mean() == pytest.approx(0.95, abs=0.012)  # three standard errors
    one = np.abs(filled[0].mean(1)) < stats.t.ppf(0.975, n - 1) * filled[0].std(1, ddof=1) / np.sqrt(n)
    assert one.mean() < 0.88  # one filled table looks more certain than it is
    assert np.median(pooled.missing_information) == pytest.approx(0.4, abs=0.1)


@pytest.mark.parametrize(
    ("estimates", "variances", "options", "message"),
    [
        ([1.0], [1.0], {}, "at least 2 tables"),
        ([1.0, np.nan], [1.0, 1.0], {}, "`estimates` parameter of pool_estimates must hold a finite number"),
        ([1.0, 2.0], [1.0, 1.0, 1.0], {}, "must have one shape. Got (2,) and (3,)"),
        ([1.0, 2.0], [1.0, -1.0], {}, "pass squared standard errors"),
        ([1.0, 2.0], ["a", "b"], {}, "`variances` parameter"),
        ([1.0, 2.0], [1.0, 1.0], {"confidence": 95}, "`confidence` parameter of pool_estimates"),
        ([1.0, 2.0], [1.0, 1.0], {"complete_df": 0}, "`complete_df` parameter of pool_estimates"),
    ],
)
def test_wrong_arguments(estimates, variances, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pool_estimates(estimates, variances, **options)
