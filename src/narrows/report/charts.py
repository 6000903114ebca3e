"""Charts as SVG, drawn by hand: a few lines each, in the page's own colours, light or dark."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from narrows.report.page import text

_WIDTH, _HEIGHT = 360, 210  # of a chart of curves, in units of its view box
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 96, 22, 30


def curves(lines: Mapping[str, tuple[Sequence[float], Sequence[float]]], label: str, x_label: str, y_label: str) -> str:
    """Lines with their names at their ends.

    Parameters
    ----------
    lines : by name, the x and the y of each; the first name is drawn strongest.
    label : what the chart shows, read out.
    """
    xs, ys = (np.concatenate([np.asarray(line[i], dtype=float) for line in lines.values()]) for i in (0, 1))
    # the first few looks are far off, and would press all that follows flat
    low, high = float(ys.min()), float(np.quantile(ys, 0.97))
    ticks = nice_ticks(low, max(high, low + 1e-6))
    low, high = min(low, ticks[0]), max(high, ticks[-1])
    end = max(float(xs.max()), 1.0)

    def across(x: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * x / end

    def up(y: float) -> float:
        return _HEIGHT - _BOTTOM - (_HEIGHT - _TOP - _BOTTOM) * (min(y, high) - low) / (high - low)

    parts = []
    for tick in ticks:
        parts.append(
            f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{up(tick):.1f}" y2="{up(tick):.1f}"/>'
            f'<text class="tick" x="{_LEFT - 7}" y="{up(tick) + 4:.1f}" text-anchor="end">{number(tick)}</text>'
        )
    parts.append(
        f'<text class="tick" x="{_LEFT}" y="{_HEIGHT - 10}">0</text>'
        f'<text class="tick" x="{_WIDTH - _RIGHT}" y="{_HEIGHT - 10}" text-anchor="end">{end:g} {text(x_label)}</text>'
        f'<text class="tick" x="0" y="10">{text(y_label)}</text>'
    )
    heights = _apart([up(float(line[1][-1])) for line in lines.values()], 14)
    for i, ((name, (x, y)), height) in enumerate(zip(lines.items(), heights, strict=True)):
        points = " ".join(f"{across(float(a)):.1f},{up(float(b)):.1f}" for a, b in zip(x, y, strict=True))
        parts.append(
            f'<polyline class="curve c{i}" points="{points}"/>'
            f'<text class="end c{i}" x="{across(float(x[-1])) + 6:.1f}" y="{height + 4:.1f}">'
            f"{text(name)} {number(float(y[-1]))}</text>"
        )
    return (
        f'<svg class="chart" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" height="{_HEIGHT}" role="img" '
        f'aria-label="{text(label)}">{"".join(parts)}</svg>'
    )


def channel(n_lines: int = 33) -> str:
    """Water through narrows: lines that come from the left, pass a narrow place together, and spread again."""
    width, height, narrow = 1000.0, 200.0, 16.0
    middle = height / 2
    paths = []
    for i in range(n_lines):
        t = 2 * i / (n_lines - 1) - 1
        wide, tight = middle + t * (middle - 2), middle + t * narrow / 2
        near, far = width * 0.40, width * 0.60
        paths.append(
            f'<path d="M0 {wide:.1f} C{width * 0.24:.0f} {wide:.1f} {width * 0.26:.0f} {tight:.1f} {near:.0f} '
            f"{tight:.1f} L{far:.0f} {tight:.1f} C{width * 0.74:.0f} {tight:.1f} {width * 0.76:.0f} {wide:.1f} "
            f'{width:.0f} {wide:.1f}" pathLength="1"/>'
        )
    return (
        f'<svg class="channel" viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(paths)}</svg>"
    )


def nice_ticks(low: float, high: float, about: int = 4) -> list[float]:
    """Round numbers from at most `low` to at most `high`.

    >>> nice_ticks(-41.0, 3.0)
    [-40.0, -20.0, 0.0]
    """
    step = 10.0 ** math.floor(math.log10((high - low) / about))
    step *= next(m for m in (1, 2, 5, 10) if (high - low) / (m * step) <= about)
    return [round(i * step, 10) for i in range(math.ceil(low / step), math.floor(high / step) + 1)]


def number(value: float) -> str:
    """A number for people: three digits, and a real minus sign."""
    digits = max(0, 2 - math.floor(math.log10(abs(value)))) if value else 0
    words = f"{value:.{min(digits, 4)}f}"
    if digits and "." in words:
        words = words.rstrip("0").rstrip(".")
    return words.replace("-", "\N{MINUS SIGN}")


def _apart(heights: list[float], distance: float) -> list[float]:
    """`heights` moved, in order, until no two are nearer than `distance`."""
    order = np.argsort(heights, kind="stable")
    moved = [heights[i] for i in order]
    for i in range(1, len(moved)):
        moved[i] = max(moved[i], moved[i - 1] + distance)
    back = [0.0] * len(moved)
    for place, i in enumerate(order):
        back[i] = moved[place]
    return back
