"""The space in which new examples are compared with real ones.

Squared distances between pixels say little about similarity. Linear features see only mean and covariance, so a
Gaussian with the same ones looks perfect. So examples go through a network with random weights, always the same ones,
and its outputs are standardised: over the real examples they have mean 0 and variance 1. Naeem et al., Reliable
fidelity and diversity metrics for generative models (2020), https://arxiv.org/abs/2002.09797, find random features
better for data unlike ImageNet. Numbers in this space can be compared with one another, but not with the FID of papers,
which is measured in the space of an Inception network.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.data import Schema

N_FEATURES = 64
_SEED = 64
_MAX_NUMBERS_PER_PASS = 1 << 20


def space_name(shape: tuple[int, ...]) -> str:
    """Return the name of the space for examples of `shape`."""
    return f"{N_FEATURES} features of a fixed random {'convolutional ' if len(shape) == 3 else ''}network"


def training_moments(schema: Schema) -> tuple[Tensor, Tensor] | None:
    """Return mean and standard deviation of the columns in training; None for images and counts."""
    if schema.kind == "table":
        return torch.zeros(1), torch.ones(1)
    if schema.kind == "vector" and schema.support == "real":
        return torch.tensor(schema.mean), torch.tensor(schema.std)
    return None


class Space:
    """A space of features, standardised on real examples.

    Parameters
    ----------
    real : real examples, n x shape.
    function : maps examples (m x shape) to features (m x features), both tensors; None for the fixed random network.
    moments : mean and standard deviation of the entries in training, where they are known; None for those of `real`.
        A column that hardly varies among the real examples, such as a rare level of a table, is then not amplified.
    """

    def __init__(
        self,
        real: Tensor,
        function: Callable[[Tensor], Tensor] | None = None,
        *,
        moments: tuple[Tensor, Tensor] | None = None,
    ) -> None:
        axes = (0, 2, 3) if real.dim() == 4 else (0,)
        if moments is None:
            moments = real.mean(axes, keepdim=True), real.std(axes, correction=0, keepdim=True).clamp(min=1e-6)
        self.mean, self.std = moments
        self.function = function or self._random_features
        raw = self.function(real).double()
        self.centre, self.scale = raw.mean(0), raw.std(0, correction=0).clamp(min=1e-9)
        self.real = (raw - self.centre) / self.scale

    def features(self, x: Tensor) -> Tensor:
        """Return the features of `x` (n x shape): n x features in double precision."""
        return (self.function(x).double() - self.centre) / self.scale

    @torch.inference_mode()
    def _random_features(self, x: Tensor) -> Tensor:
        network = _conv if x.dim() == 4 else _dense
        step = max(1, _MAX_NUMBERS_PER_PASS // x[0].numel())
        return torch.cat([network((part - self.mean) / self.std) for part in x.split(step)])


def _conv(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    for n_out, stride in ((16, 1), (32, 2), (64, 2)):
        x = F.conv2d(x, _weights((n_out, x.shape[1], 3, 3), generator).to(x), padding=1, stride=stride).relu()
    x = F.adaptive_avg_pool2d(x, 2).flatten(1)  # keeps position, but only coarsely (2 x 2)
    return x @ _weights((N_FEATURES, x.shape[1]), generator).to(x).t()


def _dense(x: Tensor) -> Tensor:
    generator = torch.Generator().manual_seed(_SEED)
    x = x.flatten(1)
    for n_out in (256, 256):
        x = (x @ _weights((n_out, x.shape[1]), generator).to(x).t() + torch.randn(n_out, generator=generator)).relu()
    return x @ _weights((N_FEATURES, x.shape[1]), generator).to(x).t()


def _weights(shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Draw He's weights, which keep the variance through a relu."""
    return torch.randn(shape, generator=generator) * math.sqrt(2 / math.prod(shape[1:]))
