"""The interface of an acceleration, and the parts of a training step that it may use."""

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

ContextFactory = Callable[[], contextlib.AbstractContextManager[object]]
R = TypeVar("R")
_CPU = torch.device("cpu")
_MEASURING = threading.RLock()
_LONG = 0.2  # seconds after which a measurement is not repeated: the durations of slow operations vary little


class Clipping(Protocol):
    """Gradient clipping."""

    def update_divisor(self, norm: Tensor) -> tuple[Tensor, Tensor]:
        """Return the divisor of gradients with this norm, and whether the norm is finite; both scalars."""


class Clipped(Protocol):
    """An optimizer with gradient clipping."""

    @property
    def parameters(self) -> list[nn.Parameter]:
        """The parameters that it updates."""

    @property
    def optimizer(self) -> torch.optim.AdamW:
        """The optimizer."""

    @property
    def clipping(self) -> Clipping:
        """The clipping of its gradients."""

    def step(self) -> None:
        """Clip the gradients, update the parameters, and drop the gradients."""


class TrainingStep(Protocol):
    """A training step, before it is accelerated."""

    model: Autoencoder
    device: torch.device
    precision: torch.dtype
    use_compile: bool
    use_cuda_graph: bool
    add_note: Callable[[str], None]

    @property
    def objective(self) -> nn.Module:
        """The objective: maps a model and a batch to a loss."""

    @property
    def optimizers(self) -> Sequence[Clipped]:
        """The optimizers of all parameters."""


class Runner(Protocol):
    """A function that runs a step."""

    def __call__(self, step: Callable[[Tensor], None], index: Tensor, key: Any) -> None:
        """Run `step` on `index` (B integers); `key` identifies the variant of the step."""


class Acceleration(NamedTuple):
    """A way to compute the same results in less time: one function for each place where it acts.

    Functions of a step or a device return None if there is nothing to gain.

    Attributes
    ----------
    prepare_model : changes the memory layout of a new model.
    around_training : makes the context of a whole training.
    around_forward : returns, for a step, a function that makes the context of a forward pass.
    make_update : returns, for a step, a function of a batch that does forward pass, backward pass and optimizer step,
        and returns the loss and its terms. It may return None without doing anything; the step then does the update.
    make_runner : returns, for a step, a function that runs it on the rows of a batch.
    around_inference : makes the context of inference on a device.
    block_factor : returns, for a device, the factor by which to enlarge the blocks of rows of inference.
    """

    prepare_model: Callable[[Autoencoder], None] | None = None
    around_training: ContextFactory | None = None
    around_forward: Callable[[TrainingStep], ContextFactory | None] | None = None
    make_update: Callable[[TrainingStep], Callable[[Batch], dict[str, Tensor] | None] | None] | None = None
    make_runner: Callable[[TrainingStep], Runner | None] | None = None
    around_inference: Callable[[torch.device], contextlib.AbstractContextManager[object] | None] | None = None
    block_factor: Callable[[torch.device], int] | None = None


def autocast(device: torch.device, precision: torch.dtype) -> contextlib.AbstractContextManager[object]:
    """Return the context in which matrix products are in bfloat16, if that is the `precision`."""
    if precision == torch.bfloat16:
        # all threads share torch's cache of cast weights, and each clears it on exit: other threads would decide
        # whether the gradients of a weight that a pass uses twice are added in bfloat16 or in float32
        return torch.autocast(device.type, torch.bfloat16, cache_enabled=False)
    return contextlib.nullcontext()


def detach_terms(loss: Loss) -> dict[str, Tensor]:
    """Return the loss and its terms by name, each a scalar without gradient."""
    return {name: term.detach() for name, term in {"loss": loss.total, **loss.terms}.items()}


def first_line(error: BaseException) -> str:
    """Return the first line of an error's message."""
    return str(error).strip().splitlines()[0]


def measure_once(measure: Callable[..., R]) -> Callable[..., R]:
    """Wrap `measure`: it runs once per process for the same arguments, and in one thread at a time."""
    cached = functools.cache(measure)

    @functools.wraps(measure)
    def wrapper(*args: Any) -> R:
        with _MEASURING:
            return cached(*args)

    return wrapper


def min_seconds(call: Callable[[], object], device: torch.device = _CPU, repeats: int = 7) -> float:
    """Return the duration of `call` on `device` in seconds: the minimum of `repeats`, of fewer if they take long."""
    n_calls = 20 if device.type == "cuda" else 1  # a single call would measure the device sync
    best, begun = float("inf"), time.perf_counter()
    for n_done in range(repeats):
        start = time.perf_counter()
        if n_done > 1 and start - begun > _LONG:  # the first one may have loaded something
            break
        for _ in range(n_calls):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, (time.perf_counter() - start) / n_calls)
    return best
