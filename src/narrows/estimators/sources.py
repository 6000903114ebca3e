"""Examples of a fitted model from anywhere: arrays, files, iterators."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from narrows.data import Schema, streams
from narrows.data.streams import Source


class Reader(Protocol):
    """Protocol: an estimator that can read rows."""

    schema_: Schema

    def validate(self, X: Any, reset: bool) -> np.ndarray:
        """Return X, which is in memory, as an array of numbers."""

    def _as_source(self, X: Any) -> Source:
        """Return X, which is in memory, as a source of blocks."""


def open_rows(estimator: Reader, source: Any, columns: Sequence[str] | None = None) -> Source:
    """Return an array, a path, or an iterator as blocks of rows. See `Inference.stream` for the arguments.

    Raises
    ------
    OSError, ImportError, TypeError, ValueError
        If it cannot be read, or its form is not that of the rows that the model was fitted on.
    """
    fitted = estimator.schema_.columns
    if columns is None and fitted is not None:
        columns = [str(name) for name in fitted]
    encode = functools.partial(estimator.validate, reset=False) if estimator.schema_.kind == "table" else None
    opened = streams.open_source(source, type(estimator).__name__, columns, encode, estimator.schema_.takes_tokens)
    return estimator._as_source(source) if opened is None else opened
