"""The interface of samplers, and what fits several of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

MIN_CODES = 10  # smallest number of codes to fit a sampler to
_HELD_OUT = 0.1  # share of the codes that decide on the number of Gaussians, and when a training ends


class Sampler(ABC):
    """Abstract: a density of codes that can be drawn from.

    Constructors only store plain numbers. Fitted values are in `tensors`. Both can be saved.
    """

    name: ClassVar[str]
    tensors: dict[str, Tensor]
    classes: tuple[Any, ...] | None = None  # labels that the sampler was fitted with

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments, for recipe.json."""

    @abstractmethod
    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Sampler:
        """Fit the density to codes Z (n x L, float64). `labels` are their class indices, n integers, or None."""

    @abstractmethod
    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes: n x L, float64. `labels` are their class indices if the sampler was fitted with labels."""

    @abstractmethod
    def log_prob(self, Z: Tensor) -> Tensor:
        """Return the log-density of codes Z (n x L) in nats: n numbers."""


def mean_and_std(Z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each component. A standard deviation of 0 becomes 1."""
    std, mean = torch.std_mean(Z, 0, correction=0)
    return mean, torch.where(std > 1e-12, std, torch.ones_like(std))


def split_codes(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split codes into training and validation codes."""
    order = np.random.default_rng(seed).permutation(len(codes))
    n = max(1, round(_HELD_OUT * len(codes)))
    return codes[order[n:]], codes[order[:n]]
