"""Record of a data set: examples, labels and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.data.parquet import check_names, common_dtype
from narrows.params import did_you_mean

if TYPE_CHECKING:
    import pandas as pd


class Dataset(NamedTuple):
    """Contents of a file, a folder or a named data set.

    Attributes
    ----------
    X : n x ... examples. A table whose columns have names is a pandas DataFrame, if pandas is installed. All else is an
        array of numbers or booleans, in the dtype of the file.
    y : n labels; None without labels.
    columns : names of the columns if a table has names, otherwise None.
    name : short name to show: the file without its suffix, the folder, or the named data set.
    files : for images, the path of each example relative to the folder, with forward slashes, otherwise None. In a
        folder with one sub-folder for each class, y holds the index of the sub-folder in sorted order.
    ids : n identifiers of the examples, which are the index of a frame, too; None without identifiers.
    notes : what was decided while the file was read, each decision in one line.
    """

    X: np.ndarray | pd.DataFrame
    y: np.ndarray | None
    columns: list[str] | None
    name: str
    files: list[str] | None
    ids: np.ndarray | None = None
    notes: tuple[str, ...] = ()

    def ordered(self, names: Sequence[str | int] | None) -> Dataset:
        """Return the data with the columns `names`, in that order; unchanged if `names` is empty or
        the data have no names.

        Raises
        ------
        ValueError
            If one of the columns is missing.
        """
        columns = [str(name) for name in names or ()]
        if not columns or self.columns is None or columns == self.columns:
            return self
        return self._with_columns(column_indices(columns, self.columns, self.name))

    def select(
        self,
        columns: Sequence[str | int] | None = None,
        drop: Sequence[str | int] | None = None,
        label: str | int | None = None,
        id: str | int | None = None,
    ) -> Dataset:
        """Return the data with some of its columns. A label column moves to `y`, and one of identifiers to `ids`.

        Parameters
        ----------
        columns : names of the columns to keep in X, in this order; None for all others than those named below.
        drop : names of columns to leave out.
        label, id : name of the column of the labels, and of the column of the identifiers; None for none.

        The columns of an array without names are numbered from 0.

        Raises
        ------
        ValueError
            If a column does not exist, is named for two purposes, or no column is left; if the data are no table.
        """
        if columns is None and drop is None and label is None and id is None:
            return self
        if self.X.ndim != 2:
            raise ValueError(f"{self.name} holds examples of shape {self.X.shape[1:]}, which have no columns to name.")
        places = {
            purpose: self._find(names, purpose)
            for purpose, names in {
                "columns": columns,
                "drop": drop,
                "label": None if label is None else [label],
                "id": None if id is None else [id],
            }.items()
        }
        taken: dict[int, str] = {}
        for purpose, positions in places.items():
            for position in positions:
                if position in taken:
                    raise ValueError(
                        f"The `{purpose}` parameter of select names the column {self._names()[position]!r}, which "
                        f"`{taken[position]}` names already. Name each column once."
                    )
                taken[position] = purpose
        kept = places["columns"] if columns is not None else [i for i in range(self.X.shape[1]) if i not in taken]
        if not kept:
            raise ValueError(f"No column of {self.name} is left for the examples. It has {', '.join(self._names())}.")
        selected = self if kept == list(range(self.X.shape[1])) else self._with_columns(kept)
        if places["label"]:
            selected = selected._replace(y=self._values(places["label"][0]))
        if places["id"]:
            ids = self._values(places["id"][0])
            X: Any = selected.X
            selected = selected._replace(X=X.set_axis(ids, axis=0) if is_frame(X) else X, ids=ids)
        return selected

    def as_numbers(self) -> Dataset:
        """Return the data with X as an array of numbers (n x ...); missing cells are NaN.

        Raises
        ------
        ValueError
            If a column of the frame holds words or dates; the message says where.
        """
        if not is_frame(self.X):
            return self
        frame: Any = self.X
        arrays = [_as_numbers(frame.iloc[:, i], self.name) for i in range(frame.shape[1])]
        X = np.empty(frame.shape, common_dtype([array.dtype for array in arrays]))
        for i, array in enumerate(arrays):
            X[:, i] = array
        return self._replace(X=X)

    def _with_columns(self, positions: list[int]) -> Dataset:
        """Return the data with the columns at `positions`."""
        X: Any = self.X
        columns = None if self.columns is None else [self.columns[i] for i in positions]
        return self._replace(X=X.iloc[:, positions] if is_frame(X) else X[:, positions], columns=columns)

    def _values(self, position: int) -> np.ndarray:
        X: Any = self.X
        return np.asarray(X.iloc[:, position]) if is_frame(X) else X[:, position].copy()

    def _names(self) -> list[str]:
        return [str(i) for i in range(self.X.shape[1])] if self.columns is None else self.columns

    def _find(self, names: Sequence[str | int] | None, purpose: str) -> list[int]:
        """Return the positions of the columns `names`."""
        known = {name: position for position, name in enumerate(self._names())}
        for name in names or ():
            if str(name) not in known:
                raise ValueError(
                    f"The `{purpose}` parameter of select must name columns of {self.name}. Got {name!r}. "
                    f"{did_you_mean(str(name), known)}"
                )
        return [known[str(name)] for name in names or ()]


def is_frame(X: Any) -> bool:
    """Return True if X is a pandas DataFrame."""
    return hasattr(X, "iloc")


def column_indices(columns: Sequence[str], names: Sequence[str], owner: str) -> list[int]:
    """Return the positions of `columns` in `names`, the columns that `owner` has.

    Raises
    ------
    ValueError
        If one of them is missing, or there are two of its name.
    """
    places = {name: position for position, name in enumerate(names)}
    missing = [name for name in columns if name not in places]
    if missing:
        raise ValueError(
            f"{owner} must have the columns that the model was fitted on. It lacks "
            f"{', '.join(map(repr, missing))}; it has {', '.join(map(repr, names))}."
        )
    if len(places) < len(names):
        wanted = set(columns)
        check_names([name for name in names if name in wanted], owner)
    return [places[name] for name in columns]


def short_name(path: Path) -> str:
    """Return the file's name without its suffix, and without ".gz" or ".zip"."""
    return Path(path.name.removesuffix(".gz").removesuffix(".zip")).stem


def _as_numbers(column: Any, owner: str) -> np.ndarray:
    """Return a column of a frame as n numbers."""
    from pandas.api import types

    if isinstance(column.dtype, np.dtype) and column.dtype.kind in "biuf":
        return np.asarray(column)
    if types.is_numeric_dtype(column.dtype):  # those that know missing cells; booleans, too
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    if column.dtype.kind in "mM":
        raise ValueError(
            f"{owner} must have a number in every cell. Column {column.name!r} holds {column.dtype}. Leave it out, or "
            "turn its dates into numbers first."
        )
    row = next((i for i, cell in enumerate(column) if not _is_number(cell)), 0)
    raise ValueError(
        f"{owner} must have a number in every cell. Row {row + 1}, column {column.name!r} holds {column.iloc[row]!r}. "
        "Leave the column out, or turn its words into numbers first (sklearn.preprocessing.OneHotEncoder or "
        "OrdinalEncoder)."
    )


def _is_number(cell: Any) -> bool:
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True
