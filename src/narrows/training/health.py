"""Signs of trouble in a training: over-fitting, and numbers that are not finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from narrows.model import Autoencoder
from narrows.training.parallel import full_tensor

_HEALTH_ROWS = (2_000, 10_000)  # fewest and most
_TRAINING_ROWS_PER_HEALTH_ROW = 10


def n_health_rows(model: Autoencoder, n_train: int) -> int:
    """Return the number of rows for measuring the health of a code; few of `n_train`, to save time."""
    fewest, most = _HEALTH_ROWS
    if model.bottleneck.is_sparse:
        return most  # with few rows, rare units would look dead
    return min(max(fewest, n_train // _TRAINING_ROWS_PER_HEALTH_ROW), most)


def find_overfitting(history: list[dict[str, Any]]) -> int | None:
    """Return the best epoch if the held-out loss rose for long after it, and the training loss fell; otherwise None."""
    records = [(r["epoch"], r["loss"], r["valid_loss"]) for r in history if r.get("valid_loss") is not None]
    if len(records) < 6:
        return None
    best = min(range(len(records)), key=lambda i: records[i][2])
    is_best_early = best < len(records) * 0.6
    training_fell = records[-1][1] < records[best][1]
    held_out_rose = records[-1][2] - records[best][2] > 0.02 * abs(records[best][2])
    return records[best][0] if is_best_early and training_fell and held_out_rose else None


def find_non_finite(module: nn.Module) -> list[str]:
    """Return the names of parameters and buffers that contain NaN or infinity."""
    return [name for name, t in module.state_dict().items() if not full_tensor(torch.isfinite(t).all())]
