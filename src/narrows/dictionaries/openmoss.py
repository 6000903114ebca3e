"""Dictionaries of OpenMOSS: Llama Scope, https://arxiv.org/abs/2410.20526, and what llamascopium (lm-saes) saves.

    h = s x W_E + b_E        z = activation(h |D_j|) / |D_j|        y = (z W_D + b_D) / s'

s = sqrt(d) / (mean norm of the inputs) and s' that of the outputs are the scales of the training
(`norm_activation="dataset-wise"`). They are folded, as its inference mode does: codes are h / s, b_E / s and
W_D s / s' take the rows as they are. The norms |D_j| count with `sparsity_include_decoder_norm` only.
"""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from narrows.dictionaries.files import Tensors, known, read_json, read_object, read_tensors, read_whole
from narrows.dictionaries.record import Activation, SparseDictionary, fold_norms

LLAMA_SCOPE, CONFIG = "final.safetensors", "config.json"
_HYPERPARAMS = "hyperparams.json"
_NORM = "dataset_average_activation_norm"
_ACTIVATIONS: dict[str, Activation] = {"relu": "relu", "topk": "topk", "jumprelu": "jumprelu"}
_NAMES = {"hook_point_in": "hook_name", "hook_point_out": "hook_name_out", "model_name": "model_name"}


def read_llama_scope(path: Path) -> SparseDictionary:
    """Read checkpoints/final.safetensors, and hyperparams.json of the folder above it.

    encoder.weight (L, d), encoder.bias (L), decoder.weight (d, L), decoder.bias (d). Its program folds the scales and
    gives all directions unit length before it applies `jump_relu_threshold`, one number for all units.
    """
    beside = path.parent / _HYPERPARAMS
    config_path = beside if beside.is_file() else path.parent.parent / _HYPERPARAMS
    config, tensors = read_json(config_path), read_tensors(path)
    threshold = float(config.get("jump_relu_threshold") or 0.0)
    if config.get("act_fn") == "topk" and threshold > 0:  # its program does so, so that codes do not depend on others
        config = {**config, "act_fn": "jumprelu"}
    record, _ = _read(config, config_path, tensors)
    if config.get("sparsity_include_decoder_norm", True):
        record = fold_norms(record)
    if record.activation == "jumprelu":
        record = replace(record, threshold=torch.full_like(record.b_enc, threshold))
    return replace(record, metadata={"format": "llama_scope", "name": config_path.parent.name, **record.metadata})


def read_llamascopium(folder: Path, weights: str) -> SparseDictionary:
    """Read config.json and sae_weights.safetensors of llamascopium, and of lm-saes, as it was called before.

    W_E (d, L), b_E (L), W_D (L, d), b_D (d), log_jumprelu_threshold (L), dataset_average_activation_norm.HOOK (a number
    each); lm-saes has encoder.weight (L, d), encoder.bias, decoder.weight (d, L), decoder.bias. The threshold is on the
    scale of the training. Codes are those of the inference mode; but those of a TopK dictionary whose norms count are
    times |D_j|, with directions of unit length, so that the largest codes are the active ones.
    """
    config_path = folder / CONFIG
    config, tensors = read_json(config_path), read_tensors(folder / weights)
    record, scale = _read(config, config_path, tensors)
    includes_norms = bool(config.get("sparsity_include_decoder_norm", True))
    if record.activation == "jumprelu":
        logarithm = tensors.take("activation_function.log_jumprelu_threshold", "log_jumprelu_threshold")
        norms = (
            tensors["W_D"].float().norm(dim=1) if "W_D" in tensors else tensors["decoder.weight"].float().norm(dim=0)
        )
        threshold = logarithm.exp().expand_as(record.b_enc) / scale / (norms.clamp(min=1e-8) if includes_norms else 1.0)
        record = replace(record, threshold=threshold)
    elif record.activation == "topk" and includes_norms:
        record = fold_norms(record)
    return replace(record, metadata={"format": "llamascopium", "name": folder.name, **record.metadata})


def _read(config: dict[str, Any], path: Path, tensors: Tensors) -> tuple[SparseDictionary, float]:
    """Return the dictionary with the scales folded in, thresholds of 0, and the scale s of the inputs."""
    kind, activation = config.get("sae_type", "sae"), str(config.get("act_fn", "relu")).lower()
    if kind not in ("sae", "transcoder"):
        raise ValueError(f"{path}: narrows has no sae_type {kind!r} of OpenMOSS, only 'sae'.")
    if activation not in _ACTIVATIONS:
        raise ValueError(f"{path}: narrows has no act_fn {activation!r}. It reads {', '.join(_ACTIVATIONS)}.")
    if config.get("use_glu_encoder"):
        raise ValueError(f"{path}: narrows has no encoder with a gated linear unit (use_glu_encoder).")
    W_E = tensors.take("W_E") if "W_E" in tensors else tensors.take("encoder.weight").T
    W_D = tensors.take("W_D") if "W_D" in tensors else tensors.take("decoder.weight").T
    b_E = tensors.take("b_E", "encoder.bias")
    has_bias = config.get("use_decoder_bias", True)
    b_D = tensors.take("b_D", "decoder.bias") if has_bias else W_D.new_zeros(W_D.shape[1:])
    hook_in = config.get("hook_point_in", "in")
    hook_out = config.get("hook_point_out", hook_in)
    scale, scale_out = (
        _scale(config, path, tensors, name, hook, width)
        for name, hook, width in (("in", hook_in, len(W_E)), ("out", hook_out, len(b_D)))
    )
    if has_bias and config.get("apply_decoder_bias_to_pre_encoder"):
        b_E = b_E - b_D @ W_E
    chosen = _ACTIVATIONS[activation]
    return SparseDictionary(
        W_E.contiguous(),
        b_E / scale,
        (W_D * (scale / scale_out)).contiguous(),
        b_D / scale_out,
        chosen,
        k=read_whole(config.get("top_k"), "top_k", path) if chosen == "topk" else None,
        threshold=torch.zeros_like(b_E) if chosen == "jumprelu" else None,
        metadata={**known(config, _NAMES), "is_transcoder": hook_in != hook_out},
    ), scale


def _scale(config: dict[str, Any], path: Path, tensors: Tensors, name: str, hook: str, width: int) -> float:
    """Return sqrt(d) / (mean norm) of the inputs ("in") or outputs ("out"), of the hook `hook`."""
    method = config.get("norm_activation", "dataset-wise")
    if method == "inference":  # folded already
        return 1.0
    if method != "dataset-wise":
        raise ValueError(f"{path}: narrows cannot apply norm_activation={method!r}, only 'dataset-wise'.")
    stated = read_object(config, _NORM, path)
    norm = tensors.get(f"{_NORM}.{hook}", stated.get(name, stated.get(hook)))
    norm = norm.item() if isinstance(norm, Tensor) and norm.numel() == 1 else norm
    if isinstance(norm, bool) or not isinstance(norm, (int, float)) or not 0 < norm < math.inf:
        raise ValueError(f"{path}: {_NORM} of {hook!r} must be a number above 0. Got {norm!r}.")
    return math.sqrt(width) / norm
