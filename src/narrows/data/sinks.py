"""Where blocks of rows go, one after the other: an array, or a file that is whole or not there at all.

Every sink has two methods, `write(block)` and `finish()`; `opened` makes the one that fits.
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
_PIECE = 4096  # rows turned into text at once: as text a number takes 128 bytes
_GROUP_NUMBERS = 1 << 22  # in a row group of Parquet, at least: small groups are slow to read


class Sink(ABC):
    """Abstract: takes blocks of rows in order."""

    @abstractmethod
    def write(self, block: np.ndarray) -> None:
        """Take the next rows; all blocks have one dtype and one shape of an example."""

    @abstractmethod
    def finish(self) -> Any:
        """After the last block: what the caller gets."""


class Memory(Sink):
    """A new array, of the right size from the start where `n` is known, else growing by doubling."""

    def __init__(self, n: int | None = None) -> None:
        self.n, self.filled = n, 0
        self.array: np.ndarray | None = None

    def write(self, block: np.ndarray) -> None:
        """Copy the rows in."""
        end = self.filled + len(block)
        if self.array is None:
            self.array = np.empty((self.n or len(block), *block.shape[1:]), block.dtype)
        if end > len(self.array):
            self.array.resize((max(end, 2 * len(self.array)), *block.shape[1:]), refcheck=False)
        self.array[self.filled : end] = block
        self.filled = end

    def finish(self) -> np.ndarray:
        """The array."""
        assert self.array is not None
        if self.filled < len(self.array):
            self.array.resize((self.filled, *self.array.shape[1:]), refcheck=False)
        return self.array


class Given(Sink):
    """An array that the user made, a memory map for example; it must have room for exactly what comes."""

    def __init__(self, array: np.ndarray) -> None:
        self.array, self.filled = array, 0

    def write(self, block: np.ndarray) -> None:
        """Copy the rows in; numbers may become narrower floats, and no float becomes an integer."""
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
        """The array."""
        if self.filled != len(self.array):
            raise ValueError(f"The array to write to has {len(self.array):,} rows. {self.filled:,} examples came.")
        return self.array


class Npy(Sink):
    """The .npy format, whose header says how many rows there are: it is written again at the end."""

    def __init__(self, stream: BinaryIO) -> None:
        self.stream, self.filled, self.start = stream, 0, 0
        self.like: np.ndarray | None = None

    def write(self, block: np.ndarray) -> None:
        """Append the rows."""
        if self.like is None:
            self.like = block[:0]
            self._write_header()
            self.start = self.stream.tell()
        assert block.dtype == self.like.dtype
        self.stream.write(np.ascontiguousarray(block).data)
        self.filled += len(block)

    def finish(self) -> None:
        """Put the right number of rows in front; NumPy leaves room for it in every header."""
        self.stream.seek(0)
        self._write_header()
        assert self.stream.tell() == self.start

    def _write_header(self) -> None:
        assert self.like is not None
        kind = np.lib.format.dtype_to_descr(self.like.dtype)
        header = {"descr": kind, "fortran_order": False, "shape": (self.filled, *self.like.shape[1:])}
        np.lib.format.write_array_header_1_0(self.stream, header)


class Text(Sink):
    """Lines of numbers, as .csv or .tsv, that read back as the same values."""

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
            # astype(str) writes the shortest digits that read back as the same number, of float32 too.
            self.writer.writerows(table[start : start + _PIECE].astype(str).tolist())

    def finish(self) -> None:
        """Nothing is left to do."""


class Parquet(Sink):
    """A .parquet file with a column for each number; `columns` names them, x0, x1, ... else."""

    def __init__(self, temporary: Path, path: Path, columns: Sequence[str] | None) -> None:
        self.pyarrow, self.parquet = import_pyarrow("writing .parquet")
        self.temporary, self.path, self.columns = temporary, path, columns
        self.writer: Any = None
        self.held: list[np.ndarray] = []

    def write(self, block: np.ndarray) -> None:
        """Append the rows, in groups of some size."""
        self.held.append(as_table(block, self.path, self.columns))
        if sum(table.size for table in self.held) >= _GROUP_NUMBERS:
            self._write_held()

    def finish(self) -> None:
        """Write what is held, and the footer."""
        self._write_held()
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        if self.writer is not None:
            self.writer.close()

    def _write_held(self) -> None:
        if not self.held:
            return
        whole = np.concatenate(self.held)
        self.held = []
        names = list(self.columns or (f"x{i}" for i in range(whole.shape[1])))
        table = self.pyarrow.table([np.ascontiguousarray(column) for column in whole.T], names=names)
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.temporary, table.schema)
        self.writer.write_table(table, row_group_size=len(whole))


@contextlib.contextmanager
def opened(
    target: str | os.PathLike[str] | np.ndarray | None, n: int | None = None, columns: Sequence[str] | None = None
) -> Iterator[Sink]:
    """The sink that writes to `target`; a file takes its place when the block ends without an error.

    Parameters
    ----------
    target : None for a new array, an array to fill, or the path of a .npy, .parquet, .csv or .tsv file.
    n : how many rows will come, if that is known.
    columns : the names of a table's columns. A .npy file has no place for names and gets none.

    Raises
    ------
    ValueError
        For another suffix, or for what does not fit `target`.
    TypeError
        For another kind of target.
    OSError
        If the system refuses, for example because the disk is full; what stood at the path is untouched.
    """
    if target is None:
        yield Memory(n)
        return
    if isinstance(target, np.ndarray):
        yield Given(target)
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
    """`path` with the home folder filled in, if its suffix is one of `SUFFIXES`."""
    path = Path(path).expanduser()
    if path.suffix.lower() not in SUFFIXES:
        raise ValueError(f"Cannot write an array to {path}: the name must end in {', '.join(SUFFIXES)}.")
    return path


def as_table(array: np.ndarray, path: Path, columns: Sequence[str] | None) -> np.ndarray:
    """`array` with two axes; one axis becomes one column."""
    table = array.reshape(-1, 1) if array.ndim == 1 else array
    if table.ndim != 2:
        raise ValueError(f"Cannot write {path}: a table has 1 or 2 axes, the array has {array.ndim}. Use .npy.")
    if columns is not None and len(columns) != table.shape[1]:
        raise ValueError(
            f"Cannot write {path}: `columns` must name each of the {table.shape[1]} columns. Got {len(columns)} names."
        )
    return table
