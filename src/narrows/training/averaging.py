"""The running mean of the weights, which early stopping measures and keeps in their place.

    mean <- mean + (1 - decay) (weights - mean)

Weights move around a minimum while the learning rate is high; their mean lies nearer to it (Polyak and Juditsky,
Acceleration of stochastic approximation by averaging, 1992, https://doi.org/10.1137/0330046).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

_START = 10  # after i steps the mean is one of about i / 10 steps, until `decay` holds


class Averaging:
    """The running mean of the trained weights of a model.

    Parameters
    ----------
    model : the model in training.
    decay : share of the mean that stays at each step, in (0, 1); None for no mean, so that all methods do nothing.
    """

    def __init__(self, model: nn.Module, decay: float | None) -> None:
        self.decay, self.n_steps = decay, 0
        self.weights = [] if decay is None else [p for p in model.parameters() if p.requires_grad]
        self.means = [p.detach().clone() for p in self.weights]

    @torch.no_grad()
    def update(self) -> None:
        """Move the mean towards the weights. Called after each step."""
        if self.decay is None:
            return
        self.n_steps += 1
        decay = min(self.decay, self.n_steps / (self.n_steps + _START))
        torch._foreach_lerp_(self.means, [p.detach() for p in self.weights], 1 - decay)

    @contextlib.contextmanager
    def use(self) -> Iterator[None]:
        """Give the model the mean inside the context, and its own weights again at the end."""
        if self.decay is None:
            yield
            return
        own = [p.detach().clone() for p in self.weights]
        self._load(self.means)
        try:
            yield
        finally:
            self._load(own)

    @torch.no_grad()
    def _load(self, values: list[Tensor]) -> None:
        for weight, value in zip(self.weights, values, strict=True):
            weight.copy_(value)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"n_steps": self.n_steps, "means": {str(i): mean for i, mean in enumerate(self.means)}}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.n_steps = state["n_steps"]
        for i, mean in enumerate(self.means):
            mean.copy_(state["means"][str(i)])
