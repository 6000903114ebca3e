"""Data frames of any library: their columns by name, and their index. `new_frames` makes frames of the same kind.

pandas, polars and pyarrow tables come back as what they were. Any other frame with the Arrow PyCapsule interface
(`__arrow_c_stream__`) is read, and comes back as a pyarrow table.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import numpy as np

from narrows.data import cells
from narrows.data.cells import Cells
from narrows.data.parquet import list_columns

FrameKind = Literal["pandas", "polars", "pyarrow", "array", "rows"]


class Frame(NamedTuple):
    """A data frame.

    Attributes
    ----------
    kind : library of the frame; "array" for an array, "rows" for a dict or a list of dicts.
    names : names of the columns, as the user's library gives them; positions for an array.
    n : number of rows.
    data : the user's object; a pyarrow table for a frame of another library.
    """

    kind: FrameKind
    names: list[Any]
    n: int
    data: Any

    @property
    def index(self) -> Any:
        """The index of a pandas frame; None for others."""
        return self.data.index if self.kind == "pandas" else None

    def cells(self, name: Any) -> Cells:
        """Return the cells of the column `name`.

        Raises
        ------
        TypeError
            If the cells are neither numbers, dates nor text. The message begins with "it".
        """
        if self.kind == "pandas":
            return cells.from_pandas(self.data[name])
        if self.kind == "polars":
            return _polars_cells(self.data.get_column(name))
        if self.kind == "pyarrow":
            return cells.from_arrow(self.data.column(name))
        if self.kind == "rows":
            return cells.from_objects([row.get(name) for row in self.data], "object")
        column = self.data[:, name]
        if column.dtype.kind in "US":  # an array of words and numbers has the numbers as text
            try:
                return Cells("number", str(column.dtype), column.astype(np.float64), python_type="str")
            except ValueError:
                pass
        return cells.from_array(column)


def is_frame(X: Any) -> bool:
    """Return True if X is a data frame of any library, a dict (one row), or a list of dicts (rows)."""
    if isinstance(X, Frame):
        return True
    if isinstance(X, Mapping):
        return _is_row(X)
    if isinstance(X, (list, tuple)):
        return bool(X) and isinstance(X[0], Mapping) and _is_row(X[0])
    return _frame_kind(X) is not None


def _is_row(X: Mapping[Any, Any]) -> bool:
    """Return True if X maps names to cells. A dict of arrays is no row, nor is a sparse matrix of scipy."""
    if hasattr(X, "shape"):
        return False
    has_cells = not any(hasattr(cell, "__len__") and not isinstance(cell, (str, bytes)) for cell in X.values())
    return bool(X) and has_cells


def open_frame(X: Any, owner: str) -> Frame:
    """Return X, for which `is_frame` is True or which is an array (n, d), as a `Frame`.

    Raises
    ------
    ValueError
        If two columns have one name.
    ImportError
        If X needs pyarrow, which is not installed.
    """
    if isinstance(X, Frame):
        return X
    if isinstance(X, np.ndarray):
        return Frame("array", list(range(X.shape[1])), len(X), X)
    if isinstance(X, Mapping):
        X = [X]
    if isinstance(X, (list, tuple)):
        names = list(dict.fromkeys(name for row in X for name in row))
        return Frame("rows", names, len(X), X)
    kind = _frame_kind(X)
    if kind == "pandas":
        frame = Frame("pandas", list(X.columns), len(X), X)
    else:
        if kind == "polars":
            _import_pyarrow(owner, "polars frames")
            frame = Frame("polars", list(X.columns), X.height, X)
        else:
            pyarrow = _import_pyarrow(owner, "Arrow tables")
            table = X if isinstance(X, pyarrow.Table) else pyarrow.table(X)
            frame = Frame("pyarrow", list_columns(table.schema), table.num_rows, table)
    _check_unique(frame.names, owner)
    return frame


def _frame_kind(X: Any) -> FrameKind | None:
    """Return the library of a data frame, or None if X is none. No library is imported."""
    for name, attribute in (("pandas", "DataFrame"), ("polars", "DataFrame"), ("pyarrow", "Table")):
        module = sys.modules.get(name)
        if module is not None and isinstance(X, getattr(module, attribute, ())):
            return cast(FrameKind, name)
    if hasattr(X, "__arrow_c_stream__") and not hasattr(X, "dtype"):  # a Series has a dtype
        return "pyarrow"
    return None


def _check_unique(names: Sequence[Any], owner: str) -> None:
    if len(set(names)) == len(names):
        return
    doubled = sorted(str(name) for name, n in Counter(names).items() if n > 1)
    raise ValueError(
        f"X passed to {owner} must have one name for each column. {', '.join(map(repr, doubled[:5]))} "
        f"{'stands' if len(doubled) == 1 else 'stand'} above several columns: rename or drop them."
    )


def _polars_cells(series: Any) -> Cells:
    """Return the cells of a polars Series."""
    name = str(series.dtype)
    if name.startswith(("Enum", "Categorical")):
        name = type(series.dtype).__name__  # without a list of the categories
    if name in ("Int128", "UInt128"):  # Arrow has no such integers
        return Cells("number", name, np.array(series.cast(float).to_numpy()), is_whole=True)
    return cells.from_arrow(series.to_arrow())._replace(dtype=name)


def _import_pyarrow(owner: str, what: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            f"{owner} reads {what} with pyarrow, which is not installed. Install it: pip install 'narrows[tables]'."
        ) from error
    return pyarrow


def copy_columns(result: Any, frame: Frame, order: Sequence[Any], copied: Sequence[Any]) -> Any:
    """Return the frame `result` with columns of another frame of its library.

    Parameters
    ----------
    frame : frame with as many rows.
    order : names of all columns of the new frame, in order.
    copied : names of those that are copied from `frame`.
    """
    if frame.kind == "pandas":
        for i, name in enumerate(order):
            if name in copied:
                result.insert(i, name, frame.data[name].array)
        positions = {name: i for i, name in enumerate(frame.names)}
        if all(name in positions for name in order):
            result.columns = frame.data.columns[[positions[name] for name in order]]  # with the names of its levels
    elif frame.kind == "polars":
        result = result.with_columns([frame.data.get_column(name) for name in copied]).select(list(order))
    elif frame.kind == "pyarrow":
        for name in copied:
            result = result.append_column(frame.data.field(name), frame.data.column(name))
        result = result.select([str(name) for name in order])
    return result
