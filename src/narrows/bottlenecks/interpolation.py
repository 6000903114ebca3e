"""Paths between two codes."""

from __future__ import annotations

import torch
from torch import Tensor


def lerp(first: Tensor, last: Tensor, t: Tensor) -> Tensor:
    """Return (1 - t) first + t last (n x L) for codes of L numbers and fractions t (n x 1)."""
    return (1 - t) * first + t * last


def slerp(first: Tensor, last: Tensor, t: Tensor) -> Tensor:
    """Return codes (n x L) from `first` to `last` at the fractions t (n x 1) of the angle between them.

    The length changes linearly with t.

        z(t) = ((1 - t) |a| + t |b|) (sin((1 - t) w) a / |a| + sin(t w) b / |b|) / sin w,    cos w = a.b / |a| |b|

    Shoemake, Animating rotation with quaternion curves (1985), https://doi.org/10.1145/325334.325242. If one
    code is 0, or they point in the same or opposite directions, the path is a straight line.
    """
    lengths = torch.stack([first.norm(), last.norm()])
    if float(lengths.min()) == 0:
        return lerp(first, last, t)
    a, b = first / lengths[0], last / lengths[1]
    angle = (a @ b).clamp(-1, 1).arccos()
    if float(angle.sin()) < 1e-6:
        return lerp(first, last, t)
    direction = (((1 - t) * angle).sin() * a + (t * angle).sin() * b) / angle.sin()
    return lerp(lengths[0], lengths[1], t) * direction
