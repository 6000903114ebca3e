"""Axes of the user's examples by the name of their layout, and those that the model sees (`Schema.layout`).

"d"            vectors
"ld"           activations of several layers (layers x width), which the model sees as one vector
"hw", "hwc", "chw"    images, which the model sees with their channels first
"tc", "ct"     series of steps x channels, or of channels x steps, which the model sees as grey images
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

SERIES = ("tc", "ct")
LAYERS = "ld"


def user_shape(layout: str, shape: tuple[int, ...], n_layers: int) -> tuple[int, ...]:
    """Return the shape of one example in the user's data, from that in the model."""
    if layout == LAYERS:
        return n_layers, shape[0] // n_layers
    if layout in ("d", "chw"):
        return shape
    c, h, w = shape
    return (h, w, c) if layout == "hwc" else (h, w)


def to_model_axes(rows: Tensor, layout: str) -> Tensor:
    """Return the user's rows (B x user shape) with the axes of the model."""
    if layout == LAYERS:
        return rows.flatten(1)
    x = rows.unsqueeze(1) if layout in ("hw", *SERIES) else rows
    return x.permute(0, 3, 1, 2) if layout == "hwc" else x


def to_user_axes(array: np.ndarray, layout: str, n_layers: int) -> np.ndarray:
    """Return `array` (n x shape in the model) with the axes of the user's examples."""
    if layout == LAYERS:
        return array.reshape(len(array), n_layers, -1)
    if layout in ("hw", *SERIES):
        return array[:, 0]
    return np.moveaxis(array, 1, -1) if layout == "hwc" else array
