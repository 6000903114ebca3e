"""The dial "more of this": the direction in which codes go as something grows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np


class Attribute(NamedTuple):
    """The dial "more of this": where codes go as something grows.

    Attributes
    ----------
    direction : (L,) of length 1.
    scale : how far codes go along it while the attribute grows by 1; for what is or is not there, the distance between
        the mean code without and the mean code with it.
    spread : the standard deviation of codes along it.
    """

    direction: np.ndarray
    scale: float
    spread: float


def find_attribute(z: np.ndarray, y: Any) -> Attribute:
    """Find the direction in which codes z (n x L) go as y (n numbers or booleans) grows: cov(z, y) / var(y).

    Raises
    ------
    ValueError
        If `y` is not one finite number or boolean for each code, does not vary, or goes with no component.
    """
    amount = np.asarray(y)
    if amount.shape != (len(z),) or amount.dtype.kind not in "biuf" or not np.isfinite(amount).all():
        raise ValueError(
            f"The `y` parameter of attribute must be one finite number or boolean for each of {len(z)} examples. "
            f"Got shape {amount.shape}, dtype {amount.dtype}; of labels make booleans first: y == label."
        )
    amount = amount.astype(np.float64)
    if amount.min() == amount.max():
        raise ValueError(f"The `y` parameter of attribute must vary between examples. All are {amount[0]:g}.")
    centred = amount - amount.mean()
    slope = centred @ (z - z.mean(0)) / (centred @ centred)
    scale = float(np.linalg.norm(slope))
    if scale == 0:
        raise ValueError("No component of the codes goes with `y`: there is no direction to move in.")
    direction = slope / scale
    return Attribute(direction, scale, float((z @ direction).std()))
