"""The graph of nearest neighbours among codes, along which labels spread.

    F = (1 - a) (I - a S)^-1 Y,   S = D^-1/2 W D^-1/2

W are the weights of the edges, D their sums, Y what is known. Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with
local and global consistency (2004),
https://papers.nips.cc/paper/2506-learning-with-local-and-global-consistency.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows.evaluation.distances import blocks, nearest

SPREADS = (0.9, 0.95, 0.99)  # a: how far labels flow
_ROUNDS = 60  # of flowing; what comes later is too little to change a label


class Graph(NamedTuple):
    """The nearest neighbours of codes.

    Attributes
    ----------
    points : n x L, the codes as they are compared.
    scale : n, the distance within which a code has its near neighbours.
    flow : n x n sparse, S: symmetric, its largest eigenvalue is 1.
    """

    points: Tensor
    scale: Tensor
    flow: sp.csr_array

    @classmethod
    def of(cls, points: Tensor, k: int) -> Graph:
        """Edges to the `k` nearest others, weighed exp(-d^2 / (s_i s_j)), s the distance of a middling neighbour.

        Zelnik-Manor and Perona, Self-tuning spectral clustering (2004),
        https://papers.nips.cc/paper/2619-self-tuning-spectral-clustering.
        """
        n = len(points)
        index, distance = nearest(points, k)
        scale = distance[:, k // 2].clamp(min=1e-12)
        weight = _nearness(distance, scale[:, None], scale[index])
        edges = sp.csr_array((weight.flatten().numpy(), index.flatten().numpy(), np.arange(0, n * k + 1, k)), (n, n))
        edges = edges.maximum(edges.T)
        root = sp.diags_array(1 / np.sqrt(np.asarray(edges.sum(1)).ravel().clip(min=1e-300)))
        return cls(points, scale, sp.csr_array(root @ edges @ root))

    def spread(self, start: np.ndarray, a: float) -> np.ndarray:
        """`start` (n x C) after it has flowed."""
        found = start
        for _ in range(_ROUNDS):
            found = a * (self.flow @ found) + (1 - a) * start
        return found

    def at(self, points: Tensor, values: np.ndarray, k: int) -> np.ndarray:
        """What others' places take of the `values` (n x C) of their `k` nearest neighbours: a weighted mean."""
        k = min(k, len(self.points))
        # filled in place, for the reason given in `narrows.evaluation.distances.nearest`
        found = np.empty((len(points), values.shape[1]))
        for rows, distances in blocks(points, self.points):
            near = distances.topk(k, dim=1, largest=False)
            own = near.values[:, k // 2, None].clamp(min=1e-12)
            weight = _nearness(near.values, own, self.scale[near.indices])
            # so far from all that nothing is left in floating point: the nearest counts
            weight[:, 0] += torch.finfo(weight.dtype).tiny
            weight = weight / weight.sum(1, keepdim=True)
            found[rows] = np.einsum("bk,bkc->bc", weight.numpy(), values[near.indices.numpy()])
        return found


def _nearness(distance: Tensor, own: Tensor, other: Tensor) -> Tensor:
    return torch.exp(-distance.square() / (own * other))
