"""Scaling of rows one by one, each by its own numbers, as some sparse dictionaries do before they encode a row.

    layer_norm      (x - mean(x)) / (std(x) + 1e-5), mean and standard deviation (of n - 1) over the entries of x
    constant_norm   x sqrt(d) / |x|

A layer norm is that of Gao et al., Scaling and evaluating sparse autoencoders (2024), https://arxiv.org/abs/2406.04093.
"""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from narrows.batch_sharding import batch_mean

Scaling = Literal["none", "layer_norm", "constant_norm"]
SCALINGS = ("none", "layer_norm", "constant_norm")
_EPS = 1e-5  # added to the standard deviation of a layer norm
_FLAT = 1e-3  # of the median deviation; rows with less of it do not count


class ScaledRows(NamedTuple):
    """Rows that were scaled one by one: x = rows * scale + shift.

    Attributes
    ----------
    rows : B x d.
    scale, shift : B x 1, or None for 1 and 0.
    """

    rows: Tensor
    scale: Tensor | None
    shift: Tensor | None

    def undo(self, y: Tensor) -> Tensor:
        """Return y (B x m) on the scale that the rows had."""
        y = y if self.scale is None else y * self.scale
        return y if self.shift is None else y + self.shift


def scale_rows(x: Tensor, scaling: str) -> ScaledRows:
    """Scale each row of x (B x d) by `scaling`, one of `SCALINGS`.

    >>> scale_rows(torch.tensor([[3.0, 4.0]]), "constant_norm").rows
    tensor([[0.8485, 1.1314]])
    """
    if scaling == "none":
        return ScaledRows(x, None, None)
    if scaling == "constant_norm":
        # a row of zeros has no direction, and stays as it is
        norm = x.norm(dim=1, keepdim=True)
        scale = torch.where(norm > 0, norm / math.sqrt(x.shape[1]), torch.ones_like(norm))
        return ScaledRows(x / scale, scale, None)
    assert scaling == "layer_norm", scaling
    mean = x.mean(1, keepdim=True)
    centred = x - mean
    std = centred.std(1, keepdim=True)
    return ScaledRows(centred / (std + _EPS), std, mean)


def weigh_rows(x: Tensor, scaling: str) -> Tensor | None:
    """Return weights of squared errors, about 1 / scale^2, so that each row counts as if it were scaled (B x d).

    Their mean is 1. Rows that hardly vary, such as padding, have the weight 0. None if rows are not scaled.
    """
    scale = scale_rows(x, scaling).scale
    if scale is None:
        return None
    varies = (scale > _FLAT * scale.median()).to(scale.dtype)
    weight = varies / scale.clamp(min=torch.finfo(scale.dtype).tiny).square().clamp(min=torch.finfo(scale.dtype).tiny)
    return (weight / batch_mean(weight.mean()).clamp(min=torch.finfo(scale.dtype).tiny)).expand_as(x)
