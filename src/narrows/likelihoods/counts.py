"""Likelihoods of counts. o is the decoder's output for an entry."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.data import Schema
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.links import LARGEST_LOG_COUNT, ArrayLink, log_count


class _Counts(Likelihood):
    """Abstract: for counts, whose mean is exp(o)."""

    support = "0, 1, 2, ..."
    required_support = "count"
    mean_function = "exp"

    def mean(self, params: Tensor) -> Tensor:
        """Return exp(o), at most e^20 (B x shape)."""
        return params.clamp(max=LARGEST_LOG_COUNT).exp()

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return log m."""
        return log_count(m)

    def link(self, schema: Schema) -> nn.Module:
        """Return the logarithm."""
        return ArrayLink(schema, log_count)

    def contains(self, x: Tensor) -> Tensor:
        """Return True for whole numbers from 0."""
        return (x >= 0) & (x == x.round())


class Poisson(_Counts):
    """Counts with rate exp(o): log p(x) = x o - exp(o) - log x!."""

    name = "poisson"

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return x o - exp(o) - log x! (B x shape)."""
        log_rate = params.clamp(max=LARGEST_LOG_COUNT)
        return x * log_rate - log_rate.exp() - torch.lgamma(x + 1)

    def sample(self, params: Tensor) -> Tensor:
        """Draw a count for each entry (B x shape)."""
        return rng.poisson(self.mean(params))


class NegativeBinomial(_Counts):
    """Counts of mean m = exp(o) and variance m + m^2 / r, with one learned dispersion r for all entries.

    As in scVI, Lopez et al. (2018), https://doi.org/10.1038/s41592-018-0229-2:
    log p(x) = log Gamma(x + r) - log Gamma(r) - log x! + r log(r / (r + m)) + x log(m / (r + m)).
    """

    name = "negative_binomial"

    def __init__(self) -> None:
        super().__init__()
        self.log_dispersion = nn.Parameter(torch.tensor(0.0))

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return log p(x) by the formula above (B x shape)."""
        log_m = params.clamp(max=LARGEST_LOG_COUNT)
        log_r = self.log_dispersion.clamp(-10, 10).to(log_m.dtype)
        r = log_r.exp()
        log_sum = torch.logaddexp(log_r, log_m)
        nats = r * (log_r - log_sum) + x * (log_m - log_sum)
        return nats + torch.lgamma(x + r) - torch.lgamma(r) - torch.lgamma(x + 1)

    def sample(self, params: Tensor) -> Tensor:
        """Draw Poisson counts with gamma-distributed rates (B x shape)."""
        r = self.log_dispersion.clamp(-10, 10).exp().expand_as(params)
        return rng.poisson(rng.gamma(r, r / self.mean(params)))
