"""Sparse rows: for each row the columns that are not 0, and their values. They are read from files, too.

A .npz file is that of `scipy.sparse.save_npz`. A .parquet file has two columns of lists, `indices` and `values`, and
the number of columns of the rows in its metadata.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data.parquet import import_pyarrow

INDICES, VALUES = "indices", "values"  # columns of a .parquet file
N_COLUMNS = b"narrows.n_columns"  # metadata of a .parquet file: the number of columns of the rows
_LARGEST_INT32 = np.iinfo(np.int32).max


@dataclass(frozen=True)
class SparseRows:
    """Rows of numbers of which most are 0 (compressed sparse rows, CSR).

    Row i has the entries `starts[i]` to `starts[i + 1]`.

    Attributes
    ----------
    values : N numbers.
    indices : N integers, their columns; no column twice in a row.
    starts : n + 1 integers that do not fall, from 0 to N.
    n_columns : number of columns.
    """

    values: np.ndarray
    indices: np.ndarray
    starts: np.ndarray
    n_columns: int

    @classmethod
    def of_matrix(cls, matrix: Any) -> SparseRows:
        """Return the rows of a matrix or an array of scipy.sparse, in any of its formats."""
        csr = matrix.tocsr()
        if not csr.has_canonical_format:
            csr = csr.copy()
            csr.sum_duplicates()
        return cls(csr.data, csr.indices, csr.indptr, csr.shape[1])

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def dtype(self) -> np.dtype[Any]:
        """The dtype of the values."""
        return self.values.dtype

    def split(self, n: int) -> Iterator[SparseRows]:
        """Yield blocks of n rows; the last may have fewer."""
        for first in range(0, len(self), n):
            starts = self.starts[first : first + n + 1]
            part = slice(int(starts[0]), int(starts[-1]))
            yield SparseRows(self.values[part], self.indices[part], starts - starts[0], self.n_columns)

    def to_dense(self) -> np.ndarray:
        """Return the rows as an array (n x columns)."""
        dense = np.zeros((len(self), self.n_columns), self.dtype)
        dense[np.repeat(np.arange(len(self)), np.diff(self.starts)), self.indices] = self.values
        return dense

    def to_csr(self) -> Any:
        """Return the rows as a `scipy.sparse.csr_array`, with 32-bit indices where they fit. Nothing is copied."""
        import scipy.sparse as sp

        kind = index_dtype(len(self.values), self.n_columns)
        indices, starts = self.indices.astype(kind, copy=False), self.starts.astype(kind, copy=False)
        return sp.csr_array((self.values, indices, starts), shape=(len(self), self.n_columns))


def index_dtype(n_values: int, n_columns: int) -> type[np.signedinteger[Any]]:
    """Return the integers that indices need: 32 bits where they fit."""
    return np.int32 if max(n_values, n_columns) <= _LARGEST_INT32 else np.int64


def is_sparse(X: Any) -> bool:
    """Return True for a matrix or an array of scipy.sparse."""
    import scipy.sparse as sp

    return bool(sp.issparse(X))


def as_dense(codes: Any) -> np.ndarray:
    """Return an array, a data frame, or a matrix of scipy.sparse as an array."""
    return np.asarray(codes.toarray() if is_sparse(codes) else codes)


def read_sparse_rows(path: str | Path) -> SparseRows | None:
    """Read a file of sparse rows: .npz or .parquet. None if the file holds something else.

    Raises
    ------
    ValueError
        If the file says that it holds sparse rows, but they contradict each other.
    OSError, ImportError
        If the file cannot be read.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() == ".npz":
        if not path.is_file() or not _holds_csr(path):
            return None
        import scipy.sparse as sp

        return _check(path, lambda: sp.load_npz(path))
    metadata = _read_metadata(path)
    return None if metadata is None else _check(path, lambda: _read_lists(path, int(metadata[N_COLUMNS])))


def read_row_names(path: str | Path) -> tuple[str, np.ndarray] | None:
    """Return the title and the names of the rows in a .parquet file of sparse rows; None if there are none.

    Raises
    ------
    OSError, ImportError
        If the file cannot be read.
    """
    path = Path(path).expanduser()
    if _read_metadata(path) is None:
        return None
    _, parquet = import_pyarrow("reading .parquet")
    titles = [title for title in parquet.read_schema(path).names if title not in (INDICES, VALUES)]
    if not titles:
        return None
    names = parquet.read_table(path, columns=titles[:1]).column(0)
    return titles[0], names.to_pandas().to_numpy()


def _read_metadata(path: Path) -> dict[bytes, bytes] | None:
    """Return the metadata of a .parquet file of sparse rows; None for another file."""
    if path.suffix.lower() != ".parquet" or not path.is_file():
        return None
    _, parquet = import_pyarrow("reading .parquet")
    metadata: dict[bytes, bytes] = parquet.read_schema(path).metadata or {}
    return metadata if N_COLUMNS in metadata else None


def _read_lists(path: Path, n_columns: int) -> Any:
    """Return the rows of a .parquet file as a `scipy.sparse.csr_array`. Raise ValueError if its lists are no rows."""
    _, parquet = import_pyarrow("reading .parquet")
    table = parquet.read_table(path, columns=[INDICES, VALUES]).combine_chunks()
    lists = [table.column(name).combine_chunks() for name in (INDICES, VALUES)]
    lengths = [column.value_lengths().fill_null(-1).to_numpy() for column in lists]
    if (lengths[0] < 0).any() or not np.array_equal(*lengths):
        raise ValueError("a row has not as many values as indices")
    indices, values = (column.flatten().to_numpy(zero_copy_only=False) for column in lists)
    if indices.dtype.kind not in "iu" or (len(indices) and not 0 <= indices.min() <= indices.max() < n_columns):
        raise ValueError(f"the indices are not all integers from 0 to {n_columns - 1}")
    starts = np.concatenate([[0], lengths[0].cumsum()])
    return SparseRows(values, indices, starts, n_columns).to_csr()


def _check(path: Path, read: Callable[[], Any]) -> SparseRows:
    """Return the rows of the matrix that `read` gives. Raise ValueError if its arrays contradict each other."""
    try:
        matrix = read()
        if hasattr(matrix, "check_format"):
            matrix.check_format(full_check=True)
    except (ValueError, KeyError) as error:
        raise ValueError(f"{path} does not hold sparse rows as `encode` writes them: {error}.") from error
    return SparseRows.of_matrix(matrix)


def _holds_csr(path: Path) -> bool:
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"format.npy", "indptr.npy"} <= set(archive.namelist())
