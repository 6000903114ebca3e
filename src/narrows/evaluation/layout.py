"""A map of codes on which neighbours stay neighbours, in the manner of UMAP. It starts at the principal axes.

    w(i | j) = exp(- (|c_i - c_j| - r_i) / s_i)                     for the k codes nearest to c_i
    w(i, j)  = w(i | j) + w(j | i) - w(i | j) w(j | i)
    q(i, j)  = 1 / (1 + |z_i - z_j|^2)
    cost     = - sum_ij w(i, j) log q(i, j) - g sum_ij d_i / (n - 1) log (1 - q(i, j))

c_i are the codes and z_i the places. r_i is the distance of the nearest code, and s_i is such that the weights w(i | j)
sum to log2 k. d_i = sum_j w(i, j) is the degree of i. The weights and the cost are those of UMAP (McInnes, Healy and
Melville, UMAP: uniform manifold approximation and projection for dimension reduction, 2018,
https://arxiv.org/abs/1802.03426). The second sum is estimated by a few random codes. UMAP draws pairs one after the
other; here all places move at once, each by its gradient divided by the curvature of a parabola above its cost:

    step_i = sum_j (a_ij - b_ij) (z_j - z_i) / sum_j (a_ij + b_ij)
    a_ij   = w(i, j) q(i, j)
    b_ij   = g d_i / (n - 1) q(i, j) / (e + |z_i - z_j|^2)

So no place jumps past its neighbours, and a step is a few products of matrices. Before the first step each place moves
to the mean of its neighbours many times, while the whole keeps its size and shape: this untangles the principal axes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
import torch

from narrows.data import as_dense, leading_axes
from narrows.data.neighbors import nearest_by_cells, nearest_rows
from narrows.evaluation.inspection import Inspection, Plane
from narrows.params import Integer, OneOf, Parameter

FEWEST = 4  # codes that can be laid out by their neighbours
METHODS = ("axes", "neighbors", "neighbours")  # of a map
_NEAREST = 20  # k
_REPULSION = 6.0  # g
_SAMPLE = 64  # random codes by which the repulsion of a step is estimated
_SOFTENING = 1e-3  # e: equal places have a finite repulsion
_EARLY, _RISE = 0.5, 0.8  # g of the first step, and the share of the steps after which it is full: groups settle first
_SMOOTHINGS = 50  # means of neighbours before the first step
_MOMENTUM = 0.9
_START = 4.0  # standard deviation of the start along its widest axis; the final map is a few times as wide
_NOISE = 0.01
_BISECTIONS = 32
_EXACT = 12_000  # codes up to which all distances are computed
_FOR_AXES = 10_000  # codes from which the axes of long codes are computed, at most
_BLOCK = 1 << 22  # numbers in memory at once


class NeighborLayout:
    """A map of codes that is refined step by step.

    Parameters
    ----------
    codes : n codes, n x L, at least 4; an array or a `scipy.sparse` one.
    start : places to start at, n x 2, such as those on the principal axes. They are scaled.
    n_neighbors : k, at least 2: a larger one shows more of the whole and less detail.
    n_steps : number of steps to the final map. The steps become smaller towards it.
    random_state : seed of the random codes.

    Attributes
    ----------
    places : n x 2, float32.
    n_done : number of steps so far.

    Raises
    ------
    ValueError
        If codes are not finite, `start` has another shape, or `n_neighbors` or `n_steps` is too small.

    Examples
    --------
    >>> codes = np.random.default_rng(0).normal(size=(100, 5))
    >>> layout = NeighborLayout(codes, codes[:, :2], n_steps=40)
    >>> [places.shape for places in layout.refine(every=20)]
    [(100, 2), (100, 2), (100, 2)]
    """

    def __init__(
        self, codes: Any, start: np.ndarray, *, n_neighbors: int = _NEAREST, n_steps: int = 300, random_state: int = 0
    ) -> None:
        n, start = codes.shape[0], np.asarray(start, dtype=np.float32)
        for name, value, least in (("n_neighbors", n_neighbors, 2), ("n_steps", n_steps, 1)):
            Parameter(name, least, Integer(least), "").check("NeighborLayout", value)
        if n < FEWEST:
            raise ValueError(
                f"The `codes` of NeighborLayout must be at least {FEWEST}, or none has neighbours. Got {n}."
            )
        if start.shape != (n, 2) or not np.isfinite(start).all():
            raise ValueError(
                f"The `start` of NeighborLayout must be {n} x 2 finite numbers, a place for each code. Got the shape "
                f"{start.shape}."
            )
        self._rng = torch.Generator().manual_seed(random_state)
        self._n_steps, self.n_done = n_steps, 0
        centred = start - start.mean(0)
        noise = torch.empty(n, 2).normal_(generator=self._rng).numpy()  # or equal places would stay equal
        self.places: np.ndarray = centred * (_START / max(float(centred.std(0).max()), 1e-12)) + _NOISE * noise
        self._speed: np.ndarray = np.zeros_like(self.places)
        self._weights = neighbor_weights(codes, min(n_neighbors, n - 1))
        self._first = np.repeat(np.arange(n), np.diff(self._weights.indptr))  # i of each pair of neighbours
        self._degrees = torch.from_numpy(self._weights.sum(1).astype(np.float32))[:, None]

    @property
    def is_done(self) -> bool:
        """True if no steps are left."""
        return self.n_done >= self._n_steps

    def refine(self, every: int) -> Iterator[np.ndarray]:
        """Yield the places as they are, and again after each `every` steps, until no steps are left.

        A later call goes on where this one stopped.
        """
        yield self.places
        while not self.is_done:
            yield self.advance(every)

    def advance(self, n_steps: int | None = None) -> np.ndarray:
        """Take `n_steps` of the steps that are left, at most (None: all of them), and return the places."""
        if not self.n_done:
            self.places = self._smooth()
        left = self._n_steps - self.n_done
        for _ in range(left if n_steps is None else min(n_steps, left)):
            done = self.n_done / self._n_steps
            repulsion = _EARLY + (_REPULSION - _EARLY) * min(1.0, done / _RISE)
            self._speed = _MOMENTUM * self._speed + self._step(repulsion)
            self.places = self.places + np.float32(1 - done) * self._speed
            self.n_done += 1
        return self.places

    def _smooth(self) -> np.ndarray:
        """Return the places after means of neighbours, with the covariance of the start.

        These are steps of the power method towards the eigenvectors of the weights' Laplacian, at which UMAP starts.
        """
        places, degrees = self.places.astype(np.float64), self._degrees.double().numpy()
        shape = np.linalg.cholesky(_covariance(places))
        for _ in range(_SMOOTHINGS):
            places = self._weights @ places / degrees
            places -= (degrees * places).sum(0) / degrees.sum()
            places = np.linalg.solve(np.linalg.cholesky(_covariance(places)), places.T).T
        return np.asarray(places @ shape.T, dtype=np.float32)

    def _step(self, repulsion: float) -> np.ndarray:
        """Return the step of each place (n x 2) at the repulsion g."""
        places, weights = self.places, self._weights
        apart = places[self._first] - places[weights.indices]
        a = weights.data / (1 + np.einsum("ij,ij->i", apart, apart))
        attraction = sp.csr_array((a, weights.indices, weights.indptr), shape=weights.shape)
        total = attraction.sum(1)[:, None]
        pull = attraction @ places - total * places
        z, n = torch.from_numpy(places), len(places)
        drawn = torch.randint(n, (_SAMPLE,), generator=self._rng)
        sample, push = z[drawn], np.empty((n, 3), np.float32)
        for rows in torch.arange(n).split(_BLOCK // _SAMPLE):
            d = torch.addmm(sample.square().sum(1)[None], z[rows], sample.t(), alpha=-2)
            d = d.add_(z[rows].square().sum(1, keepdim=True)).clamp_(min=0)
            own = ((drawn >= rows[0]) & (drawn <= rows[-1])).nonzero()[:, 0]
            d[drawn[own] - rows[0], own] = torch.inf  # no place repels itself
            b = (d + _SOFTENING).mul_(d.add_(1)).reciprocal_().mul_(repulsion / _SAMPLE * self._degrees[rows])
            push[rows, 2:] = b_total = b.sum(1, keepdim=True)
            push[rows, :2] = b_total * z[rows] - b @ sample
        return np.asarray((pull + push[:, :2]) / (total + push[:, 2:]))


def _covariance(places: np.ndarray) -> np.ndarray:
    """Return the covariance of places (n x 2), which has an inverse."""
    covariance = np.cov(places.T)
    return covariance + max(1e-9 * float(np.trace(covariance)), 1e-300) * np.eye(2)


def lay_out(inspection: Inspection, method: str, rows: np.ndarray | None = None, *, random_state: int = 0) -> Plane:
    """Return the codes of an inspection on a map.

    Parameters
    ----------
    method : one of `METHODS`: the principal axes, or neighbours, also for codes with one or two components.
    rows : numbers of the examples to place; None for all. Neighbours are looked for among these only.
    random_state : seed of `NeighborLayout`.
    """
    plane = inspection.plane
    places = plane.places if rows is None else plane.places[rows]
    if method == "axes" or len(places) < FEWEST:
        return plane._replace(places=places)
    codes = inspection.all_codes if rows is None else inspection.all_codes[rows]
    layout = NeighborLayout(codes, places, random_state=random_state)
    names = ("neighbours lie together; the axes have no unit", "")
    return plane._replace(places=layout.advance().astype(np.float64), names=names, is_projected=True)


def check_method(owner: str, method: str) -> None:
    """Raise a ValueError for a method of a map that is none of `METHODS`."""
    Parameter("method", METHODS[0], OneOf(METHODS), "").check(owner, method)


def neighbor_weights(codes: Any, n_neighbors: int) -> sp.csr_array:
    """Return the weights w(i, j) of pairs of neighbours, n x n: symmetric, in (0, 1], and 0 for all other pairs.

    Parameters
    ----------
    codes : n codes, n x L; an array or a `scipy.sparse` one. More than 100 components are projected on 100 principal
        axes first.
    n_neighbors : k, at least 2 and below n.

    Raises
    ------
    ValueError
        If a code is not finite.
    """
    points = _as_points(codes)
    n, k = len(points), n_neighbors
    if not bool(points.isfinite().all()):
        raise ValueError("The `codes` must be finite numbers: some are NaN or infinite.")
    order = torch.randperm(n, generator=torch.Generator().manual_seed(0))
    if n <= _EXACT:
        nearest = nearest_rows(points.__getitem__, n, order, k).long()
    else:
        nearest = nearest_by_cells(points, order, k)
    distances = torch.cat(
        [
            (points[rows][:, None] - points[nearest[rows]]).square().sum(2).sqrt()
            for rows in torch.arange(n).split(max(1, _BLOCK // (k * points.shape[1])))
        ]
    ).double()
    beyond = distances - distances.min(1, keepdim=True).values
    one_way = torch.exp(-beyond / _scales(beyond, np.log2(k), float(distances.mean()))).float()
    pointers = np.arange(0, n * k + 1, k)
    w = sp.csr_array((one_way.numpy().ravel(), nearest.numpy().ravel(), pointers), shape=(n, n))
    other = w.T.tocsr()
    weights = sp.csr_array(w + other - w * other)
    weights.eliminate_zeros()
    return weights


def _as_points(codes: Any) -> torch.Tensor:
    """Return codes as dense float32 on at most 100 axes, n x l."""
    n, width = codes.shape
    most = max(100, min(_FOR_AXES, 8 * _BLOCK // width))
    shift, axes = leading_axes(_dense(codes[np.sort(np.random.default_rng(0).permutation(n)[:most])]))
    height = max(1, _BLOCK // width)
    return torch.cat([(_dense(codes[i : i + height]) - shift) @ axes for i in range(0, n, height)])


def _dense(codes: Any) -> torch.Tensor:
    return torch.from_numpy(as_dense(codes).astype(np.float32))


def _scales(beyond: torch.Tensor, target: float, mean: float) -> torch.Tensor:
    """Return s_i, n x 1, with sum_j exp(- beyond_ij / s_i) = target, by bisection.

    It is at least a thousandth of the mean distance, as in UMAP, because some codes have k equal neighbours.
    """
    low, scale = torch.zeros_like(beyond[:, :1]), torch.ones_like(beyond[:, :1]) * max(mean, 1e-300)
    high = torch.full_like(low, torch.inf)
    for _ in range(_BISECTIONS):
        is_wide = torch.exp(-beyond / scale).sum(1, keepdim=True) > target
        high, low = torch.where(is_wide, scale, high), torch.where(is_wide, low, scale)
        scale = torch.where(high.isinf(), 2 * scale, (low + high) / 2)
    return scale.clamp(min=max(1e-3 * mean, 1e-300))
