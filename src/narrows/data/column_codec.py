"""One column of a table as numbers, and back. `table` puts columns together."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from narrows.data import cells as cell_types
from narrows.data.cells import Cells
from narrows.data.columns import Column
from narrows.data.frames import NewColumn


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
        row, value = next((i, v) for i, v in enumerate(values) if not cell_types.is_missing(v) and not _is_number(v))
        raise ValueError(
            f"The column {column.name!r} of X passed to {owner} must hold "
            f"{'dates' if column.kind == 'datetime' else 'numbers'}, as in training. Got {value!r} in row {row}."
        )
    return cells if cells.numbers is not None else Cells("number", column.dtype, np.full(len(values), np.nan))


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def level_numbers(column: Column) -> dict[Any, int]:
    """Return the number of each level."""
    return {level: i for i, level in enumerate(column.levels)}


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
    if column.step:
        values = np.rint(values / column.step) * column.step
    if column.kind in ("datetime", "duration"):
        micro = np.rint(values * 1e6).astype(np.int64)
        micro = micro.astype("datetime64[us]" if column.kind == "datetime" else "timedelta64[us]")
        if column.date_format is not None:
            texts = [stamp.strftime(column.date_format) for stamp in micro.tolist()]
            return NewColumn(column.name, column.dtype, np.array(texts, dtype=object), missing)
        return NewColumn(column.name, column.dtype, micro, missing)
    return NewColumn(column.name, column.dtype, _clip_to_dtype(values, column.dtype), missing)


def _typed(column: Column, values: np.ndarray, missing: np.ndarray) -> NewColumn:
    """Return level values as a column of the user's dtype."""
    if column.categories is None and all(isinstance(level, (bool, int, float)) for level in column.levels):
        values = np.where(missing, column.levels[0], values).astype(np.float64)
    if column.date_format is None and column.dtype.startswith(("datetime", "timestamp", "Datetime", "Date")):
        values = np.where(missing, 0, values).astype(np.float64)
        values = np.rint(values * 1e6).astype(np.int64).astype("datetime64[us]")
    return NewColumn(column.name, column.dtype, values, missing, column.categories, column.is_ordered)


def _clip_to_dtype(values: np.ndarray, dtype: str) -> np.ndarray:
    """Clip numbers to the range of an integer dtype, such as uint8."""
    name = dtype.lower().partition("[")[0]
    if name.startswith(("int", "uint")) and name.removeprefix("u").removeprefix("int").isdigit():
        info = np.iinfo(name)
        return np.clip(values, info.min, info.max)
    return values


def repeat(column: Column, n: int) -> NewColumn:
    """Return a constant column of `n` cells."""
    missing = np.full(n, not column.levels)
    value = column.levels[0] if column.levels else np.nan
    if isinstance(value, (bool, int, float)) and column.categories is None:
        values = np.full(n, float(value))
        if column.dtype.startswith(("datetime", "timestamp", "Datetime", "Date")):
            values = np.rint(np.nan_to_num(values) * 1e6).astype(np.int64).astype("datetime64[us]")
            if column.date_format is not None:
                values = np.array([stamp.strftime(column.date_format) for stamp in values.tolist()], dtype=object)
    else:
        values = np.empty(n, dtype=object)
        values[:] = [value] * n
    return NewColumn(column.name, column.dtype, values, missing, column.categories, column.is_ordered)


def _as_python(value: Any) -> Any:
    value = value.item() if isinstance(value, np.generic) else value
    return int(value) if isinstance(value, float) and value.is_integer() else value
