"""The interface of every likelihood: log p(x | z), given the decoder's output for each entry.

Every likelihood is normalised over its support, in nats for one entry; `score` sums over the entries of an example. The
decoder gives unbounded numbers for each entry (`n_params`, most often one), from which the likelihood makes its
parameters.

Symbols: o, the decoder's output (`params`, B x params_shape); m, the mean; x, the observed entries (B x shape).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from narrows.data import Schema, Support
from narrows.renamed import Renamed, take_old_names


class Likelihood(nn.Module, ABC):
    """Abstract: a distribution for each entry.

    Attributes
    ----------
    name : the key in `LIKELIHOODS`, by which users choose it.
    support : description of the values that it can score, for messages.
    required_support : the support that the data must have for it ("unit" or "count"); None if any data will do.
    n_params : number of the decoder's outputs for each entry.
    mean_function : name of the function from the decoder's number to the mean, for scripts that decode without torch:
        "identity", "sigmoid", "exp" or "continuous_bernoulli"; None where it is none of these.
    """

    name: str
    support: str
    required_support: Support | None = None
    n_params: int = 1
    mean_function: str | None = None

    def params_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Return the decoder's output shape for examples of `shape`: the parameters in turn along the first axis."""
        return (self.n_params * shape[0], *shape[1:])

    unmean = Renamed("inverse_mean")
    needs = Renamed("required_support")
    observe = Renamed("update_scale")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        take_old_names(cls, Likelihood)

    @abstractmethod
    def log_prob(self, params: Tensor, x: Tensor) -> Tensor:
        """Return log p(x | z) of each entry in nats (B x ...)."""

    @abstractmethod
    def mean(self, params: Tensor) -> Tensor:
        """Return the expectation of each entry (B x shape), on the scale of `x`."""

    def soft_mean(self, params: Tensor) -> Tensor:
        """Return the mean in numbers that change smoothly, for `data.MeanFeatures`: B x ..., `mean` in most cases."""
        return self.mean(params)

    @abstractmethod
    def sample(self, params: Tensor) -> Tensor:
        """Draw each entry (B x shape)."""

    @abstractmethod
    def inverse_mean(self, m: Tensor) -> Tensor:
        """Return the decoder's output for the mean `m` (one number per column or channel). Decoders start at it.

        The result has `n_params` numbers for each of them, one parameter after the other. It is finite even for an `m`
        at the end of the range.
        """

    @abstractmethod
    def contains(self, x: Tensor) -> Tensor:
        """Return a mask of the entries that lie in the support (booleans, the shape of `x`)."""

    def link(self, schema: Schema) -> nn.Module | None:
        """Return a module from features of examples of `schema` to the parameters whose mean has these features.

        See `narrows.likelihoods.links`. None if there is none: a decoder then has no linear path.
        """
        return None

    def outputs_of(self, column: int) -> Tensor:
        """Return the numbers of the decoder's outputs that belong to one column of a table: k integers.

        Raises
        ------
        ValueError
            If the likelihood is not one of cells that are predicted column by column.
        """
        raise ValueError(
            f"The likelihood {self.name!r} cannot predict hidden cells column by column. Use likelihoods.Binned with a "
            "corruption that predicts hidden cells."
        )

    def update_scale(self, params: Tensor, x: Tensor, weight: Tensor | None = None) -> None:
        """Update parameters without a gradient. Called with each training batch before it is scored; see `score`."""
        return

    def score(self, params: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """Return log p(x | z) in nats, one value for each example (B), summed over its entries.

        Parameters
        ----------
        params : B x params_shape.
        x : B x shape.
        weight : weight of each entry (B x shape), 0 where it is missing; None for 1.
        """
        nats = self.log_prob(params.to(torch.promote_types(params.dtype, torch.float32)), x)
        if weight is not None:
            nats = nats * weight
        return nats.sum(tuple(range(1, nats.dim())))  # not flattened: images may be channels-last
