"""Baselines of an autoencoder, measured in the same way: PCA, a median filter, and neighbours in a code."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from scipy.ndimage import median_filter
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier

N_NEIGHBOURS = 5


@dataclass(frozen=True)
class Baseline:
    """PCA, for examples of any shape.

    Attributes
    ----------
    mean : (d,).
    axes : n_components x d, directions of length 1, those of the largest variance first.
    shape : shape of one example.
    """

    mean: np.ndarray
    axes: np.ndarray
    shape: tuple[int, ...]

    @classmethod
    def fit(cls, X: np.ndarray, n_components: int | None = None) -> Baseline:
        """Fit the principal axes of X (n x ...): `n_components`, or all of them."""
        pca = PCA(n_components, svd_solver="full").fit(X.reshape(len(X), -1))
        return cls(pca.mean_, pca.components_, X.shape[1:])

    @property
    def n_components(self) -> int:
        """Number of components of a code."""
        return len(self.axes)

    def encode(self, X: np.ndarray) -> np.ndarray:
        """Return the codes: n x n_components."""
        return (X.reshape(len(X), -1) - self.mean) @ self.axes.T

    def reconstruct(self, X: np.ndarray) -> np.ndarray:
        """Return X projected on the principal axes, clipped to [0, 1]."""
        return (self.encode(X) @ self.axes + self.mean).reshape(-1, *self.shape).clip(0, 1)


def best_cleaner(clean: np.ndarray, noisy: np.ndarray) -> Baseline:
    """Return PCA with the number of components that cleans `noisy` best; both arrays are training examples, n x ..."""
    whole = Baseline.fit(clean)
    candidates = (replace(whole, axes=whole.axes[:n]) for n in range(1, whole.n_components + 1))
    return min(candidates, key=lambda pca: mse(pca.reconstruct(noisy), clean))


def median(noisy: np.ndarray) -> np.ndarray:
    """Replace each pixel of images (n, h, w) by the median of the 3 x 3 pixels around it."""
    return median_filter(noisy, size=(1, 3, 3)).clip(0, 1)


def mse(a: np.ndarray, b: np.ndarray) -> float:
    """Return the mean squared error per entry."""
    return float(np.square(a.astype(np.float64) - b).mean())


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio of images in [0, 1], in dB, from the squared error over all of them."""
    return -10 * float(np.log10(max(mse(a, b), 1e-12)))


def neighbour_accuracy(train: np.ndarray, y_train: np.ndarray, test: np.ndarray, y_test: np.ndarray) -> float:
    """Return the accuracy of the labels of the nearest training codes, in [0, 1]; codes are n x L."""
    model = KNeighborsClassifier(min(N_NEIGHBOURS, len(train))).fit(train, y_train)
    return float(model.score(test, y_test))


def novelty(X: np.ndarray, known: np.ndarray) -> float:
    """Return the median over X of the distance to the nearest example of `known` (root mean square over entries)."""
    a, b = X.reshape(len(X), -1).astype(np.float64), known.reshape(len(known), -1).astype(np.float64)
    squares = (a**2).sum(1)[:, None] - 2 * a @ b.T + (b**2).sum(1)
    return float(np.median(np.sqrt(squares.min(1).clip(min=0) / a.shape[1])))
