"""The parts that all networks share: standardised input, and an output that starts at the data's mean."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.data import LEVEL_VECTOR, ArrayScale, Layout, Schema, TableFeatures

WIDE = 2048  # outputs of an encoder, above which blocks of rows must be smaller


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
        mean, std = ArrayScale.of(schema)
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


class Encoder(nn.Module, ABC):
    """Abstract: a network from examples (B x shape) to `n_outputs` numbers each, with a linear path if asked for.

        h = network(f(x)) + W f(x) + b        f, the features of `Standardize`

    W and b are 0 until the training sets them (`narrows.training.linear_start`), and then the network's last layer
    starts at 0. So the model starts as a linear one.

    Parameters
    ----------
    schema : description of the examples.
    n_outputs : number of outputs for each example.
    has_linear : True for the linear path.

    Attributes
    ----------
    linear_path : the linear path, from the first `n_shared` features; or None.
    """

    def __init__(self, schema: Schema, n_outputs: int, has_linear: bool) -> None:
        super().__init__()
        self.standardize = Standardize(schema)
        self.linear_path = zero_linear(self.standardize.n_shared, n_outputs) if has_linear else None

    @abstractmethod
    def run(self, features: Tensor) -> Tensor:
        """Return the network's output (B x n_outputs) for the features of `Standardize`."""

    def forward(self, x: Tensor) -> Tensor:
        """B x shape -> B x n_outputs."""
        return self.encode_features(self.standardize(x))

    def encode_features(self, features: Tensor) -> Tensor:
        """Return the output (B x n_outputs) for the features of `Standardize`, with the linear path."""
        h = self.run(features)
        return h if self.linear_path is None else h + self.linear_path(self.shared(features))

    def shared(self, features: Tensor) -> Tensor:
        """Return the features that correspond to the likelihood's first parameters, flattened: B x n_shared."""
        flat = features.flatten(1)
        n_shared = self.standardize.n_shared
        return flat if flat.shape[1] == n_shared else flat[:, :n_shared]


class Columns(nn.Module):
    """The encoder of a model that selects columns: examples (B x shape), standardised, as vectors (B x n_features).

    Parameters
    ----------
    schema : description of the examples, vectors or images.

    Attributes
    ----------
    n_features : number of entries of an example.
    """

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.standardize = Standardize(schema)
        self.n_features = self.standardize.n_shared

    def forward(self, x: Tensor) -> Tensor:
        """B x shape -> B x n_features; a missing entry is 0."""
        return self.standardize(x).flatten(1)[:, : self.n_features]


class LinearDecoder(nn.Module):
    """The linear path of a decoder: codes -> features -> parameters of a likelihood.

        o = link(W z + b)

    Parameters
    ----------
    n_components : number of components of a code.
    n_features : number of features.
    link : module from features (B x n_features) to the parameters of a likelihood for these features as means.
    """

    def __init__(self, n_components: int, n_features: int, link: nn.Module) -> None:
        super().__init__()
        self.link = link
        self.map = zero_linear(n_components, n_features)

    def forward(self, z: Tensor) -> Tensor:
        """B x n_components -> B x params_shape."""
        return self.link(self.map(z))


class _ZeroLinear(nn.Linear):
    """A linear layer that starts at 0 and draws no random numbers. `nn.utils.skip_init` would load libraries first.

    The bias is added apart. Its gradient is then a sum in float32. As a part of the product it would be the same sum in
    bfloat16 as that of the network's last layer, and for two of these torch 2.13 makes C++ that does not compile.
    """

    def reset_parameters(self) -> None:
        set_to_zero(self)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight) + self.bias


def zero_linear(n_inputs: int, n_outputs: int) -> nn.Linear:
    """Return a linear layer whose weights and biases are 0."""
    return _ZeroLinear(n_inputs, n_outputs)


def set_to_zero(layer: nn.Linear | nn.Conv2d) -> Any:
    """Set the weights and biases of `layer` to 0, and return it."""
    nn.init.zeros_(layer.weight)
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


class Decoder(nn.Module, ABC):
    """Abstract: a network from codes (B x n_inputs) to the parameters of a likelihood (B x params_shape).

    Attributes
    ----------
    takes_sparse : True if the input may be a `SparseCode`, too.
    takes_units : True if it may be a `UnitBlock`, too: the output is then what its units add to that of another code.
    takes_constant : True if a call may have constant=True: then its parameters get no gradient, also where they are
        sharded, and are there only while it computes.
    undoes_scaling : True if the encoder scales each example by its own numbers, which `undo_scaling` undoes.
    linear_path : linear path that is added to the network's output, or None.
    """

    takes_sparse = takes_units = takes_constant = False
    undoes_scaling: bool = False

    def __init__(self, linear: LinearDecoder | None = None) -> None:
        super().__init__()
        self.linear_path = linear

    @property
    @abstractmethod
    def output_bias(self) -> Tensor | None:
        """Bias that is added last, one number for each entry or channel; None where there is no such bias."""

    def undo_scaling(self, out: Tensor, x: Tensor) -> Tensor:
        """Return the output (B x params_shape) on the scale of the examples x (B x shape)."""
        return out

    def weigh_examples(self, x: Tensor) -> Tensor | None:
        """Return the weights of the squared errors of examples x (B x shape) in the loss, or None for 1."""
        return None

    def start_at(self, params: Tensor) -> None:
        """Set the bias so that an untrained decoder gives about `params`, one number for each column or channel.

        A decoder with a linear path starts at 0, because the training sets that path.
        """
        bias = None if self.linear_path is not None else self.output_bias
        if bias is not None:
            with torch.no_grad():
                bias.copy_(params.repeat_interleave(bias.numel() // params.numel()))
