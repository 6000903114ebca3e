"""Data frames of any library: their columns by name, their index, and new frames of the same kind.

pandas, polars and pyarrow tables come back as what they were. Any other frame with the Arrow PyCapsule interface
(`__arrow_c_stream__`) is read, and comes back as a pyarrow table.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple, cast

import numpy as np

from narrows.data import cells
from narrows.data.cells import Cells

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
            return cells.from_arrow(self.data.get_column(name).to_arrow())._replace(
                dtype=_polars_dtype(self.data, name)
            )
        if self.kind == "pyarrow":
            return cells.from_arrow(self.data.column(name))
        if self.kind == "rows":
            return cells.from_objects([row.get(name) for row in self.data], "object")
        column = self.data[:, name]
        if column.dtype.kind in "biuf":
            is_bool, whole = column.dtype.kind == "b", column.dtype.kind in "iu"
            return Cells("bool" if is_bool else "number", str(column.dtype), column.astype(np.float64), is_whole=whole)
        return cells.from_objects(column.tolist(), str(column.dtype))


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
            frame = Frame("pyarrow", table.column_names, table.num_rows, table)
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
    doubled = sorted({str(name) for name in names if list(names).count(name) > 1})
    raise ValueError(
        f"X passed to {owner} must have one name for each column. {', '.join(map(repr, doubled[:5]))} "
        f"{'stands' if len(doubled) == 1 else 'stand'} above several columns: rename or drop them."
    )


def _polars_dtype(frame: Any, name: str) -> str:
    """Return the name of a polars dtype without a list of its categories."""
    dtype = frame.schema[name]
    return type(dtype).__name__ if str(dtype).startswith(("Enum", "Categorical")) else str(dtype)


def _import_pyarrow(owner: str, what: str) -> Any:
    try:
        import pyarrow
    except ImportError as error:
        raise ImportError(
            f"{owner} reads {what} with pyarrow, which is not installed. Install it: pip install 'narrows[tables]'."
        ) from error
    return pyarrow


# ------------------------------------------------------------------------------------------------ new frames


class NewColumn(NamedTuple):
    """Values of a column of a new frame.

    Attributes
    ----------
    name : its name.
    dtype : name of the dtype in the library of the frame, as in `Cells`.
    values : (n,) numbers, datetime64[us], timedelta64[us], or objects.
    missing : (n,) booleans, True where a cell is missing.
    categories : the categories of a categorical dtype, in order; None for other dtypes.
    is_ordered : True for categories with an order.
    """

    name: Any
    dtype: str
    values: np.ndarray
    missing: np.ndarray
    categories: Sequence[Any] | None = None
    is_ordered: bool = False


def build(kind: str, columns: Sequence[NewColumn], index: Any = None) -> Any:
    """Return a frame of the library `kind` ("pandas", "polars" or "pyarrow") with these columns.

    Parameters
    ----------
    index : index of a pandas frame, or None for 0, 1, 2, ...
    """
    if kind == "polars":
        return _build_polars(columns)
    if kind == "pyarrow":
        return _build_arrow(columns)
    import pandas as pd

    data = {i: _pandas_series(column) for i, column in enumerate(columns)}
    frame = pd.DataFrame(data)
    frame.columns = pd.Index([column.name for column in columns])
    if index is not None:
        frame.index = index
    return frame


def _pandas_series(column: NewColumn) -> Any:
    import pandas as pd

    values, missing, name = column.values, column.missing, column.dtype
    if column.categories is not None:
        levels = pd.Index(list(column.categories), dtype=name.removeprefix("category")[1:-1] or None)
        dtype = pd.CategoricalDtype(levels, ordered=column.is_ordered)
        return pd.Series(pd.Categorical(_with_none(values, missing), dtype=dtype))
    if values.dtype.kind in "Mm":
        series = pd.Series(np.where(missing, np.array("NaT", dtype=values.dtype), values))
        if name.startswith("period"):
            return series.dt.to_period(name[len("period[") : -1])
        if "," in name and name.startswith("datetime64["):
            series = series.dt.tz_localize("UTC")
        return series if name == "object" else series.astype(name)
    dtype = _pandas_dtype(name)
    kind = getattr(dtype, "kind", "O")
    is_nullable = not isinstance(dtype, np.dtype)
    if values.dtype.kind in "biuf":
        if missing.any():
            if is_nullable:
                return pd.Series(pd.array(_with_none(_rounded(values, kind), missing), dtype=dtype))
            if kind == "f":
                return pd.Series(np.where(missing, np.nan, values).astype(dtype))
            return pd.Series(np.where(missing, np.nan, values))  # integers and booleans have no gap: floats then
        return pd.Series(_rounded(values, kind)).astype(dtype)
    objects = _with_none(values, missing)
    if name == "object":
        objects[missing] = np.nan  # as pandas reads a gap among words
    return pd.Series(objects, dtype=dtype)


def _pandas_dtype(name: str) -> Any:
    import pandas as pd

    try:
        return pd.api.types.pandas_dtype(name)
    except TypeError:  # such as Sparse[...] or a dtype of a package that is not imported
        return np.dtype(object)


def _rounded(values: np.ndarray, kind: str) -> np.ndarray:
    return np.rint(values).astype(np.int64) if kind in "iu" else values.astype(bool) if kind == "b" else values


def _with_none(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    objects = np.empty(len(values), dtype=object)
    objects[:] = values.tolist()
    objects[missing] = None
    return objects


def _build_arrow(columns: Sequence[NewColumn]) -> Any:
    import pyarrow as pa

    arrays = []
    for column in columns:
        dtype = _arrow_dtype(column.dtype)
        values = _with_none(column.values, column.missing).tolist()
        if column.categories is not None:
            positions = {value: i for i, value in enumerate(column.categories)}
            codes = [None if value is None else positions[value] for value in values]
            array = pa.DictionaryArray.from_arrays(
                pa.array(codes, pa.int32()), pa.array(list(column.categories)), ordered=column.is_ordered
            )
        else:
            if dtype is not None and pa.types.is_integer(dtype):
                values = [None if value is None else round(value) for value in values]
            elif dtype is not None and pa.types.is_boolean(dtype):
                values = [None if value is None else bool(value) for value in values]
            array = pa.array(values, _storage_type(dtype))
            array = array if dtype is None else array.cast(dtype, safe=False)
        arrays.append(array)
    return pa.table(arrays, names=[str(column.name) for column in columns])


def _storage_type(dtype: Any) -> Any:
    """Return the type from which values are cast to `dtype`: decimals and times are built from others."""
    import pyarrow as pa

    if dtype is not None and pa.types.is_decimal(dtype):
        return pa.float64()
    if dtype is not None and pa.types.is_date(dtype):
        return pa.timestamp("us")
    return None if dtype is None or pa.types.is_floating(dtype) else dtype


def _arrow_dtype(name: str) -> Any:
    """Return the pyarrow type with this name, or None if there is none."""
    import pyarrow as pa

    if name.startswith("timestamp[") and "tz=" in name:
        unit, zone = name[len("timestamp[") : -1].split(", tz=")
        return pa.timestamp(unit, zone)
    if name.startswith("decimal"):
        precision, scale = (int(part) for part in name[name.index("(") + 1 : -1].split(","))
        return pa.decimal128(precision, scale)
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def _build_polars(columns: Sequence[NewColumn]) -> Any:
    import polars as pl

    series = []
    for column in columns:
        values = _with_none(column.values, column.missing).tolist()
        name, dtype = str(column.name), column.dtype
        if column.categories is not None:
            levels = pl.Enum(list(column.categories)) if dtype == "Enum" else pl.Categorical()
            series.append(pl.Series(name, values, dtype=levels))
            continue
        kind: Any = getattr(pl, dtype.partition("(")[0], None)
        unit = "us"
        if "time_unit=" in dtype:
            unit = dtype.partition("time_unit='")[2].partition("'")[0]
        if kind is pl.Datetime:
            zone = dtype.partition("time_zone='")[2].partition("'")[0] or None
            made = pl.Series(name, values, dtype=pl.Datetime("us")).dt.cast_time_unit(cast(Any, unit))
            series.append(made.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else made)
        elif kind is pl.Duration:
            series.append(pl.Series(name, values, dtype=pl.Duration("us")).dt.cast_time_unit(cast(Any, unit)))
        elif kind is pl.Date:
            series.append(pl.Series(name, values, dtype=pl.Datetime("us")).cast(pl.Date))
        elif kind is not None and kind.is_integer():
            rounded = [None if value is None else round(value) for value in values]
            series.append(pl.Series(name, rounded, dtype=kind))
        elif kind is pl.Boolean:
            series.append(pl.Series(name, [None if value is None else bool(value) for value in values], dtype=kind))
        else:
            series.append(pl.Series(name, values, dtype=kind, strict=False))
    return pl.DataFrame(series)
