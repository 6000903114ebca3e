"""New cells written as the other cells of their column are: decimals, decimal comma, per cent, dates, truth values."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

_SAMPLE = 1_000  # cells that are looked at
_BLANKS = re.compile("[\\s\u00a0\u2009\u202f'\u2019]")
_DATES = tuple(f"%Y-%m-%d{time}" for time in ("", " %H:%M:%S", "T%H:%M:%S", " %H:%M", "T%H:%M", " %H:%M:%S.%f"))


def write_like(values: Any, mask: np.ndarray, cells: Sequence[Any]) -> dict[int, Any]:
    """Return what is to be written into the cells where `mask` is True, by row.

    Parameters
    ----------
    values : pandas Series of the whole column, filled.
    cells : the cells of the column in the file: text, or values of a sheet. What they hold at `mask` is ignored.
    """
    seen = [i for i in range(len(cells)) if not mask[i] and not _is_missing(values[i])][:_SAMPLE]
    known, written = [values[i] for i in seen], [cells[i] for i in seen]
    kind = getattr(values.dtype, "kind", "O")
    write: Callable[[Any], Any] = _word_writer(cells)
    if not all(isinstance(cell, str) for cell in (written or cells)):  # of a sheet
        write = _as_value
    elif kind == "M":
        write = _date_writer(known, written)
    elif kind == "b":
        write = _truth_writer(known, written)
    elif kind in "iuf":
        write = _number_writer(known, written, is_whole=kind != "f")
    return {int(i): write(values[int(i)]) for i in mask.nonzero()[0]}


def _is_missing(value: Any) -> bool:
    return value is None or value != value or type(value).__name__ in ("NAType", "NaTType")


def _word_writer(cells: Sequence[Any]) -> Callable[[Any], str]:
    """Write a word as it stands in other cells; a spreadsheet makes no formula of one that stands in none."""
    from narrows.data.formulas import without_formula

    words = {cell for cell in cells if isinstance(cell, str)}
    return lambda value: str(value) if str(value) in words else str(without_formula(str(value)))


def _as_value(value: Any) -> Any:
    """Return a value of a sheet: a number, a date or text."""
    if hasattr(value, "to_pydatetime"):
        return value.to_pydatetime()
    return value.item() if hasattr(value, "item") else value


def _date_writer(known: Sequence[Any], written: Sequence[str]) -> Callable[[Any], str]:
    for form in _DATES:
        if all(f"{value:{form}}" == cell for value, cell in zip(known, written, strict=True)):
            return lambda value: f"{value:{form}}"
    return lambda value: value.isoformat("T" if any("T" in cell for cell in written) else " ")


def _truth_writer(known: Sequence[Any], written: Sequence[str]) -> Callable[[Any], str]:
    """Write a truth value as most of the others are: True, TRUE or true."""
    words = {bool(value): cell for value, cell in zip(known, written, strict=True)}
    case: Callable[[str], str] = next(
        (form for form in (str.upper, str.lower) for cell in words.values() if form(cell) == cell), str.capitalize
    )
    return lambda value: words.get(bool(value), case(str(bool(value))))


def _number_writer(known: Sequence[Any], written: Sequence[str], is_whole: bool) -> Callable[[Any], str]:
    """Write a number with the decimals, the decimal sign and the per cent sign of the others."""
    point = next((sign for sign in (".", ",") if _fits(known, written, sign)), ".")
    decimals = [len(re.sub(r"\D", "", cell.partition(point)[2])) for cell in written if not re.search("[eE]", cell)]
    is_plain = bool(decimals) and len(decimals) == len(written)  # not 1e-3
    most, least = (max(decimals), min(decimals)) if is_plain else (0 if is_whole else None, 0)
    percent = re.search(r"\s*%$", written[0]) if written and all(cell.endswith("%") for cell in written) else None

    def write(value: Any) -> str:
        number = float(value)
        text = repr(number) if most is None else f"{number:.{most}f}"
        if "." in text and "e" not in text:
            whole, _, fraction = text.partition(".")
            fraction = fraction.rstrip("0").ljust(least, "0")
            text = f"{whole}.{fraction}" if fraction else whole
        return text.replace(".", point) + (percent[0] if percent else "")

    return write


def _fits(known: Sequence[Any], written: Sequence[str], point: str) -> bool:
    """Return True if all cells are read as their values with this decimal sign."""
    thousands = "," if point == "." else "."
    for value, cell in zip(known, written, strict=True):
        text = _BLANKS.sub("", cell).rstrip("%").replace(thousands, "").replace(point, ".")
        try:
            if float(text) != float(value):
                return False
        except ValueError:
            return False
    return True
