"""Small binary pictures of one shape, with the five factors that they are made of, in the manner of dSprites.

dSprites has 3 shapes, 6 scales from 0.5 to 1, 40 orientations and 32 x 32 positions, as these pictures have: 737,280
in all, of 64 x 64 pixels. Three things differ. Its 40 orientations run from 0 to 2 pi with both ends, which look the
same; here they are 2 pi k / 40. Its pictures were drawn by a renderer and made binary; here a pixel is white if its
centre is inside the shape. And the sizes of the shapes are ours.

Matthey et al., dSprites: Disentanglement testing sprites dataset (2017), https://github.com/google-deepmind/dsprites-dataset.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from narrows.params import Integer, Parameter

SHAPES = ("square", "ellipse", "heart")
FACTORS = ("shape", "scale", "orientation", "x", "y")
_N_VALUES = (3, 6, 40, 32, 32)
_RADIUS = 0.25  # of the circle around a shape of scale 1, in sides of the picture: no shape leaves it
_HEART = 1.251  # a little more than the radius of that circle, 5/4
_BLOCK = 1 << 22  # pixels at once


class Sprites(NamedTuple):
    """Pictures and the factors that they are made of.

    Attributes
    ----------
    X : (n, size, size) pictures, uint8, 0 or 255.
    factors : (n, 5) number of the value of each factor, from 0: shape (without order), scale, orientation, x, y.
    names : names of the factors.
    values : values of each factor: names of shapes, scales, radians, and positions from 0 to 1.
    """

    X: np.ndarray
    factors: np.ndarray
    names: tuple[str, ...]
    values: tuple[np.ndarray, ...]

    def __repr__(self) -> str:
        n, size, _ = self.X.shape
        return f"Sprites({n:,} pictures of {size} x {size} pixels, factors {', '.join(self.names)})"


def synthetic_sprites(
    n: int | None = None, size: int = 64, *, n_values: Sequence[int] = _N_VALUES, random_state: int = 0
) -> Sprites:
    """Return binary pictures of a square, an ellipse or a heart, and their factors.

    Parameters
    ----------
    n : number of different pictures, drawn from the grid of all values; None for the whole grid, in order.
    size : width and height, pixels, at least 8.
    n_values : numbers of shapes (at most 3), scales from 0.5 to 1, orientations, x and y.
    random_state : an int; seed of the rows.

    Raises
    ------
    ValueError
        If a parameter is out of range, or `n` is larger than the grid.

    Examples
    --------
    >>> from narrows.evaluation import synthetic_sprites
    >>> synthetic_sprites(1_000, size=32)
    Sprites(1,000 pictures of 32 x 32 pixels, factors shape, scale, orientation, x, y)
    """
    owner = "synthetic_sprites"
    Parameter("size", 64, Integer(8), "").check(owner, size)
    Parameter("random_state", 0, Integer(0), "").check(owner, random_state)
    counts = tuple(n_values)
    if len(counts) != len(FACTORS) or not all(Integer(1).accepts(c) for c in counts) or counts[0] > len(SHAPES):
        raise ValueError(
            f"The `n_values` parameter of {owner} must be five ints of at least 1, the first at most {len(SHAPES)}. "
            f"Got {n_values!r} instead."
        )
    total = math.prod(counts)
    if n is None:
        flat = np.arange(total)
    else:
        Parameter("n", None, Integer(1, total), "").check(owner, n)
        flat = np.random.default_rng(random_state).choice(total, n, replace=False)
    factors = np.stack(np.unravel_index(flat, counts), axis=1)
    values = (
        np.array(SHAPES[: counts[0]]),
        np.linspace(0.5, 1, counts[1]),
        2 * np.pi * np.arange(counts[2]) / counts[2],
        np.linspace(0, 1, counts[3]),
        np.linspace(0, 1, counts[4]),
    )
    pictures, step = np.empty((len(factors), size, size), np.uint8), max(1, _BLOCK // size**2)
    for start in range(0, len(factors), step):
        pictures[start : start + step] = _draw(factors[start : start + step], values, size)
    return Sprites(pictures, factors, FACTORS, values)


def _draw(factors: np.ndarray, values: tuple[np.ndarray, ...], size: int) -> np.ndarray:
    """Return the pictures of some rows of factors: n x size x size, 0 or 255."""
    scale, angle, x, y = (v[f][:, None, None] for v, f in zip(values[1:], factors.T[1:], strict=True))
    centres = (np.arange(size) + 0.5) / size
    # offset from the middle of the shape, in units of the circle around it
    right = (centres[None, None, :] - _RADIUS - x * (1 - 2 * _RADIUS)) / (_RADIUS * scale)
    down = (centres[None, :, None] - _RADIUS - y * (1 - 2 * _RADIUS)) / (_RADIUS * scale)
    across, up = right * np.cos(angle) + down * np.sin(angle), right * np.sin(angle) - down * np.cos(angle)
    is_inside = np.empty(across.shape, bool)
    for shape, contains in enumerate((_in_square, _in_ellipse, _in_heart)):
        rows = factors[:, 0] == shape
        is_inside[rows] = contains(across[rows], up[rows])
    return np.where(is_inside, 255, 0).astype(np.uint8)


def _in_square(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    return np.asarray(np.maximum(np.abs(across), np.abs(up)) <= math.sqrt(0.5))


def _in_ellipse(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    return np.asarray(across**2 + (2 * up) ** 2 <= 1)


def _in_heart(across: np.ndarray, up: np.ndarray) -> np.ndarray:
    """(a^2 + b^2 - 1)^3 <= a^2 b^3, shrunk into the circle: the smallest one around it has the middle (0, 1/4)."""
    a, b = _HEART * across, _HEART * up + 0.25
    return np.asarray((a**2 + b**2 - 1) ** 3 <= a**2 * b**3)
