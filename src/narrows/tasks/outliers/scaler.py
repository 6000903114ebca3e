"""Scaling of columns: one scale for all of them, whatever their units and tails.

    u = c asinh((x - median) / (c s))        s: a robust standard deviation; c = 3

Up to about c standard deviations u is linear in x. Beyond that it grows like the logarithm. So one heavy tail does not
drown the other columns, and a larger value is still stranger than a smaller one. Multiplying a column by a number
changes nothing. A constant column has no scale (s = 0). There u is 0 for the constant, up to rounding. For any other x,

    u = sign(x - median) (1 + r),   r: log |x - median|, from 0 to 1 over the range of numbers in double precision

so that a new value is strange in all units.
"""

from __future__ import annotations

import numpy as np

_BEND = 3.0  # c, in standard deviations
_PERCENTILES = (5, 50, 95)
_PERCENTILE_RANGE = 3.29  # standard deviations of a Gaussian between the outer two percentiles
_MIN_ROBUST_RATIO = 0.1  # of the plain standard deviation: the middle of a column may be a single value
_ROUNDING = 1e-12  # a column whose standard deviation is less than this part of its largest value is constant
_SINGLE_ROUNDING = 1e-6  # relative; a constant that is passed in single precision is still the same
_LOG_RANGE = (-745.2, 709.8)  # log of the smallest and of the largest number in double precision


class AsinhScaler:
    """Medians and scales of d columns.

    Parameters
    ----------
    center, scale : (d,), in the units of the columns. A constant column has the scale 0.
    """

    def __init__(self, center: np.ndarray, scale: np.ndarray) -> None:
        self.center, self.scale = center, scale
        # numbers are split into mantissa and exponent, because squares and quotients of large ones overflow
        self._mantissa, self._exponent = np.frexp(np.where(scale > 0, scale, 1.0))

    @classmethod
    def fit(cls, X: np.ndarray) -> AsinhScaler:
        """Return the scaler of the rows of X (n, d), which are finite."""
        X = X.astype(np.float64)
        exponent = np.frexp(np.abs(X).max(0))[1] - 1
        X = np.ldexp(X, -exponent)  # between -2 and 2
        low, center, high = np.percentile(X, _PERCENTILES, axis=0)
        robust, plain = (high - low) / _PERCENTILE_RANGE, X.std(0)
        scale = np.where(robust > _MIN_ROBUST_RATIO * plain, robust, plain)
        scale[plain <= _ROUNDING * np.abs(X).max(0)] = 0
        return cls(np.ldexp(center, exponent), np.ldexp(scale, exponent))

    def transform(self, X: np.ndarray) -> np.ndarray:
        """Return u (n, d), float32, of the rows of X (n, d)."""
        X = X.astype(np.float64)
        with np.errstate(over="ignore"):
            standard = (np.ldexp(X, -self._exponent) - np.ldexp(self.center, -self._exponent)) / self._mantissa
        most = np.finfo(np.float64).max
        u = _BEND * np.arcsinh(np.clip(standard, -most, most) / _BEND)
        is_constant = self.scale == 0
        u[:, is_constant] = _scale_constant(X[:, is_constant], self.center[is_constant])
        return u.astype(np.float32)

    def inverse(self, u: np.ndarray) -> np.ndarray:
        """Return the rows (n, d), in the units of the columns, whose scaled values are u (n, d)."""
        return self.center + self.scale * (_BEND * np.sinh(u.astype(np.float64) / _BEND))

    @property
    def needs_scaling(self) -> np.ndarray:
        """True for columns whose values single precision cannot hold, or hardly tells apart: (d,)."""
        is_hardly_told = (np.abs(self.center) / 1e4 > self.scale) & (self.scale > 0)
        return (np.abs(self._exponent) > 100) | is_hardly_told


def _scale_constant(X: np.ndarray, center: np.ndarray) -> np.ndarray:
    """Return u of X (n, d) in columns that were all `center` (d,)."""
    low, high = _LOG_RANGE
    distance = X / 2 - center / 2  # does not overflow
    is_new = np.abs(distance) > _SINGLE_ROUNDING / 2 * np.abs(center)
    logs = np.log(np.abs(distance, where=is_new, out=np.ones_like(distance)))
    return np.where(is_new, np.sign(distance) * (1 + (logs - low) / (high - low)), 0.0)
