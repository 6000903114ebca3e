"""Scores of examples by a model, in nats, without random numbers: an example's score is its own, in any batch."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

from narrows.bottlenecks import Gaussian
from narrows.model import Autoencoder

AUTO_CONTAMINATION = 0.05  # what contamination="auto" stands for in the estimators
N_DRAWS = 8  # of the posterior, for an ELBO


def log_likelihood(model: Autoencoder, x: Tensor) -> Tensor:
    """Nats of each example of `x` (B x shape), clean: B numbers.

    For a stochastic code it is the ELBO, E_q[log p(x | z)] - KL(q(z | x) || p(z)), the expectation taken over the same
    `N_DRAWS` draws for every example, in pairs eps, -eps; for a conditional model that of x and its likeliest label y,
    log p(y) + ELBO(x | y). Otherwise it is log p(x | z) at the code z of x, which is no likelihood of x itself.
    """
    h = model.encoder(x)
    bottleneck = model.bottleneck
    if not isinstance(bottleneck, Gaussian):
        return model.likelihood.score(model.decoder(bottleneck.encode(h)), x)
    mean, log_std = bottleneck.split(h)
    label = model.infer(x) if model.n_classes else None
    total = torch.zeros(len(x), dtype=mean.dtype, device=mean.device)
    for eps in draws(bottleneck.n_components, N_DRAWS).to(mean):
        z = mean + log_std.exp() * eps
        total = total + model.likelihood.score(model.decoder(z if label is None else torch.cat([z, label], 1)), x)
    elbo = total / N_DRAWS - bottleneck.kl(h).sum(1)
    if label is None or model.log_frequencies is None:
        return elbo
    return elbo + (label * model.log_frequencies).sum(1)  # log p(x) is at least log p(x, y) at any label y


@functools.lru_cache(maxsize=8)
def draws(n_components: int, n: int) -> Tensor:
    """`n` fixed draws from N(0, I), in pairs of opposite sign (n x n_components).

    All examples share them, so their errors would not average out: they are made to have the mean 0 and the variance 1
    in each component exactly, and no correlations where n / 2 pairs suffice for that.
    """
    pairs = n // 2
    half = torch.randn(pairs, n_components, generator=torch.Generator().manual_seed(20_260_101), dtype=torch.float64)
    if pairs >= n_components:
        half = torch.linalg.qr(half).Q
    half = half / half.square().mean(0).sqrt()
    return torch.cat([half, -half])
