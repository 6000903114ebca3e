"""Read files of one array: .npy, .npz and IDX."""

from __future__ import annotations

import gzip
import io
import math
from pathlib import Path

import numpy as np

from narrows.data.files.dataset import Dataset, short_name

_DATA_KEYS = ("X", "x", "images", "data", "counts", "arr_0")
_LABEL_KEYS = ("y", "labels")
# http://yann.lecun.com/exdb/mnist/ describes IDX: 0, 0, type, number of axes, one uint32 for each axis, the values.
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_DEFLATE_MAX_RATIO = 1032  # the largest compression ratio of a deflate stream (zlib's technical details)


def read_npy(path: Path) -> Dataset:
    """Map a .npy file into memory.

    Raises
    ------
    ValueError
        If the file is damaged or empty, or does not hold numbers.
    """
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError:
        raise
    except Exception as error:  # numpy reads the header with Python's own parser, which may raise any error
        raise _no_array(path, error) from error
    return Dataset(_checked_numbers(X, path), None, None, path.stem, None)


def read_npz(path: Path) -> Dataset:
    """Read the examples of a .npz file, and their labels if it has some.

    Raises
    ------
    ValueError
        If the file is damaged, or its arrays have unknown names, do not hold numbers, or differ in length.
    """
    try:
        # If np.load opened the file itself, it would leave a damaged zip open.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            keys = archive.files
            if {"indices", "indptr", "shape"} <= set(keys):
                raise ValueError("it holds a scipy.sparse matrix M; save it dense, as np.savez('X.npz', X=M.toarray())")
            label_key = next((key for key in _LABEL_KEYS if key in keys), None)
            data_keys = [key for key in _DATA_KEYS if key in keys] or [key for key in keys if key != label_key]
            if not data_keys or (data_keys[0] not in _DATA_KEYS and len(data_keys) > 1):
                raise ValueError(f"name the examples 'X' (and labels 'y'); its arrays are {', '.join(keys) or 'none'}")
            X = archive[data_keys[0]]
            y = None if label_key is None else np.asarray(archive[label_key])
    except ValueError as error:
        raise _no_array(path, error) from error
    X = _checked_numbers(X, path)
    if y is not None and y.shape[:1] != X.shape[:1]:
        raise ValueError(
            f"{path} must hold one label for each example. Got {label_key!r} of shape {y.shape} "
            f"for {data_keys[0]!r} of shape {X.shape}."
        )
    return Dataset(X, y, None, path.stem, None)


def _no_array(path: Path, error: Exception) -> ValueError:
    """Return the error for a .npy or .npz file without a usable array."""
    if "object" in str(error).lower():
        return ValueError(
            f"{path} holds Python objects (dtype object), which NumPy stores as a pickle. narrows does not read "
            "pickles: a pickle can run any code. Save numbers: np.save('X.npy', np.asarray(X, dtype=np.float32))."
        )
    return ValueError(f"{path} cannot be read as an array: {error}. Save it again with np.save or np.savez.")


def _checked_numbers(X: np.ndarray, path: Path) -> np.ndarray:
    X = np.asanyarray(X)  # np.load returns bytes for a member that is not an array
    if X.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold numbers. Got an array of dtype {X.dtype}. Encode it as numbers first.")
    if X.ndim == 0 or X.size == 0:
        raise ValueError(f"{path} must hold at least one example. Got an array of shape {X.shape}.")
    return X


def is_idx(head: bytes) -> bool:
    """Return True if the first bytes `head` are those of an IDX file."""
    return head[:2] == b"\0\0" and len(head) >= 4 and head[2] in _IDX_TYPES


def read_idx(path: Path, gzipped: bool) -> Dataset:
    """Read a file in IDX, the format of MNIST.

    Raises
    ------
    EOFError
        If the file is truncated.
    ValueError
        If the file is empty, or longer than its header says.
    """
    room = path.stat().st_size * (_DEFLATE_MAX_RATIO if gzipped else 1)
    with gzip.open(path, "rb") if gzipped else open(path, "rb") as stream:
        _, _, code, n_axes = stream.read(4)
        lengths = stream.read(4 * n_axes)
        if len(lengths) < 4 * n_axes:
            raise EOFError("the IDX header is truncated")
        shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
        dtype = np.dtype(_IDX_TYPES[code])
        if math.prod(shape) * dtype.itemsize > room:  # before the memory is allocated
            raise EOFError(f"the IDX header announces an array of shape {shape}, for which the file is too small")
        X = np.empty(shape, dtype)
        _fill(X, stream)
        if stream.read(1):
            raise ValueError(f"{path} holds more data than the array of shape {shape} that its IDX header announces.")
    X = X.astype(dtype.newbyteorder("="), copy=False)
    return Dataset(_checked_numbers(X, path), None, None, short_name(path), None)


def _fill(X: np.ndarray, stream: gzip.GzipFile | io.BufferedReader) -> None:
    """Read the bytes of `X` in blocks, because gzip's `readinto` needs memory for a second copy."""
    left = X.reshape(-1).view(np.uint8).data
    while left:
        block = stream.read(min(len(left), 1 << 20))
        if not block:
            raise EOFError(f"the last {len(left):,} of {X.nbytes:,} bytes are missing")
        left[: len(block)] = block
        left = left[len(block) :]
