"""Label spreading along the graph of nearest neighbours among codes.

    F = (1 - a) (I - a S)^-1 Y,   S = D^-1/2 W D^-1/2

W: the weights of the edges; D: their sums for each point; Y: the known labels (n x C); F: the result.

Zhou, Bousquet, Lal, Weston and Schölkopf, Learning with local and global consistency (2004),
https://papers.nips.cc/paper/2506-learning-with-local-and-global-consistency.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from narrows.evaluation.distances import blocks, nearest

ALPHAS = (0.9, 0.95, 0.99)  # a in [0, 1): near 1 labels spread far
_N_ITERATIONS = 60  # further ones are too small to change a label


class NeighborGraph(NamedTuple):
    """Graph of nearest neighbours.

    Attributes
    ----------
    points : n x L, the codes, centred and perhaps of length 1.
    scale : n, the distance of each point from its neighbour in the middle of the k.
    adjacency : n x n sparse, S: symmetric, with the largest eigenvalue 1.
    """

    points: Tensor
    scale: Tensor
    adjacency: sp.csr_array

    @classmethod
    def build(cls, points: Tensor, k: int) -> NeighborGraph:
        """Return the graph with edges to the `k` nearest other points, of weight exp(-d^2 / (s_i s_j)), s the scale.

        Zelnik-Manor and Perona, Self-tuning spectral clustering (2004),
        https://papers.nips.cc/paper/2619-self-tuning-spectral-clustering.
        """
        n = len(points)
        index, distance = nearest(points, k)
        scale = distance[:, k // 2].clamp(min=1e-12)
        weight = _affinity(distance, scale[:, None], scale[index])
        edges = sp.csr_array((weight.flatten().numpy(), index.flatten().numpy(), np.arange(0, n * k + 1, k)), (n, n))
        edges = edges.maximum(edges.T)
        root = sp.diags_array(1 / np.sqrt(np.asarray(edges.sum(1)).ravel().clip(min=1e-300)))
        return cls(points, scale, sp.csr_array(root @ edges @ root))

    def spread(self, start: np.ndarray, a: float) -> np.ndarray:
        """Return F (n x C) for Y = `start` (n x C) and a in [0, 1)."""
        values = start
        for _ in range(_N_ITERATIONS):
            values = a * (self.adjacency @ values) + (1 - a) * start
        return values

    def interpolate(self, points: Tensor, values: np.ndarray, k: int) -> np.ndarray:
        """Return for new points (m x L) the weighted mean of the `values` (n x C) of `k` neighbours: m x C."""
        k = min(k, len(self.points))
        # filled in place, for the reason given in `narrows.evaluation.distances.nearest`
        means = np.empty((len(points), values.shape[1]))
        for rows, distances in blocks(points, self.points):
            nearest_k = distances.topk(k, dim=1, largest=False)
            scale = nearest_k.values[:, k // 2, None].clamp(min=1e-12)
            weight = _affinity(nearest_k.values, scale, self.scale[nearest_k.indices])
            # far from all points every weight underflows to 0: then only the nearest point counts
            weight[:, 0] += torch.finfo(weight.dtype).tiny
            weight = weight / weight.sum(1, keepdim=True)
            means[rows] = np.einsum("bk,bkc->bc", weight.numpy(), values[nearest_k.indices.numpy()])
        return means


def _affinity(distance: Tensor, scale: Tensor, other_scale: Tensor) -> Tensor:
    return torch.exp(-distance.square() / (scale * other_scale))
