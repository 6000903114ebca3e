"""The rows of each step: the held-out rows, and the order of the training rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from narrows.data import Examples, MixingBuffer
from narrows.training.length import MOST_HELD_OUT
from narrows.training.plan import Plan


class Batches(ABC):
    """Abstract: the split of the rows, and their order in each epoch.

    Attributes
    ----------
    training, held_out : row numbers (integers, on the device).
    """

    training: Tensor
    held_out: Tensor

    @abstractmethod
    def shuffle(self, epoch: int) -> Tensor:
        """Return the row numbers of an epoch in random order. The first rows are repeated to fill the last batch."""

    @abstractmethod
    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""


class ShuffledBatches(Batches):
    """Batches of rows that can be drawn in any order.

    The order depends on the seed and the epoch only, so checkpoints need not store it.
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed, self.device = plan, seed, plan.place.device
        generator = torch.Generator().manual_seed(seed)
        shuffled = torch.randperm(plan.n_train + plan.n_valid, generator=generator)
        self.held_out = shuffled[: plan.n_valid][:MOST_HELD_OUT].to(self.device)
        self.training = shuffled[plan.n_valid :].to(self.device)

    def shuffle(self, epoch: int) -> Tensor:
        """Return the row numbers of an epoch; of a part of one or two passes, where an epoch is shorter than a pass."""
        n = self.plan.steps_per_epoch * self.plan.batch_size
        if self.plan.epoch_rows is None:
            order = self._shuffle_pass(epoch)
            return torch.cat([order, order[: n - len(order)]])
        number, start = divmod(epoch * n, len(self.training))
        order = self._shuffle_pass(number)[start : start + n]
        return torch.cat([order, self._shuffle_pass(number + 1)[: n - len(order)]]) if len(order) < n else order

    def state(self) -> dict[str, Any]:
        """Return nothing: see the class."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:
        """Take nothing."""

    def _shuffle_pass(self, number: int) -> Tensor:
        """Return all training rows in random order."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + number)
        return self.training[torch.randperm(len(self.training), generator=generator).to(self.device)]


class BufferedBatches(Batches):
    """Batches of an iterator's rows, from a mixing buffer that gets new rows between two epochs."""

    def __init__(self, plan: Plan, seed: int, buffer: MixingBuffer) -> None:
        self.plan, self.seed, self.buffer, self.device = plan, seed, buffer, plan.place.device
        buffer.hold_out(plan.n_valid)
        self.held_out = torch.arange(plan.n_valid, device=self.device)
        self.training = torch.arange(plan.n_valid, len(buffer), device=self.device)

    def shuffle(self, epoch: int) -> Tensor:
        """Return the places of an epoch's rows. The buffer reads new rows first, if a new epoch begins."""
        while self.buffer.epoch < epoch:
            self.buffer.replace(self._draw())
        places = self._draw()
        n = self.plan.steps_per_epoch * self.plan.batch_size
        return places.repeat(-(-n // len(places)))[:n].to(self.device)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores: the rows of the buffer and the position in the iterator."""
        return self.buffer.state()

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.buffer.restore(state)

    def _draw(self) -> Tensor:
        """Return the places that are drawn in the buffer's epoch, which depend on the seed and on what is there."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + self.buffer.epoch)
        return self.buffer.draw(self.plan.steps_per_epoch * self.plan.batch_size, generator)


def make_batches(plan: Plan, seed: int, rows: Examples) -> Batches:
    """Return the batches of rows: of a mixing buffer, or of rows that can be drawn in any order."""
    return BufferedBatches(plan, seed, rows) if isinstance(rows, MixingBuffer) else ShuffledBatches(plan, seed)
