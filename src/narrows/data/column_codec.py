"""One column of a table as numbers, and back. `table` puts columns together."""

from __future__ import annotations

import datetime
import decimal
import math
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from narrows.data import cells as cell_types
from narrows.data.cells import Cells
from narrows.data.columns import Column
from narrows.data.new_frames import NewColumn

_INTEGERS = {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)}


def encode_column(column: Column, cells: Cells, owner: str) -> tuple[np.ndarray, list[str]]:
    """Return the numbers of the cells, and the values that were not seen in training."""
    if column.has_levels:
        if cells.numbers is not None:
            values, codes = np.unique(cells.numbers, return_inverse=True)
            n = int((~np.isnan(values)).sum())
            level_numbers, new = encode_levels(column, [_as_python(value) for value in values[:n]])
            return np.append(level_numbers, np.nan)[np.minimum(codes, n)], new
        assert cells.codes is not None
        present = np.zeros(len(cells.values) + 1, dtype=bool)
        present[cells.codes] = True
        level_numbers, new = encode_levels(column, cells.values, present)
        return np.append(level_numbers, np.nan)[cells.codes], new
    if cells.numbers is None:
        assert cells.codes is not None
        cells = as_cells(column, [None if code < 0 else cells.values[code] for code in cells.codes], owner)
    assert cells.numbers is not None
    if not np.isnan(cells.numbers).all():
        needs = {"datetime": "date", "duration": "duration"}.get(column.kind, "number")
        if (cells.type == "bool" and needs != "number") or (cells.type != "bool" and cells.type != needs):
            raise ValueError(
                f"The column {column.name!r} of X passed to {owner} must hold {needs}s, as in training. It holds "
                f"{cells.type}s ({cells.dtype})."
            )
    if np.isinf(cells.numbers).any():
        row = int(np.flatnonzero(np.isinf(cells.numbers))[0])
        raise ValueError(
            f"The column {column.name!r} of X passed to {owner} holds infinity (first in row {row}). Replace it by a "
            "number, or by NaN where the value is missing."
        )
    return cells.numbers, []


def as_cells(column: Column, values: list[Any], owner: str) -> Cells:
    """Return Python values of a column of numbers or dates as cells."""
    try:
        cells = cell_types.from_objects(values, column.dtype)
        if cells.type in ("text", "category") and column.kind not in ("datetime", "duration"):
            numbers = np.array([np.nan if cell_types.is_missing(value) else float(value) for value in values])
            cells = Cells("number", column.dtype, numbers)
    except (TypeError, ValueError):
        cells = Cells("text", column.dtype)
    if cells.numbers is None and not all(cell_types.is_missing(value) for value in values):
        is_time = column.kind in ("datetime", "duration")
        row, value = next(
            (i, v) for i, v in enumerate(values) if not cell_types.is_missing(v) and (is_time or not _is_number(v))
        )
        raise ValueError(
            f"The column {column.name!r} of X passed to {owner} must hold "
            f"{column.kind + 's' if is_time else 'numbers'}, as in training. Got {value!r} in row {row}."
        )
    return cells if cells.numbers is not None else Cells("number", column.dtype, np.full(len(values), np.nan))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def level_numbers(column: Column) -> dict[Any, int]:
    """Return the number of each level; nothing if some are equal, as 1 and True are: they are told apart as text."""
    positions = {level: i for i, level in enumerate(column.levels)}
    return positions if len(positions) == len(column.levels) else {}


def encode_levels(
    column: Column, values: Sequence[Any], present: np.ndarray | None = None
) -> tuple[np.ndarray, list[str]]:
    """Return the level number of each value, and the texts of present values that are no level."""
    positions = level_numbers(column)
    by_text = {str(level): i for level, i in positions.items()}
    unknown = len(column.levels)  # `other` where there is one, else the number of an unseen value
    numbers, new = np.empty(len(values)), []
    for i, value in enumerate(values):
        position = positions.get(value) if isinstance(value, (str, int, float)) or value in positions else None
        position = by_text.get(str(value)) if position is None else position
        numbers[i] = unknown if position is None else position
        if position is None and not column.n_rare and (present is None or present[i]):
            new.append(repr(value))
    return numbers, new


def with_dtype_of(column: Column, cells: Cells) -> Column:
    """Return the column with the dtype of other cells, in which its values are then given back."""
    categories = None
    if cells.type == "category":
        categories = (*cells.values, *(level for level in column.levels if level not in set(cells.values)))
    return replace(
        column,
        dtype=cells.dtype,
        python_type=cells.python_type,
        date_format=cells.date_format,
        categories=categories,
        is_ordered=cells.is_ordered,
    )


def decode_column(column: Column, numbers: np.ndarray) -> NewColumn:
    """Return the values of a column from its numbers."""
    missing = np.isnan(numbers)
    if column.has_levels:
        codes = np.where(missing, -1, np.rint(np.nan_to_num(numbers))).astype(np.int64)
        missing = (codes < 0) | (codes >= len(column.levels))
        levels = np.empty(len(column.levels) + 1, dtype=object)
        levels[:-1] = column.levels
        return _typed(column, levels[np.where(missing, -1, codes)], missing)
    values = np.nan_to_num(numbers)
    if 0 < column.step < 1 and column.cell_type == "number":
        values = np.round(values, -round(math.log10(column.step)))  # 0.3, not 3 * 0.1
    elif column.step:
        values = np.rint(values / column.step) * column.step
    return _typed(column, values, missing)


def _typed(column: Column, values: np.ndarray, missing: np.ndarray) -> NewColumn:
    """Return numbers, or the values of levels, as a column of the user's dtype."""
    new = NewColumn(column.name, column.dtype, values, missing, column.categories, column.is_ordered)
    if column.cell_type in ("text", "category"):
        return new
    values = np.where(missing, 0.0, values).astype(np.float64)
    if column.cell_type == "date":
        values = np.rint(np.clip(values, *_stamp_range(column.dtype)) * 1e6).astype(np.int64).astype("datetime64[us]")
    elif column.cell_type == "duration":
        values = np.rint(values * 1e6).astype(np.int64).astype("timedelta64[us]")
    else:
        values = _clip_to_dtype(values, column.dtype)
    if column.date_format is not None or column.python_type is not None:
        values = _as_objects(column, values)
    return new._replace(values=values)


def _stamp_range(dtype: str) -> tuple[float, float]:
    """Return the earliest and the latest stamp of a dtype in seconds since 1970."""
    return (-9.2e9, 9.2e9) if "ns" in dtype else (-62_135_596_800.0, 253_402_300_799.0)


def _as_objects(column: Column, values: np.ndarray) -> np.ndarray:
    """Return numbers or dates as objects of the type that the user's column held."""
    convert: Callable[[Any], Any]
    if column.date_format is not None:
        date_format = column.date_format
        # %Y of an early year has fewer than four digits
        convert = lambda stamp: stamp.strftime(date_format.replace("%Y", f"{stamp.year:04d}"))  # noqa: E731
    elif column.python_type == "Decimal" and column.step:
        digits = max(0, -round(math.log10(column.step)))
        convert = lambda number: decimal.Decimal(f"{number:.{digits}f}")  # noqa: E731
    else:
        convert = _CONVERT.get(str(column.python_type), lambda value: value)
    objects = np.empty(len(values), dtype=object)
    objects[:] = [convert(value) for value in values.tolist()]
    return objects


def _timestamp(value: datetime.datetime) -> Any:
    import pandas as pd

    return pd.Timestamp(value)


def _timedelta(value: datetime.timedelta) -> Any:
    import pandas as pd

    return pd.Timedelta(value)


def _zoned(value: Any) -> Any:
    return value.replace(tzinfo=datetime.UTC)


# functions from a number, stamp or duration to the objects of a column, by the name of their type
_CONVERT: dict[str, Callable[[Any], Any]] = {
    "bool": bool,
    "int": round,
    "str": lambda number: f"{number:.0f}" if number.is_integer() else repr(number),
    "Decimal": lambda number: decimal.Decimal(repr(number)),
    "date": lambda stamp: stamp.date(),
    "datetime.utc": _zoned,
    "Timestamp": _timestamp,
    "Timestamp.utc": lambda stamp: _zoned(_timestamp(stamp)),
    "Timedelta": _timedelta,
    "time": lambda duration: (datetime.datetime.min + duration % datetime.timedelta(days=1)).time(),
}


def _clip_to_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Clip numbers to the range of an integer dtype, such as uint8."""
    name = dtype.lower().partition("[")[0]
    if name in _INTEGERS:
        info = np.iinfo(name)
        return np.clip(values, info.min, info.max)
    return values


def repeat(column: Column, n: int) -> NewColumn:
    """Return a constant column of `n` cells."""
    missing = np.full(n, not column.levels)
    values = np.empty(n, dtype=object)
    values[:] = [column.levels[0] if column.levels else None] * n
    return _typed(column, values, missing)


def empty(column: Column, n: int) -> NewColumn:
    """Return a column of `n` missing cells."""
    return NewColumn(column.name, column.dtype, np.full(n, None, dtype=object), np.ones(n, dtype=bool))


def _as_python(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value
