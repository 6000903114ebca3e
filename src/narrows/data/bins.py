"""Bins of the numbers of a column: its levels, as a masked autoencoder of tables predicts them.

    few distinct values    each is a level of its own
    otherwise              each value that more than 1 / n of the cells hold is a level of its own; the others fall into
                           bins of equal share between these values, of at least five cells each

The levels of a column are disjoint intervals in the order of their values. A level of one value has a probability, a
bin has a density: its share, spread over its width. Bins side by side meet in the middle between their values, so that
a new number between two training values is as likely as these.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from narrows.data.columns import Column
from narrows.data.table import Table

N_BINS = 50  # default number of bins of a column
N_POINTS = 11  # quantiles of the values in a bin: 0 %, 10 %, ..., 100 %
_SAMPLE = 200_000  # values of a column from which its bins are made
_FEWEST = 5  # cells of a bin, and of a level of one value beside bins
_NEW_SHARE = 0.05  # share of values that occur once, from which new values are expected: they are no levels then

Bin = tuple[float, ...]  # share of the cells, mean, and the one value or the quantiles


class Bins:
    """The bins of a column of numbers, as arrays.

    Parameters
    ----------
    bins : one tuple for each level, as `Column.bins` holds them.

    Attributes
    ----------
    low, high : (n,) smallest and largest value of each level; equal for a level of one value.
    left, right : (n,) ends of the interval of each level: of a bin beside another bin the cut between them, otherwise
        `low` and `high`.
    n_open : (n,) number of ends of each bin without another bin beside it, 0 to 2; 0 for a level of one value.
    mean : (n,) mean of the training values in each level.
    share : (n,) share of the observed training cells in each level.
    points : (n, N_POINTS) quantiles of the values in each level.
    is_value : (n,) True for a level of one value.
    cuts : (n - 1,) values between the levels: a number belongs to the level whose number is the count of cuts below it.
    """

    def __init__(self, bins: Sequence[Bin]) -> None:
        self.share = np.array([each[0] for each in bins])
        self.mean = np.array([each[1] for each in bins])
        self.points = np.array([np.resize(each[2:], N_POINTS) if len(each) == 3 else each[2:] for each in bins])
        self.low, self.high = self.points[:, 0], self.points[:, -1]
        self.is_value = self.low == self.high
        self.cuts = _between(self.high[:-1], self.low[1:])
        meets = ~self.is_value[:-1] & ~self.is_value[1:]
        self.left, self.right = self.low.copy(), self.high.copy()
        self.left[1:] = np.where(meets, self.cuts, self.low[1:])
        self.right[:-1] = np.where(meets, self.cuts, self.high[:-1])
        self.n_open = np.where(self.is_value, 0, 2 - np.append(False, meets) - np.append(meets, False))

    def find(self, values: np.ndarray) -> np.ndarray:
        """Return the level of each number (n,), integers; the nearest level for a number between or beyond them."""
        return np.searchsorted(self.cuts, values, side="left")

    def holds_value(self, values: np.ndarray) -> np.ndarray:
        """Return True for each number (n,) that belongs to a level of one value. NaN gives any answer."""
        return self.is_value[self.find(values)]


def _between(high: np.ndarray, low: np.ndarray) -> np.ndarray:
    """Return the middles between neighbours, at least `high` and below `low` also where rounding would not."""
    middle = high + (low - high) / 2
    return np.where((middle >= high) & (middle < low), middle, high)


def find_bins(values: np.ndarray, n: int = N_BINS) -> tuple[Bin, ...]:
    """Return the levels of a column of numbers.

    Parameters
    ----------
    values : (m,) numbers without NaN, at least one.
    n : number of bins, and the largest number of distinct values that are levels of their own. There are fewer bins
        if they would hold less than five cells.

    >>> [(share, mean) for share, mean, *_ in find_bins(np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0]))]
    [(0.75, 0.0), (0.25, 1.0)]
    """
    ordered = np.sort(values.astype(np.float64))
    if len(ordered) > _SAMPLE:  # evenly spaced in their order, with both ends
        ordered = ordered[np.linspace(0, len(ordered) - 1, _SAMPLE).round().astype(int)]
    distinct, counts = np.unique(ordered, return_counts=True)
    # of values that hardly repeat, a new cell holds another one: the share of those that occur once is the chance of it
    is_closed = len(distinct) <= n and (counts == 1).sum() <= _NEW_SHARE * len(ordered)
    own = distinct if is_closed else distinct[(counts > len(ordered) / n) & (counts >= _FEWEST)]
    ends = np.searchsorted(ordered, own, side="left"), np.searchsorted(ordered, own, side="right")
    bins: list[Bin] = []
    start = 0
    for value, first, last in zip(own, *ends, strict=True):
        bins += _split(ordered[start:first], len(ordered), n)
        bins.append((int(last - first) / len(ordered), float(value), float(value)))
        start = int(last)
    return (*bins, *_split(ordered[start:], len(ordered), n))


def _split(ordered: np.ndarray, n_all: int, n: int) -> list[Bin]:
    """Return bins of equal share of sorted values, in proportion to their share of all; none without values."""
    if not len(ordered):
        return []
    n_parts = max(1, min(round(n * len(ordered) / n_all), len(ordered) // _FEWEST))
    edges = np.quantile(ordered, np.linspace(0, 1, n_parts + 1)[1:-1], method="inverted_cdf")
    starts = np.unique([0, *np.searchsorted(ordered, edges, side="right"), len(ordered)])
    bins: list[Bin] = []
    for part in (ordered[a:b] for a, b in itertools.pairwise(starts)):
        points = part[:1] if part[0] == part[-1] else np.quantile(part, np.linspace(0, 1, N_POINTS))
        bins.append((len(part) / n_all, float(part.mean()), *map(float, points)))
    return bins


def with_bins(table: Table, rows: np.ndarray, n: int) -> Table:
    """Return the table with the number of cells of each column that the model sees, and bins and steps of numbers.

    Parameters
    ----------
    rows : training rows as numbers, as `Table.encode` gives them.
    n : see `find_bins`.
    """
    positions = {column.name: j for j, column in enumerate(table.used)}

    def add(column: Column) -> Column:
        if not column.is_used:
            return column
        values = np.asarray(rows[:, positions[column.name]])
        values = values[~np.isnan(values)]
        if column.has_levels:
            return replace(column, n_observed=len(values))
        step = column.step or _find_step(values)
        return replace(column, bins=find_bins(values, n), n_observed=len(values), step=step)

    return replace(table, columns=tuple(add(column) for column in table.columns))


def _find_step(values: np.ndarray) -> float:
    """Return the decimal step of which all numbers are multiples: 1, .1, .01 or .001; 0 without one.

    Drawn numbers with more decimals than real ones would be told apart at once.
    """
    for digits in range(4):
        scaled = values * 10**digits
        if (np.abs(scaled - np.rint(scaled)) < 1e-4).all():
            return float(f"1e-{digits}")
    return 0.0


def has_density_at(column: Column, values: np.ndarray) -> np.ndarray:
    """Return True for each number (n,) that has a density; a level of one value and an atom have a probability."""
    if column.bins:
        return ~Bins(column.bins).holds_value(values)
    return np.ones(len(values), dtype=bool) if column.atom is None else values != column.atom
