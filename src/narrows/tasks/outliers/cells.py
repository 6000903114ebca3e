"""The part of the outlier score that finds cells which contradict the rest of their row, for tables with categories.

    v(x) = sum over cells j of m_j (1 - p_j) / p_j,   p_j = p(x_j | all other cells),   m_j: share of x_j in training

These are the odds that one cell holds another row's value (`TableAE.surprise`). Two masked autoencoders each learn from
half of the folds. A training row is judged by the one that did not see it, a new row by both.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor

from narrows.estimators import TableAE
from narrows.estimators.surprises import find_odds, find_surprise
from narrows.model import Autoencoder

_N_MODELS = 2
_FEWEST_ROWS = 100  # halves of fewer say too little
_MOST_COLUMNS = 100  # each takes a pass
_BATCH_SIZE = 256  # of a TableAE
_LARGEST_ODDS = 300.0  # nats; its exponential is a number in double precision


class ContradictingCells:
    """Masked autoencoders of the cells of a table.

    Parameters
    ----------
    models : fitted on arrays of the detector's cells, in which categories are numbers.
    """

    def __init__(self, models: Sequence[TableAE]) -> None:
        self.models = list(models)

    @classmethod
    def fit(
        cls, cells: np.ndarray, is_category: np.ndarray, fold: np.ndarray, n_steps: int, seed: int
    ) -> ContradictingCells | None:
        """Return the models of the rows of `cells`; None if they are too few or too wide, or have no categories.

        Parameters
        ----------
        cells : (n, c), numbers of levels, numbers, and NaN for gaps.
        is_category : (c,), True for columns of levels.
        fold : (n,), the fold of each row. Model i does not see the folds whose number is i modulo 2.
        n_steps : number of training steps of all models together.
        """
        cells = np.asarray(cells, dtype=np.float64)
        halves = [cells[fold % _N_MODELS != i] for i in range(_N_MODELS)]
        may_learn = [
            len(half) >= _FEWEST_ROWS // _N_MODELS and sum(len(np.unique(x[~np.isnan(x)])) > 1 for x in half.T) > 1
            for half in halves
        ]
        if not is_category.any() or cells.shape[1] > _MOST_COLUMNS or not all(may_learn):
            return None
        columns = dict.fromkeys(np.flatnonzero(is_category).tolist(), "categorical")
        models = []
        for i, half in enumerate(halves):
            epochs = max(1, round(n_steps / _N_MODELS / math.ceil(len(half) / _BATCH_SIZE)))
            models.append(TableAE(columns=columns, max_epochs=epochs, random_state=seed + i, device="cpu").fit(half))
        return cls(models)

    def __call__(self, cells: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return v of rows (n, c) of the folds `fold` (n,), -1 for new ones: (n,)."""
        return self._by_judges(_sum_odds, cells, fold)

    def per_entry(self, cells: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return v divided among the cells by their odds, the two strangest judged together: (n, c)."""
        return self._by_judges(_divide_odds, cells, fold)

    def expect(self, cells: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return what one model expects in each cell from all others: (n, c); NaN in columns that it does not see."""
        return self._by_judges(_expect, cells, np.maximum(fold, 0))

    def _by_judges(
        self, function: Callable[[TableAE, np.ndarray], np.ndarray], cells: np.ndarray, fold: np.ndarray
    ) -> np.ndarray:
        """Return `function` of each row by the model that did not see its fold, and the mean of all for new rows."""
        parts = []
        for i, model in enumerate(self.models):
            rows = np.flatnonzero((fold < 0) | (fold % _N_MODELS == i))
            if not len(rows):
                continue
            values = function(model, cells[rows])
            weight = np.where(fold[rows] < 0, 1 / _N_MODELS, 1.0).reshape(-1, *[1] * (values.ndim - 1))
            parts.append((rows, weight * values))
        total = np.zeros((len(cells), *parts[0][1].shape[1:]))
        for rows, values in parts:
            total[rows] += values
        return total


def _sum_odds(model: TableAE, cells: np.ndarray) -> np.ndarray:
    return np.exp(_judge(model, cells, find_odds)).sum(1)


def _divide_odds(model: TableAE, cells: np.ndarray) -> np.ndarray:
    odds = np.exp(_judge(model, cells, find_surprise))
    return _sum_odds(model, cells)[:, None] * odds / np.maximum(odds.sum(1, keepdims=True), 1e-300)


def _expect(model: TableAE, cells: np.ndarray) -> np.ndarray:
    rows = model.schema_.restore(model.apply(model.module().reconstruct, _prepare(model, cells)))
    expected = np.full(cells.shape, np.nan)
    for column, values in zip(model.schema_.used_columns, rows.T, strict=True):
        levels = np.asarray([*column.levels, np.nan], dtype=np.float64)  # the last one is `other`
        is_level = column.has_levels
        expected[:, column.name] = levels[values.astype(int).clip(max=len(levels) - 1)] if is_level else values
    return expected


def _judge(model: TableAE, cells: np.ndarray, function: Callable[[Autoencoder, Tensor], Tensor]) -> np.ndarray:
    """Return the log odds of each cell by `function`: (n, c) nats; -inf for gaps, and for what the model never saw."""
    network = model.module()
    odds = model.apply(lambda x: function(network, x), _prepare(model, cells)).double().numpy()
    found = np.full(cells.shape, -np.inf)
    found[:, [column.name for column in model.schema_.used_columns]] = odds
    return np.minimum(found, _LARGEST_ODDS)


def _prepare(model: TableAE, cells: np.ndarray) -> Tensor:
    """Return rows (n, c) on the model's scale, without levels that the model has not seen."""
    rows = np.array(cells, dtype=np.float64)
    for column in model.schema_.used_columns:
        if column.has_levels:
            rows[~np.isin(rows[:, column.name], column.levels), column.name] = np.nan
    table = model.schema_.table
    assert table is not None
    return model.schema_.prepare(torch.from_numpy(np.array(table.encode(rows, "OutlierDetector"))))
