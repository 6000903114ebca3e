"""Read Parquet files as blocks of numbers, with pyarrow: one file, or a folder of files that form one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

SUFFIX = ".parquet"
_COLUMN_BUFFER = 1 << 16  # bytes of a column to read at once


class Table(NamedTuple):
    """Contents of a Parquet file, or of a folder of Parquet files.

    Attributes
    ----------
    parts : the files, sorted by name.
    n : number of rows.
    names : names of the columns to read.
    width : length of each list if the table is one column of lists, otherwise None.
    dtype : common dtype of the columns.
    """

    parts: list[Path]
    n: int
    names: list[str]
    width: int | None
    dtype: np.dtype

    def batches(self, rows: int) -> Iterator[np.ndarray]:
        """Yield the rows in order, in arrays of at most `rows` rows (n x columns); empty cells are NaN.

        Raises
        ------
        ValueError
            If a list does not have the length of the first list, or a column of bytes or booleans has empty cells.
        """
        _, parquet = import_pyarrow("reading .parquet")
        for part in self.parts:
            # no read-ahead of whole row groups: a row group can be larger than memory
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
                    f"{part} must hold lists of {self.width} numbers in {self.names[0]!r}, like its first row."
                )
            return np.asarray(lists.to_numpy(zero_copy_only=False), self.dtype).reshape(len(column), self.width)
        array = np.empty((len(batch), len(self.names)), self.dtype)
        for i, column in enumerate(batch.columns):
            if column.null_count and self.dtype.kind != "f":
                raise ValueError(f"{part} must have a number in every cell. Column {self.names[i]!r} has empty cells.")
            array[:, i] = column.to_numpy(zero_copy_only=False)
        return array


def open_table(path: Path, columns: Sequence[str] | None = None) -> Table:
    """Read the header of a file or a folder of parts.

    Parameters
    ----------
    path : a .parquet file, or a folder of them.
    columns : names of the columns to read, in this order; None for all.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    FileNotFoundError
        If there is nothing at `path`.
    ValueError
        If the file is damaged or empty, or a requested column is missing or does not hold numbers.
    """
    pyarrow, _ = import_pyarrow("reading .parquet")
    parts = _find_parts(path)
    n, schemas = 0, []
    for part in parts:
        metadata = _read_metadata(part)
        n += metadata.num_rows
        schemas.append(metadata.schema.to_arrow_schema())
    schema = schemas[0]
    names = list_columns(schema) if columns is None else list(columns)
    check_names([name for name in schema.names if columns is None or name in columns], parts[0])
    for name in names:
        if name not in schema.names:
            raise ValueError(f"{parts[0]} must have a column {name!r}. It has {', '.join(schema.names[:20])}.")
    if n == 0 or not names:
        raise ValueError(f"{path} must hold at least one example. Got {n} rows of {len(names)} columns.")
    width, dtypes = None, set()
    if len(names) == 1 and is_lists(schema.field(names[0]).type):
        width = _width(parts, names[0])
    for part, schema in zip(parts, schemas, strict=True):  # parts may differ in dtypes
        for name in names:
            if name not in schema.names:
                raise ValueError(f"{part} must have the columns of {parts[0]}. It has no column {name!r}.")
            kind = schema.field(name).type
            kind = getattr(kind, "value_type", kind) if width is not None else kind
            is_number = pyarrow.types.is_integer(kind) or pyarrow.types.is_floating(kind)
            if not (is_number or pyarrow.types.is_boolean(kind)):
                raise ValueError(
                    f"{part} must hold numbers. Column {name!r} holds {kind}: name the columns to read, or turn it "
                    "into numbers first (sklearn.preprocessing.OneHotEncoder or OrdinalEncoder)."
                )
            dtypes.add(kind.to_pandas_dtype())
    return Table(parts, n, names, width, common_dtype(list(dtypes)))


def frames(path: Path, rows: int) -> tuple[int, Iterator[Any]]:
    """Return the number of rows of a file or a folder of parts, and its rows as Arrow tables of at most `rows` rows.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`.
    ImportError
        If pyarrow is not installed.
    ValueError
        If a file is damaged, or there are no files.
    """
    pyarrow, parquet = import_pyarrow("reading .parquet")
    parts = _find_parts(path)

    def read() -> Iterator[Any]:
        for part in parts:
            with parquet.ParquetFile(part, pre_buffer=False) as file:
                for batch in file.iter_batches(batch_size=rows):
                    yield pyarrow.Table.from_batches([batch])

    return sum(_read_metadata(part).num_rows for part in parts), read()


def read_schema(part: Path) -> Any:
    """Return the Arrow schema of a file.

    Raises
    ------
    ValueError
        If the file is damaged.
    """
    return _read_metadata(part).schema.to_arrow_schema()


def list_columns(schema: Any) -> list[str]:
    """Return the names of the columns of an Arrow schema, without those of an index that pandas wrote."""
    index = (schema.pandas_metadata or {}).get("index_columns", [])
    return [name for name in schema.names if name not in index]


def has_index(path: Path) -> bool:
    """Return True if pandas wrote an index of names into a Parquet file, or into the first of a folder.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If the file is damaged.
    """
    metadata = read_schema(list_parts(path)[0] if path.is_dir() else path).pandas_metadata or {}
    return any(isinstance(name, str) for name in metadata.get("index_columns", []))  # a range of numbers is a dict


def is_lists(kind: Any) -> bool:
    """Return True if an Arrow type is that of lists."""
    pyarrow, _ = import_pyarrow("reading .parquet")
    return bool(pyarrow.types.is_nested(kind) and hasattr(kind, "value_type"))


def check_names(names: Sequence[str], owner: str | Path) -> None:
    """Raise a ValueError if two of the columns that `owner` has have one name."""
    repeated = [name for name, count in Counter(names).items() if count > 1]
    if repeated:
        raise ValueError(
            f"{owner} must have a different name for each column. It has more than one "
            f"{', '.join(map(repr, repeated))}. Rename or remove them."
        )


def _find_parts(path: Path) -> list[Path]:
    """Return the file at `path`, or the Parquet files in the folder there. Raise if there are none."""
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    parts = list_parts(path) if path.is_dir() else [path]
    if not parts:
        raise ValueError(f"{path} must hold {SUFFIX} files. It holds none.")
    return parts


def list_parts(folder: Path) -> list[Path]:
    """Return the Parquet files in a folder, sorted by name."""
    return sorted(entry for entry in folder.iterdir() if entry.suffix.lower() == SUFFIX and entry.name[0] not in "._")


def count_values(path: Path) -> int:
    """Return the number of values in a Parquet file, from its metadata: rows times columns, and all values of lists.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    ValueError
        If the file is damaged.
    """
    pyarrow, parquet = import_pyarrow("reading .parquet")
    try:
        metadata = parquet.read_metadata(path)
    except pyarrow.ArrowException as error:
        raise ValueError(f"{path} is damaged or not a Parquet file ({error}). Write it again.") from error
    groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
    return sum(group.column(j).num_values for group in groups for j in range(group.num_columns))


def is_parquet(path: Path) -> bool:
    """Return True if `path` has the suffix of a Parquet file, or is a folder with Parquet files."""
    return bool(list_parts(path)) if path.is_dir() else path.suffix.lower() == SUFFIX


def import_pyarrow(what: str) -> tuple[Any, Any]:
    """Return the modules pyarrow and pyarrow.parquet. `what` is the task that needs them, for the message.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    """
    try:
        import pyarrow
        import pyarrow.compute
        import pyarrow.parquet
    except ImportError as error:
        raise ImportError(f"{what} needs pyarrow: pip install 'narrows[tables]'.") from error
    return pyarrow, pyarrow.parquet


def _read_metadata(part: Path) -> Any:
    pyarrow, parquet = import_pyarrow("reading .parquet")
    try:
        return parquet.read_metadata(part)
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{part} is damaged or not a Parquet file ({error}). Write it again.") from error


def _width(parts: list[Path], name: str) -> int:
    """Return the length of the first list in a column."""
    _, parquet = import_pyarrow("reading .parquet")
    for part in parts:
        with parquet.ParquetFile(part) as file:
            for batch in file.iter_batches(batch_size=1, columns=[name]):
                return len(batch.column(0)[0])
    raise AssertionError("a table with rows has a first row")


def common_dtype(types: Sequence[Any]) -> np.dtype:
    """Return a common dtype of columns. Integers of more than one byte become floats, because cells may be empty."""
    common = np.result_type(*types)
    if common.kind in "iu" and common.itemsize > 1:
        return np.dtype(np.float64 if common.itemsize > 2 else np.float32)
    return common
