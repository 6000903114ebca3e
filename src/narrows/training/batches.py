"""The rows of each step: which are held out, and in which order the others come."""

from __future__ import annotations

import torch
from torch import Tensor

from narrows.training.plan import Plan

_MOST_HELD_OUT = 10_000  # held-out rows looked at


class Batches:
    """Index slices of the rows of a training.

    The order follows from the seed and the epoch alone, so it is in no checkpoint.

    Attributes
    ----------
    training, held_out : numbers of rows, on the device.
    """

    def __init__(self, plan: Plan, seed: int) -> None:
        self.plan, self.seed, self.device = plan, seed, plan.place.device
        generator = torch.Generator().manual_seed(seed)
        shuffled = torch.randperm(plan.n_train + plan.n_valid, generator=generator)
        self.held_out = shuffled[: plan.n_valid][:_MOST_HELD_OUT].to(self.device)
        self.training = shuffled[plan.n_valid :].to(self.device)

    def order(self, epoch: int) -> Tensor:
        """Return the rows of an epoch, shuffled; the last batch is filled up from the beginning."""
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + epoch)
        order = self.training[torch.randperm(len(self.training), generator=generator).to(self.device)]
        missing = self.plan.steps_per_epoch * self.plan.batch_size - len(order)
        return torch.cat([order, order[:missing]])
