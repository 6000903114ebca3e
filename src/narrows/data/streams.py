"""Where blocks of rows come from: anything that holds examples, a piece at a time.

A source is read once, in order. Nothing is converted here, and what is mapped into memory is not touched: who takes a
block reads it, in a thread of its own if that is wanted.
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from narrows.data import files, parquet
from narrows.data.arrays import as_array, check_numeric

_AHEAD = 32 << 20  # bytes of a mapped file that the system is asked to have read before they are wanted
_BEHIND = 32 << 20  # bytes that stay mapped after they were handed out: more than are being worked on


class Source(NamedTuple):
    """Examples in blocks.

    Attributes
    ----------
    blocks : from a number of rows to an iterator of arrays with that many, the last with fewer.
    n : how many examples there are, or None where only the end tells.
    columns : the names of the columns, if they have names.
    """

    blocks: Callable[[int], Iterator[np.ndarray]]
    n: int | None = None
    columns: list[str] | None = None


def source(X: Any, owner: str, columns: Sequence[str] | None = None) -> Source | None:
    """The blocks of `X`, or None where it is in memory as a whole: an array, a tensor, a data frame, a list of rows.

    Parameters
    ----------
    X : a path: a .parquet file, a folder of such, or whatever `narrows.data.files.read` takes (.npy is mapped); or an
        iterator of arrays with any numbers of rows; a `Source` is handed back.
    owner : who asks, for messages.
    columns : those to read, in this order, of a table or of data frames, wherever they stand there; None for all.

    Raises
    ------
    ImportError
        If a Parquet file is to be read without pyarrow.
    OSError, TypeError, ValueError
        If `X` cannot be read or is none of these.
    """
    if isinstance(X, Source):
        return X
    if isinstance(X, (str, os.PathLike)):
        path = Path(X).expanduser()
        if parquet.is_parquet(path):
            table = parquet.table(path, columns)
            names = table.names if table.width is None else None
            return Source(lambda rows: regrouped(table.batches(rows), rows), table.n, names)
        found = files.read(path).ordered(columns)
        return of_array(found.X)._replace(columns=found.columns)
    if hasattr(X, "__array__") or hasattr(X, "iloc") or isinstance(X, (list, tuple)):
        return None
    if isinstance(X, Iterable):
        # a copy, because an iterator may fill the same array again while the last block is still worked on
        arrays = (np.array(check_numeric(as_array(_chosen(piece, columns), owner), owner)) for piece in X)
        return Source(lambda rows: regrouped(arrays, rows))
    raise TypeError(f"{owner} reads arrays, paths and iterators of arrays. Got {type(X).__name__}.")


def _chosen(piece: Any, columns: Sequence[str] | None) -> Any:
    """The `columns` of a data frame; anything else as it is."""
    if columns is None or not (hasattr(piece, "iloc") and hasattr(piece, "columns")):
        return piece
    return piece.iloc[:, files.places(columns, [str(name) for name in piece.columns], "Each data frame")]


def of_array(X: np.ndarray) -> Source:
    """The blocks of an array: views of it. Of a mapped file only a window is resident, and read ahead."""
    return Source(lambda rows: _views(X, rows), len(X))


def regrouped(arrays: Iterable[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """The rows of `arrays` in blocks of `rows`, the last of fewer."""
    held: list[np.ndarray] = []
    n = 0
    for array in arrays:
        while len(array):
            piece, array = array[: rows - n], array[rows - n :]
            held.append(piece)
            n += len(piece)
            if n == rows:
                yield held[0] if len(held) == 1 else np.concatenate(held)
                held, n = [], 0
    if held:
        yield np.concatenate(held)


# ------------------------------------------------------------------------------------------------ memory maps


def _views(X: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    window = _Window.of(X)
    for start in range(0, len(X), rows):
        if window is not None:
            window.move(start * X.strides[0], min(len(X), start + rows) * X.strides[0])
        yield X[start : start + rows]


class _Window:
    """The part of a mapped file that is in memory: what comes soon is asked for, what lies behind is given back.

    Pages given back stay in the system's cache; they no longer count as the process's own.

    Parameters
    ----------
    mapped : the map.
    start : where in it the rows begin, in bytes.
    """

    def __init__(self, mapped: mmap.mmap, start: int) -> None:
        self.mapped, self.start = mapped, start
        self.asked = self.kept = start  # up to where the system was asked to read, and from where pages are kept

    @classmethod
    def of(cls, X: np.ndarray) -> _Window | None:
        """The window of rows that lie in a mapped file one after the other, None for other arrays."""
        base: Any = X
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        mapped = getattr(base, "_mmap", None)
        # a private map ("c") would lose what was written to it
        if not isinstance(mapped, mmap.mmap) or base.mode == "c" or not X.flags.c_contiguous:
            return None
        if not hasattr(mapped, "madvise"):  # Windows
            return None
        return cls(mapped, X.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data)

    def move(self, start: int, stop: int) -> None:
        """Bytes `start` to `stop` of the rows are wanted next."""
        first, last = self.start + start, self.start + stop
        ahead = min(last + _AHEAD, len(self.mapped))
        if ahead > self.asked:
            self._advise(mmap.MADV_WILLNEED, self.asked, ahead)
            self.asked = ahead
        if first - _BEHIND > self.kept:
            self._advise(mmap.MADV_DONTNEED, self.kept, first - _BEHIND)
            self.kept = first - _BEHIND

    def _advise(self, option: int, start: int, stop: int) -> None:
        start -= start % mmap.PAGESIZE
        stop -= stop % mmap.PAGESIZE
        if stop > start:
            self.mapped.madvise(option, start, stop - start)
