"""Cells of a table as text, in the user's units."""

from __future__ import annotations

import datetime
import math
from typing import Any

import numpy as np

from narrows.data import Column
from narrows.plots.drawing import format_number

GAP = "\N{EM DASH}"  # what stands for a missing cell
UNSEEN = "not seen in training"
_EPOCH = datetime.datetime(1970, 1, 1)
_LAST_SECOND = 253_402_300_799.0  # of the year 9999
_MOST_DECIMALS = 6


def format_cell(column: Column, number: float) -> str:
    """Return a number of a column (see `narrows.data.columns`) as people write it: a level, a date, or a number.

    All numbers of a column have the same decimals, enough to tell a tenth of its scale, and dates have no time of
    day if they are spread over weeks. A missing cell is a dash.
    """
    if math.isnan(number):
        return GAP
    if column.has_levels:
        return format_level(column, round(number))
    return format_value(column, number)


def format_level(column: Column, level: int) -> str:
    """Return the name of the level with this number."""
    if 0 <= level < len(column.levels):
        return _level(column, column.levels[level])
    return "other" if column.n_rare and level == len(column.levels) else UNSEEN


def format_value(column: Column, number: float) -> str:
    """Return a number, a date or a duration."""
    if _is_date(column):
        return format_date(number, date_step(column))
    if column.kind == "duration":
        return _duration(number, column.step)
    if column.step >= 1:
        return _minus(f"{np.rint(number):,.0f}" if abs(number) >= 10_000 else f"{np.rint(number) + 0.0:.0f}")
    decimals = decimals_of(column)
    if decimals > _MOST_DECIMALS or abs(number) >= 1e15:
        return _minus(f"{number:.3g}")
    text = f"{number:,.{decimals}f}" if abs(number) >= 10_000 else f"{number:.{decimals}f}"
    return _minus(text if float(text.replace(",", "")) else text.lstrip("-"))


def format_difference(column: Column, size: float) -> str:
    """Return the distance of two numbers of a column; a duration for dates."""
    if _is_date(column) or column.kind == "duration":
        return _duration(size, column.step)
    return format_number(size)


def decimals_of(column: Column) -> int:
    """Return the number of decimals of a column of real numbers."""
    return max(0, 1 - math.floor(math.log10(column.scale))) if column.scale > 0 else 0


def date_step(column: Column) -> float:
    """Return the precision of shown dates, in seconds: a day, a minute or a second, at most a tenth of the scale."""
    return max(column.step, *(step for step in (86_400.0, 60.0, 1.0) if 10 * step <= column.scale or step == 1))


def format_date(seconds: float, step: float) -> str:
    """Return seconds since 1970 as a date, with the time of day if `step` is shorter than a day."""
    bounded = min(max(seconds, -62_135_596_800.0), _LAST_SECOND)
    stamp = _EPOCH + datetime.timedelta(seconds=round(bounded))
    return stamp.strftime("%Y-%m-%d" if step >= 86_400 else "%Y-%m-%d %H:%M" if step >= 60 else "%Y-%m-%d %H:%M:%S")


def format_constant(column: Column) -> str:
    """Return the only value of a constant column."""
    return _level(column, column.levels[0]) if column.levels else "no value"


def format_range(column: Column) -> str:
    """Return the range of the training values of a column of numbers or dates."""
    return f"{format_value(column, column.low)} to {format_value(column, column.high)}"


def _level(column: Column, level: Any) -> str:
    if isinstance(level, (int, float)) and not isinstance(level, bool) and _is_date(column):
        return format_date(float(level), 86_400.0 if level % 86_400 == 0 else 1.0)
    if isinstance(level, float):
        return format_number(level) if abs(level) < 1e6 else f"{level:g}"
    return str(level) if str(level).strip() else repr(str(level))


def _is_date(column: Column) -> bool:
    names = ("datetime", "timestamp", "Datetime", "Date", "date")
    return column.kind == "datetime" or column.date_format is not None or column.dtype.startswith(names)


def _duration(seconds: float, step: float) -> str:
    """Return a duration by its two largest units, such as '3 d 4 h'."""
    sign, rest = ("\N{MINUS SIGN}" if seconds < 0 else ""), abs(seconds)
    if rest < 60:
        return f"{sign}{rest:.0f} s" if step >= 1 else f"{sign}{rest:.3g} s"
    days, rest = divmod(round(rest), 86_400)
    hours, rest = divmod(rest, 3600)
    parts = [(days, "d"), (hours, "h"), (rest // 60, "min"), (rest % 60, "s")]
    first = next(i for i, (n, _) in enumerate(parts) if n)
    return sign + " ".join(f"{n:,} {unit}" for n, unit in parts[first : first + 2] if n)


def _minus(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")
