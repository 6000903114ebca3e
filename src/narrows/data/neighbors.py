"""Find the nearest rows of each row, once before a training, for costs that keep neighbours together.

    euclidean    distance(i, j) = |x_i - x_j|            of flattened rows on the model's scale (log(1 + x) for counts)
    cosine       distance(i, j) = |u_i - u_j|            u = (x - mean) / |x - mean|

Rows of more than `_AXES` numbers are first projected on their leading principal axes. If there are many rows, each is
compared with a random part of them only, so that the time grows linearly with their number.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from narrows.data.axes import principal_axes

_AXES = 100  # principal axes to keep: they hold nine tenths of the variance of 28 x 28 images
_MAX_EXACT = 2048  # largest number of entries in a row for which the axes are exact
_SAMPLE = 10_000  # rows from which the axes are computed
_PART = 1 << 16  # rows in a part
_BLOCK = 1 << 25  # distances in memory at once
_CELLS = 24  # cells in which a point searches its nearest ones


def nearest_rows(flat: Callable[[Tensor], Tensor], n: int, among: Tensor, k: int, metric: str = "euclidean") -> Tensor:
    """Return, for each of `n` rows, its `k` nearest rows of `among`, without itself: n x k integers, unsorted.

    Parameters
    ----------
    flat : function from row indices (m integers) to these rows (m x d floats).
    n : number of rows.
    among : indices of the candidates, in random order; more than `k`.
    k : number of nearest rows, at least 1.
    metric : "euclidean" or "cosine".
    """
    shift, axes = leading_axes(flat(among[:_SAMPLE]))
    indices = torch.arange(n, device=among.device)
    points = torch.cat([(flat(part) - shift) @ axes for part in indices.split(_PART // 8)])
    if metric == "cosine":
        points = torch.nn.functional.normalize(points, dim=1)
    parts = among.tensor_split(-(-len(among) // _PART))
    part_of = torch.full((n,), -1, device=among.device)
    for number, candidates in enumerate(parts):
        part_of[candidates] = number
    others = part_of < 0  # rows that are not candidates are spread over the parts
    part_of[others] = torch.arange(int(others.sum()), device=among.device) % len(parts)
    nearest = torch.empty(n, k, dtype=torch.int32, device=among.device)
    for number, candidates in enumerate(parts):
        rows = (part_of == number).nonzero()[:, 0]
        for block in rows.split(max(1, _BLOCK // len(candidates))):
            nearest[block] = candidates[_nearest(points, block, candidates, k)].int()
    return nearest


def nearest_by_cells(points: Tensor, order: Tensor, k: int) -> Tensor:
    """Return, for each of n points (n x d), about its `k` nearest without itself: n x k integers, unsorted.

    The points are divided into about sqrt(n) cells by the nearest of as many random points. Each point searches its own
    cell and the nearest ones, so a few neighbours are missed, and the time grows as n sqrt(n).

    Parameters
    ----------
    order : the numbers 0 to n - 1 in random order.
    k : number of nearest points, at least 1 and below n.
    """
    centres = points[order[: max(1, round(len(points) ** 0.5))]]
    squares = centres.square().sum(1)[None]
    cell_of = torch.cat(
        [torch.addmm(squares, part, centres.t(), alpha=-2).argmin(1) for part in points.split(_BLOCK // len(centres))]
    )
    members = cell_of.argsort().split(torch.bincount(cell_of, minlength=len(centres)).tolist())
    nearest = torch.empty(len(points), k, dtype=torch.int64)
    for cell, rows in enumerate(members):
        if not len(rows):
            continue
        found, near = 0, []
        for other in torch.addmm(squares, centres[cell][None], centres.t(), alpha=-2)[0].argsort().tolist():
            near.append(members[other])
            found += len(members[other])
            if len(near) >= _CELLS and found > k:
                break
        candidates = torch.cat(near)
        nearest[rows] = candidates[_nearest(points, rows, candidates, k)]
    return nearest


def _nearest(points: Tensor, rows: Tensor, candidates: Tensor, k: int) -> Tensor:
    """Return, for each of `rows`, the positions in `candidates` of its `k` nearest: len(rows) x k integers."""
    others = points[candidates]
    # |a - b|^2 - |a|^2; |a|^2 is the same for all candidates
    distances = torch.addmm(others.square().sum(1)[None], points[rows], others.t(), alpha=-2)
    distances[rows[:, None] == candidates[None]] = torch.inf
    return distances.topk(k, dim=1, largest=False, sorted=False).indices


def leading_axes(sample: Tensor) -> tuple[Tensor, Tensor]:
    """Return the mean (d) of a sample (m x d) and axes (d x at most `_AXES`) that hold most of its variance."""
    mean, d = sample.mean(0), sample.shape[1]
    if d <= _AXES:
        return mean, torch.eye(d, dtype=sample.dtype, device=sample.device)
    if d <= _MAX_EXACT:
        return mean, principal_axes(sample).axes[:, -_AXES:]
    return mean, torch.pca_lowrank(sample - mean, min(_AXES, len(sample)), center=False)[2]
