"""Peers that fill the gaps of a mixed table: fitted on the train rows as they are, with gaps, then applied to the test.

| peer | what it does |
|---|---|
| `simple` | mean and median, most frequent category |
| `knn` | KNNImputer, 10 neighbours weighted by distance, on standardised numbers and one-hot categories |
| `iterBR` | IterativeImputer of Bayesian ridges on the same, 3 rounds, the 40 most correlated columns |
| `forest` | a chain of 50 extra trees a column, 2 sweeps, as in missForest |
| `hgb` | a gradient boosting a column from all others, which takes gaps and categories as they are |
| `hgbabs` | the same for numbers with the absolute error as loss; it fills no categories |

Frames hold numbers as float columns and categories as text in object columns. No peer was tuned.
missForest: https://doi.org/10.1093/bioinformatics/btr597
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.ensemble import (
    ExtraTreesClassifier,
    ExtraTreesRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401  (IterativeImputer is hidden without it)
from sklearn.impute import IterativeImputer, KNNImputer

_SWEEPS = 2
_MOST_LEVELS = 250  # of a categorical input of the boosting, which takes 255 at most
_ONE_HOT_SIZE = 0.7  # two different categories are then about as far apart as two numbers by one deviation


class Filled(NamedTuple):
    """The test rows without gaps, by means and by medians; categories are modes. Columns not filled are left out."""

    mean: pd.DataFrame
    median: pd.DataFrame


Fill = Callable[[pd.DataFrame, pd.DataFrame, int], Filled]  # train and test rows with gaps, seed


def numeric_columns(frame: pd.DataFrame) -> list[str]:
    """Return the names of the columns of numbers."""
    return [name for name in frame if frame[name].dtype == float]


def simple(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
    """Mean, median and mode of each column."""
    numbers = numeric_columns(train)
    modes = {name: train[name].mode()[0] for name in train if name not in numbers}
    with_modes = test.fillna(modes)
    return Filled(with_modes.fillna(train[numbers].mean()), with_modes.fillna(train[numbers].median()))


# ---------------------------------------------------------------------------------------------------- one-hot


class _OneHot:
    """Standardised numbers, then the categories one-hot, with gaps as NaN throughout."""

    def __init__(self, train: pd.DataFrame) -> None:
        self.numbers = numeric_columns(train)
        self.mean = train[self.numbers].mean()
        self.std = train[self.numbers].std().replace(0, 1)
        self.levels = {
            name: np.array(sorted(train[name].dropna().unique()), object) for name in train if name not in self.numbers
        }

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        blocks = [((frame[self.numbers] - self.mean) / self.std).to_numpy()]
        for name, levels in self.levels.items():
            block = _ONE_HOT_SIZE * (frame[name].to_numpy()[:, None] == levels).astype(float)
            block[frame[name].isna()] = np.nan
            blocks.append(block)
        return np.hstack(blocks)

    def decode(self, X: np.ndarray, frame: pd.DataFrame) -> pd.DataFrame:
        """Return `frame` with its gaps filled from X, the category with the largest entry."""
        start = len(self.numbers)
        numbers = pd.DataFrame(X[:, :start], columns=self.numbers) * self.std + self.mean
        filled = frame.fillna(numbers)
        for name, levels in self.levels.items():
            best = levels[X[:, start : start + len(levels)].argmax(1)]
            filled[name] = frame[name].where(frame[name].notna(), best)
            start += len(levels)
        return filled


def _on_one_hot(imputer: Any, train: pd.DataFrame, test: pd.DataFrame) -> Filled:
    code = _OneHot(train)
    imputer.fit(code.encode(train))
    filled = code.decode(imputer.transform(code.encode(test)), test)
    return Filled(filled, filled)


def knn(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
    """Mean of the 10 nearest rows."""
    return _on_one_hot(KNNImputer(n_neighbors=10, weights="distance"), train, test)


def iter_br(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
    """Chain of Bayesian ridges."""
    return _on_one_hot(IterativeImputer(max_iter=3, n_nearest_features=40, random_state=seed), train, test)


# ------------------------------------------------------------------------------------------------------ trees


class _Ordinal:
    """One number a column: categories are numbered from the most frequent one; gaps are NaN."""

    def __init__(self, train: pd.DataFrame) -> None:
        self.names = list(train)
        self.numbers = set(numeric_columns(train))
        self.levels = {name: train[name].value_counts().index for name in train if name not in self.numbers}

    def encode(self, frame: pd.DataFrame) -> np.ndarray:
        X = np.empty(frame.shape)
        for j, name in enumerate(self.names):
            if name in self.numbers:
                X[:, j] = frame[name]
            else:
                codes = self.levels[name].get_indexer(pd.Index(frame[name]))
                X[:, j] = np.where(codes < 0, np.nan, codes)
        return X

    def decode(self, X: np.ndarray, frame: pd.DataFrame) -> pd.DataFrame:
        """Return `frame`, some of the columns, with its gaps filled from X, all of them."""
        filled = frame.copy()
        for name in frame:
            j, gaps = self.names.index(name), frame[name].isna().to_numpy()
            values = X[gaps, j]
            filled.loc[gaps, name] = values if name in self.numbers else self.levels[name][values.astype(int)]
        return filled


def forest(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
    """Chain of extremely randomised trees, started from means and modes, columns with few gaps first."""
    code = _Ordinal(train)
    X, Y = code.encode(train), code.encode(test)
    gaps, test_gaps = np.isnan(X), np.isnan(Y)
    start = np.array([train[name].mean() if name in code.numbers else 0.0 for name in code.names])
    X, Y = np.where(gaps, start, X), np.where(test_gaps, start, Y)
    for _ in range(_SWEEPS):
        for j in np.argsort(gaps.sum(0)):
            if not (gaps[:, j].any() or test_gaps[:, j].any()):
                continue
            rest, seen = np.arange(X.shape[1]) != j, ~gaps[:, j]
            options: dict[str, Any] = {"min_samples_leaf": 2, "random_state": seed}
            if code.names[j] in code.numbers:
                trees = ExtraTreesRegressor(50, max_features=0.4, **options).fit(X[seen][:, rest], X[seen, j])
            else:
                trees = ExtraTreesClassifier(50, max_features="sqrt", **options)
                trees.fit(X[seen][:, rest], X[seen, j].astype(int))
            for table, holes in ((X, gaps[:, j]), (Y, test_gaps[:, j])):
                if holes.any():
                    table[holes, j] = trees.predict(table[holes][:, rest])
    filled = code.decode(Y, test)
    return Filled(filled, filled)


def _boosted(train: pd.DataFrame, test: pd.DataFrame, seed: int, loss: str, names: list[str]) -> Filled:
    """Fill the columns `names`, each by a model of its own that sees the other columns with their gaps."""
    code = _Ordinal(train)
    X, Y = code.encode(train), code.encode(test)
    filled = Y.copy()
    takes_levels = np.array([name in code.levels and len(code.levels[name]) <= _MOST_LEVELS for name in code.names])
    for name in names:
        j = code.names.index(name)
        gaps, seen, rest = np.isnan(Y[:, j]), ~np.isnan(X[:, j]), np.arange(X.shape[1]) != j
        if not gaps.any():
            continue
        options: dict[str, Any] = {
            "categorical_features": takes_levels[rest],
            "early_stopping": True,
            "n_iter_no_change": 8,
            "validation_fraction": 0.1,
            "random_state": seed,
            "max_leaf_nodes": 15,
        }
        if name in code.numbers:
            model = HistGradientBoostingRegressor(max_iter=150, loss=loss, **options)
        else:
            counts = np.bincount(X[seen, j].astype(int))
            options["early_stopping"] = bool((counts[counts > 0] >= 3).all())  # its split is stratified
            model = HistGradientBoostingClassifier(max_iter=60 if len(counts) <= 8 else 25, **options)
        filled[gaps, j] = model.fit(X[seen][:, rest], X[seen, j]).predict(Y[gaps][:, rest])
    decoded = code.decode(filled, test[names])
    return Filled(decoded, decoded)


def hgb(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
    """Boosted trees a column, squared error for numbers."""
    return _boosted(train, test, seed, "squared_error", list(train))


def hgbabs(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
    """Boosted trees a column of numbers, absolute error."""
    return _boosted(train, test, seed, "absolute_error", numeric_columns(train))


PEERS: dict[str, Fill] = {
    "simple": simple,
    "knn": knn,
    "iterBR": iter_br,
    "forest": forest,
    "hgb": hgb,
    "hgbabs": hgbabs,
}
