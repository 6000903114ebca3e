"""Columns of an uploaded table: their kinds, gaps, ranges and levels, before a model is trained on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from narrows.data import Column, ColumnKind, Frame
from narrows.data.cells import Cells
from narrows.data.columns import LEFT_OUT, look_at
from narrows.data.table import read_cells
from narrows.studio.cells import format_date

_N_EXAMPLES = 5
_MAX_TEXT = 40  # characters of an example
_LEVEL_KINDS: tuple[ColumnKind, ...] = ("categorical", "ordered")


@dataclass(frozen=True)
class UploadColumn:
    """A column of an uploaded table.

    Attributes
    ----------
    name : its name.
    kind : kind that was found; "constant", "identifier" or "text" if a model leaves the column out.
    kinds : kinds that the column can have in a model, the found one first if it is one of them.
    description : what is in it, in one line, as `narrows info` says it.
    problem : why no model can use the column as it is, or None.
    missing, distinct : numbers of gaps and of different values.
    examples : texts of the first different values.
    """

    name: str
    kind: ColumnKind
    kinds: tuple[ColumnKind, ...]
    description: str
    problem: str | None = None
    missing: int = 0
    distinct: int = 0
    examples: tuple[str, ...] = ()

    @property
    def is_used(self) -> bool:
        """True if a model learns from the column by default."""
        return self.problem is None and self.kind not in LEFT_OUT

    def choose_kind(self, kind: str | None) -> str | None:
        """Return the kind to train with if the column was chosen, or None for the one that is found.

        Raises
        ------
        ValueError
            If the column has no value that a model could use, or cannot be of this kind.
        """
        if kind is not None and kind not in (*self.kinds, *LEFT_OUT):
            possible = ", ".join(self.kinds) or "none"
            raise ValueError(f"The column {self.name[:100]!r} cannot be {kind[:100]!r}. Possible kinds: {possible}.")
        if self.problem is not None and not self.kinds:
            raise ValueError(self.problem)
        if kind is None and not self.is_used and self.kind != "constant":
            return self.kinds[0]
        return kind


def summarize(frame: Frame, names: Sequence[str], owner: str) -> Iterator[UploadColumn]:
    """Look at the columns of a table. An array of numbers has real columns only.

    Parameters
    ----------
    frame : the table.
    names : names of its columns, to display.
    owner : name of the file, for messages.
    """
    for key, name in zip(frame.names, names, strict=True):
        try:
            cells = read_cells(frame, key, owner)
        except TypeError as error:
            yield UploadColumn(name, "text", (), "objects", problem=str(error))
            continue
        default: ColumnKind | None = "real" if frame.kind == "array" and cells.type in ("number", "bool") else None
        try:
            column, problem = look_at(name, cells, default), None
        except ValueError as error:
            column, problem = Column(name, "text", cells.dtype), str(error)
        yield _describe(name, cells, column, problem)


def _describe(name: str, cells: Cells, column: Column, problem: str | None) -> UploadColumn:
    if cells.numbers is not None:
        is_missing = np.isnan(cells.numbers)
        values, first = np.unique(cells.numbers[~is_missing], return_index=True)
        shown = [_number_text(value, cells.type) for value in values[np.argsort(first)[:_N_EXAMPLES]]]
    else:
        assert cells.codes is not None
        is_missing = cells.codes < 0
        values, first = np.unique(cells.codes[~is_missing], return_index=True)
        shown = [str(cells.values[code])[:_MAX_TEXT] for code in values[np.argsort(first)[:_N_EXAMPLES]]]
    is_out_of_range = problem is not None and cells.numbers is not None
    return UploadColumn(
        name=name,
        kind=column.kind,
        kinds=() if column.kind == "constant" or is_out_of_range else _possible_kinds(cells, column, values),
        description="not usable as it is" if problem else column.describe(),
        problem=problem,
        missing=int(is_missing.sum()),
        distinct=len(values),
        examples=tuple(shown),
    )


def _possible_kinds(cells: Cells, column: Column, values: np.ndarray) -> tuple[ColumnKind, ...]:
    """Return the kinds that a model can give the column, the found one first."""
    if cells.numbers is None:
        kinds = _LEVEL_KINDS
    elif cells.type in ("date", "duration"):
        kinds = ("datetime" if cells.type == "date" else "duration", *_LEVEL_KINDS)
    else:
        is_whole = bool((values == np.rint(values)).all())
        whole: tuple[ColumnKind, ...] = ("integer", "count") if values.min(initial=0) >= 0 else ("integer",)
        kinds = ("real", "heavy_tailed", *(whole if is_whole else ()), *_LEVEL_KINDS)
    if len(values) == 2:
        kinds = (*kinds, "binary")
    return (column.kind, *(kind for kind in kinds if kind != column.kind)) if column.kind in kinds else kinds


def _number_text(value: float, cell_type: str) -> str:
    if cell_type == "date":
        return format_date(value)
    return str(bool(value)) if cell_type == "bool" else f"{value:.6g}"
