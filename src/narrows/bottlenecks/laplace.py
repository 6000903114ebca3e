"""A Laplace posterior for each example, pulled to a standard Laplace prior.

    h = (mean, s)    log_scale = 1 - softplus(1 - s), at least -7    z = mean + exp(log_scale) * e,  e ~ Laplace(0, 1)
    KL(q(z|x) || Laplace(0, 1)) = sum_j |mean_j| + scale_j exp(-|mean_j| / scale_j) - log scale_j - 1        nats

The prior has heavier tails and a sharper peak than a Gaussian, so that few components of a code are large and many are
small: Barello, Charles and Pillow, Sparse-coding variational auto-encoders (2018),
https://doi.org/10.1101/399246.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from narrows.bottlenecks.base import LinearStart, Sample, Stochastic
from narrows.bottlenecks.gaussian import probabilistic_pca, split_mean_and_log_scale

_LOG_2 = math.log(2)


class Laplace(Stochastic):
    """z ~ Laplace(mean, scale), drawn by the inverse of the distribution function.

    Parameters
    ----------
    n_components : L.

    >>> import torch
    >>> code = Laplace(3)(torch.zeros(2, 6))
    >>> code.z.shape, code.costs["kl"].shape
    (torch.Size([2, 3]), torch.Size([2]))
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components, self.n_inputs = n_components, 2 * n_components
        self.n_noise = self.n_prior_noise = n_components

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Return mean + scale * e (B x L), with its log densities."""
        mean, log_scale = split_mean_and_log_scale(h)
        e = self.from_prior(eps.to(mean.dtype))
        z = mean + log_scale.exp() * e
        return Sample(z, -(e.abs() + log_scale + _LOG_2).sum(-1), self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Return the quantile of Laplace(0, 1) at the probability of eps under N(0, 1) (n x L)."""
        return -eps.sign() * (_LOG_2 + torch.special.log_ndtr(-eps.abs()))

    def log_prior(self, z: Tensor) -> Tensor:
        """Return - sum_j |z_j| - L log 2 (B)."""
        return -(z.abs() + _LOG_2).sum(-1)

    def kl_per_component(self, h: Tensor) -> Tensor:
        """Return the terms of the KL above, before the sum (B x L)."""
        mean, log_scale = split_mean_and_log_scale(h)
        distance = mean.abs()
        return distance + (log_scale - distance * (-log_scale).exp()).exp() - log_scale - 1

    @property
    def prior_std(self) -> Tensor:
        """Standard deviation sqrt(2) of each component (L)."""
        return torch.full((self.n_components,), math.sqrt(2))

    def encode(self, h: Tensor) -> Tensor:
        """Return the posterior mean (B x L)."""
        return split_mean_and_log_scale(h)[0]

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart:
        """Return the start of a Gaussian code, whose scales are near those of this code."""
        return probabilistic_pca(variances, noise, weight)
