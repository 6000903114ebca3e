"""Ways between two codes."""

from __future__ import annotations

import numpy as np


def on_line(first: np.ndarray, last: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(1 - w) first + w last, for each of `weights` (n x 1)."""
    return (1 - weights) * first + weights * last


def on_sphere(first: np.ndarray, last: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """From `first` to `last` by equal angles about the origin, the length going evenly from one's to the other's.

        z(w) = ((1 - w) |a| + w |b|) (sin((1 - w) t) a / |a| + sin(w t) b / |b|) / sin t,    cos t = a.b / |a| |b|

    Shoemake, Animating rotation with quaternion curves (1985), https://doi.org/10.1145/325334.325242. On a line where
    there is no such arc: through the origin, and between codes of one direction.
    """
    lengths = np.linalg.norm([first, last], axis=1, keepdims=True)
    if lengths.min() == 0:
        return on_line(first, last, weights)
    a, b = first / lengths[0], last / lengths[1]
    angle = np.arccos(np.clip(a @ b, -1, 1))
    if np.sin(angle) < 1e-6:
        return on_line(first, last, weights)
    direction = (np.sin((1 - weights) * angle) * a + np.sin(weights * angle) * b) / np.sin(angle)
    return on_line(lengths[0], lengths[1], weights) * direction
