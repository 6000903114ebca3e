"""Errors of PCA, beside which those of a model are read."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.decomposition import PCA
from torch import Tensor

from narrows.data import Schema
from narrows.evaluation.cells import as_linear, example_errors, from_linear, has_gaps


def pca_errors(train: Tensor, rows: Tensor, schema: Schema, sizes: Sequence[int]) -> np.ndarray:
    """Return the mean error of `rows` by PCA of `train` with each number of components of `sizes`.

    Parameters
    ----------
    train, rows : examples on the model's scale, n x `schema.shape`; see `narrows.evaluation.cells` for their error.
    sizes : numbers of components, at least 0. PCA has at most as many as `train` has rows or entries.
    """
    vectors = as_linear(train, schema)
    pca = PCA(min(max(sizes), *vectors.shape), random_state=0).fit(vectors)
    sizes = [min(size, pca.n_components_) for size in sizes]
    flat = as_linear(rows, schema)
    codes = pca.transform(flat)
    if schema.kind == "table" or has_gaps(rows):
        projections = (pca.mean_ + codes[:, :k] @ pca.components_[:k] for k in sizes)
        return np.array([example_errors(from_linear(x, schema), rows, schema).mean() for x in projections])
    explained = np.square(codes, dtype=np.float64).mean(0).cumsum()
    total = float(np.square(flat - pca.mean_, dtype=np.float64).sum(1).mean())
    errors = (total - np.concatenate([[0.0], explained])) / flat.shape[1]
    return np.asarray(errors[sizes]).clip(min=0)
