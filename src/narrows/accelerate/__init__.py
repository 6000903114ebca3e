"""Accelerations: code that only changes speed. Without it, results are the same up to rounding.

Each file is one acceleration. It says what it speeds up, by how much, and which benchmark measures that. No file
imports another. To remove one, delete its file and its line in `ACCELERATIONS`. Other layers call the functions here.
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
    ContextFactory,
    Runner,
    TrainingStep,
    autocast,
    detach_terms,
    measure_once,
    min_seconds,
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
    "detach_terms",
    "make_runner",
    "make_update",
    "measure_once",
    "min_seconds",
    "prepare_model",
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
    """Change the memory layout of a new model to the fastest one, in place; return the model."""
    for acceleration in ACCELERATIONS:
        if acceleration.prepare_model is not None:
            acceleration.prepare_model(model)
    return model


@contextlib.contextmanager
def around_training() -> Iterator[None]:
    """Enter the contexts that last for a whole training."""
    with contextlib.ExitStack() as stack:
        for acceleration in ACCELERATIONS:
            if acceleration.around_training is not None:
                stack.enter_context(acceleration.around_training())
        yield


def around_forward(step: TrainingStep) -> ContextFactory:
    """Return a function that makes the context of a forward pass of `step`."""
    factories = [a.around_forward(step) for a in ACCELERATIONS if a.around_forward is not None]
    return _first(factories) or contextlib.nullcontext


def make_update(step: TrainingStep) -> Callable[[Batch], dict[str, Tensor] | None]:
    """Return a function that may do the update by a batch: see `Acceleration.make_update`."""
    return _first([a.make_update(step) for a in ACCELERATIONS if a.make_update is not None]) or (lambda _batch: None)


def make_runner(step: TrainingStep) -> Runner:
    """Return a function that runs `step`: see `Acceleration.make_runner`."""
    return _first([a.make_runner(step) for a in ACCELERATIONS if a.make_runner is not None]) or _run_directly


@contextlib.contextmanager
def around_inference(device: torch.device) -> Iterator[None]:
    """Enter the contexts for inference on `device`."""
    with contextlib.ExitStack() as stack:
        for acceleration in ACCELERATIONS:
            if acceleration.around_inference is not None:
                context = acceleration.around_inference(device)
                if context is not None:
                    stack.enter_context(context)
        yield


def block_factor(device: torch.device) -> int:
    """Return the factor by which to enlarge the blocks of rows of inference on `device`."""
    return math.prod(a.block_factor(device) for a in ACCELERATIONS if a.block_factor is not None)


def _first(values: list[_T | None]) -> _T | None:
    return next((value for value in values if value is not None), None)


def _run_directly(step: Callable[[Tensor], None], index: Tensor, key: object) -> None:
    step(index)
