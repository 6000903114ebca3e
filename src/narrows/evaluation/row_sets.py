"""Rows of one table as numbers: new ones, real ones that were held out, and training rows.

A cell is a number (seconds for dates and durations) or the position of its level, NaN if it is missing. Identifiers,
text and constant columns are left out.
"""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from narrows.data import Column, EncodedRows, Table, is_frame, spaced_indices, take_rows
from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import Resamples
from narrows.params import did_you_mean

MOST_ROWS = 5_000  # rows of each kind that are compared
MOST_COLUMNS = 500
_MOST_CELLS = 1 << 19  # of each kind; fewer rows of wide tables are compared
_FEWEST_ROWS = 500  # of wide tables
_MOST_TRAIN = 50_000  # training rows of which others may be copies
_N_BINS = 10  # quantile bins of a column of numbers
_MOST_BINS = 50  # levels of a column that have a bin of their own
_MOST_CATEGORIES = 250  # levels of a column that trees tell apart; scikit-learn's limit is 255


class Distances(NamedTuple):
    """Distances of new rows from the closest training row and the closest held-out row: (n,) each.

    Attributes
    ----------
    to_train, to_held_out : the distances.
    n : number of training rows, and of held-out rows.
    """

    to_train: np.ndarray
    to_held_out: np.ndarray
    n: int


@dataclass(frozen=True)
class RowSets:
    """New, held-out and training rows of one table.

    Attributes
    ----------
    columns : the compared columns.
    new, real : n x columns and m x columns numbers; no training row is in `real`.
    train : training rows, or None. They may be more than the others.
    target : position of the column that classifiers predict.
    resamples : of the bootstrap.
    """

    columns: tuple[Column, ...]
    new: np.ndarray
    real: np.ndarray
    train: np.ndarray | None
    target: int
    resamples: Resamples

    @property
    def known_train(self) -> np.ndarray:
        """The training rows. Raises Absent without any."""
        if self.train is None:
            raise Absent("the training examples were not given: pass train=")
        return self.train

    @property
    def gap_note(self) -> str:
        """A clause about the share of missing cells if that of new rows is another one, otherwise ''."""
        new, real = (float(np.isnan(rows).mean()) for rows in (self.new, self.real))
        if abs(new - real) < 0.001:
            return ""
        return f"; {real:.1%} of the real cells are missing, of the new ones {new:.1%}"

    def as_categories(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return rows for gradient-boosted trees, and the mask of the columns with levels.

        Of a column with many levels, the most frequent `_MOST_CATEGORIES` have a number each, and all others share one.
        """
        result = np.array(rows, dtype=np.float64)
        for j, column in enumerate(self.columns):
            if column.has_levels:
                result[:, j] = _relabel(rows[:, j], _most_frequent(column, _MOST_CATEGORIES))
        return result, np.array([column.has_levels for column in self.columns])

    @functools.cached_property
    def bins(self) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray | None], np.ndarray]:
        """The bins of all cells, for new, real and training rows (n x columns integers), and their numbers (columns,).

        A number is in one of `_N_BINS` quantile bins of the real rows, but a value that at least a tenth of them share
        has its own, as each value has if there are at most `_N_BINS`. Levels have a bin each, from the most frequent
        one on, and all beyond `_MOST_BINS` share one. Missing cells and levels that real rows lack have one, too.
        """
        train = None if self.train is None else self.train[spaced_indices(len(self.train), len(self.new))]
        sets = [rows for rows in (self.new, self.real, train) if rows is not None]
        columns, sizes = [], []
        for j, column in enumerate(self.columns):
            find = _level_bins(column) if column.has_levels else _number_bins(self.real[:, j])
            found = [find(rows[:, j]) for rows in sets]
            columns.append(found)
            sizes.append(1 + max(int(bins.max()) for bins in found))
        stacked = [np.stack(parts, axis=1) for parts in zip(*columns, strict=True)]
        return (stacked[0], stacked[1], None if train is None else stacked[2]), np.array(sizes)

    @functools.cached_property
    def distances(self) -> Distances:
        """Distances of the new rows from the closest one of as many training rows as held-out rows."""
        train = self.known_train
        n = min(len(train), len(self.real))
        references = [rows[spaced_indices(len(rows), n)] for rows in (train, self.real)]
        has_levels = np.array([column.has_levels for column in self.columns])
        scales = np.array([_mean_and_spread(cells) for cells in train.T]).T
        to_train, to_held_out = (closest(self.new, rows, has_levels, *scales) for rows in references)
        return Distances(to_train, to_held_out, n)


def closest(a: np.ndarray, b: np.ndarray, has_levels: np.ndarray, mean: np.ndarray, std: np.ndarray) -> np.ndarray:
    """Return the distance of each row of `a` from the closest row of `b`: (n,).

        d^2 = sum over numbers ((a - b) / std)^2 + the number of levels that differ

    A missing number lies at the mean, and a number is 1 farther away from it; a missing level is another level.
    """
    is_number = ~has_levels
    numbers = [np.nan_to_num(((rows - mean) / std)[:, is_number]) for rows in (a, b)]
    levels = [np.nan_to_num(rows[:, has_levels], nan=-1) for rows in (a, b)]
    gaps = [np.isnan(rows[:, is_number]) for rows in (a, b)]
    varies = np.concatenate(gaps).any(0)
    codes = [np.concatenate([x, y[:, varies]], axis=1) for x, y in zip(levels, gaps, strict=True)]
    result = np.empty(len(a))
    step = max(1, (1 << 22) // len(b))
    for start in range(0, len(a), step):
        block = slice(start, start + step)
        # column by column: equal rows have a distance of exactly 0, and equal differences are equal sums
        squares = np.zeros((len(numbers[0][block]), len(b)))
        for x, y in zip(numbers[0][block].T, numbers[1].T, strict=True):
            squares += np.square(x[:, None] - y)
        for x, y in zip(codes[0][block].T, codes[1].T, strict=True):
            squares += x[:, None] != y
        result[block] = np.sqrt(squares.min(axis=1))
    return result


class RealRows:
    """Real rows of a table that no model was fitted on, and training rows, beside which new rows are measured.

    Parameters
    ----------
    table : what the rows of the table look like.
    real, train : rows in the user's form; `train` may be None.
    target : name of the column that classifiers predict; None for the last one with levels, or the last of all.
    resamples : of the bootstrap.
    owner : name of the caller, for messages.
    most : largest number of rows of each kind.

    Raises
    ------
    Absent
        If the table has more than `MOST_COLUMNS` columns.
    ValueError
        If `target` is none of the columns, or as `Table.encode` does.
    """

    def __init__(
        self,
        table: Table,
        real: Any,
        train: Any,
        target: Any,
        resamples: Resamples,
        *,
        owner: str,
        most: int = MOST_ROWS,
    ) -> None:
        n_columns = len(table.used)
        if n_columns > MOST_COLUMNS:
            raise Absent(f"rows of at most {MOST_COLUMNS} columns are compared, and there are {n_columns:,}")
        self.most = min(most, max(_FEWEST_ROWS, _MOST_CELLS // n_columns))
        self._table, self._owner, self._resamples = table, owner, resamples
        self._target = find_target(table.used, target, owner)
        self._real = self._encode(real, self.most)
        self._train = None if train is None else self._encode(train, _MOST_TRAIN)

    def beside(self, new: Any, draws_gaps: bool) -> RowSets:
        """Return new rows, in the user's form, beside the real ones.

        Parameters
        ----------
        draws_gaps : False if a missing cell of a column with rare values is their level, which came back as missing.
        """
        columns = self._table.used
        cells = self._encode(new, self.most)
        if not draws_gaps:
            cells = with_rare_levels(cells, columns)
        return RowSets(columns, cells, self._real, self._train, self._target, self._resamples)

    def _encode(self, X: Any, most: int) -> np.ndarray:
        """Return at most `most` rows of X, evenly spaced, as numbers: n x used columns."""
        rows = X if is_frame(X) or hasattr(X, "dtype") else np.asarray(X, dtype=object)
        if hasattr(rows, "__len__") and len(rows) > most:
            rows = take_rows(rows, spaced_indices(len(rows), most))
        if isinstance(rows, EncodedRows):
            return np.asarray(rows)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # values that training rows lack are measured
            return np.asarray(self._table.encode(rows, self._owner))


def with_rare_levels(cells: np.ndarray, columns: Sequence[Column]) -> np.ndarray:
    """Return drawn cells (changed in place) with the level of rare values where it came back as a missing cell."""
    for j, column in enumerate(columns):
        if column.n_rare:
            cells[:, j] = np.nan_to_num(cells[:, j], nan=len(column.levels))
    return cells


def find_target(columns: Sequence[Column], name: Any, owner: str) -> int:
    """Return the position of the column `name`; without a name of the last column with levels, or the last of all.

    Raises
    ------
    ValueError
        If `name` is none of the columns.
    """
    names = [str(column.name) for column in columns]
    if name is None:
        return max((j for j, column in enumerate(columns) if column.has_levels), default=len(columns) - 1)
    if str(name) not in names:
        raise ValueError(
            f"The `target` parameter of {owner} must be a column that the model sees, no identifier, text or "
            f"constant. Got {name!r}. {did_you_mean(str(name), names)}"
        )
    return names.index(str(name))


def _mean_and_spread(cells: np.ndarray) -> tuple[float, float]:
    observed = cells[~np.isnan(cells)]
    return (float(observed.mean()), float(observed.std()) or 1.0) if len(observed) else (0.0, 1.0)


def _most_frequent(column: Column, most: int) -> np.ndarray:
    """Return a new number of each level and of unseen values, (n_levels + 1,): 0, 1, ..., and `most` for rarer ones."""
    ranks = np.empty(column.n_levels + 1, dtype=np.int64)
    ranks[np.argsort(-np.asarray(column.frequencies), kind="stable")] = np.arange(column.n_levels)
    ranks[column.n_levels] = column.n_levels
    return np.minimum(ranks, most)


def _relabel(cells: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the new numbers of levels; NaN stays NaN."""
    is_missing = np.isnan(cells)
    codes = np.where(is_missing, 0, cells).astype(np.int64)
    return np.where(is_missing, np.nan, numbers[codes])


def _level_bins(column: Column) -> Callable[[np.ndarray], np.ndarray]:
    numbers = _most_frequent(column, _MOST_BINS) + 1
    return lambda cells: np.nan_to_num(_relabel(cells, numbers)).astype(np.int64)


def _number_bins(real: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    observed = real[~np.isnan(real)]
    values, counts = np.unique(observed, return_counts=True)
    atoms = values if len(values) <= _N_BINS else values[counts >= len(observed) / _N_BINS]
    others = observed[~np.isin(observed, atoms)]
    edges = np.unique(np.quantile(others, np.arange(1, _N_BINS) / _N_BINS)) if len(others) else np.empty(0)

    def find(cells: np.ndarray) -> np.ndarray:
        bins = 1 + np.searchsorted(edges, cells, side="right")
        if len(atoms):
            place = np.searchsorted(atoms, cells).clip(max=len(atoms) - 1)
            bins = np.where(atoms[place] == cells, len(edges) + 2 + place, bins)
        return np.where(np.isnan(cells), 0, bins)

    return find
