"""Sums over the active entries of a sparse code, forward and backward, without a dense B x L array.

N entries are active: entry n is in row r(n), has the unit u(n) and the activation z(n). All sums are segmented sums of
rows of a matrix (`F.embedding_bag`), which read only these rows. The backward passes need the entries by unit; a
sort brings them into that order. Every gradient is compared with autograd's in `tests/test_sparse_step.py`.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from narrows.types import DeferredLinear, SparseCode

_SHORTEST = 1e-8  # length of a direction, below which it is not scaled up further
_GROUP = 16  # entries of a row in one group of `largest_units`
_MOST_SHORT = 1 << 15  # units whose numbers are integers of two bytes
_BITS = {torch.bfloat16: torch.int16, torch.float32: torch.int32, torch.float64: torch.int64}


def chosen_outputs(linear: DeferredLinear, h: Tensor, flat: Tensor) -> Tensor:
    """Return some outputs of a linear layer, N numbers in the dtype of its weights.

        dW_j = sum of g(n) x_r(n)    db_j = sum of g(n)    over the entries with u(n) = j
        dx_i = sum of g(n) W_u(n)    over the entries with r(n) = i

    Parameters
    ----------
    linear : the layer and its input.
    h : its outputs (B x L), without a gradient.
    flat : the chosen entries, row * L + unit (N integers, the rows in order).
    """
    chosen: Tensor = _ChosenOutputs.apply(*linear, h, flat)
    return chosen


def sum_of_directions(code: SparseCode, directions: Tensor, n_layers: int = 1, width: int | None = None) -> Tensor:
    """Return sum_j z_j d_j / |d_j| for each row of a code: B x d, in the dtype of the directions.

        |d_j| = sum over the layers of |d_jl|
        s(n) = z(n) / |d_u(n)|        along(n) = e_r(n) . d_u(n) / |d_u(n)| = dz(n)
        dd_jl = sum over the entries with u(n) = j of s(n) e_r(n)l  -  d_jl / (|d_jl| |d_j|)  sum of z(n) along(n)

    e is the gradient of the result. The second part projects the gradient on what leaves the length of d_j as it is.

    Parameters
    ----------
    directions : d, L x d.
    n_layers, width : as for `layer_lengths`.
    """
    values = code.values.to(directions.dtype)
    parts = (n_layers, directions.shape[1] // n_layers if width is None else width)
    total: Tensor = _SumOfDirections.apply(values, directions, code.indices, code.starts, parts)
    return total


def layer_lengths(directions: Tensor, n_layers: int = 1, width: int | None = None) -> Tensor:
    """Return the length |d_jl| of each layer's part of directions (L x d): L x n_layers.

    Parameters
    ----------
    n_layers : number of layers; 1 for the length of whole directions.
    width : columns of a layer, which follow each other; d is n_layers x width, or a multiple (for likelihoods with
        several parameters). None for d / n_layers.
    """
    if n_layers == 1:
        return directions.norm(dim=1, keepdim=True)
    width = directions.shape[1] // n_layers if width is None else width
    return torch.linalg.vector_norm(directions.unflatten(1, (-1, n_layers, width)), dim=(1, 3))


def compute_lengths(directions: Tensor, n_layers: int = 1, width: int | None = None) -> Tensor:
    """Return |d_j| of directions (L x d), the sum of the lengths in the layers: L numbers above 0."""
    return layer_lengths(directions, n_layers, width).sum(1).clamp(min=_SHORTEST)


def sum_rows(table: Tensor, indices: Tensor, weights: Tensor, starts: Tensor) -> Tensor:
    """Return, for each segment, the sum of weights(n) table[indices(n)]: segments x d.

    Parameters
    ----------
    table : rows of d numbers.
    indices, weights : N integers, and N numbers in the dtype of `table`.
    starts : first entry of each segment, followed by N.
    """
    return F.embedding_bag(indices, table, starts, mode="sum", per_sample_weights=weights, include_last_offset=True)


def largest_units(h: Tensor, k: int) -> Tensor:
    """Return the k largest entries of each row of h (B x L), in any order: B x k integers. Those below 0 may be any.

    On a CPU only the entries of the k groups with the largest maxima are looked at. Each entry of another group is at
    most its maximum, so at most k others, the maxima of those groups. This halves the time of `topk`
    (`python benchmarks/sparse.py step`).
    """
    n_groups = h.shape[1] // _GROUP
    if h.device.type != "cpu" or h.dtype not in _BITS or h.shape[1] % _GROUP or n_groups < 2 * k:
        return h.topk(k, dim=1, sorted=False).indices
    bits = h.contiguous().view(_BITS[h.dtype])  # as integers, numbers above 0 have the same order, and others are less
    # a group has every n_groups-th entry: a maximum over whole rows of numbers is faster than one within rows
    groups = bits.view(len(h), _GROUP, n_groups).amax(1).topk(k, dim=1, sorted=False).indices
    steps = torch.arange(0, h.shape[1], n_groups, device=h.device)
    units = (groups[:, None, :] + steps[:, None]).reshape(len(h), -1)
    return units.gather(1, bits.gather(1, units).topk(k, dim=1, sorted=False).indices)


class _ByUnit(NamedTuple):
    """The order of the entries by unit: N integers, and the first place of each unit in it, followed by N."""

    order: Tensor
    starts: Tensor


def _by_unit(units: Tensor, n_units: int) -> _ByUnit:
    counts = torch.zeros(n_units + 1, dtype=units.dtype, device=units.device)
    keys = units.to(
        torch.int16 if n_units <= _MOST_SHORT else torch.int32
    )  # short keys are sorted in a third of the time
    return _ByUnit(keys.sort(stable=True).indices, counts.index_add_(0, units + 1, torch.ones_like(units)).cumsum(0))


class _ChosenOutputs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, features: Tensor, weight: Tensor, bias: Tensor, h: Tensor, flat: Tensor) -> Tensor:
        ctx.save_for_backward(features, weight, flat)
        return h.reshape(-1).index_select(0, flat).to(weight.dtype)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, g: Tensor) -> tuple[Tensor | None, ...]:
        features, weight, flat = ctx.saved_tensors
        x, (n_units, _) = features.to(weight.dtype), weight.shape
        rows, units = flat // n_units, flat % n_units
        order, starts = _by_unit(units, n_units)
        dw = sum_rows(x, rows[order], g[order], starts)
        db = g.new_zeros(n_units).index_add(0, units, g)
        dx = None
        if ctx.needs_input_grad[0]:
            row_starts = torch.searchsorted(rows, torch.arange(len(x) + 1, device=rows.device))
            dx = sum_rows(weight, units, g, row_starts).to(features.dtype)
        return dx, dw, db, None, None


class _SumOfDirections(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, values: Tensor, directions: Tensor, indices: Tensor, starts: Tensor, parts: tuple[int, int]
    ) -> Tensor:
        lengths = layer_lengths(directions, *parts)
        inverse = lengths.sum(1).clamp(min=_SHORTEST).reciprocal()
        ctx.save_for_backward(values, directions, indices, starts, inverse, lengths)
        ctx.parts = parts
        return sum_rows(directions, indices, values * inverse[indices], starts)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, e: Tensor) -> tuple[Tensor | None, ...]:
        values, directions, indices, starts, inverse, lengths = ctx.saved_tensors
        e, scale = e.contiguous(), inverse[indices]
        rows = torch.arange(len(e), device=e.device).repeat_interleave(starts.diff(), output_size=len(values))
        along = torch.ops.aten._embedding_bag_per_sample_weights_backward(e, directions, indices, starts[:-1], rows, 0)
        along = along * scale
        if not ctx.needs_input_grad[1]:
            return along, None, None, None, None
        order, unit_starts = _by_unit(indices, len(directions))
        gradient = sum_rows(e, rows[order], (values * scale)[order], unit_starts)
        lengthwise = values.new_zeros(len(directions)).index_add(0, indices, values * along)
        factor = (lengthwise * inverse)[:, None] / lengths.clamp(min=_SHORTEST)  # L x layers
        shape = (len(directions), -1, *ctx.parts)
        gradient.view(shape).addcmul_(directions.view(shape), factor[:, None, :, None], value=-1)
        return along, gradient, None, None, None
