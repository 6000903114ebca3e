"""The first pictures of a training: examples, and what PCA makes of them, before the model has learned anything.

PCA is fitted on some of the rows, and its loss is measured on others, so that it can be read beside the model's:

    squared error    d / 2 (log(2 pi e) + log of the mean of (x - x')^2), with the likeliest scale
    ELBO             -log p(x) of probabilistic PCA

Tipping and Bishop, Probabilistic principal component analysis, 1999, https://doi.org/10.1111/1467-9868.00196.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from narrows import corruptions
from narrows.bottlenecks import as_sparse
from narrows.data import Schema, spaced_indices, take_rows
from narrows.evaluation.cells import as_linear, from_linear, has_gaps
from narrows.objectives import WeightedObjective
from narrows.recipes import Parts
from narrows.studio import cells, pictures

_MAX_ROWS, _MAX_NUMBERS, _FEWEST_ROWS = 2_000, 1 << 22, 256  # that PCA is fitted on
_HELD_OUT, _FEWEST_HELD_OUT = 10, 20  # every tenth row is held out, if those are not too few
_SMALLEST_VARIANCE = 1e-6  # as in the likelihood
_MAX_COLUMNS = 24  # of a row that are shown


class Baseline(NamedTuple):
    """The properties of a model that PCA needs in order to stand beside it.

    Attributes
    ----------
    n_components : numbers in a code; of a sparse code, those that are not 0.
    loss : the loss of PCA that can be compared with the model's; None if none can.
    """

    n_components: int
    loss: Literal["squared error", "elbo"] | None


def find_baseline(parts: Parts | None) -> Baseline | None:
    """Return what PCA needs to know of a model; None if the model has no codes that PCA's can be compared with."""
    if parts is None or not parts.model.decodes_codes or parts.model.n_classes:
        return None
    model, objective = parts.model, parts.objective
    sparse = as_sparse(model.bottleneck)
    n = int(getattr(sparse, "k", 0)) if sparse is not None else model.bottleneck.n_components
    if n < 1:
        return None
    loss: Literal["squared error", "elbo"] | None = None
    has_squares = model.likelihood.name == "gaussian" and isinstance(model.corruption, corruptions.Nothing)
    if has_squares and type(objective) is WeightedObjective:
        weights = {name: weight for name, weight in objective.weights.items() if weight and name != "nll"}
        if not model.bottleneck.is_stochastic and not weights:
            loss = "squared error"
        elif model.bottleneck.is_stochastic and weights == {"kl": 1}:
            loss = "elbo"
    return Baseline(n, loss)


def subsample(X: Any) -> Any:
    """Return the rows of X that PCA is fitted on, evenly spaced."""
    n_entries = max(1, math.prod(X.shape[1:]))
    return take_rows(X, spaced_indices(len(X), min(_MAX_ROWS, max(_FEWEST_ROWS, _MAX_NUMBERS // n_entries))))


def draw(schema: Schema, rows: np.ndarray, shown: np.ndarray, baseline: Baseline | None) -> dict[str, Any]:
    """Return examples, what PCA makes of them, and PCA's loss, as the page gets them.

    Parameters
    ----------
    rows : rows to fit PCA on, in the user's units; those of a table as numbers.
    shown : examples to draw, like `rows`.
    baseline : None for the examples alone.

    Returns
    -------
    kind : "image", "series", "vector" or "table".
    original : pictures, series, or rows of the first cells.
    cells : how to show the first cells or channels; None for pictures.
    n_columns : number of all columns or channels; 0 for pictures.
    pca : what PCA makes of them; its loss in nats per example, or None if it cannot be compared with the model's; its
        number of components. None without a baseline.
    """
    original = to_examples(schema, to_page(schema, shown))
    pca = None if baseline is None else draw_pca(schema, rows, shown, baseline)
    n_columns = len(cells.name_columns(schema) or ())
    kind = cells.kind_of(schema)
    return {"kind": kind, "original": original, "cells": describe_cells(schema), "n_columns": n_columns, "pca": pca}


def draw_pca(schema: Schema, rows: np.ndarray, shown: np.ndarray, baseline: Baseline) -> dict[str, Any]:
    """Return what PCA of `rows` makes of the examples `shown`, as part of what `draw` returns."""
    x, examples = (schema.prepare(torch.from_numpy(np.array(part))) for part in (rows, shown))
    vectors = as_linear(x, schema)
    held_out = np.arange(len(vectors)) % _HELD_OUT == _HELD_OUT - 1
    if held_out.sum() < _FEWEST_HELD_OUT:
        held_out[:] = False
    train, test = vectors[~held_out], vectors[held_out] if held_out.any() else vectors
    pca = PCA(min(baseline.n_components, *train.shape), random_state=0).fit(train)
    made = from_linear(pca.inverse_transform(pca.transform(as_linear(examples, schema))), schema)
    is_comparable = schema.kind != "table" and not has_gaps(x)
    return {
        "reconstruction": to_examples(schema, restore(schema, made)),
        "loss": measure_loss(pca, test, baseline) if is_comparable else None,
        "n_components": int(pca.n_components_),
    }


def measure_loss(pca: PCA, rows: np.ndarray, baseline: Baseline) -> float | None:
    """Return PCA's loss on rows on the model's scale (n x d), in nats per example; None if none is comparable."""
    n, d = rows.shape
    centred = rows.astype(np.float64) - pca.mean_
    codes = centred @ pca.components_.T.astype(np.float64)
    squares = np.square(centred).sum(1) - np.square(codes).sum(1)
    if baseline.loss == "squared error":
        loss = d / 2 * (math.log(2 * math.pi * max(float(squares.sum()) / (n * d), _SMALLEST_VARIANCE)) + 1)
    elif baseline.loss == "elbo" and pca.n_components_ < d:
        # scikit-learn's noise variance counts no directions beyond the number of rows
        left = float(pca.explained_variance_.sum() * (1 / max(pca.explained_variance_ratio_.sum(), 1e-300) - 1))
        noise = left / (d - pca.n_components_)
        if noise <= 0:
            return None
        variances = np.maximum(pca.explained_variance_, noise)
        log_det = np.log(variances).sum() + (d - pca.n_components_) * math.log(noise)
        distances = (np.square(codes) / variances).sum(1) + squares / noise
        loss = float(d * math.log(2 * math.pi) + log_det + distances.mean()) / 2
    else:
        return None
    return loss if math.isfinite(loss) else None


def restore(schema: Schema, x: Tensor) -> np.ndarray:
    """Convert decoded examples on the model's scale (n x `schema.shape`) to what the page draws; see `to_page`."""
    if schema.kind == "table":
        return cells.to_page(schema, torch.cat([x, torch.full_like(x, math.nan)], 1))
    return to_page(schema, np.nan_to_num(np.asarray(schema.restore(x))))


def to_page(schema: Schema, rows: np.ndarray) -> np.ndarray:
    """Convert examples in the user's units to what the page draws.

    Returns
    -------
    Images as bytes, n x h x w x c; series, n x steps x channels; rows as cells, n x 2 x d (see `cells`).
    """
    if schema.is_series:
        return cells.series_to_page(rows, schema)
    return pictures.to_display(rows, schema) if schema.kind == "image" else cells.as_given(rows)


def to_examples(schema: Schema, drawn: np.ndarray) -> list[dict[str, Any]]:
    """Convert what `to_page` returns to messages; rows without the columns that are not shown."""
    if cells.kind_of(schema) == "image":
        return [{"picture": pictures.to_data_uri(image), "values": None} for image in drawn]

    def to_json(values: np.ndarray) -> list[float | None]:
        return [None if math.isnan(v) else v for v in values.tolist()]

    if schema.is_series:
        return [{"picture": None, "values": to_json(series.ravel())} for series in drawn]
    rows = drawn[:, :, :_MAX_COLUMNS]
    return [
        {
            "picture": None,
            "values": to_json(values),
            "probs": None if np.isnan(probs).all() else to_json(probs),
            "true_probs": to_json(true_probs[0]) if true_probs else None,
        }
        for values, probs, *true_probs in rows
    ]


def describe_cells(schema: Schema) -> list[dict[str, Any]] | None:
    """Return how to show the cells of the first columns, or the channels of a series; None for pictures."""
    described = cells.describe_columns(schema)
    return None if described is None else [column._asdict() for column in described[:_MAX_COLUMNS]]
