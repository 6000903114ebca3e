"""Give columns of text cells the type that all their cells have: numbers, truth values, dates or words.

A column keeps its words if one of its cells fits no other type, and if it would lose something as numbers: the zeros
that zip codes begin with, the last digits of long identifiers.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any, NamedTuple

from narrows.data.files.header import BLANKS, DATE, GAPS, NUMBER

# These words are missing in columns of numbers or dates only: elsewhere they can be levels.
_WEAK_GAPS = ("-", "--", ".", "*", "none", "None", "NONE", "missing", "Missing", "unknown", "Unknown")
_TRUE, _FALSE = ("True", "TRUE", "true"), ("False", "FALSE", "false")
_HEAD = 1000  # cells that are looked at before all are
_MOST_DIGITS = 19  # of an int64
# "1,234" is written in both ways: `settle` decides for the whole table. "0,234" is not: no thousands begin with 0.
_THOUSANDS = r"^[+-]?([1-9]\d{0,2}(,\d{3})+|\d+)(\.\d+)?$"
_DECIMAL = r"^[+-]?(([1-9]\d{0,2}(\.\d{3})+|\d+)(,\d*)?|,\d+)([eE][+-]?\d+)?$"
_OTHER_DATE = r"^\d{1,4}[./-]\d{1,2}[./-]\d{1,4}( .*)?$"
_POINTS = r"^[+-]?(0|[1-9]\d{0,2}(\.\d{3})*)$"
_GROUPED = rf"^[+-]?([1-9]\d{{0,2}}({BLANKS}\d{{3}})+|\d+)([.,]\d*)?$"
_ANY_FORM = rf"{_GROUPED}|{_THOUSANDS}|{_DECIMAL}".replace("$", r"\s*%?$")
_MONEY = rf"^[+-]?\p{{Sc}}?\s*{NUMBER}\s*\p{{Sc}}?$"


class Typed(NamedTuple):
    """A column and how it was read.

    Attributes
    ----------
    values : Arrow array of its type; missing cells are null.
    gaps : number of missing cells by how they are written.
    form : "zeros", "digits", "dates", "zones", "unlike", "money", "no number" or "no date" for why words are kept, or
        "" for nothing to say; while a decimal comma is not decided, "commas" or "points".
    strings : the cells, if `settle` has to decide about them.
    odd : number of other cells in a column that mostly holds numbers or dates, and one of these cells.
    is_trimmed : True if there were blanks around cells.
    is_percent : True if the numbers are written with "%".
    thousands : how 1234 is written, such as "1.234", if thousands are separated; else "".
    is_point : True if there is a decimal point, in a table with decimal commas.
    """

    values: Any
    gaps: dict[str, int]
    form: str = ""
    strings: Any = None
    odd: tuple[int, str] = (0, "")
    is_trimmed: bool = False
    is_percent: bool = False
    thousands: str = ""
    is_point: bool = False


def type_column(cells: Any, has_points: bool) -> Typed:
    """Return the column of text `cells` (an Arrow array of strings) in its type.

    Parameters
    ----------
    has_points : True if points may separate thousands, so that "1.234" is settled with the whole table.
    """
    import pyarrow.compute as pc

    number = _as_number(cells, has_points)
    if number is not None:  # the usual case is fast
        return number
    stripped = pc.utf8_trim_whitespace(cells)
    is_trimmed = pc.sum(pc.binary_length(cells)) != pc.sum(pc.binary_length(stripped))
    stripped, gaps = _blank_out(stripped, GAPS)
    typed = _type(stripped, has_points)
    if typed is None:
        typed, more = _as_words(stripped, has_points)
        gaps |= more
    return typed._replace(gaps=gaps, is_trimmed=bool(is_trimmed))


def settle(columns: list[Typed], delimiter: str) -> tuple[list[Typed], bool]:
    """Decide whether commas are decimal or separate thousands, and type the columns that depend on it.

    The cells of a column decide about it. Where they fit both, as "1,234" does, the other columns decide.

    Returns
    -------
    The columns, and True if there are decimal commas.
    """
    import pyarrow as pa

    is_decimal = {}  # by the index of the column; None if both fit
    for i, column in enumerate(columns):
        if column.form == "commas":
            fits = _all_match(column.strings, _DECIMAL), _all_match(column.strings, _THOUSANDS)
            is_decimal[i] = None if all(fits) else fits[0]
    if True in is_decimal.values():
        usual = True
    elif not is_decimal or False in is_decimal.values():
        usual = False
    else:
        usual = delimiter == ";" and not any(
            pa.types.is_floating(c.values.type) and c.form == "" and not c.is_percent for c in columns
        )
    if usual:
        is_decimal |= {i: True for i, column in enumerate(columns) if column.form == "points"}
    decimals = {i: usual if decimal is None else decimal for i, decimal in is_decimal.items()}
    has_commas = True in decimals.values()
    result = []
    for i, column in enumerate(columns):
        if i in decimals:
            column = _read_commas(column, decimals[i])
        if has_commas and not decimals.get(i, False):
            column = column._replace(is_point=_has_fractions(column.values))
        result.append(column._replace(form="", strings=None) if column.form in ("commas", "points") else column)
    return result, has_commas


def _as_words(cells: Any, has_points: bool) -> tuple[Typed, dict[str, int]]:
    """Return cells that do not all have one other type, and missing cells among them by how they are written.

    If all others are numbers or dates, some words are missing cells. Else the form says why words are kept.
    """
    import pyarrow.compute as pc

    words = Typed(cells, {})
    head = cells.slice(0, _HEAD).drop_null()
    if not len(head):
        return words, {}
    if _all_match(head, _OTHER_DATE) and not _all_match(head, f"^({DATE})$"):
        return words._replace(form="dates"), {}
    if _all_match(head, _MONEY) and _any_match(head, r"\p{Sc}"):
        return words._replace(form="money"), {}
    n_numbers, n_dates = (pc.sum(pc.match_substring_regex(head, f"^({kind})$")).as_py() for kind in (NUMBER, DATE))
    if (n_numbers + n_dates) * 2 <= len(head):
        return words, {}
    kind, form = (DATE, "no date") if n_dates > n_numbers else (NUMBER, "no number")
    counts = _count(cells.filter(pc.invert(pc.match_substring_regex(cells, f"^({kind})$"))))
    if counts and set(counts) <= set(_WEAK_GAPS):
        blanked, gaps = _blank_out(cells, _WEAK_GAPS)
        typed = _type(blanked, has_points)
        if typed is not None:
            return typed, gaps
    elif counts:
        return words._replace(form=form, odd=(sum(counts.values()), next(iter(counts)))), {}
    elif kind == DATE:
        return words._replace(form="zones"), {}
    elif _all_match(cells, _ANY_FORM):
        return words._replace(form="unlike"), {}
    return words, {}


def _type(cells: Any, has_points: bool) -> Typed | None:
    """Return cells, of which missing ones are null, in their type; None if they are words."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if cells.null_count == len(cells):
        return Typed(pa.nulls(len(cells), pa.float64()), {})
    head = pc.unique(cells.slice(0, _HEAD)).drop_null().to_pylist() or [cells.drop_null()[0].as_py()]
    number = _as_number(cells, has_points)
    if number is not None:
        return number
    if set(head) <= {*_TRUE, *_FALSE}:
        is_true, is_false = (pc.is_in(cells, value_set=pa.array(words)) for words in (_TRUE, _FALSE))
        if pc.all(pc.or_(pc.or_(is_true, is_false), pc.is_null(cells))).as_py():
            return Typed(pc.if_else(pc.is_null(cells), pa.scalar(None, pa.bool_()), is_true), {})
    if all(re.fullmatch(DATE, cell) for cell in head):
        dates = _as_dates(cells)
        return None if dates is None else Typed(dates, {})
    if all(cell.endswith("%") for cell in head) and pc.all(pc.ends_with(cells, "%")).as_py():
        typed = _type(pc.replace_substring_regex(cells, r"\s*%$", ""), has_points)
        is_number = typed is not None and (typed.form == "commas" or not pa.types.is_string(typed.values.type))
        return typed._replace(is_percent=True) if typed is not None and is_number else None
    if not all(re.fullmatch(NUMBER, cell) for cell in head):
        return None
    if _any_match(cells, ",") and (_all_match(cells, _DECIMAL) or _all_match(cells, _THOUSANDS)):
        return Typed(cells, {}, "commas", cells)
    if _any_match(cells, BLANKS) and _all_match(cells, _GROUPED):
        typed = _type(pc.replace_substring_regex(cells, BLANKS, ""), has_points=False)
        is_number = typed is not None and typed.form in ("", "commas")
        example = "1'234" if _any_match(cells, "['\u2019]") else "1 234"
        return typed._replace(thousands=example) if typed is not None and is_number else None
    return None


def _as_number(cells: Any, has_points: bool) -> Typed | None:
    """Return cells that are all plain numbers in their type, or as words if they would lose something as numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    numbers = _cast(cells, pa.int64())
    is_whole = numbers is not None
    numbers = numbers if is_whole else _cast(cells, pa.float64())
    if numbers is None:
        return None
    if _any_zeros(cells):
        return Typed(cells, {}, "zeros")
    if is_whole:
        return Typed(numbers, {})
    is_long = pc.max(pc.binary_length(cells)).as_py() >= _MOST_DIGITS
    if is_long and _any_match(cells, rf"^[+-]?\d{{{_MOST_DIGITS},}}$") and not _any_match(cells, r"[.eEn]"):
        return Typed(cells, {}, "digits")
    is_grouped = has_points and _all_match(cells.slice(0, _HEAD), _POINTS) and _all_match(cells, _POINTS)
    return Typed(numbers, {}, "points" if is_grouped else "", cells if is_grouped else None)


def _read_commas(column: Typed, decimal: bool) -> Typed:
    """Return a column of numbers with decimal commas, or with commas between thousands, as numbers."""
    import pyarrow as pa
    import pyarrow.compute as pc

    cells = column.strings
    thousands, point = (".", ",") if decimal else (",", ".")
    example = f"1{thousands}234" if _any_match(cells, re.escape(thousands)) else column.thousands
    plain = pc.replace_substring(cells, thousands, "")
    plain = pc.replace_substring(plain, point, ".") if decimal else plain
    integers = _cast(plain, pa.int64())
    return column._replace(values=_cast(plain, pa.float64()) if integers is None else integers, thousands=example)


def _has_fractions(values: Any) -> bool:
    """Return True for floats that are not all whole."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_floating(values.type):
        return False
    return bool(pc.any(pc.and_(pc.is_finite(values), pc.not_equal(values, pc.round(values)))).as_py())


def _as_dates(cells: Any) -> Any:
    """Return ISO dates as time stamps in their zone, or in UTC if there are several; None if one is no date."""
    import pyarrow as pa
    import pyarrow.compute as pc

    for unit in ("us", "ns"):
        dates = _cast(cells, pa.timestamp(unit))
        dates = _cast(cells, pa.timestamp(unit, "UTC")) if dates is None else dates
        if dates is not None:
            break
    if dates is not None and dates.type.tz is not None:
        zones = pc.unique(pc.utf8_slice_codeunits(cells, -6)).drop_null().to_pylist()
        zone = zones[0] if len(zones) == 1 and re.fullmatch(r"[+-]\d{2}:\d{2}", zones[0]) else "UTC"
        dates = pc.cast(dates, pa.timestamp(dates.type.unit, zone))
    return dates


def _blank_out(cells: Any, words: tuple[str, ...]) -> tuple[Any, dict[str, int]]:
    """Return `cells` with nulls for `words`, and how often each word was there."""
    import pyarrow as pa
    import pyarrow.compute as pc

    is_gap = pc.is_in(cells, value_set=pa.array(words))
    if not pc.any(is_gap).as_py():
        return cells, {}
    return pc.if_else(is_gap, pa.scalar(None, cells.type), cells), _count(cells.filter(is_gap))


def _count(cells: Any) -> dict[str, int]:
    """Return the number of each word, the most frequent first; nulls do not count."""
    import pyarrow.compute as pc

    counts = {pair["values"]: pair["counts"] for pair in pc.value_counts(cells).to_pylist()}
    counts.pop(None, None)
    return dict(Counter(counts).most_common())


def _cast(cells: Any, kind: Any) -> Any:
    """Return `cells` as an Arrow type, or None if one of them does not have it."""
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        return pc.cast(cells, kind)
    except pa.ArrowInvalid:
        return None


def _any_zeros(cells: Any) -> bool:
    """Return True if a number begins with a zero that it does not need, or is hexadecimal."""
    import pyarrow.compute as pc

    starts = pc.or_(pc.starts_with(cells, "0"), pc.starts_with(cells, "-0"))
    return bool(pc.any(starts).as_py()) and _any_match(cells.filter(starts), r"^-?0[0-9xX]")


def _any_match(cells: Any, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.any(pc.match_substring_regex(cells, pattern)).as_py())


def _all_match(cells: Any, pattern: str) -> bool:
    import pyarrow.compute as pc

    return bool(pc.all(pc.match_substring_regex(cells, pattern)).as_py())
