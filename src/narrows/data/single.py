"""Single examples in the user's form: an array, a list, or one row of a table; and the labels of rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from torch import Tensor

from narrows.data.arrays import take_rows
from narrows.data.frames import is_frame, open_frame
from narrows.data.schema import Schema


def is_one(X: Any, schema: Schema) -> bool:
    """Return True if X is a single example, and not several: of the schema's shape, a dict, or a pandas Series."""
    if isinstance(X, Mapping):
        return is_frame(X)
    if schema.table is None:
        return tuple(getattr(X, "shape", np.shape(X))) == schema.user_shape
    if hasattr(X, "to_frame") and hasattr(X, "iloc"):
        return True
    if is_frame(X):
        return False
    return np.ndim(np.asarray(X, dtype=object) if isinstance(X, (list, tuple)) else X) == 1


def one_row(example: Any, schema: Schema, owner: str) -> Any:
    """Return a single example as a set of one example.

    Raises
    ------
    ValueError
        If `example` is a data frame of several rows.
    """
    if hasattr(example, "to_frame") and hasattr(example, "iloc"):
        return example.to_frame().T
    if isinstance(example, Mapping):
        return [example]
    if is_frame(example):
        if len(example) != 1:
            raise ValueError(f"An example passed to {owner} must be one row. Got a table of {len(example)} rows.")
        return example
    if isinstance(example, Tensor):
        return example[None]
    is_table = schema.table is not None and isinstance(example, (list, tuple))
    return np.asarray(example, dtype=object if is_table else None)[None]


def first_row(X: Any, schema: Schema) -> Any:
    """Return the first of the examples X, or X itself if it is one row of a table, as a set of one example."""
    if schema.table is not None and is_one(X, schema):
        return one_row(X, schema, "first_row")
    return take_rows(X, [0]) if is_frame(X) else X[:1]


def row_labels(X: Any, schema: Schema) -> list[str] | None:
    """Return the labels of the rows of a data frame, or None without any.

    They are those of a pandas index unless it is 0, 1, 2, ..., else the first column of identifiers.
    """
    frame = open_frame(X, "row_labels")
    index = frame.index
    if index is not None and not (index.dtype.kind in "iu" and (np.asarray(index) == np.arange(len(index))).all()):
        return [str(label) for label in index]
    names = {str(name): name for name in frame.names}
    for column in schema.table.columns if schema.table is not None else ():
        if column.kind == "identifier" and str(column.name) in names:
            cells = frame.cells(names[str(column.name)])
            if cells.numbers is not None:
                return [f"{number:.15g}" for number in cells.numbers]
            if cells.codes is not None:
                return ["" if code < 0 else str(cells.values[code]) for code in cells.codes]
    return None
