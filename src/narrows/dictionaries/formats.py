"""Dictionaries of sparsify, dictionary_learning, OpenAI and Gemma Scope.

Each function reads one format, whose tensors its docstring lists: d entries, L units, m entries of the output.
"""

from __future__ import annotations

import re
from pathlib import Path

from torch import Tensor

from narrows.dictionaries.files import Tensors, known, read_json, read_object, read_tensors, read_whole
from narrows.dictionaries.record import Activation, SparseDictionary

_L0 = re.compile(r"average_l0_(\d+)")  # in the names of Gemma Scope's folders
SPARSIFY, LEARNING, GEMMA_1, GEMMA_2 = "sae.safetensors", "ae.pt", "params.npz", "params.safetensors"


def read_sparsify(folder: Path) -> SparseDictionary:
    """Read cfg.json and sae.safetensors of sparsify, https://github.com/EleutherAI/sparsify.

    encoder.weight (L, d), encoder.bias (L), W_dec (L, d), b_dec (d), W_skip (d, d). b_dec is subtracted from the input
    unless it is a transcoder.
    """
    config, tensors = read_json(folder / "cfg.json"), read_tensors(folder / SPARSIFY)
    activation = config.get("activation", "topk")
    if activation != "topk":
        raise ValueError(f"{folder / 'cfg.json'}: narrows has no activation {activation!r} of sparsify, only 'topk'.")
    is_transcoder = bool(config.get("transcode", False))
    W_enc = tensors.take("encoder.weight")
    n = config.get("num_latents") or config.get("d_in", W_enc.shape[1]) * config.get("expansion_factor", 32)
    if n != len(W_enc):
        raise ValueError(f"{tensors.path} has {len(W_enc)} units, and its cfg.json says {n}.")
    skip = tensors.take_optional("W_skip")
    run = folder.parent / "config.json"
    about = read_json(run) if run.is_file() else {}
    return SparseDictionary(
        W_enc.T.contiguous(),
        tensors.take("encoder.bias"),
        tensors.take("W_dec"),
        tensors.take("b_dec"),
        "topk",
        k=read_whole(config.get("k"), "k", folder / "cfg.json"),
        W_skip=None if skip is None else skip.T.contiguous(),
        subtracts_bias=not is_transcoder,
        metadata={
            "format": "sparsify",
            "hook_name": folder.name,
            **known(about, {"model": "model_name", "dataset": "dataset_path", "ctx_len": "context_size"}),
            "is_transcoder": is_transcoder,
        },
    )


def read_dictionary_learning(tensors: Tensors) -> SparseDictionary:
    """Read ae.pt, and config.json beside it, of dictionary_learning, https://github.com/saprmarks/dictionary_learning.

    AutoEncoder: bias (d), encoder.weight (L, d), encoder.bias, decoder.weight (d, L). AutoEncoderNew: decoder.bias
    instead of bias, which is not subtracted. GatedAutoEncoder: decoder_bias, r_mag, gate_bias, mag_bias (L).
    JumpReluAutoEncoder: W_enc (d, L), b_enc, W_dec (L, d), b_dec, which is not subtracted, threshold (L). TopK and
    BatchTopK: k, threshold (one number), encoder.weight, encoder.bias, decoder.weight, b_dec. Matryoshka: W_enc (d, L),
    b_enc, W_dec, b_dec, k, threshold, group_sizes. A checkpoint from the middle of a run holds these under "ae".
    The tensors are taken as they are; `AutoEncoder.from_pretrained` gives the directions unit length by default.
    """
    path = tensors.path
    if isinstance(tensors.get("ae"), dict):
        tensors = Tensors(tensors["ae"], path)
    config_path = path.parent / "config.json"
    trainer = read_object(read_json(config_path), "trainer", config_path) if config_path.is_file() else {}
    metadata = {
        "format": "dictionary_learning",
        **known(trainer, {"lm_name": "model_name", "submodule_name": "hook_name", "layer": "hook_layer"}),
        **known(trainer, {"dict_class": "dict_class"}),
    }
    if "gate_bias" in tensors:
        return SparseDictionary(
            tensors.take("encoder.weight").T.contiguous(),
            tensors.take("gate_bias"),
            tensors.take("decoder.weight").T.contiguous(),
            tensors.take("decoder_bias"),
            "gated",
            r_mag=tensors.take("r_mag"),
            b_mag=tensors.take("mag_bias"),
            subtracts_bias=True,
            metadata=metadata,
        )
    if "W_enc" in tensors:
        W_enc, b_enc, W_dec = tensors.take("W_enc"), tensors.take("b_enc"), tensors.take("W_dec")
    else:
        W_enc, b_enc = tensors.take("encoder.weight").T.contiguous(), tensors.take("encoder.bias")
        W_dec = tensors.take("decoder.weight").T.contiguous()
    activation, threshold = _learned_activation(tensors, str(trainer.get("dict_class", "")), len(b_enc))
    b_dec = tensors.take("b_dec", "bias", "decoder.bias")
    return SparseDictionary(
        W_enc,
        b_enc,
        W_dec,
        b_dec,
        activation,
        k=read_whole(tensors.get("k"), "k", path) if activation == "topk" else None,
        threshold=threshold,
        subtracts_bias="decoder.bias" not in tensors and not (activation == "jumprelu" and "k" not in tensors),
        metadata=metadata,
    )


def _learned_activation(tensors: Tensors, kind: str, n: int) -> tuple[Activation, Tensor | None]:
    """Return the activation and the thresholds of a dictionary of dictionary_learning.

    Without config.json a TopK and a BatchTopK dictionary have the same tensors. Then it is a TopK one, whose k holds
    in any batch.
    """
    if "k" not in tensors:
        return ("jumprelu", tensors.take("threshold")) if "threshold" in tensors else ("relu", None)
    if kind != "BatchTopKSAE" and "group_sizes" not in tensors:
        return "topk", None
    return "jumprelu", tensors.take("threshold").reshape(-1).expand(n).clone()


def read_openai(tensors: Tensors) -> SparseDictionary:
    """Read the .pt of OpenAI's sparse autoencoders, https://github.com/openai/sparse_autoencoder.

    pre_bias (d), encoder.weight (L, d), latent_bias (L), decoder.weight (d, L), activation, activation_state_dict. A
    TopK dictionary takes layer-normed rows; its bias is subtracted after that.
    """
    path = tensors.path
    activation, state = tensors.get("activation", "ReLU"), read_object(tensors, "activation_state_dict", path)
    if activation not in ("ReLU", "TopK"):
        raise ValueError(f"{path}: narrows has no activation {activation!r} of OpenAI, only 'ReLU' and 'TopK'.")
    is_topk = activation == "TopK"
    if is_topk and state.get("postact_fn", "ReLU") != "ReLU":
        raise ValueError(f"{path}: narrows has no TopK of {state['postact_fn']!r}, only of 'ReLU'.")
    return SparseDictionary(
        tensors.take("encoder.weight").T.contiguous(),
        tensors.take("latent_bias"),
        tensors.take("decoder.weight").T.contiguous(),
        tensors.take("pre_bias"),
        "topk" if is_topk else "relu",
        k=read_whole(state.get("k"), "activation_state_dict.k", path) if is_topk else None,
        subtracts_bias=True,
        scaling="layer_norm" if is_topk else "none",
        metadata={"format": "openai", "name": path.stem},
    )


def read_gemma_scope(path: Path) -> SparseDictionary:
    """Read params.npz or params.safetensors of Gemma Scope 1 and 2, https://arxiv.org/abs/2408.05147.

    w_enc (d, L), b_enc (L), w_dec (L, m), b_dec (m), threshold (L), affine_skip_connection (d, m); version 1 writes
    W_enc and W_dec. b_dec is not subtracted. The folders' names are the only description of version 1.
    """
    tensors = read_tensors(path)
    W_dec = tensors.take("w_dec", "W_dec")
    if W_dec.dim() == 3:
        raise ValueError(
            f"{path} is a cross-layer transcoder: w_dec has shape {tuple(W_dec.shape)}, one direction a layer. narrows "
            "reads transcoders to one layer."
        )
    skip = tensors.take_optional("affine_skip_connection")
    config_path = path.parent / "config.json"
    config = read_json(config_path) if config_path.is_file() else {}
    l0 = _L0.search(path.resolve().parent.name)
    about = known(config, {"model_name": "model_name", "hf_hook_point_in": "hook_name"})
    about |= known(config, {"hf_hook_point_out": "hook_name_out", "l0": "l0", "type": "type"})
    return SparseDictionary(
        tensors.take("w_enc", "W_enc"),
        tensors.take("b_enc"),
        W_dec,
        tensors.take("b_dec"),
        "jumprelu",
        threshold=tensors.take("threshold"),
        W_skip=skip,
        metadata={
            "format": "gemma_scope_2" if path.suffix == ".safetensors" else "gemma_scope",
            "name": "/".join(path.resolve().parent.parts[-3:]),
            **({} if l0 is None else {"l0": int(l0.group(1))}),
            **about,
            "is_transcoder": skip is not None or "hook_name_out" in about or "transcoder" in str(path.resolve().parent),
        },
    )
