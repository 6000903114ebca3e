"""The rows of a training: arrays, files that stay on disk, and iterators of blocks. Their schema, and what is said."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from narrows import likelihoods
from narrows.data import (
    Blocks,
    MappedRows,
    MixingBuffer,
    Schema,
    check_container,
    infer,
    infer_layers,
    is_blocks,
    scan_rows,
    spaced_indices,
    subsample_evenly,
)
from narrows.data.arrays import as_shared_tensor, pieces, tensor_as_array
from narrows.data.row_counts import RowCounts
from narrows.fitted import FittedModel
from narrows.objectives import Objective
from narrows.params import counted

_SCHEMA_BYTES = 1 << 30  # rows of files that are larger are described from a sample, as those of an iterator are
_SAMPLE_ROWS = 50_000
_BUFFER_BYTES = 256 << 20  # of a mixing buffer; the same on all machines, so that the weights are
_FEWEST_ROWS = 4_096
_MOST_COMPONENTS = 1_000_000


class Opened(NamedTuple):
    """The first rows of an iterator, and the iterator behind them.

    Attributes
    ----------
    X : the training data: what the user passed, or some of the first rows of an iterator as an array.
    blocks : the rows of the iterator; None for data in memory or on disk.
    first : the first rows in the iterator's dtype; None if there are no others, and all are in X.
    n_rows : number of rows of the iterator that are to be read; 0 without `first`.
    notes : messages about the iterator.
    """

    X: Any
    blocks: Blocks | None = None
    first: Tensor | None = None
    n_rows: int = 0
    notes: tuple[str, ...] = ()

    def make_buffer(
        self, schema: Schema, check: Callable[[np.ndarray], None], objective: Objective, owner: str
    ) -> MixingBuffer | None:
        """Return the mixing buffer of an iterator, None for other rows. `check` raises for rows of no use.

        Raises
        ------
        ValueError
            If the rows are a table, or the objective needs all of them at once.
        """
        if self.blocks is None or self.first is None:
            return None
        if schema.kind == "table":
            raise ValueError(f"{owner} must see the columns of a table as a whole. Pass a data frame or an array.")
        if objective.neighbors is not None:
            raise ValueError(f"{owner} compares rows with their neighbours among all rows. Pass an array or a path.")
        return MixingBuffer(self.blocks, self.first, self.n_rows, schema, check=check)


def open_training(X: Any, y: Any, estimator: FittedModel) -> Opened:
    """Read the first rows of X if it is an iterator of blocks, and return X unread otherwise.

    Raises
    ------
    ValueError, TypeError
        If a parameter does not suit an iterator, or a block is not valid.
    """
    if not is_blocks(X):
        return Opened(X)
    owner, parameters = type(estimator).__name__, estimator.get_params(deep=False)
    n = parameters["max_examples"]
    if n is None:
        check_container(X, owner)  # its message says what to pass
        raise ValueError(
            f"{owner}.fit reads iterators, but must know how many rows to take: pass max_examples=1_000_000, or "
            "np.concatenate(list(X)) if all rows fit into memory."
        )
    if parameters["max_epochs"] != "auto":
        raise ValueError(f"The `max_epochs` parameter of {owner} is for rows that are there: an iterator is read once.")
    if (parameters.get("conditional", False) and y is not None) or np.ndim(y) > 1 or isinstance(y, (str, os.PathLike)):
        raise ValueError(f"{owner} takes no labels for the rows of an iterator, and no targets. Pass arrays.")
    blocks = Blocks(X, owner, has_layers=estimator.recipe.is_layered)
    if not blocks.peek():
        raise ValueError(f"The iterator passed to {owner} gave no rows.")
    size = parameters["buffer_size"]
    size = max(_FEWEST_ROWS, _BUFFER_BYTES // blocks.row_bytes) if size == "auto" else size
    first = blocks.read(min(size, n))
    more = blocks.peek() if len(first) == size < n else False
    if not more:
        note = f"The iterator ended after {len(first):,} of {n:,} rows (`max_examples`): its rows are drawn again."
        return Opened(tensor_as_array(first), blocks, notes=(note,) if len(first) < n else ())
    return Opened(tensor_as_array(first[spaced_indices(len(first), _SAMPLE_ROWS)]), blocks, first, n)


def check_components(n_components: int | None, owner: str) -> None:
    """Raise ValueError if a code is to have too many components."""
    if n_components is not None and n_components > _MOST_COMPONENTS:
        raise ValueError(
            f"The `n_components` parameter of {owner} must be at most {_MOST_COMPONENTS}. Got {n_components} instead."
        )


def infer_rows(rows: np.ndarray | MappedRows, estimator: FittedModel, dtype: np.dtype) -> Schema:
    """Return the schema of training rows.

    Activations in files have no gaps: NaN is an error there.

    Raises
    ------
    ValueError
        If rows hold infinity, NaN where that is no gap, or are not varied enough to learn from.
    """
    owner = type(estimator).__name__
    likelihood = likelihoods.LIKELIHOODS.get(getattr(estimator, "likelihood", "auto"))
    return (infer_layers if estimator.recipe.is_layered else infer)(
        scan_sample(rows, owner),
        owner,
        required_support=(likelihood.required_support or "real") if likelihood else None,
        allow_nan=estimator.recipe.allows_gaps and not isinstance(rows, MappedRows),
        dtype=dtype,
    )


def scan_sample(rows: np.ndarray | MappedRows, owner: str) -> np.ndarray:
    """Return the rows from which their schema is inferred: all of them, or a sample of large files, which are checked.

    Raises
    ------
    ValueError
        If rows of files hold NaN or infinity.
    """
    if isinstance(rows, MappedRows):
        scan_rows(rows, owner)
        if rows.nbytes > _SCHEMA_BYTES:
            return subsample_evenly(rows, _SAMPLE_ROWS)  # type: ignore[arg-type]
    return rows  # type: ignore[return-value]


def list_facts(
    estimator: FittedModel,
    rows: np.ndarray | MappedRows,
    opened: Opened | None = None,
    buffer: MixingBuffer | None = None,
) -> list[str]:
    """Return lines about the training rows of an estimator that has its parts, for the report."""
    schema = estimator.schema_
    facts, counts, locate = schema.list_facts(), RowCounts(), _number_of_row
    is_sparse = estimator.model_.bottleneck.is_sparse and schema.kind == "vector"
    if opened is not None and opened.blocks is not None:
        facts += [opened.blocks.describe(), *(opened.notes if buffer is None else buffer.notes)]
        counts = opened.blocks.counts
    elif isinstance(rows, MappedRows):
        facts.append(rows.describe())
        counts, locate = rows.counts, rows.locate
    else:
        missing = []  # numbers of rows that have no value
        for start, piece in pieces(rows):
            if schema.has_gaps and rows.dtype.kind == "f":
                missing.append(start + np.flatnonzero(np.isnan(piece).reshape(len(piece), -1).all(1)))
            if is_sparse:
                counts.add(as_shared_tensor(piece), start)
        if missing and len(empty := np.concatenate(missing)):
            facts.append(
                f"{len(empty):,} of {counted(len(rows), 'row')} have no value (first: row {empty[0]:,}). Nothing is "
                "learned from them; leave them out."
            )
    return [*facts, *counts.describe_zero(locate), *(counts.describe_long(locate) if is_sparse else [])]


def _number_of_row(row: int) -> str:
    return f"row {row:,}"
