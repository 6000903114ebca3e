"""Links: from features as means to the parameters of a likelihood, so that a linear model can be a decoder.

    o = link(u)        u, the features of an example (narrows.networks.Standardize) that a linear map predicts

The mean of the likelihood with the parameters o is the example with the features u, as far as it lies in the support.
A link has constants only, and nothing to learn: o = f(mean + std * u). Its `parts` are for scripts that decode without
torch: in the order of the features, the number of features, and the names of the functions that f applies to them.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from narrows.data import LEVEL_VECTOR, ArrayScale, Layout, Schema, TableFeatures

_EDGE = 0.005  # a mean in [0, 1] keeps this distance from both ends, so that its logit is finite
_SMALLEST_COUNT = 1e-3  # smallest mean of a count
LARGEST_LOG_COUNT = 20.0  # e^20 is half a billion: a limit that keeps exp(o) finite
_FEWEST = 0.01  # smallest probability of a level


def logit(m: Tensor) -> Tensor:
    """Return log(m / (1 - m)) of means in [0, 1], finite also at both ends."""
    return torch.logit(m.clamp(_EDGE, 1 - _EDGE))


def log_count(m: Tensor) -> Tensor:
    """Return log m of the means of counts, finite also at 0."""
    return m.clamp(min=_SMALLEST_COUNT).log()


def inverse_langevin(m: Tensor) -> Tensor:
    """Return the parameter of a continuous Bernoulli with the mean m, within 0.3 %.

    Its mean is 1/2 + L(o / 2) / 2 with Langevin's function L(x) = coth x - 1 / x, whose inverse is approximated by
    Kroeger (2015), https://doi.org/10.1016/j.jnnfm.2015.05.007.
    """
    y = 2 * m.clamp(_EDGE, 1 - _EDGE) - 1
    square = y.square()
    return 2 * y * (3 - (6 * square + square**2 - 2 * square**3) / 5) / (1 - square)


class ArrayLink(nn.Module):
    """The link of vectors and images.

    Parameters
    ----------
    schema : description of the examples.
    function : function from means (B x ...) to parameters of the same shape; None for the identity.
    n_more : number of parameters of each entry after the first, which are 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, schema: Schema, function: Callable[[Tensor], Tensor] | None = None, n_more: int = 0) -> None:
        super().__init__()
        self.shape, self.function, self.n_more = schema.shape, function, n_more
        mean, std = ArrayScale.of(schema)
        column = (-1,) + (1,) * (len(schema.shape) - 1)
        self.is_trivial = bool((mean == 0).all() and ((std == 1) | std.isinf()).all())
        self.is_count = schema.support == "count"
        self.register_buffer("mean", mean.reshape(column), persistent=False)
        self.register_buffer("std", std.nan_to_num(posinf=0.0).reshape(column), persistent=False)

    @property
    def parts(self) -> list[tuple[int, list[str]]]:
        """All features go through the same functions."""
        names = ["expm1"] if self.is_count else []
        return [(math.prod(self.shape), names + ([self.function.__name__] if self.function is not None else []))]

    def forward(self, u: Tensor) -> Tensor:
        """B x features -> B x params_shape."""
        u = u.unflatten(1, self.shape)
        if not self.is_trivial:
            u = torch.addcmul(self.mean, u, self.std)
        if self.is_count:  # the features are those of log(1 + x)
            u = u.clamp(max=LARGEST_LOG_COUNT).expm1()
        if self.function is not None:
            u = self.function(u)
        return torch.cat([u, *(torch.zeros_like(u),) * self.n_more], 1) if self.n_more else u


class TableLink(nn.Module):
    """The link of tables: numbers are means, counts have logarithms, atoms logits and levels log-probabilities.

    Parameters
    ----------
    schema : schema of the table.
    n_more : number of further parameters at the end, which are 0.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, schema: Schema, n_more: int = 0) -> None:
        super().__init__()
        layout, features = Layout.of(schema), TableFeatures(schema)
        self.n_more = n_more + LEVEL_VECTOR * len(layout.large)
        self.sizes = [len(layout.numeric), len(layout.counts), len(layout.atoms), len(features.owner)]
        mean = torch.cat([features.mean, features.atom_share, features.share])
        std = 1 / torch.cat([features.factor, features.atom_factor, features.level_factor])
        self.register_buffer("mean", mean, persistent=False)
        self.register_buffer("std", std, persistent=False)

    @property
    def parts(self) -> list[tuple[int, list[str]]]:
        """The features of numbers, counts, atoms and levels."""
        return list(zip(self.sizes, ([], ["expm1", "log_count"], ["logit"], ["log_share"]), strict=True))

    def forward(self, u: Tensor) -> Tensor:
        """B x features -> B x parameters."""
        numbers, counts, atoms, levels = torch.addcmul(self.mean, u, self.std).split(self.sizes, 1)
        parts = [numbers, log_count(counts.clamp(max=LARGEST_LOG_COUNT).expm1()), logit(atoms)]
        parts.append(levels.clamp(min=_FEWEST).log())
        return torch.cat([*parts, u.new_zeros(len(u), self.n_more)] if self.n_more else parts, 1)
