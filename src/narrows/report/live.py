"""A fitted decoder packed for the page's script `assets/decoder.js`, which computes the same as the model."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np
from torch import Tensor, nn

from narrows.fitted import FittedModel
from narrows.networks.base import LinearDecoder
from narrows.networks.mlp import MLPDecoder

_LINKS = {"expm1", "logit", "log_count", "log_share", "inverse_langevin"}  # functions of links in the script
_MOST_WEIGHTS = 1_500_000  # 4 MB of a page


def pack_decoder(model: FittedModel, limits: tuple[float, float] = (0.0, 1.0)) -> dict[str, Any] | None:
    """Return layers in half precision and the name of the likelihood's mean; None if the script cannot compute them.

    The script can compute multilayer perceptrons with at most `_MOST_WEIGHTS` weights that take no label with the code.

    Parameters
    ----------
    limits : values of an image that are drawn black and white.
    """
    decoder, mean = model.model_.decoder, model.model_.likelihood.mean_function
    if model.schema_.kind == "table":
        mean = "identity"  # the script itself reads the numbers and the levels of each column (`assets/table.js`)
    conditional = getattr(model.schema_, "classes", None) is not None
    if not isinstance(decoder, MLPDecoder) or mean is None or conditional:
        return None
    if sum(parameter.numel() for parameter in decoder.parameters()) > _MOST_WEIGHTS:
        return None
    layers: list[dict[str, str]] = []
    for layer in decoder.layers:
        if isinstance(layer, nn.Linear):
            # component i of a code, as users see it, is the decoder's input order[i]
            weight = layer.weight if layers else layer.weight[:, model.model_.order]
            layers.append({"w": _encode_half_floats(weight), "b": _encode_half_floats(layer.bias)})
    spec: dict[str, Any] = {"layers": layers, "mean": mean, "shape": list(model.schema_.shape), "limits": list(limits)}
    if decoder.linear_path is not None:
        spec["linear"] = _pack_linear(decoder.linear_path, model.model_.order)
        return None if spec["linear"] is None else spec
    return spec


def _pack_linear(path: LinearDecoder, order: Tensor) -> dict[str, Any] | None:
    """Return the linear path: a layer, and the scale and the parts of its link; None for a link that is not known."""
    parts = getattr(path.link, "parts", None)
    if parts is None or any(name not in _LINKS for _, names in parts for name in names):
        return None
    scale = {name: [float(f"{v:.8g}") for v in values.flatten()] for name, values in path.link.named_buffers()}
    layer = {"w": _encode_half_floats(path.map.weight[:, order]), "b": _encode_half_floats(path.map.bias)}
    return {**layer, **scale, "parts": parts}


def _encode_half_floats(tensor: Tensor) -> str:
    """Encode a tensor in half precision, least significant byte first, as base64."""
    values = tensor.detach().cpu().numpy().astype(np.dtype("<f2"))
    return base64.b64encode(values.tobytes()).decode("ascii")
