"""Convert and check the arrays that users pass, without copies where possible."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.containers import check_container

_SCAN_BYTES = 16 << 20  # an array is scanned in pieces of this size, so that a memory map is never wholly in memory
_SAMPLE_NUMBERS = 1 << 26  # largest number of entries in a sample of rows
_GAPS = ("NAType", "NaTType")  # classes of pandas.NA and pandas.NaT
_WORDS_FOR_GAPS = ("", "na", "n/a", "nan", "null", "none", "nil", "?", "-", ".", "missing", "#n/a")
# what to do about arrays that hold no numbers, by the kind of their dtype
_CONVERSIONS = {
    "M": "turn dates into numbers first: (X - X.min()) / np.timedelta64(1, 's')",
    "m": "turn durations into numbers first: X / np.timedelta64(1, 's')",
    "V": "it has named fields: pass numpy.lib.recfunctions.structured_to_unstructured(X), or pandas.DataFrame(X)",
    "c": "pass its real and imaginary parts: np.concatenate([X.real, X.imag], axis=1). Complex data not supported",
}


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
        _raise_for_dtype(X, owner)
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


def tensor_as_array(x: Tensor) -> np.ndarray:
    """Return a tensor as an array on the CPU; half precision becomes float32."""
    x = x.detach().cpu()
    return (x.float() if x.dtype in (torch.float16, torch.bfloat16) else x).numpy()


def as_array(X: Any, owner: str) -> np.ndarray:
    """Return X as an array of any shape. An array of numbers is not copied.

    Raises
    ------
    TypeError, ValueError
        If the examples of X have several shapes, or X holds words or other objects.
    """
    check_container(X, owner)
    if isinstance(X, np.ma.MaskedArray):
        return _unmasked(X)
    if isinstance(X, Tensor):
        return tensor_as_array(X)
    if isinstance(X, (list, tuple)) and X:
        shapes = _shapes(X)
        if len(shapes) > 1:
            a, b = sorted(shapes)[:2]
            raise ValueError(
                f"X passed to {owner} holds examples of {len(shapes)} shapes, among them {a} and {b}. "
                "All must have one shape: resize or crop them first."
            )
        X = np.stack([x if type(x) is np.ndarray else as_array(x, owner) for x in X]) if hasattr(X[0], "shape") else X
    if hasattr(X, "__cuda_array_interface__") and hasattr(X, "get"):  # CuPy refuses to be converted unasked
        X = X.get()
    columns = getattr(X, "columns", None)
    X = np.asarray(X)
    if X.dtype.kind == "O":
        try:
            return X.astype(np.float64)
        except (TypeError, ValueError):
            return _without_gaps(X, owner, columns)
    if X.dtype.kind in "US":
        _raise_for_words(X, owner, columns)
    if X.dtype.kind in "MmV":
        _raise_for_dtype(X, owner)
    return X


def _unmasked(X: np.ma.MaskedArray[Any, Any]) -> np.ndarray:
    """Return the numbers of a masked array, which are not copied if none is masked. Masked entries become NaN."""
    if not np.ma.is_masked(X):
        return np.asarray(X.data)
    values = np.array(X.data, dtype=X.dtype if X.dtype.kind == "f" else np.float64)
    values[np.ma.getmaskarray(X)] = np.nan
    return values


def _without_gaps(X: np.ndarray, owner: str, columns: Any) -> np.ndarray:
    """Return objects as floats, with NaN for None, pandas.NA and NaT. Raise an error for other objects."""
    is_gap = np.frompyfunc(lambda value: value is None or type(value).__name__ in _GAPS, 1, 1)(X).astype(bool)
    filled = X.copy()
    filled[is_gap] = np.nan
    try:
        return filled.astype(np.float64)
    except (TypeError, ValueError):
        _raise_for_words(filled, owner, columns)
        raise


def _shapes(examples: Sequence[Any]) -> set[tuple[int, ...]]:
    shapes: set[tuple[int, ...]] = set()
    for example in examples:
        try:
            shapes.add(tuple(np.shape(example)))
        except ValueError:  # the example is a list of lists of different lengths
            shapes.add((len(example), -1))
    return shapes


def _raise_for_words(X: np.ndarray, owner: str, columns: Any) -> None:
    """Raise an error for the first value of `X` that is not a number, or for the first one if all are numbers."""
    error: Exception = ValueError("a text")
    place, value = (0,) * X.ndim, X[(0,) * X.ndim] if X.size else ""
    for place_, value_ in np.ndenumerate(X):
        try:
            float(value_)
        except (TypeError, ValueError) as problem:
            error, place, value = problem, place_, value_
            break
    where = f"at index {place}"
    if columns is not None:
        where = f"in row {place[0]}, column {columns[place[1]]!r}"
    raise type(error)(
        f"X passed to {owner} must hold numbers. Got {_as_python(value)!r} {where} ({error}); {_remedy(value)}."
    ) from None


def _remedy(value: Any) -> str:
    """Return what to do about a value that is not a number."""
    if isinstance(value, (datetime.date, np.datetime64)):
        return _CONVERSIONS["M"]
    if isinstance(value, (datetime.timedelta, np.timedelta64)):
        return _CONVERSIONS["m"]
    if not isinstance(value, (str, bytes)):
        return "each entry must be one number"
    word = (value.decode(errors="replace") if isinstance(value, bytes) else value).strip()
    if word.lower() in _WORDS_FOR_GAPS:
        return f"if {word!r} means that the value is missing, put NaN in its place and fill the gaps"
    if word.lower() in ("true", "false"):
        return f"turn truth values into numbers first: X == {word!r}"
    if re.fullmatch(r"\d{4}-\d\d?-\d\d?([T ].*)?|\d\d?([./-])\d\d?\2\d{2,4}", word):
        return "turn dates into numbers first: pandas.to_datetime(column).astype('int64')"
    if _is_number(word):
        return "the numbers are text: pass X.astype(float)"
    if _is_number(re.sub(r"[,' _%$€£]", "", word)):
        return "take separators and signs out of the numbers first: float(text.replace(',', '').strip('%'))"
    return (
        "turn words into numbers first (sklearn.preprocessing.OneHotEncoder or OrdinalEncoder), and lists of different "
        "lengths into one array"
    )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _raise_for_dtype(X: np.ndarray, owner: str) -> None:
    advice = _CONVERSIONS.get(X.dtype.kind, "convert it first")
    raise ValueError(f"X passed to {owner} must hold numbers. Got dtype {X.dtype}; {advice}.")


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
    if not isinstance(X, str):
        check_container(X, owner)
    if isinstance(X, str) or not hasattr(X, "__len__"):
        raise TypeError(f"{owner} takes an array of examples. Got {type(X).__name__}.")
    return len(X)


def count_entries(X: Any) -> int:
    """Return the number of entries of an example of X (n x ...); of columns for a data frame or a list of dicts."""
    if isinstance(X, (list, tuple)) and X and isinstance(X[0], Mapping):
        return len(X[0])
    return int(np.prod((X.shape if hasattr(X, "shape") else np.shape(X))[1:]))


def take_rows(X: Any, index: Any) -> Any:
    """Return the rows of X at `index` (row numbers, or a slice unless X is a list), in the type of X."""
    if hasattr(X, "iloc"):
        return X.iloc[index]
    if hasattr(X, "column_names"):  # an Arrow table
        return X.take(np.arange(len(X))[index])
    return [X[i] for i in index] if isinstance(X, (list, tuple)) else X[index]


def min_max(
    X: np.ndarray,
    owner: str,
    first: int = 0,
    columns: Sequence[str | int] | None = None,
    allow_nan: bool = False,
    locate: Callable[[int], str] | None = None,
) -> tuple[float, float]:
    """Return the smallest and the largest value of X, without a copy of X.

    Parameters
    ----------
    X : array with at least one axis.
    owner : name of the caller, for messages.
    first : number of the first row of X if X is a piece of a longer array, for messages.
    columns : names of the columns of X, for messages.
    allow_nan : True to leave NaN out. The result is (inf, -inf) if nothing else is there.
    locate : function from the number of a row to its place, such as its file, for messages; None without files.

    Raises
    ------
    ValueError
        If X is empty, or contains infinity, or NaN without `allow_nan`.
    """
    if X.size == 0:
        raise ValueError(
            f"Found array with 0 feature(s) (shape={X.shape}) while a minimum of 1 is required by {owner}."
        )
    low, high = np.inf, -np.inf
    for start, piece in pieces(X):
        a, b = (float(value) for value in torch.aminmax(as_shared_tensor(piece)))
        if allow_nan and np.isnan(a):
            a, b = float(np.fmin.reduce(piece, None)), float(np.fmax.reduce(piece, None))
            if np.isnan(a):
                continue
        if not (np.isfinite(a) and np.isfinite(b)):
            _raise_not_finite(piece, owner, first + start, allow_nan, columns, locate)
        low, high = min(low, a), max(high, b)
    return low, high


def _raise_not_finite(
    piece: np.ndarray,
    owner: str,
    first: int,
    allow_nan: bool,
    columns: Sequence[str | int] | None,
    locate: Callable[[int], str] | None,
) -> None:
    """Raise an error for the first value of `piece` that is not finite. `first` is the number of its first row."""
    place = np.argwhere(np.isinf(piece) if allow_nan else ~np.isfinite(piece))[0]
    is_gap = bool(np.isnan(piece[tuple(place)]))
    row, *others = (int(i) for i in place)
    where = f"at index ({', '.join(map(str, [first + row, *others]))})"
    if columns is not None and len(others) == 1:
        where = f"in row {first + row}, column {columns[others[0]]!r}"
    advice = "fill the gaps first, for instance with sklearn.impute.SimpleImputer" if is_gap else "replace it"
    if locate is not None:
        where = f"in column {', '.join(map(str, others))}, {locate(first + row)}"
        advice = "leave that row out, and look at what computed it"
        if not is_gap:
            advice = "float16 holds numbers up to 65,504, so save larger ones as bfloat16 or float32, or divide them"
    raise ValueError(
        f"Input X passed to {owner} contains {'NaN' if is_gap else 'infinity'} (first {where}). {owner} needs finite "
        f"values: {advice}, or drop those rows."
    )


def pieces(X: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Yield X in pieces of about 16 MB: the number of the first row, and a view of the rows."""
    step = max(1, _SCAN_BYTES // max(1, X[0].nbytes))
    for start in range(0, len(X), step):
        yield start, X[start : start + step]


def resolution(dtype: np.dtype) -> float:
    """Return the relative rounding error of numbers of `dtype`, as they are computed with."""
    return float(np.finfo(dtype if dtype.kind == "f" else np.float64).eps)


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
