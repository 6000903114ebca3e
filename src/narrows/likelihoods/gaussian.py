"""Gaussian likelihoods, with one scale for all entries or one for each. o is the decoder's output for an entry."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import batch_mean, batch_sum
from narrows.data import Schema
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.links import ArrayLink, logit

_LOG_2PI = math.log(2 * math.pi)
_SMALLEST_SCALE = 1e-3  # data that a model reproduces exactly must not make the likelihood infinite
_LOG_FLOOR = math.log(_SMALLEST_SCALE)


class Gaussian(Likelihood):
    """N(m, scale^2) with one learned scale for all entries; m = o, or sigmoid(o) if the data lie in [0, 1].

    The scale is the maximum-likelihood one: the root of a running mean of the squared error (Rybkin et al., Simple and
    effective VAE training with calibrated decoders, 2021, https://arxiv.org/abs/2006.13202). So the gradient with
    respect to the mean is the gradient of a squared error, and its weight against the other costs needs no tuning.

    Parameters
    ----------
    bounded : True to pass m through a sigmoid.
    each : None, or the smallest scale, if each example is scored with its own likeliest scale. This maximises the mean
        peak signal-to-noise ratio of the examples, and suits examples that are not equally hard.
    """

    name = "gaussian"
    support = "(-inf, inf)"
    variance: Tensor
    seen: Tensor

    def __init__(self, bounded: bool = False, each: float | None = None) -> None:
        super().__init__()
        self.bounded, self.each = bounded, each
        self.mean_function = "sigmoid" if bounded else "identity"
        self.register_buffer("variance", torch.tensor(1.0))
        self.register_buffer("seen", torch.tensor(0.0))

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return -((x - m) / scale)^2 / 2 - log scale - log(2 pi) / 2 (B x shape)."""
        error = (x - self.mean(params)).square()
        if self.each is None:
            variance = self.variance.clamp(min=_SMALLEST_SCALE**2)
        else:  # the likeliest scale has no gradient
            variance = error.detach().mean(tuple(range(1, error.dim())), keepdim=True) + self.each**2
        return -0.5 * (error / variance + variance.log() + _LOG_2PI)

    @torch.no_grad()
    def update_scale(self, params: Tensor, x: Tensor, weight: Tensor | None = None) -> None:
        """Add the squared error of a training batch x (B x shape) to the running mean."""
        error = (x - self.mean(params)).square()
        has_cells = torch.ones_like(self.seen)
        if weight is None:
            error = batch_mean(error.mean())
        else:
            total, observed = batch_sum(torch.stack([(error * weight).sum(), weight.sum()]))
            error, has_cells = total / observed.clamp(min=1), (observed > 0).to(self.seen.dtype)
        # an average of all batches at first, then of about the last hundred; no change without observed entries
        self.seen.add_(has_cells)
        rate = (1 / self.seen.clamp(min=1)).clamp(min=0.01) * has_cells
        self.variance.lerp_(error.to(self.variance.dtype), rate)

    def mean(self, params: Tensor) -> Tensor:
        """Return o or sigmoid(o) (B x shape)."""
        return torch.sigmoid(params) if self.bounded else params

    def sample(self, params: Tensor) -> Tensor:
        """Return m + scale * eps (B x shape), clipped to [0, 1] if m is bounded."""
        x = self.mean(params) + self.variance.sqrt().clamp(min=_SMALLEST_SCALE) * rng.randn_like(params)
        return x.clamp(0, 1) if self.bounded else x

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return m or its logit."""
        return logit(m) if self.bounded else m

    def link(self, schema: Schema) -> nn.Module:
        """Return the identity, or the logit."""
        return ArrayLink(schema, logit if self.bounded else None)

    def contains(self, x: Tensor) -> Tensor:
        """Return True for finite entries."""
        return torch.isfinite(x)


class HeteroscedasticGaussian(Likelihood):
    """N(m, s^2): the decoder gives the mean and the scale of each entry.

        o = (o_1, o_2)    m = o_1, or sigmoid(o_1) if the data lie in [0, 1]    log s = c + softplus(o_2 - c)

    c is the log of the smallest scale, so that data that a model reproduces exactly do not make the likelihood
    infinite. Nix and Weigend, Estimating the mean and variance of the target probability distribution (1994),
    https://doi.org/10.1109/ICNN.1994.374138.

    Parameters
    ----------
    bounded : True to pass m through a sigmoid.

    >>> import torch
    >>> HeteroscedasticGaussian().params_shape((3, 8, 8))
    (6, 8, 8)
    """

    name = "heteroscedastic"
    support = "(-inf, inf)"
    n_params = 2

    def __init__(self, bounded: bool = False) -> None:
        super().__init__()
        self.bounded = bounded

    def split(self, params: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log scale of each entry (B x shape each)."""
        m, s = params.chunk(2, 1)
        return torch.sigmoid(m) if self.bounded else m, _LOG_FLOOR + F.softplus(s - _LOG_FLOOR)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return -((x - m) / s)^2 / 2 - log s - log(2 pi) / 2 (B x shape)."""
        m, log_s = self.split(params)
        return -0.5 * ((x - m) * (-log_s).exp()).square() - log_s - 0.5 * _LOG_2PI

    def mean(self, params: Tensor) -> Tensor:
        """Return m (B x shape)."""
        return self.split(params)[0]

    def sample(self, params: Tensor) -> Tensor:
        """Return m + s * eps (B x shape), clipped to [0, 1] if m is bounded."""
        m, log_s = self.split(params)
        x = m + log_s.exp() * rng.randn_like(m)
        return x.clamp(0, 1) if self.bounded else x

    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return m or its logit, followed by numbers that make the scale about 1."""
        return torch.cat([logit(m) if self.bounded else m, torch.zeros_like(m)])

    def link(self, schema: Schema) -> nn.Module:
        """Return the identity, or the logit, with a scale of about 1."""
        return ArrayLink(schema, logit if self.bounded else None, n_more=1)

    def contains(self, x: Tensor) -> Tensor:
        """Return True for finite entries."""
        return torch.isfinite(x)
