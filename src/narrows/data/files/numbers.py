"""Read tables of numbers into arrays, without pandas."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from narrows.data.files.dataset import Dataset, short_name
from narrows.data.files.dialect import SPACES, Dialect, Opener, find_ragged, read_records


def read_numbers(path: Path, opener: Opener, dialect: Dialect) -> Dataset:
    """Read a table of numbers, without missing cells, as float64 of shape (rows, columns).

    Raises
    ------
    ValueError
        If a cell is not a number. The message says where.
    """
    delimiter = None if dialect.delimiter == SPACES else dialect.delimiter
    try:
        with opener() as stream, io.TextIOWrapper(stream, encoding=dialect.encoding) as text:
            X = np.loadtxt(text, delimiter=delimiter, skiprows=dialect.n_skipped, comments=None, quotechar='"', ndmin=2)
        if X.shape[1] != dialect.width or "" in (dialect.header or ()):
            raise ValueError("its columns do not all have a name")
    except ValueError as error:
        fault = _first_fault(opener, dialect) or f"cannot be read as numbers: {error}."
        raise ValueError(f"{path} {fault}") from error
    return Dataset(X, None, dialect.header, short_name(path), None, notes=dialect.notes)


def _first_fault(opener: Opener, dialect: Dialect) -> str | None:
    """Describe the first cell that is not a number. It is slow, so it is only called after np.loadtxt has failed."""
    ragged = find_ragged(opener, dialect)
    if ragged is not None:
        return ragged
    for cells, number in read_records(opener, dialect):
        for index, cell in enumerate(cells):
            name = f" ({dialect.header[index]!r})" if dialect.header else ""
            if not _is_number(cell):
                holds = f"holds {cell!r}" if cell else "is empty"
                return f"must have a number in every cell. Line {number}, column {index + 1}{name} {holds}."
    return None


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
