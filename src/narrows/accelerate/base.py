"""The interface of an acceleration, and the side of a training step that it sees."""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from narrows.model import Autoencoder
from narrows.types import Batch, Loss

Around = Callable[[], contextlib.AbstractContextManager[object]]
R = TypeVar("R")
_CPU = torch.device("cpu")
_MEASURING = threading.RLock()


class Clipping(Protocol):
    """Holds the norm of gradients under a limit."""

    def update_divisor(self, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Return what to divide gradients of that norm by, and whether the norm is finite."""


class Clipped(Protocol):
    """An optimizer whose gradients are clipped."""

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that it moves."""

    @property
    def optimizer(self) -> torch.optim.AdamW:
        """The optimizer."""

    @property
    def clipping(self) -> Clipping:
        """The limit on its gradients."""

    def step(self) -> None:
        """Move the parameters by the gradients that they hold, and drop those."""


class TrainingStep(Protocol):
    """A step of a training, before anything makes it faster."""

    model: Autoencoder
    device: torch.device
    precision: torch.dtype
    use_compile: bool
    use_cuda_graph: bool
    add_note: Callable[[str], None]

    @property
    def objective(self) -> nn.Module:
        """The objective, from a model and a batch to a loss."""

    @property
    def optimizers(self) -> Sequence[Clipped]:
        """The optimizers of all parameters."""


class Runner(Protocol):
    """Something that does a step."""

    def __call__(self, step: Callable[[Tensor], None], index: Tensor, key: Any) -> None:
        """Do `step` on `index`; `key` names the variant of the step."""


class Acceleration(NamedTuple):
    """A way to compute the same in less time: for each place that it acts at, a function.

    A function that is given a step or a device returns None where there is nothing to gain.

    Attributes
    ----------
    prepare_model : changes how a new model lies in memory.
    around_training : makes the context of a whole training.
    around_forward : for a step, makes what makes the context of each forward pass.
    update : for a step, makes a function that takes a batch, does forward pass, backward pass and optimizer, and
        returns the loss and its terms; or returns None, with nothing done, where it must leave that to the step.
    run : for a step, makes what runs it on the rows of a batch.
    around_inference : makes the context in which a model is applied on a device.
    block_factor : for a device, the factor by which blocks of rows are larger where a model is applied.
    """

    prepare_model: Callable[[Autoencoder], None] | None = None
    around_training: Around | None = None
    around_forward: Callable[[TrainingStep], Around | None] | None = None
    update: Callable[[TrainingStep], Callable[[Batch], dict[str, Tensor] | None] | None] | None = None
    run: Callable[[TrainingStep], Runner | None] | None = None
    around_inference: Callable[[torch.device], contextlib.AbstractContextManager[object] | None] | None = None
    block_factor: Callable[[torch.device], int] | None = None


def autocast(device: torch.device, precision: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """The context in which matrix products are in bfloat16, if that is the `precision`."""
    if precision == torch.bfloat16:
        # torch's cache of cast weights is one for all threads, and each empties it when it leaves: the gradients of a
        # weight that a pass uses twice would be added up in bfloat16 or in float32 as other threads have it
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
    return contextlib.nullcontext()


def detached(loss: Loss) -> dict[str, Tensor]:
    """The loss and its terms by name, each a scalar without gradient."""
    return {name: term.detach() for name, term in {"loss": loss.total, **loss.terms}.items()}


def first_line(error: BaseException) -> str:
    """The first line of an error's message."""
    return str(error).strip().splitlines()[0]


def measured_once(measure: Callable[..., R]) -> Callable[..., R]:
    """Wrap `measure` so that it runs once a process for the same arguments, and while no other thread measures."""
    cached = functools.cache(measure)

    @functools.wraps(measure)
    def measured(*args: Any) -> R:
        with _MEASURING:
            return cached(*args)

    return measured


def fastest(call: Callable[[], object], device: torch.device = _CPU, repeats: int = 7) -> float:
    """Return the seconds that `call`, which computes on `device`, takes at best."""
    many = 20 if device.type == "cuda" else 1  # one alone would tell how long it takes to wait for the device
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(many):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, (time.perf_counter() - start) / many)
    return best
