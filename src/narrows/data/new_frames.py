"""New data frames of any library, from columns of values: pandas, polars and pyarrow tables."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

_DAY = 86_400_000_000  # microseconds


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
    names = [column.name for column in columns]
    frame.columns = pd.Index(names, dtype=object if None in names else None)
    if index is not None:
        frame.index = index
    return frame


def build_rows(
    columns: Sequence[NewColumn], source: Sequence[Mapping[Any, Any]] | None, copied: Sequence[Any]
) -> list[dict[Any, Any]]:
    """Return a list of dicts. The columns named in `copied` come from the dicts `source`, if there are any."""
    values = [[None if gap else v for v, gap in zip(_as_python(c), c.missing, strict=True)] for c in columns]
    rows = [dict(zip([c.name for c in columns], row, strict=True)) for row in zip(*values, strict=True)]
    for row, own in zip(rows, source or [], strict=False):
        row.update({name: own[name] for name in copied if name in own})
    return rows


def _as_python(column: NewColumn) -> list[Any]:
    """Return the values of a column as Python objects, numbers by the name of their dtype."""
    name, values = column.dtype.lower(), column.values
    if values.dtype.kind == "M" and (zoned := _zoned_stamps(column)) is not None:
        return zoned
    if values.dtype.kind == "f" and name.startswith(("bool", "int", "uint")):
        values = np.rint(values).astype(bool if name.startswith("bool") else np.int64)
    return values.tolist()


def _zoned_stamps(column: NewColumn) -> list[Any] | None:
    """Return stamps in the time zone of the dtype, any stamp where one is missing; None for a dtype without one."""
    dtype, filled = column.dtype, column._replace(missing=np.zeros_like(column.missing))
    if dtype.startswith("datetime64[") and "," in dtype:
        return [stamp.to_pydatetime() for stamp in _pandas_series(filled)]
    if "tz=" in dtype:
        stamps: list[Any] = _arrow_array(filled._replace(dtype=dtype.removesuffix("[pyarrow]"))).to_pylist()
        return stamps
    return list(_polars_series(filled).to_list()) if "time_zone='" in dtype else None


def build_numbers(kind: str, names: Sequence[Any], values: np.ndarray, index: Any = None) -> Any:
    """Return an array of floats (n x columns) as a frame of the library `kind`, or as dicts for "rows"."""
    if kind == "rows":
        return [dict(zip(names, row, strict=True)) for row in values.tolist()]
    missing, dtype = np.zeros(len(values), dtype=bool), {"polars": "Float64", "pyarrow": "double"}.get(kind, "float64")
    return build(kind, [NewColumn(name, dtype, values[:, j], missing) for j, name in enumerate(names)], index)


def _pandas_series(column: NewColumn) -> Any:
    import pandas as pd

    values, missing, name = column.values, column.missing, column.dtype
    if name.endswith("[pyarrow]"):
        return pd.Series(pd.arrays.ArrowExtensionArray(_arrow_array(column._replace(dtype=name[: -len("[pyarrow]")]))))
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
        return series.astype(name)
    dtype = _pandas_dtype(name)
    kind = getattr(dtype, "kind", "O")
    is_nullable = not isinstance(dtype, np.dtype)
    if values.dtype.kind in "biuf":
        if missing.any():
            if is_nullable:
                return pd.Series(pd.array(_with_none(_rounded(values, kind), missing), dtype=dtype))
            if kind == "f":
                return pd.Series(np.where(missing, np.nan, values).astype(dtype))
            gapped = pd.Series(np.where(missing, np.nan, values))  # integers and booleans have no gap: floats then
            return gapped.astype(object) if kind == "O" else gapped
        return pd.Series(_rounded(values, kind)).astype(dtype)
    objects = _with_none(values, missing)
    if missing.any() and isinstance(dtype, np.dtype) and dtype.kind in "iu":
        return pd.Series(objects)  # such integers have no gap
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

    return pa.table([_arrow_array(column) for column in columns], names=[str(column.name) for column in columns])


def _arrow_array(column: NewColumn) -> Any:
    """Return the values as an array of the pyarrow type with the name `column.dtype`."""
    import pyarrow as pa

    values, missing, dtype = column.values, column.missing, _arrow_dtype(column.dtype)
    if column.categories is not None:
        positions = {value: i for i, value in enumerate(column.categories)}
        codes = [None if gap else positions[value] for value, gap in zip(values.tolist(), missing, strict=True)]
        is_dictionary = dtype is not None and pa.types.is_dictionary(dtype)
        levels = pa.array(list(column.categories), dtype.value_type if is_dictionary else None)
        index = pa.array(codes, dtype.index_type if is_dictionary else pa.int32())
        return pa.DictionaryArray.from_arrays(index, levels, ordered=column.is_ordered)
    if values.dtype == object:
        return pa.array(_with_none(values, missing).tolist(), dtype)
    if dtype is None or pa.types.is_null(dtype):
        return pa.array(values, mask=missing) if dtype is None else pa.nulls(len(values))
    if pa.types.is_time(dtype):
        times = pa.array(values.astype(np.int64) % _DAY, mask=missing).cast(pa.time64("us"))
        return times.cast(dtype, safe=False)
    if pa.types.is_integer(dtype):
        values = np.rint(values).astype(np.uint64 if dtype == pa.uint64() else np.int64)
    elif pa.types.is_boolean(dtype):
        values = values.astype(bool)
    return pa.array(values, mask=missing).cast(dtype, safe=False)


def _arrow_dtype(name: str) -> Any:
    """Return the pyarrow type with this name, or None if there is none."""
    import pyarrow as pa

    if match := re.fullmatch(r"timestamp\[(\w+), tz=(.+)\]", name):
        return pa.timestamp(*match.groups())
    if match := re.fullmatch(r"decimal(\d+)\((\d+), (-?\d+)\)", name):
        bits, precision, scale = map(int, match.groups())
        return getattr(pa, f"decimal{bits}")(precision, scale)
    if match := re.fullmatch(r"dictionary<values=(.+), indices=(\w+), ordered=(\d)>", name):
        values, index, is_ordered = match.groups()
        return pa.dictionary(_arrow_dtype(index), _arrow_dtype(values), is_ordered == "1")
    try:
        return pa.type_for_alias(name)
    except ValueError:
        return None


def _build_polars(columns: Sequence[NewColumn]) -> Any:
    import polars as pl

    return pl.DataFrame([_polars_series(column) for column in columns])


def _polars_series(column: NewColumn) -> Any:
    import polars as pl

    values = _with_none(column.values, column.missing).tolist()
    name, dtype = str(column.name), column.dtype
    if column.categories is not None:
        levels = pl.Enum(list(column.categories)) if dtype == "Enum" else pl.Categorical()
        return pl.Series(name, values, dtype=levels)
    kind: Any = getattr(pl, dtype.partition("(")[0], None)
    unit: Any = dtype.partition("time_unit='")[2].partition("'")[0] or "us"
    if kind is pl.Datetime:
        zone = dtype.partition("time_zone='")[2].partition("'")[0] or None
        stamps = pl.Series(name, values, dtype=pl.Datetime("us")).dt.cast_time_unit(unit)
        return stamps.dt.replace_time_zone("UTC").dt.convert_time_zone(zone) if zone else stamps
    if kind is pl.Duration:
        return pl.Series(name, values, dtype=pl.Duration("us")).dt.cast_time_unit(unit)
    if kind is pl.Date:
        return pl.Series(name, values, dtype=pl.Datetime("us")).cast(pl.Date)
    if kind is pl.Time:
        nanoseconds = column.values.astype(np.int64) % _DAY * 1000
        return pl.Series(name, _with_none(nanoseconds, column.missing).tolist(), dtype=pl.Int64).cast(pl.Time)
    if kind is pl.Decimal:
        precision, scale = (int(part) for part in re.findall(r"\d+", dtype))
        return pl.Series(name, values, dtype=pl.Float64).cast(pl.Decimal(precision, scale))
    if kind is not None and kind.is_integer():
        return pl.Series(name, [None if value is None else round(value) for value in values], dtype=kind)
    if kind is pl.Boolean:
        return pl.Series(name, [None if value is None else bool(value) for value in values], dtype=kind)
    return pl.Series(name, values, dtype=kind, strict=False)
