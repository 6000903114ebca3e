"""Entries of examples that may be missing, and the cells of tables: their errors, and vectors for distances.

    number     ((x - x') / s)^2, s: standard deviation of the column in training; of log(1 + x) for counts, and after
               asinh for heavy-tailed columns
    level      1 if x' is another level than x, otherwise 0
    otherwise  (x - x')^2: vectors and images

A missing entry has no error.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from narrows.data import Layout, Schema, TableFeatures, as_features

_BLOCK_ROWS = 4096


def cell_errors(a: Tensor, b: Tensor, schema: Schema) -> Tensor:
    """Return the error of each entry of the reconstructions `a` of `b`: n x entries, NaN where `b` is missing.

    Parameters
    ----------
    a, b : examples on the model's scale, n x `schema.shape`.
    """
    if schema.kind != "table":
        return (a - b).square().flatten(1)
    is_count = torch.tensor([column.kind == "count" for column in schema.used_columns])
    has_levels = torch.tensor([column.has_levels for column in schema.used_columns])
    a, b = (torch.where(is_count, x.clamp(min=0).log1p(), x) for x in (a, b))
    squares = ((a - b) / torch.tensor(schema.std, dtype=a.dtype)).square()
    is_wrong = torch.where(torch.isnan(b), b, (a != b).to(b.dtype))
    return torch.where(has_levels, is_wrong, squares)


def example_errors(a: Tensor, b: Tensor, schema: Schema) -> np.ndarray:
    """Return the mean error (see `cell_errors`) of each example over its observed entries: (n,); 0 if it has none."""
    parts = zip(a.split(_BLOCK_ROWS), b.split(_BLOCK_ROWS), strict=True)
    return np.concatenate([_mean_of_observed(cell_errors(x, y, schema)) for x, y in parts])


def _mean_of_observed(errors: Tensor) -> np.ndarray:
    is_missing = torch.isnan(errors)
    if not bool(is_missing.any()):
        return errors.mean(1).double().numpy()
    n_observed = (~is_missing).sum(1).clamp(min=1)
    return (errors.double().nansum(1) / n_observed).numpy()


def as_points(x: Tensor, schema: Schema) -> Tensor:
    """Return examples on the model's scale (n x `schema.shape`) without gaps, in a form that has distances.

    Tables become n x features (`narrows.data.as_features`), in which a missing cell lies at the mean. A missing entry
    of vectors and images becomes its mean in training; without gaps they are returned unchanged.
    """
    points = as_features(x, schema)
    return points if schema.kind == "table" else points.reshape(x.shape)


def has_gaps(x: Tensor) -> bool:
    """Return True if an entry of `x` is missing (NaN)."""
    return bool(torch.isnan(x).any())


def as_linear(x: Tensor, schema: Schema) -> np.ndarray:
    """Return examples on the model's scale as vectors for PCA: n x d. `from_linear` goes back.

    They are the features of numbers, atoms and levels of a table, without indicators of gaps and the time of day, week
    and year; and the entries of vectors and images.
    """
    points = as_points(x, schema)
    if schema.kind == "table":
        points = points[:, : TableFeatures(schema).n_shared]
    return points.flatten(1).numpy()


def from_linear(vectors: np.ndarray, schema: Schema) -> Tensor:
    """Return vectors near those of `as_linear` (n x d) as examples on the model's scale: n x `schema.shape`, float32.

    A cell of a table gets its nearest level, or its atom if that is nearer to 1 than to 0; a column with more levels
    than features has its most frequent one everywhere.
    """
    x = torch.from_numpy(vectors.astype(np.float32))
    if schema.kind != "table":
        return x.reshape(-1, *schema.shape)
    layout, features = Layout.of(schema), TableFeatures(schema)
    sizes = [len(layout.numeric) + len(layout.counts), len(layout.atoms), len(features.owner)]
    numbers, atoms, levels = x.split(sizes, 1)
    cells = torch.zeros(len(x), len(schema.used_columns))
    values = numbers / features.factor + features.mean
    values[:, len(layout.numeric) :] = values[:, len(layout.numeric) :].expm1().clamp(min=0)
    cells[:, features.numbers] = values
    holds = atoms / features.atom_factor + features.atom_share > 0.5
    cells[:, features.with_atom] = torch.where(holds, features.atoms, cells[:, features.with_atom])
    shares = levels / features.level_factor + features.share
    for j in layout.dense:
        cells[:, j] = shares[:, features.owner == j].argmax(1).to(cells.dtype)
    for j in layout.large:
        cells[:, j] = float(np.argmax(schema.used_columns[j].frequencies))
    return cells


def effects_on_columns(added: Tensor, schema: Schema) -> Tensor:
    """Return changes of a table's likelihood parameters (n x parameters) as one number for each column: n x columns.

    For a number it is the change of its mean, for a count that of the mean's logarithm, for levels the largest change
    of a logit beside the mean change of all.
    """
    layout, columns = Layout.of(schema), schema.used_columns
    n_numbers = len(layout.numeric) + len(layout.counts)
    effects = torch.zeros(len(added), len(columns))
    effects[:, [*layout.numeric, *layout.counts]] = added[:, :n_numbers]
    start = n_numbers + len(layout.atoms)
    for j in layout.dense:
        logits = added[:, start : start + columns[j].n_levels]
        logits = logits - logits.mean(1, keepdim=True)
        effects[:, j] = logits.gather(1, logits.abs().argmax(1, keepdim=True))[:, 0]
        start += columns[j].n_levels
    return effects
