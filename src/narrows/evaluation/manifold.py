"""Measures of neighbourhoods: neighbours among the examples, and neighbours in the code.

    trustworthiness  1 - 2 / (n k (2n - 3k - 1)) sum_i sum_{j in U_k(i)} (r(i, j) - k)
    U_k(i): the points whose codes are among the k nearest of i, but whose examples are not; r(i, j): the rank of j
    among the examples by distance from i. Continuity is the same with codes and examples exchanged.

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
    """Degree to which neighbours in the code are neighbours among the examples, too."""
    return _preserved(
        subject,
        lambda x, z: neighbour_ranks(x, z, N_NEIGHBORS),
        "neighbours in the code are neighbours of the example, too",
    )


@measure(better=1)
def continuity(subject: Subject) -> Estimate:
    """Degree to which neighbours among the examples are neighbours in the code, too."""
    return _preserved(
        subject,
        lambda x, z: neighbour_ranks(z, x, N_NEIGHBORS),
        "neighbours of the example are neighbours in the code, too",
    )


def neighbour_ranks(X: Tensor | np.ndarray, Z: Tensor | np.ndarray, n_neighbors: int) -> Tensor:
    """Return the ranks by distance in X (n x d), from 1, of the nearest neighbours of each point in Z (n x e).

    Returns
    -------
    n x `n_neighbors` integers, the nearest in Z first.
    """
    x, (index, _) = points(X), nearest(points(Z), n_neighbors)
    ranks = torch.empty_like(index)  # filled in place: see `nearest`
    for rows, block in others(x):
        distances = block.gather(1, index[rows])
        ranks[rows] = torch.searchsorted(block.sort(dim=1).values, distances.contiguous()) + 1
    return ranks


def preserved(ranks: Tensor, n_neighbors: int) -> np.ndarray:
    """Return the trustworthiness of each point, (n,); its mean is the trustworthiness of all.

    Parameters
    ----------
    ranks : ranks in X of neighbours in Z, by `neighbour_ranks`, at least `n_neighbors` columns. With the ranks in Z of
        neighbours in X the result is the continuity.
    """
    n, k = len(ranks), n_neighbors
    beyond = (ranks[:, :k] - k).clamp(min=0).sum(1).double()
    return (1 - 2 / (k * (2 * n - 3 * k - 1)) * beyond).numpy()


def _preserved(subject: Subject, ranks: Callable[[Tensor, np.ndarray], Tensor], description: str) -> Estimate:
    n = len(subject.comparison.rows)
    if n <= 2 * N_NEIGHBORS:
        raise Absent(f"{N_NEIGHBORS} neighbours need more than {2 * N_NEIGHBORS} examples, and there are {n}")
    index = subject.comparison.subsample(_MOST)
    x = subject.comparison.points_of(subject.comparison.rows[index])
    values = preserved(ranks(x, subject.codes_of(index)), N_NEIGHBORS)
    among = f"among {len(index):,} of {n:,} examples" if len(index) < n else f"among {n:,} examples"
    description = f"degree to which the {N_NEIGHBORS} nearest {description} (1 is best); {among}"
    return subject.comparison.resamples.mean(values, description)
