"""Tables of words, dates and gaps as features of the detector, and its results as frames of the user's kind.

A column has one feature for its numbers, or one for each level (1 where a cell holds it) and one for all values that
were not seen in training. Columns of one value are kept: another value is strange. A missing cell is no reason by
itself: the detector puts what it expects in its place.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np

from narrows.data import EncodedRows, Table, is_frame, is_missing, look_at_table, open_frame
from narrows.data.columns import Column

_MAX_FEATURES = 32  # levels of a column with a feature of their own, the most frequent ones


class TableReader:
    """The features of the rows of a table.

    Parameters
    ----------
    table : the columns; those of one value have one level.
    fill : (c,) numbers in place of gaps, one for each used column.
    """

    def __init__(self, table: Table, fill: np.ndarray) -> None:
        self.table, self.fill = table, fill
        self.levels = [_own_levels(column) for column in table.used]
        counts = [_n_features(c, own) for c, own in zip(table.used, self.levels, strict=True)]
        starts = np.concatenate([[0], np.cumsum(counts)])
        self.feature_indices = [np.arange(a, b) for a, b in pairwise(starts)]

    @property
    def owners(self) -> np.ndarray:
        """The used column of each feature: (d,) integers."""
        return np.repeat(np.arange(len(self.levels)), [len(indices) for indices in self.feature_indices])

    @classmethod
    def fit(cls, X: Any, owner: str) -> TableReader:
        """Return the reader of a training table. Raises as `narrows.data.look_at_table` does."""
        table, cells = look_at_table(open_frame(X, owner), owner)
        if any(column.kind == "constant" and column.levels for column in table.columns):
            table = Table(tuple(_with_level(column) for column in table.columns), table.kind)
            cells = table.encode(X, owner)
        if len(cells) < 2:
            raise ValueError(f"{owner} needs at least 2 rows to learn from. Got n_samples=1.")
        return cls(table, np.array([float(np.nanmedian(cells[:, j])) for j in range(cells.shape[1])]))

    def encode(self, X: Any, owner: str) -> EncodedRows:
        """Return the rows as numbers, n x used columns. Raises as `narrows.data.Table.encode` does."""
        return X if isinstance(X, EncodedRows) else self.table.encode(X if is_frame(X) else np.asarray(X), owner)

    def features(self, cells: np.ndarray) -> np.ndarray:
        """Return the features (n, d) of rows as numbers."""
        parts = []
        for j, (column, own) in enumerate(zip(self.table.used, self.levels, strict=True)):
            x, is_gap = np.asarray(cells[:, j]), np.isnan(cells[:, j])
            if column.has_levels:
                parts.append(x[:, None] == own[None])
                parts.append(~(is_gap | np.isin(x, own))[:, None])
            else:
                parts.append(np.where(is_gap, self.fill[j], x)[:, None])
        return np.concatenate(parts, axis=1).astype(np.float64)

    def on_features(self, values: np.ndarray) -> np.ndarray:
        """Return numbers of each used column (n, c) at the first of its features, and 0 at the others: (n, d)."""
        out = np.zeros((len(values), len(self.owners)))
        out[:, [indices[0] for indices in self.feature_indices]] = values
        return out

    def missing(self, cells: np.ndarray) -> np.ndarray:
        """Return True for the features of missing cells: (n, d)."""
        counts = [len(indices) for indices in self.feature_indices]
        return np.repeat(np.isnan(cells), counts, axis=1)

    def cells_of(self, features: np.ndarray) -> np.ndarray:
        """Return rows as numbers from features (n, d) that may lie between levels: the likeliest level."""
        columns = []
        for column, own, indices in zip(self.table.used, self.levels, self.feature_indices, strict=True):
            part = features[:, indices]
            columns.append(own[part[:, : len(own)].argmax(1)] if column.has_levels else part[:, 0])
        return np.stack(columns, axis=1)

    def as_frame(self, values: np.ndarray, like: Any) -> Any:
        """Return numbers of each used column (n, c) as a frame of the kind of `like`, with its index."""
        return self.table.as_numbers(values, like) if is_frame(like) else values

    def values_of(self, X: Any) -> np.ndarray:
        """Return the cells of the used columns as the user wrote them: (n, c) objects."""
        names = [column.name for column in self.table.used]
        if is_frame(X) and (frame := open_frame(X, "reasons")).kind == "pandas":
            by_text = {str(name): name for name in frame.names}
            columns = [frame.data[name if name in frame.names else by_text[str(name)]] for name in names]
            return np.stack([column.to_numpy(dtype=object) for column in columns], axis=1)
        return self.objects(self.encode(X, "reasons"))

    def objects(self, cells: np.ndarray) -> np.ndarray:
        """Return rows as numbers (n, c) as the values that a person reads: words, dates, numbers, None for gaps."""
        rows = replace(self.table, kind="rows").decode(np.asarray(cells))
        names = [column.name for column in self.table.used]
        values = np.empty((len(rows), len(names)), dtype=object)
        for i, row in enumerate(rows):
            values[i] = [row[name] for name in names]
        return values


def needs_table(X: Any) -> bool:
    """Return True if X is a frame with columns that are no numbers or have gaps, or a matrix with words or gaps."""
    if is_frame(X):
        frame = open_frame(X, "OutlierDetector")
        if frame.kind == "rows":
            return True
        for name in frame.names:
            cells = frame.cells(name)
            if cells.numbers is None or cells.type in ("date", "duration") or np.isnan(cells.numbers).any():
                return True
        return False
    if isinstance(X, (list, tuple, np.ma.MaskedArray)) or not isinstance(X, np.ndarray) or X.ndim != 2:
        return False
    if X.dtype.kind == "f":
        return bool(np.isnan(X).any())
    return X.dtype.kind == "O" and any(isinstance(cell, str) or is_missing(cell) for cell in X.flat)


def _with_level(column: Column) -> Column:
    """Return a column of one value as a category of one level."""
    if column.kind != "constant" or not column.levels:
        return column
    return replace(column, kind="categorical", frequencies=(1.0,))


def _own_levels(column: Column) -> np.ndarray:
    """Return the numbers of the most frequent levels of a column, in their order; none for numbers."""
    if not column.has_levels:
        return np.empty(0)
    order = np.argsort(-np.asarray(column.frequencies[: len(column.levels)]), kind="stable")
    return np.sort(order[:_MAX_FEATURES]).astype(np.float64)


def _n_features(column: Column, own: np.ndarray) -> int:
    return len(own) + 1 if column.has_levels else 1
