"""Columns of a table: their kinds, ranges and levels. `look_at` finds them in the cells of a training table.

Numbers of a column in the model: values as they are, seconds for durations and, since 1970, for dates, and the position
of the value in `levels` for categories. NaN means missing.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from narrows.data.cells import Cells, CellType
from narrows.data.kinds import ColumnKind, as_numbers, check_named_kind
from narrows.params import counted, enumerate_names

LEVELLED = ("binary", "categorical", "ordered")  # kinds with levels
LEFT_OUT = ("constant", "identifier", "text")  # kinds that the model does not see
MAX_LEVELS = 256  # default of `max_levels`
_MIN_DISTINCT = 20  # fewer different words are never identifiers or text
_DISTINCT_SHARE = 0.9  # share of different words from which they are identifiers or text
_TEXT_WORDS = 4  # mean number of words from which a column of mostly different cells is text
_HEAVY = 8.0  # robust standard deviations from the median to the 0.1 % and 99.9 % quantiles of a heavy-tailed column
_ATOM_SHARE = 0.3  # share of the cells that must hold one number for it to be an atom
_COUNT_MEDIAN, _COUNT_MAX = 5, 1_000  # largest median and maximum of a column of counts
_SAMPLE = 200_000  # values from which quantiles are computed
_LARGEST = 1e100  # squares of such values, and sums of the squares, are finite in double precision
_ID_NAME = re.compile(r"(?i)(^|[\W_])(id|ids|uuid|guid|key|index|row_?names?|row_?numbers?)$|[a-z]I[Dd]$")


@dataclass(frozen=True)
class Column:
    """Column of the user's table.

    Attributes
    ----------
    name : the user's name; a position for an array.
    kind : one of `KINDS`.
    dtype : name of the dtype in the user's library, in which values are given back.
    cell_type : type of the values, as in `Cells.type`; "number" for text that the user names a kind of numbers.
    python_type : name of the type of numbers and dates that were Python objects, as in `Cells`; None for others.
    gaps : share of the training rows without a value, in [0, 1].
    low, high : smallest and largest number; 0 for levels.
    center, scale : the model sees (number - center) / scale, and its asinh for a heavy-tailed column.
    atom : a number that many cells share, such as 0 for gains; the model gives it a probability. None without one.
    atom_share : share of the observed training cells that hold it.
    step : numbers are rounded to multiples of it on the way back; 0 for no rounding.
    levels : values of a categorical column by number; the only value of a constant column, empty if it has none.
    frequencies : share of each level among the observed training cells, followed by the share of `other`, if any.
    n_rare : number of values that are not in `levels`, because `max_levels` are. They share the level `other`, which is
        given back as missing.
    categories : all categories of a dtype that lists them, in order; None for other dtypes.
    is_ordered : True if the user's dtype orders its categories.
    date_format : format of dates that are text; None for others.
    bins : levels of the numbers, for models that predict levels (see `narrows.data.bins`); () for other models.
    n_observed : number of observed training cells, for the same models; 0 for other models.
    reason : why this kind, for messages.
    """

    name: Any
    kind: ColumnKind
    dtype: str
    cell_type: CellType = "number"
    python_type: str | None = None
    gaps: float = 0.0
    low: float = 0.0
    high: float = 0.0
    center: float = 0.0
    scale: float = 1.0
    atom: float | None = None
    atom_share: float = 0.0
    step: float = 0.0
    levels: tuple[Any, ...] = ()
    frequencies: tuple[float, ...] = ()
    n_rare: int = 0
    categories: tuple[Any, ...] | None = None
    is_ordered: bool = False
    date_format: str | None = None
    bins: tuple[tuple[float, ...], ...] = ()
    n_observed: int = 0
    reason: str = ""

    @property
    def is_used(self) -> bool:
        """True if the model sees the column."""
        return self.kind not in LEFT_OUT

    @property
    def has_levels(self) -> bool:
        """True if the cells are levels, not numbers."""
        return self.kind in LEVELLED

    @property
    def n_levels(self) -> int:
        """Number of levels in the model, with `other`. A value that was not seen in training has this number."""
        return len(self.levels) + (self.n_rare > 0)

    def describe(self) -> str:
        """Return one line for people, such as "integer, 17 to 90, 2 % missing"."""
        parts = [self.kind.replace("_", "-")]
        if self.has_levels:
            shown = ", ".join(str(level) for level in self.levels[:3])
            parts.append(f"{counted(len(self.levels), 'level')} ({shown}{', ...' if len(self.levels) > 3 else ''})")
            if self.n_rare:
                parts.append(f"{counted(self.n_rare, 'rarer one')} ({self.frequencies[-1]:.1%}) as `other`")
        elif self.kind == "constant":
            parts.append(f"always {self.levels[0]!r}" if self.levels else "without a value")
        elif self.kind == "datetime":
            parts.append(f"{_as_date(self.low)} to {_as_date(self.high)}")
        elif self.is_used:
            number = ".0f" if self.kind in ("integer", "count") else ".6g"
            parts.append(f"{self.low:{number}} to {self.high:{number}}" + " seconds" * (self.kind == "duration"))
            if self.atom is not None:
                parts.append(f"{self.atom_share:.0%} are {self.atom:g}")
        if self.gaps:
            parts.append(f"{self.gaps:.1%} missing" if self.gaps >= 0.0005 else "under 0.1% missing")
        return ", ".join(parts)


def list_unseen(columns: Sequence[Column]) -> list[str]:
    """Return lines for people: which of the columns and levels the model does not see, and why."""
    left_out = [f"{column.name!r} ({column.kind}: {column.reason})" for column in columns if not column.is_used]
    facts = [f"columns left out: {enumerate_names(left_out)}"] if left_out else []
    rare = [
        f"{column.name!r} ({counted(column.n_rare, 'value')}, {column.frequencies[-1]:.0%} of its cells)"
        for column in columns
        if column.n_rare
    ]
    if rare:
        facts.append(f"rare values are one level, which comes back as missing (`max_levels`): {enumerate_names(rare)}")
    return facts


def look_at(name: Any, cells: Cells, kind: ColumnKind | None = None, max_levels: int | None = MAX_LEVELS) -> Column:
    """Find the kind, the range and the levels of a column of training cells.

    Parameters
    ----------
    name : name of the column.
    cells : its cells.
    kind : kind that the user names; None to find it.
    max_levels : largest number of levels; the most frequent ones are kept. None keeps all.

    Raises
    ------
    ValueError
        If a number is infinite or beyond 1e100, or the cells cannot be of the kind `kind`.
    """
    if cells.mixed and kind is None:
        raise ValueError(
            f"The column {name!r} holds values of several types ({', '.join(cells.mixed)}). Put NaN where a value is "
            f"missing, or name its kind, columns={{{name!r}: 'categorical'}}, to compare them as text."
        )
    if cells.numbers is None:
        if kind in (None, *LEVELLED, *LEFT_OUT):
            return _levelled(name, cells, kind, max_levels)
        cells = as_numbers(name, cells, kind)
    assert cells.numbers is not None
    observed = cells.numbers[~np.isnan(cells.numbers)]
    _check_range(name, observed)
    if kind in LEVELLED:
        return _levelled(name, _as_levels(cells), kind, max_levels)
    return _numeric(name, cells, observed, kind)


def _describe(name: Any, cells: Cells) -> Column:
    """Return the column with what its dtype says."""
    return Column(
        name,
        "categorical",
        cells.dtype,
        cell_type=cells.type,
        python_type=cells.python_type,
        date_format=cells.date_format,
    )


# ------------------------------------------------------------------------------------------------ numbers


def _numeric(name: Any, cells: Cells, observed: np.ndarray, kind: ColumnKind | None) -> Column:
    n = len(cells.numbers) if cells.numbers is not None else 0
    gaps = 1 - len(observed) / n if n else 0.0
    column = replace(_describe(name, cells), kind=kind or "real", gaps=gaps)
    if len(observed) == 0:
        return replace(column, kind="constant", reason="it has no value")
    low, high = float(observed.min()), float(observed.max())
    column = replace(column, low=low, high=high)
    if kind in ("identifier", "text"):
        return replace(column, reason="as asked")
    if low == high or kind == "constant":
        return replace(column, kind="constant", levels=(_plain(low, cells),), reason="it has one value")
    is_whole = cells.is_whole or bool((observed == np.rint(observed)).all())
    atom, share = _find_atom(observed)
    others = observed if atom is None else observed[observed != atom]
    if kind is None:
        kind, reason = _numeric_kind(name, cells, observed, others, is_whole)
        if kind == "binary":
            return _levelled(name, _as_levels(cells), None, None)
    else:
        reason = "as asked"
        check_named_kind(name, kind, cells, is_whole, low)
    if kind == "count":
        atom, share, others = None, 0.0, observed
    center, scale = _center_and_scale(others, kind)
    step = 0.0
    if kind in ("datetime", "duration"):
        step = next((s for s in (86_400.0, 3_600.0, 60.0, 1.0) if (np.fmod(observed, s) == 0).all()), 1e-6)
    else:
        step = 1.0 if kind in ("integer", "count") or cells.is_whole else cells.step
    return replace(column, kind=kind, center=center, scale=scale, step=step, atom=atom, atom_share=share, reason=reason)


def _find_atom(observed: np.ndarray) -> tuple[float | None, float]:
    """Return the number that at least `_ATOM_SHARE` of the cells hold, and its share; None and 0 without one."""
    sample = observed[:: max(1, len(observed) // _SAMPLE)]
    candidates = np.unique(np.quantile(sample, np.arange(0.05, 1, 0.1), method="nearest"))
    shares = [float((observed == value).mean()) for value in candidates]
    best = int(np.argmax(shares))
    if shares[best] < _ATOM_SHARE or (observed != candidates[best]).sum() < 2:
        return None, 0.0
    others = observed[observed != candidates[best]]
    if (others == others[0]).all():  # two values in all
        return None, 0.0
    return float(candidates[best]), shares[best]


def _numeric_kind(
    name: Any, cells: Cells, observed: np.ndarray, others: np.ndarray, is_whole: bool
) -> tuple[ColumnKind, str]:
    """Return the kind of a column of numbers that vary, and the reason. `others` are the cells without the atom."""
    n = len(cells.numbers) if cells.numbers is not None else 0
    if cells.type == "date":
        return "datetime", "dates" if cells.date_format is None else f"text with dates ({cells.date_format})"
    if cells.type == "duration":
        return "duration", "durations"
    if cells.type == "bool" or _has_two_values(observed):
        return "binary", "two values"
    if is_whole and len(observed) == n >= _MIN_DISTINCT:
        low, high = observed.min(), observed.max()
        is_row_number = low in (0, 1) and high - low == n - 1
        if (is_row_number or _ID_NAME.search(str(name))) and len(np.unique(observed)) == n:
            return "identifier", "row numbers" if is_row_number else "a number of its own for each row"
    if is_whole and observed.min() == 0 and observed.max() <= _COUNT_MAX:
        median = float(np.median(observed))
        if median <= _COUNT_MEDIAN and np.median(others) <= 2 * _COUNT_MEDIAN:
            return "count", f"whole numbers from 0, the median is {median:g}"
    sample = others[:: max(1, len(others) // _SAMPLE)]
    lowest, q1, median, q3, highest = np.quantile(sample, (0.001, 0.25, 0.5, 0.75, 0.999))
    spread = (q3 - q1) / 1.349 or float(sample.std())
    if spread > 0 and max(highest - median, median - lowest) > _HEAVY * spread:
        return "heavy_tailed", "some values are far from the others"
    return ("integer", "whole numbers") if is_whole else ("real", "real numbers")


def _center_and_scale(observed: np.ndarray, kind: ColumnKind) -> tuple[float, float]:
    if kind == "count":
        return 0.0, 1.0
    if kind == "heavy_tailed":
        sample = observed[:: max(1, len(observed) // _SAMPLE)]
        q1, median, q3 = np.quantile(sample, (0.25, 0.5, 0.75))
        spread = (q3 - q1) / 1.349
        if spread <= 0:
            away = np.abs(observed - median)
            spread = float(np.median(away[away > 0]))
        return float(median), float(spread)
    start = observed[0]  # subtracted first: dates are far from 0, and differ by little
    center = float((observed - start).mean())
    return float(start + center), float((observed - start).std()) or 1.0


def _has_two_values(observed: np.ndarray) -> bool:
    low, high = observed.min(), observed.max()
    return bool(((observed == low) | (observed == high)).all())


def _check_range(name: Any, observed: np.ndarray) -> None:
    if len(observed) and not np.isfinite(observed).all():
        raise ValueError(
            f"The column {name!r} holds infinity. Replace it by a number, or by NaN where the value is missing."
        )
    if len(observed) and np.abs(observed).max() > _LARGEST:
        raise ValueError(
            f"The column {name!r} holds values up to {np.abs(observed).max():.3g}, whose squares are too large for "
            "floating-point numbers. Rescale them, or take their logarithm."
        )


# ------------------------------------------------------------------------------------------------ levels


def _as_levels(cells: Cells) -> Cells:
    """Return a column of numbers with its distinct numbers as values."""
    assert cells.numbers is not None
    values, codes = np.unique(cells.numbers, return_inverse=True)
    n = int((~np.isnan(values)).sum())
    plain = [_plain(value, cells) for value in values[:n]]
    return cells._replace(numbers=None, codes=np.where(codes < n, codes, -1), values=plain)


def _plain(value: float, cells: Cells) -> Any:
    """Return a number of the column as the Python value that a person would write."""
    if cells.type == "bool":
        return bool(value)
    if cells.type == "number" and (cells.is_whole or float(value).is_integer()):
        return int(value)
    return float(value)


def _levelled(name: Any, cells: Cells, kind: ColumnKind | None, max_levels: int | None) -> Column:
    assert cells.codes is not None
    observed = cells.codes[cells.codes >= 0]
    n, n_observed = len(cells.codes), len(observed)
    is_category = cells.type == "category"
    column = replace(
        _describe(name, cells),
        gaps=1 - n_observed / n if n else 0.0,
        categories=tuple(cells.values) if is_category else None,
        is_ordered=cells.is_ordered,
    )
    counts = np.bincount(observed, minlength=len(cells.values))
    present = np.flatnonzero(counts)
    if kind in ("identifier", "text"):
        return replace(column, kind=kind, reason="as asked")
    if len(present) < 2:
        levels = tuple(cells.values[i] for i in present)
        return replace(
            column, kind="constant", levels=levels, reason="it has one value" if levels else "it has no value"
        )
    if kind is None and cells.type == "text":
        left_out = _kind_left_out(cells.values, len(present), n_observed)
        if left_out is not None:
            return replace(column, kind=left_out[0], reason=left_out[1])
    in_order = is_category or cells.type != "text"
    order = present if in_order else present[np.lexsort((present, -counts[present]))]
    kept, rare = order, np.array([], dtype=int)
    if max_levels is not None and len(order) > max_levels:
        frequent = set(order[np.argsort(-counts[order], kind="stable")[:max_levels]].tolist())
        kept, rare = np.array([i for i in order if i in frequent]), np.array([i for i in order if i not in frequent])
    shares = [*(counts[kept] / n_observed).tolist(), *([float(counts[rare].sum() / n_observed)] if len(rare) else [])]
    if kind == "binary" and len(present) > 2:
        raise ValueError(f"The column {name!r} cannot be 'binary': it holds {len(present)} different values.")
    is_number = bool(cells.values) and isinstance(cells.values[0], int) and cells.type == "text"
    words = "whole numbers beyond 2^53, which are compared one by one" if is_number else "words"
    reason = "as asked" if kind else "categories" if is_category else "two values" if len(present) == 2 else words
    if cells.mixed:
        reason = f"values of the types {', '.join(cells.mixed)}, compared as text"
    return replace(
        column,
        kind=kind or ("ordered" if cells.is_ordered else "binary" if len(present) == 2 else "categorical"),
        levels=tuple(cells.values[i] for i in kept),
        frequencies=tuple(shares),
        n_rare=len(rare),
        reason=reason,
    )


def _kind_left_out(values: Sequence[Any], n_present: int, n_observed: int) -> tuple[ColumnKind, str] | None:
    """Return "identifier" or "text" and the reason if words are one of these, otherwise None."""
    if n_present < _MIN_DISTINCT:
        return None
    mean_words = float(np.mean([len(str(value).split()) for value in values[:1000]]))
    share = n_present / n_observed
    if mean_words >= _TEXT_WORDS and share > 0.5:
        return "text", f"{mean_words:.0f} words in a cell, {share:.0%} of the cells differ"
    if share > _DISTINCT_SHARE:
        return "identifier", f"{share:.0%} of the cells differ"
    return None


def _as_date(seconds: float) -> str:
    text = str(np.datetime64(round(seconds), "s"))
    return text.removesuffix("T00:00:00")
