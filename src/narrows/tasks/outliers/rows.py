"""The rows of X as numbers, and keys that recognise a row that was seen before."""

from __future__ import annotations

import warnings
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import validate_data

from narrows.data import as_array, as_floats, check_numeric, count_gaps, is_frame, min_max, open_frame
from narrows.data.files import column_indices
from narrows.params import counted
from narrows.tasks.outliers.tables import TableReader, needs_table


class Rows(NamedTuple):
    """n rows of the user's columns as numbers. A column may have several features, such as one for each category.

    Attributes
    ----------
    cells : n x the shape of a row, the user's numbers. The columns are its c entries, in the order of memory.
    features : (n, d), what the ensemble sees.
    feature_indices : for each of the c columns the indices of its features.
    missing : (n, d), True for the features of missing cells, which hold a usual value; None without gaps.
    """

    cells: np.ndarray
    features: np.ndarray
    feature_indices: list[np.ndarray]
    missing: np.ndarray | None = None

    def sum_features(self, nats: np.ndarray) -> np.ndarray:
        """Return the sum of `nats` (n, d) over the features of each column: like `cells`."""
        sums = np.stack([nats[:, indices].sum(1) for indices in self.feature_indices], axis=1)
        return sums.reshape(self.cells.shape)


def read_rows(detector: Any, X: Any, *, reset: bool) -> Rows:
    """Check X and return its rows. Columns with names are compared with those of the fit, or set if `reset`.

    A data frame or array with words, dates or gaps is read by a `TableReader`, which `reset` makes.

    Raises
    ------
    TypeError, ValueError
        If X holds infinity, has no rows or the wrong columns, or is no array or data frame.
    """
    owner = type(detector).__name__
    if isinstance(X, np.ma.MaskedArray):
        X = as_array(X, owner)
    reader: TableReader | None = getattr(detector, "_reader", None)
    if reset:
        reader = TableReader.fit(X, owner) if needs_table(X) else None
        detector._reader = reader
    if reader is not None:
        rows = reader.encode(X, owner)
        missing = reader.missing(rows)
        return Rows(rows, reader.features(rows), reader.feature_indices, missing if missing.any() else None)
    if not reset and is_frame(X):
        X = _select(X, getattr(detector, "feature_names_in_", None), owner)
    cells = as_array(X, owner)  # its error says where a text is
    X = X if hasattr(X, "columns") else cells
    if cells.ndim <= 2:
        cells = validate_data(
            detector, X, reset=reset, dtype="numeric", ensure_min_samples=2 if reset else 1, ensure_all_finite=False
        )
    cells = as_floats(check_numeric(cells, owner))
    names = getattr(detector, "feature_names_in_", None)
    may_have_gaps = not reset and cells.ndim == 2
    min_max(cells, owner, columns=names, allow_nan=may_have_gaps)  # refuses infinity, and NaN in images
    if may_have_gaps and (n_gaps := count_gaps(cells)):
        warnings.warn(
            f"X passed to {owner} has {counted(n_gaps, 'missing value')}, but the detector was fitted on data without "
            "any. Each is taken for the median of its column.",
            UserWarning,
            stacklevel=2,
        )
        cells = np.where(np.isnan(cells), detector._scaler.center, cells)
    if reset and len(cells) < 2:
        raise ValueError(f"{owner} needs at least 2 rows to learn from. Got n_samples=1.")
    features = cells.reshape(len(cells), -1)
    return Rows(cells, features, [np.array([i]) for i in range(features.shape[1])])


def _select(X: Any, names: Any, owner: str) -> Any:
    """Return the columns of a frame, a dict or a list of dicts that the detector was fitted on, in their order.

    Raises
    ------
    ValueError
        If a column is missing.
    """
    frame = open_frame(X, owner)
    if names is None:
        return X
    column_indices(names, frame.names, f"X passed to {owner}")
    if frame.kind == "rows":
        import pandas as pd

        return pd.DataFrame(frame.data, columns=list(names))
    return frame.data[list(names)] if frame.kind == "pandas" else frame.data.select(list(names))


def row_keys(rows: np.ndarray, u: np.ndarray, use_u: np.ndarray) -> np.ndarray:
    """Return a hash of each row, which recognises a row that was seen before: (n,), uint64.

    Parameters
    ----------
    rows : (n, d). A row has the same key in single and in double precision.
    u : (n, d), the same rows on the scale of `AsinhScaler`.
    use_u : (d,), True for columns whose values differ by less than single precision can tell. They are hashed by u.
    """
    most = np.finfo(np.float32).max
    values = np.where(use_u, u, np.clip(rows, -most, most)).astype(np.float32)
    bits = (values + np.float32(0)).view(np.uint32)  # adding 0 makes -0 and 0 the same
    odd = np.random.default_rng(0).integers(2**63, size=(2, rows.shape[1]), dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    keys = np.zeros(len(rows), np.uint64)
    for column in range(rows.shape[1]):
        value = (bits[:, column] + np.uint64(1)) * odd[0, column]
        keys += (value ^ (value >> np.uint64(32))) * odd[1, column]
    return keys


def assign_folds(keys: np.ndarray, n_members: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted keys of all rows, and the member that leaves each of them out. Equal rows share a fold."""
    known, first = np.unique(keys, return_index=True)
    fold = np.empty(len(known), np.int64)
    fold[np.argsort(first)] = (
        rng.permutation(len(known)) % n_members
    )  # in the order of the rows, which does not depend on their keys
    return known, fold
