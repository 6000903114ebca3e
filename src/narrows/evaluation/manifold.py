"""Whether neighbours stay neighbours on the way into the code.

    trustworthiness  1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k)
    U_k(i): those of the k nearest codes of i which are not among the k nearest examples of i; r(i, j): the rank of j
    among the examples by their distance from i. Continuity is the same with codes and examples exchanged.

Venna and Kaski, Neighborhood preservation in nonlinear projection methods (2001),
https://doi.org/10.1007/3-540-44668-0_68.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from narrows.evaluation.absent import Absent
from narrows.evaluation.distances import nearest, others, points
from narrows.evaluation.intervals import Estimate
from narrows.evaluation.registry import measure
from narrows.evaluation.subjects import Subject

N_NEIGHBORS = 10
_MOST = 3_000  # examples, whose distances from each other are sorted


@measure(better=1)
def trustworthiness(subject: Subject) -> Estimate:
    """Whether neighbours in the code are neighbours among the examples."""
    return _kept(subject, lambda x, z: neighbour_ranks(x, z, N_NEIGHBORS), "in the code are neighbours of the example")


@measure(better=1)
def continuity(subject: Subject) -> Estimate:
    """Whether neighbours among the examples are neighbours in the code."""
    return _kept(subject, lambda x, z: neighbour_ranks(z, x, N_NEIGHBORS), "of the example are neighbours in the code")


def neighbour_ranks(X: Tensor | np.ndarray, Z: Tensor | np.ndarray, n_neighbors: int) -> Tensor:
    """The ranks by distance in X (n x d), from 1, of the nearest neighbours of each point in Z (n x e).

    Returns
    -------
    n x `n_neighbors` integers, the nearest in Z first.
    """
    x, (index, _) = points(X), nearest(points(Z), n_neighbors)
    ranks = torch.empty_like(index)  # filled in place: see `nearest`
    for rows, block in others(x):
        wanted = block.gather(1, index[rows])
        ranks[rows] = torch.searchsorted(block.sort(dim=1).values, wanted.contiguous()) + 1
    return ranks


def preserved(ranks: Tensor, n_neighbors: int) -> np.ndarray:
    """The formula above for each point, from `neighbour_ranks` of at least `n_neighbors`: n numbers whose mean it is.

    With the ranks in X of neighbours in Z, the trustworthiness of Z; the other way round, its continuity.
    """
    n, k = len(ranks), n_neighbors
    beyond = (ranks[:, :k] - k).clamp(min=0).sum(1).double()
    return (1 - 2 / (k * (2 * n - 3 * k - 1)) * beyond).numpy()


def _kept(subject: Subject, ranks: Callable[[Tensor, np.ndarray], Tensor], words: str) -> Estimate:
    n = len(subject.scene.rows)
    if n <= 2 * N_NEIGHBORS:
        raise Absent(f"{N_NEIGHBORS} neighbours need more than {2 * N_NEIGHBORS} examples, and there are {n}")
    few = subject.scene.few(_MOST)
    values = preserved(ranks(subject.scene.rows[few], subject.codes[few]), N_NEIGHBORS)
    words = f"how far the {N_NEIGHBORS} nearest {words}, 1 at best; {_among(len(few), n)}"
    return subject.scene.resamples.mean(values, words)


def _among(few: int, n: int) -> str:
    return f"among {few:,} of {n:,} examples" if few < n else f"among {n:,} examples"
