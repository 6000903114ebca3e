"""Fill the missing cells of a table, and leave all others as they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from narrows.data import cells as cell_types


def fill_missing(X: Any, made: Any, kind: str) -> Any:
    """Return X with the cells of `made` where those of X are missing, in the form of X.

    Parameters
    ----------
    X : the user's rows: a frame, a list of dicts or an array (n x d).
    made : rows of the same library and length, which have some of the columns.
    kind : `Frame.kind` of both.
    """
    return _FILL[kind](X, made)


def _fill_pandas(X: Any, made: Any) -> Any:
    result = X.copy()
    for position, name in enumerate(X.columns):
        column = X.iloc[:, position]
        is_missing = column.isna()
        if name not in made.columns or not is_missing.any():
            continue
        values = made[name].set_axis(X.index)
        if is_missing.all() and column.dtype in ("float64", "object"):  # an empty column: its dtype says nothing
            result.isetitem(position, values)
            continue
        if hasattr(column, "cat"):  # a part of the training table may lack a category
            new = [value for value in values[is_missing].dropna().unique() if value not in column.cat.categories]
            column = column.cat.add_categories(new)
        result.isetitem(position, column.where(~is_missing, values.astype(column.dtype)))
    return result


def _fill_polars(X: Any, made: Any) -> Any:
    columns = []
    for name in X.columns:
        column = X[name]
        if name in made.columns and str(column.dtype) == "Null":
            column = made[name]
        elif name in made.columns:
            values = column.fill_nan(None) if column.dtype.is_float() else column
            column = values.fill_null(made[name].cast(column.dtype))
        columns.append(column)
    return type(X)(columns)


def _fill_arrow(X: Any, made: Any) -> Any:
    import pyarrow as pa
    import pyarrow.compute as pc

    for position, name in enumerate(X.column_names):
        if name in made.column_names:
            column = X.column(name)
            if pa.types.is_null(column.type):
                X = X.set_column(position, made.field(name), made.column(name))
                continue
            values = made.column(name).combine_chunks().cast(column.type)
            filled = pc.if_else(pc.is_null(column, nan_is_null=True), values, column)
            X = X.set_column(position, X.field(name), filled)
    return X


def _fill_dicts(X: Any, made: Any) -> Any:
    rows = []
    for old, new in zip(X, made, strict=True):
        filled = {name: new.get(name) if cell_types.is_missing(value) else value for name, value in old.items()}
        rows.append({**filled, **{name: value for name, value in new.items() if name not in old}})
    return rows


def _fill_array(X: Any, made: Any) -> Any:
    old = np.asarray(X)
    if old.dtype.kind == "f":
        return np.where(np.isnan(old), np.asarray(made).astype(old.dtype), old)
    if old.dtype.kind != "O":
        return old
    is_missing = np.frompyfunc(cell_types.is_missing, 1, 1)(old).astype(bool)
    return np.where(is_missing, np.asarray(made, dtype=object), old)


_FILL: dict[str, Callable[[Any, Any], Any]] = {
    "pandas": _fill_pandas,
    "polars": _fill_polars,
    "pyarrow": _fill_arrow,
    "rows": _fill_dicts,
    "array": _fill_array,
}
