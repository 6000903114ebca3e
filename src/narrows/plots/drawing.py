"""The parts of pictures, drawn on axes of matplotlib: rows of images, lanes of vectors, points of a map, curves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.plots import sheets, style

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_BARS = 48  # columns drawn as bars with names; more columns are drawn as a line
_GAP = 0.12  # space between images, as a share of an image's width
_LANE = 0.42  # height of the largest value, as a share of the distance between two lanes


def draw_images(
    ax: Axes,
    rows: Sequence[tuple[str, np.ndarray]],
    heads: Sequence[tuple[float, str]] = (),
    limits: tuple[float, float] | None = None,
    breaks: Sequence[int] = (),
) -> None:
    """Draw rows of images, with a label to the left of each row.

    Parameters
    ----------
    rows : (label, images), the images n x h x w or n x h x w x channels; bytes with four channels are taken as RGBA.
    heads : (column, text) to write above the images.
    limits : values that become black and white; None takes them from the images, as `sheets.as_bytes` does.
    breaks : columns that have a wider gap before them.
    """
    pasted = [as_rgba(row, limits) for _, row in rows]
    height, width = pasted[0].shape[1:3]
    gap = max(1, round(_GAP * width))
    lefts = [gap * sum(3 for b in breaks if b <= j) + j * (width + gap) for j in range(max(map(len, pasted)))]
    canvas = np.zeros((len(rows) * (height + gap) - gap, lefts[-1] + width, 4), np.uint8)
    for i, row in enumerate(pasted):
        for left, image in zip(lefts, row, strict=False):
            canvas[i * (height + gap) :, left:][:height, :width] = image
    ax.imshow(canvas, interpolation="nearest", aspect="equal")
    style.style_axes(ax, grid=None)
    ax.spines["bottom"].set_visible(False)
    ax.set_yticks([i * (height + gap) + height / 2 - 0.5 for i in range(len(rows))], [name for name, _ in rows])
    ax.set_xticks([])
    for column, head in heads:
        ax.text(lefts[int(column)], -gap, head, ha="left", va="bottom", fontsize=style.TEXT, color=style.SOFT)


def draw_lanes(
    ax: Axes,
    rows: Sequence[tuple[str, Sequence[tuple[str, np.ndarray]]]],
    names: Sequence[str],
    unit: str,
    reach: float | None = None,
) -> None:
    """Draw vectors in lanes, one below the other, which share the columns and the scale.

    Parameters
    ----------
    rows : the label of each lane and up to two series by name, vectors with a value for each column. The first
        series is drawn as bars, the second as short strokes; with more than `MOST_BARS` columns both are lines.
    names : names of the columns.
    unit : unit of the values, for the axis.
    reach : value that has the full height; None for the largest one.
    """
    from matplotlib.lines import Line2D

    every = np.concatenate([np.ravel(values) for _, series in rows for _, values in series])
    reach = reach or float(np.nanmax(np.abs(every), initial=0)) or 1.0
    x = np.arange(len(names))
    bars = len(names) <= MOST_BARS
    kinds: dict[str, Line2D] = {}
    for i, (_, series) in enumerate(rows):
        base = -float(i)
        ax.axhline(base, color=style.LINE, linewidth=0.8, zorder=1)
        for number, (name, values) in enumerate(series):
            heights = _LANE * np.asarray(values, dtype=float) / reach
            colour = (style.FIRST, style.SECOND)[number]
            shape: dict[str, Any] = {"color": colour, "linewidth": 1.2 if number == 0 else 1.0}
            if bars and number == 0:
                ax.bar(x, heights, 0.7, base, color=style.FIRST, alpha=0.55, linewidth=0)
                shape = {"color": style.FIRST, "linewidth": 6, "alpha": 0.55}
            elif bars:
                ax.hlines(base + heights, x - 0.42, x + 0.42, color=colour, linewidth=1.8)
            else:
                ax.plot(x, base + heights, linestyle="-" if number == 0 else "--", **shape)
            kinds.setdefault(name, Line2D([], [], **shape))
    style.style_axes(ax, x=f"full height: {reach:.3g} {unit}", grid=None)
    ax.set_yticks([-float(i) for i in range(len(rows))], [label for label, _ in rows])
    ax.set_ylim(-len(rows) + 0.5, 0.55)
    ax.set_xlim(-0.7, len(names) - 0.3)
    label_columns(ax, names)
    if len(kinds) > 1:
        add_legend(ax, kinds)


def label_columns(ax: Axes, names: Sequence[str]) -> None:
    """Write the names of columns at the bottom, vertically if they are long; many columns have numbers instead."""
    if len(names) > MOST_BARS:
        ax.set_xlabel("; ".join(label for label in ("columns by number", ax.get_xlabel()) if label))
    else:
        ax.set_xticks(range(len(names)), _short(names), rotation=90 if _is_vertical(names) else 0)
        for label in ax.get_xticklabels():
            label.set_parse_math(False)  # a name such as "$x$" is no formula


def inches_below(names: Sequence[str]) -> float:
    """Return the height, in inches, that the names of columns need."""
    return 0.085 * max(map(len, _short(names))) if _is_vertical(names) else 0.2


def _is_vertical(names: Sequence[str]) -> bool:
    return len(names) <= MOST_BARS and len(names) * max(map(len, _short(names)), default=0) > 70


def _short(names: Sequence[str]) -> list[str]:
    return [name if len(name) <= 22 else name[:21] + "\N{HORIZONTAL ELLIPSIS}" for name in names]


def add_legend(ax: Axes, kinds: Mapping[str, Any]) -> None:
    """Write a legend above the axes, to the right."""
    ax.legend(
        list(kinds.values()),
        list(kinds),
        loc="lower right",
        bbox_to_anchor=(1, 1),
        ncols=min(len(kinds), 5),
        frameon=False,
        fontsize=style.TEXT,
        labelcolor=style.SOFT,
        borderaxespad=0.1,
        handlelength=1.2,
        columnspacing=1.2,
    )


def draw_curves(ax: Axes, lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], x: str, y: str) -> None:
    """Draw lines, with their names and last values at their ends.

    Parameters
    ----------
    lines : x and y of each line, by name; at least one value each.
    x, y : labels of the axes.
    """
    ys = np.concatenate([np.asarray(line[1], dtype=float) for line in lines.values()])
    # cut off at a quantile: the first few losses are so high that the rest would look flat
    low, high = float(np.nanmin(ys)), float(np.nanquantile(ys, 0.97))
    room = 0.06 * max(high - low, 1e-9)
    limits = low - room, max(high, low + 1e-9) + room
    style.style_axes(ax, x=x, y=y)
    ax.set_ylim(*limits)
    ends = space_apart(
        [float(np.clip(line[1][-1], *limits)) for line in lines.values()], 0.07 * (limits[1] - limits[0])
    )
    for i, (name, (xs, values)) in enumerate(lines.items()):
        colour = (style.FIRST, style.SECOND)[i % 2]
        ax.plot(xs, np.clip(values, None, limits[1]), color=colour, linewidth=1.8, linestyle=("-", "--")[i % 2])
        ax.annotate(
            f"{name} {format_number(values[-1])}",
            (xs[-1], ends[i]),
            (6, 0),
            textcoords="offset points",
            va="center",
            color=colour,
            fontsize=style.TEXT,
            annotation_clip=False,
        )
    ax.set_xlim(0, max(max(line[0]) for line in lines.values()))


def draw_points(ax: Axes, xy: np.ndarray, y: np.ndarray | None, classes: Sequence[object] | None) -> None:
    """Draw points on a map: in one colour, by class, or by value.

    Parameters
    ----------
    xy : points, n x 2.
    y : n labels or values; None draws all points in one colour.
    classes : labels that have a colour and a marker; other labels are drawn as "other". None draws y as values.
    """
    size = float(np.clip(9000 / max(len(xy), 1), 5, 28))
    shape: dict[str, Any] = {"s": size, "linewidths": 0, "alpha": 0.8}
    if y is None:
        ax.scatter(*xy.T, color=style.FIRST, **shape)
    elif classes is None:
        drawn = ax.scatter(xy[:, 0], xy[:, 1], c=y.astype(float), cmap=style.SEQUENCE, **shape)
        bar = ax.figure.colorbar(drawn, ax=ax, shrink=0.8, pad=0.02)
        bar.outline.set_visible(False)
        bar.ax.tick_params(labelsize=style.TEXT, labelcolor=style.SOFT, length=0)
    else:
        kinds: dict[str, Any] = {}
        for label, (colour, marker) in style.class_styles(classes).items():
            kinds[format_label(label)] = ax.scatter(*xy[y == label].T, color=colour, marker=marker, **shape)
        rest = ~np.isin(y, np.asarray(classes))
        if rest.any():
            kinds["other"] = ax.scatter(*xy[rest].T, color=style.LINE, zorder=0, **shape)
        add_legend(ax, kinds)
    ax.set_aspect("equal", "datalim")


def draw_ranges(ax: Axes, groups: Mapping[str, np.ndarray], names: Sequence[str], unit: str) -> None:
    """Draw the range of each column's values: thin from the 5th to the 95th percentile, thick for the middle half.

    Parameters
    ----------
    groups : examples by name (each n x columns), drawn side by side; two at most.
    names : names of the columns.
    unit : unit of the values, for the axis.
    """
    from matplotlib.lines import Line2D

    kinds: dict[str, Line2D] = {}
    x = np.arange(len(names))
    for i, (name, rows) in enumerate(groups.items()):
        quantiles = np.nanquantile(rows.reshape(len(rows), -1), [0.05, 0.25, 0.5, 0.75, 0.95], 0)
        low, first_quartile, median, third_quartile, high = quantiles
        colour, at = (style.FIRST, style.SECOND)[i], x + (i - (len(groups) - 1) / 2) * 0.34
        if len(names) <= MOST_BARS:
            ax.vlines(at, low, high, color=colour, linewidth=1)
            ax.vlines(at, first_quartile, third_quartile, color=colour, linewidth=4)
            ax.plot(at, median, color=style.LIGHT["raised"], marker="_", markersize=4, linestyle="none")
        else:
            ax.fill_between(x, first_quartile, third_quartile, color=colour, alpha=0.25, linewidth=0)
            for edge in (low, median, high):
                ax.plot(x, edge, color=colour, linewidth=1, linestyle=("-", "--")[i])
        kinds[name] = Line2D([], [], color=colour, linewidth=4)
    style.style_axes(ax, y=unit)
    ax.set_xlim(-0.7, len(names) - 0.3)
    label_columns(ax, names)
    add_legend(ax, kinds)


def space_apart(heights: Sequence[float], distance: float) -> list[float]:
    """Move `heights` up, from the lowest on, until any two are at least `distance` apart.

    >>> space_apart([1.0, 0.5, 5.0], 1.0)
    [1.5, 0.5, 5.0]
    """
    order = np.argsort(heights, kind="stable")
    moved = [0.0] * len(heights)
    last = -np.inf
    for i in order:
        last = max(heights[i], last + distance)
        moved[i] = float(last)
    return moved


def format_number(value: float) -> str:
    """Format a number for people: three digits, and a real minus sign.

    >>> format_number(-35.17)
    '−35.2'
    """
    if not np.isfinite(value):
        return str(value)
    digits = max(0, 2 - int(np.floor(np.log10(abs(value))))) if value else 0
    formatted = f"{value:.{min(digits, 4)}f}"
    if digits and "." in formatted:
        formatted = formatted.rstrip("0").rstrip(".")
    return formatted.replace("-", "\N{MINUS SIGN}")


def format_label(label: object) -> str:
    """Format a label as people write it: 3.0 as 3."""
    return f"{label:g}" if isinstance(label, float) else str(label)


def as_rgba(row: np.ndarray, limits: tuple[float, float] | None) -> np.ndarray:
    """Return images as RGBA bytes, n x h x w x 4; RGBA bytes are returned unchanged."""
    if row.dtype == np.uint8 and row.ndim == 4 and row.shape[-1] == 4:
        return row
    rgb = sheets.as_rgb(sheets.as_bytes(row, limits))
    return np.concatenate([rgb, np.full_like(rgb[..., :1], 255)], axis=-1)
