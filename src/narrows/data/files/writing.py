"""Write arrays to files, completely or not at all."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping, Sequence

import numpy as np

from narrows.data import sinks
from narrows.data.atomic import atomic_path
from narrows.data.formulas import without_formula
from narrows.data.parquet import import_pyarrow


def write_array(path: str | os.PathLike[str], array: np.ndarray, columns: Sequence[str] | None = None) -> None:
    """Write an array as `.npy`, `.parquet`, `.csv` or `.tsv`, completely or not at all.

    Parameters
    ----------
    path : file to write; its suffix gives the format. An old file is replaced only when the new one is complete.
    array : numbers or booleans. A table has one or two axes; its numbers are read back as the same values.
    columns : names of a table's columns; None without names. A `.npy` file cannot hold them.

    Raises
    ------
    ValueError
        If the suffix is unknown, the array does not hold numbers, or it does not fit a table or `columns`.
    ImportError
        If pyarrow (the extra `tables`) is missing for `.parquet`.
    OSError
        If the file cannot be written, for example because the disk is full; the old file is unchanged.
    """
    path = sinks.check_path(path)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Cannot write {path}: the array must hold numbers. Got dtype {array.dtype} instead.")
    if path.suffix.lower() == ".npy":
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.save(stream, array, allow_pickle=False)
        return
    with sinks.open_sink(path, len(array), columns) as sink:
        sink.write(array)
        sink.finish()


def write_columns(path: str | os.PathLike[str], columns: Mapping[str, np.ndarray]) -> None:
    """Write columns of numbers and of words as `.parquet`, `.csv` or `.tsv`, completely or not at all.

    Parameters
    ----------
    path : file to write; its suffix gives the format.
    columns : arrays of n entries by name: numbers, or objects that are text or None. In text files NaN and None are
        empty, and a word or a name that a spreadsheet would run as a formula gets an apostrophe in front.

    Raises
    ------
    ValueError
        If the suffix is another one, or the columns have unlike lengths.
    ImportError
        If pyarrow (the extra `tables`) is missing for `.parquet`.
    OSError
        If the file cannot be written, for example because the disk is full; the old file is unchanged.
    """
    path = sinks.check_path(path)
    suffix = path.suffix.lower()
    if len({len(column) for column in columns.values()}) > 1 or suffix == ".npy":
        raise ValueError(f"Cannot write {path}: columns need a .parquet, .csv or .tsv file, and as many entries each.")
    if suffix == ".parquet":
        pyarrow, parquet = import_pyarrow("writing .parquet")
        table = pyarrow.table({name: pyarrow.array(column, from_pandas=True) for name, column in columns.items()})
        with atomic_path(path) as temporary:
            parquet.write_table(table, temporary)
        return
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, delimiter=sinks.DELIMITERS[suffix], lineterminator="\n")
        writer.writerow(map(without_formula, columns))
        writer.writerows(zip(*map(_to_texts, columns.values()), strict=True))


def _to_texts(column: np.ndarray) -> list[str]:
    """Return the entries as they stand in a text file. A number has the shortest text that is read back as the same."""
    if column.dtype.kind in "biuf":
        return ["" if text == "nan" else text for text in column.astype(str).tolist()]
    return ["" if entry is None else without_formula(str(entry)) for entry in column.tolist()]
