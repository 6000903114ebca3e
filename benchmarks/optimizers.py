"""Optimizers and batch sizes compared at the same training time: a VAE 784-512-256-16 on Fashion-MNIST.

    python benchmarks/optimizers.py [adamw-128 adam-128 adamw-512 ...] [--seconds 15] [--seeds 1]

Each trains for the same seconds of processor time in one thread, at two learning rates, with narrows' parts and
bfloat16 products, a warm-up over the first 5 % and (but for schedule-free, which needs none) a cool-down over the last
30 %. The negative ELBO on the 10,000 test images is the mean over the seeds at the better rate. Schedule-free AdamW is
that of the `schedulefree` package (Defazio et al., 2024, https://arxiv.org/abs/2405.15682).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from common import SEED, arguments, keep, show
from torch import Tensor, nn

import narrows
from narrows import recipes
from narrows.data import infer
from narrows.training.optimizer import adamw, muon
from narrows.types import Batch

_DECAY = 0.03
_RATES = (1.0, 2.0)  # multiples of a setting's learning rate


class Setup(NamedTuple):
    """An optimizer of parameters (the learning rate is set at each step), its batch size and learning rate."""

    make: Callable[[list[nn.Parameter]], Any]
    batch_size: int
    rate: float


def schedule_free(parameters: list[nn.Parameter]) -> Any:
    """Return AdamW that averages its weights and needs no schedule."""
    from schedulefree import AdamWScheduleFree

    return AdamWScheduleFree(parameters, lr=1.0, weight_decay=_DECAY)


def by_adamw(parameters: list[nn.Parameter]) -> Any:
    """Return the default optimizer of narrows."""
    return adamw(parameters, _DECAY)


def by_adam(parameters: list[nn.Parameter]) -> Any:
    """Return the default optimizer without weight decay."""
    return adamw(parameters, 0.0)


def by_muon(parameters: list[nn.Parameter]) -> Any:
    """Return the optimizer with which narrows trains denoisers of photos."""
    return muon(parameters, _DECAY, dtype=torch.bfloat16)


SETUPS = {
    "adamw-128": Setup(by_adamw, 128, 1.4e-3),
    "adam-128": Setup(by_adam, 128, 1.4e-3),
    "adamw-512": Setup(by_adamw, 512, 2.8e-3),
    "adamw-2048": Setup(by_adamw, 2048, 4e-3),
    "muon-128": Setup(by_muon, 128, 5e-4),
    "muon-512": Setup(by_muon, 512, 1e-3),
    "muon-2048": Setup(by_muon, 2048, 2e-3),
    "schedule-free-128": Setup(schedule_free, 128, 1.4e-3),
}


def train(
    setup: Setup, X: Tensor, T: Tensor, schema: Any, factor: float, seconds: float, seed: int
) -> tuple[float, int]:
    """Train; return the negative ELBO on T (nats an image) and the number of steps."""
    torch.manual_seed(seed)
    model, objective, _ = recipes.vae(schema, 16, hidden=(512, 256), likelihood="bernoulli")
    parameters = list(model.parameters())
    optimizer = setup.make(parameters)
    free = not isinstance(optimizer, torch.optim.AdamW)
    if free:
        optimizer.train()
    steps, start = 0, time.process_time()
    while (share := (time.process_time() - start) / seconds) < 1:
        objective.advance(share)
        held = min(1.0, share / 0.05, 1.0 if free else (1 - share) / 0.3)
        for group in optimizer.param_groups:
            group["lr"] = factor * setup.rate * max(held, 1e-3)
        x = X[torch.randint(len(X), (setup.batch_size,))]
        with torch.autocast("cpu", torch.bfloat16):
            loss = objective(model, Batch(x, x))
        optimizer.zero_grad()
        loss.total.backward()
        optimizer.step()
        steps += 1
    if free:
        optimizer.eval()
    model.eval()
    objective.eval()
    with torch.no_grad():
        torch.manual_seed(SEED)
        losses = [float(objective(model, Batch(x, x)).total) for x in T.split(1000)]
    return float(np.mean(losses)), steps


def main() -> None:
    """Train with all setups, and print the losses."""
    parser = arguments(__doc__, SETUPS)
    parser.add_argument("--seconds", type=float, default=15, help="of processor time, for each training (default: 15)")
    parser.add_argument("--seeds", type=int, default=1, help="trainings of each (default: 1)")
    options = parser.parse_args()
    torch.set_num_threads(1)
    images, test = (narrows.load_dataset("fashion-mnist", part).X for part in ("train", "test"))
    schema = infer(images, "VAE")
    X, T = (schema.prepare(torch.from_numpy(part)) for part in (images, test))
    results: dict[str, Any] = {"seconds": options.seconds, "seeds": options.seeds, "n": len(X), "ways": {}}
    for name in options.jobs or SETUPS:
        setup, best = SETUPS[name], None
        for factor in _RATES:
            runs = [train(setup, X, T, schema, factor, options.seconds, SEED + i) for i in range(options.seeds)]
            result = {
                "negative_elbo": float(np.mean([loss for loss, _ in runs])),
                "learning_rate": factor * setup.rate,
                "steps": runs[0][1],
            }
            if best is None or result["negative_elbo"] < best["negative_elbo"]:
                best = result
        results["ways"][name] = best
        print(name)
        show(best)
    keep("optimizers", results, "schedulefree")


if __name__ == "__main__":
    main()
