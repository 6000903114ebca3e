"""What a file or a folder holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np


class Loaded(NamedTuple):
    """What a file, a folder or a named data set holds.

    Attributes
    ----------
    X : the examples, one along the first axis: numbers or booleans, in the dtype they were stored in.
    y : one label an example, or None.
    columns : the names of the columns, if a table has a header.
    name : short, for people: the file without its suffix, the folder, or the named data set.
    files : for images, the file of every example, relative to the folder, with forward slashes. In a folder of
        classes `y` numbers the sorted sub-folders, which are what stands before the slash.
    """

    X: np.ndarray
    y: np.ndarray | None
    columns: list[str] | None
    name: str
    files: list[str] | None

    def ordered(self, names: Sequence[str | int] | None) -> Loaded:
        """The rows with the columns of those `names`, wherever they stand; as they are where a side has no names.

        Raises
        ------
        ValueError
            If one of the columns is not there.
        """
        wanted = [str(name) for name in names or ()]
        if not wanted or self.columns is None or wanted == self.columns:
            return self
        return self._replace(X=self.X[:, places(wanted, self.columns, self.name)], columns=wanted)


def places(wanted: Sequence[str], names: Sequence[str], owner: str) -> list[int]:
    """Where each of the `wanted` columns stands among the `names` of those that `owner` has.

    Raises
    ------
    ValueError
        If one of them is not there.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(
            f"{owner} must have the columns that the model was fitted on. It lacks "
            f"{', '.join(map(repr, missing))}; it has {', '.join(map(repr, names))}."
        )
    return [names.index(name) for name in wanted]


def short_name(path: Path) -> str:
    """The file's name without its suffix, and without that of gzip."""
    return Path(path.name.removesuffix(".gz")).stem
