"""The prior of a code as a sampler."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks import PriorCode
from narrows.estimators.samplers.base import Sampler
from narrows.model import Autoencoder, inference_mode


class Prior(Sampler):
    """The prior p(z) of a code. It is part of the model, and is never saved separately.

    Parameters
    ----------
    model : a model whose code has a prior.
    """

    name = "prior"

    def __init__(self, model: Autoencoder) -> None:
        self.model, self.tensors = model, {}

    def settings(self) -> dict[str, Any]:
        """Return no settings: they are in the model's recipe."""
        return {}

    def fit(self, Z: Tensor, seed: int, labels: np.ndarray | None = None) -> Prior:
        """Return the prior unchanged: it was trained with its model."""
        return self

    def draw(
        self, n: int, generator: np.random.Generator, temperature: float = 1.0, labels: np.ndarray | None = None
    ) -> Tensor:
        """Draw new codes from noise scaled by the temperature; `labels` are ignored."""
        eps = torch.from_numpy(generator.standard_normal((n, self._code.n_prior_noise)))
        eps[:, self._code.n_unscaled_noise :] *= temperature
        if eps.shape[1] == len(self.model.order):  # the noise of a component does not depend on their order
            eps = self.model.to_own_order(eps)
        with inference_mode(self.model):
            z = self._code.from_prior(eps.to(self._like)).detach()
        return z[:, self.model.order.to(z.device)].double().cpu()

    def log_prob(self, Z: Tensor) -> Tensor:
        """Return log p(z): n numbers, nats."""
        with inference_mode(self.model):
            return self._code.log_prior(self.model.to_own_order(Z.to(self._like))).detach().double().cpu()

    @property
    def _code(self) -> PriorCode:
        code = self.model.prior_code
        assert code is not None
        return code

    @property
    def _like(self) -> Tensor:
        """A tensor on the device and in the dtype of the prior; a prior without parameters computes in float64."""
        return next(self._code.parameters(), torch.zeros((), dtype=torch.float64))
