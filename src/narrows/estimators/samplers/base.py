"""The interface of samplers, and what fits several of them."""

from __future__ import annotations

import copy
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from narrows.model import Autoencoder

MIN_CODES = 10  # smallest number of codes to fit a sampler to
_HELD_OUT = 0.1  # share of the codes that decide on the number of Gaussians, and when a training ends


class Sampler(ABC):
    """Abstract: a density of codes that can be drawn from.

    Constructors only store plain numbers. Fitted values are in `tensors`. Both can be saved.
    """

    name: str
    tensors: dict[str, Tensor]
    classes: tuple[Any, ...] | None = None  # labels that the sampler was fitted with

    def bind(self, model: Autoencoder, owner: str) -> Sampler:
        """Give the sampler the model whose codes it draws, before each use. Raise ValueError if it cannot draw them."""
        return self

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


class LabelledSampler(Sampler):
    """Abstract: with labels, each class has a density of its own, and all together are q(z) = sum_y w_y q(z | y).

    w_y is the share of the class y. The densities have the same settings and are fitted one after the other.
    """

    @abstractmethod
    def check(self) -> None:
        """Raise a ValueError for a setting that is not valid."""

    @abstractmethod
    def fit_one(self, Z: Tensor, seed: int) -> dict[str, Tensor]:
        """Return the tensors of one density, fitted to codes Z (n x L)."""

    @abstractmethod
    def draw_one(
        self, tensors: dict[str, Tensor], n: int, generator: np.random.Generator, temperature: float
    ) -> Tensor:
        """Draw codes (n x L, float64) from one density."""

    @abstractmethod
    def log_prob_one(self, tensors: dict[str, Tensor], Z: Tensor) -> Tensor:
        """Return the log-density of codes Z (n x L) by one density, n numbers in nats."""

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> LabelledSampler:
        """Fit to codes Z (n x L), with a density for each class if `labels` (class indices) are given.

        Raises
        ------
        ValueError
            If a setting is not valid, or a class has fewer than 10 codes.
        ImportError
            If a package that the sampler needs is not installed.
        """
        self.check()
        if labels is None:
            self.tensors = self.fit_one(Z, seed)
            return self
        counts = count_classes(labels, len(self.classes or ()), type(self).__name__)
        self.tensors = {"shares": torch.from_numpy(counts / len(Z))}
        for i in range(len(counts)):
            part = self.fit_one(Z[torch.from_numpy(labels == i)], seed)
            self.tensors |= {f"{i}.{name}": tensor for name, tensor in part.items()}
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes, with labels from the densities of their classes."""
        if "shares" not in self.tensors:
            return self.draw_one(self.tensors, n, generator, temperature)
        if labels is None:
            labels = generator.choice(len(self.tensors["shares"]), n, p=self.tensors["shares"].numpy())
        classes, counts = np.unique(labels, return_counts=True)
        by_class = [
            self.draw_one(tensors_below(self.tensors, f"{i}."), k, generator, temperature)
            for i, k in zip(classes.tolist(), counts.tolist(), strict=True)
        ]
        places = np.argsort(np.argsort(labels, kind="stable"))  # of each label among the sorted ones
        return torch.cat(by_class)[torch.from_numpy(places)]

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log sum_y w_y q(z | y), without labels log q(z): n numbers, nats."""
        if "shares" not in self.tensors:
            return self.log_prob_one(self.tensors, Z)
        shares = self.tensors["shares"].log().tolist()
        by_class = [
            share + self.log_prob_one(tensors_below(self.tensors, f"{i}."), Z) for i, share in enumerate(shares)
        ]
        return torch.stack(by_class).logsumexp(0)


def tensors_below(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names begin with `prefix`, by the rest of their names."""
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}


def count_classes(labels: np.ndarray, n_classes: int, owner: str) -> np.ndarray:
    """Return the number of codes of each class. Raises a ValueError if a class has fewer than 10."""
    counts = np.bincount(labels, minlength=n_classes)
    if counts.min() < MIN_CODES:
        raise ValueError(f"{owner} needs {MIN_CODES} examples of each label. One has {counts.min()}.")
    return counts


def mean_and_std(Z: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean and the standard deviation of each component. A standard deviation of 0 becomes 1."""
    std, mean = torch.std_mean(Z, 0, correction=0)
    return mean, torch.where(std > 1e-12, std, torch.ones_like(std))


def split_codes(codes: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Split codes into training and validation codes."""
    order = np.random.default_rng(seed).permutation(len(codes))
    n = max(1, round(_HELD_OUT * len(codes)))
    return codes[order[n:]], codes[order[:n]]


def train_by_likelihood(
    network: nn.Module,
    log_prob: Callable[[Tensor], Tensor],
    train: Tensor,
    held_out: Tensor,
    max_epochs: int,
    *,
    learning_rate: float = 1e-3,
    weight_decay: float = 1e-4,
    patience: int = 5,
    batch: int = 256,
) -> dict[str, Tensor]:
    """Train `network` by maximum likelihood and return its state with the highest likelihood of held-out codes.

    It has its own loop, because a density is not an autoencoder: it has one loss and no schedule.

    Parameters
    ----------
    log_prob : function from rows of `train` to their log density by `network`, nats.
    train, held_out : rows, n x ...
    """
    optimizer = torch.optim.AdamW(network.parameters(), lr=learning_rate, weight_decay=weight_decay)
    best, best_loss, n_without_improvement = copy.deepcopy(network.state_dict()), math.inf, 0
    for _ in range(max_epochs):
        network.train()
        for part in torch.randperm(len(train)).split(batch):
            loss = -log_prob(train[part]).mean()
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
            optimizer.step()
        network.eval()
        with torch.no_grad():
            held_out_loss = float(-log_prob(held_out).mean())
        if held_out_loss < best_loss:
            best, best_loss, n_without_improvement = copy.deepcopy(network.state_dict()), held_out_loss, 0
        else:
            n_without_improvement += 1
            if n_without_improvement == patience:
                break
    return best
