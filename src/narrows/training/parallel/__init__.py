"""A training on several processes, as torchrun starts them.

Every process holds the same weights and walks through the same batches, of each of which it takes its own consecutive
rows. The mean of their gradients is the gradient of the whole batch, so all of them take the step that one process
would take, up to the order of sums. What is decided while training (set back, cool down, stop) must follow from numbers
that all have in common: `World` brings them together, and `Clock` the time.
"""

from narrows.training.parallel.clock import Clock
from narrows.training.parallel.ddp import LossModule, wrap_ddp
from narrows.training.parallel.fsdp import (
    full_tensor,
    full_tensors,
    ignore_view_warnings,
    is_sharded,
    shard_like,
    shard_model,
    total_norm,
)
from narrows.training.parallel.world import World, is_first_to_report, join, peer_failures_as_connection_errors

__all__ = [
    "Clock",
    "LossModule",
    "World",
    "full_tensor",
    "full_tensors",
    "ignore_view_warnings",
    "is_first_to_report",
    "is_sharded",
    "join",
    "peer_failures_as_connection_errors",
    "shard_like",
    "shard_model",
    "total_norm",
    "wrap_ddp",
]
