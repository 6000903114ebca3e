"""Cells of a table as levels: what a masked autoencoder of tables reads and predicts.

    category    its levels, and nothing else
    number      the bins of its column (`narrows.data.bins`), the place in the bin, its rank, and the number itself

D is the number of columns, N of columns of numbers, T of levels of all columns.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from narrows.data.bins import N_POINTS, Bins
from narrows.data.schema import Schema

GAP = float("inf")  # a cell that is known to be missing; NaN is a cell of which nothing is known
_LARGEST_Z = 8.0  # standard deviations
_LARGEST_ASINH = 80.0  # sinh of larger numbers overflows in single precision


class Cells(NamedTuple):
    """Cells as levels and numbers.

    Attributes
    ----------
    level : B x D integers, -1 for a missing cell and for a level that was not seen in training.
    place : B x N numbers in [0, 1], where in its bin a number lies; 1 for a level of one value.
    rank : B x N numbers, the standard normal quantile of the number's rank among the training values.
    z : B x N numbers, standard deviations from the mean, at most 8.
    """

    level: Tensor
    place: Tensor
    rank: Tensor
    z: Tensor


class Levels(nn.Module):
    """Turns prepared rows of a table (B x D, NaN where missing) into `Cells`.

    Parameters
    ----------
    schema : schema of a table whose columns of numbers have bins.

    Attributes
    ----------
    sizes : number of levels of each column.
    start : (D,) number of the first level of each column among all T levels.
    owner : (T,) column of each level.
    numbers : (N,) positions of the columns of numbers.
    mean : (T,) mean of each level in standard deviations from the column's mean; 0 for categories.
    low, high : (T,) smallest and largest training number of each level on the model's scale; 0 for categories.
    left, right : (T,) ends of the interval of each level (see `Bins`), likewise.
    beyond : (T,) chance that a number of a bin lies beyond an end that has no bin beside it: 1 / (k + 1) for a bin of k
        training numbers. 0 for levels of one value and for categories.
    n_open : (T,) number of such ends.
    points : (T, 11) quantiles of the training numbers in each level, on the model's scale; 0 for categories.
    is_value : (T,) True for a level of one value, and for each level of a category.
    """

    start: Tensor
    owner: Tensor
    numbers: Tensor
    mean: Tensor
    low: Tensor
    high: Tensor
    left: Tensor
    right: Tensor
    beyond: Tensor
    n_open: Tensor
    points: Tensor
    is_value: Tensor
    cuts: Tensor
    below: Tensor
    share: Tensor
    shift: Tensor
    factor: Tensor
    is_heavy: Tensor
    n_levels: Tensor

    def __init__(self, schema: Schema) -> None:
        super().__init__()
        columns = schema.used_columns
        bins = {j: Bins(column.bins) for j, column in enumerate(columns) if not column.has_levels}
        numbers = list(bins)
        self.sizes = [len(bins[j].share) if j in bins else column.n_levels for j, column in enumerate(columns)]
        start = np.concatenate([[0], np.cumsum(self.sizes)])
        self.n_all = int(start[-1])
        self._register("start", torch.from_numpy(start[:-1]))
        self._register("owner", torch.arange(len(columns)).repeat_interleave(torch.tensor(self.sizes)))
        self._register("numbers", torch.tensor(numbers, dtype=torch.long))
        self._register("n_levels", torch.tensor(self.sizes))
        means, scales = _moments(bins)
        center = np.array([columns[j].center for j in numbers])
        unit = np.array([columns[j].scale for j in numbers])
        self._register("shift", torch.from_numpy((center - means) / scales).float())
        self._register("factor", torch.from_numpy(unit / scales).float())
        self._register("is_heavy", torch.tensor([columns[j].kind == "heavy_tailed" for j in numbers], dtype=torch.bool))
        names = ("mean", "low", "high", "left", "right", "share", "below", "beyond", "n_open")
        by_level = {name: torch.zeros(self.n_all) for name in names}
        points, is_value = torch.zeros(self.n_all, N_POINTS), torch.ones(self.n_all, dtype=torch.bool)
        widest = max([self.sizes[j] for j in numbers], default=1)
        cuts = np.full((len(numbers), widest - 1), np.inf)
        for i, j in enumerate(numbers):
            part, each = slice(start[j], start[j + 1]), bins[j]
            by_level["mean"][part] = torch.from_numpy((each.mean - means[i]) / scales[i]).float()
            points[part] = _prepared(schema, j, each.points.reshape(-1)).reshape(-1, N_POINTS)
            by_level["low"][part], by_level["high"][part] = points[part, 0], points[part, -1]
            by_level["left"][part], by_level["right"][part] = (
                _prepared(schema, j, ends) for ends in (each.left, each.right)
            )
            by_level["n_open"][part] = torch.from_numpy(each.n_open)
            chance = 1 / (each.share * columns[j].n_observed + 1)
            by_level["beyond"][part] = torch.from_numpy(np.where(each.is_value, 0.0, chance)).float()
            by_level["share"][part] = torch.from_numpy(each.share).float()
            by_level["below"][part] = torch.from_numpy(np.cumsum(each.share) - each.share).float()
            is_value[part] = torch.from_numpy(each.is_value)
            cuts[i, : len(each.cuts)] = _prepared(schema, j, each.cuts)
        for name, values in by_level.items():
            self._register(name, values)
        self._register("points", points)
        self._register("is_value", is_value)
        self._register("cuts", torch.from_numpy(cuts).float())

    def _register(self, name: str, value: Tensor) -> None:
        self.register_buffer(name, value, persistent=False)

    def find(self, x: Tensor) -> Tensor:
        """B x D prepared cells -> their levels, integers; -1 where missing, and for a level not seen in training."""
        is_known = torch.isfinite(x)
        filled = torch.where(is_known, x, torch.zeros_like(x))
        level = filled.long()
        if len(self.numbers):
            numbers = filled[:, self.numbers].t().contiguous()
            level = level.index_copy(1, self.numbers, torch.searchsorted(self.cuts.to(x.dtype), numbers).t())
        is_known = is_known & (level >= 0) & (level < self.n_levels)
        return level.masked_fill(~is_known, -1)

    def forward(self, x: Tensor) -> Cells:
        """B x D prepared cells -> their levels and numbers. Missing cells have place, rank and z of 0."""
        level = self.find(x)
        of_numbers = level[:, self.numbers]
        known = of_numbers >= 0
        index = of_numbers.clamp(min=0) + self.start[self.numbers]
        numbers = torch.where(known, x[:, self.numbers], torch.zeros_like(x[:, self.numbers]))
        low, is_value = self.low[index], self.is_value[index]
        place = ((numbers - low) / (self.high[index] - low).clamp(min=1e-12)).clamp(0, 1)
        share = self.below[index] + place.masked_fill(is_value, 0.5) * self.share[index]
        rank = torch.special.ndtri(share.clamp(1e-4, 1 - 1e-4))
        parts = (place.masked_fill(is_value, 1.0), rank, self.standardize(numbers))
        zero = torch.zeros_like(numbers)
        return Cells(level, *(torch.where(known, part.to(x.dtype), zero) for part in parts))

    def standardize(self, numbers: Tensor) -> Tensor:
        """Return numbers on the model's scale (B x N) in standard deviations from their column's mean, at most 8."""
        linear = torch.where(self.is_heavy, numbers.clamp(-_LARGEST_ASINH, _LARGEST_ASINH).sinh(), numbers)
        z = torch.addcmul(self.shift.to(numbers.dtype), linear, self.factor.to(numbers.dtype))
        return z.clamp(-_LARGEST_Z, _LARGEST_Z)

    def unstandardize(self, z: Tensor) -> Tensor:
        """Return numbers on the model's scale (B x N) from standard deviations; undoes `standardize` up to 8."""
        linear = (z - self.shift.to(z.dtype)) / self.factor.to(z.dtype)
        return torch.where(self.is_heavy, linear.asinh(), linear)


def _moments(bins: dict[int, Bins]) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and standard deviation of each column of numbers, in the user's units; a deviation of 0 becomes 1."""
    means = np.array([each.share @ each.mean for each in bins.values()])
    squares = [
        each.share @ ((each.points - mean) ** 2).mean(1) for each, mean in zip(bins.values(), means, strict=True)
    ]
    deviations = np.sqrt(np.array(squares))
    return means, np.where(deviations > 0, deviations, 1.0)


def _prepared(schema: Schema, j: int, values: np.ndarray) -> Tensor:
    """Return numbers of column `j` in the user's units on the model's scale."""
    rows = np.zeros((len(values), len(schema.used_columns)))
    rows[:, j] = values
    return schema.prepare(torch.from_numpy(rows))[:, j]
