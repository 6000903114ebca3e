"""Data frames from Arrow tables. Integers and truth values with gaps keep their type, and so do categories."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any, NamedTuple

from narrows.data.files.dataset import Dataset, short_name
from narrows.data.parquet import check_names

_WIDE = 1000  # columns from which on one block of a dtype is faster than a block for each column


class Unsupported(NamedTuple):
    """A column that a table of examples cannot hold, with its type."""

    name: str
    kind: str


def find_missing(*packages: str) -> list[str]:
    """Return those of the packages that are not installed."""
    missing = []
    for package in packages:
        try:
            importlib.import_module(package)
        except ImportError:
            missing.append(package)
    return missing


def as_dataset(table: Any, path: Path, notes: tuple[str, ...] = ()) -> Dataset:
    """Return an Arrow table as a data set with a pandas frame. An index that pandas wrote is the index again.

    Raises
    ------
    ValueError
        If there are no rows or no columns, or two columns of one name.
    """
    import pandas as pd

    names = [str(name) for name in table.column_names]
    check_names(names, path)
    if not table.num_rows or not names:
        raise ValueError(f"{path} must hold at least one example. Got {table.num_rows} rows of {len(names)} columns.")
    try:
        frame, unsupported = as_frame(table)
    except (TypeError, KeyError, ValueError) as error:  # ValueErrors of Arrow, too
        raise ValueError(f"{path} cannot be read as a data frame ({error}). Write it again.") from error
    if unsupported:
        listed = ", ".join(f"{column.name!r} ({column.kind})" for column in unsupported)
        notes = (*notes, f"Left out, because they hold neither numbers nor words nor dates: {listed}.")
    ids = None
    if not frame.index.equals(pd.RangeIndex(len(frame))):
        ids = frame.index.to_numpy()
        notes = (*notes, "The index of the data frame that the file was written from gives the ids of the rows.")
    frame.columns = [str(name) for name in frame.columns]
    if not len(frame.columns):
        raise ValueError(f"{path} must hold columns of numbers, words or dates. {notes[-1]}")
    return Dataset(frame, None, list(frame.columns), short_name(path), None, ids, notes)


def as_frame(table: Any) -> tuple[Any, list[Unsupported]]:
    """Return an Arrow table as a pandas frame, and the columns that were left out. The table must not be used again."""
    import pandas as pd
    import pyarrow as pa

    kept: dict[str, Any] = {}
    nullable: dict[str, Any] = {}
    unsupported = []
    for name, column in zip(table.column_names, table.columns, strict=True):
        kind, types = column.type, pa.types
        if types.is_decimal(kind):
            column = column.cast(pa.float64())
        elif types.is_time(kind):
            column = column.cast(pa.string())
        elif types.is_nested(kind) or types.is_binary(kind) or types.is_large_binary(kind):
            unsupported.append(Unsupported(name, str(kind)))
            continue
        if column.null_count == len(column) > 0 and not types.is_dictionary(kind):
            column = pa.nulls(len(column), pa.float64())
        elif column.null_count and (types.is_integer(kind) or types.is_boolean(kind)):
            dtype = "boolean" if types.is_boolean(kind) else str(kind).replace("uint", "UInt").replace("int", "Int")
            nullable[name] = pd.api.types.pandas_dtype(dtype).__from_arrow__(column)
            continue
        kept[name] = column
    n_rows = table.num_rows
    order = [name for name in table.column_names if name in kept or name in nullable]
    metadata = table.schema.metadata
    del table
    columns = pa.table(kept).replace_schema_metadata(metadata)
    n_kept = len(kept)
    del kept, column
    frame = columns.to_pandas(split_blocks=n_kept < _WIDE, self_destruct=True, date_as_object=False)
    frame.columns = [str(name) for name in frame.columns]
    if nullable:
        index = frame.index if n_kept else pd.RangeIndex(n_rows)
        parts = {name: pd.Series(values, index=index) for name, values in nullable.items()}
        parts |= dict(frame.items())  # without a column that became the index
        frame = pd.DataFrame({name: parts[name] for name in order if name in parts}, copy=False)
    return frame, unsupported
