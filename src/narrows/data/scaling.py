"""Scaling of values that training rows did not have: very far ones, and other values in a column of constants."""

from __future__ import annotations

import torch
from torch import Tensor

FAR = 1e8  # squares of values up to here, and sums of them, are far from the largest number in single precision
_ROUNDING = 512  # rounding errors of a constant that are no change of it
_SMALLEST_ROUNDING = 1e-30  # 0 has no rounding errors: any other value is a change


def bring_near(u: Tensor) -> Tensor:
    """Return u up to |u| = F = 1e8, and beyond that F (1 + log(|u| / F)) with the sign of u.

    So squares are finite in single precision, and a farther value is still farther.
    """
    size = u.abs().clamp(max=torch.finfo(u.dtype).max)
    return torch.where(size > FAR, u.sign() * FAR * (1 + (size / FAR).log()), u)


def changes(x: Tensor, constants: Tensor, precision: float) -> Tensor:
    """Return 3 log(1 + |x - c| / r) with the sign of x - c (B x n), where r is a rounding error of c.

    The same share of the constant gives the same number in any units, and no change gives 0.

    Parameters
    ----------
    x : values in the user's units (B x n).
    constants : the constants c (n,), in the precision of the result.
    precision : relative rounding error of the numbers from which the constants are.
    """
    if x.is_floating_point():
        precision = max(precision, torch.finfo(x.dtype).eps)
    rounding = (_ROUNDING * precision * constants.abs()).clamp(min=_SMALLEST_ROUNDING)
    change = x.to(constants.dtype) - constants
    return 3 * change.sign() * (change.abs() / rounding).log1p()
