"""The dial "more of this": the direction in which codes move as an attribute grows."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from narrows.params import Integer


class Attribute(NamedTuple):
    """A direction in which codes move as an attribute of the examples grows: the dial "more of this".

    Attributes
    ----------
    direction : (L,) unit vector.
    scale : distance that codes move along it while the attribute grows by 1. For an attribute of 0 or 1 it is the
        distance between the two mean codes.
    spread : standard deviation of codes along it.
    """

    direction: np.ndarray
    scale: float
    spread: float


def find_attribute(z: np.ndarray, y: Any) -> Attribute:
    """Find the direction in which codes z (n x L) move as y (n numbers or booleans) grows: cov(z, y) / var(y).

    Raises
    ------
    ValueError
        If `y` does not hold one finite number or boolean for each code, does not vary, or goes with no component.
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


def dial_directions(components: Any, scale: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Return the direction (L,) and the spread of each dial that `traverse` turns.

    Parameters
    ----------
    components : indices of components, attributes, or one of them alone; None for all components.
    scale : (L,) spread of each component.

    Raises
    ------
    ValueError
        If there are no components, or one of them does not exist.
    """
    n = len(scale)
    requests = range(n) if components is None else components
    if isinstance(requests, Attribute) or not isinstance(requests, (list, tuple, range, np.ndarray)):
        requests = [requests]
    dials = []
    for request in requests:
        if isinstance(request, Attribute) and request.direction.shape == (n,):
            dials.append((request.direction, request.spread))
        elif Integer(0, n - 1).accepts(request):
            dials.append((np.eye(n)[request], float(scale[request])))
        else:
            dials = []
            break
    if not dials:
        raise ValueError(
            f"The `components` parameter of traverse must hold ints from 0 to {n - 1}. Got {components!r}."
        )
    return dials
