"""Measures of what can go wrong in a training: codes that carry nothing, over-fitting, numbers that are not finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from narrows.bottlenecks import Gaussian, Sparse
from narrows.model import Autoencoder
from narrows.shards import batch_any, batch_mean
from narrows.training.sharding import whole

_LOOKED_AT = (2_000, 10_000)  # rows, at least and at most
_SEEN_PER_LOOKED_AT = 10
ACTIVE_VARIANCE = 0.01  # of the posterior mean over examples: Burda et al. (2016), https://arxiv.org/abs/1509.00519


def active_components(means: Tensor) -> Tensor:
    """Which components' posterior means (n x L) vary between examples: L booleans."""
    mean = batch_mean(means.mean(0))
    return batch_mean((means - mean).square().mean(0)) > ACTIVE_VARIANCE


def n_looked_at(model: Autoencoder, seen: int) -> int:
    """How many rows to `look` at beside `seen` that are trained on: few enough that nobody waits for them."""
    fewest, most = _LOOKED_AT
    if isinstance(model.bottleneck, Sparse):
        return most  # a unit that fires for none of few rows need not be dead
    return min(max(fewest, seen // _SEEN_PER_LOOKED_AT), most)


def look(model: Autoencoder, h: Tensor) -> dict[str, float]:
    """Measures of a code's health, from the encoder's output `h` on held-out or training examples (n x n_inputs).

    `active_components` for a stochastic code; `l0` (units active for one example) and `dead_fraction` (share of units
    that fired for none of these examples) for a sparse one.
    """
    bottleneck = model.bottleneck
    if isinstance(bottleneck, Gaussian):
        return {"active_components": float(active_components(bottleneck.encode(h)).sum())}
    if isinstance(bottleneck, Sparse):
        fires = bottleneck.encode(h) > bottleneck.floor
        # in single precision: Apple's GPUs know no other
        l0, dead = batch_mean(fires.sum(1).float().mean()), (~batch_any(fires.any(0))).float().mean()
        return {"l0": float(l0), "dead_fraction": float(dead)}
    return {}


def note_on_overfitting(history: list[dict[str, Any]]) -> str | None:
    """Return what to say where the held-out loss only rose for long while the training loss fell."""
    looks = [(r["epoch"], r["loss"], r["valid_loss"]) for r in history if r.get("valid_loss") is not None]
    if len(looks) < 6:
        return None
    best = min(range(len(looks)), key=lambda i: looks[i][2])
    long_ago = best < len(looks) * 0.6
    fell = looks[-1][1] < looks[best][1]
    gap = looks[-1][2] - looks[best][2] > 0.02 * abs(looks[best][2])
    if not (long_ago and fell and gap):
        return None
    return (
        f"Over-fitting: the held-out loss was lowest after epoch {looks[best][0]}, whose weights are kept. A smaller "
        "`hidden`, noise on the input (DAE) or more data would help."
    )


def non_finite(module: nn.Module) -> list[str]:
    """Names of the parameters and buffers that hold a NaN or an infinity."""
    return [name for name, t in module.state_dict().items() if not whole(torch.isfinite(t).all())]
