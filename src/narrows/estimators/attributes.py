"""The direction in which codes move as an attribute of the examples grows: the dial "more of this"."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from narrows.params import Integer


class Attribute(NamedTuple):
    """A direction in which codes move as an attribute of the examples grows: the dial "more of this".

    Attributes
    ----------
    direction : (L,) unit vector.
    scale : distance that codes move in that direction when the attribute grows by 1. For an attribute of 0 or 1 it is
        the distance between the two mean codes.
    spread : standard deviation of the codes in that direction.
    """

    direction: np.ndarray
    scale: float
    spread: float


def find_attribute(z: np.ndarray, y: Any) -> Attribute:
    """Find the direction in which codes z (n x L) move as y (n numbers or booleans) grows: cov(z, y) / var(y).

    Raises
    ------
    ValueError
        If `y` does not hold one finite number or boolean for each code, does not vary, or no component varies with it.
    """
    amount = np.asarray(y)
    if amount.shape != (len(z),) or amount.dtype.kind not in "biuf" or not np.isfinite(amount).all():
        raise ValueError(
            f"The `y` parameter of attribute must be one finite number or boolean for each of {len(z)} examples. "
            f"Got shape {amount.shape}, dtype {amount.dtype}; turn labels into booleans first: y == label."
        )
    amount = amount.astype(np.float64)
    if amount.min() == amount.max():
        raise ValueError(f"The `y` parameter of attribute must vary between examples. All are {amount[0]:g}.")
    centred = amount - amount.mean()
    slope = centred @ (z - z.mean(0)) / (centred @ centred)
    scale = float(np.linalg.norm(slope))
    if scale == 0:
        raise ValueError("No component of the codes varies with `y`, so there is no direction to move in.")
    direction = slope / scale
    return Attribute(direction, scale, float((z @ direction).std()))


def dial_directions(components: Any, scale: np.ndarray) -> list[tuple[np.ndarray, float]]:
    """Return the direction (L,) and the spread of each dial that `traverse` turns.

    Parameters
    ----------
    components : a list of component indices and attributes, or a single one; None for all components.
    scale : (L,) spread of each component.

    Raises
    ------
    ValueError
        If the list is empty, or an entry is not a component or an attribute of these codes.
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
