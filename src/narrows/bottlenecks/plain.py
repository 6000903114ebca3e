"""z = h: the code of the plain, the denoising and the map autoencoder."""

from __future__ import annotations

import torch
from torch import Tensor

from narrows.bottlenecks.base import Bottleneck, LinearStart
from narrows.types import Code


class Plain(Bottleneck):
    """z = h, without a cost.

    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks (2006),
    https://doi.org/10.1126/science.1127647.

    Parameters
    ----------
    n_components : L, or 0 for a model without a narrow place, whose code is the example itself.
    """

    is_separable = True

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components

    def forward(self, h: Tensor) -> Code:
        """Return h (B x L)."""
        return Code(h, {})

    def encode(self, h: Tensor) -> Tensor:
        """Return h (B x L)."""
        return h

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart | None:
        """Return PCA. All components are divided by the same number, so that distances keep their ratios."""
        if self.is_overcomplete:
            return None  # the state of a network
        scale = variances.max().sqrt().clamp(min=1e-6).expand_as(variances).clone()
        return LinearStart(torch.diag(1 / scale), torch.zeros_like(scale), scale)


class Hidden(Plain):
    """z = h, the last hidden state of a network without a narrow place.

    It summarises an example, but a decoder that predicts hidden entries only cannot restore the example from it.
    """

    is_overcomplete = True
    is_separable = False
    default_sampler = None
