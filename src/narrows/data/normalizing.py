"""Other scales of real-valued vectors than one of each column; all can be folded into the weights of a linear model.

    model = (raw - center) / scale

Bricken et al., Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features, and the
field take one scale for all columns, so that a column of large variance counts for more, as in the loss of raw numbers.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from narrows.data.arrays import subsample_evenly
from narrows.data.row_scaling import scale_rows
from narrows.data.schema import Schema

SCALES, CENTERS = ("column", "layer", "all", "none", "layer_norm"), ("mean", "median")
_MEDIAN_ROWS = 32_768  # as OpenAI's sparse_autoencoder
_STEPS, _NEAR = 100, 1e-6


def normalize(schema: Schema, rows: np.ndarray, scale: str, center: str, owner: str) -> Schema:
    """Return a schema with other scales and centers than those of `infer`.

    Parameters
    ----------
    schema : schema of the rows.
    rows : training rows (n x d), in the user's units.
    scale : "column" for the deviation of each column, "layer" for the root of the mean variance of each layer's
        columns, "all" for that of all columns, "none" for 1. "layer_norm" leaves the rows as they are: a dictionary
        scales each by its own mean and deviation. The mean of the schema is then that of the scaled rows.
    center : "mean", or "median" for the geometric median.
    owner : name of the estimator, for messages.

    Raises
    ------
    ValueError
        If there is something to change, and the rows are no vectors of real numbers; with a layer norm, if they have
        gaps, several layers or one column.
    """
    is_real = schema.kind == "vector" and schema.support == "real"
    if center == "mean" and (scale == "column" or (scale == "layer" and not is_real)):
        return schema  # the defaults are for rows of all kinds
    if not is_real:
        name, value = ("scale", scale) if scale != "column" else ("center", center)
        raise ValueError(
            f"The `{name}` parameter of {owner} can be {value!r} for vectors of real numbers only. These are "
            f"{schema.describe()}. Leave it out."
        )
    if scale == "layer_norm":
        return _for_layer_norm(schema, rows, center, owner)
    scales = np.broadcast_to(np.asarray(schema.scale, dtype=np.float64), schema.shape).copy()
    varies = np.setdiff1d(np.arange(len(scales)), schema.constant)
    n_groups = {"column": 0, "layer": schema.n_layers, "all": 1}.get(scale, 0)
    group = np.arange(len(scales)) * n_groups // len(scales)
    for number in range(n_groups):
        members = varies[group[varies] == number]
        scales[members] = np.sqrt(np.mean(scales[members] ** 2)) if len(members) else 1.0
    if scale == "none":
        scales[varies] = 1.0
    offset = np.broadcast_to(np.asarray(schema.offset, dtype=np.float64), schema.shape).copy()
    sample = subsample_evenly(rows, _MEDIAN_ROWS)
    if center == "median":
        offset[varies] = geometric_median(sample.reshape(len(sample), -1))[varies]
    changed = replace(schema, offset=tuple(offset.tolist()), scale=tuple(scales.tolist()))
    prepared = changed.prepare(torch.from_numpy(np.array(sample))).double().numpy()
    mean, std = np.nanmean(prepared, 0), np.nanstd(prepared, 0)
    return replace(changed, mean=tuple(mean.tolist()), std=tuple(np.where(std > _NEAR, std, 1.0).tolist()))


def _for_layer_norm(schema: Schema, rows: np.ndarray, center: str, owner: str) -> Schema:
    """Return the schema of rows that are used as they are. Its mean is the center of the scaled rows."""
    reasons = {
        "a single column has no deviation": schema.n_entries == 1,
        "rows have gaps": schema.has_gaps,
        "rows have several layers: pass scale='layer'": schema.n_layers > 1,
    }
    reason = next((reason for reason, holds in reasons.items() if holds), None)
    if reason is not None:
        raise ValueError(f"The `scale` parameter of {owner} cannot be 'layer_norm', because {reason}.")
    sample = torch.from_numpy(np.array(subsample_evenly(rows, _MEDIAN_ROWS))).double()
    scaled = scale_rows(sample, "layer_norm").rows.numpy()
    mean, std = geometric_median(scaled) if center == "median" else scaled.mean(0), scaled.std(0)
    n = schema.n_entries
    return replace(
        schema,
        offset=(0.0,) * n,
        scale=(1.0,) * n,
        constant=(),
        mean=tuple(mean.tolist()),
        std=tuple(np.where(std > _NEAR, std, 1.0).tolist()),
    )


def geometric_median(rows: np.ndarray) -> np.ndarray:
    """Return the point with the smallest sum of distances to the rows (n x d): d numbers. Rows with gaps do not count.

    Weiszfeld, Sur le point pour lequel la somme des distances de n points donnes est minimum (1937), by iteration.

    >>> geometric_median(np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [9.0, 9.0], [0.2, 0.2]])).round(2).tolist()
    [0.2, 0.2]
    """
    x = np.asarray(rows, dtype=np.float64)
    x = x[~np.isnan(x).any(1)]
    if len(x) == 0:
        return np.nanmedian(np.asarray(rows, dtype=np.float64), 0)
    point = x.mean(0)
    for _ in range(_STEPS):
        weight = 1 / np.linalg.norm(x - point, axis=1).clip(min=_NEAR)
        moved = weight @ x / weight.sum()
        if np.linalg.norm(moved - point) <= _NEAR * np.linalg.norm(x - moved, axis=1).mean():
            return moved
        point = moved
    return point
