"""The folder of SAELens: cfg.json and sae_weights.safetensors, as versions 5 and 6 write it.

    W_enc (d, L), b_enc (L), W_dec (L, m), b_dec (m), threshold (L); gated: b_gate, b_mag, r_mag (L); W_skip (m, d)

Version 5 kept everything flat in cfg.json, and a TopK dictionary there is a standard one with
`activation_fn_kwargs = {"k": ...}`. A checkpoint of a BatchTopK training holds one `topk_threshold` for all units and
may not be folded: its scale stands in activation_scaler.json. https://github.com/jbloomAus/SAELens
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from narrows.data import Scaling
from narrows.data.atomic import atomic_path, write_tensors
from narrows.dictionaries.files import Tensors, is_in, read_json, read_object, read_tensors, read_whole
from narrows.dictionaries.record import Activation, SparseDictionary, fold_norms, replace_tensors

CONFIG, WEIGHTS, SCALER = "cfg.json", "sae_weights.safetensors", "activation_scaler.json"
_VERSION = "6.54.12"  # of the form that is written; without a version, SAELens takes a folder for one of version 5

# its architectures, and what their activations are at inference
_ACTIVATIONS: dict[str, Activation] = {
    "standard": "relu",
    "topk": "topk",
    "jumprelu": "jumprelu",
    "batchtopk": "jumprelu",
    "matryoshka_batchtopk": "jumprelu",
    "gated": "gated",
    "transcoder": "relu",
    "jumprelu_transcoder": "jumprelu",
    "skip_transcoder": "relu",
    "jumprelu_skip_transcoder": "jumprelu",
}
# `expected_average_only_in` is a scale of the training, which is folded into the weights when they are saved
_SCALINGS: dict[Any, Scaling] = {
    None: "none",
    "none": "none",
    False: "none",
    True: "none",
    "expected_average_only_in": "none",
    "layer_norm": "layer_norm",
    "constant_norm_rescale": "constant_norm",
}
_NORMALIZATIONS = {"none": "none", "layer_norm": "layer_norm", "constant_norm": "constant_norm_rescale"}
_FLAT = (  # entries of a cfg.json of version 5 that tell the origin
    "model_name",
    "hook_name",
    "hook_point",
    "hook_layer",
    "hook_head_index",
    "dataset_path",
    "context_size",
    "prepend_bos",
    "neuronpedia_id",
    "model_class_name",
    "model_from_pretrained_kwargs",
    "sae_lens_training_version",
    "license",
)


def read(folder: Path) -> SparseDictionary:
    """Read the dictionary in `folder`. Raises FileNotFoundError and ValueError."""
    config, tensors = read_json(folder / CONFIG), read_tensors(folder / WEIGHTS)
    architecture, k = _architecture(config, folder)
    normalization = config.get("normalize_activations")
    if not is_in(normalization, _SCALINGS):
        raise ValueError(
            f"{folder / CONFIG}: narrows cannot apply normalize_activations={normalization!r}. It reads "
            f"{', '.join(repr(n) for n in _SCALINGS if isinstance(n, str))}. Fold it into the weights first."
        )
    _check_finetuning(tensors)
    is_transcoder = "transcoder" in architecture
    if tensors.keys() & {"topk_threshold", "log_threshold"}:
        _convert_checkpoint(tensors)
    W_enc, W_dec = tensors.take("W_enc"), tensors.take("W_dec")
    is_gated = architecture == "gated"
    skip = tensors.take("W_skip").T.contiguous() if "skip" in architecture else None
    activation = _ACTIVATIONS[architecture]
    record = SparseDictionary(
        W_enc,
        tensors.take("b_gate" if is_gated else "b_enc"),
        W_dec,
        tensors.take("b_dec"),
        activation,
        k=k,
        threshold=tensors.take("threshold") if activation == "jumprelu" else None,
        r_mag=tensors.take("r_mag") if is_gated else None,
        b_mag=tensors.take("b_mag") if is_gated else None,
        W_skip=skip,
        subtracts_bias=not is_transcoder and bool(config.get("apply_b_dec_to_input", True)),
        scaling=_SCALINGS[normalization],
        metadata={**_metadata(config, folder), "architecture": architecture, "is_transcoder": is_transcoder},
    )
    has_norms = bool(config.get("rescale_acts_by_decoder_norm"))
    record = _fold_scaler(record, folder, has_norms)
    return fold_norms(record) if has_norms else record


def _architecture(config: dict[str, Any], folder: Path) -> tuple[str, int | None]:
    """Return the architecture, and k for "topk"."""
    path = folder / CONFIG
    architecture, k = config.get("architecture", "standard"), config.get("k")
    activation = config.get("activation_fn", config.get("activation_fn_str", "relu"))
    if activation == "topk":  # version 5
        architecture, k = "topk", read_object(config, "activation_fn_kwargs", path).get("k", k)
    elif activation != "relu":
        raise ValueError(f"{path}: narrows has no activation {activation!r}: it reads relu and topk.")
    if not is_in(architecture, _ACTIVATIONS):
        raise ValueError(f"{path}: narrows has no architecture {architecture!r}. It reads {', '.join(_ACTIVATIONS)}.")
    if architecture != "topk":
        return architecture, None
    return architecture, read_whole(k, "k, the number of active units", path)


def _metadata(config: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Return what cfg.json says about the origin, of version 6 or 5."""
    flat = {name: config[name] for name in _FLAT if config.get(name) is not None}
    if "hook_point" in flat:
        flat.setdefault("hook_name", flat.pop("hook_point"))
    metadata = read_object(config, "metadata", folder / CONFIG)
    nested = {name: value for name, value in metadata.items() if value is not None}
    reshaped = {"reshape_activations": "hook_z"} if config.get("reshape_activations") == "hook_z" else {}
    version = {"sae_lens_version": config["sae_lens_version"]} if config.get("sae_lens_version") else {}
    return {"format": "saelens", **flat, **version, **nested, **reshaped}


def _check_finetuning(tensors: Tensors) -> None:
    """Raise ValueError for a scale of the activations that was tuned after the training; one of 1 changes nothing."""
    for name in ("scaling_factor", "finetuning_scaling_factor"):
        if name in tensors and not torch.allclose(tensors.take(name), torch.ones(())):
            raise ValueError(f"{tensors.path} has a {name} that is not 1, which narrows does not read.")


def _convert_checkpoint(tensors: Tensors) -> None:
    """Give a checkpoint of a training the thresholds that the saved dictionary would have, in place."""
    b_enc = tensors.take("b_enc")
    if "log_threshold" in tensors:
        tensors["threshold"] = tensors.take("log_threshold").exp()
    else:
        threshold = tensors.take("topk_threshold")
        if threshold.numel() != 1:
            raise ValueError(f"{tensors.path}: topk_threshold must be one number. Got {tuple(threshold.shape)}.")
        tensors["threshold"] = threshold.reshape(1).to(b_enc.dtype).expand_as(b_enc).clone()


def _fold_scaler(record: SparseDictionary, folder: Path, has_norms: bool) -> SparseDictionary:
    """Fold the scale s of the activations of a training's checkpoint, x s = input, into the weights.

    With `has_norms` the threshold is on the scale of h |D_j|, and the directions become shorter.
    """
    path = folder / SCALER
    scale = read_json(path).get("scaling_factor") if path.exists() else None
    if scale is None:
        return record
    if not isinstance(scale, (int, float)) or not 0 < scale < math.inf:
        raise ValueError(f"{path}: scaling_factor must be a number above 0. Got {scale!r}.")
    threshold = {} if record.threshold is None or not has_norms else {"threshold": record.threshold.double() / scale}
    return replace_tensors(
        record,
        W_enc=record.W_enc.double() * scale,
        W_dec=record.W_dec.double() / scale,
        b_dec=record.b_dec.double() / scale,
        **threshold,
    )


def write(record: SparseDictionary, folder: Path) -> None:
    """Write `record` into `folder` as SAELens reads it: cfg.json and sae_weights.safetensors.

    Raises
    ------
    OSError
        If writing fails.
    """
    is_transcoder = record.is_transcoder
    architecture = _name(record)
    metadata = {name: value for name, value in record.metadata.items() if name not in ("architecture", "is_transcoder")}
    config: dict[str, Any] = {
        "d_in": record.n_features,
        "d_sae": record.n_units,
        "dtype": str(record.W_enc.dtype).removeprefix("torch."),
        "device": "cpu",
        "apply_b_dec_to_input": record.subtracts_bias,
        "normalize_activations": _NORMALIZATIONS[record.scaling],
        "reshape_activations": metadata.pop("reshape_activations", "none"),
        "metadata": {**metadata, "sae_lens_version": metadata.get("sae_lens_version", _VERSION)},
        "architecture": architecture,
    }
    if not _is_version_6(config["metadata"]["sae_lens_version"]):
        config["metadata"]["sae_lens_version"] = _VERSION
    if architecture == "topk":
        config |= {"k": record.k, "rescale_acts_by_decoder_norm": False}
    if is_transcoder:
        config |= {"d_out": record.n_outputs}
    folder = folder.expanduser()
    folder.mkdir(parents=True, exist_ok=True)
    with atomic_path(folder / WEIGHTS) as path:
        write_tensors(path, {name: t.detach().cpu().contiguous() for name, t in _tensors(record).items()}, metadata={})
    with atomic_path(folder / CONFIG) as path:
        path.write_text(json.dumps(config, indent=1), encoding="utf-8")


def _name(record: SparseDictionary) -> str:
    """Return SAELens's name of the architecture. Raises ValueError if it has none."""
    if not record.is_transcoder:
        return "standard" if record.activation == "relu" else record.activation
    if record.activation not in ("relu", "jumprelu"):
        raise ValueError(
            f"SAELens has no {record.activation} transcoder: only relu and jumprelu ones. Save it with `save`."
        )
    prefix, skip = "jumprelu_" if record.activation == "jumprelu" else "", "skip_" if record.W_skip is not None else ""
    return f"{prefix}{skip}transcoder"


def _tensors(record: SparseDictionary) -> dict[str, Tensor]:
    """Return the tensors of `record` by SAELens's names."""
    gate = "b_gate" if record.activation == "gated" else "b_enc"
    tensors = {"W_enc": record.W_enc, gate: record.b_enc, "W_dec": record.W_dec, "b_dec": record.b_dec}
    for name in ("threshold", "r_mag", "b_mag"):
        if (tensor := getattr(record, name)) is not None:
            tensors[name] = tensor
    if record.W_skip is not None:
        tensors["W_skip"] = record.W_skip.T
    return tensors


def _is_version_6(version: Any) -> bool:
    """True for the version of a SAELens whose folders have the form of version 6."""
    major = str(version).partition(".")[0]
    return major.isdigit() and int(major) >= 6
