"""Everything that is only about speed: without it results are the same up to rounding.

Each file is one acceleration. It says what it makes faster, by how much, and which benchmark measures it; no file knows
another. To do without one, delete its file and its line in `ACCELERATIONS`. All others ask the functions here.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from typing import TypeVar

import torch
from torch import Tensor

from narrows.accelerate import (
    compiled_step,
    conv_gradients,
    cuda_graphs,
    flush_denormals,
    layouts,
    onednn_linear,
)
from narrows.accelerate.base import (
    Acceleration,
    Around,
    Runner,
    TrainingStep,
    autocast,
    detached,
    fastest,
    measured_once,
)
from narrows.model import Autoencoder
from narrows.types import Batch

__all__ = [
    "ACCELERATIONS",
    "Acceleration",
    "around_forward",
    "around_inference",
    "around_training",
    "autocast",
    "block_factor",
    "detached",
    "fast_update",
    "fastest",
    "measured_once",
    "prepare_model",
    "runner",
]

_T = TypeVar("_T")

ACCELERATIONS: tuple[Acceleration, ...] = (
    layouts.ACCELERATION,
    flush_denormals.ACCELERATION,
    conv_gradients.ACCELERATION,
    compiled_step.ACCELERATION,
    cuda_graphs.ACCELERATION,
    onednn_linear.ACCELERATION,
)


def prepare_model(model: Autoencoder) -> Autoencoder:
    """Let a new model lie in memory as it is computed with fastest, in place."""
    for acceleration in ACCELERATIONS:
        if acceleration.prepare_model is not None:
            acceleration.prepare_model(model)
    return model


@contextlib.contextmanager
def around_training() -> Iterator[None]:
    """Enter the context of a whole training."""
    with contextlib.ExitStack() as stack:
        for acceleration in ACCELERATIONS:
            if acceleration.around_training is not None:
                stack.enter_context(acceleration.around_training())
        yield


def around_forward(step: TrainingStep) -> Around:
    """Return what makes the context of each forward pass of `step`."""
    makers = [a.around_forward(step) for a in ACCELERATIONS if a.around_forward is not None]
    return _first(makers) or contextlib.nullcontext


def fast_update(step: TrainingStep) -> Callable[[Batch], dict[str, Tensor] | None]:
    """Return what takes the place of the update by a batch, where it can: see `Acceleration.update`."""
    return _first([a.update(step) for a in ACCELERATIONS if a.update is not None]) or (lambda _batch: None)


def runner(step: TrainingStep) -> Runner:
    """Return what runs `step`."""
    return _first([a.run(step) for a in ACCELERATIONS if a.run is not None]) or _run


@contextlib.contextmanager
def around_inference(device: torch.device) -> Iterator[None]:
    """Enter the context in which a model is applied on `device`."""
    with contextlib.ExitStack() as stack:
        for acceleration in ACCELERATIONS:
            if acceleration.around_inference is not None:
                context = acceleration.around_inference(device)
                if context is not None:
                    stack.enter_context(context)
        yield


def block_factor(device: torch.device) -> int:
    """Return how many times larger blocks of rows are, where a model is applied on `device`."""
    return math.prod(a.block_factor(device) for a in ACCELERATIONS if a.block_factor is not None)


def _first(values: list[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def _run(step: Callable[[Tensor], None], index: Tensor, key: object) -> None:
    step(index)
