"""Scores of examples by a model, in nats, without random numbers: the score does not depend on the batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from narrows.fitted import FittedModel
from narrows.model import Autoencoder, infer_label, inference_mode
from narrows.types import split_missing

T = TypeVar("T")
AUTO_CONTAMINATION = 0.05  # what contamination="auto" stands for in the estimators
N_DRAWS = 8  # draws of the posterior, for an ELBO


def log_likelihood(model: Autoencoder, x: Tensor) -> Tensor:
    """Return the score of each clean example of `x` (B x shape): (B,) nats.

    For a stochastic code it is the ELBO, E_q[log p(x | z) + log p(z) - log q(z | x)]. The expectation is a mean over
    the same `N_DRAWS` draws for every example, in pairs eps, -eps. For a conditional model it is the ELBO of x and its
    likeliest label y, log p(y) + ELBO(x | y). For any other code it is log p(x | z) at the code z of x, which is not a
    likelihood of x. Missing entries (NaN) are left out.
    """
    target, observed = split_missing(x)
    columns, log_p_label = _likeliest_label(model, x)
    h = model.encoder(x)
    code = model.stochastic
    if code is None:
        z = model.bottleneck.encode(h)
        nats = model.likelihood.score(
            model.decoder(z if columns is None else torch.cat([z, columns], 1)), target, observed
        )
        return nats if log_p_label is None else nats + log_p_label
    total = torch.zeros(len(x), dtype=torch.promote_types(h.dtype, torch.float32), device=h.device)
    for eps in draws(code.n_noise, N_DRAWS).to(total):
        z, log_q, log_p = code.sample(h, eps.expand(len(h), -1))
        params = model.decoder(z if columns is None else torch.cat([z, columns], 1))
        total = total + (log_p - log_q) + model.likelihood.score(params, target, observed)
    elbo = total / N_DRAWS
    return elbo if log_p_label is None else elbo + log_p_label  # log p(x) is at least log p(x, y) for any label y


def _likeliest_label(model: Autoencoder, x: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """Return the columns of the likeliest label of each example (B x C) and log p(y) (B, nats); None without labels."""
    if model.label is None:
        return None, None
    columns = infer_label(model, x)
    return columns, (columns * model.label.log_frequencies).sum(1)


class OutlierShare(NamedTuple):
    """The share of n examples that are called outliers: what `contamination` lets expect, and what was found."""

    expected: float
    found: float
    n: int

    @property
    def hint(self) -> str:
        """A sentence about shares that differ by more than a factor of two and chance, otherwise nothing."""
        noise = 2 * np.sqrt(self.expected / self.n)  # two standard errors of the found share
        if self.found > 2 * self.expected + noise:
            return ". These examples differ from those of the training."
        if self.found < self.expected / 2 - noise:
            return ". So few are usual for examples that the model was trained on."
        return ""

    def __str__(self) -> str:
        return f"{self.expected:.1%} outliers expected, {self.found:.1%} found"


def expected_outliers(contamination: float | str) -> float:
    """Return the share of outliers for which the parameter `contamination` sets the threshold."""
    return AUTO_CONTAMINATION if contamination == "auto" else float(contamination)


def outlier_share(contamination: float | str, is_outlier: np.ndarray) -> OutlierShare:
    """Return the expected and the found share of outliers among n examples, from (n,) booleans."""
    return OutlierShare(expected_outliers(contamination), float(np.mean(is_outlier)), len(is_outlier))


def entry_costs(model: FittedModel, rows: Tensor) -> np.ndarray:
    """Return -log p(x | z) of each entry at the example's own code z: n x `schema.shape`, nats; 0 where it is missing.

    Parameters
    ----------
    rows : examples on the model's scale, n x `schema.shape`.
    """
    network = model.module()

    def costs(x: Tensor) -> Tensor:
        target, observed = split_missing(x)
        nats = -network.likelihood.log_prob(network.decode_own(x), target)
        return nats if observed is None else nats * observed

    return model.apply(costs, rows).double().numpy()


def usual_costs(costs: np.ndarray) -> np.ndarray:
    """Return the usual cost of each entry: its median over examples, or 0 if there is only one example.

    An entry that is noisy in every example makes none of them strange. A mean would be raised by the strange ones.
    """
    return np.median(costs, axis=0) if len(costs) > 1 else np.zeros(costs.shape[1:])


def apply_to_code(model: Autoencoder, function: Callable[[Tensor], T], h: Tensor) -> T:
    """Call a method of the bottleneck, such as `encode`, with the encoder's output `h`; tensors return to the CPU."""
    with inference_mode(model):
        result: Any = function(h.to(next(model.parameters()).device))
    return cast("T", result.detach().cpu() if isinstance(result, Tensor) else result)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # the draws are cached, also for callers that need gradients
def draws(n_components: int, n: int) -> Tensor:
    """Return `n` fixed draws from N(0, I), in pairs of opposite sign (n x n_components).

    All examples share the draws, so their errors would not average out. Therefore each component has exactly the mean 0
    and the variance 1, and if n / 2 is at least `n_components`, components are not correlated.
    """
    pairs, generator = n // 2, torch.Generator().manual_seed(20_260_101)
    with torch.inference_mode(False):
        half = torch.randn(pairs, n_components, generator=generator, dtype=torch.float64)
        if pairs >= n_components:
            half = torch.linalg.qr(half).Q
        half = half / half.square().mean(0).sqrt()
        return torch.cat([half, -half])
