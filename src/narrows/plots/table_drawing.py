"""The parts of pictures of tables, drawn on axes of matplotlib: cells as text, and the values of each column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.data import Column
from narrows.plots import style
from narrows.plots.cells import format_level, format_value
from narrows.plots.drawing import add_legend

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_LONGEST = 20  # letters of a name or a cell in a picture
_BINS = 24
_MOST_LEVELS = 6  # levels that are drawn one by one; the rest is one bar
_HEIGHT = 0.38  # height of a histogram, as a share of the distance between two columns


class Cell(NamedTuple):
    """A cell of a picture.

    Attributes
    ----------
    text : what it shows.
    mark : "wrong" for a level or number that is not the original, "gap" for a missing cell and what fills it.
    """

    text: str
    mark: str = ""


def shorten(text: str, most: int = _LONGEST) -> str:
    """Return text of at most `most` letters, on one line."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1] + "\N{HORIZONTAL ELLIPSIS}"


def draw_cells(
    ax: Axes, names: Sequence[str], blocks: Sequence[tuple[str, Sequence[tuple[str, Sequence[Cell]]]]]
) -> None:
    """Draw cells as text: a line for each column of the table.

    Parameters
    ----------
    names : names of the columns.
    blocks : for each row of the table its heading, and its versions: heading and cells, one for each name.
    """
    style.style_axes(ax, grid=None)
    ax.spines["bottom"].set_visible(False)
    ax.set_xticks([])
    n_versions = sum(len(versions) for _, versions in blocks)
    ax.set_xlim(0, 1.3 + n_versions + 0.15 * (len(blocks) - 1))
    ax.set_ylim(-len(names) + 0.4, 1.9)
    ax.set_yticks([])
    shape: dict[str, Any] = {"fontsize": style.TEXT, "va": "center", "parse_math": False, "in_layout": False}
    for i, name in enumerate(names):
        ax.text(0, -i, shorten(name, 24), color=style.SOFT, ha="left", **shape)
        ax.axhline(-i - 0.5, color=style.LINE, linewidth=0.6)
    at = 1.3
    for heading, versions in blocks:
        ax.text(at + 0.05, 1.45, heading, color=style.INK, ha="left", **shape)
        for title, cells in versions:
            ax.text(at + 0.95, 0.75, title, color=style.SOFT, ha="right", **shape)
            for i, cell in enumerate(cells):
                colour = {"wrong": style.SECOND, "gap": style.SOFT}.get(cell.mark, style.INK)
                slant = "italic" if cell.mark == "gap" else "normal"
                weight = "bold" if cell.mark == "wrong" else "normal"
                text = shorten(cell.text, 16)
                ax.text(at + 0.95, -i, text, color=colour, style=slant, weight=weight, ha="right", **shape)
            at += 1
        at += 0.15


def draw_values(ax: Axes, columns: Sequence[Column], groups: Sequence[tuple[str, np.ndarray]]) -> None:
    """Draw the values of each column: a histogram of numbers, the shares of levels.

    Parameters
    ----------
    columns : the columns, one lane each.
    groups : name and cells (rows x columns) of one or two groups; the first is above the line, the second below it.
    """
    from matplotlib.lines import Line2D

    shape: dict[str, Any] = {"fontsize": style.TEXT - 1.5, "color": style.SOFT, "parse_math": False}
    for i, column in enumerate(columns):
        draw = _draw_levels if column.has_levels else _draw_numbers
        low, high = draw(ax, -float(i), column, [cells[:, i] for _, cells in groups])
        ax.axhline(-float(i), color=style.LINE, linewidth=0.8, zorder=1)
        ax.text(-0.012, -i, low, ha="right", va="center", **shape)
        ax.text(1.012, -i, high, ha="left", va="center", **shape)
    style.style_axes(ax, grid=None)
    ax.spines["bottom"].set_visible(False)
    ax.set_xlim(-0.13, 1.13)
    ax.set_ylim(-len(columns) + 0.5, 0.6)
    ax.set_xticks([])
    ax.set_yticks([-float(i) for i in range(len(columns))], [shorten(str(c.name), 24) for c in columns])
    for label in ax.get_yticklabels():
        label.set_parse_math(False)
    kinds = {
        f"{name}, {'above' if k == 0 else 'below'}": Line2D([], [], color=(style.FIRST, style.SECOND)[k], linewidth=5)
        for k, (name, _) in enumerate(groups)
    }
    add_legend(ax, kinds)


def _draw_numbers(ax: Axes, base: float, column: Column, groups: Sequence[np.ndarray]) -> tuple[str, str]:
    """Draw histograms over the range of most values, and return the texts for its ends."""
    observed = [values[~np.isnan(values)] for values in groups]
    values = observed[-1] if len(observed[-1]) else np.array([column.low, column.high])
    low, high = (float(q) for q in np.quantile(values, (0.005, 0.995)))
    if not high > low:
        low, high = column.low, max(column.high, column.low + 1e-9)
    whole = column.step >= 1 and column.kind in ("integer", "count") and high - low < _BINS
    edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1) if whole else np.linspace(low, high, _BINS + 1)
    counts = [np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] / max(len(v), 1) for v in observed]
    most = max(float(count.max(initial=0)) for count in counts) or 1.0
    x, width = (edges[:-1] - edges[0]) / (edges[-1] - edges[0]), 1 / (len(edges) - 1)
    for k, count in enumerate(counts):
        heights = (1 if k == 0 else -1) * _HEIGHT * count / most
        ax.bar(x, heights, width * 0.92, base, align="edge", color=(style.FIRST, style.SECOND)[k], linewidth=0)
    return format_value(column, low), format_value(column, high)


def _draw_levels(ax: Axes, base: float, column: Column, groups: Sequence[np.ndarray]) -> tuple[str, str]:
    """Draw the shares of the most frequent levels from left to right, with their names."""
    order = np.argsort(-np.asarray(column.frequencies), kind="stable")[:_MOST_LEVELS].tolist()
    if column.kind == "ordered":
        order = sorted(order)
    counts = [_shares(values, order) for values in groups]
    most = max(float(count.max(initial=0)) for count in counts) or 1.0
    names = [format_level(column, level) for level in order] + (["the rest"] if column.n_levels > len(order) else [])
    width = 1 / len(names)
    x = np.arange(len(names)) * width
    for k, count in enumerate(counts):
        heights = (1 if k == 0 else -1) * _HEIGHT * count[: len(names)] / most
        ax.bar(
            x, heights, width * 0.92, base, align="edge", color=(style.FIRST, style.SECOND)[k], alpha=0.55, linewidth=0
        )
    letters = max(3, 78 // len(names))
    for left, name in zip(x, names, strict=True):
        ax.text(
            left + 0.006,
            base + 0.03,
            shorten(name, letters),
            fontsize=style.TEXT - 1.5,
            va="bottom",
            color=style.INK,
            parse_math=False,
        )
    return "", ""


def _shares(values: np.ndarray, levels: Sequence[int]) -> np.ndarray:
    """Return the share of each of `levels` among the observed values, followed by that of all others."""
    observed = values[~np.isnan(values)]
    shares = [float((observed == level).mean()) if len(observed) else 0.0 for level in levels]
    return np.array([*shares, max(0.0, 1 - sum(shares)) if len(observed) else 0.0])
