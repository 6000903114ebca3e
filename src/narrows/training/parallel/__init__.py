"""A training on several processes, as torchrun starts them.

Every process holds the same weights and walks through the same batches, of each of which it takes its own consecutive
rows. The mean of their gradients is the gradient of the whole batch, so all of them take the step that one process
would take, up to the order of sums. What is decided while training (set back, cool down, stop) must follow from numbers
that all have in common: `World` brings them together, and `Clock` the time.
"""

from narrows.training.parallel.clock import Clock
from narrows.training.parallel.ddp import Learner, averaging
from narrows.training.parallel.fsdp import is_shared_out, laid_out, share_out, total_norm, views_allowed, whole, wholes
from narrows.training.parallel.world import World, join, mended, speaks_first

__all__ = [
    "Clock",
    "Learner",
    "World",
    "averaging",
    "is_shared_out",
    "join",
    "laid_out",
    "mended",
    "share_out",
    "speaks_first",
    "total_norm",
    "views_allowed",
    "whole",
    "wholes",
]
