"""Rows of the studio as a file: their codes, scores, labels and columns."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Literal, get_args

import numpy as np

from narrows.params import counted
from narrows.studio.view import View

Part = Literal["codes", "scores", "columns"]
PARTS: tuple[Part, ...] = get_args(Part)
_MAX_NUMBERS = 1 << 24  # in all codes of a file: as text they take about 200 MB


def collect_columns(
    view: View, rows: np.ndarray, parts: Collection[Part], distances: Sequence[float] | None = None
) -> dict[str, np.ndarray]:
    """Return columns by name, each with an entry for each of k rows.

    Parameters
    ----------
    view : a view with data.
    rows : (k,) row numbers.
    parts : "codes" for a column of each component, "scores" for nats, "columns" for labels, files and the cells of
        tables and vectors, also those that the model does not take.
    distances : (k,) distances from the example that was searched for, or None.

    Raises
    ------
    ValueError
        If the model has no codes, or they are too many for a file.
    """
    data = view.data
    assert data is not None
    columns: dict[str, np.ndarray] = {"row": rows}

    def add(name: str, values: np.ndarray) -> None:
        while name in columns:  # a column of the data may have any name
            name += "_"
        columns[name] = values

    if data.rows is not None:
        add("row_of_file", data.rows[rows])
    if distances is not None:
        add("distance", np.asarray(distances, dtype=np.float64))
    if "columns" in parts:
        if data.files is not None:
            add("file", np.array([data.files[row] for row in rows], dtype=object))
        if data.labels is not None:
            add("label", data.labels.get_rows(rows).to_cells())
        for name, colour in data.columns.items():
            add(name, colour.get_rows(rows).to_cells())
        for name, values in _list_cells(view, rows).items():
            add(name, values)
    if "scores" in parts:
        add("score", view.scores[rows])
    if "codes" in parts:
        _check_codes(view, len(rows))
        names = [str(name) for name in view.model.get_feature_names_out()]
        for name, values in zip(names, view.codes_of(rows).T, strict=True):
            add(name, values.astype(np.float32, copy=False))
    return columns


def _list_cells(view: View, rows: np.ndarray) -> dict[str, np.ndarray]:
    """Return the columns that the model takes, (k,) each; none for images and series."""
    assert view.data is not None
    if view.columns is None or view.is_series:
        return {}
    if view.is_table:
        return {name: view.get_column(name).get_rows(rows).to_cells() for name in view.columns}
    numbers = np.asarray(view.data.get_rows(rows))  # the page has them in single precision
    return dict(zip(view.columns, numbers.T, strict=True))


def _check_codes(view: View, n_rows: int) -> None:
    if not view.has_code:
        raise ValueError("This model has no codes, because its n_components is None: leave them out.")
    if n_rows * view.n_components > _MAX_NUMBERS:
        raise ValueError(
            f"The codes of {counted(n_rows, 'row')} are {n_rows * view.n_components:,} numbers, and a file of the "
            f"studio has {_MAX_NUMBERS:,} at most. Select fewer rows, or write all of them by `narrows encode`."
        )
