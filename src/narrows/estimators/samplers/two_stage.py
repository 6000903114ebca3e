"""A sampler of codes that is a VAE itself: the second stage.

    u ~ N(0, I)        z | u ~ N(mean(u), s^2 I)        q(z) = integral of N(z; mean(u), s^2 I) N(u; 0, I) du

The codes of a first model fill their space with a density of full dimension, unlike its examples. A VAE with as many
components as z can then learn that density, whatever its shape: its own codes u do follow N(0, I). s is one learned
scale.

Dai and Wipf, Diagnosing and enhancing VAE models (2019), https://arxiv.org/abs/1903.05789.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import Gaussian
from narrows.data import Schema
from narrows.estimators.samplers.base import (
    LabelledSampler,
    mean_and_std,
    split_codes,
    tensors_below,
    train_by_likelihood,
)
from narrows.evaluation.likelihood import importance
from narrows.model import Autoencoder, inference_mode
from narrows.params import LAYER_WIDTHS, Integer, Parameter
from narrows.recipes import assemble
from narrows.training import forked_rng
from narrows.types import Batch

_N_DRAWS = 200  # of the posterior of u, for a density
_PATIENCE = 30  # epochs: the bound of held-out codes is noisy
_N_WARMUP = 500  # steps in which the weight of the KL grows to 1; without them s stays wide, and components collapse


class TwoStage(LabelledSampler):
    """A second, small VAE, fitted to codes by its evidence lower bound. It has as many components as they have.

    It needs no extra, and fits a code of any shape that a network can. With few codes a mixture is more exact. With
    labels each class has its own VAE.

    Parameters
    ----------
    hidden : widths of the hidden layers of its encoder; those of its decoder are the reverse.
    max_epochs : largest number of passes over the codes; fewer if the bound of held-out codes does not rise any more.

    Examples
    --------
    >>> import torch
    >>> sampler = TwoStage(hidden=(8,), max_epochs=2).fit(torch.randn(200, 3).double(), seed=0)
    >>> sampler.draw(5, np.random.default_rng(0)).shape
    torch.Size([5, 3])
    """

    name = "two_stage"

    def __init__(self, hidden: tuple[int, ...] = (256, 256), *, max_epochs: int = 300) -> None:
        self.hidden, self.max_epochs = hidden, max_epochs
        self.tensors = {}

    def settings(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"hidden": list(self.hidden), "max_epochs": self.max_epochs}

    def check(self) -> None:
        """Raise a ValueError for a setting that is not valid."""
        owner = type(self).__name__
        for name, rule in (("hidden", LAYER_WIDTHS), ("max_epochs", Integer(1))):
            Parameter(name, None, rule, "").check(owner, getattr(self, name))

    def fit_one(self, Z: Tensor, seed: int) -> dict[str, Tensor]:
        """Fit a second VAE to codes Z (n x L)."""
        mean, std = mean_and_std(Z)
        train, held_out = map(torch.from_numpy, split_codes(((Z - mean) / std).float().numpy(), seed))
        with forked_rng(seed):
            model, steps = self._make_model(Z.shape[1]), itertools.count(1)

            def bound(part: Tensor) -> Tensor:
                return _bound(model, part, min(1.0, next(steps) / _N_WARMUP) if model.training else 1.0)

            state = train_by_likelihood(
                model, bound, train, held_out, self.max_epochs, learning_rate=3e-3, patience=_PATIENCE, batch=64
            )
        return {"mean": mean, "std": std, **{f"model.{name}": tensor for name, tensor in state.items()}}

    def draw_one(
        self, tensors: dict[str, Tensor], n: int, generator: np.random.Generator, temperature: float
    ) -> Tensor:
        """Draw codes from one VAE. The temperature scales both u and the noise of z."""
        model = self._load_model(tensors)
        u, noise = torch.from_numpy(generator.standard_normal((2, n, len(tensors["mean"]))) * temperature).float()
        with inference_mode(model):
            params = model.decoder(u)
            z = model.likelihood.mean(params) + noise * tensors["model.likelihood.variance"].sqrt()
        return z.double() * tensors["std"] + tensors["mean"]

    def log_prob_one(self, tensors: dict[str, Tensor], Z: Tensor) -> Tensor:
        """Return an importance estimate of log q(z) from 200 draws of the posterior of u: n numbers, nats.

        In expectation it is a lower bound, and exp of it is unbiased. The draws are the same in each call.
        """
        mean, std, model = tensors["mean"], tensors["std"], self._load_model(tensors)
        z = ((Z - mean) / std).float()
        with inference_mode(model):
            nats, _ = importance(model, model.encoder(z), z, _N_DRAWS, seed=0)
        return nats - std.log().sum()

    def _make_model(self, n_components: int) -> Autoencoder:
        zero, one = (0.0,) * n_components, (1.0,) * n_components  # the codes are standardised
        schema = Schema("vector", (n_components,), "d", "float32", "real", zero, one, zero, one)
        parts = assemble(
            schema, Gaussian(n_components), network="mlp", hidden=tuple(self.hidden), likelihood="gaussian"
        )
        return parts.model

    def _load_model(self, tensors: dict[str, Tensor]) -> Autoencoder:
        with forked_rng(0):
            model = self._make_model(len(tensors["mean"]))
        model.load_state_dict(tensors_below(tensors, "model."))
        return model.eval()


def _bound(model: Autoencoder, z: Tensor, weight: float) -> Tensor:
    """Return log p(z | u) - weight KL of each code, n numbers in nats, by one draw. Update the scale in training."""
    output = model(Batch(z, z))
    if model.training:
        model.likelihood.update_scale(output.params.detach(), z)
    return model.likelihood.score(output.params, z) - weight * output.code.costs["kl"]
