"""Compare the weights that this checkout and an earlier commit train to.

    python benchmarks/same_weights.py [RECIPE ...] [--commit acfb3a0] [--device cpu] [--precision float32]

Each recipe is trained twice on the digits of scikit-learn, in two processes on this machine: by the sources of the
commit, which are checked out into a temporary folder, and by those of this working tree. The script compares the
weights, codes, reconstructions, scores and, where the model can draw them, samples of a given seed. A recipe passes if
all of these are equal to the bit, or if its losses are within 0.1 %. The script exits with 1 if one does not pass.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import ROOT, SEED, arguments, checked_out, keep
from safetensors.numpy import load_file, save_file
from sklearn.datasets import load_digits

COMMIT = "acfb3a0"
TOLERANCE = 1e-3  # of the losses, relative, where a recipe's random stream had to change
EPOCHS = 3
LABELLED = 200  # examples with a label, for the semi-supervised VAE
SHOWN = 200  # examples whose codes, reconstructions and scores are compared
DRAWN = 50


class Job(NamedTuple):
    """A training: the estimator's class, its parameters, and the labels it gets ("all", "some" or "none")."""

    estimator: str
    parameters: dict[str, Any]
    labels: str = "none"


JOBS = {
    "ae": Job("AE", {"n_components": 8}),
    "vae": Job("VAE", {"n_components": 8}),
    "vae-conditional": Job("VAE", {"n_components": 8, "conditional": True}, "all"),
    "vae-semi-supervised": Job("VAE", {"n_components": 8, "conditional": True}, "some"),
    "vae-free-nats": Job("VAE", {"n_components": 8, "free_nats": 0.1, "likelihood": "continuous_bernoulli"}),
    "vae-conv": Job("VAE", {"n_components": 8, "network": "conv", "max_epochs": 1}),
    "dae": Job("DAE", {"n_components": 8, "network": "mlp", "level": (0.1, 0.4)}),
    "dae-unet": Job("DAE", {"n_components": None, "noise": "masking", "max_epochs": 1}),
    "sae-topk": Job("SAE", {"n_components": 64, "sparsity": "topk"}),
    "sae-l1": Job("SAE", {"n_components": 64, "sparsity": "l1"}),
    "sae-kl": Job("SAE", {"n_components": 64, "sparsity": "kl"}),
    "mapae": Job("MapAE", {"hidden": (64, 64)}),
}


def trained(job: Job, device: str, precision: str) -> dict[str, np.ndarray]:
    """Return weights, outputs and losses of one training by the narrows that is imported."""
    import narrows

    digits = load_digits()
    X, y = digits.images / 16, None
    if job.labels != "none":
        y = digits.target.astype(float)
        if job.labels == "some":
            y[LABELLED:] = np.nan
    shared = {"hidden": (64, 32), "max_epochs": EPOCHS, "random_state": SEED, "precision": precision}
    model = getattr(narrows, job.estimator)(
        **{**shared, "compile": False, "device": device, "validation_fraction": 0.1, **job.parameters}
    )
    model.fit(X, y)
    results = {f"weights/{name}": p.detach().cpu().numpy() for name, p in model.model_.named_parameters()}
    results["outputs/reconstruct"] = np.asarray(model.reconstruct(X[:SHOWN]))
    results["outputs/score_samples"] = model.score_samples(X[:SHOWN])
    if job.parameters.get("n_components", 2) is not None:
        results["outputs/transform"] = model.transform(X[:SHOWN])
        if job.estimator != "SAE":  # a sparse code has no distribution to draw from
            results["outputs/sample"] = np.asarray(model.sample(DRAWN, random_state=SEED))
            results["outputs/sample with noise"] = np.asarray(model.sample(DRAWN, random_state=SEED, noise=True))
    last = model.history_[-1]
    for name in ("loss", "valid_loss"):
        results[f"losses/{name}"] = np.array(last[name])
    return {name: np.ascontiguousarray(value) for name, value in results.items()}


def train_all(names: list[str], device: str, precision: str, folder: Path) -> None:
    """Write the results of each job as a file in `folder`."""
    torch.set_num_threads(1)
    for name in names:
        save_file(trained(JOBS[name], device, precision), folder / f"{name}.safetensors")


def by(tree: Path, names: list[str], device: str, precision: str) -> dict[str, dict[str, np.ndarray]]:
    """Train all jobs by the sources in `tree` in a separate process; return their results."""
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, __file__, *names, "--device", device, "--precision", precision, "--into", scratch]
        subprocess.run(command, check=True, env={**os.environ, "PYTHONPATH": str(tree / "src")})
        return {name: load_file(Path(scratch) / f"{name}.safetensors") for name in names}


def compared(before: Mapping[str, np.ndarray], after: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Return the differences of two results of one job, the largest one, and their losses.

    Parameters that were renamed are paired by shape, in the order of their values.
    """
    weights = [{k: v for k, v in side.items() if k.startswith("weights/")} for side in (before, after)]
    if weights[0].keys() != weights[1].keys():
        weights = [dict(sorted(side.items(), key=lambda item: _content(item[1]))) for side in weights]
    pairs = list(zip(weights[0].values(), weights[1].values(), strict=False))
    outputs = {k: (v, after[k]) for k, v in before.items() if k.startswith("outputs/") and k in after}
    missing = sorted(k for k in before if not k.startswith("weights/") and k not in after)
    same_shapes = len(weights[0]) == len(weights[1]) and all(a.shape == b.shape for a, b in pairs)
    everything = {"weights": pairs, **{name.split("/")[1]: [pair] for name, pair in outputs.items()}}
    differing = {
        name: max(_difference(a, b) for a, b in several)
        for name, several in everything.items()
        if not all(a.tobytes() == b.tobytes() and a.dtype == b.dtype for a, b in several)
    }
    losses = {k.split("/")[1]: (before[k].item(), after[k].item()) for k in before if k.startswith("losses/")}
    relative = max(abs(b - a) / max(abs(a), 1e-12) for a, b in losses.values())
    equal = not differing and not missing and same_shapes
    return {
        "bit_equal": equal,
        "same_shapes": same_shapes,
        "passes": not missing and (equal or relative <= TOLERANCE),
        "largest_difference": max(differing.values(), default=0.0),
        "differing": differing,
        "missing": missing,
        "n_weights": sum(v.size for v in weights[1].values()),
        "losses": losses,
        "loss_relative_difference": relative,
    }


def _content(value: np.ndarray) -> tuple[Any, ...]:
    return value.shape, value.tobytes()


def _difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(float) - b).max()) if a.shape == b.shape and a.size else float("inf")


def main() -> None:
    """Train all jobs on both sides, and print where they differ."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--commit", default=COMMIT, help=f"to compare with (default: {COMMIT})")
    parser.add_argument("--device", default="cpu", help="where to train (default: cpu)")
    parser.add_argument("--precision", default="float32", help="of matrix products (default: float32)")
    parser.add_argument(
        "--into", type=Path, help="train by the narrows at hand, and write the results into this folder"
    )
    options = parser.parse_args()
    names = options.jobs or list(JOBS)
    if options.into:
        train_all(names, options.device, options.precision, options.into)
        return
    with checked_out(options.commit) as tree:
        before = by(tree, names, options.device, options.precision)
    after = by(ROOT, names, options.device, options.precision)
    results = {name: compared(before[name], after[name]) for name in names}
    print(f"{'recipe':<20} {'same weights':<13} {'loss before':>14} {'loss after':>14} {'relative':>9}  what differs")
    for name, row in results.items():
        first, second = row["losses"]["valid_loss"]
        same = "no" if "weights" in row["differing"] or not row["same_shapes"] else "yes"
        differing = ", ".join(f"{what} by {most:.1g}" for what, most in row["differing"].items()) or "nothing"
        print(
            f"{name:<20} {same:<13} {first:>14.6f} {second:>14.6f} {row['loss_relative_difference']:>9.2g}  {differing}"
            + ("" if row["passes"] else "   does not pass")
        )
    setting = {"commit": options.commit, "device": options.device, "precision": options.precision}
    details = {**setting, "seed": SEED, "n": 1797, "epochs": EPOCHS}
    where = f"{options.device}, {options.precision}, one thread"
    print(f"digits of scikit-learn, n = 1797, seed {SEED}, {EPOCHS} epochs, {where}")
    name = "same_weights" if options.precision == "float32" else f"same_weights_{options.precision}"
    keep(name, {**details, "recipes": results})
    sys.exit(0 if all(row["passes"] for row in results.values()) else 1)


if __name__ == "__main__":
    main()
