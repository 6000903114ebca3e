"""Columns on one scale, whatever their units and their tails.

    u = c asinh((x - median) / (c s))        s: a robust standard deviation; c = 3

Up to about c standard deviations u is linear in x; beyond, it grows like the logarithm, so that one heavy tail does
not drown all other columns and yet a larger value is always a stranger one. Multiplying a column by a number changes
nothing.
"""

from __future__ import annotations

import numpy as np

_BEND = 3.0
_TAILS = (5, 50, 95)  # percentiles
_BETWEEN = 3.29  # standard deviations of a Gaussian between the outer two
_LEAST_SHARE = 0.1  # of the plain standard deviation: the middle of a column may be a single value


class Columns:
    """The medians and the scales of d columns, d numbers each, and what brings rows onto them."""

    def __init__(self, center: np.ndarray, scale: np.ndarray) -> None:
        self.center, self.scale = center, scale

    @classmethod
    def of(cls, X: np.ndarray) -> Columns:
        """Those of the rows of X (n, d)."""
        X = X.astype(np.float64)
        low, center, high = np.percentile(X, _TAILS, axis=0)
        robust, plain = (high - low) / _BETWEEN, X.std(0)
        plain = np.where(plain > 1e-12 * np.abs(X).max(0), plain, 0)  # rounding errors of a constant column
        scale = np.where(robust > _LEAST_SHARE * plain, robust, plain)
        # a constant column has no scale: a value is as far from it as it is in parts of the constant
        constant = np.where(center != 0, np.abs(center), 1.0)
        return cls(center, np.where(scale > 0, scale, constant))

    def __call__(self, X: np.ndarray) -> np.ndarray:
        """u: (n, d), float32."""
        standard = (X.astype(np.float64) - self.center) / self.scale
        return (_BEND * np.arcsinh(standard / _BEND)).astype(np.float32)
