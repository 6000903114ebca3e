"""Checks of rows before a fitted model is applied to them."""

from __future__ import annotations

import warnings

import numpy as np

from narrows.data.arrays import min_max
from narrows.data.schema import Schema
from narrows.params import counted


def check_rows(X: np.ndarray, schema: Schema, owner: str, allow_nan: bool = False) -> None:
    """Check rows before a fitted model is applied to them. `allow_nan` is True if entries may be missing.

    Raises
    ------
    ValueError
        If X is empty, has examples of another shape than `schema`, infinity, NaN without `allow_nan`, or pixels on
        another scale.
    """
    check_form(X.shape, schema, owner)
    locate = getattr(X, "locate", None)  # of rows of files
    allow_nan = allow_nan and (locate is None or schema.has_gaps)  # activations in files have no gaps
    _, high = min_max(X, owner, columns=schema.columns, allow_nan=allow_nan, locate=locate)
    check_range(high, X.dtype, schema, owner)
    warn_of_gaps(count_gaps(X) if allow_nan and locate is None else 0, schema, owner)


def count_gaps(X: np.ndarray) -> int:
    """Return the number of missing entries (NaN) in X."""
    return int(np.isnan(X).sum()) if X.dtype.kind == "f" and bool(np.isnan(X.sum())) else 0


def warn_of_gaps(n: int, schema: Schema, owner: str) -> None:
    """Warn if a model that was fitted without gaps gets rows with `n` missing entries.

    A model that predicts the levels of cells is not surprised: in training, cells were hidden from it.
    """
    predicts_cells = any(column.n_observed for column in schema.used_columns)
    if n and not schema.has_gaps and not predicts_cells:
        warnings.warn(
            f"X passed to {owner} has {counted(n, 'missing value')}, but the model was fitted on data without any. The "
            "encoder sees the mean of the column instead. Fit on rows with gaps if there will be many.",
            UserWarning,
            stacklevel=2,
        )


def check_form(shape: tuple[int, ...], schema: Schema, owner: str) -> None:
    """Check the shape of rows before a fitted model is applied to them.

    Raises
    ------
    ValueError
        If there are no rows, or their shape is not the one in `schema`.
    """
    if shape[0] == 0:
        raise ValueError(f"Found array with 0 sample(s) (shape={shape}) while a minimum of 1 is required by {owner}.")
    if shape[1:] != schema.user_shape:
        raise ValueError(
            f"X passed to {owner} has examples of shape {shape[1:]}, but the model was fitted on shape "
            f"{schema.user_shape} ({schema.describe()}). Resize or select columns so that they agree."
        )


def check_range(high: float, dtype: np.dtype, schema: Schema, owner: str) -> None:
    """Check that pixels have the scale of the training data, from their largest value `high`.

    Raises
    ------
    ValueError
        If `high` shows another scale.
    """
    if schema.support == "unit" and schema.scale[0] > 1 and dtype.kind == "f" and 0 < high <= 1:
        white = f"{schema.scale[0]:g}"
        raise ValueError(
            f"X passed to {owner} lies in [0, 1], but the model was fitted on pixels from 0 to {white}. Multiply X by "
            f"{white}, or fit on images in [0, 1]."
        )
    if schema.dtype == "uint16" and schema.scale[0] > 255 and dtype == np.uint8:
        raise ValueError(
            f"X passed to {owner} holds bytes, but the model was fitted on images with 16 bits, from 0 to "
            f"{schema.scale[0]:g}. Bring X to that range, for example with X.astype(float) * {schema.scale[0]:g} / 255."
        )
    if schema.kind == "image" and schema.support == "unit" and high > 10 * schema.scale[0]:
        raise ValueError(
            f"X passed to {owner} holds values up to {high:g}, but the model was fitted on images from 0 to "
            f"{schema.scale[0]:g}. Bring X to that range."
        )
