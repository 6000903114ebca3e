"""The style of pictures: colours, markers and axes, for matplotlib and for pages.

Nothing global is changed: each axes is styled by itself. Each class has a marker as well as a colour, so that
colour-blind people can distinguish the classes.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, cast

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Layout = Literal["constrained", "compressed"]

# names as in a page's style sheet; text on paper has a contrast of at least 4.5
LIGHT = {
    "paper": "#fbfbf8",
    "raised": "#ffffff",
    "tile": "#eff2f0",
    "line": "#dbe1e0",
    "edge": "#7d8b91",
    "ink": "#14212b",
    "soft": "#4f5e68",
    "sea": "#0b6076",
    "sea-2": "#b1500f",
    "wash": "#e3eff1",
    "d0": "#3b2f9e",
    "d1": "#0069b4",
    "d2": "#0f7034",
    "d3": "#7a6a00",
    "d4": "#c22d0c",
    "d5": "#8a1f55",
    "d6": "#007b83",
    "d7": "#a33b99",
    "d8": "#55606a",
    "d9": "#a85500",
}
DARK = {
    "paper": "#0f161b",
    "raised": "#151e24",
    "tile": "#1b252c",
    "line": "#2b373f",
    "edge": "#7c8b94",
    "ink": "#e6ecef",
    "soft": "#a2b0b9",
    "sea": "#6fc6d8",
    "sea-2": "#f0a05c",
    "wash": "#15303a",
    "d0": "#aba4ff",
    "d1": "#6cb6f5",
    "d2": "#62c987",
    "d3": "#d8c64a",
    "d4": "#ff8669",
    "d5": "#f07fb5",
    "d6": "#4fd0d6",
    "d7": "#dd8fd6",
    "d8": "#b4bfc8",
    "d9": "#f2a65a",
}
INK, SOFT, LINE, FIRST, SECOND = (LIGHT[name] for name in ("ink", "soft", "line", "sea", "sea-2"))
PALETTE = tuple(LIGHT[f"d{i}"] for i in range(10))
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", "p", ">")  # one for each colour
N_CLASSES = len(PALETTE)
SEQUENCE = "cividis"  # colours of ordered values, suited to colour-blind people
ADDS, TAKES = (18, 112, 160), (214, 108, 30)  # colours of positive and of negative values
TEXT = 9.0  # points
_PIXELS = 1.35  # pixels on a page for each point of a figure


def new_axes(width: float, height: float, layout: Layout = "constrained") -> Axes:
    """Make axes on a new figure of `width` x `height` inches, which a notebook shows at the end of its cell.

    The figure belongs to pyplot if pyplot is imported or this is a notebook. Otherwise nothing holds it, so that a
    program that draws many figures does not fill its memory.
    """
    if "matplotlib.pyplot" in sys.modules or _in_notebook():
        from matplotlib import pyplot

        return pyplot.figure(figsize=(width, height), layout=layout).add_subplot()
    return detached_axes(width, height, layout)


def detached_axes(width: float, height: float, layout: Layout = "constrained") -> Axes:
    """Make axes on a new figure of `width` x `height` inches that pyplot does not know."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure.add_subplot()


def style_axes(
    ax: Axes, title: str = "", x: str = "", y: str = "", grid: Literal["x", "y", "both"] | None = "y"
) -> Axes:
    """Style axes: a title to the left, no box, and pale grid lines along `grid`; return the axes."""
    ax.set_title(title, loc="left", fontsize=TEXT + 2, color=INK)
    ax.set_xlabel(x, fontsize=TEXT, color=SOFT)
    ax.set_ylabel(y, fontsize=TEXT, color=SOFT)
    ax.tick_params(labelsize=TEXT, labelcolor=SOFT, color=LINE, length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.spines["bottom"].set_color(LINE)
    ax.set_axisbelow(True)
    if grid:
        ax.grid(axis=grid, color=LINE, linewidth=0.8)
    return ax


def as_signed_rgba(values: np.ndarray) -> np.ndarray:
    """Return values of either sign, of any shape, as RGBA bytes (... x 4): blue adds, orange takes away.

    The largest absolute value is opaque; 0 is transparent.
    """
    share = np.nan_to_num(np.asarray(values, dtype=np.float64))
    share = share / max(float(np.abs(share).max(initial=0)), 1e-12)
    colours = np.where((share > 0)[..., None], ADDS, TAKES)
    alpha = np.rint(255 * np.abs(share))[..., None]
    return np.concatenate([colours, alpha], axis=-1).astype(np.uint8)


def css_variables(colours: Mapping[str, str]) -> str:
    """Return `LIGHT` or `DARK` as variables of a style sheet."""
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def to_svg(ax: Axes, label: str, name: str) -> str:
    """Return the figure of axes as SVG in the colours and the font of a page, light or dark.

    Parameters
    ----------
    label : text that a screen reader reads out for the figure.
    name : name of the figure, unique on its page; all ids of the figure start with it.
    """
    import matplotlib

    stream, figure = io.StringIO(), cast("Figure", ax.figure)
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        nothing = {"Date": None, "Creator": None, "Format": None, "Type": None}
        figure.savefig(stream, format="svg", transparent=True, metadata=nothing)
    markup = stream.getvalue()
    markup = markup[markup.index("<svg") :]
    markup = re.sub(r"<(metadata|!--).*?(</metadata>|-->)", "", markup, flags=re.DOTALL)
    markup = re.sub(r' clip-path="url\([^)]*\)"', "", markup)
    markup = re.sub(r"<clipPath.*?</clipPath>", "", markup, flags=re.DOTALL)
    used = set(re.findall(r'"#([^"]+)"', markup))
    markup = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", markup)
    markup = re.sub(r'"#([^"]+)"', rf'"#{name}-\1"', markup)
    markup = re.sub(r"font-family: [^;\"]*", "font-family: var(--sans)", markup)
    markup = re.sub(r"(font: [^;\"]*?)(\d[\d.]*px) [^;\"]*", r"\1\2 var(--sans)", markup)  # as matplotlib 3.8 writes it
    for colour, value in LIGHT.items():
        markup = markup.replace(value, f"var(--{colour})")
    markup = re.sub(r"<defs>\s*(<style[^>]*>.*?</style>)?\s*</defs>", "", markup, flags=re.DOTALL)
    box = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', markup)
    assert box is not None
    width, height = (round(_PIXELS * float(side)) for side in box.groups())
    opening = f'<svg class="chart" viewBox="{box[0][9:-1]}" width="{width}" height="{height}" role="img" '
    return opening + f'aria-label="{_escape(label)}"' + re.sub(r"\n\s*", "\n", markup[markup.index(">") :])


def _escape(label: str) -> str:
    return label.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")


def _in_notebook() -> bool:
    ipython: Any = sys.modules.get("IPython")
    return ipython is not None and ipython.get_ipython() is not None


def class_styles(labels: Sequence[object]) -> dict[object, tuple[str, str]]:
    """Return a colour and a marker for each label, in order; after the tenth they repeat."""
    return {label: (PALETTE[i % N_CLASSES], MARKERS[i % N_CLASSES]) for i, label in enumerate(labels)}
