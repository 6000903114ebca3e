"""Rows of files that stay on disk: one file or many, joined, as one array of rows that is read where it is asked.

    rows[5], rows[10:20], rows[[7, 3]]      NumPy arrays, float32 or wider
    rows.take(index)                        a tensor in the dtype of the files, which may be float16 or bfloat16

A file of floats with three axes holds activations (sequences, tokens, width), and each token is a row. The rows of
several layers, of which each has files of its own, are put side by side: (n, layers, width).
"""

from __future__ import annotations

import functools
import mmap
import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import as_floats, as_shared_tensor, min_max, pieces, tensor_as_array
from narrows.data.files.mapping import SUFFIXES, MappedFile, find_mapped, map_file
from narrows.data.row_counts import RowCounts
from narrows.params import counted

_TOUCHED = 64 << 20  # bytes of mapped pages after whose use they no longer count as memory of the process
_FAULT = 64 << 10  # bytes that the system maps where a single one is used


class MappedRows(ABC):
    """Abstract: rows of files, (n, width), or (n, ...) for pictures and layers. They are never all in memory.

    Attributes
    ----------
    files : the files.
    shape, ndim, size, nbytes : as of an array.
    dtype : dtype of what indexing gives: float32 for half precision, otherwise as `narrows.data.as_floats` chooses it.
    tensor_dtype : dtype of what `take` gives.
    counts : which rows are all zero, or very long, after `scan_rows`.
    """

    def __init__(self, files: Sequence[MappedFile], shape: tuple[int, ...], tensor_dtype: torch.dtype) -> None:
        self.files, self.shape, self.tensor_dtype = list(files), shape, tensor_dtype
        self.dtype = tensor_as_array(torch.empty(0, dtype=tensor_dtype)).dtype
        self.counts = RowCounts()

    @abstractmethod
    def locate(self, row: int) -> str:
        """Return where a row is, for messages."""

    @abstractmethod
    def describe(self) -> str:
        """Return a line for people: the files, the number of rows, and what a row is."""

    @abstractmethod
    def _take(self, numbers: np.ndarray, result: Tensor) -> None:
        """Write the rows of these numbers into `result`."""

    @abstractmethod
    def _slice(self, start: int, stop: int) -> Tensor:
        """Return consecutive rows in `tensor_dtype`."""

    @property
    def ndim(self) -> int:
        """Number of axes."""
        return len(self.shape)

    @property
    def size(self) -> int:
        """Number of entries."""
        return int(np.prod(self.shape))

    @property
    def nbytes(self) -> int:
        """Bytes of all rows in the dtype of what indexing gives."""
        return self.size * self.dtype.itemsize

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, key: Any) -> np.ndarray:
        if isinstance(key, (int, np.integer)):
            if not -len(self) <= key < len(self):
                raise IndexError(f"row {key} of {counted(len(self), 'row')}")
            return self[np.array([key])][0]
        if isinstance(key, slice):
            start, stop, step = key.indices(len(self))
            if step == 1:
                return tensor_as_array(self._slice(start, stop))
            key = np.arange(start, stop, step)
        index = np.asarray(key)
        if index.dtype == bool:
            index = np.flatnonzero(index)
        return tensor_as_array(self.take(torch.from_numpy(np.ascontiguousarray(index, dtype=np.int64))))

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        return np.asarray(self[:], dtype)

    def take(self, index: Tensor) -> Tensor:
        """Return the rows at `index` (B integers, on the CPU): B x ..., in `tensor_dtype`."""
        numbers = index.numpy()
        numbers = np.where(numbers < 0, numbers + len(self), numbers)
        result = torch.empty((len(numbers), *self.shape[1:]), dtype=self.tensor_dtype)
        step = _TOUCHED // max(_FAULT, self._row_bytes) + 1
        for start in range(0, len(numbers), step):
            self._take(numbers[start : start + step], result[start : start + step])
        return result

    def to(self, device: torch.device) -> Tensor:
        """Return all rows as a tensor on `device`, in `tensor_dtype`."""
        result = torch.empty(self.shape, dtype=self.tensor_dtype, device=device)
        for start, _ in self._steps():
            block = self._slice(start, min(len(self), start + self._step))
            result[start : start + len(block)] = block.to(device)
        return result

    # ---------------------------------------------------------------------------------------------- inside

    @property
    def _row_bytes(self) -> int:
        return int(np.prod(self.shape[1:])) * self.tensor_dtype.itemsize

    @property
    def _step(self) -> int:
        return max(1, (64 << 20) // self._row_bytes)

    def _steps(self) -> Iterator[tuple[int, int]]:
        return ((start, min(len(self), start + self._step)) for start in range(0, len(self), self._step))


class JoinedRows(MappedRows):
    """Rows of files, one file after another.

    Parameters
    ----------
    files : the files, whose rows have one width.
    has_tokens : True if the rows of floats with three axes are their tokens; False if such an array holds pictures.

    Raises
    ------
    ValueError
        If the files differ in the width of their rows.
    """

    def __init__(self, files: Sequence[MappedFile], *, has_tokens: bool = True) -> None:
        self._parts = [_as_rows(file) if has_tokens else file.array for file in files]
        first = self._parts[0].shape[1:]
        for file, part in zip(files, self._parts, strict=True):
            if part.shape[1:] != first:
                raise ValueError(
                    f"All files must hold rows of one width. {files[0].path} has rows of {_width(first)} (shape "
                    f"{files[0].array.shape}), and {file.path} of {_width(part.shape[1:])} (shape "
                    f"{file.array.shape}). Move one kind into a folder of its own."
                )
        self._ends = np.cumsum([len(part) for part in self._parts])
        parts = zip(files, self._parts, strict=True)
        dtypes = [_as_tensor(np.array(part[:0]), file.is_bfloat16).dtype for file, part in parts]
        super().__init__(files, (int(self._ends[-1]), *first), functools.reduce(torch.promote_types, dtypes))
        self._touched = 0
        self._touched_files: set[int] = set()

    def locate(self, row: int) -> str:
        """Return where a row is, for messages: the file, and the row or the sequence and the token in it."""
        i = int(np.searchsorted(self._ends, row, side="right"))
        inside, array = row - self._start(i), self.files[i].array
        if array.ndim == self.ndim:
            return f"row {inside:,} of {self.files[i].path}"
        sequence, token = divmod(inside, array.shape[1])
        return f"sequence {sequence:,}, token {token:,} of {self.files[i].path}"

    def describe(self) -> str:
        """Return a line for people: the number of files, of rows, and what a row is."""
        where = str(self.files[0].path) if len(self.files) == 1 else f"{len(self.files)} files"
        kinds = ", ".join(sorted({file.dtype for file in self.files}))
        each = "each token" if any(file.array.ndim > self.ndim for file in self.files) else "each row"
        return f"{where}, {counted(len(self), 'row')} of {_width(self.shape[1:])}, {kinds}; {each} is an example"

    def _start(self, i: int) -> int:
        return int(self._ends[i - 1]) if i else 0

    def _take(self, numbers: np.ndarray, result: Tensor) -> None:
        part_of = np.searchsorted(self._ends, numbers, side="right")
        for i in np.unique(part_of):
            places = np.flatnonzero(part_of == i)
            rows = np.take(np.asarray(self._parts[i]), numbers[places] - self._start(i), axis=0)
            values = _as_tensor(rows, self.files[i].is_bfloat16)
            if len(places) == len(numbers):
                result.copy_(values)
            else:
                result[torch.from_numpy(places)] = values.to(self.tensor_dtype)
            self._release(int(i), len(places) * max(_FAULT, self._row_bytes))

    def _slice(self, start: int, stop: int) -> Tensor:
        if stop <= start:
            return torch.empty((0, *self.shape[1:]), dtype=self.tensor_dtype)
        blocks = []
        first, last = (int(i) for i in np.searchsorted(self._ends, [start, stop - 1], side="right"))
        for i in range(first, min(last, len(self.files) - 1) + 1):
            begin = self._start(i)
            part = np.array(self._parts[i][max(0, start - begin) : max(0, stop - begin)])
            blocks.append(_as_tensor(part, self.files[i].is_bfloat16).to(self.tensor_dtype))
            self._release(i, part.nbytes)
        return blocks[0] if len(blocks) == 1 else torch.cat(blocks)

    def _release(self, i: int, n_bytes: int) -> None:
        """Count bytes of file `i` that were used, and now and then give pages back: the system still caches them."""
        self._touched += n_bytes
        self._touched_files.add(i)
        if self._touched < _TOUCHED or not hasattr(mmap, "MADV_DONTNEED"):
            return
        for touched in self._touched_files:
            mapped = getattr(self.files[touched].array, "_mmap", None)
            if isinstance(mapped, mmap.mmap):
                mapped.madvise(mmap.MADV_DONTNEED)
        self._touched, self._touched_files = 0, set()


class StackedRows(MappedRows):
    """Rows of several layers, side by side: (n, layers, width).

    Parameters
    ----------
    layers : rows (n, width) of each layer.
    paths : the file or the folder of each layer, for messages.

    Raises
    ------
    ValueError
        If the layers differ in the number or the width of their rows.
    """

    def __init__(self, layers: Sequence[MappedRows], paths: Sequence[Path]) -> None:
        self.layers, first = list(layers), layers[0]
        for layer, path in zip(layers, paths, strict=True):
            if layer.shape != first.shape:
                raise ValueError(
                    f"Layers must have the same number of rows of one width. {paths[0]} holds "
                    f"{counted(len(first), 'row')} of {_width(first.shape[1:])}, and {path} "
                    f"{counted(len(layer), 'row')} of {_width(layer.shape[1:])}. Save them in one pass of the model."
                )
        files = [file for layer in layers for file in layer.files]
        dtype = functools.reduce(torch.promote_types, (layer.tensor_dtype for layer in layers))
        super().__init__(files, (len(first), len(layers), *first.shape[1:]), dtype)

    def locate(self, row: int) -> str:
        """Return where a row is: its place in the files of the first layer."""
        return f"{self.layers[0].locate(row)} and of {counted(len(self.layers) - 1, 'other layer')}"

    def describe(self) -> str:
        """Return a line for people: the number of layers, and their rows."""
        return f"{counted(len(self.layers), 'layer')} side by side, each of {self.layers[0].describe()}"

    def _take(self, numbers: np.ndarray, result: Tensor) -> None:
        index = torch.from_numpy(numbers)
        for i, layer in enumerate(self.layers):
            result[:, i] = layer.take(index).to(self.tensor_dtype)

    def _slice(self, start: int, stop: int) -> Tensor:
        return torch.stack([layer._slice(start, stop).to(self.tensor_dtype) for layer in self.layers], 1)


def open_mapped(X: Any, *, has_tokens: bool = True) -> MappedRows | None:
    """Return X as rows of files, if it is the path of a .npy or .safetensors file, of a folder of them, or a list.

    A list holds paths of files. Without `has_tokens` it may also hold folders; several of rows (n, width) are layers.

    Raises
    ------
    FileNotFoundError
        If a path of a list does not exist.
    ValueError
        If a file is truncated, damaged or compressed, or files differ in the width of their rows.
    """
    if isinstance(X, MappedRows):
        return X
    if isinstance(X, (list, tuple)) and X and all(isinstance(x, (str, os.PathLike)) for x in X):
        paths = [Path(x).expanduser() for x in X]
        if not has_tokens and all(path.is_dir() or path.suffix.lower() in SUFFIXES for path in paths):
            return _open_layers(paths)
        if not all(path.suffix.lower() in SUFFIXES for path in paths):
            return None
    elif isinstance(X, (str, os.PathLike)):
        paths = find_mapped(Path(X).expanduser())
    else:
        return None
    return JoinedRows([map_file(path) for path in paths], has_tokens=has_tokens) if paths else None


def _open_layers(paths: Sequence[Path]) -> MappedRows:
    """Return the rows of files or folders: of several with rows (n, width) those of a layer each, others joined."""
    layers = []
    for path in paths:
        found = find_mapped(path) if path.is_dir() else [path]
        if not found:
            raise ValueError(f"{path} holds no .npy or .safetensors file. Pass the folder of a layer.")
        layers.append(JoinedRows([map_file(file) for file in found], has_tokens=False))
    if len(layers) > 1 and all(layer.ndim == 2 for layer in layers):
        return StackedRows(layers, paths)
    return JoinedRows([file for layer in layers for file in layer.files], has_tokens=False)


def scan_rows(rows: MappedRows, owner: str) -> None:
    """Check in one pass that all rows are finite, and count those that are all zero or very long.

    Raises
    ------
    ValueError
        If a row holds NaN or infinity. The message names the file, the row and the column.
    """
    rows.counts = RowCounts()
    for start, piece in pieces(rows):  # type: ignore[arg-type]
        min_max(piece, owner, start, locate=rows.locate)
        rows.counts.add(as_shared_tensor(piece), start)


def _as_rows(file: MappedFile) -> np.ndarray:
    """Return the rows of a file as a view. Floats with three axes are tokens of sequences."""
    array = file.array
    is_float = file.is_bfloat16 or array.dtype.kind == "f"
    return array.reshape(-1, array.shape[2]) if array.ndim == 3 and is_float else array


def _as_tensor(rows: np.ndarray, is_bfloat16: bool) -> Tensor:
    """Return rows that were read as a tensor, which keeps half precision."""
    if is_bfloat16:
        return torch.from_numpy(np.asarray(rows)).view(torch.bfloat16)
    rows = np.asarray(rows)
    if not rows.dtype.isnative:
        rows = rows.astype(rows.dtype.newbyteorder("="))
    return torch.from_numpy(rows if rows.dtype == np.float16 else as_floats(rows))


def _width(shape: Sequence[int]) -> str:
    return counted(shape[0], "number") if len(shape) == 1 else " x ".join(map(str, shape))
