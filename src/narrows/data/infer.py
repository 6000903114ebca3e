"""Infer a schema: the kind, the scale and the support of rows.

The number of axes gives the kind, and the values give the support: see `_units`.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from narrows.data.arrays import min_max, subsample_evenly
from narrows.data.schema import Kind, Schema, Support

SMALLEST_IMAGE = 8  # smallest side in pixels
_LARGEST = 1e100  # squares of such values, and sums of the squares, are finite in double precision
_SAMPLE_ROWS = 20_000  # largest number of rows from which means and deviations are computed


def infer(
    X: np.ndarray,
    owner: str,
    columns: list[str | int] | None = None,
    frame: str | None = None,
    required_support: Support | None = None,
    dtype: np.dtype | None = None,
) -> Schema:
    """Infer the schema of the rows X.

    Parameters
    ----------
    X : array n x d (vectors), n x h x w, n x h x w x c or n x c x h x w (images), as `as_rows` returns it.
    owner : name of the caller, for messages.
    columns : names of the columns of a data frame, or None.
    frame : "pandas" if X was a data frame, or None.
    required_support : support that the user's likelihood needs ("unit" or "count"), or None. If the data suggest
        another support, this one is used, and the values are not scaled.
    dtype : dtype of the user's data, if X was converted. It decides for images of uint16.

    Raises
    ------
    ValueError
        If X has fewer than two rows or no columns, NaN, infinity or values beyond 1e100, or images smaller than 8 x 8.
    """
    if X.shape[0] < 2:
        raise ValueError(
            f"X passed to {owner} holds {X.shape[0]} sample(s) (shape={X.shape}) while a minimum of 2 is required: "
            "an autoencoder learns from differences between examples."
        )
    layout, shape = _layout(X, owner)
    low, high = min_max(X, owner)
    sample = subsample_evenly(X, _SAMPLE_ROWS)
    if max(-low, high) > _LARGEST:
        column = int(np.unravel_index(np.argmax(np.abs(X)), X.shape)[-1])
        where = f" (in column {columns[column] if columns else column})" if X.ndim == 2 else ""
        raise ValueError(
            f"X passed to {owner} holds values up to {max(-low, high):.3g}{where}, whose squares are too "
            "large for floating-point numbers. Rescale them, or take their logarithm."
        )
    kind: Kind = "vector" if layout == "d" else "image"
    support, offset, scale = _units(X, sample, kind, low, high)
    is_deep = kind == "image" and dtype == np.uint16
    if is_deep and support != "binary":
        support, offset, scale = "unit", (0.0,), (white_level(high),)
    if required_support not in (None, support) and not (required_support == "unit" and support == "binary"):
        support, offset, scale = required_support, (0.0,), (1.0,)
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
    )
    prepared = schema.prepare(torch.from_numpy(np.ascontiguousarray(sample)), torch.float32)
    if support == "count":
        prepared = prepared.log1p()
    axes = [0] if kind == "vector" else [0, 2, 3]
    std, mean = torch.std_mean(prepared, axes, correction=0)
    return replace(schema, mean=_floats(mean), std=tuple(s if s > 1e-6 else 1.0 for s in _floats(std)))


def _layout(X: np.ndarray, owner: str) -> tuple[str, tuple[int, ...]]:
    if X.ndim == 2:
        return "d", (X.shape[1],)
    if X.ndim == 3:
        layout, shape = "hw", (1, X.shape[1], X.shape[2])
    elif X.shape[3] > 4 and X.shape[1] <= 4:
        layout, shape = "chw", X.shape[1:]
    else:
        layout, shape = "hwc", (X.shape[3], X.shape[1], X.shape[2])
    if min(shape[1:]) < SMALLEST_IMAGE:
        raise ValueError(
            f"X passed to {owner} holds images of {shape[1]} x {shape[2]} pixels; at least {SMALLEST_IMAGE} x "
            f"{SMALLEST_IMAGE} are needed. Pass them as vectors instead: X.reshape(len(X), -1)."
        )
    return layout, tuple(int(i) for i in shape)


def _units(
    X: np.ndarray, sample: np.ndarray, kind: Kind, low: float, high: float
) -> tuple[Support, tuple[float, ...], tuple[float, ...]]:
    """Return support, offset and scale for the values of X. `sample` is some of its rows."""
    one, zero = (1.0,), (0.0,)
    is_whole = X.dtype.kind in "bui" or bool((sample == np.rint(sample)).all())
    if is_whole and (low, high) == (0.0, 1.0):
        return "binary", zero, one
    if X.dtype == np.uint8 and kind == "image":
        return "unit", zero, (255.0,)
    is_pixels = low >= 0 and 127 < high <= 255
    if is_pixels and (kind == "image" or (is_whole and low == 0 and (X.dtype == np.uint8 or X.shape[1] >= 64))):
        return "unit", zero, (255.0,)  # also after a cast to float, or flattened
    if 0 <= low and high <= 1 and (kind == "image" or (low, high) == (0.0, 1.0)):
        return "unit", zero, one
    if kind == "image":
        mean, std = float(sample.mean(dtype=np.float64)), float(sample.std(dtype=np.float64))
        return "real", (mean,), (std if std > 0 else 1.0,)
    if is_whole and low >= 0 and high > 1 and float((sample == 0).mean()) >= 0.5:
        return "count", zero, one
    means, stds = sample.mean(0, dtype=np.float64), sample.std(0, dtype=np.float64)
    # a column that is constant up to rounding is only centred
    stds = np.where(stds > 1e-7 * np.maximum(1e-300, np.abs(means)), stds, 1.0)
    return "real", tuple(means.tolist()), tuple(stds.tolist())


def white_level(high: float) -> float:
    """Return the smallest 2^bits - 1, from 8 bits on, that is at least `high`: 4095 for 12 bits."""
    return float(2 ** max(8, int(high).bit_length()) - 1)


def _floats(x: Tensor) -> tuple[float, ...]:
    return tuple(float(v) for v in x.double().reshape(-1))
