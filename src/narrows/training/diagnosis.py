"""What can go wrong in a training, said in words, with what was done about it and the knob that changes it."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from narrows.model import Autoencoder
from narrows.training.sharding import whole

_LOOKED_AT = (2_000, 10_000)  # rows, at least and at most
_SEEN_PER_LOOKED_AT = 10


def n_looked_at(model: Autoencoder, seen: int) -> int:
    """How many rows to look at beside `seen` that are trained on: few enough that nobody waits for them."""
    fewest, most = _LOOKED_AT
    if model.bottleneck.is_sparse:
        return most  # a unit that fires for none of few rows need not be dead
    return min(max(fewest, seen // _SEEN_PER_LOOKED_AT), most)


def overfits(history: list[dict[str, Any]]) -> int | None:
    """The epoch after which the held-out loss only rose while the training loss fell, if that went on for long."""
    looks = [(r["epoch"], r["loss"], r["valid_loss"]) for r in history if r.get("valid_loss") is not None]
    if len(looks) < 6:
        return None
    best = min(range(len(looks)), key=lambda i: looks[i][2])
    long_ago = best < len(looks) * 0.6
    fell = looks[-1][1] < looks[best][1]
    gap = looks[-1][2] - looks[best][2] > 0.02 * abs(looks[best][2])
    return int(looks[best][0]) if long_ago and fell and gap else None


def non_finite(module: nn.Module) -> list[str]:
    """Names of the parameters and buffers that hold a NaN or an infinity."""
    return [name for name, t in module.state_dict().items() if not whole(torch.isfinite(t).all())]
