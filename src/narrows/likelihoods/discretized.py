"""The discretized logistic distribution: probabilities of the 256 levels of 8-bit images."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.data import Schema
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.links import ArrayLink

_LEVELS = 255  # x = level / 255
_HALF = 0.5 / _LEVELS
_LOG_FLOOR, _LOG_CEILING = -7.5, 1.0  # of the scale: a seventh of a level, and nearly a uniform distribution
_LOG_START = -3.0  # before the training: a twentieth of [0, 1]
_TOLERANCE = 1e-3  # of a level: x has been divided in single precision


class DiscretizedLogistic(Likelihood):
    """P(x) of x = k / 255, the logistic distribution between the middles to the levels below and above.

        o = (m, s)    log scale = s - 3, softly bounded by c and 1
        a, b = (x + 1/510 - m) / scale, (x - 1/510 - m) / scale
        log P(x) = log(sigmoid(a) - sigmoid(b)) = log sigmoid(a) + log sigmoid(-b) + log(1 - exp(b - a))

    c is the log of the smallest scale. All of the tail below 0 belongs to x = 0, and that above 1 to x = 1, so that the
    256 probabilities add up to 1. In bits for each number: -log P / log 2. Kingma et al., Improving variational
    inference with inverse autoregressive flow (2016), https://arxiv.org/abs/1606.04934; with a scale for each entry,
    as here, Salimans et al., PixelCNN++ (2017), https://arxiv.org/abs/1701.05517.

    >>> import torch
    >>> x = torch.arange(256.0)[None] / 255
    >>> params = torch.tensor([[0.2], [-1.0]]).expand(2, 256).reshape(1, -1)
    >>> round(float(DiscretizedLogistic().log_prob(params, x).exp().sum()), 4)
    1.0
    """

    name = "discretized_logistic"
    support = "the 256 levels 0, 1/255, ..., 1 of 8-bit images"
    required_support = "unit"
    n_params = 2

    def split(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the location and the log scale of each entry (B x shape each)."""
        m, s = params.chunk(2, 1)
        floored = _LOG_FLOOR + F.softplus(s + (_LOG_START - _LOG_FLOOR))
        return m, _LOG_CEILING - F.softplus(_LOG_CEILING - floored)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return log P(x) by the formula above (B x shape), without differences of numbers that are nearly equal."""
        m, log_scale = self.split(params)
        rate = (-log_scale).exp()
        below, above = (x - _HALF - m) * rate, (x + _HALF - m) * rate
        is_first, is_last = x < _HALF, x > 1 - _HALF
        nats = F.logsigmoid(above).masked_fill(is_last, 0.0) + F.logsigmoid(-below).masked_fill(is_first, 0.0)
        return nats + torch.log(-torch.expm1(-2 * _HALF * rate)).masked_fill(is_first | is_last, 0.0)

    def mean(self, params: Tensor) -> Tensor:
        """Return the mean of the logistic distribution, its tails cut at 0 and 1 (B x shape).

            scale (softplus(m / scale) - softplus((m - 1) / scale))

        It differs from the mean over the levels by less than a fifth of a level.
        """
        m, log_scale = self.split(params)
        scale = log_scale.exp()
        return (scale * (F.softplus(m / scale) - F.softplus((m - 1) / scale))).clamp(0, 1)

    def sample(self, params: Tensor) -> Tensor:
        """Draw a level for each entry (B x shape): that of a logistic draw."""
        m, log_scale = self.split(params)
        u = rng.rand_like(m).clamp(1e-7, 1 - 1e-7)
        return ((m + log_scale.exp() * torch.logit(u)).clamp(0, 1) * _LEVELS).round() / _LEVELS

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return m, followed by numbers that make the scale about 1/20."""
        return torch.cat([m, torch.zeros_like(m)])

    def link(self, schema: Schema) -> nn.Module:
        """Return the identity, with a scale of about 1/20."""
        return ArrayLink(schema, n_more=1)

    def contains(self, x: Tensor) -> Tensor:
        """Return True for whole levels from 0 to 1."""
        level = x * _LEVELS
        return (x >= 0) & (x <= 1) & ((level - level.round()).abs() <= _TOLERANCE)
