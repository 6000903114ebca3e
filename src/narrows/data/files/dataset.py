"""Record of a data set: examples, labels and names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Dataset(NamedTuple):
    """Contents of a file, a folder or a named data set.

    Attributes
    ----------
    X : n x ... examples, numbers or booleans, in the dtype of the file.
    y : n labels; None without labels.
    columns : names of the columns if a table has a header, otherwise None.
    name : short name to show: the file without its suffix, the folder, or the named data set.
    files : for images, the path of each example relative to the folder, with forward slashes, otherwise None. In a
        folder with one sub-folder for each class, y holds the index of the sub-folder in sorted order.
    notes : sentences about what was changed or left out while reading.
    """

    X: np.ndarray
    y: np.ndarray | None
    columns: list[str] | None
    name: str
    files: list[str] | None
    notes: tuple[str, ...] = ()

    def ordered(self, names: Sequence[str | int] | None) -> Dataset:
        """Return the data with the columns `names`, in that order; unchanged if `names` is empty or
        the data have no names.

        Raises
        ------
        ValueError
            If one of the columns is missing.
        """
        columns = [str(name) for name in names or ()]
        if not columns or self.columns is None or columns == self.columns:
            return self
        return self._replace(X=self.X[:, column_indices(columns, self.columns, self.name)], columns=columns)


def column_indices(columns: Sequence[str], names: Sequence[str], owner: str) -> list[int]:
    """Return the positions of `columns` in `names`, the columns that `owner` has.

    Raises
    ------
    ValueError
        If one of them is missing.
    """
    missing = [name for name in columns if name not in names]
    if missing:
        raise ValueError(
            f"{owner} must have the columns that the model was fitted on. It lacks "
            f"{', '.join(map(repr, missing))}; it has {', '.join(map(repr, names))}."
        )
    return [names.index(name) for name in columns]


def short_name(path: Path) -> str:
    """Return the file's name without its suffix, and without ".gz"."""
    return Path(path.name.removesuffix(".gz")).stem
