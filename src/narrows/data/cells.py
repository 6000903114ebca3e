"""Cells of one column of a data frame, whatever the frame's library: numbers, or the numbers of distinct values.

pandas is read directly. Everything else (polars, pyarrow, and any frame with the Arrow PyCapsule interface, see
https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html) is read through pyarrow.
"""

from __future__ import annotations

import datetime
import decimal
import math
import numbers
import re
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

import numpy as np

CellType = Literal["number", "bool", "date", "duration", "text", "category"]
_EXACT = 2**53  # largest whole number up to which a float64 holds all
_EPOCH = datetime.datetime(1970, 1, 1)
_LABEL_TYPES = ("bytes", "UUID", "Interval", "Period")  # names of types whose values are compared as words are
_WORD_TYPES = (str, bytes, datetime.date, datetime.time, datetime.timedelta)  # that an array of numbers has not
_CELL_TYPES = (str, bytes, numbers.Real, datetime.date, datetime.time, datetime.timedelta, decimal.Decimal)
# formats of dates in text, by their pattern; the first that all values match is taken
_DATE_FORMATS = {
    r"\d{4}-\d\d-\d\d": "%Y-%m-%d",
    r"\d{4}-\d\d-\d\d \d\d:\d\d": "%Y-%m-%d %H:%M",
    r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d": "%Y-%m-%d %H:%M:%S",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d": "%Y-%m-%dT%H:%M:%S",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ": "%Y-%m-%dT%H:%M:%SZ",
    r"\d{4}/\d\d/\d\d": "%Y/%m/%d",
}


class Cells(NamedTuple):
    """Cells of one column: n of them.

    Attributes
    ----------
    type : type of the values. "category" is a column whose dtype lists its categories.
    dtype : name of the column's dtype in the user's library.
    numbers : (n,) float64, NaN where missing: numbers, 0 and 1 for booleans, seconds for durations and, since 1970, for
        dates. None for text and categories.
    codes : (n,) integers, the position in `values`, -1 where missing; None for numbers.
    values : the distinct values of text, or all categories.
    is_whole : True if the dtype holds integers only.
    is_ordered : True for categories with an order.
    date_format : format of dates that are text; None for others.
    mixed : names of the types in a column that holds several, which are compared as text; () for others.
    python_type : name of the type of numbers and dates that are Python objects, such as "Decimal"; "datetime.utc" for
        stamps with a time zone. None for others.
    step : decimal numbers are multiples of it, such as 0.01; 0 for others.
    """

    type: CellType
    dtype: str
    numbers: np.ndarray | None = None
    codes: np.ndarray | None = None
    values: list[Any] = []  # noqa: RUF012 (never changed)
    is_whole: bool = False
    is_ordered: bool = False
    date_format: str | None = None
    mixed: tuple[str, ...] = ()
    python_type: str | None = None
    step: float = 0.0


# ------------------------------------------------------------------------------------------------ pandas


def from_pandas(series: Any) -> Cells:
    """Return the cells of a pandas Series.

    Raises
    ------
    TypeError
        If the cells are complex numbers, lists, or other objects that are neither numbers, dates nor text.
    """
    import pandas as pd

    dtype = series.dtype
    name = str(dtype)
    if isinstance(dtype, pd.CategoricalDtype):
        codes = np.asarray(series.cat.codes, dtype=np.int64)
        name = f"category[{dtype.categories.dtype}]"
        return Cells("category", name, None, codes, list(dtype.categories), is_ordered=bool(dtype.ordered))
    if isinstance(dtype, pd.ArrowDtype):
        return from_arrow(series.array.__arrow_array__())._replace(dtype=name)
    if isinstance(dtype, pd.SparseDtype):
        return from_pandas(series.sparse.to_dense())._replace(dtype=name)
    kind = getattr(dtype, "kind", "O")
    if kind in "iu" and _is_beyond_floats(series.min(), series.max()):
        codes, values = pd.factorize(series, use_na_sentinel=True)
        return Cells("text", name, None, np.asarray(codes, dtype=np.int64), [int(value) for value in values])
    if kind in "biuf":
        values = series.to_numpy(dtype=np.float64, na_value=np.nan)
        return Cells("bool" if kind == "b" else "number", name, values, is_whole=kind in "iu")
    if isinstance(dtype, pd.PeriodDtype):
        return Cells("date", name, _seconds(series.dt.to_timestamp().to_numpy("datetime64[us]")))
    if kind == "M":
        local = series.dt.tz_convert("UTC").dt.tz_localize(None) if getattr(dtype, "tz", None) else series
        return Cells("date", name, _seconds(local.to_numpy("datetime64[us]")))
    if kind == "m":
        return Cells("duration", name, _seconds(series.to_numpy("timedelta64[us]")))
    if kind == "c":
        raise TypeError("it holds complex numbers: pass their real and imaginary parts as two columns")
    if pd.api.types.infer_dtype(series, skipna=True).startswith("mixed"):
        return from_objects(series.tolist(), name)  # pandas takes 1 and True for one value
    try:
        codes, values = pd.factorize(series, use_na_sentinel=True)
    except TypeError as error:
        raise TypeError(f"it holds objects that are neither numbers, dates nor text ({error})") from None
    return from_values(np.asarray(codes, dtype=np.int64), list(values), name)


def from_values(codes: np.ndarray, values: list[Any], dtype: str) -> Cells:
    """Return the cells of a column of Python objects: `values[codes]`, missing where the code is -1.

    Raises
    ------
    TypeError
        If the values are neither numbers, booleans, dates, durations nor text.
    """
    values = [value.item() if isinstance(value, np.generic) else value for value in values]
    types = {type(value) for value in values}
    name = types.pop().__name__ if len(types) == 1 else None
    cells = Cells("text", dtype, python_type=name)
    if all(isinstance(value, str) for value in values):
        return _text(codes, values, dtype)
    if name in _LABEL_TYPES:
        return Cells("text", dtype, None, codes, values)
    if name == "bool":
        return cells._replace(type="bool", numbers=_spread(codes, [float(value) for value in values]))
    if all(isinstance(v, (numbers.Real, decimal.Decimal)) and not isinstance(v, bool) for v in values):
        seen = _spread(codes, [float(value) for value in values])
        whole = all(isinstance(value, numbers.Integral) for value in values)
        return cells._replace(type="number", numbers=seen, is_whole=whole, step=_decimal_step(values))
    if all(isinstance(value, datetime.date) for value in values):
        if any(getattr(value, "tzinfo", None) is not None for value in values):
            cells = cells._replace(python_type=f"{name}.utc")
        return cells._replace(type="date", numbers=_spread(codes, [_date_seconds(value) for value in values]))
    if all(isinstance(value, datetime.timedelta) for value in values):
        return cells._replace(type="duration", numbers=_spread(codes, [value.total_seconds() for value in values]))
    if name == "time":
        return cells._replace(type="duration", numbers=_spread(codes, [_time_seconds(value) for value in values]))
    return _mixed(codes, values, dtype)


def _mixed(codes: np.ndarray, values: list[Any], dtype: str) -> Cells:
    """Return a column of values of several types. Those with the same text are one value."""
    for value in values:
        if not isinstance(value, _CELL_TYPES):
            raise _no_cell(value)
    merged: dict[str, int] = {}
    renumbered = np.array([merged.setdefault(str(value), len(merged)) for value in values], dtype=np.int64)
    first = [values[i] for i in np.unique(renumbered, return_index=True)[1]]
    types = sorted({type(value).__name__ for value in values})
    return Cells("text", dtype, None, np.where(codes >= 0, renumbered[codes], -1), first, mixed=tuple(types))


def _no_cell(value: Any) -> TypeError:
    return TypeError(
        f"it holds {type(value).__name__} objects such as {str(value)[:40]!r}; a cell must be a number, a date or text "
        "(an argument must be a string or a real number)"
    )


def from_objects(column: Sequence[Any], dtype: str) -> Cells:
    """Return the cells of a sequence of Python objects; None, NaN, NaT and pandas.NA are missing. Raises TypeError."""
    positions: dict[tuple[type, Any], int] = {}
    codes = np.empty(len(column), dtype=np.int64)
    for row, value in enumerate(column):
        if is_missing(value):
            codes[row] = -1
            continue
        if isinstance(value, (np.datetime64, np.timedelta64)):
            value = value.astype("M8[us]" if isinstance(value, np.datetime64) else "m8[us]")
        value = value.item() if isinstance(value, np.generic) else value
        try:
            codes[row] = positions.setdefault((type(value), value), len(positions))
        except TypeError:
            raise _no_cell(value) from None
    return from_values(codes, [value for _, value in positions], dtype)


def from_array(column: np.ndarray) -> Cells:
    """Return the cells of an array (n,) of numbers, booleans, dates, text or Python objects. Raises TypeError."""
    dtype = str(column.dtype)
    if column.dtype.kind in "biuf":
        is_bool, whole = column.dtype.kind == "b", column.dtype.kind in "iu"
        return Cells("bool" if is_bool else "number", dtype, column.astype(np.float64), is_whole=whole)
    if column.dtype.kind == "M":
        return Cells("date", dtype, _seconds(column.astype("datetime64[us]")))
    if column.dtype.kind == "m":
        return Cells("duration", dtype, _seconds(column.astype("timedelta64[us]")))
    return from_objects(column.tolist(), dtype)


def _is_beyond_floats(low: Any, high: Any) -> bool:
    """Return True if a float64 may confuse whole numbers from `low` to `high`: they are compared one by one then."""
    return not (is_missing(low) or is_missing(high)) and max(abs(int(low)), abs(int(high))) > _EXACT


def is_missing(value: Any) -> bool:
    """Return True for None, NaN, NaT and pandas.NA."""
    if value is None:
        return True
    if isinstance(value, (float, np.floating)):
        return math.isnan(value)
    return type(value).__name__ in ("NAType", "NaTType") or (
        isinstance(value, (np.datetime64, np.timedelta64)) and bool(np.isnat(value))
    )


def has_words(X: np.ndarray) -> bool:
    """Return True if an array of objects or text has columns of words or dates, and none of words and numbers."""
    if X.dtype.kind not in "OUS":
        return False
    is_number = np.vectorize(_is_number_or_gap, otypes=[bool])(X)
    is_word = np.vectorize(lambda cell: isinstance(cell, _WORD_TYPES), otypes=[bool])(X) & ~is_number
    in_numbers = is_number.all(0) if X.dtype.kind != "O" else (~is_word).all(0)
    return bool(is_word.any()) and bool((in_numbers | (is_word | np.vectorize(is_missing)(X)).all(0)).all())


def _is_number_or_gap(cell: Any) -> bool:
    if is_missing(cell):
        return True
    try:
        float(cell)
    except (TypeError, ValueError):
        return False
    return True


# ------------------------------------------------------------------------------------------------ Arrow


def from_arrow(column: Any) -> Cells:
    """Return the cells of a pyarrow array or chunked array.

    Raises
    ------
    TypeError
        If the cells are lists, structs or another type without numbers, dates or text.
    """
    import pyarrow as pa
    import pyarrow.compute

    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
        if isinstance(column, pa.ChunkedArray):  # older pyarrow keeps an empty one
            column = pa.array([], column.type)
    kind, name, types = column.type, str(column.type), pa.types
    if types.is_dictionary(kind):
        codes = column.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        values = column.dictionary.to_pylist()
        return Cells("category", name, None, np.asarray(codes), values, is_ordered=bool(kind.ordered))
    if types.is_boolean(kind):
        return Cells("bool", name, _as_float(column.cast(pa.uint8())))
    if types.is_integer(kind) and len(column):
        low, high = pa.compute.min_max(column).as_py().values()
        if _is_beyond_floats(low, high):
            encoded = column.dictionary_encode()
            codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
            return Cells("text", name, None, np.asarray(codes), encoded.dictionary.to_pylist())
    if types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind):
        step = 10.0**-kind.scale if types.is_decimal(kind) else 0.0
        return Cells("number", name, _as_float(column), is_whole=types.is_integer(kind), step=step)
    if types.is_date(kind) or types.is_timestamp(kind):
        micro = column.cast(pa.timestamp("us", getattr(kind, "tz", None)), safe=False)
        return Cells("date", name, _as_float(micro.cast(pa.int64())) / 1e6)
    if types.is_duration(kind) or types.is_time(kind):
        unit = pa.duration("us") if types.is_duration(kind) else pa.time64("us")
        return Cells("duration", name, _as_float(column.cast(unit, safe=False).cast(pa.int64())) / 1e6)
    if types.is_null(kind):
        return Cells("number", name, np.full(len(column), np.nan))
    if types.is_string(kind) or types.is_large_string(kind) or str(kind) == "string_view":
        encoded = column.cast(pa.large_string()).dictionary_encode()
        codes = encoded.indices.cast(pa.int64()).fill_null(-1).to_numpy(zero_copy_only=False)
        return _text(np.asarray(codes), encoded.dictionary.to_pylist(), name)
    raise TypeError(f"it holds {name} values; a cell must be a number, a date or text")


# ------------------------------------------------------------------------------------------------ text and time


def _text(codes: np.ndarray, values: list[Any], dtype: str) -> Cells:
    """Return a column of text. It holds dates if all its values have one date format."""
    date_format = _date_format(values)
    if date_format is not None:
        try:
            seconds = [_date_seconds(datetime.datetime.strptime(value, date_format)) for value in values]
        except ValueError:  # such as 2020-02-31
            return Cells("text", dtype, None, codes, values)
        return Cells("date", dtype, _spread(codes, seconds), date_format=date_format)
    return Cells("text", dtype, None, codes, values)


def _date_format(values: Sequence[str]) -> str | None:
    if not values:
        return None
    for pattern, date_format in _DATE_FORMATS.items():
        compiled = re.compile(pattern)
        if all(compiled.fullmatch(value) for value in values):
            return date_format
    return None


def _date_seconds(value: datetime.date) -> float:
    """Return the seconds from 1970 to `value`, in UTC."""
    if not isinstance(value, datetime.datetime):
        value = datetime.datetime(value.year, value.month, value.day)
    if value.tzinfo is not None:
        value = value.astimezone(datetime.UTC).replace(tzinfo=None)
    return (value - _EPOCH) / datetime.timedelta(seconds=1)


def _time_seconds(value: datetime.time) -> float:
    """Return the seconds from midnight to `value`."""
    return value.hour * 3600 + value.minute * 60 + value.second + value.microsecond / 1e6


def _decimal_step(values: Sequence[Any]) -> float:
    """Return the step of decimal numbers, such as 0.01 for cents; 0 for others."""
    if not all(isinstance(value, decimal.Decimal) and value.is_finite() for value in values):
        return 0.0
    return 10.0 ** min(int(value.as_tuple().exponent) for value in values)


def _seconds(values: np.ndarray) -> np.ndarray:
    """Return microseconds of datetime64 or timedelta64 as seconds, NaT as NaN."""
    return np.where(np.isnat(values), np.nan, values.astype(np.int64) / 1e6)


def _spread(codes: np.ndarray, numbers_of_values: Sequence[float]) -> np.ndarray:
    """Return the number of each cell, NaN where the code is -1."""
    return np.append(np.asarray(numbers_of_values, dtype=np.float64), np.nan)[codes]


def _as_float(column: Any) -> np.ndarray:
    import pyarrow as pa

    return np.array(column.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False))


def as_cells(X: Any) -> np.ndarray:
    """Return a list of rows or an array as an array of numbers or objects."""
    if isinstance(X, (list, tuple)) and any(isinstance(cell, str) for row in X[:1] for cell in np.atleast_1d(row)):
        return np.asarray(X, dtype=object)
    return np.asarray(X)
