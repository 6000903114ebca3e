"""Cells that are given to a draw of rows, and columns by name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from narrows.data import Table, is_frame, open_frame
from narrows.params import did_you_mean


def find_column(column: Any, table: Table, owner: str) -> int:
    """Return the position of a column among those that the model sees. Raises ValueError if there is none."""
    names = [each.name for each in table.used]
    texts = [str(name) for name in names]
    if column in names or str(column) in texts:
        return names.index(column) if column in names else texts.index(str(column))
    for other in table.columns:
        if str(other.name) == str(column):
            raise ValueError(
                f"{owner} does not predict the column {column!r}: it was left out of training as {other.kind} "
                f"({other.reason}). Known: {', '.join(sorted(texts))}."
            )
    raise ValueError(f"{owner} does not predict the column {column!r}. {did_you_mean(str(column), texts)}")


def read_given(given: Any, n: int, table: Table) -> np.ndarray:
    """Return the given cells of n rows as numbers (n x used columns), NaN where a cell is to be drawn.

    Parameters
    ----------
    given : a dict from columns to one value or to n values, a table of one row or of n rows, or None.

    Raises
    ------
    ValueError, TypeError
        If a column or a value is unknown, or there is another number of rows.
    """
    owner = "sample"
    if given is None or (isinstance(given, Mapping) and not given):
        return np.full((n, len(table.used)), np.nan)
    if isinstance(given, Mapping):
        for name in given:
            find_column(name, table, "TableAE")  # a name that is not known would be ignored
        given = _list_rows(given, n)
    names = tuple(column.name for column in table.used)
    if not is_frame(given):
        given = given if isinstance(given, np.ndarray) else np.array(given, dtype=object)
        if given.ndim != 2:
            raise TypeError(f"The `given` parameter of sample must be a dict or a table. Got shape {given.shape}.")
    elif unknown := [name for name in map(str, open_frame(given, owner).names) if name not in table.texts]:
        raise ValueError(
            f"The `given` parameter of sample holds a column {unknown[0]!r} that was not in the training table. "
            f"{did_you_mean(unknown[0], map(str, names))}"
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a value that was not seen is an error here
        rows = np.asarray(table.encode(given, owner, optional=names))
    if len(rows) not in (1, n):
        raise ValueError(f"The `given` parameter of sample must hold one row or n_samples={n}. Got {len(rows)}.")
    for j, column in enumerate(table.used):
        if column.has_levels and (rows[:, j] >= len(column.levels)).any():
            raise ValueError(
                f"The `given` parameter of sample holds a value of {column.name!r} that is none of its levels in "
                f"training. It must be one of {', '.join(map(repr, column.levels[:10]))}."
            )
    return np.repeat(rows, n, axis=0) if len(rows) == 1 else rows


def _list_rows(given: Mapping[Any, Any], n: int) -> list[dict[Any, Any]]:
    """Return a dict from columns to one value or to n values as rows: one, or n."""
    if not any(np.ndim(value) for value in given.values()):
        return [dict(given)]
    columns = {}
    for name, value in given.items():
        if np.ndim(value) > 1 or np.size(value) not in (1, n):
            raise ValueError(
                f"The `given` parameter of sample must hold one value or n_samples={n} values of the column {name!r}. "
                f"Got {np.size(value)} instead."
            )
        columns[name] = np.broadcast_to(np.asarray(value), (n,))
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
