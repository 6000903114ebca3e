"""Read tables: delimited text and Parquet."""

from __future__ import annotations

import csv
import gzip
import io
from pathlib import Path

import numpy as np

from narrows.data import parquet, sinks
from narrows.data.files.dataset import Dataset, short_name


def read_parquet(path: Path) -> Dataset:
    """Read a .parquet file, or a folder of .parquet files."""
    table = parquet.open_table(path)
    X = sinks.Memory(table.n)
    for batch in table.batches(4096):
        X.write(batch)
    return Dataset(X.finish(), None, table.names if table.width is None else None, path.resolve().stem, None)


def read_table(path: Path, delimiter: str, gzipped: bool) -> Dataset:
    """Read a text file of numbers, with or without a header.

    Raises
    ------
    ValueError
        If the file is empty, or a cell is not a number; the message says where.
    """
    columns, n_skipped = _header(path, delimiter, gzipped)
    try:
        with _open_text(path, gzipped) as stream:
            X = np.loadtxt(stream, delimiter=delimiter, skiprows=n_skipped, comments=None, quotechar='"', ndmin=2)
        if columns is not None and X.shape[1] != len(columns):
            raise ValueError("the header does not have as many cells as the rows")
    except ValueError as error:
        fault = _first_fault(path, delimiter, gzipped, columns, n_skipped) or f"cannot be read as numbers: {error}"
        raise ValueError(f"{path} {fault}") from error
    return Dataset(X, None, columns, short_name(path), None)


def _header(path: Path, delimiter: str, gzipped: bool) -> tuple[list[str] | None, int]:
    """Return the names of the columns (None without a header), and the number of lines to skip."""
    with _open_text(path, gzipped) as stream:
        filled = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        number, first = next(filled, (0, ""))
        if not first:
            raise ValueError(f"{path} holds blank lines only. Write or download it again.")
        cells = _cells(first.lstrip("# "), delimiter)  # np.savetxt begins its header with "# "
        counts = len(cells) > 2 and cells == [str(i) for i in range(len(cells))]
        if not counts and (any(map(_is_number, cells)) or not any(cells)):
            return None, 0
        if next(filled, None) is None:
            raise ValueError(f"{path} holds a header ({first.strip()}) but no rows. Write or download it again.")
    if not all(cells):
        raise ValueError(
            f"{path} must name every column in its header. Column {cells.index('') + 1} has no name: if it holds row "
            "numbers that pandas wrote, write the file again with to_csv(..., index=False)."
        )
    return cells, number


def _first_fault(path: Path, delimiter: str, gzipped: bool, columns: list[str] | None, n_skipped: int) -> str | None:
    """Describe the first cell that is not a number. It is slow, so it is only called after np.loadtxt has failed."""
    width = None if columns is None else len(columns)
    with _open_text(path, gzipped) as stream:
        for line_number, line in enumerate(stream, 1):
            if line_number <= n_skipped or not line.strip():
                continue
            cells = _cells(line, delimiter)
            width = width or len(cells)
            if len(cells) != width:
                return (
                    f"must have the same number of cells in every line. Line {line_number} has {len(cells)}, the lines "
                    f"before it have {width}. Repair or remove the line; cells are separated by {delimiter!r}."
                )
            for index, cell in enumerate(cells):
                # "id,2019,2020" counts as data, because a header has no numbers
                note = " A header must not contain numbers." if columns is None and line_number == 1 else ""
                where = f"Line {line_number}, column {index + 1}" + (f" ({columns[index]!r})" if columns else "")
                if not cell:
                    return f"must have a number in every cell. {where} is empty. Fill it or drop the line."
                if not _is_number(cell):
                    return (
                        f"must have a number in every cell. {where} holds {cell!r}.{note} Drop the column, or "
                        "turn its words into numbers first (sklearn.preprocessing.OneHotEncoder or OrdinalEncoder)."
                    )
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _open_text(path: Path, gzipped: bool) -> io.TextIOWrapper:
    encoding = "utf-8-sig"  # Excel begins UTF-8 with a mark
    if gzipped:
        return io.TextIOWrapper(gzip.open(path, "rb"), encoding=encoding)
    return open(path, encoding=encoding)
