"""A row as a form: some cells are set, and a model that predicts hidden cells gives the distribution of each other one.

Cells are numbers in the user's units, as `cells.describe_columns` says. A distribution is shown as bars: one for each
level, for each of a few numbers, or for each interval of a histogram.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from torch import Tensor

from narrows.data import Column
from narrows.data.bins import Bins
from narrows.estimators.base import Estimator
from narrows.likelihoods import Binned

MAX_COLUMNS = 200  # columns of the form: the first ones
_MAX_LEVELS = 6  # levels that are shown in their order; of more, the likeliest ones are
_N_BARS = 24  # bars of a histogram
_N_TICKS = 101
_TAIL = 0.005  # share of training cells beyond each end of a histogram; the bars at the ends hold them
_MOSTLY = (0.1, 0.5, 0.9)  # quantiles


class FormColumn(NamedTuple):
    """A column of the form.

    Attributes
    ----------
    n_choices : number of levels that can be set; 0 for numbers.
    edges : ends of the intervals of a histogram, k + 1 numbers; None for single values and for levels.
    values : the numbers that have a bar each; None for intervals and for levels.
    ticks : numbers through which a slider goes, in order; None for levels.
    share : share of each bar in training; of each level, for levels.
    """

    n_choices: int
    edges: list[float] | None
    values: list[float] | None
    ticks: list[float] | None
    share: list[float]


class Prediction(NamedTuple):
    """The distribution of a cell, given the cells that are set (but not the cell itself).

    Attributes
    ----------
    column : position of the column.
    best : likeliest level, or median.
    low, high : the 10 % and the 90 % quantile of a number; None for levels.
    levels : levels of the bars, and None for numbers.
    probs : probability of each bar.
    gap : probability that the cell has no value; None for a column without gaps in training.
    """

    column: int
    best: float
    low: float | None
    high: float | None
    levels: list[int] | None
    probs: list[float]
    gap: float | None


class Form:
    """The form of a model.

    Parameters
    ----------
    model : fitted model of a table that predicts hidden cells.
    """

    def __init__(self, model: Estimator) -> None:
        self.model, self.schema = model, model.schema_
        self._numbers: dict[int, np.ndarray] = {}  # share of each level in each bar, levels x bars
        self.columns = [self._describe(j, c) for j, c in enumerate(self.schema.used_columns[:MAX_COLUMNS])]

    def _describe(self, j: int, column: Column) -> FormColumn:
        if column.has_levels:
            return FormColumn(len(column.levels), None, None, None, [float(share) for share in column.frequencies])
        bins, scale = Bins(column.bins), _Scale(column)
        below = np.cumsum(bins.share) - bins.share
        within = np.linspace(0, 1, bins.points.shape[1])
        shares, points = (below[:, None] + bins.share[:, None] * within).ravel(), bins.points.ravel()

        def quantiles(q: Any) -> np.ndarray:
            return np.interp(q, shares, points)

        ticks = quantiles(np.linspace(0, 1, _N_TICKS))
        if bins.is_value.all() and len(bins.low) <= _N_BARS:
            values, edges = bins.low, None
            weights = np.eye(len(values))
        else:
            values, edges = None, scale.split(*quantiles([_TAIL, 1 - _TAIL]))
            weights = np.stack([_shares(part, within, edges) for part in bins.points])
        self._numbers[j] = weights
        return FormColumn(
            0,
            None if edges is None else edges.tolist(),
            None if values is None else values.tolist(),
            np.unique(scale.round(ticks)).tolist(),
            (bins.share @ weights).tolist(),
        )

    def as_row(self, cells: Mapping[int, float]) -> np.ndarray:
        """Return the cells by column as a row (1 x d) with NaN elsewhere.

        Raises
        ------
        ValueError
            If there is no such column in the form, or if the column has no such level.
        """
        row = np.full((1, len(self.schema.used_columns)), np.nan)
        for j, value in cells.items():
            if j >= len(self.columns):
                raise ValueError(f"The form has no column {j}: it has {len(self.columns)}.")
            n = self.columns[j].n_choices
            if n and not (0 <= value < n and float(value).is_integer()):
                name = self.schema.used_columns[j].name
                raise ValueError(f"A cell of {name!r} must be the number of a level, from 0 to {n - 1}. Got {value:g}.")
            row[0, j] = value
        return row

    def predict(self, cells: Mapping[int, float]) -> list[Prediction]:
        """Return the distribution of each column, given the cells that are set. It takes one pass of the network."""
        row = torch.from_numpy(self.as_row(cells))
        x = self.schema.prepare(row).repeat(len(cells) + 1, 1)
        owners = dict.fromkeys(range(len(self.columns)), 0)  # the row from which a column is read
        for i, j in enumerate(cells, 1):
            x[i, j], owners[j] = torch.nan, i
        network, likelihood = self.model.module(), self._likelihood
        params = self.model.apply(lambda rows: network.decoder(network.bottleneck.encode(network.encoder(rows))), x)
        params = params.to(next(network.parameters()).device)
        shares = [torch.full_like(params[:, :1], share) for share in _MOSTLY]
        with torch.no_grad():
            numbers = [self.schema.restore(likelihood.quantile(params, share).cpu()) for share in shares]
            gaps = torch.sigmoid(params[:, -len(likelihood.gaps) :]).cpu().numpy() if likelihood.gaps else None
            probs = {j: likelihood.level_probs(params[i : i + 1], j)[0].cpu() for j, i in owners.items()}
        found = []
        for j, i in owners.items():
            low, best, high = (float(each[i, j]) for each in numbers)
            gap = float(gaps[i, likelihood.gaps.index(j)]) if gaps is not None and j in likelihood.gaps else None
            found.append(self._prediction(j, (low, best, high), probs[j], gap, cells.get(j)))
        return found

    def _prediction(
        self, j: int, numbers: tuple[float, float, float], probs: Tensor, gap: float | None, own: float | None
    ) -> Prediction:
        p = probs.double().numpy()
        if j in self._numbers:
            low, best, high = _Scale(self.schema.used_columns[j]).round(np.array(numbers)).tolist()
            return Prediction(j, best, low, high, None, (p @ self._numbers[j]).tolist(), gap)
        n = self.columns[j].n_choices
        levels = list(range(len(p)))
        if len(p) > _MAX_LEVELS:
            levels = np.argsort(-p, kind="stable")[:_MAX_LEVELS].tolist()
            if own is not None and int(own) not in levels:
                levels[-1] = int(own)
        return Prediction(j, float(p[:n].argmax()), None, None, levels, p[levels].tolist(), gap)

    def draw(self, cells: Mapping[int, float], n: int, seed: int) -> np.ndarray:
        """Draw n rows (n x d, NaN for a gap) with these cells."""
        model = cast(Any, self.model)  # it has `sample`, as all models of this kind
        given = self.schema.as_frame(self.as_row(cells)) if cells else None
        return np.asarray(model.validate(model.sample(n, given=given, random_state=seed), reset=False))

    @property
    def _likelihood(self) -> Binned:
        return cast(Binned, self.model.module().likelihood)  # that of all models that predict hidden cells


class _Scale:
    """The scale on which a histogram of a column has intervals of one width.

    Parameters
    ----------
    column : a column of numbers.
    """

    def __init__(self, column: Column) -> None:
        self.column = column

    def round(self, numbers: np.ndarray) -> np.ndarray:
        """Return numbers as multiples of the column's step, or with the seven digits of single precision."""
        step = self.column.step
        if not step:
            return np.array([float(f"{number:.7g}") for number in numbers])
        return np.rint(numbers / step) * step

    def split(self, low: float, high: float) -> np.ndarray:
        """Return the ends of at most 24 intervals from `low` to `high`."""
        step, kind = self.column.step, self.column.kind
        if step and kind not in ("heavy_tailed", "count"):  # as many multiples of the step in each interval
            width = max(1, int(np.ceil((high - low) / step / _N_BARS))) * step
            n = int(np.ceil((high - low + step) / width))
            return low - step / 2 + width * np.arange(n + 1)
        ends = np.array([low, high if high > low else low + (abs(low) or 1.0)])
        if kind == "count":
            return np.expm1(_evenly(np.log1p(ends)))
        if kind == "heavy_tailed":
            center, scale = self.column.center, self.column.scale
            return center + scale * np.sinh(_evenly(np.arcsinh((ends - center) / scale)))
        return _evenly(ends)


def _evenly(ends: np.ndarray) -> np.ndarray:
    """Return the ends of 24 intervals of one width from the first to the second number."""
    return np.linspace(float(ends[0]), float(ends[1]), _N_BARS + 1)


def _shares(points: np.ndarray, within: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Return the share of a level in each interval; what lies beyond the ends is in the first and the last one.

    Parameters
    ----------
    points, within : quantiles of the level, and their shares from 0 to 1.
    edges : ends of the intervals.
    """
    if points[0] == points[-1]:
        below = (edges >= points[0]).astype(float)
    else:
        below = np.interp(edges, points, within, left=0.0, right=1.0)
    below[0], below[-1] = 0.0, 1.0
    return np.diff(below)
