"""What changes from one decoded example to another: the columns of a row or a vector, or the channels of a series."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.data import Schema
from narrows.estimators.base import Estimator
from narrows.studio.cells import describe_columns, level_texts

_MIN_EFFECT = 0.05  # smallest effect on a column that is named, as a share of the largest one
_MAX_EFFECTS = 12


class Effect(NamedTuple):
    """A change of a column between two decoded examples.

    Attributes
    ----------
    column, name : position and name of the column.
    level : text of the level whose probability grows most; None for numbers.
    size : change on the column's own scale, in standard deviations, or of the level's probability; for a channel of a
        series, the root mean square over its steps.
    change : change in the user's units, or of the level's probability.
    has_direction : False for a channel, whose steps may change in both directions.
    """

    column: int
    name: str
    level: str | None
    size: float
    change: float
    has_direction: bool = True

    def describe(self) -> str:
        """Return 'Age up', or 'Home: owner' for a level that becomes likelier."""
        if self.level is not None:
            return f"{self.name}: {self.level}"
        if not self.has_direction:
            return self.name
        return f"{self.name} {'up' if self.size > 0 else 'down'}"


def compare_numbers(schema: Schema, displayed: np.ndarray) -> list[list[Effect]]:
    """Return what changes from the first to the second example of each pair, the largest change first.

    Parameters
    ----------
    displayed : decoded vectors (2k x d) or series (2k x steps x channels) in the user's units, as `View.decode` gives
        them: first, second, first, second, ...
    """
    columns = describe_columns(schema) or []
    displayed = displayed if schema.is_series else displayed.reshape(len(displayed), -1)  # layers follow each other
    scaled, numbers = displayed.astype(np.float64), displayed.astype(np.float64)
    spread = np.array([column.scale * column.std for column in columns])
    if schema.support == "count":
        scaled, spread = np.log1p(np.maximum(scaled, 0)), np.array([column.std for column in columns])
    size, change = (scaled[1::2] - scaled[::2]) / spread, numbers[1::2] - numbers[::2]
    if schema.is_series:
        size, change = (np.sqrt(np.square(each).mean(1)) for each in (size, change))
    return [
        [
            Effect(j, columns[j].name, None, float(sizes[j]), float(changes[j]), not schema.is_series)
            for j in _largest(sizes)
        ]
        for sizes, changes in zip(size, change, strict=True)
    ]


def compare_rows(model: Estimator, z: Tensor) -> list[list[Effect]]:
    """Return what changes in a row of a table between the two codes of each of k pairs, the largest change first.

    Parameters
    ----------
    z : codes with the columns of their labels, 2k x L: first, second, first, second, ...
    """
    network, schema = model.module(), model.schema_
    levels = [j for j, column in enumerate(schema.used_columns) if column.has_levels]

    def read(part: Tensor) -> Tensor:
        params = network.decode(part)
        likelihood: Any = network.likelihood
        probs = [likelihood.level_probs(params, j) for j in levels]
        return torch.cat([likelihood.mean(params), *(p.to(params) for p in probs)], 1)

    decoded = model.apply(read, z).double()
    d = len(schema.used_columns)
    prepared, probs = decoded[:, :d], decoded[:, d:]
    restored = np.asarray(schema.restore(prepared), dtype=np.float64)
    scaled = prepared.numpy().copy()
    for j, column in enumerate(schema.used_columns):
        if column.kind == "count":
            scaled[:, j] = np.log1p(np.maximum(scaled[:, j], 0))
    size = (scaled[1::2] - scaled[::2]) / np.asarray(schema.std)
    change = restored[1::2] - restored[::2]
    grown: list[dict[int, str]] = [{} for _ in size]
    start = 0
    for j in levels:
        texts = level_texts(schema.used_columns[j])
        moved = (probs[1::2] - probs[::2])[:, start : start + len(texts)].numpy()
        start += len(texts)
        for i, level in enumerate(moved.argmax(1)):
            size[i, j] = change[i, j] = moved[i, level]
            grown[i][j] = texts[level]
    names = [str(column.name) for column in schema.used_columns]
    return [
        [Effect(j, names[j], grown[i].get(j), float(size[i, j]), float(change[i, j])) for j in _largest(size[i])]
        for i in range(len(size))
    ]


def _largest(size: np.ndarray) -> list[int]:
    """Return the positions of the largest changes, the largest first."""
    floor = _MIN_EFFECT * np.abs(size).max(initial=0) + 1e-9
    return [int(j) for j in np.argsort(-np.abs(size), kind="stable")[:_MAX_EFFECTS] if abs(size[j]) > floor]
