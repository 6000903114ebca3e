"""Student's t-distribution: a Gaussian with heavy tails, so that gross outliers do not bend the model."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import batch_sum
from narrows.data import Schema
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.links import ArrayLink, logit

_SMALLEST_SCALE = 1e-3  # as of the Gaussian
_FEWEST, _MOST = 1.0, 100.0  # degrees of freedom: above 1 there is a mean, at 100 the tails are nearly a Gaussian's


class StudentT(Likelihood):
    """t(m, scale, nu) with one learned scale and one nu for all entries; m = o, or sigmoid(o) for data in [0, 1].

        log p(x) = log Gamma((nu + 1) / 2) - log Gamma(nu / 2) - log(nu pi) / 2 - log scale
                   - (nu + 1) / 2 log(1 + e^2 / nu),    e = (x - m) / scale

    An entry counts for the mean by its weight w = (nu + 1) / (nu + e^2), which falls to 0 for outliers. The scale is
    the maximum-likelihood one, by the steps scale^2 <- mean of w (x - m)^2 of the EM algorithm, as a running mean; nu,
    from 1 to 100, learns by its gradient. Lange, Little and Taylor, Robust statistical modeling using the t
    distribution (1989), https://doi.org/10.1080/01621459.1989.10478852.

    Parameters
    ----------
    bounded : True to pass m through a sigmoid.

    >>> import torch
    >>> far, near = StudentT().log_prob(torch.zeros(2), torch.tensor([100.0, 1.0]))
    >>> bool(near - far < 30)
    True
    """

    name = "student_t"
    support = "(-inf, inf)"
    variance: Tensor
    seen: Tensor

    def __init__(self, bounded: bool = False) -> None:
        super().__init__()
        self.bounded = bounded
        self.mean_function = "sigmoid" if bounded else "identity"
        self.raw_nu = nn.Parameter(torch.tensor(-3.0))  # nu = 5.7
        self.register_buffer("variance", torch.tensor(1.0))  # scale^2, which is not the variance of x
        self.register_buffer("seen", torch.tensor(0.0))

    @property
    def nu(self) -> Tensor:
        """The degrees of freedom, a scalar."""
        return _FEWEST + (_MOST - _FEWEST) * torch.sigmoid(self.raw_nu)

    @property
    def scale(self) -> Tensor:
        """The scale, a scalar."""
        return self.variance.sqrt().clamp(min=_SMALLEST_SCALE)

    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return log p(x) by the formula above (B x shape)."""
        nu, scale = self.nu.to(params.dtype), self.scale.to(params.dtype)
        constant = torch.lgamma((nu + 1) / 2) - torch.lgamma(nu / 2) - 0.5 * (nu * math.pi).log() - scale.log()
        return constant - (nu + 1) / 2 * torch.log1p(((x - self.mean(params)) / scale).square() / nu)

    @torch.no_grad()
    def update_scale(self, params: Tensor, x: Tensor, weight: Tensor | None = None) -> None:
        """Add the weighted squared error of a training batch x (B x shape) to the running mean."""
        square = (x - self.mean(params)).square()
        square = square * (self.nu + 1) / (self.nu + square / self.scale.square())
        counts = torch.ones_like(square) if weight is None else weight
        total, observed = batch_sum(torch.stack([(square * counts).sum(), counts.sum()]))
        # an average of all batches at first, then of about the last hundred
        has_cells = (observed > 0).to(self.seen.dtype)  # without observed entries nothing changes
        self.seen.add_(has_cells)
        rate = (1 / self.seen.clamp(min=1)).clamp(min=0.01) * has_cells
        self.variance.lerp_((total / observed.clamp(min=1)).to(self.variance.dtype), rate)

    def mean(self, params: Tensor) -> Tensor:
        """Return o or sigmoid(o) (B x shape)."""
        return torch.sigmoid(params) if self.bounded else params

    def sample(self, params: Tensor) -> Tensor:
        """Return m + scale * eps / sqrt(g), g ~ Gamma(nu / 2, nu / 2); clipped to [0, 1] if m is bounded."""
        half = (self.nu / 2).to(params.dtype).expand_as(params)
        x = self.mean(params) + self.scale * rng.randn_like(params) / rng.gamma(half, half).sqrt()
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
