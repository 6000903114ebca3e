"""Labels that lie in a file of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from narrows.data.files import read

_TEXTS = (".csv", ".tsv", ".txt", "")


def read_labels(path: str | Path, n: int | None = None) -> np.ndarray:
    """A label an example: from text with one a line, with or without a heading, or from any file of numbers.

    Parameters
    ----------
    n : examples, where that is known.

    Returns
    -------
    Numbers where all labels are, and else words.

    Raises
    ------
    ValueError, OSError
        If the file cannot be read, or holds another number of labels than n.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() in _TEXTS:
        found = _words(path, n)
    elif path.suffix.lower() == ".npy":  # also one of words
        try:
            found = np.load(path, allow_pickle=False).reshape(-1)
        except ValueError as error:
            raise ValueError(f"{path} must hold an array of labels, numbers or words: {error}.") from error
    else:
        found = np.asarray(read(path).X).reshape(-1)
    if n is not None and len(found) != n:
        raise ValueError(f"{path} must hold one label for each of the {n:,} examples. It holds {len(found):,}.")
    return found


def _words(path: Path, n: int | None) -> np.ndarray:
    words = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    numbers = _numbers(words)
    if numbers is not None:
        return numbers
    below = _numbers(words[1:])  # the first word is a heading, then
    if below is not None and len(below) > 0:
        return below
    return np.array(words[1:] if n is not None and len(words) == n + 1 else words)


def _numbers(words: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        return None
