"""z = h with a prior: the code of models that pull the distribution of all codes to N(0, I)."""

from __future__ import annotations

import torch
from torch import Tensor

from narrows.bottlenecks.base import LinearStart, PriorCode
from narrows.priors import StandardNormal
from narrows.types import Code


class Matched(PriorCode):
    """z = h, with the prior N(0, I).

    There is no posterior: an example has one code. A cost of the objective, such as `objectives.Discrepancy`, makes the
    codes of all examples together follow the prior, so that draws from it can be decoded. Tolstikhin, Bousquet, Gelly
    and Schölkopf, Wasserstein auto-encoders (2018), https://arxiv.org/abs/1711.01558.

    Parameters
    ----------
    n_components : L.
    """

    is_separable = True

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components
        self.prior = StandardNormal(n_components)
        self.n_prior_noise = self.prior.n_noise

    def forward(self, h: Tensor) -> Code:
        """Return h (B x L)."""
        return Code(h, {})

    def encode(self, h: Tensor) -> Tensor:
        """Return h (B x L)."""
        return h

    def from_prior(self, eps: Tensor) -> Tensor:
        """Return the noise itself (n x L)."""
        return self.prior.from_noise(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log density of N(0, I) (B)."""
        return self.prior.log_prob(z)

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart:
        """Return PCA with components of variance 1, as the prior has; a component without variance stays 0."""
        scale = variances.sqrt()
        floor = 1e-3 * scale.max().clamp(min=1e-6)
        return LinearStart(torch.diag(1 / scale.clamp(min=floor)), torch.zeros_like(scale), scale)
