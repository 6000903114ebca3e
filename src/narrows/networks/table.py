"""Networks of the masked autoencoder for tables: from cells, some of them hidden, to the levels of all cells.

Each cell becomes a vector of `_CELL` numbers. A number adds to the vector of its level the steps of all levels below
and a part of its own step, so that near numbers have near vectors (the piecewise linear encoding of Gorishniy, Rubachev
and Babenko, On embeddings for numerical features in tabular deep learning, 2022, https://arxiv.org/abs/2203.05556). A
residual network reads the vectors of a row side by side.

D is the number of columns, N of columns of numbers, T of levels of all columns, H the width.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.data import Levels, Schema
from narrows.networks.base import Decoder

_CELL = 16  # numbers in the vector of a cell
_COSINES = 6  # waves over the levels of a column of numbers, in the decoder


class CellVectors(nn.Module):
    """Learned vectors of cells: B x D prepared cells -> B x D x 16.

    NaN is a hidden cell, and one of which nothing is known; infinity is a cell that is known to be missing. Both have a
    vector for each column, and so has a level that was not seen in training (that of a hidden cell).
    """

    step_scale: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        self.levels = Levels(schema)
        n, d = self.levels.n_all, len(self.levels.sizes)
        self.vectors = nn.Parameter(torch.randn(n + 2 * d, _CELL) * 0.3)
        self.steps = nn.Parameter(torch.randn(n, _CELL) * 0.3)
        self.slopes = nn.Parameter(torch.randn(2, len(self.levels.numbers), _CELL) * 0.3)
        sizes = torch.tensor(self.levels.sizes, dtype=torch.float32)[self.levels.owner]
        has_number = torch.zeros(d, dtype=torch.bool)
        has_number[self.levels.numbers] = True
        scale = torch.where(has_number[self.levels.owner], sizes.rsqrt(), torch.zeros(n))
        self.register_buffer("step_scale", scale[:, None], persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """B x D -> B x D x 16."""
        levels = self.levels
        cells = levels(x)
        n, d = levels.n_all, len(levels.sizes)
        column = torch.arange(d, device=x.device)
        missing = n + column + d * torch.isinf(x)
        index = torch.where(cells.level >= 0, cells.level + levels.start, missing)
        steps = self.steps * self.step_scale
        below = steps.cumsum(0) - steps  # the steps of all levels before; those of other columns cancel
        below = below - below[levels.start][levels.owner]
        table = torch.cat([self.vectors[:n] + below, self.vectors[n:]])
        out = F.embedding(index, table)
        if not len(levels.numbers):
            return out
        of_numbers = index[:, levels.numbers].clamp(max=n - 1)
        more = cells.place[:, :, None] * F.embedding(of_numbers, steps)
        more = more + cells.rank[:, :, None] * self.slopes[0] + cells.z[:, :, None] * self.slopes[1]
        return out.index_add(1, levels.numbers, more.to(out.dtype))


class _Block(nn.Module):
    """x + W2 GELU(W1 LayerNorm(x)), with dropout in training."""

    def __init__(self, width: int, dropout: float) -> None:
        super().__init__()
        self.norm, self.dropout = nn.LayerNorm(width), dropout
        self.first, self.second = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        """B x H -> B x H."""
        hidden = self._drop(F.gelu(self.first(self.norm(x))))
        return x + self._drop(self.second(hidden))

    def _drop(self, x: Tensor) -> Tensor:
        if not self.training or not self.dropout:
            return x
        return x * ((rng.rand_like(x) >= self.dropout).to(x.dtype) / (1 - self.dropout))


class TableEncoder(nn.Module):
    """B x D prepared cells -> B x H: cell vectors, a linear layer, residual blocks.

    Parameters
    ----------
    schema : schema of a table whose columns of numbers have bins.
    width : H.
    n_blocks : number of residual blocks.
    dropout : share of the hidden units that are dropped in training, in [0, 1).
    """

    def __init__(self, schema: Schema, width: int, n_blocks: int, dropout: float) -> None:
        super().__init__()
        self.cells = CellVectors(schema)
        self.mix = nn.Linear(len(schema.used_columns) * _CELL, width)
        self.blocks = nn.Sequential(*(_Block(width, dropout) for _ in range(n_blocks)))

    def forward(self, x: Tensor) -> Tensor:
        """B x D -> B x H."""
        return self.blocks(self.mix(self.cells(x).flatten(1)))


class LevelDecoder(Decoder):
    """B x H -> B x (T + N + G): a logit of each level, an expected number, and a logit of a gap.

    The logits of a number are those of its levels plus a few cosines over them, so that neighbours learn from each
    other. G is the number of columns with gaps in training.
    """

    cosines: Tensor
    smooth_levels: Tensor
    smooth_rows: Tensor

    def __init__(self, schema: Schema, width: int) -> None:
        super().__init__()
        levels = Levels(schema)
        n_numbers, n_gaps = len(levels.numbers), sum(share > 0 for share in schema.gaps)
        self.norm = nn.LayerNorm(width)
        self.linear = nn.Linear(width, levels.n_all + n_numbers + n_gaps)
        self.smooth = nn.Parameter(torch.zeros(n_numbers, _COSINES, width))
        sizes = [levels.sizes[j] for j in levels.numbers.tolist()]
        cosines = torch.zeros(n_numbers, max(sizes, default=0), _COSINES)
        rows, positions = [], []
        for i, (j, n) in enumerate(zip(levels.numbers.tolist(), sizes, strict=True)):
            angles = math.pi * (torch.arange(n)[:, None] + 0.5) / n * (torch.arange(_COSINES) + 1)
            cosines[i, :n] = angles.cos()
            rows += [i * cosines.shape[1] + k for k in range(n)]
            positions += [int(levels.start[j]) + k for k in range(n)]
        self.register_buffer("cosines", cosines, persistent=False)
        self.register_buffer("smooth_rows", torch.tensor(rows, dtype=torch.long), persistent=False)
        self.register_buffer("smooth_levels", torch.tensor(positions, dtype=torch.long), persistent=False)

    @property
    def output_bias(self) -> Tensor:
        """Bias of the linear layer."""
        return self.linear.bias

    def _weight(self) -> Tensor:
        """Return the weights of all outputs: (T + N + G) x H."""
        if not len(self.cosines):
            return self.linear.weight
        smooth = torch.bmm(self.cosines.to(self.smooth.dtype), self.smooth).flatten(0, 1)[self.smooth_rows]
        return self.linear.weight.index_add(0, self.smooth_levels, smooth.to(self.linear.weight.dtype))

    def forward(self, z: Tensor) -> Tensor:
        """B x H -> B x (T + N + G)."""
        return F.linear(self.norm(z), self._weight(), self.linear.bias)

    def decode_outputs(self, z: Tensor, outputs: Tensor) -> Tensor:
        """Return the outputs of the given numbers (k integers) only: B x k."""
        return F.linear(self.norm(z), self._weight()[outputs], self.linear.bias[outputs])
