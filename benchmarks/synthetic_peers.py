"""What narrows' rows of tables, and its surprise of cells, are compared with. See synthetic.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.neighbors import NearestNeighbors

N_BINS = {"marginal": 50, "knn": 50, "hgb": 20}  # of a number, for surprise
N_NEIGHBORS = 50  # of knn


def is_word(column: pd.Series) -> bool:
    """Return True for a column of words."""
    return not pd.api.types.is_numeric_dtype(column)


def tidy(frame: pd.DataFrame, like: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with numbers rounded to the decimals of those of `like`, and clipped to their range."""
    result = frame[list(like.columns)].copy()
    for name in like:
        if not is_word(like[name]):
            digits = next(d for d in range(12) if np.allclose(like[name], like[name].round(d), atol=1e-9))
            values = result[name].astype(float).round(digits).clip(like[name].min(), like[name].max())
            result[name] = values.astype(like[name].dtype)
    return result


def smote(train: pd.DataFrame, target: str, seed: int) -> Callable[[int], pd.DataFrame]:
    """Return a function from the number of a draw to rows between neighbours with the same target."""
    numbers = [name for name in train if not is_word(train[name])]
    words = [name for name in train if is_word(train[name])]
    x = ((train[numbers] - train[numbers].mean()) / train[numbers].std()).to_numpy()
    x = np.concatenate([x, pd.get_dummies(train[words]).to_numpy(float) * np.sqrt(0.5)], 1)
    neighbors = np.zeros((len(train), 5), int)
    for level in train[target].unique():
        same = np.flatnonzero(train[target] == level)
        found = NearestNeighbors(n_neighbors=6, algorithm="brute").fit(x[same]).kneighbors(x[same])[1]
        neighbors[same] = same[found[:, 1:]]

    def draw(number: int) -> pd.DataFrame:
        rng = np.random.default_rng([seed, number])
        first = rng.integers(len(train), size=len(train))
        second = neighbors[first, rng.integers(5, size=len(train))]
        share = rng.random(len(train))
        a, b = (train.iloc[index].reset_index(drop=True) for index in (first, second))
        rows = {c: a[c] + share * (b[c] - a[c]) for c in numbers}
        rows |= {c: a[c].where(rng.random(len(a)) >= share, b[c]) for c in words}
        return tidy(pd.DataFrame(rows), train)

    return draw


def tvae(train: pd.DataFrame, seed: int) -> Callable[[int], pd.DataFrame]:
    """Fit TVAE, 300 epochs; return a function from the number of a draw to rows."""
    from ctgan import TVAE

    model = TVAE(epochs=300, enable_gpu=False)
    model.set_random_state(seed)
    model.fit(train, [name for name in train if is_word(train[name])])

    def draw(number: int) -> pd.DataFrame:
        model.set_random_state(number)
        return tidy(model.sample(len(train)), train)

    return draw


# ------------------------------------------------------------------------------------------------ surprise


class Bins:
    """The level of each cell, or its quantile bin; -1 if it is missing. A common value of a number is a level, too.

    Parameters
    ----------
    train : the rows that the bins are made from.
    n_bins : number of quantile bins of a number. A value that more than 1 / n_bins of the cells share has its own, as
        has each value if there are at most so many.
    """

    def __init__(self, train: pd.DataFrame, n_bins: int) -> None:
        self.levels: dict[Any, dict[Any, int]] = {}
        self.edges: dict[Any, np.ndarray] = {}
        for name in train:
            shares = train[name].dropna().value_counts(normalize=True)
            own = shares if is_word(train[name]) or len(shares) <= n_bins else shares[shares > 1 / n_bins]
            others = train[name][train[name].notna() & ~train[name].isin(own.index)]
            edges = np.unique(np.quantile(others, np.arange(1, n_bins) / n_bins)) if len(others) else np.empty(0)
            self.edges[name] = edges
            self.levels[name] = {value: i for i, value in enumerate(sorted(own.index))}
        # the last number is that of unseen levels
        self.sizes = [len(self.levels[name]) + len(self.edges[name]) + 1 for name in train]

    def __call__(self, frame: pd.DataFrame) -> np.ndarray:
        """Return n x columns integers."""
        columns = []
        for name in frame:
            levels, edges = self.levels[name], self.edges[name]
            others = len(levels)
            if len(edges):
                others += np.searchsorted(edges, frame[name].to_numpy(float), side="right")
            codes = frame[name].map(levels).fillna(-1).to_numpy(int)
            columns.append(np.where(frame[name].isna(), -1, np.where(codes < 0, others, codes)))
        return np.stack(columns, 1)


def _shares(codes: np.ndarray, size: int) -> np.ndarray:
    counts = np.bincount(codes[codes >= 0], minlength=size) + 0.5
    return counts / counts.sum()


def marginal(train: pd.DataFrame, test: pd.DataFrame, seed: int, n_bins: int = N_BINS["marginal"]) -> np.ndarray:
    """Return -log of the share of each cell's level or bin among the training rows: n x columns."""
    bins = Bins(train, n_bins)
    a, b = bins(train), bins(test)
    return np.stack([-np.log(_shares(a[:, j], size))[b[:, j]] for j, size in enumerate(bins.sizes)], 1)


def knn(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    """Return -log of the share among the nearest training rows by the other columns, drawn to the marginal share."""
    bins = Bins(train, N_BINS["knn"])
    a, b = bins(train), bins(test)
    parts = []
    for name, x, y in zip(train, a.T, b.T, strict=True):
        if is_word(train[name]):
            parts.append((y[:, None] != x).astype(np.float32))
        else:
            mean, std = train[name].mean(), train[name].std()
            u, v = (((f[name] - mean) / std).fillna(0).to_numpy(np.float32) for f in (train, test))
            parts.append(np.square(v[:, None] - u) + ((y[:, None] < 0) != (x < 0)))
    total = sum(parts)
    result = np.empty(b.shape)
    for j, size in enumerate(bins.sizes):
        near = np.argpartition(total - parts[j], N_NEIGHBORS, axis=1)[:, :N_NEIGHBORS]
        usual = _shares(a[:, j], size)[b[:, j]]
        hits = (a[near, j] == b[:, j, None]).sum(1)
        result[:, j] = -np.log((hits + 5 * usual) / (N_NEIGHBORS + 5))
    return result


def hgb(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> np.ndarray:
    """Return -log of the probability of each cell's level or bin by trees from the other columns."""
    bins = Bins(train, N_BINS["hgb"])
    a, b = bins(train), bins(test)
    has_levels = np.array([is_word(train[name]) for name in train])
    x, z = (_for_trees(frame, codes) for frame, codes in ((train, a), (test, b)))
    result = np.empty(b.shape)
    for j, size in enumerate(bins.sizes):
        seen = a[:, j] >= 0
        trees = HistGradientBoostingClassifier(
            max_iter=60 if size <= 8 else 25,
            max_leaf_nodes=15,
            categorical_features=np.delete(has_levels, j),
            random_state=seed,
        )
        trees.fit(np.delete(x, j, 1)[seen], a[seen, j])
        p = np.full((len(b), size + 1), 1e-4)
        p[:, trees.classes_] = trees.predict_proba(np.delete(z, j, 1)).clip(1e-4)
        result[:, j] = -np.log(p[np.arange(len(b)), b[:, j]])
    return result


def _for_trees(frame: pd.DataFrame, codes: np.ndarray) -> np.ndarray:
    """Return n x columns numbers, and the codes of words; NaN where a cell is missing."""
    columns = [
        np.where(c < 0, np.nan, c) if is_word(frame[name]) else frame[name].to_numpy(float)
        for name, c in zip(frame, codes.T, strict=True)
    ]
    return np.stack(columns, 1)


SURPRISES: dict[str, Callable[[pd.DataFrame, pd.DataFrame, int], np.ndarray]] = {
    "marginal": marginal,
    "knn": knn,
    "hgb": hgb,
}
