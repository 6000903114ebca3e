"""Arrays as files, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np

from narrows.data import sinks
from narrows.data.atomic import atomic_path


def write_array(path: str | os.PathLike[str], array: np.ndarray, columns: Sequence[str] | None = None) -> None:
    """Write an array as `.npy`, `.parquet`, `.csv` or `.tsv`, whole or not at all.

    Parameters
    ----------
    path : where to; the suffix chooses the format. A file that is there is replaced once the new one is complete.
    array : numbers or booleans. A table has one or two axes; its numbers read back as the same values.
    columns : the header of a table, one name a column. A `.npy` file has no place for names and gets none.

    Raises
    ------
    ValueError
        For another suffix, an array that does not hold numbers, or one that does not fit a table or `columns`.
    ImportError
        For `.parquet` without the extra `tables`.
    OSError
        If the system refuses, for example because the disk is full; the old file is untouched.
    """
    path = sinks.check_path(path)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Cannot write {path}: the array must hold numbers. Got dtype {array.dtype} instead.")
    if path.suffix.lower() == ".npy":
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.save(stream, array, allow_pickle=False)
        return
    with sinks.opened(path, len(array), columns) as sink:
        sink.write(array)
        sink.finish()
