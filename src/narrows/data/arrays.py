"""Convert and check the arrays that users pass, without copies where possible."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

_SCAN_BYTES = 64 << 20  # an array is scanned in pieces of this size, so that a memory map is never wholly in memory
_SAMPLE_NUMBERS = 1 << 26  # largest number of entries in a sample of rows


def as_rows(X: Any, owner: str) -> np.ndarray:
    """Return X as a numeric array of vectors (n, d) or images (n, h, w), (n, h, w, c) or (n, c, h, w).

    Floats of four or eight bytes, bytes and booleans are not copied; other numbers become floats.

    Raises
    ------
    TypeError, ValueError
        If X holds strings, objects or complex numbers, or images of several sizes, or has 1 axis or more than 4.
    """
    return as_floats(check_numeric(as_array(X, owner), owner))


def check_numeric(X: np.ndarray, owner: str) -> np.ndarray:
    """Return X unchanged if it holds numbers and has the axes of vectors or of images.

    Raises
    ------
    ValueError
        If X does not.
    """
    if X.dtype.kind not in "biuf":
        raise ValueError(
            f"X passed to {owner} must hold numbers. Got dtype {X.dtype}; turn words into numbers first "
            "(sklearn.preprocessing.OneHotEncoder or OrdinalEncoder), and lists of different lengths into one array."
        )
    if X.ndim not in (2, 3, 4):
        raise ValueError(
            f"X passed to {owner} must be vectors (n, d) or images (n, h, w) or (n, h, w, c). Got shape {X.shape}. "
            "Reshape your data: X.reshape(-1, 1) if it has a single column, X.reshape(1, -1) if it is a single row."
        )
    return X


def as_floats(X: np.ndarray) -> np.ndarray:
    """Return X (any shape) in a dtype that torch supports. float32, float64, bytes and booleans are not copied."""
    if not X.dtype.isnative:
        X = X.astype(X.dtype.newbyteorder("="))
    if X.dtype.kind == "f" and X.dtype.itemsize not in (4, 8):
        X = X.astype(np.float32 if X.dtype.itemsize == 2 else np.float64)
    if X.dtype.kind in "ui" and X.dtype.itemsize > 1:
        # torch cannot index most unsigned types; float32 holds every whole number below 2 ** 24
        X = X.astype(np.float64 if X.dtype.itemsize > 2 else np.float32)
    return X


def as_array(X: Any, owner: str) -> np.ndarray:
    """Return X as an array of any shape. An array of numbers is not copied.

    Raises
    ------
    TypeError, ValueError
        If the examples of X have several shapes, or X holds words or other objects.
    """
    if isinstance(X, Tensor):
        X = X.detach().cpu()
        return X.float().numpy() if X.dtype in (torch.bfloat16, torch.float16) else X.numpy()
    if isinstance(X, (list, tuple)) and X:
        shapes = _shapes(X)
        if len(shapes) > 1:
            a, b = sorted(shapes)[:2]
            raise ValueError(
                f"X passed to {owner} holds examples of {len(shapes)} shapes, among them {a} and {b}. "
                "All must have one shape: resize or crop them first."
            )
        X = np.stack([np.asarray(x) for x in X]) if hasattr(X[0], "shape") else X
    columns = getattr(X, "columns", None)
    X = np.asarray(X)
    if X.dtype.kind == "O":
        try:
            return X.astype(np.float64)
        except (TypeError, ValueError):
            _raise_for_words(X, owner, columns)
    elif X.dtype.kind in "US":
        _raise_for_words(X, owner, columns)
    return X


def _shapes(examples: Sequence[Any]) -> set[tuple[int, ...]]:
    shapes: set[tuple[int, ...]] = set()
    for example in examples:
        try:
            shapes.add(tuple(np.shape(example)))
        except ValueError:  # the example is a list of lists of different lengths
            shapes.add((len(example), -1))
    return shapes


def _raise_for_words(X: np.ndarray, owner: str, columns: Any) -> None:
    """Raise an error for the first value of `X` that is not a number."""
    for place, value in np.ndenumerate(X):
        try:
            if isinstance(value, (str, bytes)):
                raise ValueError("a word")
            float(value)
        except (TypeError, ValueError) as error:
            where = f"at index {place}"
            if columns is not None:
                where = f"in row {place[0]}, column {columns[place[1]]!r}"
            raise type(error)(
                f"X passed to {owner} must hold numbers. Got {_as_python(value)!r} {where} ({error}); turn words into "
                "numbers first (sklearn.preprocessing.OneHotEncoder or OrdinalEncoder)."
            ) from None


def subsample_evenly(X: np.ndarray, n: int) -> np.ndarray:
    """Return at most `n` rows of X, evenly spaced; fewer if rows are large, but at least two."""
    n = max(2, min(n, len(X), _SAMPLE_NUMBERS // max(1, X[0].size)))
    return X[spaced_indices(len(X), n)]


def spaced_indices(n: int, most: int) -> np.ndarray:
    """Return at most `most` integers from 0 to n - 1, evenly spaced, with both ends."""
    return np.unique(np.linspace(0, n - 1, min(n, most)).astype(int))


def count_rows(X: Any, owner: str) -> int:
    """Return the number of examples in X.

    Raises
    ------
    TypeError
        If X is not an array, list or data frame.
    """
    if isinstance(X, str) or not hasattr(X, "__len__"):
        raise TypeError(f"{owner} takes an array of examples. Got {type(X).__name__}.")
    return len(X)


def take_rows(X: Any, index: Any) -> Any:
    """Return the rows of X at `index` (row numbers, or a slice unless X is a list), in the type of X."""
    if hasattr(X, "iloc"):
        return X.iloc[index]
    return [X[i] for i in index] if isinstance(X, (list, tuple)) else X[index]


def min_max(X: np.ndarray, owner: str, first: int = 0, allow_nan: bool = False) -> tuple[float, float]:
    """Return the smallest and the largest value of X, without a copy of X.

    Parameters
    ----------
    X : array with at least one axis.
    owner : name of the caller, for messages.
    first : number of the first row of X if X is a piece of a longer array, for messages.

    Raises
    ------
    ValueError
        If X is empty, or contains NaN or infinity.
    """
    if X.size == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required by {owner}."
        )
    step = max(1, _SCAN_BYTES // max(1, X[0].nbytes))
    low, high = np.inf, -np.inf
    for start in range(0, len(X), step):
        piece = X[start : start + step]
        a, b = (float(value) for value in torch.aminmax(as_shared_tensor(piece)))
        if allow_nan and np.isnan(a):
            a, b = float(np.fmin.reduce(piece, None)), float(np.fmax.reduce(piece, None))
            if np.isnan(a):
                continue
        if not (np.isfinite(a) and np.isfinite(b)):
            bad = np.argwhere(np.isinf(piece) if allow_nan else ~np.isfinite(piece))
            where = ", ".join(str(int(i)) for i in (bad[0] + np.array([first + start] + [0] * (bad.shape[1] - 1))))
            what = "NaN" if np.isnan(piece[tuple(bad[0])]) else "infinity"
            raise ValueError(
                f"Input X passed to {owner} contains {what} (first at index ({where})). {owner} needs finite values: "
                "fill the gaps first, for instance with sklearn.impute.SimpleImputer, or drop those rows."
            )
        low, high = min(low, a), max(high, b)
    return low, high


def as_shared_tensor(X: np.ndarray) -> Tensor:
    """Return X as a tensor over the same memory, which may be read-only, such as a memory map. Do not write to it."""
    return torch.from_numpy(np.asarray(_Writable(X)))


class _Writable:
    """An array that claims to be writable. torch warns about read-only arrays, even if it only reads them.

    See https://numpy.org/doc/stable/reference/arrays.interface.html.
    """

    def __init__(self, X: np.ndarray) -> None:
        self.array = np.ascontiguousarray(X)
        self.__array_interface__ = {**self.array.__array_interface__, "data": (self.array.ctypes.data, False)}


def _as_python(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value
