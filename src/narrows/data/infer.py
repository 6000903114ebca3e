"""Infer a schema: the kind, the scale and the support of rows.

The number of axes gives the kind, and the values give the support. What decides about a column is looked at in all
rows, because a sample may miss the few rows in which it varies.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import min_max, pieces, subsample_evenly
from narrows.data.layouts import LAYERS
from narrows.data.schema import Kind, Schema, Support
from narrows.data.statistics import column_ranges, is_constant, moments

SMALLEST_IMAGE = 8  # smallest side in pixels
_LARGEST = 1e100  # squares of such values, and sums of the squares, are finite in double precision
_SAMPLE_ROWS = 20_000  # largest number of rows that are looked at for what needs no exact answer
_SERIES_ROWS = 1_000  # largest number of examples in which series are told from pictures
_MOST_COLOURS = 4  # channels of a picture
_MIN_PIXELS = 64  # smallest number of columns of flattened images that are not bytes
_BRIGHT_COLUMNS = 0.25  # share of varying columns of flattened images with a value above 127
_EXPECTED_SQUARES = 4.0  # n p^2 of 0 and 1 beyond which a column has too many ones for counts
_UNLIKE_SCALES, _UNLIKE_OFFSETS = 30.0, 10.0  # ratio of deviations, and means in deviations, of channels of a series
_AXES = {"d": 1, "hwc": 3, "chw": 1, "tc": 2, "ct": 1, "hw": None}  # axis of X whose entries have scales of their own


def infer(
    X: np.ndarray,
    owner: str,
    columns: list[str | int] | None = None,
    frame: str | None = None,
    required_support: Support | None = None,
    allow_nan: bool = False,
    dtype: np.dtype | None = None,
) -> Schema:
    """Infer the schema of the rows X.

    Parameters
    ----------
    X : array n x d (vectors), n x h x w, n x h x w x c or n x c x h x w (images), as `as_rows` returns it.
    owner : name of the caller, for messages.
    columns : names of the columns of a data frame, or None.
    frame : "pandas" if X was a data frame, or None.
    required_support : support that the user's likelihood needs, or None. If the data suggest another support, "unit"
        and "count" are used for data of all kinds, and the values are not scaled; "real" is used instead of "count".
    allow_nan : True to leave NaN out of the statistics; otherwise NaN is refused.
    dtype : dtype of the user's data, if X was converted. It decides for images of uint16.

    Raises
    ------
    ValueError
        If X has fewer than two rows or no columns, infinity or values beyond 1e100, images smaller than 8 x 8, or
        images whose axis of channels is not clear.
    """
    if X.shape[0] < 2:
        raise ValueError(
            f"X passed to {owner} holds {X.shape[0]} sample(s) (shape={X.shape}) while a minimum of 2 is required: "
            "an autoencoder learns from differences between examples."
        )
    layout, shape = _layout(X, owner)
    low, high = min_max(X, owner, columns=columns, allow_nan=allow_nan)
    sample = subsample_evenly(X, _SAMPLE_ROWS)
    if max(-low, high) > _LARGEST:
        column = int(np.unravel_index(np.nanargmax(np.abs(X)), X.shape)[-1])
        where = f" (in column {columns[column] if columns else column})" if X.ndim == 2 else ""
        raise ValueError(
            f"X passed to {owner} holds values up to {max(-low, high):.3g}{where}, whose squares are too "
            "large for floating-point numbers. Rescale them, or take their logarithm."
        )
    kind: Kind = "vector" if layout == "d" else "image"
    is_deep = kind == "image" and dtype == np.uint16
    support, largest = (_support_of_vectors if kind == "vector" else _support_of_images)(X, sample, low, high)
    if is_deep and support != "binary":
        support, largest = "unit", white_level(high)
    support, largest = _as_required(support, largest, required_support)
    offset: tuple[float, ...] = (0.0,)
    scale: tuple[float, ...] = (largest,)
    constant: tuple[int, ...] = ()
    if support == "real":
        if layout == "hw":
            layout = _layout_of_series(subsample_evenly(sample, _SERIES_ROWS)) or layout
        offset, scale, constant = _units(X, sample, layout)
    schema = Schema(
        kind=kind,
        shape=shape,
        layout=layout,
        dtype="uint16" if is_deep else str(X.dtype),
        support=support,
        offset=offset,
        scale=scale,
        mean=(0.0,),
        std=(1.0,),
        columns=tuple(columns) if columns is not None else None,
        frame=frame,
        constant=constant,
    )
    mean, std = _prepared_moments(schema, sample)
    gaps = _gaps(X, layout, owner, columns) if allow_nan else ()
    return replace(schema, gaps=gaps, mean=mean, std=std)


def infer_layers(X: np.ndarray, owner: str, **arguments: Any) -> Schema:
    """Infer the schema of activations of several layers X (n x layers x width): each example is one vector.

    Rows with two axes are of one layer. The other arguments are those of `infer`, which raises as it does.

    Raises
    ------
    ValueError
        If X has other axes.
    """
    if X.ndim == 2:
        return infer(X, owner, **arguments)
    if X.ndim != 3:
        raise ValueError(
            f"X passed to {owner} must be activations of several layers for the same tokens, (n, layers, width). Got "
            f"shape {X.shape}."
        )
    if X.shape[1] == 0 or X.shape[2] == 0:
        raise ValueError(f"X passed to {owner} must have a layer and a column. Got shape {X.shape}.")
    schema = infer(np.asarray(X).reshape(len(X), -1), owner, **arguments)
    return replace(schema, layout=LAYERS, n_layers=int(X.shape[1]))


def _as_required(support: Support, largest: float, required: Support | None) -> tuple[Support, float]:
    """Return the support that the user's likelihood needs, and the value that becomes 1."""
    if required == "real":
        return ("real" if support == "count" else support), largest
    if required in (None, support) or (required == "unit" and support == "binary"):
        return support, largest
    assert required is not None
    return required, 1.0


def _prepared_moments(schema: Schema, sample: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and deviation (1 where it is 0) of each prepared column or channel; of log(1 + x) for counts."""
    prepared = schema.prepare(torch.from_numpy(np.ascontiguousarray(sample)), torch.float32)
    if schema.support == "count":
        prepared = prepared.log1p()
    axes = [0] if schema.kind == "vector" else [0, 2, 3]
    std, mean = torch.std_mean(prepared, axes, correction=0)
    if mean.isnan().any():
        mean = prepared.nanmean(axes, keepdim=True).nan_to_num()
        std = (prepared - mean).square().nanmean(axes).sqrt().nan_to_num()
    return _floats(mean), tuple(s if s > 1e-6 else 1.0 for s in _floats(std))


def _gaps(X: np.ndarray, layout: str, owner: str, columns: list[str | int] | None) -> tuple[float, ...]:
    """Return the share of missing entries of each column of vectors, or in all of each image; () without any.

    Raises
    ------
    ValueError
        If a column of vectors holds nothing else.
    """
    if X.dtype.kind != "f" or not any(bool(np.isnan(piece.sum())) for _, piece in pieces(X)):
        return ()
    if layout != "d":
        return (sum(int(np.isnan(piece).sum()) for _, piece in pieces(X)) / X.size,)
    counts = np.zeros(X.shape[1])
    for _, piece in pieces(X):
        counts += np.isnan(piece).sum(0)
    if (empty := np.flatnonzero(counts == len(X))).size:
        names = ", ".join(repr(columns[i] if columns else int(i)) for i in empty[:5])
        raise ValueError(f"X passed to {owner} has columns without any value: {names}. Drop them.")
    return tuple((counts / len(X)).tolist())


def _layout(X: np.ndarray, owner: str) -> tuple[str, tuple[int, ...]]:
    if X.ndim == 2:
        return "d", (X.shape[1],)
    if X.ndim == 3:
        layout, shape = "hw", (1, X.shape[1], X.shape[2])
    elif _is_channels_first(X.shape, owner):
        layout, shape = "chw", X.shape[1:]
    else:
        layout, shape = "hwc", (X.shape[3], X.shape[1], X.shape[2])
    if min(shape[1:]) < SMALLEST_IMAGE:
        raise ValueError(
            f"X passed to {owner} holds images of {shape[1]} x {shape[2]} pixels; at least {SMALLEST_IMAGE} x "
            f"{SMALLEST_IMAGE} are needed. Pass them as vectors instead: X.reshape(len(X), -1)."
        )
    return layout, tuple(int(i) for i in shape)


def _is_channels_first(shape: tuple[int, ...], owner: str) -> bool:
    """Return True if the second of four axes holds the channels, False if the last one does.

    It is the last one if that has at most four entries, and the second one if only that has. With more channels, it is
    the axis beside two equal ones, or the second one if that is at most half as long as the others. If the second one
    is not the shortest, it is the last one.

    Raises
    ------
    ValueError
        If the second axis is the shortest one, but not by much: both readings are likely.
    """
    _, first, middle, last = shape
    if last <= _MOST_COLOURS or first <= _MOST_COLOURS:
        return last > _MOST_COLOURS
    if first in (middle, last):
        return False
    if middle == last or 2 * first <= min(middle, last):
        return True
    if first > min(middle, last):
        return False
    raise ValueError(
        f"X passed to {owner} has shape {shape}, which may be images of {middle} x {last} pixels with {first} channels "
        f"or images of {first} x {middle} pixels with {last} channels. In the first case, pass "
        "np.moveaxis(X, 1, -1); in the second case, pass X.swapaxes(1, 2), which turns the images on their side."
    )


def _layout_of_series(sample: np.ndarray) -> str | None:
    """Return "tc" or "ct" if the columns or the rows of examples n x h x w are measured on unlike scales, else None.

    In a picture, either both axes look like that (because of a margin), or none.
    """
    by_row, by_column = (_has_unlike_scales(*moments(sample, sample, axis), sample.dtype) for axis in (1, 2))
    if by_row == by_column:
        return None
    return "tc" if by_column else "ct"


def _has_unlike_scales(mean: np.ndarray, std: np.ndarray, dtype: np.dtype) -> bool:
    varying = std[~is_constant(mean, std, dtype)]
    if not len(varying):
        return False
    return bool(varying.max() > _UNLIKE_SCALES * varying.min() or np.ptp(mean) > _UNLIKE_OFFSETS * varying.max())


def _support_of_vectors(X: np.ndarray, sample: np.ndarray, low: float, high: float) -> tuple[Support, float]:
    """Return the support of vectors, and the value that becomes 1."""
    is_whole = _is_whole(X, sample)
    if (low, high) == (0.0, 1.0):
        return ("binary" if is_whole else "unit"), 1.0
    if not is_whole or low < 0:
        return "real", 1.0
    lows, highs = column_ranges(X)
    # also pixels that are floats by now. In a table, or in counts, few columns reach the upper half of a byte
    may_be_pixels = low == 0 and 127 < high <= 255 and (X.dtype == np.uint8 or X.shape[1] >= _MIN_PIXELS)
    if may_be_pixels and (highs[highs > lows] > 127).mean() >= _BRIGHT_COLUMNS:
        return "unit", 255.0
    return ("count" if high > 1 and _are_counts(sample, highs) else "real"), 1.0


def _support_of_images(X: np.ndarray, sample: np.ndarray, low: float, high: float) -> tuple[Support, float]:
    """Return the support of images, and the value that becomes 1."""
    if (low, high) == (0.0, 1.0) and _is_whole(X, sample):
        return "binary", 1.0
    if X.dtype == np.uint8 or (low >= 0 and 127 < high <= 255):  # the latter also after a cast to float
        return "unit", 255.0
    return ("unit" if 0 <= low and high <= 1 else "real"), 1.0


def _is_whole(X: np.ndarray, sample: np.ndarray) -> bool:
    """Return True if all numbers of X are whole, leaving NaN out."""
    if X.dtype.kind != "f":
        return True
    others = (piece for _, piece in pieces(X)) if len(sample) < len(X) else ()  # read only if the sample is whole
    rows = itertools.chain((sample,), others)
    return all(bool(((part == np.rint(part)) | np.isnan(part)).all()) for part in rows)


def _are_counts(sample: np.ndarray, highs: np.ndarray) -> bool:
    """Return True if most entries of the whole numbers are 0, and most columns look like counts that are mostly 0.

    A column of 0 and 1 alone is an indicator if its ones are so many that counts with this mean would have some 2s: of
    n Poisson counts with a small mean p, n p^2 / 2 are expected to be larger than 1. Dense columns, such as ages, and
    indicators speak for a table.
    """
    zeros = np.count_nonzero(sample == 0, 0) / np.maximum(1, np.count_nonzero(~np.isnan(sample), 0))
    if zeros.mean() < 0.5:
        return False
    is_indicator = (highs <= 1) & (len(sample) * (1 - zeros) ** 2 > _EXPECTED_SQUARES)
    is_dense = (highs > 1) & (zeros < 0.5)
    is_count = (highs > 1) & ~is_dense
    return bool(is_count.sum() >= (is_indicator | is_dense).sum())


def _units(
    X: np.ndarray, sample: np.ndarray, layout: str
) -> tuple[tuple[float, ...], tuple[float, ...], tuple[int, ...]]:
    """Return offsets and scales of real values, and the indices of constant columns, which are only centred."""
    axis = _AXES[layout]
    if axis is not None and X.shape[axis] == 1:
        axis = None if X.ndim > 2 else axis
    mean, std = (np.atleast_1d(values) for values in moments(X, sample, axis))
    constant = is_constant(mean, std, X.dtype)
    if layout == "d":
        low, high = column_ranges(X)
        constant |= low == high
        mean = np.where(low == high, low, mean)  # exactly
    std = np.where(constant, 1.0, std)
    indices = np.flatnonzero(constant).tolist() if layout == "d" else ()
    return tuple(mean.tolist()), tuple(std.tolist()), tuple(indices)


def white_level(high: float) -> float:
    """Return the smallest 2^bits - 1, from 8 bits on, that is at least `high`: 4095 for 12 bits."""
    return float(2 ** max(8, int(high).bit_length()) - 1)


def _floats(x: Tensor) -> tuple[float, ...]:
    return tuple(float(v) for v in x.double().reshape(-1))
