"""Scores of examples by a model, in nats, without random numbers: an example's score is its own, in any batch."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar, cast

import numpy as np
import torch
from torch import Tensor

from narrows.fitted import FittedModel
from narrows.model import Autoencoder, infer_label, inference_mode

T = TypeVar("T")
AUTO_CONTAMINATION = 0.05  # what contamination="auto" stands for in the estimators
N_DRAWS = 8  # of the posterior, for an ELBO


def log_likelihood(model: Autoencoder, x: Tensor) -> Tensor:
    """Return the nats of each clean example of `x` (B x shape): B numbers.

    For a stochastic code it is the ELBO, E_q[log p(x | z) + log p(z) - log q(z | x)], the expectation taken over the
    same `N_DRAWS` draws for every example, in pairs eps, -eps; for a conditional model that of x and its likeliest
    label y, log p(y) + ELBO(x | y). Otherwise it is log p(x | z) at the code z of x, which is no likelihood of x.
    """
    columns, log_p_label = _likeliest_label(model, x)
    h = model.encoder(x)
    code = model.stochastic
    if code is None:
        z = model.bottleneck.encode(h)
        nats = model.likelihood.score(model.decoder(z if columns is None else torch.cat([z, columns], 1)), x)
        return nats if log_p_label is None else nats + log_p_label
    total = torch.zeros(len(x), dtype=torch.promote_types(h.dtype, torch.float32), device=h.device)
    for eps in draws(code.n_noise, N_DRAWS).to(total):
        z, log_q, log_p = code.sample(h, eps.expand(len(h), -1))
        params = model.decoder(z if columns is None else torch.cat([z, columns], 1))
        total = total + (log_p - log_q) + model.likelihood.score(params, x)
    elbo = total / N_DRAWS
    return elbo if log_p_label is None else elbo + log_p_label  # log p(x) is at least log p(x, y) at any label y


def _likeliest_label(model: Autoencoder, x: Tensor) -> tuple[Tensor, Tensor] | tuple[None, None]:
    """The columns of the likeliest label of each example (B x C) and log p(y) (B, nats); None without labels."""
    if model.label is None:
        return None, None
    columns = infer_label(model, x)
    return columns, (columns * model.label.log_frequencies).sum(1)


def entry_costs(model: FittedModel, rows: Tensor) -> np.ndarray:
    """Return -log p(x | z) of each entry at the example's own code z: n x `schema.shape`, nats.

    Parameters
    ----------
    rows : examples on the model's scale, n x `schema.shape`.
    """
    network = model.module()

    def costs(x: Tensor) -> Tensor:
        return -network.likelihood.log_prob(network.decode_own(x), x)

    return model.applied(costs, rows).double().numpy()


def usual_costs(costs: np.ndarray) -> np.ndarray:
    """Return what each entry usually costs: its median over examples, 0 where there is one example only.

    An entry that is noisy in every example makes none of them strange. A mean would be drawn up by the strange ones.
    """
    return np.median(costs, axis=0) if len(costs) > 1 else np.zeros(costs.shape[1:])


def apply_to_code(model: Autoencoder, function: Callable[[Tensor], T], h: Tensor) -> T:
    """Call a method of the bottleneck, such as `encode`, with the encoder's output `h`; tensors return to the CPU."""
    with inference_mode(model):
        result: Any = function(h.to(next(model.parameters()).device))
    return cast("T", result.detach().cpu() if isinstance(result, Tensor) else result)


@functools.lru_cache(maxsize=8)
@torch.inference_mode(False)  # they are kept, for whoever comes with gradients, too
def draws(n_components: int, n: int) -> Tensor:
    """Return `n` fixed draws from N(0, I), in pairs of opposite sign (n x n_components).

    All examples share them, so their errors would not average out: they are made to have the mean 0 and the variance 1
    in each component exactly, and no correlations where n / 2 pairs suffice for that.
    """
    pairs, generator = n // 2, torch.Generator().manual_seed(20_260_101)
    with torch.inference_mode(False):  # they are kept, also for parts that take gradients
        half = torch.randn(pairs, n_components, generator=generator, dtype=torch.float64)
        if pairs >= n_components:
            half = torch.linalg.qr(half).Q
        half = half / half.square().mean(0).sqrt()
        return torch.cat([half, -half])
