"""Scaling of columns: one scale for all of them, whatever their units and tails.

    u = c asinh((x - median) / (c s))        s: a robust standard deviation; c = 3

Up to about c standard deviations u is linear in x. Beyond that it grows like the logarithm. So one heavy tail does not
drown the other columns, and a larger value is still stranger than a smaller one. Multiplying a column by a number
changes nothing.
"""

from __future__ import annotations

import numpy as np

_BEND = 3.0  # c, in standard deviations
_PERCENTILES = (5, 50, 95)
_PERCENTILE_RANGE = 3.29  # standard deviations of a Gaussian between the outer two percentiles
_MIN_ROBUST_RATIO = 0.1  # of the plain standard deviation: the middle of a column may be a single value


class AsinhScaler:
    """Medians and scales of d columns.

    Parameters
    ----------
    center, scale : (d,), in the units of the columns.
    """

    def __init__(self, center: np.ndarray, scale: np.ndarray) -> None:
        self.center, self.scale = center, scale

    @classmethod
    def fit(cls, X: np.ndarray) -> AsinhScaler:
        """Return the scaler of the rows of X (n, d)."""
        X = X.astype(np.float64)
        low, center, high = np.percentile(X, _PERCENTILES, axis=0)
        robust, plain = (high - low) / _PERCENTILE_RANGE, X.std(0)
        plain = np.where(plain > 1e-12 * np.abs(X).max(0), plain, 0)  # rounding errors of a constant column
        scale = np.where(robust > _MIN_ROBUST_RATIO * plain, robust, plain)
        # a constant column has no scale: the constant itself is the unit, or 1 if it is 0
        constant = np.where(center != 0, np.abs(center), 1.0)
        return cls(center, np.where(scale > 0, scale, constant))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return u (n, d), float32, of the rows of X (n, d)."""
        standard = (X.astype(np.float64) - self.center) / self.scale
        return (_BEND * np.arcsinh(standard / _BEND)).astype(np.float32)
