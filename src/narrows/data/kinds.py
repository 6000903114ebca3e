"""Kinds of columns by name: those there are, and checks of kinds that the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, get_args

import numpy as np

from narrows.data.cells import Cells
from narrows.params import did_you_mean

ColumnKind = Literal[
    "real",
    "heavy_tailed",
    "integer",
    "count",
    "binary",
    "categorical",
    "ordered",
    "datetime",
    "duration",
    "constant",
    "identifier",
    "text",
]
KINDS: tuple[ColumnKind, ...] = get_args(ColumnKind)
NUMBER_KINDS: tuple[ColumnKind, ...] = ("real", "heavy_tailed", "integer", "count", "binary")


def check_named_kind(name: Any, kind: ColumnKind, cells: Cells, is_whole: bool, low: float) -> None:
    """Raise ValueError if the numbers of a column cannot be of the kind that the user names."""
    if kind in ("count", "integer") and not is_whole:
        raise ValueError(f"The column {name!r} cannot be {kind!r}: it holds fractions.")
    if kind == "count" and low < 0:
        raise ValueError(f"The column {name!r} cannot be 'count': it holds {low:g}.")
    if kind == "datetime" and cells.type != "date":
        raise ValueError(
            f"The column {name!r} cannot be 'datetime': it holds numbers. Convert it, with its unit, first."
        )


def as_numbers(name: Any, cells: Cells, kind: ColumnKind | None) -> Cells:
    """Return a column of text or categories as numbers. Raises ValueError for text that is no number."""
    if kind == "datetime":
        raise ValueError(
            f"The column {name!r} cannot be 'datetime': it holds text such as {_first(cells)!r}. Dates in text are "
            "read as YYYY-MM-DD, with or without HH:MM:SS."
        )
    try:
        numbers = np.array([float(value) for value in cells.values])
    except (TypeError, ValueError):
        raise ValueError(f"The column {name!r} cannot be {kind!r}: it holds text such as {_first(cells)!r}.") from None
    assert cells.codes is not None
    dtype, python_type = cells.dtype, "str" if cells.type == "text" else None
    if cells.type == "category":
        dtype = dtype.removeprefix("category[").removesuffix("]")
    return cells._replace(
        type="number",
        dtype=dtype,
        numbers=np.append(numbers, np.nan)[cells.codes],
        codes=None,
        values=[],
        python_type=python_type,
    )


def _first(cells: Cells) -> Any:
    for value in cells.values:
        try:
            float(value)
        except (TypeError, ValueError):
            return value
    return cells.values[0] if cells.values else None


def check_kinds(kinds: Mapping[Any, ColumnKind] | None, names: Sequence[Any], owner: str) -> dict[Any, ColumnKind]:
    """Return the kinds that the user names, by the names of the columns. Raises ValueError for unknown ones."""
    if kinds is None:
        return {}
    by_text = {str(name): name for name in names}
    result = {}
    for name, kind in kinds.items():
        if kind not in KINDS:
            raise ValueError(
                f"The `columns` parameter of {owner} must name kinds of columns. Got {kind!r} for {name!r}. "
                f"{did_you_mean(str(kind), KINDS)}"
            )
        if str(name) not in by_text:
            raise ValueError(
                f"The `columns` parameter of {owner} names a column that X does not have: {name!r}. "
                f"{did_you_mean(str(name), list(by_text))}"
            )
        result[by_text[str(name)]] = kind
    return result
