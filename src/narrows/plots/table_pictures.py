"""Pictures of a fitted model of a table, for `narrows.plots.Plots`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from narrows.evaluation.inspection import Inspection
from narrows.plots import content, drawing, table_drawing
from narrows.plots.table_drawing import Cell
from narrows.plots.tables import MOST_COLUMNS, TableView

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_NUMBER_SPAN = 3.0  # standard deviations that are as high as a probability of 1
NewAxes = Callable[[float, float], "Axes"]


def reconstructions(view: TableView, heads: tuple[str, ...], new_axes: NewAxes) -> Axes:
    """Draw a row with the smallest, a typical and the largest cost beside their reconstructions, cell by cell."""
    index, main = content.best_typical_worst(view.row_costs, 1).tolist(), view.main
    blocks = []
    for head, row in zip(heads, index, strict=False):
        heading = f"{head}, {drawing.format_number(view.row_costs[row])} nats per column"
        original, rebuilt = compared_cells(view, row, main)
        blocks.append((heading, [("original", original), ("reconstructed", rebuilt)]))
    ax = new_axes(1.8 + 1.25 * 2 * len(blocks), 0.5 + 0.23 * (len(main) + 3))
    table_drawing.draw_cells(ax, [view.names[j] for j in main], blocks)
    if view.choice(main):
        ax.set_xlabel(view.choice(main), loc="left")
    return ax


def compared_cells(view: TableView, row: int, columns: list[int]) -> tuple[list[Cell], list[Cell]]:
    """Return the cells of a row, and their reconstructions with marks."""
    original, rebuilt = [], []
    for j in columns:
        cell, expected = view.cells[row, j], view.expected[row, j]
        gap = "gap" if np.isnan(cell) else ""
        original.append(Cell(view.text(j, cell), gap))
        rebuilt.append(Cell(view.text(j, expected), gap or ("wrong" if view.is_wrong[row, j] else "")))
    return original, rebuilt


def dials(view: TableView, x: Any, n_dials: int, n_steps: int, span: float, new_axes: NewAxes) -> Axes:
    """Draw what each dial changes: bars above the columns, those that move most first.

    Parameters
    ----------
    x : one prepared row (1 x d), or None.
    """
    components, labels = content.dial_labels(Inspection(view.model), n_dials)
    values = view.values(view.turn(x, components, n_steps, span))
    changes = values - values[:, n_steps // 2][:, None]
    kept = view.moving(changes[:, [0, -1]])
    low, high = f"turned to \N{MINUS SIGN}{span:g}", f"turned to {span:g}"
    lanes = [
        (label, [(high, on_one_scale(view, change[-1], kept)), (low, on_one_scale(view, change[0], kept))])
        for label, change in zip(labels, changes, strict=True)
    ]
    return _draw_effects(view, lanes, kept, new_axes, "difference from the middle", 0.8)


def units(view: TableView, n_units: int, new_axes: NewAxes) -> Axes:
    """Draw what the busiest units of a sparse code change, each at its usual strength."""
    units = view.inspection.units
    shown = units.order[:n_units].tolist()
    changes = unit_changes(view, shown)
    kept = view.moving(changes)
    lanes = [
        (f"unit {unit}, {units.rate[unit]:.1%}", [("adds", on_one_scale(view, change, kept))])
        for unit, change in zip(shown, changes, strict=True)
    ]
    return _draw_effects(view, lanes, kept, new_axes, "difference from no unit", 0.6)


def unit_changes(view: TableView, units: list[int]) -> np.ndarray:
    """Return how the terms change when a unit alone fires with its mean strength: units x terms."""
    strength = view.inspection.units.strength
    codes = np.zeros((len(units) + 1, len(strength)))
    for i, unit in enumerate(units, 1):
        codes[i, unit] = strength[unit] or 1.0
    network = view.model.module()
    values = view.values(view.decode(torch.from_numpy(codes).to(next(network.parameters()))))
    return values[1:] - values[0]


def samples(columns: list[int], view: TableView, groups: list[tuple[str, np.ndarray]], new_axes: NewAxes) -> Axes:
    """Draw the values of each column, of new rows and of real ones."""
    ax = new_axes(8.6, 0.5 + 0.52 * len(columns))
    parts = [(name, cells[:, columns]) for name, cells in groups]
    table_drawing.draw_values(ax, [view.columns[j] for j in columns], parts)
    return ax


def shown_columns(view: TableView) -> list[int]:
    """Return the columns to show where no row tells which ones the model reconstructs best: the first ones."""
    return list(range(min(MOST_COLUMNS, len(view.columns))))


def on_one_scale(view: TableView, change: np.ndarray, kept: list[int]) -> np.ndarray:
    """Return changes as shares of the full height: 3 standard deviations, or a probability of 1."""
    scale = np.array([1.0 if view.terms[i].level is not None else _NUMBER_SPAN for i in kept])
    return np.clip(change[kept] / scale, -1, 1)


def _draw_effects(
    view: TableView, lanes: list[Any], kept: list[int], new_axes: NewAxes, what: str, height: float
) -> Axes:
    names = [view.term_name(view.terms[i]) for i in kept]
    width = float(np.clip(0.42 * len(names) + 2, 6, 10))
    ax = new_axes(width, height * len(lanes) + 0.4 + drawing.inches_below(names))
    drawing.draw_lanes(ax, lanes, names, "", reach=1.0)
    ax.set_xlabel(f"{what}; full height: {_NUMBER_SPAN:g} standard deviations, or a probability of 1", fontsize=8)
    return ax
