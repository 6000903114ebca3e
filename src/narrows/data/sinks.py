"""Sinks: targets for blocks of rows. A sink is an array, or a file that is written completely or not at all.

Every sink has two methods, `write(block)` and `finish()`; `open_sink` makes one for a given target.
"""

from __future__ import annotations

import contextlib
import csv
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, TextIO

import numpy as np

from narrows.data.atomic import atomic_path
from narrows.data.parquet import import_pyarrow

DELIMITERS = {".csv": ",", ".tsv": "\t"}
SUFFIXES = (".npy", ".parquet", *DELIMITERS)
_PIECE = 4096  # rows to convert to text at once: as text a number takes 128 bytes
_GROUP_NUMBERS = 1 << 22  # least number of entries in a row group of Parquet: small groups are slow to read


class Sink(ABC):
    """Abstract: a target for blocks of rows, which come in order."""

    @abstractmethod
    def write(self, block: np.ndarray) -> None:
        """Write the next rows. All blocks have the same dtype and the same shape of a row.

        Raises
        ------
        ValueError
            If the rows do not fit the target.
        """

    @abstractmethod
    def finish(self) -> Any:
        """Complete the target after the last block, and return the array, or None for a file."""


class Memory(Sink):
    """A new array. It has its final size from the start if `n` is known, else it grows by doubling."""

    def __init__(self, n: int | None = None) -> None:
        self.n, self.filled = n, 0
        self.array: np.ndarray | None = None

    def write(self, block: np.ndarray) -> None:
        """Copy the rows into the array."""
        end = self.filled + len(block)
        if self.array is None:
            self.array = np.empty((self.n or len(block), *block.shape[1:]), block.dtype)
        if end > len(self.array):
            self.array.resize((max(end, 2 * len(self.array)), *block.shape[1:]), refcheck=False)
        self.array[self.filled : end] = block
        self.filled = end

    def finish(self) -> np.ndarray:
        """Return the array."""
        assert self.array is not None
        if self.filled < len(self.array):
            self.array.resize((self.filled, *self.array.shape[1:]), refcheck=False)
        return self.array


class UserArray(Sink):
    """An array of the user, a memory map for example. It must have one row for each example."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.filled = array, 0

    def write(self, block: np.ndarray) -> None:
        """Copy the rows into the array. Floats may become narrower floats, but never integers.

        Raises
        ------
        ValueError
            If the rows have another shape or dtype than the array, or are too many.
        """
        end = self.filled + len(block)
        if self.array.shape[1:] != block.shape[1:] or end > len(self.array):
            raise ValueError(
                f"The array to write to must have a row of shape {block.shape[1:]} for each example. Got an array of "
                f"shape {self.array.shape} for at least {end:,} examples."
            )
        if not np.can_cast(block.dtype, self.array.dtype, "same_kind"):
            raise ValueError(f"The array to write to must take {block.dtype}. Got an array of {self.array.dtype}.")
        self.array[self.filled : end] = block
        self.filled = end

    def finish(self) -> np.ndarray:
        """Return the array.

        Raises
        ------
        ValueError
            If fewer rows came than the array has.
        """
        if self.filled != len(self.array):
            raise ValueError(f"The array to write to has {len(self.array):,} rows. {self.filled:,} examples came.")
        return self.array


class Npy(Sink):
    """A .npy file. Its header has the number of rows, so it is written again at the end."""

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
        """Write the number of rows into the header, in which NumPy leaves room for it."""
        self.stream.seek(0)
        self._write_header()
        assert self.stream.tell() == self.start

    def _write_header(self) -> None:
        assert self.template is not None
        kind = np.lib.format.dtype_to_descr(self.template.dtype)
        header = {"descr": kind, "fortran_order": False, "shape": (self.filled, *self.template.shape[1:])}
        np.lib.format.write_array_header_1_0(self.stream, header)


class Text(Sink):
    """A .csv or .tsv file, whose numbers read back as the same values."""

    def __init__(self, stream: TextIO, path: Path, columns: Sequence[str] | None, delimiter: str) -> None:
        self.writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
        self.path, self.columns, self.begun = path, columns, False

    def write(self, block: np.ndarray) -> None:
        """Append the rows."""
        table = as_table(block, self.path, self.columns)
        if not self.begun and self.columns is not None:
            self.writer.writerow(self.columns)
        self.begun = True
        if table.dtype == bool:
            table = table.astype(np.uint8)  # "True" would not read back as a number
        for start in range(0, len(table), _PIECE):
            # astype(str) writes the shortest text that reads back as the same number, for float32, too.
            self.writer.writerows(table[start : start + _PIECE].astype(str).tolist())

    def finish(self) -> None:
        """Do nothing: all rows are written."""


class Parquet(Sink):
    """A .parquet file with a column for each number, named by `columns`, or x0, x1, ... without names."""

    def __init__(self, temporary: Path, path: Path, columns: Sequence[str] | None) -> None:
        self.pyarrow, self.parquet = import_pyarrow("writing .parquet")
        self.temporary, self.path, self.columns = temporary, path, columns
        self.writer: Any = None
        self.held: list[np.ndarray] = []

    def write(self, block: np.ndarray) -> None:
        """Collect the rows, and write them in large groups."""
        self.held.append(as_table(block, self.path, self.columns))
        if sum(table.size for table in self.held) >= _GROUP_NUMBERS:
            self._write_held()

    def finish(self) -> None:
        """Write the last group and the footer."""
        self._write_held()
        self.close()

    def close(self) -> None:
        """Close the file."""
        if self.writer is not None:
            self.writer.close()

    def _write_held(self) -> None:
        if not self.held:
            return
        rows = np.concatenate(self.held)
        self.held = []
        names = list(self.columns or (f"x{i}" for i in range(rows.shape[1])))
        table = self.pyarrow.table([np.ascontiguousarray(column) for column in rows.T], names=names)
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.temporary, table.schema)
        self.writer.write_table(table, row_group_size=len(rows))


@contextlib.contextmanager
def open_sink(
    target: str | os.PathLike[str] | np.ndarray | None, n: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[Sink]:
    """Yield the sink that writes to `target`. A file appears when the block ends without an error.

    Parameters
    ----------
    target : None for a new array, an array to fill, or the path of a .npy, .parquet, .csv or .tsv file.
    n : number of rows that will come; None if it is not known.
    columns : names of a table's columns; None without names. A .npy file cannot hold them.

    Raises
    ------
    ValueError
        If the path has another suffix, or the rows do not fit `target`.
    TypeError
        If `target` is none of these.
    ImportError
        If a .parquet file is to be written without pyarrow.
    OSError
        If the file cannot be written, for example because the disk is full; an old file at the path is unchanged.
    """
    if target is None:
        yield Memory(n)
        return
    if isinstance(target, np.ndarray):
        yield UserArray(target)
        return
    if not isinstance(target, (str, os.PathLike)):
        raise TypeError(f"A sink must be None, an array or a path. Got {type(target).__name__}.")
    path = check_path(target)
    suffix = path.suffix.lower()
    with atomic_path(path) as temporary:
        if suffix == ".npy":
            with open(temporary, "wb") as stream:
                yield Npy(stream)
        elif suffix == ".parquet":
            with contextlib.closing(Parquet(temporary, path, columns)) as sink:
                yield sink
        else:
            with open(temporary, "w", encoding="utf-8", newline="") as lines:
                yield Text(lines, path, columns, DELIMITERS[suffix])


def check_path(path: str | os.PathLike[str]) -> Path:
    """Return `path` with ~ replaced by the home folder.

    Raises
    ------
    ValueError
        If its suffix is none of `SUFFIXES`.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Cannot write an array to {path}: the name must end in {', '.join(SUFFIXES)}.")
    return path


def as_table(array: np.ndarray, path: Path, columns: Sequence[str] | None) -> np.ndarray:
    """Return `array` with two axes, rows and columns; an array of one axis becomes one column.

    Raises
    ------
    ValueError
        If it has more axes, or another number of columns than `columns`.
    """
    table = array.reshape(-1, 1) if array.ndim == 1 else array
    if table.ndim != 2:
        raise ValueError(f"Cannot write {path}: a table has 1 or 2 axes, the array has {array.ndim}. Use .npy.")
    if columns is not None and len(columns) != table.shape[1]:
        raise ValueError(
            f"Cannot write {path}: `columns` must name each of the {table.shape[1]} columns. Got {len(columns)} names."
        )
    return table
