"""Search among sparse codes as they are: no dense array of them is made, which would take gigabytes.

    d(z, q) = 1 - (z - m) . (q - m) / (|z - m| |q - m|)
    (z - m) . (q - m) = z . (q - m) - m . (q - m),        |z - m|^2 = |z|^2 - 2 z . m + |m|^2

z: the code of a row, q: that of a query, m: the mean code of the model. Only products of z look at the rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from narrows.data import is_sparse
from narrows.estimators.base import Estimator
from narrows.tasks.search import Index, Matches


class SparseIndex:
    """Sparse codes to search by the metric "cosine" of `Index`; each search compares all rows.

    Parameters
    ----------
    codes : n codes, n x L, a `scipy.sparse.csr_array`.
    mean : (L,), the model's `code_mean_`.
    """

    def __init__(self, codes: Any, mean: np.ndarray) -> None:
        self.codes, self.mean = codes.astype(np.float64), np.asarray(mean, dtype=np.float64)
        squares = np.asarray((self.codes * self.codes).sum(1)).ravel() - 2 * (self.codes @ self.mean)
        self._lengths = np.sqrt((squares + self.mean @ self.mean).clip(min=1e-24))

    def __len__(self) -> int:
        return self.codes.shape[0]

    def search_codes(self, codes: np.ndarray, k: int = 10, *, without: Any = None) -> Matches:
        """Return the `k` rows that are nearest to each of the codes (m x L).

        Parameters
        ----------
        k : from 1 to the number of rows, or one less with `without`.
        without : (m,) of int, for each code the index of a row to leave out; None for none.
        """
        directions = codes - self.mean
        directions /= np.linalg.norm(directions, axis=1, keepdims=True).clip(min=1e-12)
        cosines = (self.codes @ directions.T - directions @ self.mean) / self._lengths[:, None]
        distances = (1 - cosines.T).clip(min=0)
        if without is not None:
            distances[np.arange(len(codes)), without] = np.inf
        rows = np.argsort(distances, axis=1, kind="stable")[:, :k]
        return Matches(rows, np.take_along_axis(distances, rows, axis=1).astype(np.float32))


def index_codes(model: Estimator, codes: Any) -> Index | SparseIndex:
    """Return an index that compares all rows, by their codes (n x L), an array or a `scipy.sparse.csr_array`."""
    if is_sparse(codes):
        return SparseIndex(codes, model.code_mean_)
    return Index(model, exact=True).add_codes(codes)
