"""The parts that all networks share: standardised input, and an output that starts at the data's mean."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from narrows.data import Schema


class Standardize(nn.Module):
    """(x - mean) / std with the schema's statistics, for each column or channel; of log(1 + max(x, 0)) for counts.

    Real-valued vectors are standardised already. Columns that were constant in the training rows are 0.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        shape = (-1,) + (1,) * (len(schema.shape) - 1)
        self.counts = schema.support == "count"
        is_standardised = schema.support == "real" and schema.kind == "vector"
        self.trivial = is_standardised and not schema.constant
        # one std for all pixels or binary columns, so that a pixel that is nearly always 0 is not amplified
        std = torch.tensor(schema.std)
        if schema.support != "count":
            std = std.square().mean().sqrt().expand_as(std).clone()
        mean = torch.tensor(schema.mean)
        if is_standardised:
            std, mean = torch.ones_like(std), torch.zeros_like(mean)
            std[list(schema.constant)] = torch.inf
        self.register_buffer("factor", (1 / std).reshape(shape), persistent=False)
        self.register_buffer("shift", (-mean / std).reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return x (B x shape) standardised."""
        if self.trivial:
            return x
        return torch.addcmul(self.shift, x.clamp(min=0).log1p() if self.counts else x, self.factor)


class PreciseLinear(nn.Linear):
    """A linear layer that always computes in the dtype of its weights, never in bfloat16.

    bfloat16 has 128 numbers between 1 and 2, too few for the codes of thousands of examples on a map.
    """

    def forward(self, x: Tensor) -> Tensor:
        """B x in_features -> B x out_features."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class Decoder(nn.Module, ABC):
    """Abstract: a network from codes (B x n_inputs) to the parameters of a likelihood (B x params_shape).

    Attributes
    ----------
    takes_sparse : True if the input may be a `SparseCode`, too.
    """

    takes_sparse = False

    @property
    @abstractmethod
    def output_bias(self) -> Tensor | None:
        """Bias that is added last, one number for each entry or channel; None where there is no such bias."""

    def start_at(self, params: Tensor) -> None:
        """Set the bias so that an untrained decoder gives about `params`, one number for each column or channel."""
        bias = self.output_bias
        if bias is not None:
            with torch.no_grad():
                bias.copy_(params.repeat_interleave(bias.numel() // params.numel()))
