"""Sinks of sparse rows: a new matrix, a .npz or a .parquet file. Other targets get the same rows with their zeros."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from narrows.data.atomic import atomic_path
from narrows.data.parquet import import_pyarrow
from narrows.data.sinks import Sink, open_sink
from narrows.data.sparse_rows import INDICES, N_COLUMNS, VALUES, SparseRows, index_dtype

SPARSE_SUFFIXES = (".npz", ".parquet")
_CHUNK_ENTRIES = 1 << 23  # in a chunk of 32 MiB, which the system gets back at once
_GROUP_ENTRIES = 1 << 22  # smallest number of entries in a row group of Parquet


class SparseMemory(Sink):
    """A new matrix. The entries are collected in few large arrays, which are joined once at the end."""

    def __init__(self) -> None:
        self.values, self.indices = _Chunks(), _Chunks()
        self.counts: list[np.ndarray] = []
        self.n_columns = 0

    def write(self, block: Any) -> None:
        """Keep the rows (`SparseRows`)."""
        self.values.add(block.values)
        self.indices.add(block.indices)
        self.counts.append(np.diff(block.starts))
        self.n_columns = block.n_columns

    def finish(self) -> Any:
        """Return the rows as a `scipy.sparse.csr_array`."""
        # one after the other: only one of the two is in memory twice
        values, indices = self.values.join(), self.indices.join()
        return SparseRows(values, indices, _starts(self.counts, len(values)), self.n_columns).to_csr()


class _Chunks:
    """Arrays in one row, copied into chunks: the many small arrays of blocks would leave holes in the heap."""

    def __init__(self) -> None:
        self.chunks: list[np.ndarray] = []
        self.filled, self.total = 0, 0  # of the last chunk, and in all

    def add(self, array: np.ndarray) -> None:
        """Append a copy of the array."""
        left = array
        while len(left):
            if not self.chunks or self.filled == len(self.chunks[-1]):
                size = min(_CHUNK_ENTRIES, max(len(left), self.total))
                self.chunks.append(np.empty(size, array.dtype))
                self.filled = 0
            n = min(len(left), len(self.chunks[-1]) - self.filled)
            self.chunks[-1][self.filled : self.filled + n] = left[:n]
            self.filled, self.total, left = self.filled + n, self.total + n, left[n:]
        if not self.chunks:
            self.chunks.append(array[:0])  # for its dtype

    def join(self) -> np.ndarray:
        """Return all in one array. Each chunk is freed once it is copied."""
        joined, first = np.empty(self.total, self.chunks[0].dtype), 0
        while self.chunks:
            chunk = self.chunks.pop(0)
            n = min(len(chunk), self.total - first)
            joined[first : first + n] = chunk[:n]
            first += n
        return joined


class Npz(Sink):
    """A .npz file as `scipy.sparse.save_npz` writes it, without compression.

    The files in it come one after the other. So the values and the indices are written to two files without a name
    first, because they grow together.
    """

    def __init__(self, stream: BinaryIO, values: BinaryIO, indices: BinaryIO) -> None:
        self.stream, self.waiting = stream, {"data": values, "indices": indices}
        self.dtypes: dict[str, np.dtype[Any]] = {}
        self.counts: list[np.ndarray] = []
        self.n_columns = 0

    def write(self, block: Any) -> None:
        """Append the rows (`SparseRows`)."""
        for (name, file), array in zip(self.waiting.items(), (block.values, block.indices), strict=True):
            self.dtypes[name] = array.dtype
            file.write(np.ascontiguousarray(array).data)
        self.counts.append(np.diff(block.starts))
        self.n_columns = block.n_columns

    def finish(self) -> None:
        """Write the archive."""
        n_values = sum(int(counts.sum()) for counts in self.counts)
        starts = _starts(self.counts, n_values)
        small = {
            "indptr": starts,
            "format": np.array(b"csr"),
            "shape": np.array([len(starts) - 1, self.n_columns]),
            "_is_array": np.array(True),
        }
        with zipfile.ZipFile(self.stream, "w", zipfile.ZIP_STORED) as archive:
            for name, array in small.items():
                with archive.open(f"{name}.npy", "w") as entry:
                    np.lib.format.write_array(entry, array, allow_pickle=False)
            for name, file in self.waiting.items():
                header = {
                    "descr": np.lib.format.dtype_to_descr(self.dtypes[name]),
                    "fortran_order": False,
                    "shape": (n_values,),
                }
                file.seek(0)
                with archive.open(f"{name}.npy", "w", force_zip64=True) as entry:
                    np.lib.format.write_array_header_1_0(entry, header)
                    shutil.copyfileobj(file, entry, 1 << 20)


class SparseParquet(Sink):
    """A .parquet file of two columns of lists, `indices` and `values`, after the names of the rows if there are any."""

    def __init__(self, temporary: Path, names: tuple[str, Sequence[Any]] | None = None) -> None:
        self.pyarrow, self.parquet = import_pyarrow("writing .parquet")
        self.temporary, self.names, self.filled = temporary, names, 0
        self.writer: Any = None
        self.pending: list[SparseRows] = []

    def write(self, block: Any) -> None:
        """Collect the rows (`SparseRows`), and write them in large groups."""
        self.pending.append(block)
        if sum(len(rows.values) + len(rows) for rows in self.pending) >= _GROUP_ENTRIES:
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
        pa, n_columns = self.pyarrow, self.pending[0].n_columns
        indices, values = (np.concatenate([getattr(b, name) for b in self.pending]) for name in ("indices", "values"))
        starts = pa.array(_starts([np.diff(block.starts) for block in self.pending], len(values)), pa.int32())
        self.pending = []
        columns = {
            name: pa.ListArray.from_arrays(starts, pa.array(a)) for name, a in ((INDICES, indices), (VALUES, values))
        }
        n = len(starts) - 1
        if self.names is not None:
            title, names = self.names
            columns = {title: pa.array(np.asarray(names[self.filled : self.filled + n]))} | columns
        self.filled += n
        table = pa.table(columns).replace_schema_metadata({N_COLUMNS: str(n_columns).encode()})
        if self.writer is None:
            self.writer = self.parquet.ParquetWriter(self.temporary, table.schema)
        self.writer.write_table(table, row_group_size=n)


class Dense(Sink):
    """A sink of arrays that gets the rows with their zeros, a block at a time."""

    def __init__(self, sink: Sink) -> None:
        self.sink = sink

    def write(self, block: Any) -> None:
        """Write the rows (`SparseRows`) as an array."""
        self.sink.write(block.to_dense())

    def finish(self) -> Any:
        """Complete the sink."""
        return self.sink.finish()


@contextlib.contextmanager
def open_sparse_sink(
    target: str | os.PathLike[str] | np.ndarray | None,
    n: int | None = None,
    columns: Sequence[str] | None = None,
    names: tuple[str, Sequence[Any]] | None = None,
) -> Iterator[Sink]:
    """Yield the sink of sparse rows that writes to `target`. A file appears when the block ends without an error.

    Parameters
    ----------
    target : None for a new matrix; the path of a .npz or .parquet file; or what `open_sink` takes, for dense rows.
    n : number of rows; None if it is not known.
    columns : names of the columns, for files of dense rows.
    names : title and names of the rows, for a .parquet file; None without names.

    Raises
    ------
    ValueError, TypeError, ImportError, OSError
        As `open_sink` does.
    """
    if target is None:
        yield SparseMemory()
        return
    suffix = Path(target).suffix.lower() if isinstance(target, (str, os.PathLike)) else ""
    if suffix not in SPARSE_SUFFIXES:
        with open_sink(target, n, columns) as sink:
            yield Dense(sink)
        return
    assert isinstance(target, (str, os.PathLike))
    path = Path(target).expanduser()
    with atomic_path(path) as temporary, contextlib.ExitStack() as stack:
        if suffix == ".parquet":
            yield stack.enter_context(contextlib.closing(SparseParquet(temporary, names)))
            return
        stream = stack.enter_context(open(temporary, "wb"))
        waiting = [stack.enter_context(tempfile.TemporaryFile(dir=path.parent)) for _ in range(2)]
        yield Npz(stream, *waiting)


def write_sparse_rows(path: Path, rows: SparseRows, names: tuple[str, Sequence[Any]] | None = None) -> None:
    """Write sparse rows as .npz or .parquet. Raises as `open_sparse_sink` does."""
    with open_sparse_sink(path, len(rows), names=names) as sink:
        sink.write(rows)
        sink.finish()


def _starts(counts: list[np.ndarray], n_values: int) -> np.ndarray:
    """Return the first entry of each row, followed by the number of entries."""
    starts = np.zeros(sum(map(len, counts)) + 1, index_dtype(n_values, 0))
    np.cumsum(np.concatenate(counts), out=starts[1:])
    return starts
