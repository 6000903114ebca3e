"""Codes beside the known factors of their examples: checks, levels, pairs of a common level, mutual information.

    I(z_j; v_k) = sum p(b, v) log p(b, v) / (p(b) p(v))        b: bin of z_j, v: level of factor k; nats

n is the number of examples, L that of components, F that of factors. The level of a factor is the number of its value,
or of one of `n_bins` bins of equal width where it has more values than that and they are not whole numbers.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from narrows.data import as_dense
from narrows.params import Integer, Parameter

N_BINS = 20  # as disentanglement_lib has


class Known(NamedTuple):
    """Checked codes and factors of n examples.

    Attributes
    ----------
    codes : (n, L), float64.
    factors : (n, F), float64; the level of a factor that is not made of numbers.
    levels : (n, F), whole numbers from 0 to `n_levels` - 1, each of them there.
    n_levels : (F,).
    is_categorical : (F,), True for a factor whose values have no order.
    """

    codes: np.ndarray
    factors: np.ndarray
    levels: np.ndarray
    n_levels: np.ndarray
    is_categorical: np.ndarray

    @property
    def standardised(self) -> np.ndarray:
        """The codes with mean 0 and variance 1, (n, L); a component that does not vary is 0."""
        return standardise(self.codes)

    def take(self, rows: np.ndarray) -> Known:
        """Return the same of some rows; a level may be missing there."""
        return self._replace(codes=self.codes[rows], factors=self.factors[rows], levels=self.levels[rows])


def check_known(
    codes: Any, factors: Any, owner: str, *, n_bins: int = N_BINS, categorical: Sequence[int] = ()
) -> Known:
    """Check codes (n, L) and factors (n, F).

    Raises
    ------
    TypeError, ValueError
        If they are no such arrays of finite numbers, there are fewer than two factors, a factor has one value only, or
        `categorical` has a number that no factor has. Only factors may be words.
    """
    Parameter("n_bins", N_BINS, Integer(2), "").check(owner, n_bins)
    checked = check_array("codes", codes, owner)
    columns = np.asarray(factors)
    if columns.ndim != 2 or len(columns) != len(checked) or columns.shape[1] < 2:
        raise ValueError(
            f"The `factors` parameter of {owner} must have one row for each of {len(checked):,} codes and at least two "
            f"columns. Got shape {columns.shape} instead."
        )
    n_factors = columns.shape[1]
    names = list(getattr(factors, "columns", ()))
    categorical = [names.index(k) if k in names else k for k in categorical]
    for number in categorical:
        Parameter("categorical", (), Integer(0, n_factors - 1), "").check(owner, number)
    values, levels = np.empty(columns.shape), np.empty(columns.shape, np.int64)
    is_categorical = np.isin(np.arange(n_factors), list(categorical))
    for k in range(n_factors):
        values[:, k], levels[:, k], is_word = _levels(columns[:, k], f"Factor {k} of {owner}", n_bins)
        is_categorical[k] |= is_word
    return Known(checked, values, levels, levels.max(0) + 1, is_categorical)


def check_array(name: str, values: Any, owner: str) -> np.ndarray:
    """Return `values` as an array of finite numbers (n, d) in double precision. Raises ValueError if it is none."""
    array = np.asarray(as_dense(values))
    if array.ndim != 2 or array.dtype.kind not in "biuf" or 0 in array.shape or len(array) < 2:
        raise ValueError(
            f"The `{name}` parameter of {owner} must be numbers of shape (n, components), n at least 2. Got "
            f"{array.dtype} of shape {array.shape} instead."
        )
    if not np.isfinite(array).all():
        raise ValueError(f"The `{name}` parameter of {owner} must be finite. Got NaN or infinity.")
    return array.astype(np.float64)


def mutual_information(codes: np.ndarray, levels: np.ndarray, n_bins: int = N_BINS) -> np.ndarray:
    """Return the mutual information of components (n, L), in bins of equal width, and factors: (L, F) nats.

    Parameters
    ----------
    codes : (n, L) components.
    levels : (n, F) whole numbers from 0.
    """
    bins = np.stack([_bin(component, n_bins) for component in codes.T], axis=1)
    return np.array([[_information(b, v) for v in levels.T] for b in bins.T])


def entropy(levels: np.ndarray) -> np.ndarray:
    """Return the entropy of each factor, (F,) nats, from its levels (n, F)."""
    return np.array([_information(v, v) for v in levels.T])


def draw_of_common_level(
    levels: np.ndarray, n_sets: int, size: int, rng: np.random.Generator, owner: str
) -> np.ndarray:
    """Draw sets of examples that share their level of a factor: (n_sets, size) numbers of rows.

    The first one of a set is drawn from all rows whose level another row has, too; the others from the rows of its
    level, with repetitions but without the first.

    Parameters
    ----------
    levels : (n,) level of the factor in each row.

    Raises
    ------
    ValueError
        If no two rows share a level.
    """
    order = np.argsort(levels, kind="stable")
    count = np.bincount(levels)
    start = np.cumsum(count) - count
    place = np.arange(len(levels))  # in the sorted order
    shared = place[count[levels[order]] > 1]
    if not len(shared):
        raise ValueError(
            f"{owner} needs rows that share their value of a factor, and one factor has another value in each row. "
            "Pass it in fewer levels, or more rows."
        )
    first = rng.choice(shared, (n_sets, 1))
    level = levels[order[first]]
    steps = 1 + (rng.random((n_sets, size - 1)) * (count[level] - 1)).astype(int)
    others = start[level] + (first - start[level] + steps) % count[level]
    return np.asarray(order[np.concatenate([first, others], axis=1)])


def standardise(columns: np.ndarray) -> np.ndarray:
    """Return columns (n, d) with mean 0 and variance 1; one that does not vary is 0."""
    deviation = np.where(np.ptp(columns, axis=0) > 0, columns.std(0), np.inf)
    return np.asarray((columns - columns.mean(0)) / deviation)


def make_generator(owner: str, random_state: int) -> np.random.Generator:
    """Return a generator of the seed `random_state`, checked."""
    Parameter("random_state", 0, Integer(0), "").check(owner, random_state)
    return np.random.default_rng(random_state)


def split_rows(n: int, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return numbers of rows to train on, and a share of rows to test on."""
    order, n_test = rng.permutation(n), max(1, round(share * n))
    return order[n_test:], order[:n_test]


def fit_logistic(z: np.ndarray, y: np.ndarray, **options: Any) -> Any:
    """Return a fitted logistic regression of the classes y (n) on z (n, d)."""
    from sklearn.dummy import DummyClassifier
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    if len(np.unique(y)) < 2:  # few rows may lack all levels but one
        return DummyClassifier().fit(z, y)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a probe need not converge fully
        return LogisticRegression(max_iter=300, **options).fit(z, y)


def lead_of_best(scores: np.ndarray) -> np.ndarray:
    """Return by how much the best component of each factor leads the next one: (F,) from (L, F)."""
    ordered = np.sort(np.vstack([scores, np.zeros(scores.shape[1])]), axis=0)
    return np.asarray(ordered[-1] - ordered[-2])


def _levels(column: np.ndarray, who: str, n_bins: int) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return the values of a factor as numbers, its levels, and True if it is made of words."""
    try:
        numbers = column.astype(np.float64)
    except (TypeError, ValueError):
        _, level = np.unique(column.astype(str), return_inverse=True)
        numbers, is_word = level.astype(np.float64), True
    else:
        is_word = False
        if not np.isfinite(numbers).all():
            raise ValueError(f"{who} must have a finite value in each row. Got NaN or infinity.")
        found, level = np.unique(numbers, return_inverse=True)
        if len(found) > n_bins and not np.array_equal(found, np.round(found)):
            _, level = np.unique(_bin(numbers, n_bins), return_inverse=True)
    if not level.any():
        raise ValueError(
            f"{who} must have at least two values, and it is {column[0]} in each row. Leave the column out."
        )
    return numbers, level, is_word


def _bin(values: np.ndarray, n_bins: int) -> np.ndarray:
    """Return the bin of each value, of `n_bins` of equal width; 0 for all if they do not vary."""
    low, high = values.min(), values.max()
    if high <= low:
        return np.zeros(len(values), np.int64)
    return np.minimum(((values - low) / (high - low) * n_bins).astype(np.int64), n_bins - 1)


def _information(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mutual information of two columns of whole numbers from 0, nats."""
    shape = int(a.max()) + 1, int(b.max()) + 1
    joint = np.bincount(a * shape[1] + b, minlength=shape[0] * shape[1]).reshape(shape) / len(a)
    independent = joint.sum(1, keepdims=True) * joint.sum(0)
    there = joint > 0
    return max(0.0, float((joint[there] * np.log(joint[there] / independent[there])).sum()))
