"""Distances between many points, a block of rows at a time, so that memory does not grow with their square."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

_BLOCK_NUMBERS = 1 << 22  # distances in a block: 32 MB in double precision


def points(X: np.ndarray | Tensor) -> Tensor:
    """Return X (n x ...) as n x d, in double precision and centred so that differences keep their digits."""
    X = torch.as_tensor(X).detach().cpu().flatten(1).double()
    return X - X.mean(0)


def blocks(A: Tensor, B: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield the Euclidean distances of A (n x d) from B (m x d), as (rows, rows x m)."""
    step = max(1, _BLOCK_NUMBERS // max(1, len(B)))
    for start in range(0, len(A), step):
        rows = slice(start, min(start + step, len(A)))
        yield rows, torch.cdist(A[rows], B, compute_mode="use_mm_for_euclid_dist")


def others(A: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Yield the distances within A (n x d) as `blocks` does; the distance of a point from itself is infinite."""
    for rows, distances in blocks(A, A):
        index = torch.arange(rows.start, rows.stop)
        distances[index - rows.start, index] = torch.inf
        yield rows, distances


def nearest(A: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the `k` nearest other points of each point in A (n x d) and their distances: n x k each, nearest first."""
    # filled in place: small results kept between large blocks would keep the blocks' memory from being used again
    index, distance = torch.empty(len(A), k, dtype=torch.int64), torch.empty(len(A), k, dtype=A.dtype)
    for rows, block in others(A):
        distance[rows], index[rows] = block.topk(k, dim=1, largest=False)
    return index, distance
