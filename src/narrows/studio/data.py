"""Examples that the studio shows with a model: rows, labels, other columns."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from narrows.data import open_frame, spaced_indices, take_rows
from narrows.data.cells import Cells
from narrows.studio.cells import format_date

MAX_SHOWN_ROWS = 100_000  # largest number of rows shown; of more rows, evenly spaced ones are shown
_MAX_TEXT = 200  # characters of a category
_MAX_OTHERS = 100  # columns of a table that the model does not take, which are kept for colours
_MAX_CLASSES = 100  # columns with more different whole numbers are numbers rather than classes


@dataclass(frozen=True)
class Colour:
    """A value for each row, by which the map is coloured: a number or a category.

    Attributes
    ----------
    values : (n,) float numbers, NaN if missing, or int32 indices of `categories`, -1 if missing.
    categories : names of the categories, or None for numbers.
    is_date : True if the numbers are seconds since 1970.
    """

    values: np.ndarray
    categories: tuple[str, ...] | None = None
    is_date: bool = False

    @classmethod
    def from_column(cls, column: Sequence[Any] | np.ndarray) -> Colour:
        """Convert a column of n values. Few different whole numbers and strings become categories, in sorted order.

        >>> Colour.from_column(["b", "a", "b"]).categories
        ('a', 'b')
        """
        values = np.asarray(column)
        if values.dtype.kind in "bui" or (values.dtype.kind == "f" and _are_whole(values)):
            classes = np.unique(values[np.isfinite(values)])
            if len(classes) > _MAX_CLASSES:
                return cls(values.astype(np.float32))
            index = np.searchsorted(classes, values).clip(0, max(0, len(classes) - 1)).astype(np.int32)
            return cls(np.where(np.isfinite(values), index, -1).astype(np.int32), tuple(str(int(c)) for c in classes))
        if values.dtype.kind == "f":
            return cls(values.astype(np.float32))
        texts = ["" if v is None or v != v else str(v)[:_MAX_TEXT] for v in values]
        names = sorted({text for text in texts if text})
        indices = {name: i for i, name in enumerate(names)}
        return cls(np.array([indices.get(text, -1) for text in texts], np.int32), tuple(names))

    @classmethod
    def from_cells(cls, cells: Cells) -> Colour:
        """Convert a column of a data frame, as `from_column` does; dates become numbers."""
        if cells.numbers is not None:
            return cls(cells.numbers, is_date=True) if cells.type == "date" else cls.from_column(cells.numbers)
        assert cells.codes is not None
        used = np.unique(cells.codes[cells.codes >= 0])
        names = [str(cells.values[i])[:_MAX_TEXT] for i in used]
        order = range(len(used)) if cells.is_ordered else sorted(range(len(used)), key=names.__getitem__)
        index = np.full(len(cells.values) + 1, -1, np.int32)
        for place, i in enumerate(order):
            index[used[i]] = place
        return cls(index[cells.codes], tuple(names[i] for i in order))

    def to_text(self, row: int) -> str | None:
        """Return the value of a row as text; None if it is missing."""
        value = self.values[row]
        if self.categories is not None:
            return self.categories[value] if value >= 0 else None
        if not np.isfinite(value):
            return None
        return format_date(float(value)) if self.is_date else f"{value:.6g}"

    def to_cells(self) -> np.ndarray:
        """Return the values as a column of a file, (n,): numbers, NaN if missing, or text, None if missing."""
        if self.categories is None and not self.is_date:
            return self.values
        return np.array([self.to_text(row) for row in range(len(self.values))], dtype=object)

    def to_floats(self) -> np.ndarray:
        """Return the numbers or the indices of the categories: (n,) float32, NaN if missing."""
        if self.categories is None:
            return self.values.astype(np.float32)
        return np.where(self.values >= 0, self.values, np.nan).astype(np.float32)

    def get_rows(self, rows: np.ndarray) -> Colour:
        """Return the values of some rows."""
        return Colour(self.values[rows], self.categories, self.is_date)


@dataclass(frozen=True)
class Data:
    """Examples that are shown, with their labels and other columns.

    Attributes
    ----------
    name : display name.
    X : n examples as the model takes them, an array or a data frame.
    labels : labels of the rows, or None.
    columns : other columns by name, which the model does not take.
    files : display name of each row, or None.
    total : number of rows before subsampling; set by `subsample`.
    rows : positions of the rows before all subsampling, or None for all of them; set by `subsample`.
    source : DATA argument of `narrows studio`, or None.
    """

    name: str
    X: Any
    labels: Colour | None = None
    columns: dict[str, Colour] = field(default_factory=dict)
    files: tuple[str, ...] | None = None
    total: int = 0
    source: str | None = None
    rows: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.X)

    def get_rows(self, index: Any) -> Any:
        """Return the examples at `index`, a slice or an array."""
        return take_rows(self.X, index)

    def subsample(self, limit: int = MAX_SHOWN_ROWS) -> Data:
        """Return at most `limit` rows, evenly spaced."""
        n = len(self)
        total = self.total or n
        if n <= limit:
            return Data(self.name, self.X, self.labels, self.columns, self.files, total, self.source, self.rows)
        kept = spaced_indices(n, limit)
        return Data(
            self.name,
            self.get_rows(kept),
            None if self.labels is None else self.labels.get_rows(kept),
            {name: colour.get_rows(kept) for name, colour in self.columns.items()},
            None if self.files is None else tuple(self.files[i] for i in kept),
            total,
            self.source,
            kept if self.rows is None else self.rows[kept],
        )


def other_columns(X: Any, taken: Sequence[Any]) -> dict[str, Colour]:
    """Return the columns of a data frame that are not among those that a model takes, by name.

    Columns of objects that are no cells are left out.
    """
    others: dict[str, Colour] = {}
    frame = open_frame(X, "the studio")
    names = {str(name) for name in taken}
    for name in [name for name in frame.names if str(name) not in names][:_MAX_OTHERS]:
        try:
            others[str(name)] = Colour.from_cells(frame.cells(name))
        except TypeError:
            continue
    return others


def _are_whole(values: np.ndarray) -> bool:
    finite = values[np.isfinite(values)]
    return bool((finite == np.rint(finite)).all())
