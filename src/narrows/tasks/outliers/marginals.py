"""Parts of the outlier score that look at columns one after another: how rare a value is, and how soon it is split off.

    histogram   the sum over columns of -log p(bin of u)
    isolation   2^(-h),   h: the mean depth at which random splits isolate the row, over the mean depth in random trees

Symbols: u is a row on the scale of `AsinhScaler`. The histograms have 10 bins between the smallest and the largest u.
Isolation forests are those of Liu, Ting and Zhou (Isolation forest, 2008, https://doi.org/10.1109/ICDM.2008.17). A
cluster of outliers is found by both, because it lies where columns are thin, although its rows have near neighbours.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from sklearn.ensemble import IsolationForest

_N_BINS = 10
_HALF = 0.5  # count of an empty bin
_OUTSIDE = 0.1  # count beyond the smallest and the largest value
_BLOCK_ROWS = 2_048


class Histograms:
    """Counts of n rows in the bins of d columns.

    Parameters
    ----------
    counts : (d, 10).
    limits : (2, d), the smallest and the largest value of each column.
    """

    def __init__(self, counts: np.ndarray, limits: np.ndarray) -> None:
        self.counts, self.limits = counts, limits

    @classmethod
    def fit(cls, u: np.ndarray) -> Histograms:
        """Return the histograms of the columns of u (n, d)."""
        histograms = cls(np.zeros((u.shape[1], _N_BINS), np.int64), np.stack([u.min(0), u.max(0)]))
        for column, bins in enumerate(histograms._bins(u).T):
            histograms.counts[column] = np.bincount(bins, minlength=_N_BINS)
        return histograms

    def per_entry(self, u: np.ndarray, is_known: np.ndarray) -> np.ndarray:
        """Return -log p of each entry of u (n, d): (n, d), at least 0. A row that `is_known` (n,) is not counted."""
        n = self.counts[0].sum()
        columns = np.arange(u.shape[1])
        counts = np.maximum(self.counts[columns, self._bins(u)] - is_known[:, None], 0) + _HALF
        low, high = self.limits
        counts = np.where((u >= low) & (u <= high), counts, _OUTSIDE)
        return np.log((n + _HALF * _N_BINS) / counts)

    def _bins(self, u: np.ndarray) -> np.ndarray:
        low, high = self.limits
        share = (np.clip(u, low, high) - low) / np.where(high > low, high - low, 1)
        return np.minimum(share * _N_BINS, _N_BINS - 1).astype(np.int64)


class IsolationTrees:
    """Isolation trees of M members. Each has left out one fold of the rows.

    Parameters
    ----------
    tensors : arrays M x T x N, for T trees of at most N nodes: `feature` (-1 for a leaf), `threshold`, `left` and
        `right` (numbers of nodes) and `depth` (mean depth of the rows in a node, over that of all rows).
    """

    NAMES = ("feature", "threshold", "left", "right", "depth")

    def __init__(self, tensors: dict[str, np.ndarray]) -> None:
        self.tensors = tensors

    @classmethod
    def fit(cls, u: np.ndarray, fold: np.ndarray, n_members: int, seed: int) -> IsolationTrees:
        """Return the trees of the rows of u (n, d); member i does not see the rows whose `fold` (n,) is i."""
        trees = []
        for i in range(n_members):
            seen = u[fold != i] if (fold != i).any() else u
            forest = IsolationForest(random_state=seed + i).fit(seen)
            trees.append([_as_arrays(tree.tree_) for tree in forest.estimators_])
        n_nodes = max(len(arrays["left"]) for member in trees for arrays in member)
        tensors = {}
        for name in cls.NAMES:
            padded = [[np.pad(a[name], (0, n_nodes - len(a[name]))) for a in member] for member in trees]
            tensors[name] = np.array(padded)
        return cls(tensors)

    def __call__(self, u: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return 2^(-h) of rows u (n, d) by the member whose `fold` (n,) they are, or by all where it is -1: (n,)."""
        depths = np.empty(len(u))
        for rows, members in self._blocks(fold):
            depths[rows] = self._descend(u[rows], members)[0]
        return np.exp2(-depths)

    def per_entry(self, u: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return the result of a call, divided among the entries by how much sooner their splits isolate the row than
        other rows: (n, d).
        """
        values = np.empty(u.shape)
        for rows, members in self._blocks(fold):
            depth, gains = self._descend(u[rows], members, with_gains=True)
            gains = np.maximum(gains, 0)
            total = gains.sum(1, keepdims=True)
            even = np.full(gains.shape, 1 / gains.shape[1])
            values[rows] = np.exp2(-depth)[:, None] * np.divide(gains, total, out=even, where=total > 0)
        return values

    def _blocks(self, fold: np.ndarray) -> list[tuple[np.ndarray, slice]]:
        """Return indices of rows with the members that judge them."""
        blocks = []
        for i in np.unique(fold):
            rows = np.flatnonzero(fold == i)
            members = slice(None) if i < 0 else slice(i, i + 1)
            blocks += [(rows[start : start + _BLOCK_ROWS], members) for start in range(0, len(rows), _BLOCK_ROWS)]
        return blocks

    def _descend(self, u: np.ndarray, members: slice, with_gains: bool = False) -> tuple[np.ndarray, np.ndarray]:
        """Return the mean depth of rows u (n, d), and what each entry takes from it: (n,) and (n, d)."""
        flat = {name: tensor[members].reshape(-1, tensor.shape[-1]) for name, tensor in self.tensors.items()}
        n_trees, n_nodes = flat["left"].shape
        feature, threshold, left, right, depth = (flat[name].ravel() for name in self.NAMES)
        root = np.arange(n_trees) * n_nodes
        node = np.tile(root, (len(u), 1))
        row = np.arange(len(u))[:, None]
        gains = np.zeros(u.shape)
        while True:
            split = feature[node].astype(np.int64)
            is_inner = split >= 0
            if not is_inner.any():
                return depth[node].mean(1, dtype=np.float64), gains
            is_left = u[row, split] <= threshold[node]
            child = np.where(is_inner, root + np.where(is_left, left[node], right[node]), node)
            if with_gains:
                place = (row * u.shape[1] + split)[is_inner]
                gain = (depth[node] - depth[child])[is_inner]
                gains += np.bincount(place, gain, minlength=u.size).reshape(u.shape) / n_trees
            node = child


def _as_arrays(tree: Any) -> dict[str, np.ndarray]:
    """Return the arrays of one of scikit-learn's trees, in small types."""
    left, right, n_rows = tree.children_left.tolist(), tree.children_right.tolist(), tree.n_node_samples.tolist()
    inner = [node for node, child in enumerate(left) if child >= 0]
    depth = [0.0] * len(left)
    for node in inner:  # parents come before their children
        depth[left[node]] = depth[right[node]] = depth[node] + 1
    depth = [level + _mean_depth(n) for level, n in zip(depth, n_rows, strict=True)]
    for node in reversed(inner):
        a, b = left[node], right[node]
        depth[node] = (n_rows[a] * depth[a] + n_rows[b] * depth[b]) / n_rows[node]
    return {
        "feature": np.maximum(tree.feature, -1).astype(np.int32),
        "threshold": tree.threshold.astype(np.float32),
        "left": tree.children_left.astype(np.int16),
        "right": tree.children_right.astype(np.int16),
        "depth": (np.array(depth) / max(1.0, _mean_depth(n_rows[0]))).astype(np.float32),
    }


def _mean_depth(n: int) -> float:
    """Return the mean depth of a row in a random tree of n rows, all different."""
    if n <= 2:
        return float(n - 1)
    return 2 * (math.log(n - 1) + np.euler_gamma) - 2 * (n - 1) / n
