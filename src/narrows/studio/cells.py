"""Rows of a table as the page gets them: one number for each cell, and how likely the shown level is.

The numbers are those of `Table.encode`: values as they are, seconds for durations and, since 1970, for dates, and the
number of the level for categories. NaN is a gap. `describe_columns` says how to show them.
"""

from __future__ import annotations

import datetime
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.data import Column, Schema
from narrows.estimators.base import Estimator
from narrows.model import Autoencoder

_MAX_TEXT = 100  # characters of a level
_DAY = 86_400.0
_MIN_EFFECT = 0.05  # smallest effect on a column that is named, as a share of the largest one
_MAX_EFFECTS = 12
_ROUNDING = 1e-4  # of a column's scale: smaller differences from an atom are none


class CellColumn(NamedTuple):
    """A column as the page shows it.

    The place of a number on the column's own scale is (t((x - offset) / scale) - mean) / std, where t is asinh for
    heavy-tailed columns, log(1 + x) for counts and the identity for others: 0 is the usual value, and 1 is a standard
    deviation above it.

    Attributes
    ----------
    name, kind : name and kind of the column, as in `Column`.
    levels : texts of the levels, `other` included; None for numbers.
    offset, scale, mean, std : the column's own scale.
    step : numbers are multiples of it; 0 for any number.
    """

    name: str
    kind: str
    levels: list[str] | None
    offset: float
    scale: float
    mean: float
    std: float
    step: float


class Effect(NamedTuple):
    """A change of a column between two decoded rows.

    Attributes
    ----------
    column, name : position and name of the column.
    level : text of the level whose probability grows most; None for numbers.
    size : change on the column's own scale, or of the level's probability.
    change : change in the user's units, or of the level's probability.
    """

    column: int
    name: str
    level: str | None
    size: float
    change: float

    def describe(self) -> str:
        """Return 'Age up', or 'Home: owner' for a level that becomes likelier."""
        if self.level is not None:
            return f"{self.name}: {self.level}"
        return f"{self.name} {'up' if self.size > 0 else 'down'}"


def describe_columns(schema: Schema) -> list[CellColumn] | None:
    """Return how to show the columns of a table, or of a vector whose columns have a scale each; None for others."""
    if schema.kind == "table":
        return [
            CellColumn(
                name=str(column.name),
                kind=column.kind,
                levels=level_texts(column) if column.has_levels else None,
                offset=column.center,
                scale=column.scale,
                mean=mean,
                std=std,
                step=column.step,
            )
            for column, mean, std in zip(schema.used_columns, schema.mean, schema.std, strict=True)
        ]
    if schema.kind != "vector" or schema.support != "real":
        return None
    names = schema.columns or [f"column {i + 1}" for i in range(schema.n_entries)]
    numbers = [np.broadcast_to(v, schema.n_entries) for v in (schema.offset, schema.scale, schema.mean, schema.std)]
    return [
        CellColumn(str(name), "real", None, float(offset), float(scale), float(mean), float(std), 0.0)
        for name, offset, scale, mean, std in zip(names, *numbers, strict=True)
    ]


def level_texts(column: Column) -> list[str]:
    """Return the texts of the levels of a column, followed by "other" if rare values share that level."""
    is_date = column.date_format is None and column.dtype.startswith(("datetime", "timestamp", "Datetime", "Date"))
    texts = [format_date(level) if is_date else str(level) for level in column.levels]
    return [text[:_MAX_TEXT] for text in texts] + (["other"] if column.n_rare else [])


def format_date(seconds: float) -> str:
    """Return a date as text, with the time of day unless that is midnight.

    >>> format_date(86400.0)
    '1970-01-02'
    """
    moment = datetime.datetime(1970, 1, 1) + datetime.timedelta(seconds=round(seconds))
    return moment.date().isoformat() if seconds % _DAY == 0 else moment.isoformat(" ")


def as_given(numbers: np.ndarray) -> np.ndarray:
    """Return the user's rows (n x d numbers) as the page gets them: n x 2 x d, without probabilities."""
    numbers = np.asarray(numbers, dtype=np.float64)
    return np.stack([numbers, np.full_like(numbers, np.nan)], axis=1)


def decode(model: Autoencoder, schema: Schema, z: Tensor) -> Tensor:
    """Decode codes with the columns of their labels (B x L) to cells on the model's scale and probabilities: B x 2d."""
    return _read_params(model, schema, model.decode(z))


def reconstruct(model: Autoencoder, schema: Schema, x: Tensor) -> Tensor:
    """Encode and decode prepared rows (B x d) to cells on the model's scale and probabilities: B x 2d."""
    return _read_params(model, schema, model.decode_own(x))


def _read_params(model: Autoencoder, schema: Schema, params: Tensor) -> Tensor:
    likelihood: Any = model.likelihood
    cells = likelihood.mean(params)
    probs = torch.full_like(cells, float("nan"))
    for j, column in enumerate(schema.used_columns):
        if column.has_levels:
            probs[:, j] = likelihood.level_probs(params, j).amax(1).to(probs)
    return torch.cat([cells, probs], 1)


def to_page(schema: Schema, decoded: Tensor) -> np.ndarray:
    """Convert results of `decode` or `reconstruct` (n x 2d) to rows in the user's units: n x 2 x d."""
    cells, probs = decoded.split(len(schema.used_columns), 1)
    numbers = np.asarray(schema.restore(cells), dtype=np.float64)
    for j, column in enumerate(schema.used_columns):
        if column.atom is not None:  # exact again after rounding
            is_atom = np.abs(numbers[:, j] - column.atom) <= _ROUNDING * column.scale
            numbers[is_atom, j] = column.atom
        if column.step:
            numbers[:, j] = np.rint(numbers[:, j] / column.step) * column.step
    return np.stack([np.nan_to_num(numbers, nan=np.nan), probs.double().numpy()], axis=1)


def compute_effects(model: Estimator, z: Tensor) -> list[list[Effect]]:
    """Return what changes from one decoded row to the next in each of k pairs of codes, the largest change first.

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
