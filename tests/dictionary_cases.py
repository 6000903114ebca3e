"""Sparse dictionaries in the forms of other programs, made from their published descriptions, with their formulas.

Each case writes its files and returns where they are, and its encode and decode in double precision, written down from
the format's own description and not from narrows' code.
"""

import json
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.numpy import save_file
from torch import Tensor

D, N, K = 24, 96, 7  # entries, units, active units

Function = Callable[[np.ndarray], np.ndarray]


class Case(NamedTuple):
    path: Path
    encode: Function  # B x d -> B x L
    decode: Callable[[np.ndarray, np.ndarray], np.ndarray]  # codes and examples -> B x d


class Parts:
    """Random tensors in single precision, as the files hold them."""

    def __init__(self, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.W = rng.standard_normal((D, N)).astype(np.float32)  # encoder, d x L
        self.V = rng.standard_normal((N, D)).astype(np.float32)  # directions, L x d, of no unit length
        self.b = (0.3 * rng.standard_normal(N)).astype(np.float32)
        self.c = rng.standard_normal(D).astype(np.float32)
        self.t = rng.uniform(0.5, 6, N).astype(np.float32)
        self.r = (0.2 * rng.standard_normal(N)).astype(np.float32)
        self.m = (0.3 * rng.standard_normal(N)).astype(np.float32)
        self.S = (0.1 * rng.standard_normal((D, D))).astype(np.float32)


def examples(n: int = 1_000) -> np.ndarray:
    return np.random.default_rng(1).standard_normal((n, D)).astype(np.float32)


def relu(h: np.ndarray) -> np.ndarray:
    return np.maximum(h, 0)


def topk(h: np.ndarray, k: int = K) -> np.ndarray:
    smallest = np.sort(h, 1)[:, -k][:, None]
    return np.where(h >= smallest, relu(h), 0)


def jump(h: np.ndarray, threshold: np.ndarray | float) -> np.ndarray:
    return np.where(h > threshold, relu(h), 0)


def affine(W: np.ndarray, b: np.ndarray, shift: np.ndarray | float = 0.0) -> Function:
    return lambda x: (x.astype(np.float64) - shift) @ W.astype(np.float64) + b


def decoder(V: np.ndarray, c: np.ndarray) -> Callable[[np.ndarray, np.ndarray], np.ndarray]:
    return lambda z, x: z.astype(np.float64) @ V.astype(np.float64) + c


def layer_norm(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    x = x.astype(np.float64)
    mean = x.mean(1, keepdims=True)
    std = x.std(1, ddof=1, keepdims=True)
    return (x - mean) / (std + 1e-5), std, mean


# ---------------------------------------------------------------------------------------------- SAELens


def write_saelens(folder: Path, tensors: dict[str, np.ndarray], **config: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, folder / "sae_weights.safetensors")
    values = {
        "d_in": D,
        "d_sae": N,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {
            "sae_lens_version": "6.54.12",
            "model_name": "gpt2-small",
            "hook_name": "blocks.8.hook_resid_pre",
        },
        **config,
    }
    (folder / "cfg.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def plain(p: Parts) -> dict[str, np.ndarray]:
    return {"W_enc": p.W, "b_enc": p.b, "W_dec": p.V, "b_dec": p.c}


def saelens_standard(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(folder, plain(p), architecture="standard")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: relu(h(x)), decoder(p.V, p.c))


def saelens_without_bias_in(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(folder, plain(p), architecture="standard", apply_b_dec_to_input=False)
    h = affine(p.W, p.b)
    return Case(path, lambda x: relu(h(x)), decoder(p.V, p.c))


def saelens_topk(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(folder, plain(p), architecture="topk", k=K, rescale_acts_by_decoder_norm=False)
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: topk(h(x)), decoder(p.V, p.c))


def saelens_topk_rescaled(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(folder, plain(p), architecture="topk", k=K, rescale_acts_by_decoder_norm=True)
    h, norm = affine(p.W, p.b, p.c), np.linalg.norm(p.V.astype(np.float64), axis=1)
    return Case(path, lambda x: topk(h(x) * norm), decoder(p.V / norm[:, None], p.c))


def saelens_version_5(folder: Path) -> Case:
    p = Parts()
    folder.mkdir()
    save_file(plain(p), folder / "sae_weights.safetensors")
    config = {
        "architecture": "standard",
        "d_in": D,
        "d_sae": N,
        "activation_fn_str": "topk",
        "activation_fn_kwargs": {"k": K},
        "apply_b_dec_to_input": True,
        "finetuning_scaling_factor": False,
        "context_size": 128,
        "model_name": "gpt2-small",
        "hook_name": "blocks.8.hook_resid_pre",
        "hook_layer": 8,
        "hook_head_index": None,
        "prepend_bos": True,
        "dataset_path": "openwebtext",
        "normalize_activations": "none",
        "dtype": "torch.float32",
        "device": "cpu",
        "sae_lens_training_version": "5.3.0",
    }
    (folder / "cfg.json").write_text(json.dumps(config), encoding="utf-8")
    h = affine(p.W, p.b, p.c)
    return Case(folder, lambda x: topk(h(x)), decoder(p.V, p.c))


def saelens_jumprelu(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(folder, {**plain(p), "threshold": p.t}, architecture="jumprelu", apply_b_dec_to_input=False)
    h = affine(p.W, p.b)
    return Case(path, lambda x: jump(h(x), p.t), decoder(p.V, p.c))


def saelens_gated(folder: Path) -> Case:
    p = Parts()
    tensors = {"W_enc": p.W, "b_gate": p.b, "b_mag": p.m, "r_mag": p.r, "W_dec": p.V, "b_dec": p.c}
    path = write_saelens(folder, tensors, architecture="gated")
    gate, magnitude = affine(p.W, p.b, p.c), affine(p.W * np.exp(p.r.astype(np.float64)), p.m, p.c)
    return Case(path, lambda x: (gate(x) > 0) * relu(magnitude(x)), decoder(p.V, p.c))


def saelens_layer_norm(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(
        folder,
        plain(p),
        architecture="topk",
        k=K,
        rescale_acts_by_decoder_norm=False,
        normalize_activations="layer_norm",
    )
    return Case(path, *_layer_normed(p))


def _layer_normed(p: Parts) -> tuple[Function, Callable[[np.ndarray, np.ndarray], np.ndarray]]:
    h, out = affine(p.W, p.b, p.c), decoder(p.V, p.c)

    def decode(z: np.ndarray, x: np.ndarray) -> np.ndarray:
        _, std, mean = layer_norm(x)
        return out(z, x) * std + mean

    return lambda x: topk(h(layer_norm(x)[0])), decode


def saelens_constant_norm(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(folder, plain(p), architecture="standard", normalize_activations="constant_norm_rescale")
    h, out = affine(p.W, p.b, p.c), decoder(p.V, p.c)

    def factor(x: np.ndarray) -> np.ndarray:
        return np.sqrt(D) / np.linalg.norm(x.astype(np.float64), axis=1, keepdims=True)

    return Case(path, lambda x: relu(h(x * factor(x))), lambda z, x: out(z, x) / factor(x))


def saelens_batchtopk_checkpoint(folder: Path) -> Case:
    """A checkpoint of a training, of which nothing is folded yet: one threshold, a scale, norms of the decoder."""
    p, scale, threshold = Parts(), 0.7, 9.0
    path = write_saelens(
        folder,
        {**plain(p), "topk_threshold": np.array(threshold)},
        architecture="batchtopk",
        k=K,
        rescale_acts_by_decoder_norm=True,
        normalize_activations="expected_average_only_in",
    )
    (folder / "activation_scaler.json").write_text(json.dumps({"scaling_factor": scale}), encoding="utf-8")
    # the training sees scale x; codes are counted in units of the saved dictionary, whose directions have unit length
    h, norm = affine(p.W, p.b, p.c), np.linalg.norm(p.V.astype(np.float64), axis=1)
    out = decoder(p.V / norm[:, None], p.c)
    return Case(
        path,
        lambda x: jump(h(scale * x.astype(np.float64)) * norm, threshold) / scale,
        lambda z, x: out(z * scale, x) / scale,
    )


def saelens_skip_transcoder(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(
        folder, {**plain(p), "W_skip": p.S}, architecture="skip_transcoder", d_out=D, apply_b_dec_to_input=False
    )
    h, out = affine(p.W, p.b), decoder(p.V, p.c)
    return Case(path, lambda x: relu(h(x)), lambda z, x: out(z, x) + x.astype(np.float64) @ p.S.T)


def saelens_jumprelu_transcoder(folder: Path) -> Case:
    p = Parts()
    path = write_saelens(
        folder, {**plain(p), "threshold": p.t}, architecture="jumprelu_transcoder", d_out=D, apply_b_dec_to_input=False
    )
    h = affine(p.W, p.b)
    return Case(path, lambda x: jump(h(x), p.t), decoder(p.V, p.c))


# ---------------------------------------------------------------------------------------------- others


def sparsify(folder: Path) -> Case:
    p = Parts()
    path = folder / "layers.3"
    write_sparsify(path, p)
    (folder / "config.json").write_text(json.dumps({"model": "EleutherAI/pythia-160m"}), encoding="utf-8")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: topk(relu(h(x))), decoder(p.V, p.c))


def sparsify_skip_transcoder(folder: Path) -> Case:
    p = Parts()
    path = folder / "layers.3.mlp"
    write_sparsify(path, p, skip=p.S, transcode=True)
    h, out = affine(p.W, p.b), decoder(p.V, p.c)
    return Case(path, lambda x: topk(relu(h(x))), lambda z, x: out(z, x) + x.astype(np.float64) @ p.S.T)


def write_sparsify(path: Path, p: Parts, skip: np.ndarray | None = None, transcode: bool = False) -> None:
    path.mkdir(parents=True)
    tensors = {"encoder.weight": np.ascontiguousarray(p.W.T), "encoder.bias": p.b, "W_dec": p.V, "b_dec": p.c}
    save_file({**tensors, **({} if skip is None else {"W_skip": skip})}, path / "sae.safetensors")
    config = {
        "activation": "topk",
        "expansion_factor": N // D,
        "normalize_decoder": True,
        "num_latents": 0,
        "k": K,
        "multi_topk": False,
        "skip_connection": skip is not None,
        "transcode": transcode,
        "d_in": D,
    }
    (path / "cfg.json").write_text(json.dumps(config), encoding="utf-8")


def write_learning(folder: Path, state: object, kind: str) -> Path:
    folder.mkdir()
    torch.save(state, folder / "ae.pt")
    trainer = {"dict_class": kind, "activation_dim": D, "dict_size": N, "k": K, "layer": 3}
    trainer |= {"lm_name": "EleutherAI/pythia-70m", "submodule_name": "resid_post_layer_3"}
    (folder / "config.json").write_text(json.dumps({"trainer": trainer, "buffer": {}}), encoding="utf-8")
    return folder


def as_torch(**tensors: np.ndarray) -> dict[str, Tensor]:
    return {name.replace("__", "."): torch.from_numpy(np.ascontiguousarray(t)) for name, t in tensors.items()}


def linear(p: Parts) -> dict[str, Tensor]:
    return as_torch(encoder__weight=p.W.T, encoder__bias=p.b, decoder__weight=p.V.T)


def learning_standard(folder: Path) -> Case:
    p = Parts()
    path = write_learning(folder, OrderedDict(**linear(p), **as_torch(bias=p.c)), "AutoEncoder")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: relu(h(x)), decoder(p.V, p.c))


def learning_new(folder: Path) -> Case:
    p = Parts()
    path = write_learning(folder, {**linear(p), **as_torch(decoder__bias=p.c)}, "AutoEncoderNew")
    h = affine(p.W, p.b)
    return Case(path, lambda x: relu(h(x)), decoder(p.V, p.c))


def learning_topk(folder: Path) -> Case:
    p = Parts()
    numbers = {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(-1.0)}
    path = write_learning(folder, {**linear(p), **as_torch(b_dec=p.c), **numbers}, "AutoEncoderTopK")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: topk(relu(h(x))), decoder(p.V, p.c))


def learning_checkpoint(folder: Path) -> Case:
    """A file of the middle of a run, which holds the dictionary under "ae"."""
    p = Parts()
    numbers = {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(2.0)}
    state = {"step": 10, "ae": {**linear(p), **as_torch(b_dec=p.c), **numbers}, "config": {}, "norm_factor": 1.0}
    path = write_learning(folder, state, "AutoEncoderTopK")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: topk(relu(h(x))), decoder(p.V, p.c))


def learning_batchtopk(folder: Path) -> Case:
    p, threshold = Parts(), 4.0
    numbers = {"k": torch.tensor(K, dtype=torch.int), "threshold": torch.tensor(threshold)}
    path = write_learning(folder, {**linear(p), **as_torch(b_dec=p.c), **numbers}, "BatchTopKSAE")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: jump(h(x), threshold), decoder(p.V, p.c))


def learning_matryoshka(folder: Path) -> Case:
    p, threshold = Parts(), 4.0
    numbers = {
        "k": torch.tensor(K, dtype=torch.int),
        "threshold": torch.tensor(threshold),
        "group_sizes": torch.tensor([N // 4, 3 * N // 4]),
    }
    state = {**as_torch(W_enc=p.W, b_enc=p.b, W_dec=p.V, b_dec=p.c), **numbers}
    path = write_learning(folder, state, "MatryoshkaBatchTopKSAE")
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: jump(h(x), threshold), decoder(p.V, p.c))


def learning_jumprelu(folder: Path) -> Case:
    p = Parts()
    state = as_torch(W_enc=p.W, b_enc=p.b, W_dec=p.V, b_dec=p.c, threshold=p.t)
    path = write_learning(folder, state, "JumpReluAutoEncoder")
    h = affine(p.W, p.b)
    return Case(path, lambda x: jump(h(x), p.t), decoder(p.V, p.c))


def learning_gated(folder: Path) -> Case:
    p = Parts()
    state = as_torch(
        encoder__weight=p.W.T, decoder__weight=p.V.T, decoder_bias=p.c, r_mag=p.r, gate_bias=p.b, mag_bias=p.m
    )
    path = write_learning(folder, state, "GatedAutoEncoder")
    gate, magnitude = affine(p.W, p.b, p.c), affine(p.W * np.exp(p.r.astype(np.float64)), p.m, p.c)
    return Case(path, lambda x: (gate(x) > 0) * relu(magnitude(x)), decoder(p.V, p.c))


def openai_topk(folder: Path) -> Case:
    p = Parts()
    folder.mkdir()
    path = folder / "v5_32k_layer_8.pt"
    state = {
        **as_torch(pre_bias=p.c, encoder__weight=p.W.T, latent_bias=p.b, decoder__weight=p.V.T),
        "stats_last_nonzero": torch.zeros(N, dtype=torch.long),
        "latents_activation_frequency": torch.ones(N),
        "latents_mean_square": torch.ones(N),
        "activation": "TopK",
        "activation_state_dict": OrderedDict(k=K, postact_fn="ReLU"),
    }
    torch.save(state, path)
    return Case(path, *_layer_normed(p))


def openai_relu(folder: Path) -> Case:
    p = Parts()
    folder.mkdir()
    path = folder / "layer_3.pt"
    state = as_torch(pre_bias=p.c, encoder__weight=p.W.T, latent_bias=p.b, decoder__weight=p.V.T)
    torch.save({**state, "activation": "ReLU", "activation_state_dict": {}}, path)
    h = affine(p.W, p.b, p.c)
    return Case(path, lambda x: relu(h(x)), decoder(p.V, p.c))


def gemma_scope(folder: Path) -> Case:
    p = Parts()
    path = folder / "layer_20/width_16k/average_l0_71"
    path.mkdir(parents=True)
    (folder / "README.md").write_text("---\nlicense: cc-by-4.0\nlibrary_name: saelens\n---\n\n# Gemma Scope\n")
    np.savez(path / "params.npz", W_enc=p.W, W_dec=p.V, b_enc=p.b, b_dec=p.c, threshold=p.t)
    h = affine(p.W, p.b)
    return Case(path, lambda x: jump(h(x), p.t), decoder(p.V, p.c))


def gemma_scope_2(folder: Path) -> Case:
    p = Parts()
    path = folder / "transcoder/layer_12_width_16k_l0_small_affine"
    path.mkdir(parents=True)
    tensors = {"w_enc": p.W, "w_dec": p.V, "b_enc": p.b, "b_dec": p.c, "threshold": p.t, "affine_skip_connection": p.S}
    save_file(tensors, path / "params.safetensors")
    config = {
        "architecture": "jump_relu",
        "model_name": "gemma-3-1b-pt",
        "hf_hook_point_in": "model.layers.12.pre_feedforward_layernorm.output",
        "hf_hook_point_out": "model.layers.12.post_feedforward_layernorm.output",
    }
    (path / "config.json").write_text(json.dumps(config), encoding="utf-8")
    h, out = affine(p.W, p.b), decoder(p.V, p.c)
    return Case(path, lambda x: jump(h(x), p.t), lambda z, x: out(z, x) + x.astype(np.float64) @ p.S)


# ---------------------------------------------------------------------------------------------- OpenMOSS

NORM_IN, NORM_OUT = 3.0, 7.0  # mean norms of the inputs and outputs; in the training both are sqrt(d)


def write_llama_scope(folder: Path, tensors: dict[str, np.ndarray], **config: object) -> Path:
    path = folder / "Llama3_1-8B-Base-L8R-8x"
    (path / "checkpoints").mkdir(parents=True)
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, path / "checkpoints/final.safetensors")
    values = {
        "hook_point_in": "blocks.8.hook_resid_post",
        "hook_point_out": "blocks.8.hook_resid_post",
        "d_model": D,
        "d_sae": N,
        "act_fn": "jumprelu",
        "jump_relu_threshold": 2.5,
        "norm_activation": "dataset-wise",
        "dataset_average_activation_norm": {"in": NORM_IN, "out": NORM_IN},
        "use_decoder_bias": True,
        "apply_decoder_bias_to_pre_encoder": False,
        "sparsity_include_decoder_norm": True,
        "top_k": K,
        **config,
    }
    (path / "hyperparams.json").write_text(json.dumps(values), encoding="utf-8")
    return path


def of_linear(p: Parts) -> dict[str, np.ndarray]:
    return {"encoder.weight": p.W.T, "encoder.bias": p.b, "decoder.weight": p.V.T, "decoder.bias": p.c}


def llama_scope(folder: Path) -> Case:
    p = Parts()
    path = write_llama_scope(folder, of_linear(p))
    scale, norms = np.sqrt(D) / NORM_IN, np.linalg.norm(p.V.astype(np.float64), axis=1)
    # the inference mode of its program: biases / scale, then directions of unit length
    h = affine(p.W * norms, p.b * norms / scale)
    return Case(path, lambda x: jump(h(x), 2.5), decoder(p.V / norms[:, None], p.c / scale))


def llama_scope_transcoder(folder: Path) -> Case:
    """In the scales of the training: inputs and outputs are scaled to a mean norm of sqrt(d)."""
    p = Parts()
    path = write_llama_scope(
        folder,
        of_linear(p),
        hook_point_out="blocks.8.hook_mlp_out",
        dataset_average_activation_norm={"in": NORM_IN, "out": NORM_OUT},
        act_fn="topk",
        jump_relu_threshold=0.0,
        apply_decoder_bias_to_pre_encoder=True,
    )
    before, after = np.sqrt(D) / NORM_IN, np.sqrt(D) / NORM_OUT
    norms = np.linalg.norm(p.V.astype(np.float64), axis=1)
    h = affine(p.W, p.b, p.c)
    return Case(
        path,
        lambda x: topk(relu(h(before * x)) * norms) / after,
        lambda z, x: (after * (z / norms) @ p.V.astype(np.float64) + p.c) / after,
    )


def write_llamascopium(folder: Path, tensors: dict[str, np.ndarray], **config: object) -> Path:
    folder.mkdir(parents=True)
    save_file({name: np.ascontiguousarray(t) for name, t in tensors.items()}, folder / "sae_weights.safetensors")
    values = {
        "sae_type": "sae",
        "hook_point_in": "blocks.6.hook_in",
        "hook_point_out": "blocks.6.hook_in",
        "d_model": D,
        "expansion_factor": N / D,
        "act_fn": "jumprelu",
        "norm_activation": "dataset-wise",
        "sparsity_include_decoder_norm": True,
        "top_k": K,
        **config,
    }
    (folder / "config.json").write_text(json.dumps(values), encoding="utf-8")
    return folder


def of_products(p: Parts) -> dict[str, np.ndarray]:
    norm = np.array(NORM_IN, np.float32)
    return {"W_E": p.W, "b_E": p.b, "W_D": p.V, "b_D": p.c, "dataset_average_activation_norm.blocks.6.hook_in": norm}


def llamascopium(folder: Path) -> Case:
    p = Parts()
    logarithm = np.log(4 * p.t)
    path = write_llamascopium(folder, {**of_products(p), "activation_function.log_jumprelu_threshold": logarithm})
    scale, norms = np.sqrt(D) / NORM_IN, np.linalg.norm(p.V.astype(np.float64), axis=1)
    h = affine(p.W, p.b)
    return Case(path, lambda x: jump(h(scale * x) * norms, 4 * p.t) / norms / scale, decoder(p.V, p.c / scale))


def lm_saes(folder: Path) -> Case:
    p = Parts()
    norm = {"dataset_average_activation_norm.blocks.6.hook_in": np.array(NORM_IN, np.float32)}
    tensors = {**of_linear(p), **norm, "log_jumprelu_threshold": np.log(p.t)}
    path = write_llamascopium(folder, tensors, norm_activation="inference", sparsity_include_decoder_norm=False)
    h = affine(p.W, p.b)
    return Case(path, lambda x: jump(h(x), p.t), decoder(p.V, p.c))


def llamascopium_topk(folder: Path) -> Case:
    p = Parts()
    path = write_llamascopium(folder, of_products(p), act_fn="topk", use_decoder_bias=False)
    scale, norms = np.sqrt(D) / NORM_IN, np.linalg.norm(p.V.astype(np.float64), axis=1)
    h = affine(p.W, p.b)
    return Case(path, lambda x: topk(relu(h(scale * x)) * norms) / scale, decoder(p.V / norms[:, None], np.zeros(D)))


CASES: dict[str, Callable[[Path], Case]] = {
    make.__name__: make
    for make in (
        saelens_standard,
        saelens_without_bias_in,
        saelens_topk,
        saelens_topk_rescaled,
        saelens_version_5,
        saelens_jumprelu,
        saelens_gated,
        saelens_layer_norm,
        saelens_constant_norm,
        saelens_batchtopk_checkpoint,
        saelens_skip_transcoder,
        saelens_jumprelu_transcoder,
        sparsify,
        sparsify_skip_transcoder,
        learning_standard,
        learning_new,
        learning_topk,
        learning_checkpoint,
        learning_batchtopk,
        learning_matryoshka,
        learning_jumprelu,
        learning_gated,
        openai_topk,
        openai_relu,
        gemma_scope,
        gemma_scope_2,
        llama_scope,
        llama_scope_transcoder,
        llamascopium,
        llamascopium_topk,
        lm_saes,
    )
}
