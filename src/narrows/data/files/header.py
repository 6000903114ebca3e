"""Decide whether the first line of a table names its columns."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

# Cells that are missing in any column.
GAPS = (
    *("", "?", "NA", "N/A", "n/a", "#N/A", "#N/A N/A", "#NA", "<NA>", "NaN", "nan", "-NaN", "-nan", "NaT"),
    *("NULL", "Null", "null", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN", "#VALUE!", "#DIV/0!", "#REF!", "#NUM!"),
)
BLANKS = "[ \u00a0\u2009\u202f'\u2019]"  # what separates thousands beside points and commas
_GROUPS = rf"[1-9]\d{{0,2}}({BLANKS}\d{{3}})+([.,]\d*)?"
NUMBER = rf"[+-]?({_GROUPS}|\d[\d.,]*|[.,]\d+)([eE][+-]?\d+)?\s*%?"
DATE = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}([.]\d+)?)?)?\s*(Z|[+-]\d{2}(:?\d{2})?)?"
_VALUE = re.compile(rf"({NUMBER}|{DATE}|[+-]?(inf|Inf|infinity)|[+-]?nan|NaN)")
_MIN_EVEN = 3  # evenly spaced numbers in a header, if they are unlike those below
_MIN_SURE = 6  # with so many, spacing alone decides


class Decision(NamedTuple):
    """Result of `decide`: whether the first line names the columns, and a line that says so if that is not plain."""

    is_header: bool
    note: str | None


def decide(first: Sequence[str], body: Sequence[Sequence[str]], has_header: bool | None = None) -> Decision:
    """Decide whether the cells `first` name the columns of the rows `body`, a sample of those that follow.

    Words above numbers are names, and so are words that do not occur again in their columns. Numbers are names
    if they are evenly spaced or sorted, unlike the numbers below them (wavelengths, years); or 0, 1, 2, ..., which
    pandas writes for columns without names.
    """
    if has_header is not None:
        return Decision(has_header, None)
    columns = [[row[i] for row in body if i < len(row) and row[i] not in GAPS] for i in range(len(first))]
    values = [i for i, cell in enumerate(first) if is_value(cell)]
    words = [i for i, cell in enumerate(first) if cell and i not in values]
    filled = [cell for cell in first if cell]
    shown = ", ".join(filled[:3]) + (", ..." if len(filled) > 3 else "")
    n_above_values = sum(bool(columns[i]) and all(map(is_value, columns[i])) for i in words if first[i] not in GAPS)
    if not values:
        recurs = any(first[i] in columns[i] for i in words)
        if (words and n_above_values) or (words and not recurs):
            return Decision(True, None)
        note = f"The first line ({shown}) is read as data, because its words occur below it; header=True takes it"
        return Decision(False, f"{note} as names." if words else None)
    if _are_names(first, body, columns, values, words) or n_above_values > len(values):
        note = f"The first line ({shown}) is taken as the names of the columns; header=False reads it as data."
        return Decision(True, note)
    return Decision(False, f"The first line ({shown}) is read as data; header=True takes it as names.")


def _are_names(
    first: Sequence[str],
    body: Sequence[Sequence[str]],
    columns: list[list[str]],
    values: list[int],
    words: list[int],
) -> bool:
    """Return True if the cells `first` at `values` are numbers that name columns."""
    row = [first[i] for i in values]
    if not words and "" not in first and len(row) > 2 and row == [str(i) for i in range(len(row))]:
        return True
    if not first[0] and len(values) == len(first) - 1 > 0 and _are_ids(columns[0], len(body)):
        return True
    if any(first[i] in columns[i] for i in words):
        return False
    is_even = _is_even(row)
    if not is_even and not (len(row) >= _MIN_SURE and _is_sorted(row)):
        return False
    same = [_is_even(cells) if is_even else _is_sorted(cells) for cells in ([r[i] for i in values] for r in body if r)]
    if np.mean(same or [False]) > 0.5:
        return False
    if is_even and len(row) >= _MIN_SURE:
        return True
    needed = 2 if words and all(cell.isdigit() for cell in row) else _MIN_EVEN
    unlike = [_is_unlike(first[i], columns[i]) for i in values]
    return len(row) >= needed and bool(np.mean(unlike) >= 0.9)


def is_value(cell: str) -> bool:
    """Return True if a cell is written as a number or an ISO date."""
    return _VALUE.fullmatch(cell) is not None


def _are_ids(cells: list[str], n: int) -> bool:
    """Return True if the cells of a column without a name are 0, 1, 2, ... or unlike words."""
    counts = cells in ([str(i) for i in range(n)], [str(i + 1) for i in range(n)])
    return n > 0 and (counts or (len(set(cells)) == n and not any(map(is_value, cells))))


def _is_even(cells: Sequence[str]) -> bool:
    """Return True if the numbers are evenly spaced and differ; two must be consecutive whole numbers."""
    if len(cells) == 2:
        return all(map(str.isdigit, cells)) and abs(int(cells[1]) - int(cells[0])) == 1
    steps = np.diff(_as_floats(cells))
    return len(steps) > 0 and bool(steps[0] != 0 and np.allclose(steps, steps[0], rtol=1e-4, atol=0))


def _is_sorted(cells: Sequence[str]) -> bool:
    steps = np.diff(_as_floats(cells))
    return bool((steps > 0).all() or (steps < 0).all())


def _is_unlike(cell: str, column: Sequence[str]) -> bool:
    """Return True if a number lies outside those of its column, or is whole where they are not."""
    value, others = _as_floats([cell])[0], _as_floats(column)
    others = others[np.isfinite(others)]
    if not len(others):
        return False
    return bool(
        not others.min() <= value <= others.max()
        or (float(value).is_integer() and not (others == np.rint(others)).all())
    )


def _as_floats(cells: Sequence[str]) -> np.ndarray:
    """Return the cells as floats; what is no plain number is NaN."""
    numbers = np.full(len(cells), np.nan)
    for i, cell in enumerate(cells):
        try:
            numbers[i] = float(cell)
        except ValueError:
            continue
    return numbers
