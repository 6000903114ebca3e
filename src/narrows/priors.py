"""Priors p(z) of stochastic codes: their log density, and draws from noise.

L is the number of components. All densities are in nats, summed over the components.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_FARTHEST_UNIFORM = 1e-6  # least distance from 0 and 1 of the number that picks a part of a mixture


class Prior(nn.Module, ABC):
    """Abstract: a distribution of codes.

    Attributes
    ----------
    n_components : L.
    n_noise : number of noise values for one draw.
    n_unscaled_noise : number of those values, the first ones, that a temperature does not scale, because they pick a
        part of a mixture.
    is_separable : True if the components are independent of each other and have a KL each.
    """

    n_components: int
    n_noise: int
    n_unscaled_noise: int = 0
    is_separable: bool = False

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log density of the codes z (B x L) in nats (B)."""

    @abstractmethod
    def from_noise(self, eps: Tensor) -> Tensor:
        """Turn noise eps ~ N(0, I) (n x n_noise) into draws (n x L)."""

    @abstractmethod
    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> Tensor | None:
        """Return KL(N(mean, std^2) || p) of each component in nats (B x L); None without a closed form."""

    @property
    @abstractmethod
    def std(self) -> Tensor | None:
        """Standard deviation of each component (L); None where it is not known."""


class StandardNormal(Prior):
    """N(0, I).

        KL(N(mean, std^2) || N(0, I)) = sum_j (mean_j^2 + std_j^2 - 1) / 2 - log std_j

    >>> import torch
    >>> StandardNormal(2).log_prob(torch.zeros(1, 2)).round(decimals=3).tolist()
    [-1.838]
    """

    is_separable = True

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = self.n_noise = n_components

    def log_prob(self, z: Tensor) -> Tensor:
        """Return - |z|^2 / 2 - L log(2 pi) / 2 (B)."""
        return -0.5 * z.square().sum(-1) - self.n_components * _HALF_LOG_2PI

    def from_noise(self, eps: Tensor) -> Tensor:
        """Return the noise itself (n x L)."""
        return eps

    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> Tensor:
        """Return the terms of the KL above, before the sum (B x L)."""
        return 0.5 * (mean.square() + std.square() - 1) - log_std

    @property
    def std(self) -> Tensor:
        """Standard deviation 1 of each component (L)."""
        return torch.ones(self.n_components)


class NormalMixture(Prior):
    """A learned mixture of K Gaussians with diagonal covariances and equal weights.

        p(z) = 1/K sum_k N(z; mean_k, std_k^2)

    Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational autoencoders (2016),
    https://arxiv.org/abs/1611.02648.

    Parameters
    ----------
    n_components : L.
    n_modes : K.
    """

    n_unscaled_noise = 1

    def __init__(self, n_components: int, n_modes: int = 10) -> None:
        super().__init__()
        self.n_components, self.n_noise = n_components, n_components + 1
        self.means = nn.Parameter(torch.randn(n_modes, n_components))
        self.log_stds = nn.Parameter(torch.zeros(n_modes, n_components))

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z) by the formula above (B)."""
        means, log_stds = self.means.to(z.dtype), self.log_stds.to(z.dtype)
        nats = -0.5 * ((z[..., None, :] - means) * (-log_stds).exp()).square() - log_stds - _HALF_LOG_2PI
        return nats.sum(-1).logsumexp(-1) - math.log(len(means))

    def from_noise(self, eps: Tensor) -> Tensor:
        """Return mean_k + std_k * eps (n x L), where the first number of the noise picks k."""
        uniform = torch.special.ndtr(eps[:, 0]).clamp(_FARTHEST_UNIFORM, 1 - _FARTHEST_UNIFORM)
        k = (uniform * len(self.means)).long()
        return self.means.to(eps.dtype)[k] + self.log_stds.to(eps.dtype)[k].exp() * eps[:, 1:]

    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> None:
        """Return None: there is no closed form."""
        return

    @property
    def std(self) -> Tensor:
        """Standard deviation sqrt(mean of std_k^2 + variance of mean_k) (L), by the law of total variance."""
        with torch.no_grad():
            return (self.log_stds.exp().square().mean(0) + self.means.var(0, correction=0)).sqrt()
