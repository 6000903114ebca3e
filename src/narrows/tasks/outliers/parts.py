"""The parts of the outlier score: distances to neighbours, and errors of predicting columns from other columns.

Every part gives each entry of a row a number of at least 0. The sum over the row is the value of the part:

    neighbours   the mean over the k nearest reference rows r of (u - r)^2
    residuals    (W (u - prediction) / s)^2,  s: errors of held-out rows,  W = corr(errors)^(-1/2)

Symbols: u is a row on the scale of `AsinhScaler`. W whitens the errors and keeps each as near as possible to its own
column (Kessy, Lewin and Strimmer, Optimal whitening and decorrelation, 2018, https://arxiv.org/abs/1512.00809). So the
sum is a squared Mahalanobis distance, and each column has its part of it.
"""

from __future__ import annotations

import math

import numpy as np
from sklearn.covariance import ledoit_wolf
from sklearn.neighbors import NearestNeighbors

LOCAL_NEIGHBORS = 2
GLOBAL_ROWS, _GLOBAL_FRACTION = 1_000, 0.1
_MIN_ERROR = 0.01  # on the scale of `AsinhScaler`
_RIDGE = 0.05
_MAX_WHITENED_COLUMNS = 1_000  # the work grows with their cube
_MIN_SPREAD = 0.02
_TRIM_ABOVE = 2.0  # rows with a larger t are not learned from; a usual row has a chance of 1.5 %
_BLOCK_NUMBERS = 1 << 24  # differences in memory at a time


class NeighborDistances:
    """Squared distances to the `k` nearest reference rows. A row is not a neighbour of itself.

    Parameters
    ----------
    references : (n, d), float32.
    keys : (n,), uint64, the key of the row from which each reference was made. For a row with the same key, one
        reference with that key is left out.
    k : number of neighbours, at least 1.
    """

    def __init__(self, references: np.ndarray, keys: np.ndarray, k: int) -> None:
        self.references, self.keys, self.k = references, keys, min(k, max(1, len(references) - 1))
        self._order = np.argsort(keys, kind="stable")
        self._search = NearestNeighbors(n_neighbors=min(self.k + 1, len(references))).fit(references)

    def __call__(self, u: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Return the mean squared distance of each row of u (n, d) with `keys` (n,), summed over entries: (n,)."""
        means = np.empty(len(u))
        for b in _blocks(len(u), self.k + 1):
            distance, index = self._search.kneighbors(u[b])
            distance = distance.astype(np.float64)[self._mask_self(index, keys[b])]
            means[b] = np.square(distance).reshape(len(index), -1).mean(1)
        return means

    def per_entry(self, u: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Return the mean squared distance of each entry: (n, d)."""
        means = np.empty(u.shape)
        for b in _blocks(len(u), (self.k + 1) * u.shape[1]):
            index = self._search.kneighbors(u[b], return_distance=False)
            index = index[self._mask_self(index, keys[b])].reshape(len(index), -1)
            means[b] = np.square(u[b, None] - self.references[index]).mean(1)
        return means

    def _mask_self(self, index: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Return True for the first k neighbours that are not the row itself: like `index`, (n, k + 1)."""
        position = find_in_sorted(self.keys[self._order], keys)
        itself = np.where(position >= 0, self._order[position], -1)
        others = index != itself[:, None]
        return others & (others.cumsum(1) <= min(self.k, index.shape[1]))


def global_distances(references: np.ndarray, keys: np.ndarray) -> NeighborDistances:
    """Return distances to the nearest tenth of `references` (n, d) with `keys` (n,)."""
    return NeighborDistances(references, keys, max(LOCAL_NEIGHBORS, round(_GLOBAL_FRACTION * len(references))))


def _blocks(n: int, numbers_per_row: int) -> list[slice]:
    """Split n rows into blocks of bounded memory."""
    step = max(1, _BLOCK_NUMBERS // numbers_per_row)
    return [slice(start, start + step) for start in range(0, n, step)]


def find_in_sorted(sorted_keys: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the first position of each of `keys` (n,) in the array `sorted_keys`, or -1: (n,)."""
    position = np.searchsorted(sorted_keys, keys)
    position[position == len(sorted_keys)] = 0
    return np.where(sorted_keys[position] == keys, position, -1)


class Residuals:
    """Squared errors of prediction, standardised by the errors of held-out rows and whitened.

    Each member has its own `error` and `whiten`. They come from rows that it was trained on and other members
    predicted: the fold that the member leaves out is left out here, too.

    Parameters
    ----------
    error : (M, d), root mean squared error of each column.
    whiten : (M, d, d), the inverse root of the correlations; None leaves the errors correlated.
    """

    def __init__(self, error: np.ndarray, whiten: np.ndarray | None) -> None:
        self.error, self.whiten = error, whiten

    @classmethod
    def fit(cls, held_out: np.ndarray, fold: np.ndarray, n_members: int) -> Residuals:
        """Return residuals that are standardised and whitened by the errors of held-out rows.

        Parameters
        ----------
        held_out : (n, d), for each row the errors of the member that did not see it.
        fold : (n,), the number of that member for each row.
        """
        others = [held_out[fold != i] if (fold != i).any() else held_out for i in range(n_members)]
        error = np.stack([np.sqrt(np.square(rows, dtype=np.float64).mean(0)) + _MIN_ERROR for rows in others])
        if held_out.shape[1] > _MAX_WHITENED_COLUMNS:
            return cls(error, None)
        return cls(error, np.stack([_whitening(rows / e) for rows, e in zip(others, error, strict=True)]))

    def per_entry(self, residuals: np.ndarray) -> np.ndarray:
        """Return the value of each entry of `residuals` (M, n, d), in the same shape."""
        scaled = residuals / self.error[:, None]
        return np.square(scaled if self.whiten is None else scaled @ self.whiten)


def _whitening(scaled: np.ndarray) -> np.ndarray:
    """Return the inverse root (d, d) of the correlations of `scaled` (n, d), shrunk as Ledoit and Wolf do."""
    d = scaled.shape[1]
    if len(scaled) < 2:
        return np.eye(d)
    values, vectors = np.linalg.eigh(ledoit_wolf(scaled, assume_centered=True)[0] + _RIDGE * np.eye(d))
    return (vectors / np.sqrt(values)) @ vectors.T


class Surprise:
    """Surprise at a value v, in nats: near 0 for most rows, then one nat more for each `spread` of log v.

        softplus(t),   t = (log v - location) / spread,   P(V > v) = 1 / (1 + (1 / tail - 1) e^t)

    P is a log-logistic law. It is fitted to the 10 % and the 90 % quantile of the values of held-out rows; its upper
    `tail` begins at `location`. For a rare v the surprise is -log P(V > v), less its value at the beginning of the
    tail. It grows with log v without limit: no two outliers are equally strange.

    Parameters
    ----------
    location, spread : location and spread of log v.
    """

    def __init__(self, location: float, spread: float) -> None:
        self.location, self.spread = location, spread

    @classmethod
    def fit(cls, values: np.ndarray, tail: float = 0.1) -> Surprise:
        """Return the surprise fitted to the `values` (n,) of held-out rows; `tail` is a probability."""
        low, high = np.quantile(_log(values), [0.1, 0.9])
        spread = max(float(high - low) / (2 * math.log(9)), _MIN_SPREAD)
        return cls(float(high) + spread * (math.log(1 / tail - 1) - math.log(9)), spread)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Return the surprise at `values` (n,) in nats: (n,), at least 0."""
        return np.logaddexp(0, self.standardize(values))

    def standardize(self, values: np.ndarray) -> np.ndarray:
        """Return t for `values` (n,): (n,)."""
        return (_log(values) - self.location) / self.spread


def inlier_mask(u: np.ndarray, keys: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return True for the rows of u (n, d) that are near enough to the others to learn from: (n,)."""
    sample = rng.permutation(len(u))[:GLOBAL_ROWS]
    distance = global_distances(u[sample], keys[sample])(u, keys)
    inliers = Surprise.fit(distance).standardize(distance) < _TRIM_ABOVE
    return inliers if inliers.sum() > 1 else np.ones(len(u), bool)


def _log(values: np.ndarray) -> np.ndarray:
    return np.log(values + 1e-4)  # distances below 0.01 standard deviations count as 0
