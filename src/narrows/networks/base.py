"""What every network here shares: standardised input, and an output that starts at the data's mean."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from narrows.data import Schema


class Standardize(nn.Module):
    """(x - mean) / std with the schema's statistics, for each column or channel; log(1 + x) first for counts, of
    which noise may have made numbers below 0.

    Real-valued vectors arrive standardised and pass through.
    """

    shift: Tensor
    factor: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        shape = (-1,) + (1,) * (len(schema.shape) - 1)
        self.counts = schema.support == "count"
        self.trivial = schema.support == "real" and schema.kind == "vector"
        # pixels and binary columns of one vector are of one kind: a pixel that is nearly always 0 is not blown up
        std = torch.tensor(schema.std)
        if schema.support != "count":
            std = std.square().mean().sqrt().expand_as(std).clone()
        mean = torch.tensor(schema.mean)
        self.register_buffer("factor", (1 / std).reshape(shape), persistent=False)
        self.register_buffer("shift", (-mean / std).reshape(shape), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Standardise x (B x shape)."""
        if self.trivial:
            return x
        return torch.addcmul(self.shift, x.clamp(min=0).log1p() if self.counts else x, self.factor)


class Precise(nn.Linear):
    """A linear layer whose products and sums are never rounded to bfloat16, whatever else is.

    Its eight bits tell 128 places apart between 1 and 2: of thousands of examples on a map some would fall together.
    """

    def forward(self, x: Tensor) -> Tensor:
        """B x in_features -> B x out_features."""
        with torch.autocast(x.device.type, enabled=False):
            return super().forward(x.to(self.weight.dtype))


class Decoder(nn.Module, ABC):
    """Abstract: from codes (B x n_inputs) to the numbers of a likelihood (B x params_shape).

    Attributes
    ----------
    takes_sparse : whether the input may be a `SparseCode`, too.
    """

    takes_sparse = False

    @property
    @abstractmethod
    def output_bias(self) -> Tensor | None:
        """What is added last, to every entry or channel; None where that is not known."""

    def start_at(self, o: Tensor) -> None:
        """Let an untrained decoder give about `o`, one number for each column or channel."""
        bias = self.output_bias
        if bias is not None:
            with torch.no_grad():
                bias.copy_(o.repeat_interleave(bias.numel() // o.numel()))
