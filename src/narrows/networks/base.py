"""The parts that all networks share: standardised input, and an output that starts at the data's mean."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from narrows.data import LEVEL_VECTOR, Layout, Schema, TableFeatures


class Standardize(nn.Module):
    """The input of a network: (x - mean) / std with the schema's statistics, for each column or channel.

    Counts are standardised as log(1 + max(x, 0)). Real-valued vectors are standardised already. Columns that were
    constant in the training rows are 0. A missing entry (NaN) becomes 0; where training values were missing, indicators
    of the missing entries follow, one for each such column of a vector, or one channel for images. A table has the
    features of `TableFeatures`, followed by a learned vector for each column with very many levels.

    Attributes
    ----------
    shape : shape of the output for one example.
    n_features : number of its entries.
    n_shared : number of the first features that correspond to the first parameters of the likelihood.
    """

    shift: Tensor
    factor: Tensor
    gaps: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.is_table, self.has_gaps = schema.kind == "table", schema.has_gaps
        self.large: tuple[int, ...] = ()
        self.trivial = self.counts = False
        if self.is_table:
            self._init_table(schema)
            return
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
        channels, *sides = schema.shape
        gaps = [j for j, share in enumerate(schema.gaps) if share > 0] if schema.kind == "vector" else []
        self.register_buffer("gaps", torch.tensor(gaps, dtype=torch.long), persistent=False)
        n_more = len(gaps) if schema.kind == "vector" else int(self.has_gaps)
        self.shape = (channels + n_more, *sides)
        self.n_features, self.n_shared = math.prod(self.shape), schema.n_entries

    def _init_table(self, schema: Schema) -> None:
        self.features = TableFeatures(schema)
        self.large = Layout.of(schema).large
        n_levels = [schema.used_columns[j].n_levels for j in self.large]
        # one row more than there are levels: the last is for cells that are missing or were not seen in training
        self.vectors = nn.ModuleList(nn.Embedding(n + 1, LEVEL_VECTOR, padding_idx=n) for n in n_levels)
        self.n_features = self.features.n_features + LEVEL_VECTOR * len(self.large)
        self.n_shared, self.shape = self.features.n_shared, (self.n_features,)

    def forward(self, x: Tensor) -> Tensor:
        """B x schema.shape -> B x shape."""
        if self.is_table:
            return self._table(x)
        # a model that was trained without gaps may meet gaps later
        is_missing = torch.isnan(x) if self.has_gaps or not self.training else None
        if self.trivial:
            out = x
        else:
            out = torch.addcmul(self.shift, x.clamp(min=0).log1p() if self.counts else x, self.factor)
        if is_missing is None:
            return out
        out = out.masked_fill(is_missing, 0.0)
        if not self.has_gaps:
            return out
        if x.dim() == 2:
            return torch.cat([out, is_missing[:, self.gaps].to(out.dtype)], 1)
        return torch.cat([out, is_missing.any(1, keepdim=True).to(out.dtype)], 1)

    def _table(self, x: Tensor) -> Tensor:
        parts = [self.features(x)]
        for j, vectors in zip(self.large, self.vectors, strict=True):
            assert isinstance(vectors, nn.Embedding)
            unknown = vectors.num_embeddings - 1
            code = torch.nan_to_num(x[:, j], nan=unknown).clamp(0, unknown).long()
            parts.append(vectors(code))
        return torch.cat(parts, 1)


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
