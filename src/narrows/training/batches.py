"""The rows of each step: the held-out rows, and the order of the training rows."""

from __future__ import annotations

import torch
from torch import Tensor

from narrows.training.plan import Plan

_MOST_HELD_OUT = 10_000  # largest number of held-out rows in a validation


class Batches:
    """The split of the rows, and their order in each epoch.

    The order depends on the seed and the epoch only, so checkpoints need not store it.

    Attributes
    ----------
    training, held_out : row numbers (integers, on the device).
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed, self.device = plan, seed, plan.place.device
        generator = torch.Generator().manual_seed(seed)
        shuffled = torch.randperm(plan.n_train + plan.n_valid, generator=generator)
        self.held_out = shuffled[: plan.n_valid][:_MOST_HELD_OUT].to(self.device)
        self.training = shuffled[plan.n_valid :].to(self.device)

    def shuffle(self, epoch: int) -> Tensor:
        """Return the row numbers of an epoch in random order. The first rows are repeated to fill the last batch."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = self.training[torch.randperm(len(self.training), generator=generator).to(self.device)]
        missing = self.plan.steps_per_epoch * self.plan.batch_size - len(order)
        return torch.cat([order, order[:missing]])
