"""Examples for a page from data of any size: all of them, or a random sample."""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import numpy as np

from narrows.data import EncodedRows, Table, streams, take_rows
from narrows.data.streams import Source
from narrows.fitted import FittedModel
from narrows.plots import content

_BLOCK = 2048  # rows read at once
_MOST_NUMBERS = 1 << 25  # in all examples together: 128 MB in single precision


class Sample(NamedTuple):
    """A sample of the rows of data.

    Attributes
    ----------
    X, y : examples and their labels (or None), in memory.
    rows : their indices in the data.
    n : number of all rows.
    """

    X: Any
    y: np.ndarray | None
    rows: np.ndarray
    n: int


def draw_sample(model: FittedModel, X: Any, y: Any, most: int, seed: int, *, owner: str = "write_report") -> Sample:
    """Draw at most `most` rows of X with equal probability, and keep their order.

    Parameters
    ----------
    X : n examples in memory, a path, or an iterator of arrays, which is read once.
    y : n labels, or None.
    owner : name of the function that errors are about.

    Raises
    ------
    ValueError
        If there are no rows, or if `y` does not hold one label for each row.
    """
    names = model.schema_.columns
    most = max(2, min(most, _MOST_NUMBERS // model.schema_.n_entries))
    generator = np.random.default_rng(seed)
    table = model.schema_.table if model.schema_.kind == "table" else None
    encode = None if table is None else functools.partial(table.encode, owner=owner)
    columns, has_tokens = None if names is None else [str(name) for name in names], model.schema_.takes_tokens
    source = streams.open_source(X, owner, columns, encode, has_tokens)
    n = len(X) if source is None else source.n
    y = content.column_or_labels(y, X)
    if n is not None:
        labels = _labels(y, n, owner)
        index = np.arange(n) if n <= most else np.sort(generator.choice(n, most, replace=False))
        if source is None:
            rows = X if len(index) == n else take_rows(X, index)
        else:
            rows = _as_encoded(_read(source, index), table)
        return Sample(rows, None if labels is None else labels[index], index, n)
    assert source is not None
    rows, index, n = _reservoir(source, most, generator)
    labels = _labels(y, n, owner)
    return Sample(_as_encoded(rows, table), None if labels is None else labels[index], index, n)


def _as_encoded(rows: np.ndarray, table: Table | None) -> np.ndarray:
    """Mark rows of a source of a table as numbers, which `encode` gave."""
    return rows if table is None else rows.view(EncodedRows)


def _labels(y: Any, n: int, owner: str) -> np.ndarray | None:
    if n == 0:
        raise ValueError(f"X passed to {owner} holds no examples. A page needs at least one.")
    return None if y is None else content.map_labels(y, n, owner)


def _read(source: Source, index: np.ndarray) -> np.ndarray:
    """Read the rows at `index` of a source of known length."""
    parts, first = [], 0
    for block in source.blocks(_BLOCK):
        here = index[(index >= first) & (index < first + len(block))]
        if len(here):
            parts.append(np.asarray(block[here - first]))
        first += len(block)
    return np.concatenate(parts)


def _reservoir(source: Source, most: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Sample rows of a source of unknown length.

    Row i replaces a random row of the sample with probability most / (i + 1). See Vitter, 1985,
    https://doi.org/10.1145/3147.3165, algorithm R.
    """
    kept: list[np.ndarray] = []
    index: list[int] = []
    n = 0
    for block in source.blocks(_BLOCK):
        for row in block:
            if len(kept) < most:
                kept.append(np.array(row))
                index.append(n)
            elif (position := int(generator.integers(n + 1))) < most:
                kept[position], index[position] = np.array(row), n
            n += 1
    order = np.argsort(index)
    rows = np.stack([kept[i] for i in order]) if kept else np.empty((0,))
    return rows, np.array(index, dtype=int)[order], n
