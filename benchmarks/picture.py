"""Draw the picture of speed from the results of the benchmarks: times faster than each peer.

    python benchmarks/picture.py

Each file in results/ with "times_faster" (a number for each peer) gives a bar for each peer, and another one for a
compiled step if that was measured. A bar's length is the ratio of medians; 1 is the peer itself. If narrows' loss was
worse than the peer's ("loss_as_good"), the bar is empty and says so: such a time does not count.
"""

from __future__ import annotations

import json
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.pyplot as plt
from common import RESULTS
from matplotlib.axes import Axes

PICTURE = Path(__file__).parents[1] / "docs" / "speed.png"
_WIDTH_INCHES, _DPI = 10, 140
# Okabe and Ito's palette, for every kind of colour vision
_COLOURS = {"cpu": "#0072B2", "cuda": "#D55E00"}
_PLACES = {"cpu": "CPU", "cuda": "GPU"}
_GREY = "#444444"


class Bar(NamedTuple):
    """A bar: the work, the peer, the place, the times faster, and True if the loss was as good."""

    label: str
    peer: str
    place: str
    times: float
    as_good: bool


def make_bars(results: list[dict[str, Any]]) -> list[Bar]:
    """Return a bar for each peer of each result, those of one place together, the longest first."""
    all_bars = [
        Bar(
            result["label"] + kind.replace("_", ", "),
            peer,
            result["device"],
            times,
            result.get(f"loss_as_good{kind}", {}).get(peer, True),
        )
        for result in results
        for kind in ("", "_compiled")
        for peer, times in result.get(f"times_faster{kind}", {}).items()
    ]
    return sorted(all_bars, key=lambda bar: (bar.place, -bar.times))


def draw(drawn: list[Bar], machine: dict[str, Any]) -> None:
    """Write `PICTURE`: a panel for each place, because a GPU's ratios would dwarf a CPU's."""
    plt.rcParams.update({"font.family": "sans-serif", "font.size": 12})
    panels = [list(panel) for _, panel in groupby(drawn, lambda bar: bar.place)]
    heights = [len(panel) + 1.6 for panel in panels]
    figure = plt.figure(figsize=(_WIDTH_INCHES, 0.8 + 0.5 * sum(heights)), dpi=_DPI, layout="constrained")
    grid = figure.add_gridspec(len(panels), 1, height_ratios=heights)
    for number, panel in enumerate(panels):
        axes = figure.add_subplot(grid[number])
        _panel(axes, panel)
        if len(panels) > 1:
            axes.set_title(_PLACES[panel[0].place], loc="left", fontsize=12, fontweight="bold")
    axes.set_xlabel("times faster")
    where = f"{machine['cores']} cores, {machine['processor']}" + (f"; {machine['gpu']}" if "gpu" in machine else "")
    figure.suptitle("How many times faster narrows is than its peers", fontsize=15, fontweight="bold")
    figure.supxlabel(f"ratios of median wall times; {where}; torch {machine['torch']}", fontsize=9.5, color=_GREY)
    figure.savefig(PICTURE, facecolor="white")


def _panel(axes: Axes, panel: list[Bar]) -> None:
    colour = _COLOURS[panel[0].place]
    for row, bar in enumerate(panel):
        axes.barh(row, bar.times, height=0.66, color=colour if bar.as_good else "none", edgecolor=colour)
        label = f"{bar.times:.0f}×" if bar.times >= 20 else f"{bar.times:.1f}×"
        label += "" if bar.as_good else " (to a worse loss)"
        axes.annotate(
            label, (max(bar.times, 1), row), (6, 0), textcoords="offset points", va="center", fontweight="bold"
        )
    axes.axvline(1, color=_GREY, linewidth=1.2, linestyle=(0, (4, 3)))
    axes.annotate("the peer's speed", (1, -0.68), (5, 0), textcoords="offset points", va="center", color=_GREY)
    axes.set_yticks(range(len(panel)), [f"{bar.label} · {bar.peer}" for bar in panel])
    axes.set_ylim(len(panel) - 0.45, -1)
    axes.set_xlim(0, 1.12 * max(1.0, *(bar.times for bar in panel)))
    axes.tick_params(axis="y", length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def main() -> None:
    """Read the results, draw, and print the path."""
    results = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    results = [result for result in results if "times_faster" in result]
    drawn = make_bars(results)
    if not drawn:
        raise SystemExit(f"No result in {RESULTS} compares narrows with a peer yet: run benchmarks/training.py first.")
    machine = {name: value for result in results for name, value in result["machine"].items()}
    draw(drawn, machine)
    print(*(f"{bar.times:8.2f} {bar.label} · {bar.peer} ({bar.place})" for bar in drawn), sep="\n")
    print(f"written to {PICTURE}")


if __name__ == "__main__":
    main()
