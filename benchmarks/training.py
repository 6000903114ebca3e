"""Training speed of narrows, beside its peers on the same work, and beside plain matrix products.

    python benchmarks/training.py [JOB ...] [--repeats 3] [--device auto]

The jobs are vae-128, vae-512, quality, conv, conv-own, ae, epochs-of-n and published; the last takes hours on a CPU
and runs there only when it is named. --quick is a smoke test.

All sides get the same images, network, batch size and number of epochs. They run in turn in one process, after a
warm-up, and medians are compared. "times_faster" compares whole calls: `fit` with all checks before and after it,
against the peer's training alone. Beside each time stands the loss on the same test images, by one function for all
sides. "times_faster_loop" compares the epochs alone, as in a longer training. "narrows compiled" is the choice of
narrows in a training of minutes; its seconds include compiling, whose result the warm-up cached. Peak memory is that of
one epoch in a separate process.
"""

from __future__ import annotations

import argparse
import dataclasses
import functools
import json
import statistics
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from common import SEED, alone, arguments, chosen_device, grown_mib, in_turn, keep, product_seconds, show, timed
from peers import (
    HIDDEN,
    N_COMPONENTS,
    Trained,
    Work,
    conv,
    conv_own,
    mlp,
    narrows_ae,
    narrows_vae,
    published,
    pyod_ae,
    pythae_vae,
    sklearn_ae,
)

import narrows

N_QUICK = 6_400  # images, of a smoke test
N_WARM_UP = 2_000
_ENCODER = (784, *HIDDEN, 2 * N_COMPONENTS)
_DECODER = (N_COMPONENTS, *reversed(HIDDEN), 784)
LAYERS = [*pairwise(_ENCODER), *pairwise(_DECODER)]  # of the VAE's MLPs: (n_in, n_out)
Sides = Mapping[str, Callable[[Work], Trained]]
VAES: Sides = {"pythae": pythae_vae, "narrows": narrows_vae}
AES: Sides = {"scikit-learn": sklearn_ae, "pyod": pyod_ae, "narrows": narrows_ae}
COMPILED = "narrows compiled"


def images(options: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Return Fashion-MNIST: 60,000 training and 10,000 test images."""
    X, T = (narrows.load_dataset("fashion-mnist", split).X for split in ("train", "test"))
    return (X[:N_QUICK], T[:N_QUICK]) if options.quick else (X, T)


def coloured(X: np.ndarray) -> np.ndarray:
    """Return grey images of 28 x 28 in the middle of 32 x 32, each in its own colour: n x 32 x 32 x 3."""
    colours = np.random.default_rng(SEED).integers(64, 256, (len(X), 1, 1, 3), dtype=np.uint16)
    wide = np.pad(X, ((0, 0), (2, 2), (2, 2)))[..., None].astype(np.uint16)
    return (wide * colours // 255).astype(np.uint8)


def mlp_work(options: argparse.Namespace, batch_size: int, epochs: int) -> Work:
    """Return the work of an MLP 784-512-256-16 on Fashion-MNIST."""
    return Work(*images(options), mlp, {"hidden": HIDDEN}, batch_size, epochs, chosen_device(options.device))


def conv_work(options: argparse.Namespace, by_narrows: bool = False) -> Work:
    """Return the work of a convolutional VAE on the first 10,000 images of Fashion-MNIST, coloured, 32 x 32 x 3.

    The networks are such as people write by hand, or those that narrows makes (`by_narrows`).
    """
    X, T = (coloured(part[:10_000]) for part in images(options))
    torch.manual_seed(SEED)
    device = chosen_device(options.device)
    if by_narrows:
        return Work(X, T, functools.partial(conv_own, X), {"network": "conv"}, 128, 4, device)
    return Work(X, T, conv, {"network": conv()}, 128, 10, device)


def published_work(options: argparse.Namespace) -> Work:
    """Return the work of pythae's README: 50,000 images of MNIST, batches of 256, 100 epochs. Meant for a GPU."""
    X, T = (narrows.load_dataset("mnist", split).X for split in ("train", "test"))
    X, T = (X[:256], T[:100]) if options.quick else (X[:50_000], T)
    torch.manual_seed(SEED)
    epochs = 1 if options.quick else 100
    return Work(X, T, published, {"network": published()}, 256, epochs, chosen_device(options.device))


def _compiled(train: Callable[..., Trained]) -> dict[str, Callable[[Work], Trained]]:
    """Return narrows with a compiled step, as in long trainings; its seconds include compiling."""
    return {COMPILED: functools.partial(train, compile=True)}


# the sides of each comparison, and their work
COMPARED: dict[str, tuple[Sides, Callable[[argparse.Namespace], Work]]] = {
    "vae-128": (VAES | _compiled(narrows_vae), lambda options: mlp_work(options, batch_size=128, epochs=10)),
    "vae-512": (VAES | _compiled(narrows_vae), lambda options: mlp_work(options, batch_size=512, epochs=10)),
    "conv": (VAES, conv_work),
    "conv-own": (VAES, functools.partial(conv_work, by_narrows=True)),
    "ae": (AES | _compiled(narrows_ae), lambda options: mlp_work(options, batch_size=128, epochs=5)),
    "published": (VAES, published_work),
}


def compare(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return seconds, examples a second, loss and memory of each side, and how many times faster narrows is."""
    sides, make = COMPARED[name]
    work = make(options)
    warm_up(sides, work)
    runs = in_turn({side: functools.partial(_again, train, work) for side, train in sides.items()}, options.repeats)
    trained = len(work.X) * work.epochs
    measures: dict[str, Any] = {"n": len(work.X), "epochs": work.epochs, "batch_size": work.batch_size}
    for side, results in runs.items():
        seconds = statistics.median(run.seconds for run in results)
        measures[side] = {
            "seconds": seconds,
            "seconds_all": [run.seconds for run in results],
            "examples_per_second": trained / seconds,
            "test_loss": statistics.median(run.loss for run in results),
        }
        extra = ["--quick"] if options.quick else []
        measures[side].update(alone(__file__, name, "--alone", side, "--device", str(work.device), *extra))
    steps = -(-len(work.X) // work.batch_size)
    peers = [side for side in sides if side not in ("narrows", COMPILED)]
    for side in [side for side in sides if side not in peers]:
        ours, kind = measures[side], "_compiled" if side == COMPILED else ""
        notes = runs[side][-1].notes
        ours["decided"] = {line.split(" = ")[0]: line.split(" = ")[1] for line in notes if " = " in line}
        ours["decided"].update(
            {f"note {number}": line for number, line in enumerate(notes, 1) if "could not be" in line}
        )
        ours["outside_seconds"] = statistics.median(run.outside for run in runs[side])
        several = [run.step for run in runs[side] if run.step is not None]
        if several:
            ours["step_ms"] = 1e3 * statistics.median(several)
            ours["loop_examples_per_second"] = len(work.X) / (steps * ours["step_ms"] / 1e3)
        for peer in peers:
            measures.setdefault(f"times_faster{kind}", {})[peer] = measures[peer]["seconds"] / ours["seconds"]
            measures.setdefault(f"loss_as_good{kind}", {})[peer] = ours["test_loss"] <= measures[peer]["test_loss"]
            if several:
                each = measures[peer]["seconds"] / (steps * work.epochs)
                measures.setdefault(f"times_faster_loop{kind}", {})[peer] = each / (ours["step_ms"] / 1e3)
    return measures


def compare_vae(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Compare as `compare` does, and add the share of the speed of plain matrix products that narrows reaches."""
    measures = compare(name, options)
    precision = measures["narrows"]["decided"]["precision"].split(":")[0]
    plain, operations = product_seconds(
        LAYERS, measures["batch_size"], getattr(torch, precision), chosen_device(options.device)
    )
    measures["plain_step_ms"] = 1e3 * plain
    measures["plain_gflops"] = operations / plain / 1e9
    for ours in (measures["narrows"], measures[COMPILED]):
        if "step_ms" in ours:
            ours["gflops"] = operations / (ours["step_ms"] / 1e3) / 1e9
            ours["product_share"] = ours["gflops"] / measures["plain_gflops"]
    return measures


def quality(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return the seconds of the shortest fit on narrows' defaults that is as good on test as 20 epochs of pythae.

    Only the widths of the network are set. `max_time` grows by a quarter until the fits of all seeds are good enough.
    """
    work = mlp_work(options, batch_size=64, epochs=1 if options.quick else 20)
    warm_up(VAES, dataclasses.replace(work, batch_size=128))
    peer = pythae_vae(work, learning_rate=1e-4)
    tried: list[dict[str, Any]] = []
    budget = 0.5 if options.quick else 0.2 if work.device.type == "cuda" else 2.0
    while not tried or tried[-1]["worst_test_loss"] > peer.loss:
        fits = []
        for repeat in range(options.repeats):
            fits.append(_again(_on_defaults, work, repeat, budget))
            if fits[-1].loss > peer.loss:
                break
        tried.append(
            {
                "max_time": budget,
                "seconds": statistics.median(fit.seconds for fit in fits),
                "worst_test_loss": max(fit.loss for fit in fits),
            }
        )
        budget *= 1.25
    best = tried[-1]
    return {
        "n": len(work.X),
        "pythae": {"epochs": work.epochs, "seconds": peer.seconds, "test_loss": peer.loss},
        "narrows": {**best, "seconds_all": [fit.seconds for fit in fits], "fits_tried": len(tried)},
        "times_faster": {"pythae": peer.seconds / best["seconds"]},
        "loss_as_good": {"pythae": best["worst_test_loss"] <= peer.loss},
    }


def epochs_of_n(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return seconds an example, and seconds of `fit` outside the training, for n rows; narrows alone."""
    X, T = images(options)
    device = chosen_device(options.device)
    measures: dict[str, Any] = {"batch_size": 128}
    for n in (1_000, 3_000) if options.quick else (1_000, 10_000, 100_000, 1_000_000):
        rows = X[np.arange(n) % len(X)]
        work = Work(rows, T[:1000], mlp, {"hidden": HIDDEN}, 128, max(3, 60_000 // n), device)
        if "1000" not in measures:
            warm_up({"narrows": narrows_vae}, work)
        runs = [_again(narrows_vae, work, repeat) for repeat in range(options.repeats if n < 1_000_000 else 1)]
        step = statistics.median(run.step for run in runs if run.step is not None)
        measures[str(n)] = {
            "epochs": work.epochs,
            "microseconds_per_example": 1e6 * step / work.batch_size,
            "outside_seconds": statistics.median(run.outside for run in runs),
        }
    return measures


def warm_up(sides: Sides, work: Work) -> None:
    """Do a little of the same work, so that the cost of first calls is not measured."""
    for train in sides.values():
        train(dataclasses.replace(work, X=work.X[:N_WARM_UP], T=work.T[:100], epochs=1))


def _again(train: Callable[..., Trained], work: Work, repeat: int, *rest: Any) -> Trained:
    return train(dataclasses.replace(work, seed=SEED + repeat), *rest)


def _on_defaults(work: Work, max_time: float) -> Trained:
    return narrows_vae(work, batch_size="auto", max_epochs="auto", early_stopping=True, max_time=max_time)


def memory(name: str, side: str, options: argparse.Namespace) -> dict[str, float]:
    """Measure the memory of one epoch by one side, in this process."""
    sides, make = COMPARED[name]
    work = make(options)
    work = dataclasses.replace(work, epochs=1, T=work.T[:100])  # few test images: the training should fill the memory
    warm_up({side: sides[side]}, work)
    return grown_mib(lambda: sides[side](work), work.device)


JOBS: dict[str, tuple[str, Callable[[str, argparse.Namespace], dict[str, Any]]]] = {
    "vae-128": ("VAE, MLP, batch 128", compare_vae),
    "vae-512": ("VAE, MLP, batch 512", compare_vae),
    "quality": ("VAE to the same test ELBO", quality),
    "conv": ("VAE, convolutions, 32 x 32 x 3", compare),
    "conv-own": ("VAE, narrows' convolutions, 32 x 32 x 3", compare),
    "ae": ("AE, MLP, batch 128", compare),
    "published": ("VAE, convolutions of 128 to 1,024 channels, MNIST, 100 epochs", compare),
    "epochs-of-n": ("VAE, MLP, from 1,000 to 1,000,000 rows", epochs_of_n),
}


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side, whose median counts (default: 3)")
    parser.add_argument("--quick", action="store_true", help="few examples, once: a smoke test that keeps no results")
    parser.add_argument("--device", default="auto", help='"cpu", "cuda", or "auto": a GPU if there is one')
    parser.add_argument("--alone", choices=[*VAES, *AES, COMPILED], help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.repeats = 1 if options.quick else options.repeats
    if options.alone:
        print(json.dumps(memory(options.jobs[0], options.alone, options)))
        return
    where = chosen_device(options.device).type
    # hours on a CPU: only when it is named
    for name in options.jobs or [name for name in JOBS if name != "published" or where != "cpu"]:
        label, measure = JOBS[name]
        results, seconds = timed(functools.partial(measure, name, options))
        results = {"label": label, "device": where, "seed": SEED, "repeats": options.repeats, **results}
        print(f"\n{name}: {label} ({seconds:.0f} s in all)")
        show(results)
        if not options.quick:
            keep(f"training_{name}" + ("" if where == "cpu" else f"_{where}"), results, "pythae", "pyod")


if __name__ == "__main__":
    main()
