"""Statistics of the columns of an array, over all rows, in pieces, so that a memory map is never wholly in memory.

NaN marks a missing entry, and is left out.
"""

from __future__ import annotations

import numpy as np

from narrows.data.arrays import pieces, resolution

_ROUNDING = 8  # a column whose deviation is less than so many rounding errors of its mean counts as constant


def column_ranges(X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smallest and the largest value of each column of X (n, d): two arrays (d,), 0 for an empty column."""
    lows, highs = [], []
    for _, piece in pieces(X):
        low, high = piece.min(0), piece.max(0)
        if piece.dtype.kind == "f" and np.isnan(low).any():
            low, high = np.fmin.reduce(piece, 0), np.fmax.reduce(piece, 0)
        lows.append(low)
        highs.append(high)
    low, high = np.fmin.reduce(lows).astype(np.float64), np.fmax.reduce(highs).astype(np.float64)
    return np.nan_to_num(low), np.nan_to_num(high)


def moments(X: np.ndarray, sample: np.ndarray, axis: int | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean and the standard deviation of X over all axes but `axis` (over all of them for None).

    Parameters
    ----------
    X : numbers, n x ...
    sample : some rows of X. Sums are of differences from their mean, so that a column far from 0 loses nothing.
    axis : axis of the columns or of the channels, at least 1; None for one number.

    Returns
    -------
    Two arrays, each of the length of `axis`, or of shape (). Both are 0 where all entries are missing.
    """
    others = tuple(i for i in range(X.ndim) if i != axis)
    if len(sample) == len(X):
        mean = sample.mean(others, dtype=np.float64)
        if not np.isnan(mean).any():
            return mean, sample.std(others, dtype=np.float64)
    n_present = np.maximum(1, np.count_nonzero(~np.isnan(sample), others, keepdims=True))
    start = np.nansum(sample, others, dtype=np.float64, keepdims=True) / n_present
    n, total, squares = (np.zeros(start.squeeze(others).shape) for _ in range(3))
    for _, piece in pieces(X):
        difference = piece - start
        sums = difference.sum(others)
        if np.isnan(sums).any():
            n += np.count_nonzero(~np.isnan(difference), others)
            sums = np.nan_to_num(difference, copy=False).sum(others)
        else:
            n += piece.size / start.size
        total += sums
        squares += np.square(difference, out=difference).sum(others)
    n = np.maximum(n, 1)
    mean = total / n
    return start.squeeze(others) + mean, np.sqrt(np.maximum(squares / n - mean**2, 0))


def is_constant(mean: np.ndarray, std: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return True for each column that differs from its mean by no more than rounding errors of `dtype`."""
    return std <= _ROUNDING * resolution(dtype) * np.abs(mean)
