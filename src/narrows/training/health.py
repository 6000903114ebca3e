"""Signs that a training goes wrong: over-fitting, numbers that are not finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from narrows.model import Autoencoder
from narrows.training.parallel import full_tensor

_LOOKED_AT = (2_000, 10_000)  # rows, at least and at most
_SEEN_PER_LOOKED_AT = 10


def n_looked_at(model: Autoencoder, seen: int) -> int:
    """Return the number of rows to look at beside `seen` that are trained on: so few that nobody waits for them."""
    fewest, most = _LOOKED_AT
    if model.bottleneck.is_sparse:
        return most  # a unit that fires for none of few rows need not be dead
    return min(max(fewest, seen // _SEEN_PER_LOOKED_AT), most)


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
    return [name for name, t in module.state_dict().items() if not full_tensor(torch.isfinite(t).all())]
