"""The loss of a batch that several processes share, and the mean of their gradients (DDP)."""

from __future__ import annotations

import inspect

import torch
from torch import nn

from narrows.batch_sharding import Shard, split_batch
from narrows.model import Autoencoder
from narrows.training.parallel.world import World
from narrows.training.rng import forked_rng
from narrows.types import Batch, Loss


class LossModule(nn.Module):
    """Model and objective as one module, which computes the loss of a batch, or of this process's rows of it.

    The mean of the losses over processes is the loss of the whole batch, even if their numbers of rows differ.
    """

    def __init__(self, model: Autoencoder, objective: nn.Module, world: World) -> None:
        super().__init__()
        self.model, self.objective, self.world = model, objective, world

    def forward(self, batch: Batch, shard: Shard | None = None) -> Loss:
        """Return the loss, nats per example, of `batch`, which holds the rows of `shard`."""
        with split_batch(shard):
            loss: Loss = self.objective(self.model, batch)
        if shard is None or shard.rows * self.world.size == shard.of:
            return loss
        if shard.rows == 0:  # the mean over no rows would be NaN
            return Loss(
                torch.zeros_like(loss.total),
                {name: torch.zeros_like(t) for name, t in loss.terms.items()},
                None if loss.not_validated is None else torch.zeros_like(loss.not_validated),
            )
        factor = shard.rows * self.world.size / shard.of
        not_validated = None if loss.not_validated is None else loss.not_validated * factor
        return Loss(loss.total * factor, {name: term * factor for name, term in loss.terms.items()}, not_validated)


def wrap_ddp(loss_module: LossModule, batch: Batch) -> nn.Module:
    """Wrap `loss_module` so that its backward pass computes the mean of all processes' gradients.

    Parameters
    ----------
    batch : any batch, to find parameters without a gradient.

    Li et al., PyTorch distributed: experiences on accelerating data parallel training (2020),
    https://arxiv.org/abs/2006.15704.
    """
    parameters = inspect.signature(nn.parallel.DistributedDataParallel).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in parameters else "broadcast_buffers"  # renamed in 2.13
    has_batch_norm = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in loss_module.modules())
    return nn.parallel.DistributedDataParallel(
        loss_module,
        find_unused_parameters=not _uses_all_parameters(loss_module, batch),
        gradient_as_bucket_view=True,
        # batch normalisation uses rank 0's statistics; other buffers are equal in all processes anyway
        **{buffers: has_batch_norm},  # type: ignore[arg-type]
    )


def _uses_all_parameters(loss_module: LossModule, batch: Batch) -> bool:
    """True if every parameter gets a gradient. Otherwise DDP must search for parameters without one in each step."""
    loss_module.eval()  # statistics must not change here
    with forked_rng(0):
        loss_module(batch).total.backward()
    result = all(p.grad is not None for p in loss_module.parameters() if p.requires_grad)
    loss_module.zero_grad()
    return result
