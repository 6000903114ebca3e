"""The distance of a code's covariance from the identity.

    dip = sum_{i != j} C_ij^2 + d sum_i (C_ii - 1)^2
    C = Cov(mean)                   DIP-VAE-I, of the posterior means
    C = Cov(mean) + E[std^2]        DIP-VAE-II, of the drawn codes

over the examples of a batch. Kumar, Sattigeri and Balakrishnan, Variational inference of disentangled latent concepts
from unlabeled observations (2018), https://arxiv.org/abs/1711.00848.
"""

from __future__ import annotations

import torch
from torch import Tensor

from narrows.batch_sharding import batch_mean, batch_rows
from narrows.bottlenecks import gaussian_posterior
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output


class CovariancePenalty(Cost):
    """The squared distance of the covariance of a Gaussian code from the identity.

    Parameters
    ----------
    of_draws : False for the covariance of the posterior means (DIP-VAE-I), True for that of drawn codes (DIP-VAE-II).
    diagonal_weight : d, weight of the variances relative to that of the covariances, at least 0.
    """

    name = "dip"

    def __init__(self, of_draws: bool, diagonal_weight: float) -> None:
        super().__init__()
        self.of_draws, self.diagonal_weight = of_draws, diagonal_weight

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the distance, the same number for each example (B)."""
        mean, log_std = gaussian_posterior(model.bottleneck, output.dense_h)
        with torch.autocast(mean.device.type, enabled=False):
            covariance = batch_covariance(mean)
            if self.of_draws:
                covariance = covariance + torch.diag(batch_mean((2 * log_std).exp().mean(0)))
            variances = covariance.diagonal()
            off_diagonal = covariance.square().sum() - variances.square().sum()
            distance = off_diagonal + self.diagonal_weight * (variances - 1).square().sum()
        return CostValue(distance.expand(len(mean)))


def batch_covariance(rows: Tensor) -> Tensor:
    """Return the covariance (L x L) of the rows (B x L) of the whole batch, whose divisor is their number."""
    rows = batch_rows(rows)
    centred = rows - rows.mean(0)
    return centred.T @ centred / len(rows)
