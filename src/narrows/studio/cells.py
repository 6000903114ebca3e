"""Rows, vectors and series as the page gets them: a number for each cell, and how likely levels are.

The numbers of a row are those of `Table.encode`: values as they are, seconds for durations and, since 1970, for dates,
and the number of the level for categories. NaN is a gap. `describe_columns` says how to show them.
"""

from __future__ import annotations

import datetime
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.data import Column, Schema
from narrows.model import Autoencoder

Kind = Literal["image", "series", "vector", "table"]
_MAX_TEXT = 100  # characters of a level
_DAY = 86_400.0
_VECTOR_KINDS = {"real": "real", "count": "count", "unit": "unit", "binary": "unit"}
_ROUNDING = 1e-4  # of a column's scale: smaller differences from an atom are none


class CellColumn(NamedTuple):
    """A column of a table or a vector, or a channel of a series, as the page shows it.

    The place of a number on the column's own scale is (t((x - offset) / scale) - mean) / std, where t is asinh for
    heavy-tailed columns, log(1 + x) for counts and the identity for others: 0 is the usual value, and 1 is a standard
    deviation above it.

    Attributes
    ----------
    name : its name.
    kind : kind as in `Column`. Vectors and series have "real" and "count" columns, or "unit" ones, whose values lie
        between `offset` and `offset + scale`.
    levels : texts of the levels, `other` included; None for numbers.
    frequencies : share of each level among the training cells; None for numbers, and if it is not known.
    offset, scale, mean, std : the column's own scale.
    step : numbers are multiples of it; 0 for any number.
    """

    name: str
    kind: str
    levels: list[str] | None
    frequencies: list[float] | None
    offset: float
    scale: float
    mean: float
    std: float
    step: float


def describe_columns(schema: Schema) -> list[CellColumn] | None:
    """Return how to show the columns of a table or a vector, or the channels of a series; None for images."""
    if schema.kind == "table":
        return [
            CellColumn(
                name=str(column.name),
                kind=column.kind,
                levels=level_texts(column) if column.has_levels else None,
                frequencies=list(column.frequencies) or None if column.has_levels else None,
                offset=column.center,
                scale=column.scale,
                mean=mean,
                std=std,
                step=column.step,
            )
            for column, mean, std in zip(schema.used_columns, schema.mean, schema.std, strict=True)
        ]
    names = name_columns(schema)
    if names is None:
        return None
    kind = _VECTOR_KINDS[schema.support]
    numbers = [np.broadcast_to(v, len(names)) for v in (schema.offset, schema.scale, schema.mean, schema.std)]
    return [
        CellColumn(name, kind, None, None, float(offset), float(scale), float(mean), float(std), 0.0)
        for name, offset, scale, mean, std in zip(names, *numbers, strict=True)
    ]


def kind_of(schema: Schema) -> Kind:
    """Return the kind of an example as the page shows it: a series is no image, though the model sees it as one."""
    return "series" if schema.is_series else schema.kind


def name_columns(schema: Schema) -> list[str] | None:
    """Return the names of the columns of a table or a vector, or of the channels of a series; None for images."""
    if schema.is_series:
        return [f"channel {i + 1}" for i in range(series_shape(schema)[1])]
    if schema.kind == "image":
        return None
    if schema.n_layers > 1:
        layers, columns = schema.user_shape
        return [f"layer {layer + 1}, column {i + 1}" for layer in range(layers) for i in range(columns)]
    return [str(n) for n in schema.columns] if schema.columns else [f"column {i + 1}" for i in range(schema.n_entries)]


def series_shape(schema: Schema) -> tuple[int, int]:
    """Return the steps and the channels of a series."""
    first, second = schema.user_shape
    return (first, second) if schema.layout == "tc" else (second, first)


def series_to_page(series: np.ndarray, schema: Schema) -> np.ndarray:
    """Convert series in the user's layout to what the page gets: n x steps x channels, float32, NaN for a gap."""
    steps_first = series if schema.layout == "tc" else series.swapaxes(1, 2)
    return np.nan_to_num(np.ascontiguousarray(steps_first, dtype=np.float32), nan=np.nan)


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


def reconstruct(model: Autoencoder, schema: Schema, x: Tensor, truth: Tensor | None = None) -> Tensor:
    """Encode and decode prepared rows to cells on the model's scale, and probabilities.

    Parameters
    ----------
    x : rows, B x d.
    truth : the same rows before noise was added, B x d; None to leave out the third part of the result.

    Returns
    -------
    B x 2d, the cells and the probabilities of their levels; or B x 3d, followed by the probabilities of the true
    levels. Probabilities of numbers are NaN.
    """
    params = model.decode_own(x)
    decoded = _read_params(model, schema, params)
    if truth is None:
        return decoded
    likelihood: Any = model.likelihood
    probs = torch.full_like(truth, float("nan"))
    for j, column in enumerate(schema.used_columns):
        if not column.has_levels:
            continue
        levels = likelihood.level_probs(params, j)
        is_known = truth[:, j] < levels.shape[1]  # False for a gap, and for a level that the model has not seen
        index = truth[:, j].masked_fill(~is_known, 0).long()
        probs[:, j] = levels.gather(1, index[:, None])[:, 0].to(probs).masked_fill(~is_known, float("nan"))
    return torch.cat([decoded, probs.to(decoded)], 1)


def _read_params(model: Autoencoder, schema: Schema, params: Tensor) -> Tensor:
    likelihood: Any = model.likelihood
    cells = likelihood.mean(params)
    probs = torch.full_like(cells, float("nan"))
    for j, column in enumerate(schema.used_columns):
        if column.has_levels:
            probs[:, j] = likelihood.level_probs(params, j).amax(1).to(probs)
    return torch.cat([cells, probs], 1)


def to_page(schema: Schema, decoded: Tensor) -> np.ndarray:
    """Convert results of `decode` or `reconstruct` (n x kd) to rows in the user's units: n x k x d, k = 2 or 3."""
    cells, *probs = decoded.split(len(schema.used_columns), 1)
    numbers = np.asarray(schema.restore(cells), dtype=np.float64)
    for j, column in enumerate(schema.used_columns):
        if column.atom is not None:  # exact again after rounding
            is_atom = np.abs(numbers[:, j] - column.atom) <= _ROUNDING * column.scale
            numbers[is_atom, j] = column.atom
        if column.step:
            numbers[:, j] = np.rint(numbers[:, j] / column.step) * column.step
    return np.stack([np.nan_to_num(numbers, nan=np.nan), *(part.double().numpy() for part in probs)], axis=1)
