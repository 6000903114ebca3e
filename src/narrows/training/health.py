"""Signs of trouble in a training: over-fitting, and numbers that are not finite."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn

from narrows.model import Autoencoder
from narrows.training.parallel import full_tensor

_HEALTH_ROWS = (2_000, 10_000)  # fewest and most
_TRAINING_ROWS_PER_HEALTH_ROW = 10

FEWEST_TO_TELL = 3  # validations, to tell whether a model over-fits
_RISE = 0.05  # rise of the held-out loss after its best epoch, in nats per entry, that is over-fitting
_EARLY = 0.6  # share of the training in which that epoch then lies
_HELD = 0.98  # share of the highest learning rate above which the rate has not been cooled down


def n_health_rows(model: Autoencoder, n_train: int) -> int:
    """Return the number of rows for measuring the health of a code; few of `n_train`, to save time."""
    fewest, most = _HEALTH_ROWS
    if model.bottleneck.is_sparse:
        return most  # with few rows, rare units would look dead
    return min(max(fewest, n_train // _TRAINING_ROWS_PER_HEALTH_ROW), most)


def find_overfitting(history: list[dict[str, Any]], n_entries: int) -> int | None:
    """Return the best epoch if the held-out loss rose after it, and the training loss fell; otherwise None.

    Parameters
    ----------
    history : records of a training.
    n_entries : number of entries of an example.
    """
    records = [(r["epoch"], r["loss"], r["valid_loss"]) for r in history if r.get("valid_loss") is not None]
    if len(records) < FEWEST_TO_TELL:
        return None
    last, best = records[-1], min(records, key=lambda record: record[2])
    is_best_early = records.index(best) < _EARLY * len(records)
    has_risen = last[2] - best[2] > _RISE * n_entries
    return best[0] if is_best_early and has_risen and last[1] < best[1] else None


def remaining_fall(history: list[dict[str, Any]], n_entries: int) -> float | None:
    """Return how much the held-out loss fell in the last third before the cool-down, in nats per entry, at least 0.

    For a normal density, a fall of 0.01 nats per entry lowers the squared error by 2 %. It is None if there were fewer
    than two validations before the cool-down. The parameters are those of `find_overfitting`.
    """
    records = [(r["learning_rate"], r["valid_loss"]) for r in history if r.get("valid_loss") is not None]
    highest = max((rate for rate, _ in records), default=0.0)
    losses = [loss for rate, loss in records if rate >= _HELD * highest]
    if len(losses) < 2:
        return None
    before = min(losses[: max(1, len(losses) * 2 // 3)])
    return float(before - min(losses)) / n_entries


def find_non_finite(module: nn.Module) -> list[str]:
    """Return the names of parameters and buffers that contain NaN or infinity."""
    return [name for name, t in module.state_dict().items() if not full_tensor(torch.isfinite(t).all())]
