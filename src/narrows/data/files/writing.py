"""Write arrays to files, completely or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from narrows.data import sinks
from narrows.data.atomic import atomic_path


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
