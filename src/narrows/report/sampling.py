"""Examples for a page, from data of any size: as many as a person can look at, drawn from all of them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from narrows.data import streams, take_rows
from narrows.data.streams import Source
from narrows.estimators.base import Estimator
from narrows.plots import picks

_BLOCK = 2048  # rows read at once
_MOST_NUMBERS = 1 << 25  # in all examples together: 128 MB in single precision


class Sampled(NamedTuple):
    """Examples, and what they are a sample of.

    Attributes
    ----------
    X, y : examples and their labels (or None), in memory.
    chosen : which rows of the data they are.
    n : how many rows there are.
    """

    X: Any
    y: np.ndarray | None
    chosen: np.ndarray
    n: int


def sampled(model: Estimator, X: Any, y: Any, most: int, seed: int) -> Sampled:
    """At most `most` rows of X, each as likely as any other, in their order.

    Parameters
    ----------
    X : whatever `Estimator.stream` reads: what is in memory, a path, or an iterator of arrays, which is read once.
    y : a label for each row of X, or None.

    Raises
    ------
    ValueError
        If there are no rows, or there is not one label for each.
    """
    owner = "write_report"
    names = model.schema_.columns
    most = max(2, min(most, _MOST_NUMBERS // model.schema_.n_entries))
    generator = np.random.default_rng(seed)
    source = streams.open_source(X, owner, None if names is None else [str(name) for name in names])
    n = len(X) if source is None else source.n
    if n is not None:
        labels = _labels(y, n, owner)
        index = np.arange(n) if n <= most else np.sort(generator.choice(n, most, replace=False))
        rows = _read(source, index) if source is not None else X if len(index) == n else take_rows(X, index)
        return Sampled(rows, None if labels is None else labels[index], index, n)
    assert source is not None
    rows, index, n = _reservoir(source, most, generator)
    labels = _labels(y, n, owner)
    return Sampled(rows, None if labels is None else labels[index], index, n)


def _labels(y: Any, n: int, owner: str) -> np.ndarray | None:
    if n == 0:
        raise ValueError(f"X passed to {owner} holds no examples. A page is made of at least one.")
    return None if y is None else picks.check_labels(y, n, owner)


def _read(source: Source, index: np.ndarray) -> np.ndarray:
    """The rows at `index` of a source that tells how many it has."""
    found, first = [], 0
    for block in source.blocks(_BLOCK):
        here = index[(index >= first) & (index < first + len(block))]
        if len(here):
            found.append(np.asarray(block[here - first]))
        first += len(block)
    return np.concatenate(found)


def _reservoir(source: Source, most: int, generator: np.random.Generator) -> tuple[np.ndarray, np.ndarray, int]:
    """Rows of a source of unknown length: row number i takes a random place with the chance most / (i + 1).

    See Vitter, 1985, https://doi.org/10.1145/3147.3165, algorithm R.
    """
    kept: list[np.ndarray] = []
    index: list[int] = []
    n = 0
    for block in source.blocks(_BLOCK):
        for row in block:
            if len(kept) < most:
                kept.append(np.array(row))
                index.append(n)
            elif (place := int(generator.integers(n + 1))) < most:
                kept[place], index[place] = np.array(row), n
            n += 1
    order = np.argsort(index)
    rows = np.stack([kept[i] for i in order]) if kept else np.empty((0,))
    return rows, np.array(index, dtype=int)[order], n
