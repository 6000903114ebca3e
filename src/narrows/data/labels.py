"""Labels: read them from a file, check them in memory, and separate known from missing labels."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from narrows.data.files import read

_TEXTS = (".csv", ".tsv", ".txt", "")


def read_labels(path: str | Path, n: int | None = None) -> np.ndarray:
    """Read one label for each example, from text with one label per line and maybe a heading, or a file of numbers.

    Parameters
    ----------
    path : file of the labels.
    n : number of examples; None if it is not known.

    Returns
    -------
    n labels: floats if all labels are numbers, otherwise strings.

    Raises
    ------
    ValueError, OSError
        If the file cannot be read, or does not have n labels.
    """
    path = Path(path).expanduser()
    if path.suffix.lower() in _TEXTS:
        labels = _read_text(path, n)
    elif path.suffix.lower() == ".npy":  # it may hold strings
        try:
            labels = np.load(path, allow_pickle=False).reshape(-1)
        except ValueError as error:
            raise ValueError(f"{path} must hold an array of labels, numbers or words: {error}.") from error
    else:
        labels = np.asarray(read(path).X).reshape(-1)
    if n is not None and len(labels) != n:
        raise ValueError(f"{path} must hold one label for each of the {n:,} examples. It holds {len(labels):,}.")
    return labels


def labels_as_array(y: Any) -> np.ndarray:
    """Return labels in memory, a tensor or anything that NumPy takes, as an array of the same shape."""
    return y.detach().cpu().numpy() if isinstance(y, Tensor) else np.asarray(y)


def check_labels(y: Any, n: int, owner: str, what: str = "label", hint: str = "") -> np.ndarray:
    """Return `y` as an array of n labels. Every `y` in memory is checked here.

    Labels have the shape (n,) or are a column (n, 1). Words of dtype object become strings. Missing labels stay as they
    are: `split_known` finds them.

    Parameters
    ----------
    y : labels as an array, list, tensor or column of a data frame.
    n : number of examples.
    owner, what, hint : name of the caller, the word for a label, and advice, for the message.

    Raises
    ------
    ValueError
        If there is not one label for each example.
    """
    labels = labels_as_array(y)
    if labels.shape not in ((n,), (n, 1)):
        raise ValueError(
            f"y passed to {owner} must hold one {what} for each of {n} examples, shape ({n},). Got shape "
            f"{labels.shape}.{hint}"
        )
    labels = labels.reshape(n)
    is_words = labels.dtype.kind == "O" and n > 0 and all(isinstance(label, str) for label in labels)
    return labels.astype(str) if is_words else labels


def find_classes(labels: np.ndarray, owner: str, advice: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted classes in labels (n,), of which none is missing, and the class index of each label (n,).

    Parameters
    ----------
    owner, advice : the taker of the labels, and what to do about a single class, for the message.

    Raises
    ------
    ValueError
        If the labels are numbers with fractions or infinite, or of fewer than two classes.
    """
    classes, indices = np.unique(labels, return_inverse=True)
    is_fraction = classes.dtype.kind == "f" and ~(np.isfinite(classes) & (classes == np.rint(classes)))
    if np.any(is_fraction):
        raise ValueError(
            f"y passed to {owner} must hold classes. Got numbers such as {classes[is_fraction][0]:g}: cut them into "
            "classes first, for instance with numpy.digitize."
        )
    if len(classes) < 2:
        raise ValueError(
            f"y passed to {owner} must hold labels of at least 2 classes. All {len(labels)} are of one "
            f"class, {classes.tolist()[0]!r}: {advice}."
        )
    return classes, indices.astype(np.int64)


def split_known(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels as an array, and a mask of the known labels. None, NaN, and pandas' NA and NaT are missing."""
    labels = np.asarray(y)
    if labels.dtype.kind not in "fO" or labels.ndim != 1:
        return labels, np.ones(len(labels) if labels.ndim else 1, dtype=bool)
    known = np.array([not _is_missing(label) for label in labels.tolist()], dtype=bool)
    return (labels if known.all() else fill_unknown(labels, known)), known


def fill_unknown(labels: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Replace missing labels by a known label, so that all fit one plain dtype. Unchanged if no label is known."""
    return np.array(np.where(known, labels, labels[known][0]).tolist()) if known.any() else labels


def _is_missing(label: Any) -> bool:
    return label is None or type(label).__name__ == "NAType" or bool(label != label)


def _read_text(path: Path, n: int | None) -> np.ndarray:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    text = path.read_text(encoding="utf-8-sig")
    if path.suffix.lower() in (".csv", ".tsv"):
        rows = [row for row in csv.reader(io.StringIO(text), delimiter=delimiter) if any(cell.strip() for cell in row)]
        if any(len(row) > 1 for row in rows):
            raise ValueError(
                f"{path} must hold one label per line, and nothing else. It has a line of {max(map(len, rows))} cells."
            )
        cells = [row[0].strip() for row in rows]
    else:
        cells = [line.strip() for line in text.splitlines() if line.strip()]
    numbers = _numbers(cells)
    if numbers is not None:
        return numbers
    if n is None or len(cells) == n + 1:
        numbers = _numbers(cells[1:])  # then the first cell is a heading
        if numbers is not None and len(numbers) > 0:
            return numbers
    return np.array(cells[1:] if n is not None and len(cells) == n + 1 else cells)


def _numbers(cells: list[str]) -> np.ndarray | None:
    try:
        return np.array([float(word) for word in cells])
    except ValueError:
        return None
