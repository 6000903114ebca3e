"""Likelihoods of entries in [0, 1]. o is the decoder's output for an entry."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.data import Schema
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.links import ArrayLink, inverse_langevin, logit


class _Unit(Likelihood):
    """Abstract: for entries in [0, 1]."""

    support = "[0, 1]"
    required_support = "unit"

    def contains(self, x: Tensor) -> Tensor:
        """Return True for entries from 0 to 1."""
        return (x >= 0) & (x <= 1)


class Bernoulli(_Unit):
    """p(x = 1) = sigmoid(o). For values between 0 and 1 this is the usual cross-entropy, not a normalised density.

    >>> import torch
    >>> round(float(Bernoulli().log_prob(torch.tensor(0.0), torch.tensor(1.0)).exp()), 3)
    0.5
    """

    name = "bernoulli"
    mean_function = "sigmoid"

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return x log sigmoid(o) + (1 - x) log sigmoid(-o) (B x shape)."""
        return -F.binary_cross_entropy_with_logits(params, x, reduction="none")

    def mean(self, params: Tensor) -> Tensor:
        """Return sigmoid(o) (B x shape)."""
        return torch.sigmoid(params)

    def sample(self, params: Tensor) -> Tensor:
        """Draw 0 or 1 for each entry (B x shape)."""
        return rng.bernoulli(torch.sigmoid(params))

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return log(m / (1 - m))."""
        return logit(m)

    def link(self, schema: Schema) -> nn.Module:
        """Return the logit."""
        return ArrayLink(schema, logit)


class ContinuousBernoulli(_Unit):
    """p(x) = C(o) sigmoid(o)^x sigmoid(-o)^(1 - x), a density on [0, 1].

    Loaiza-Ganem and Cunningham, The continuous Bernoulli (2019), https://arxiv.org/abs/1907.06845. In the natural
    parameter o, with s(o) = sinh(o/2) / (o/2): log p(x) = o (x - 1/2) - log s(o).
    """

    name = "continuous_bernoulli"
    mean_function = "continuous_bernoulli"

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return o (x - 1/2) - log(sinh(o/2) / (o/2)) (B x shape)."""
        return params * (x - 0.5) - _log_sinhc(params)

    def mean(self, params: Tensor) -> Tensor:
        """Return 1 / (1 - exp(-o)) - 1/o (B x shape), by its series near 0, where both terms diverge."""
        is_small = params.abs() < 0.1
        safe = torch.where(is_small, torch.ones_like(params), params)
        mean = 1 / (-torch.expm1(-safe.abs())) - 1 / safe.abs()
        mean = torch.where(safe > 0, mean, 1 - mean)
        return torch.where(is_small, 0.5 + params / 12 - params**3 / 720, mean)

    def sample(self, params: Tensor) -> Tensor:
        """Draw by the inverse of the distribution function at a uniform u: log(1 + u (exp(o) - 1)) / o."""
        u = rng.rand_like(params)
        is_small = params.abs() < 1e-3
        safe = torch.where(is_small, torch.ones_like(params), params).abs()
        # for o > 0, factor exp(o) out so that it cannot overflow; for o < 0, mirror x -> 1 - x
        draw = 1 + torch.log(u + (1 - u) * torch.exp(-safe)) / safe
        return torch.where(is_small, u, torch.where(params > 0, draw, 1 - draw)).clamp(0, 1)

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Find o by bisection, which is reliable in the whole range."""
        m = m.clamp(0.005, 0.995)
        low, high = torch.full_like(m, -250.0), torch.full_like(m, 250.0)
        for _ in range(60):
            middle = (low + high) / 2
            is_below = self.mean(middle) < m
            low, high = torch.where(is_below, middle, low), torch.where(is_below, high, middle)
        return (low + high) / 2

    def link(self, schema: Schema) -> nn.Module:
        """Return the inverse of the mean, approximately."""
        return ArrayLink(schema, inverse_langevin)


def _log_sinhc(o: Tensor) -> Tensor:
    """Return log(sinh(o/2) / (o/2)), by its series o^2/24 - o^4/2880 near 0."""
    is_small = o.abs() < 0.1
    a = torch.where(is_small, torch.ones_like(o), o).abs()
    value = a / 2 + torch.log(-torch.expm1(-a)) - torch.log(a)
    return torch.where(is_small, o**2 / 24 - o**4 / 2880, value)
