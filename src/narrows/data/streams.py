"""Sources: blocks of rows from files, arrays and iterators.

A source is read once, in order. Nothing is converted here. Blocks of a memory map are views: they are read from disk
when the caller uses them, for instance in another thread.
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
from narrows.data.containers import check_container
from narrows.data.files.mapped import MappedRows, open_mapped
from narrows.data.frames import is_frame

_AHEAD = 32 << 20  # bytes of a mapped file to read ahead
_TABLE_ROWS = 1 << 16  # rows of a table to encode at once
_BEHIND = 32 << 20  # bytes to keep in memory before the current block: callers still work on these blocks


class Source(NamedTuple):
    """Examples in blocks.

    Attributes
    ----------
    blocks : function from a number of rows to an iterator of arrays with that many rows; the last array may be smaller.
    n : number of examples; None if it is known only at the end.
    columns : names of the columns; None without names.
    locate : function from the number of a row to its place in files, for messages; None without files.
    """

    blocks: Callable[[int], Iterator[np.ndarray]]
    n: int | None = None
    columns: list[str] | None = None
    locate: Callable[[int], str] | None = None


def open_source(
    X: Any,
    owner: str,
    columns: Sequence[str] | None = None,
    encode: Callable[[Any], np.ndarray] | None = None,
    has_tokens: bool = True,
) -> Source | None:
    """Return X as a source of blocks, or None if it is in memory: an array, a tensor, a data frame, a list of rows.

    Parameters
    ----------
    X : path of a .parquet file, of a folder of them, or of any other file that `narrows.data.files.read` reads; path of
        a .npy or .safetensors file or of a folder of them, which are mapped; or an iterator of arrays, each with any
        number of rows; or a `Source`, which is returned unchanged.
    owner : name of the caller, for messages.
    columns : names of the columns of a table or of data frames to read, in this order; None for all.
    encode : function from a data frame to an array of numbers, for tables with words, dates and gaps; None if all
        columns hold numbers.
    has_tokens : True if floats with three axes in mapped files are rows of tokens, not pictures or layers, and a list
        of such files is joined; False if a list of files of rows, or of folders of them, has a layer in each.

    Raises
    ------
    ImportError
        If a Parquet file is to be read without pyarrow.
    OSError, TypeError, ValueError
        If X cannot be read, or has another type.
    """
    if isinstance(X, Source):
        return X
    mapped = open_mapped(X, has_tokens=has_tokens) if encode is None and columns is None else None
    if mapped is not None:
        return from_array(mapped)
    if isinstance(X, (str, os.PathLike)):
        path = Path(X).expanduser()
        if encode is not None:
            return _open_table(path, encode)
        if parquet.is_parquet(path):
            table = parquet.open_table(path, columns)
            names = table.names if table.width is None else None
            return Source(lambda rows: regroup(table.batches(rows), rows), table.n, names)
        dataset = files.read(path).ordered(columns).as_numbers()
        return from_array(np.asanyarray(dataset.X))._replace(columns=dataset.columns)
    if not is_frame(X):
        check_container(X, owner, takes_iterators=True)
    if hasattr(X, "__array__") or is_frame(X) or isinstance(X, (list, tuple)):
        return None
    if isinstance(X, Iterable):
        if encode is not None:
            encoded = map(encode, X)
            return Source(lambda rows: regroup(encoded, rows))
        # a copy, because an iterator may reuse its array while the previous block is still in use
        arrays = (np.array(check_numeric(as_array(_select_columns(piece, columns), owner), owner)) for piece in X)
        return Source(lambda rows: regroup(arrays, rows))
    raise TypeError(f"{owner} reads arrays, paths and iterators of arrays. Got {type(X).__name__}.")


def _open_table(path: Path, encode: Callable[[Any], np.ndarray]) -> Source:
    """Return a file with words, dates and gaps as a source. A Parquet file is read in blocks."""
    if not parquet.is_parquet(path):
        return from_array(encode(files.read(path).X))
    n, pieces = parquet.frames(path, _TABLE_ROWS)
    return Source(lambda rows: regroup(map(encode, pieces), rows), n)


def _select_columns(piece: Any, columns: Sequence[str] | None) -> Any:
    """Return the `columns` of a data frame of pandas or polars, or of an Arrow table. Other pieces are unchanged."""
    names = getattr(piece, "column_names", getattr(piece, "columns", None))  # of Arrow, or of the others
    if columns is None or names is None:
        return piece
    indices = files.column_indices(columns, [str(name) for name in names], "Each data frame")
    if hasattr(piece, "iloc"):
        return piece.iloc[:, indices]
    return piece.select([names[i] for i in indices])


def open_path(X: Any, *, has_tokens: bool = True) -> Any:
    """Return the rows of X if it is a path or a list of paths of arrays; otherwise X.

    Returns
    -------
    `MappedRows`, a memory map of pictures, or what `narrows.data.files.read` gives for other formats.

    Raises
    ------
    OSError, ValueError, ImportError
        If a file cannot be read.
    """
    rows = open_mapped(X, has_tokens=has_tokens)
    if rows is None:
        return files.read(X).X if isinstance(X, (str, os.PathLike)) else X
    is_array = rows.ndim > 2 and len(rows.files) == 1 and not rows.files[0].is_bfloat16  # NumPy has no bfloat16
    return rows.files[0].array if is_array else rows


def from_array(X: np.ndarray | MappedRows) -> Source:
    """Return a source whose blocks are views of X (n x ...). A mapped file is read through a window."""
    if isinstance(X, MappedRows):
        return Source(
            lambda rows: (X[start : start + rows] for start in range(0, len(X), rows)), len(X), None, X.locate
        )
    return Source(lambda rows: _views(X, rows), len(X))


def regroup(arrays: Iterable[np.ndarray], rows: int) -> Iterator[np.ndarray]:
    """Yield the rows of `arrays` in blocks of `rows` rows; the last block may be smaller."""
    pieces: list[np.ndarray] = []
    n = 0
    for array in arrays:
        while len(array):
            piece, array = array[: rows - n], array[rows - n :]
            pieces.append(piece)
            n += len(piece)
            if n == rows:
                yield pieces[0] if len(pieces) == 1 else np.concatenate(pieces)
                pieces, n = [], 0
    if pieces:
        yield np.concatenate(pieces)


# ------------------------------------------------------------------------------------------------ memory maps


def _views(X: np.ndarray, rows: int) -> Iterator[np.ndarray]:
    window = _Window.of(X)
    for start in range(0, len(X), rows):
        if window is not None:
            window.move(start * X.strides[0], min(len(X), start + rows) * X.strides[0])
        yield X[start : start + rows]


class _Window:
    """The part of a mapped file that is in memory. Pages ahead of it are requested, and pages behind it are released.

    Released pages stay in the system's cache, but no longer count as memory of the process.

    Parameters
    ----------
    mapped : memory map of the file.
    start : offset of the first row in the file, in bytes.
    """

    def __init__(self, mapped: mmap.mmap, start: int) -> None:
        self.mapped, self.start = mapped, start
        self.requested = self.released = start  # ends of the requested and of the released bytes

    @classmethod
    def of(cls, X: np.ndarray) -> _Window | None:
        """Return the window for rows that are contiguous in a mapped file, or None for other arrays."""
        base: Any = X
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        mapped = getattr(base, "_mmap", None)
        # a copy-on-write map ("c") would lose its changes
        if not isinstance(mapped, mmap.mmap) or base.mode == "c" or not X.flags.c_contiguous:
            return None
        if not hasattr(mapped, "madvise"):  # Windows
            return None
        return cls(mapped, X.ctypes.data - np.frombuffer(mapped, np.uint8).ctypes.data)

    def move(self, start: int, stop: int) -> None:
        """Move the window to the bytes `start` to `stop` of the rows, which are needed next."""
        first, last = self.start + start, self.start + stop
        ahead = min(last + _AHEAD, len(self.mapped))
        if ahead > self.requested:
            self._advise(mmap.MADV_WILLNEED, self.requested, ahead)
            self.requested = ahead
        if first - _BEHIND > self.released:
            self._advise(mmap.MADV_DONTNEED, self.released, first - _BEHIND)
            self.released = first - _BEHIND

    def _advise(self, option: int, start: int, stop: int) -> None:
        start -= start % mmap.PAGESIZE
        stop -= stop % mmap.PAGESIZE
        if stop > start:
            self.mapped.madvise(option, start, stop - start)
