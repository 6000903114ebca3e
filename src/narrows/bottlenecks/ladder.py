"""A code of two groups, of which the top one sets the prior of the bottom one.

    p(z) = N(top; 0, I) N(bottom; p_mean(top), p_std(top)^2)
    q(z | x) = N(top; mean, std^2) N(bottom; m, 1 / (1 / s^2 + 1 / p_std^2)),    h = (top's mean and std, mean and s)
    m = (mean / s^2 + p_mean / p_std^2) / (1 / s^2 + 1 / p_std^2)

The bottom group's posterior is the product of the encoder's Gaussian and of the prior from above, so both are used
where they are certain: Sonderby et al., Ladder variational autoencoders (2016), https://arxiv.org/abs/1602.02282. The
decoder here gets both groups.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from narrows.bottlenecks.base import Sample, Stochastic
from narrows.bottlenecks.gaussian import split_mean_and_log_scale

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Ladder(Stochastic):
    """z = (top, bottom), of L / 2 components each; of an odd number the bottom group has one more.

    Parameters
    ----------
    n_components : L, at least 2.
    width : number of units in the hidden layer of the network from the top to the bottom group's prior.

    Raises
    ------
    ValueError
        If there are fewer than 2 components.
    """

    def __init__(self, n_components: int, width: int = 64) -> None:
        super().__init__()
        if n_components < 2:
            raise ValueError(
                f"The `n_components` parameter must be at least 2 with posterior='ladder', one for each of its two "
                f"groups. Got {n_components} instead."
            )
        self.n_components = self.n_noise = self.n_prior_noise = n_components
        self.n_inputs, self.n_top = 2 * n_components, n_components // 2
        self.down = nn.Sequential(
            nn.Linear(self.n_top, width), nn.GELU(), nn.Linear(width, 2 * (n_components - self.n_top))
        )

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw the top group, then the bottom group given it (B x L)."""
        mean, log_std = split_mean_and_log_scale(h[..., : 2 * self.n_top])
        own_mean, own_log_std = split_mean_and_log_scale(h[..., 2 * self.n_top :])
        eps = eps.to(mean.dtype)
        top = torch.addcmul(mean, log_std.exp(), eps[..., : self.n_top])
        p_mean, p_log_std = self._prior_of_bottom(top)
        # 1 / s^2 beside the sum of both, and the logarithm of that sum
        share = torch.sigmoid(2 * (p_log_std - own_log_std))
        bottom_log_std = -0.5 * torch.logaddexp(-2 * own_log_std, -2 * p_log_std)
        bottom = torch.lerp(p_mean, own_mean, share) + bottom_log_std.exp() * eps[..., self.n_top :]
        log_q = -0.5 * eps.square().sum(-1) - log_std.sum(-1) - bottom_log_std.sum(-1)
        z = torch.cat([top, bottom], -1)
        return Sample(z, log_q - self.n_components * _HALF_LOG_2PI, self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw the top group, then the bottom group given it (n x L)."""
        top = eps[..., : self.n_top]
        mean, log_std = self._prior_of_bottom(top)
        return torch.cat([top, mean + log_std.exp() * eps[..., self.n_top :]], -1)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return log p(top) + log p(bottom | top) (B)."""
        top, bottom = z[..., : self.n_top], z[..., self.n_top :]
        mean, log_std = self._prior_of_bottom(top)
        nats = -0.5 * ((bottom - mean) * (-log_std).exp()).square() - log_std
        return nats.sum(-1) - 0.5 * top.square().sum(-1) - self.n_components * _HALF_LOG_2PI

    def kl_per_component(self, h: Tensor) -> None:
        """Return None: the KL of the bottom group is a mean over the top group."""
        return

    def encode(self, h: Tensor) -> Tensor:
        """Return the mean of the top group, and the mean of the bottom group there (B x L)."""
        return self.sample(h, h.new_zeros(len(h), self.n_noise)).z

    def _prior_of_bottom(self, top: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log standard deviation of p(bottom | top), in at least single precision."""
        with torch.autocast(top.device.type, enabled=False):
            mean, log_std = split_mean_and_log_scale(self.down(top.to(next(self.down.parameters()).dtype)))
        return mean.to(top.dtype), log_std.to(top.dtype)
