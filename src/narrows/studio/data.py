"""Examples that the studio shows with a model: rows, labels, further columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from narrows.data import spaced_indices, take_rows

MOST_ROWS = 100_000  # rows shown; of more, evenly spaced ones
_MOST_CLASSES = 100  # different numbers that are classes; more are a scale


@dataclass(frozen=True)
class Colour:
    """A value for each row: numbers, or the index of a category (-1 where it is missing).

    Attributes
    ----------
    values : (n,) float32 numbers, NaN where missing, or int32 indices of `categories`.
    categories : their names, or None for numbers.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None

    @classmethod
    def of(cls, column: Sequence[Any] | np.ndarray) -> Colour:
        """Return many different numbers as they are, other values as categories in order.

        >>> Colour.of(["b", "a", "b"]).categories
        ('a', 'b')
        """
        values = np.asarray(column)
        if values.dtype.kind in "bui" or (values.dtype.kind == "f" and _whole(values)):
            classes = np.unique(values[np.isfinite(values)])
            if len(classes) > _MOST_CLASSES:
                return cls(values.astype(np.float32))
            index = np.searchsorted(classes, values).clip(0, max(0, len(classes) - 1)).astype(np.int32)
            return cls(np.where(np.isfinite(values), index, -1).astype(np.int32), tuple(map(_name, classes.tolist())))
        if values.dtype.kind == "f":
            return cls(values.astype(np.float32))
        labels = ["" if v is None or v != v else str(v)[:200] for v in values]
        names = sorted({label for label in labels if label})
        number = {name: i for i, name in enumerate(names)}
        return cls(np.array([number.get(label, -1) for label in labels], np.int32), tuple(names))

    def word(self, row: int) -> str | None:
        """Return the value of a row as text, None where it is missing."""
        value = self.values[row]
        if self.categories is not None:
            return self.categories[value] if value >= 0 else None
        return f"{value:.6g}" if np.isfinite(value) else None

    def floats(self) -> np.ndarray:
        """Return the values as (n,) float32, NaN where missing."""
        if self.categories is None:
            return self.values.astype(np.float32)
        return np.where(self.values >= 0, self.values, np.nan).astype(np.float32)

    def taken(self, rows: np.ndarray) -> Colour:
        """Return the values of some rows."""
        return Colour(self.values[rows], self.categories)


@dataclass(frozen=True)
class Data:
    """Examples as the model takes them, and further values of each row.

    Attributes
    ----------
    name : name for people.
    X : n examples, an array or a data frame.
    labels : label of each row, or None.
    columns : further columns by name, which are no input of the model.
    files : file name of each row, or None.
    total : number of rows before a subset was taken.
    source : the argument of `narrows studio`, or None.
    """

    name: str
    X: Any
    labels: Colour | None = None
    columns: dict[str, Colour] = field(default_factory=dict)
    files: tuple[str, ...] | None = None
    total: int = 0
    source: str | None = None

    def __len__(self) -> int:
        return len(self.X)

    def rows(self, index: Any) -> Any:
        """Return the examples at `index`, a slice or an array."""
        return take_rows(self.X, index)

    def bounded(self, most: int = MOST_ROWS) -> Data:
        """Return at most `most` rows, evenly spaced."""
        n = len(self)
        total = self.total or n
        if n <= most:
            return Data(self.name, self.X, self.labels, self.columns, self.files, total, self.source)
        kept = spaced_indices(n, most)
        return Data(
            self.name,
            self.rows(kept),
            None if self.labels is None else self.labels.taken(kept),
            {name: colour.taken(kept) for name, colour in self.columns.items()},
            None if self.files is None else tuple(self.files[i] for i in kept),
            total,
            self.source,
        )


def _name(value: float) -> str:
    """Return the name of a class that is a whole number."""
    return str(int(value))


def _whole(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool((finite == np.rint(finite)).all())
