"""A fitted decoder packed for the page's script `assets/decoder.js`, which computes the same as the model."""

from __future__ import annotations

import base64
import math
from typing import Any

import numpy as np
from torch import Tensor, nn

from narrows.fitted import FittedModel
from narrows.likelihoods.links import ArrayLink, TableLink, inverse_langevin, log_count, logit
from narrows.networks.base import LinearDecoder
from narrows.networks.mlp import MLPDecoder

# names in the script of the functions of a link
_FUNCTIONS: dict[Any, str] = {logit: "logit", log_count: "log_count", inverse_langevin: "inverse_langevin"}
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
    if decoder.linear is not None:
        spec["linear"] = _pack_linear(decoder.linear, model.model_.order)
        return None if spec["linear"] is None else spec
    return spec


def _pack_linear(path: LinearDecoder, order: Tensor) -> dict[str, Any] | None:
    """Return the linear path: a layer, the scale of its output, and the functions of the link; None for other links.

    "mean" and "std" hold a number for each entry or channel. "parts" divides the entries: their number, and the
    functions that they go through.
    """
    link = path.link
    parts: list[tuple[int, list[str]]]
    if isinstance(link, ArrayLink) and (link.function is None or link.function in _FUNCTIONS):
        functions = ["expm1"] if link.is_count else []
        parts = [(math.prod(link.shape), functions + ([_FUNCTIONS[link.function]] if link.function else []))]
    elif isinstance(link, TableLink):
        parts = list(zip(link.sizes, ([], ["expm1", "log_count"], ["logit"], ["log_share"]), strict=True))
    else:
        return None
    scale = {name: [float(f"{v:.8g}") for v in values.flatten()] for name, values in link.named_buffers()}
    layer = {"w": _encode_half_floats(path.map.weight[:, order]), "b": _encode_half_floats(path.map.bias)}
    return {**layer, **scale, "parts": parts}


def _encode_half_floats(tensor: Tensor) -> str:
    """Encode a tensor in half precision, least significant byte first, as base64."""
    values = tensor.detach().cpu().numpy().astype(np.dtype("<f2"))
    return base64.b64encode(values.tobytes()).decode("ascii")
