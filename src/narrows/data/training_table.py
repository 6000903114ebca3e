"""Look at a training table: find the kind, range and levels of each column, and turn the rows into numbers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from narrows.data.column_codec import encode_column
from narrows.data.columns import MAX_LEVELS, Column, look_at
from narrows.data.frames import Frame
from narrows.data.kinds import ColumnKind, check_kinds
from narrows.data.table import EncodedRows, Table, read_cells

_CHUNK_ROWS = 65_536
_MAX_COLUMNS = 100_000  # each is looked at on its own, which takes about a millisecond


def look_at_table(
    frame: Frame,
    owner: str,
    kinds: Mapping[Any, ColumnKind] | None = None,
    max_levels: int | None = MAX_LEVELS,
    report: Callable[[float], None] = lambda done: None,
) -> tuple[Table, EncodedRows]:
    """Return the columns of a training table, and its rows as numbers (n x len(used)).

    Parameters
    ----------
    frame : the training rows.
    owner : name of the caller, for messages.
    kinds : kinds that the user names, by column; "identifier" leaves a column out.
    max_levels : largest number of levels of a column; None for all.
    report : called with the share of the columns that are done, in [0, 1].

    Raises
    ------
    ValueError
        If there are no rows or columns, or no column that the model can learn from, or `kinds` names an unknown column
        or kind, or a column holds infinity or values that do not fit the named kind.
    TypeError
        If a column holds objects that are neither numbers, dates nor text.
    """
    named = check_kinds(kinds, frame.names, owner)
    if not frame.names or not frame.n:
        what = "sample(s)" if frame.names else "feature(s)"
        raise ValueError(
            f"Found array with 0 {what} (shape={(frame.n, len(frame.names))}) while a minimum of 1 is required by "
            f"{owner}: the table is empty."
        )
    if len(frame.names) > _MAX_COLUMNS:
        raise ValueError(
            f"X passed to {owner} is a table of {len(frame.names):,} columns; at most {_MAX_COLUMNS:,} can each have a "
            "kind of their own. Pass an array if all columns are alike (X.to_numpy()), or fewer columns."
        )
    columns: list[Column] = []
    numbers = np.empty((frame.n, len(frame.names)))
    n_used = 0
    for position, name in enumerate(frame.names):
        report(position / len(frame.names))
        cells = read_cells(frame, name, owner)
        kind = named.get(name)
        if frame.kind == "array" and kind is None and cells.type in ("number", "bool"):
            kind = "real"  # numbers without names are never dropped or made categories
        try:
            column = look_at(name, cells, kind, max_levels)
        except ValueError as error:
            raise ValueError(f"X passed to {owner} cannot be used: {error}") from None
        columns.append(column)
        if column.is_used:
            numbers[:, n_used] = encode_column(column, cells, owner)[0]
            n_used += 1
    table = Table(tuple(columns), frame.kind)
    if not n_used:
        reasons = "; ".join(f"{c.name!r} is {c.kind} ({c.reason})" for c in columns[:5])
        could_vary = next((c.name for c in columns if c.kind != "constant"), None)
        remedy = "Pass columns that vary."
        if could_vary is not None:
            remedy = f"Name the kind of a column to use it, for instance columns={{{could_vary!r}: 'categorical'}}."
        raise ValueError(f"X passed to {owner} has no column to learn from: {reasons}. {remedy}")
    kept = _keep_columns(numbers, n_used)
    return table, kept.astype(table.number_dtype, copy=False).view(EncodedRows)


def _keep_columns(numbers: np.ndarray, n: int) -> np.ndarray:
    """Return the first `n` columns as a contiguous array, without a second array of that size."""
    if n == numbers.shape[1]:
        return numbers
    flat = numbers.reshape(-1)
    for start in range(0, len(numbers), _CHUNK_ROWS):
        piece = numbers[start : start + _CHUNK_ROWS, :n].copy()
        flat[start * n : start * n + piece.size] = piece.reshape(-1)
    return flat[: len(numbers) * n].reshape(-1, n)
