"""What makes a row strange: it is far from its neighbours, or its columns do not fit each other.

Every part gives each entry of a row a number of at least 0, and their sum over the row is what the part measures:

    neighbours   the mean over the k nearest reference rows r of (u - r)^2
    residuals    (W (u - prediction) / s)^2, s the errors of held-out rows, W = corr(errors)^(-1/2)

Symbols: u, a row on the scale of `columns`; W whitens the errors and keeps each as near as can be to its own column
(Kessy, Lewin and Strimmer, Optimal whitening and decorrelation, 2018, https://arxiv.org/abs/1512.00809), so that the
sum is a squared Mahalanobis distance that still has a share for each column.
"""

from __future__ import annotations

import math

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.neighbors import NearestNeighbors

_LEAST_ERROR = 0.01  # on the scale of `columns`
_RIDGE = 0.05
_MOST_WHITENED = 1_000  # columns: the work grows with their cube
_LEAST_SPREAD = 0.02
_NUMBERS = 1 << 24


class Neighbours:
    """Squared distances to the `k` nearest of the reference rows (n, d). A row is no neighbour of its own.

    Parameters
    ----------
    references : (n, d).
    keys : (n,) what each of them was made of; a row of the same key leaves one reference of that key out.
    """

    def __init__(self, references: np.ndarray, keys: np.ndarray, k: int) -> None:
        self.references, self.keys, self.k = references, keys, min(k, max(1, len(references) - 1))
        self._order = np.argsort(keys, kind="stable")
        self._search = NearestNeighbors(n_neighbors=min(self.k + 1, len(references))).fit(references)

    def __call__(self, u: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """The mean squared distance, summed over entries: (n,), of rows with `keys` (n,)."""
        found = np.empty(len(u))
        for b in _blocks(len(u), self.k + 1):
            distance, which = self._search.kneighbors(u[b])
            others = distance.astype(np.float64)[self._others(which, keys[b])]
            found[b] = np.square(others).reshape(len(which), -1).mean(1)
        return found

    def shares(self, u: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """The same for each entry: (n, d)."""
        found = np.empty(u.shape)
        for b in _blocks(len(u), (self.k + 1) * u.shape[1]):
            which = self._search.kneighbors(u[b], return_distance=False)
            which = which[self._others(which, keys[b])].reshape(len(which), -1)
            found[b] = np.square(u[b, None] - self.references[which]).mean(1)
        return found

    def _others(self, which: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """True for the first k neighbours that are not the row itself: like `which`, (n, k + 1)."""
        place = find(self.keys[self._order], keys)
        own = np.where(place >= 0, self._order[place], -1)
        others = which != own[:, None]
        return others & (others.cumsum(1) <= min(self.k, which.shape[1]))


def _blocks(n: int, numbers: int) -> list[slice]:
    """n rows in parts, where each row takes so many numbers of memory."""
    step = max(1, _NUMBERS // numbers)
    return [slice(start, start + step) for start in range(0, n, step)]


def find(known: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Where each of `keys` first stands in the sorted array `known`, or -1."""
    place = np.searchsorted(known, keys)
    place[place == len(known)] = 0
    return np.where(known[place] == keys, place, -1)


class Residuals:
    """Squared errors of prediction, standardised by those of held-out rows and freed of their correlations.

    Each member has its own `error` (M, d) and `whiten` (M, d, d), found by rows that it was trained on and others
    predicted: what it leaves out is left out here, too. Without `whiten` correlations stay.
    """

    def __init__(self, error: np.ndarray, whiten: np.ndarray | None) -> None:
        self.error, self.whiten = error, whiten

    @classmethod
    def of(cls, held_out: np.ndarray, fold: np.ndarray, n_members: int) -> Residuals:
        """By errors (n, d), each of the member that did not see the row, whose number is `fold` (n)."""
        others = [held_out[fold != i] if (fold != i).any() else held_out for i in range(n_members)]
        error = np.stack([np.sqrt(np.square(rows, dtype=np.float64).mean(0)) + _LEAST_ERROR for rows in others])
        if held_out.shape[1] > _MOST_WHITENED:
            return cls(error, None)
        return cls(error, np.stack([_whitening(rows / e) for rows, e in zip(others, error, strict=True)]))

    def shares(self, residuals: np.ndarray) -> np.ndarray:
        """Of each entry of `residuals` (M, n, d)."""
        scaled = residuals / self.error[:, None]
        return np.square(scaled if self.whiten is None else scaled @ self.whiten)


def _whitening(scaled: np.ndarray) -> np.ndarray:
    """The inverse root of the correlations of `scaled` (n, d), shrunk by as much as n rows ask for."""
    d = scaled.shape[1]
    if len(scaled) < 2:
        return np.eye(d)
    values, vectors = np.linalg.eigh(ledoit_wolf(scaled, assume_centered=True)[0] + _RIDGE * np.eye(d))
    return (vectors / np.sqrt(values)) @ vectors.T


class Surprise:
    """How far beyond usual rows a measure v is, in nats: little for most rows, then a nat for each `spread` of log v.

        softplus(t),   t = (log v - location) / spread,   P(V > v) = 1 / (1 + (1 / tail - 1) e^t)

    P is a log-logistic law, fitted by the outer tenths of what held-out rows measure; at `location` its upper `tail`
    begins. So for a rare v this is -log P(V > v), less what that is at the tail. It grows with log v without end: no
    two outliers are equally strange.
    """

    def __init__(self, location: float, spread: float) -> None:
        self.location, self.spread = location, spread

    @classmethod
    def of(cls, measured: np.ndarray, tail: float = 0.1) -> Surprise:
        """Of held-out rows that measure `measured` (n,)."""
        low, high = np.quantile(_log(measured), [0.1, 0.9])
        spread = max(float(high - low) / (2 * math.log(9)), _LEAST_SPREAD)
        return cls(float(high) + spread * (math.log(1 / tail - 1) - math.log(9)), spread)

    def __call__(self, measured: np.ndarray) -> np.ndarray:
        """Nats: (n,), at least 0."""
        return np.logaddexp(0, self.standard(measured))

    def standard(self, measured: np.ndarray) -> np.ndarray:
        """t: (n,)."""
        return (_log(measured) - self.location) / self.spread


def _log(measured: np.ndarray) -> np.ndarray:
    return np.log(measured + 1e-4)  # nearer than 0.01 standard deviations is the same place
