"""Distances between the codes of a batch and draws from their prior.

    mmd(P, Q) = E k(p, p') + E k(q, q') - 2 E k(p, q)        maximum mean discrepancy, squared, in [0, 2]
    k(a, b) = mean over the scales s of c s / (c s + |a - b|^2),   c = 2 L
    sliced(P, Q) = mean over directions u of W2^2(u . P, u . Q)        sliced Wasserstein distance, squared

L is the number of components. k is the inverse multiquadratic kernel of Tolstikhin, Bousquet, Gelly and Schölkopf,
Wasserstein auto-encoders (2018), https://arxiv.org/abs/1711.01558; the estimate of mmd is unbiased, so it may be below
0. In one dimension W2 pairs the sorted numbers: Kolouri, Pope, Martin and Rohde, Sliced-Wasserstein autoencoder (2018),
https://arxiv.org/abs/1804.01947. Its estimate has a bias that falls with the size of the batch.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows import rng
from narrows.batch_sharding import batch_rows
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output

MEASURES = ("mmd", "sliced")
SCALES = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)  # those of Tolstikhin et al.


def mean_discrepancy(x: Tensor, y: Tensor) -> Tensor:
    """Return the unbiased estimate of mmd from draws x (n x L) and y (m x L), a scalar.

    >>> import torch
    >>> float(mean_discrepancy(torch.zeros(3, 1), torch.zeros(4, 1)))
    0.0
    """
    return _mean_of_pairs(_kernel(x, x)) + _mean_of_pairs(_kernel(y, y)) - 2 * _kernel(x, y).mean()


def sliced_wasserstein(x: Tensor, y: Tensor, directions: Tensor) -> Tensor:
    """Return the mean of W2^2 over projections of x and y (n x L each) on unit vectors (d x L), a scalar.

    >>> import torch
    >>> float(sliced_wasserstein(torch.zeros(4, 1), torch.full((4, 1), 3.0), torch.ones(2, 1)))
    9.0
    """
    return ((x @ directions.T).sort(0).values - (y @ directions.T).sort(0).values).square().mean()


class Discrepancy(Cost):
    """The distance of the codes of a batch from as many draws from the prior.

    Parameters
    ----------
    measure : "mmd" or "sliced", with as many random directions as the batch has rows.
    """

    name = "discrepancy"

    def __init__(self, measure: str = "mmd") -> None:
        super().__init__()
        self.measure = measure

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return the distance, the same number for each example (B)."""
        code, z = model.prior_code, output.code.free
        assert code is not None  # a recipe gives this cost to codes with a prior only
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        draws = code.from_prior(rng.randn_like(z.new_empty(len(z), code.n_prior_noise)))
        with torch.autocast(z.device.type, enabled=False):
            codes, draws = batch_rows(z), batch_rows(draws)
            if self.measure == "mmd":
                distance = mean_discrepancy(codes, draws)
            else:
                distance = sliced_wasserstein(codes, draws, F.normalize(batch_rows(rng.randn_like(z)), dim=1))
        return CostValue(distance.expand(len(z)))


def _kernel(x: Tensor, y: Tensor) -> Tensor:
    """Return k for all pairs: n x m."""
    # |a|^2 + |b|^2 - 2 ab, which rounding may leave below 0
    squared = (x.square().sum(1)[:, None] + y.square().sum(1) - 2 * x @ y.T).clamp(min=0)
    constants = [2 * x.shape[1] * scale for scale in SCALES]
    total = torch.zeros_like(squared)
    for c in constants:
        total = total + c / (c + squared)
    return total / len(constants)


def _mean_of_pairs(kernel: Tensor) -> Tensor:
    """Return the mean of the kernel (n x n) over pairs of different rows."""
    n = len(kernel)
    return (kernel.sum() - kernel.diagonal().sum()) / max(n * (n - 1), 1)
