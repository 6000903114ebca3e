"""Parquet files as blocks of numbers, by pyarrow: one file, or a folder of files that are parts of one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SUFFIX = ".parquet"
_COLUMN_BUFFER = 1 << 16  # bytes of a column that are read at once


class Table(NamedTuple):
    """What a Parquet file, or a folder of such, holds.

    Attributes
    ----------
    parts : the files, in the order of their names.
    n : rows.
    names : of the columns that are read.
    width : of a row in numbers, where the one column holds lists, else None.
    dtype : of the rows, in which all columns have room.
    """

    parts: list[Path]
    n: int
    names: list[str]
    width: int | None
    dtype: np.dtype

    def batches(self, rows: int) -> Iterator[np.ndarray]:
        """The rows in order, in arrays of at most `rows`; empty cells are NaN."""
        _, parquet = import_pyarrow("reading .parquet")
        for part in self.parts:
            # without the read-ahead of whole row groups, of which one can be larger than memory
            with parquet.ParquetFile(part, buffer_size=_COLUMN_BUFFER, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=rows, columns=self.names):
                    yield self._array(batch.select(self.names), part)

    def _array(self, batch: Any, part: Path) -> np.ndarray:
        if self.width is not None:
            column = batch.column(0)
            lists = column.flatten()
            compute = import_pyarrow("reading .parquet")[0].compute
            if compute.unique(compute.list_value_length(column)).to_pylist() != [self.width]:
                raise ValueError(
                    f"{part} must hold lists of {self.width} numbers in {self.names[0]!r}, as at its start."
                )
            return np.asarray(lists.to_numpy(zero_copy_only=False), self.dtype).reshape(len(column), self.width)
        array = np.empty((len(batch), len(self.names)), self.dtype)
        for i, column in enumerate(batch.columns):
            if column.null_count and self.dtype.kind != "f":
                raise ValueError(f"{part} must have a number in every cell. Column {self.names[i]!r} has empty ones.")
            array[:, i] = column.to_numpy(zero_copy_only=False)
        return array


def table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Look at the file or the folder `path`; `columns` are those to read, in this order, or None for all.

    Raises
    ------
    ImportError
        If there is no pyarrow.
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If it is damaged, empty, lacks one of `columns`, or holds something else than numbers.
    """
    pyarrow, parquet = import_pyarrow("reading .parquet")
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    parts = parts_of(path) if path.is_dir() else [path]
    if not parts:
        raise ValueError(f"{path} must hold {SUFFIX} files. It holds none.")
    n, schemas = 0, []
    for part in parts:
        try:
            metadata = parquet.read_metadata(part)
            n += metadata.num_rows
            schemas.append(metadata.schema.to_arrow_schema())
        except pyarrow.ArrowException as error:
            raise ValueError(f"{part} is damaged, or no Parquet file ({error}). Write it again.") from error
    schema = schemas[0]
    names = list(schema.names if columns is None else columns)
    for name in names:
        if name not in schema.names:
            raise ValueError(f"{parts[0]} must have a column {name!r}. It has {', '.join(schema.names[:20])}.")
    if n == 0 or not names:
        raise ValueError(f"{path} must hold at least one example. Got {n} rows of {len(names)} columns.")
    width, dtypes = None, set()
    if len(names) == 1 and hasattr(schema.field(names[0]).type, "value_type"):
        width = _width(parts, names[0])
    for part, schema in zip(parts, schemas, strict=True):  # each has dtypes of its own
        for name in names:
            if name not in schema.names:
                raise ValueError(f"{part} must have the columns of {parts[0]}. It has no {name!r}.")
            kind = schema.field(name).type
            kind = getattr(kind, "value_type", kind) if width is not None else kind
            is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)
            if not (is_number or pyarrow.types.is_boolean(kind)):
                raise ValueError(
                    f"{part} must hold numbers. Column {name!r} holds {kind}: name the columns to read, or turn it "
                    "into numbers first (sklearn.preprocessing.OneHotEncoder or OrdinalEncoder)."
                )
            dtypes.add(kind.to_pandas_dtype())
    return Table(parts, n, names, width, _dtype(list(dtypes)))


def parts_of(folder: Path) -> list[Path]:
    """The Parquet files in a folder."""
    return sorted(entry for entry in folder.iterdir() if entry.suffix.lower() == SUFFIX and entry.name[0] not in "._")


def is_parquet(path: Path) -> bool:
    """Whether `path` is named as a Parquet file, or is a folder that holds some."""
    return bool(parts_of(path)) if path.is_dir() else path.suffix.lower() == SUFFIX


def import_pyarrow(what: str) -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet."""
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"{what} needs pyarrow: pip install 'narrows[tables]'.") from error
    return pyarrow, pyarrow.parquet


def _width(parts: list[Path], name: str) -> int:
    """How many numbers the first list of a column has."""
    _, parquet = import_pyarrow("reading .parquet")
    for part in parts:
        with parquet.ParquetFile(part) as file:
            for batch in file.iter_batches(batch_size=1, columns=[name]):
                return len(batch.column(0)[0])
    raise AssertionError("a table with rows has a first one")


def _dtype(types: Sequence[Any]) -> np.dtype:
    """A common dtype; whole numbers of more than a byte become floats, because their columns may have empty cells."""
    common = np.result_type(*types)
    if common.kind in "iu" and common.itemsize > 1:
        return np.dtype(np.float64 if common.itemsize > 2 else np.float32)
    return common
