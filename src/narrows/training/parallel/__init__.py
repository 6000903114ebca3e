"""A training on several processes, started by torchrun.

All processes hold the same weights and go through the same batches. Each takes its own consecutive rows of a batch. The
mean of their gradients is the gradient of the whole batch, so all take the step of a single process, up to the order of
sums. Decisions during training (recover, cool down, stop) must depend on numbers that all processes share: `World`
shares losses, and `Clock` the time.
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
