"""The loss of a batch whose rows several processes share, and the mean of their gradients (DDP)."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from narrows.batch_sharding import Shard, split_batch
from narrows.model import Autoencoder
from narrows.training.parallel.world import World
from narrows.training.rng import forked_rng
from narrows.types import Batch, Loss


class Learner(nn.Module):
    """Model and objective as one module, which gives the loss of a batch, or of this process's rows of it.

    The mean over processes of what they give is the loss of the whole batch, also where their rows are not as many.
    """

    def __init__(self, model: Autoencoder, objective: nn.Module, world: World) -> None:
        super().__init__()
        self.model, self.objective, self.world = model, objective, world

    def forward(self, batch: Batch, shard: Shard | None = None) -> Loss:
        """Nats per example; `batch` holds the rows of `shard`."""
        with split_batch(shard):
            loss: Loss = self.objective(self.model, batch)
        if shard is None or shard.rows * self.world.size == shard.of:
            return loss
        if shard.rows == 0:  # a mean over no rows is not a number
            return Loss(
                torch.zeros_like(loss.total),
                {name: torch.zeros_like(t) for name, t in loss.terms.items()},
                None if loss.not_validated is None else torch.zeros_like(loss.not_validated),
            )
        factor = shard.rows * self.world.size / shard.of
        not_validated = None if loss.not_validated is None else loss.not_validated * factor
        return Loss(loss.total * factor, {name: term * factor for name, term in loss.terms.items()}, not_validated)


def averaging(learner: Learner, batch: Batch) -> nn.Module:
    """`learner`, whose backward pass leaves the mean of all processes' gradients; `batch` is any example of a batch.

    Li et al., PyTorch distributed: experiences on accelerating data parallel training (2020),
    https://arxiv.org/abs/2006.15704.
    """
    known = inspect.signature(nn.parallel.DistributedDataParallel).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # renamed in 2.13
    norms = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in learner.modules())
    return nn.parallel.DistributedDataParallel(
        learner,
        find_unused_parameters=not _all_used(learner, batch),
        gradient_as_bucket_view=True,
        # batch normalisation takes rank 0's statistics along; all other buffers are the same everywhere anyway
        **{buffers: norms},  # type: ignore[arg-type]
    )


def _all_used(learner: Learner, batch: Batch) -> bool:
    """Tell whether every parameter gets a gradient. If not, a step must look for those, or it would wait for them."""
    learner.eval()  # nothing is learned here
    with forked_rng(0):
        learner(batch).total.backward()
    used = all(p.grad is not None for p in learner.parameters() if p.requires_grad)
    learner.zero_grad()
    return used
