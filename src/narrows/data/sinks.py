"""Sinks: targets for blocks of rows. A sink is an array, or a file that is written completely or not at all.

Every sink has two methods, `write(block)` and `finish()`. `open_sink` makes the sink for a target.
"""

from __future__ import annotations

import contextlib
import csv
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from narrows.data.atomic import atomic_path
from narrows.data.cells import is_missing
from narrows.data.formulas import without_formula
from narrows.data.frames import Frame, is_frame, open_frame
from narrows.data.parquet import import_pyarrow

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".npy", ".parquet", *DELIMITERS)
_TEXT_ROWS = 4096  # rows to convert to text at once: each number takes 128 bytes as text
_GROUP_NUMBERS = 1 << 22  # smallest number of entries in a row group of Parquet: small groups are slow to read


class Sink(ABC):
    """Abstract: a target for blocks of rows, written in order."""

    @abstractmethod
    def write(self, block: Any) -> None:
        """Write the next rows. All blocks have the same dtype, and rows of the same shape.

        Raises
        ------
        ValueError
            If the rows do not fit the target.
        """

    @abstractmethod
    def finish(self) -> Any:
        """Complete the target after the last block. Return the array, or None for a file."""


class Framed(Sink):
    """A sink that gets data frames: `as_frame` makes one of each block."""

    def __init__(self, sink: Sink, as_frame: Callable[[np.ndarray], Any]) -> None:
        if not isinstance(sink, (Text, Parquet)):
            raise ValueError(
                "Rows of a table with words or dates need a .csv, .tsv or .parquet file, or None for a data frame. An "
                "array and a .npy file hold only numbers."
            )
        self.sink, self.as_frame = sink, as_frame

    def write(self, block: np.ndarray) -> None:
        """Write the frame of the rows."""
        self.sink.write(self.as_frame(block))

    def finish(self) -> Any:
        """Complete the sink."""
        return self.sink.finish()


class Memory(Sink):
    """A new array. If the number of rows `n` is known it is allocated once, otherwise it grows by doubling.

    `check` gets the bytes of the array before it is allocated or grows, and raises if they are too many.
    """

    def __init__(self, n: int | None = None, check: Callable[[int], None] | None = None) -> None:
        self.n, self.filled, self.check = n, 0, check
        self.array: np.ndarray | None = None

    def write(self, block: np.ndarray) -> None:
        """Copy the rows into the array."""
        end = self.filled + len(block)
        if self.array is None:
            self._check((self.n or len(block)) / max(1, len(block)) * block.nbytes)
            self.array = np.empty((self.n or len(block), *block.shape[1:]), block.dtype)
        if end > len(self.array):
            self._check(max(end, 2 * len(self.array)) / max(1, len(block)) * block.nbytes)
            self.array.resize((max(end, 2 * len(self.array)), *block.shape[1:]), refcheck=False)
        self.array[self.filled : end] = block
        self.filled = end

    def finish(self) -> np.ndarray:
        """Return the array."""
        assert self.array is not None
        if self.filled < len(self.array):
            self.array.resize((self.filled, *self.array.shape[1:]), refcheck=False)
        return self.array

    def _check(self, n_bytes: float) -> None:
        if self.check is not None:
            self.check(int(n_bytes))


class UserArray(Sink):
    """An array that the user passed, such as a memory map. It must have one row for each example."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.filled = array, 0

    def write(self, block: np.ndarray) -> None:
        """Copy the rows into the array. Floats may be stored in a narrower float type, but not as integers.

        Raises
        ------
        ValueError
            If the rows do not fit the array's shape or dtype, or there are too many rows.
        """
        end = self.filled + len(block)
        if self.array.shape[1:] != block.shape[1:] or end > len(self.array):
            raise ValueError(
                f"The array to write to must have a row of shape {block.shape[1:]} for each example. Got an array of "
                f"shape {self.array.shape} for at least {end:,} examples."
            )
        if not np.can_cast(block.dtype, self.array.dtype, "same_kind"):
            raise ValueError(f"The array to write to must accept {block.dtype}. Got an array of {self.array.dtype}.")
        self.array[self.filled : end] = block
        self.filled = end

    def finish(self) -> np.ndarray:
        """Return the array.

        Raises
        ------
        ValueError
            If the array has more rows than were written.
        """
        if self.filled != len(self.array):
            raise ValueError(f"The array to write to has {len(self.array):,} rows. It got {self.filled:,} examples.")
        return self.array


class Npy(Sink):
    """A .npy file. Its header contains the number of rows, so the header is written again at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.filled, self.start = stream, 0, 0
        self.template: np.ndarray | None = None

    def write(self, block: np.ndarray) -> None:
        """Append the rows."""
        if self.template is None:
            self.template = block[:0]
            self._write_header()
            self.start = self.stream.tell()
        assert block.dtype == self.template.dtype
        self.stream.write(np.ascontiguousarray(block).data)
        self.filled += len(block)

    def finish(self) -> None:
        """Write the number of rows into the header. NumPy leaves room for it."""
        self.stream.seek(0)
        self._write_header()
        assert self.stream.tell() == self.start

    def _write_header(self) -> None:
        assert self.template is not None
        kind = np.lib.format.dtype_to_descr(self.template.dtype)
        header = {"descr": kind, "fortran_order": False, "shape": (self.filled, *self.template.shape[1:])}
        np.lib.format.write_array_header_1_0(self.stream, header)


class Text(Sink):
    """A .csv or .tsv file. Its numbers and words are read back as the same values.

    Blocks are arrays, or data frames with words and dates. A missing cell of a frame is empty. A word or a name that a
    spreadsheet would run as a formula, such as "=1+1", gets an apostrophe in front, which `narrows.data.files.read`
    takes away again.
    """

    def __init__(self, stream: TextIO, path: Path, columns: Sequence[str] | None, delimiter: str) -> None:
        self.writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self.path, self.columns, self.begun = path, columns, False

    def write(self, block: Any) -> None:
        """Append the rows of an array or of a data frame."""
        if is_frame(block):
            self._write_frame(open_frame(block, "Text"))
            return
        table = as_table(block, self.path, self.columns)
        if not self.begun and self.columns is not None:
            self.writer.writerow([without_formula(str(name)) for name in self.columns])
        self.begun = True
        if table.dtype == bool:
            table = table.astype(np.uint8)  # "True" cannot be read back as a number
        for start in range(0, len(table), _TEXT_ROWS):
            # astype(str) gives the shortest text that is read back as the same number, for float32, too.
            self.writer.writerows(table[start : start + _TEXT_ROWS].astype(str).tolist())

    def _write_frame(self, frame: Frame) -> None:
        if not self.begun:
            self.writer.writerow([without_formula(str(name)) for name in frame.names])
        self.begun = True
        self.writer.writerows(zip(*(_as_texts(frame, name) for name in frame.names), strict=True))

    def finish(self) -> None:
        """Do nothing: all rows are written."""


class Parquet(Sink):
    """A .parquet file with one column for each entry. Without `columns` the names are x0, x1, ...

    Blocks are arrays, or data frames, whose types are kept.
    """

    def __init__(self, temporary: Path, path: Path, columns: Sequence[str] | None) -> None:
        self.pyarrow, self.parquet = import_pyarrow("writing .parquet")
        self.temporary, self.path, self.columns = temporary, path, columns
        self.writer: Any = None
        self.schema: Any = None  # of data frames
        self.pending: list[Any] = []
        self.n_pending = 0

    def write(self, block: Any) -> None:
        """Collect the rows of an array or of a data frame, and write them in large groups."""
        table = (
            self._as_arrow(open_frame(block, "Parquet"))
            if is_frame(block)
            else as_table(block, self.path, self.columns)
        )
        self.pending.append(table)
        self.n_pending += table.shape[0] * table.shape[1]
        if self.n_pending >= _GROUP_NUMBERS:
            self._write_pending()

    def finish(self) -> None:
        """Write the last group and the footer."""
        self._write_pending()
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()

    def _write_pending(self) -> None:
        if not self.pending:
            return
        if isinstance(self.pending[0], np.ndarray):
            rows = np.concatenate(self.pending)
            names = list(self.columns or (f"x{i}" for i in range(rows.shape[1])))
            table = self.pyarrow.table([np.ascontiguousarray(column) for column in rows.T], names=names)
        else:
            table = self.pyarrow.concat_tables(self.pending).unify_dictionaries()
        self.pending, self.n_pending = [], 0
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.temporary, table.schema)
        self.writer.write_table(table, row_group_size=len(table))

    def _as_arrow(self, frame: Frame) -> Any:
        """Return a data frame as an Arrow table. All have the types of the first one."""
        pa = self.pyarrow
        if frame.kind == "pandas":
            table = pa.Table.from_pandas(frame.data, preserve_index=False)
        else:
            table = frame.data.to_arrow() if frame.kind == "polars" else frame.data
        if self.schema is None:  # a column without any value may hold words in a later block
            types = [pa.string() if pa.types.is_null(field.type) else field.type for field in table.schema]
            self.schema = pa.schema(list(zip(table.column_names, types, strict=True)), table.schema.metadata)
        return table.cast(self.schema)


@contextlib.contextmanager
def open_sink(
    target: str | os.PathLike[str] | np.ndarray | None,
    n: int | None = None,
    columns: Sequence[str] | None = None,
    as_frame: Callable[[np.ndarray], Any] | None = None,
    check: Callable[[int], None] | None = None,
) -> Iterator[Sink]:
    """Yield the sink that writes to `target`. A file appears when the block ends without an error.

    Parameters
    ----------
    target : None for a new array, an array to fill, or the path of a .npy, .parquet, .csv or .tsv file.
    n : number of rows; None if it is not known.
    columns : names of a table's columns; None without names. A .npy file cannot hold them.
    as_frame : function from a block to a data frame, which is written in its place; a new array gets the block itself.
    check : function of the bytes of a new array, which raises if they are too many; see `Memory`.

    Raises
    ------
    ValueError
        If the path has an unknown suffix, the rows do not fit `target`, or it cannot hold data frames.
    TypeError
        If `target` has another type.
    ImportError
        If a .parquet file is to be written without pyarrow.
    OSError
        If the file cannot be written, for example because the disk is full; an old file at the path is unchanged.
    """
    if target is None:
        yield Memory(n, check)
        return
    if isinstance(target, np.ndarray):
        yield _framed(UserArray(target), as_frame)
        return
    if not isinstance(target, (str, os.PathLike)):
        raise TypeError(f"A sink must be None, an array or a path. Got {type(target).__name__}.")
    path = check_path(target)
    suffix = path.suffix.lower()
    with atomic_path(path) as temporary:
        if suffix == ".npy":
            with open(temporary, "wb") as stream:
                yield _framed(Npy(stream), as_frame)
        elif suffix == ".parquet":
            with contextlib.closing(Parquet(temporary, path, columns)) as sink:
                yield _framed(sink, as_frame)
        else:
            with open(temporary, "w", encoding="utf-8", newline="") as lines:
                yield _framed(Text(lines, path, columns, DELIMITERS[suffix]), as_frame)


def _framed(sink: Sink, as_frame: Callable[[np.ndarray], Any] | None) -> Sink:
    return sink if as_frame is None else Framed(sink, as_frame)


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` with ~ replaced by the home folder.

    Raises
    ------
    ValueError
        If the suffix is not one of `SUFFIXES`.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Cannot write an array to {path}: the name must end in {', '.join(SUFFIXES)}.")
    return path


def _as_texts(frame: Frame, name: Any) -> list[str]:
    """Return the cells of a column of a data frame as they stand in a text file."""
    if frame.kind == "pandas":
        series = frame.data[name]
        if isinstance(series.dtype, np.dtype) and series.dtype.kind == "f":  # single precision has few digits
            return ["" if text == "nan" else text for text in series.to_numpy().astype(str).tolist()]
        cells = series.tolist()
    else:
        cells = (frame.data.get_column(name).to_list if frame.kind == "polars" else frame.data.column(name).to_pylist)()
    return ["" if is_missing(cell) else without_formula(str(cell)) for cell in cells]


def as_table(array: np.ndarray, path: Path, columns: Sequence[str] | None) -> np.ndarray:
    """Return `array` with two axes, rows and columns. An array with one axis becomes one column.

    Raises
    ------
    ValueError
        If `array` has more than two axes, or `columns` does not name each column.
    """
    table = array.reshape(-1, 1) if array.ndim == 1 else array
    if table.ndim != 2:
        raise ValueError(f"Cannot write {path}: a table has 1 or 2 axes, the array has {array.ndim}. Use .npy.")
    if columns is not None and len(columns) != table.shape[1]:
        raise ValueError(
            f"Cannot write {path}: `columns` must name each of the {table.shape[1]} columns. Got {len(columns)} names."
        )
    return table
