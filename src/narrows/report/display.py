"""A fitted model on examples, as a page shows it: numbers, texts, pictures and groups."""

from __future__ import annotations

import functools
import itertools
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.data import EncodedRows, as_array, is_frame, open_frame
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.scores import OutlierShare, outlier_share
from narrows.fitted import FittedModel
from narrows.params import counted
from narrows.plots import content, style
from narrows.plots.accessor import Plots
from narrows.plots.cells import format_cell, format_level
from narrows.plots.drawing import MOST_BARS, format_label, format_number
from narrows.plots.tables import Reason, TableView
from narrows.report.live import pack_decoder

_MOST_CLASSES = 20  # classes of labels that a map distinguishes
_STEPS = 7  # steps of a scale of values


class Groups(NamedTuple):
    """Groups of examples on a map.

    Attributes
    ----------
    names : names of the groups, in order.
    numbers : (n,) the group of each example.
    is_ordered : True if the groups are steps of a scale.
    has_missing : True if the last group holds the examples without a value.
    title : the quantity or label that the groups are made by.
    """

    names: list[str]
    numbers: np.ndarray
    is_ordered: bool
    title: str
    has_missing: bool = False


class Display:
    """A fitted model on examples, for a page.

    Parameters
    ----------
    model : a fitted estimator.
    X : n examples in the user's units, in memory; preferably not those that the model was fitted on.
    y : n labels, or None.
    seed : seed of random choices.
    label : the quantity that the labels are.

    Attributes
    ----------
    inspection : codes, scores and reconstructions of the model on the examples.
    frame : the examples as a data frame; None for arrays.
    view : the examples column by column; None unless the model is one of a table.
    """

    def __init__(self, model: FittedModel, X: Any, y: Any = None, seed: int = 0, label: str = "label") -> None:
        self.model, self.schema, self.kind, self.seed = model, model.schema_, type(model).__name__, seed
        self.frame = open_frame(X, self.kind) if is_frame(X) else None
        if self.schema.table is not None and not isinstance(X, EncodedRows):
            cells = X if self.frame is not None or isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
            X = self.schema.table.encode(cells, self.kind)  # numbers of the columns that the model sees
        is_kept = hasattr(X, "iloc") or isinstance(X, EncodedRows)
        self.inspection = Inspection(model, X if is_kept else as_array(X, self.kind))
        self.view = TableView(self.inspection) if self.schema.kind == "table" else None
        self.rows = self.inspection.rows.numpy()
        self.y = self.inspection.y = (
            None if y is None else content.map_labels(y, len(self.rows), "a page about a model")
        )
        self.label, self.is_image = label, self.schema.kind == "image"
        self.plots = Plots(model, style.detached_axes)

    @property
    def noun(self) -> str:
        """Word for an example."""
        return "picture" if self.is_image else "row"

    @property
    def reconstructions(self) -> np.ndarray:
        """The examples encoded and decoded, on the model's scale: n x `schema.shape`."""
        return self.inspection.reconstructions.numpy()

    @property
    def outlier_share(self) -> OutlierShare:
        """The share of outliers among the examples: expected and found."""
        is_outlier = self.inspection.outlier_scores < self.model.offset_
        return outlier_share(self.model.contamination, is_outlier, getattr(self.model, "n_threshold_", None))

    @functools.cached_property
    def limits(self) -> tuple[float, float]:
        """Values that are drawn black and white."""
        return content.pixel_limits(self.schema, self.rows)

    @functools.cached_property
    def decoder(self) -> dict[str, Any] | None:
        """The decoder for the page's script, None if the script cannot compute it."""
        return pack_decoder(self.model, self.limits if self.is_image else (0.0, 1.0))

    @property
    def decoder_name(self) -> str:
        """Name by which sections find the decoder on the page."""
        return f"decoder-{self.kind.lower()}"

    def pictures(self, rows: np.ndarray) -> np.ndarray:
        """Return images on the model's scale as values in [0, 1]: n x h x w, or n x h x w x 3."""
        low, high = self.limits
        return ((content.as_pictures(rows) - low) / (high - low)).clip(0, 1)

    @functools.cached_property
    def groups(self) -> Groups:
        """Groups by label; without labels, by how unusual the model finds an example."""
        if self.label_position is not None:
            assert self.view is not None
            return _column_groups(self.view, self.label_position)
        if self.y is None:
            return _steps(-self.inspection.scores, "surprise in nats")
        classes = content.label_classes(self.y, _MOST_CLASSES)
        if classes is None:
            return _steps(self.y.astype(float), self.label)
        names = [format_label(label) for label in classes]
        numbers = np.full(len(self.y), len(classes))
        for i, label in enumerate(classes):
            numbers[self.y == label] = i
        if (numbers == len(classes)).any():
            names.append("other")
        return Groups(names, numbers, False, self.label)

    def row_name(self, row: int) -> str:
        """Return the label of an example in the user's index, or its number."""
        index = None if self.frame is None else self.frame.index
        return str(row if index is None else index[row])

    @functools.cached_property
    def colourings(self) -> list[Groups]:
        """Groups for the colours of a map: `groups`, and one for each main column of a table."""
        view = self.view
        if view is None:
            return [self.groups]
        return [self.groups, *(_column_groups(view, j) for j in view.main if j != self.label_position)]

    @property
    def label_position(self) -> int | None:
        """Position of the table's column that the labels are; None for other labels."""
        is_column = self.y is not None and self.view is not None and self.label in self.view.names
        return self.view.names.index(self.label) if self.view is not None and is_column else None

    def value(self, row: int, entry: int) -> str:
        """Return an entry of an example in the user's units, as text."""
        return _text(self._cells[row, entry])

    @functools.cached_property
    def _cells(self) -> np.ndarray:
        cells = np.asarray(self.inspection.X).reshape(len(self.rows), -1)
        return cells if cells.shape[1] == self.schema.n_entries else self.rows.reshape(len(self.rows), -1)

    @functools.cached_property
    def _expected_cells(self) -> np.ndarray:
        if np.asarray(self.inspection.X[:1]).size != self.schema.n_entries:
            return self.reconstructions.reshape(len(self.rows), -1)
        return self.schema.restore(torch.from_numpy(self.reconstructions)).reshape(len(self.rows), -1)

    def reasons(self, row: int, n: int = 3) -> list[str]:
        """Return a sentence for each entry in which an example is stranger than others, the strangest first."""
        if self.view is not None:
            return [_sentence(reason) for reason in self.view.reasons(row, n)]
        names, errors = content.entry_names(self.schema), self.inspection.relative_errors[row]
        strangest = [int(i) for i in np.argsort(-np.nan_to_num(errors), kind="stable")[:n] if errors[i] > 1]
        label = "" if self.schema.columns else "column "
        return [
            f"{label}{names[i]} is {self.value(row, i)}, but {_text(self._expected_cells[row, i])} was expected: "
            f"{format_number(errors[i])} times the usual squared error"
            for i in strangest
        ]

    def unusual(self, rows: np.ndarray, n: int = 5) -> list[list[str]]:
        """Return for each of `rows` the columns in which it is farthest from the mean, with their values."""
        if self.view is not None:
            return [_unusual_cells(self.view, row, n) for row in rows]
        flat = self.rows.reshape(len(self.rows), -1)
        names = content.entry_names(self.schema)
        distance = np.abs(np.nan_to_num((flat - np.nanmean(flat, 0)) / np.maximum(np.nanstd(flat, 0), 1e-12)))
        n = min(n, len(names))
        return [
            [f"{names[i]} {self.value(row, i)}" for i in np.argsort(-distance[row], kind="stable")[:n]] for row in rows
        ]

    @property
    def has_many_columns(self) -> bool:
        """True if vectors are drawn as lines."""
        return self.schema.kind == "vector" and self.schema.n_entries > MOST_BARS


def _steps(values: np.ndarray, title: str) -> Groups:
    """Group values into steps with about the same number of examples."""
    finite = np.nan_to_num(values, nan=float(np.nanmedian(values)))
    edges = np.unique(np.quantile(finite, np.linspace(0, 1, _STEPS + 1)))
    numbers = np.clip(np.searchsorted(edges, finite, side="right") - 1, 0, max(len(edges) - 2, 0))
    names = [f"{format_number(a)} to {format_number(b)}" for a, b in itertools.pairwise(edges)] or [
        format_number(edges[0])
    ]
    return Groups(names, numbers, True, title)


def _unusual_cells(view: TableView, row: int, n: int) -> list[str]:
    order = np.argsort(-view.rarity[row], kind="stable")[:n].tolist()
    return [f"{view.names[j]} {view.text(j, view.cells[row, j])}" for j in order]


def _sentence(reason: Reason) -> str:
    chance = "" if reason.chance is None else f" (probability {percent(reason.chance)})"
    return (
        f"{reason.column} is {reason.cell}{chance}, but {reason.expected} was expected: "
        f"{format_number(reason.excess)} nats more than usual"
    )


def percent(share: float) -> str:
    """Return a share in [0, 1] in percent, for people."""
    return "under 0.1%" if 0 < share < 0.001 else f"{share:.1%}" if share < 0.1 else f"{share:.0%}"


def _column_groups(view: TableView, j: int) -> Groups:
    """Return groups by the cells of a column: levels, or steps of numbers and dates; the last one without a value."""
    column, cells = view.columns[j], view.cells[:, j]
    is_missing = np.isnan(cells)
    numbers = np.zeros(len(cells), dtype=int)
    names: list[str] = []
    observed = cells[~is_missing]
    is_ordered = column.kind == "ordered" and column.n_levels <= _STEPS
    if column.has_levels:
        levels, counts = np.unique(observed.astype(int), return_counts=True)
        kept = sorted(levels[np.argsort(-counts, kind="stable")[:_MOST_CLASSES]].tolist())
        names = [format_level(column, level) for level in kept]
        if len(kept) < len(levels):
            names.append(counted(len(levels) - len(kept), "rarer level"))
        positions = {level: i for i, level in enumerate(kept)}
        numbers[~is_missing] = [positions.get(int(level), len(kept)) for level in observed]
    elif len(observed):
        is_ordered, edges = True, np.unique(np.quantile(observed, np.linspace(0, 1, _STEPS + 1)))
        numbers[~is_missing] = np.clip(np.searchsorted(edges, observed, side="right") - 1, 0, max(len(edges) - 2, 0))
        ends = [format_cell(column, edge) for edge in edges]
        names = [f"{a} to {b}" for a, b in itertools.pairwise(ends)] or ends
    if is_missing.any():
        numbers[is_missing] = len(names)
        names.append("missing")
    return Groups(names, numbers, is_ordered, str(column.name), bool(is_missing.any()))


def _text(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return format_number(float(value)) if abs(float(value)) < 1e6 else f"{value:.4g}"
    return str(value)
