"""The drawings at the top of a page, in its colours: numbers that pass a narrow place as lines."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import numpy as np

_WIDTH, _HEIGHT = 1000.0, 200.0
_MIDDLE = _HEIGHT / 2
_N_LINES = 33  # lines that stand for the numbers of an example
# ends of the four parts between x and its drawing: corrupt, encode, bottleneck, decode
_CORRUPTED, _ENCODED, _PASSED, _DECODED = 250, 500, 750, 1000
_STOPPED = 600  # where the units end that do not pass
_NOISE = 9.0  # largest distance by which noise moves a line


def draw_channel(n_lines: int = _N_LINES) -> str:
    """Return the SVG of water through narrows: lines from the left pass a narrow place together and spread again."""
    narrow = 16.0
    paths = []
    for i in range(n_lines):
        t = 2 * i / (n_lines - 1) - 1
        outer, inner = _MIDDLE + t * (_MIDDLE - 2), _MIDDLE + t * narrow / 2
        start, end = _WIDTH * 0.40, _WIDTH * 0.60
        paths.append(
            f'<path d="M0 {outer:.1f} C{_WIDTH * 0.24:.0f} {outer:.1f} {_WIDTH * 0.26:.0f} {inner:.1f} {start:.0f} '
            f"{inner:.1f} L{end:.0f} {inner:.1f} C{_WIDTH * 0.74:.0f} {inner:.1f} {_WIDTH * 0.76:.0f} {outer:.1f} "
            f'{_WIDTH:.0f} {outer:.1f}" pathLength="1"/>'
        )
    return _svg(paths)


def strand_places(n: int) -> list[float]:
    """Return the heights of the `n` numbers of a code in the drawings of this module, as shares from the top."""
    gap = 24 / math.sqrt(n)
    return [(_MIDDLE + gap * (i - (n - 1) / 2)) / _HEIGHT for i in range(n)]


def draw_code(n: int, *, has_clouds: bool = False, kind: str = "") -> str:
    """Return the SVG of lines that become `n` numbers and spread again; with clouds, each number has a width.

    `kind` is the kind of model that the drawing belongs to, see `narrows.report.anatomy`.
    """
    strands = [_HEIGHT * place for place in strand_places(n)]
    lines = []
    for i, y in enumerate(_outer()):
        s = strands[round(i * (n - 1) / (_N_LINES - 1))]
        lines.append(_path(_gather(y, s), f"H{_PASSED}", _spread(s, y)))
    clouds = [
        f'<ellipse cx="{(_ENCODED + _PASSED) // 2}" cy="{s:.1f}" rx="{width}" ry="{0.05 * width:.1f}"/>'
        for s in strands
        for width in (100, 65, 30)
    ]
    return _svg([*(clouds if has_clouds else []), *lines], kind)


def draw_selection(n: int, active: Sequence[int], kind: str = "") -> str:
    """Return the SVG of lines that become `n` units, of which only the `active` ones pass and spread again."""
    strands, outer = [_HEIGHT * place for place in strand_places(n)], _outer()
    lines = []
    for unit, s in enumerate(strands):
        y = outer[round(unit * (_N_LINES - 1) / max(n - 1, 1))]
        passes = unit in active
        lines.append(_path(_gather(y, s), "" if passes else f"H{_STOPPED}"))
        if passes:
            lines.append(_path(f"M{_ENCODED} {s:.1f}H{_PASSED}", kind="own"))
    for i, y in enumerate(outer if active else []):
        s = strands[sorted(active)[i * len(active) // _N_LINES]]
        lines.append(_path(f"M{_PASSED} {s:.1f}", _spread(s, y)))
    return _svg(lines, kind)


def draw_noise(kind: str = "") -> str:
    """Return the SVG of lines that noise moves, that all pass, and that find back to their places."""
    rng = np.random.default_rng(0)  # the same drawing on each page
    lines = []
    steps = range(50, _CORRUPTED + 1, 25)
    for y in _outer():
        moves = _NOISE * rng.uniform(-1, 1, len(steps)) * np.linspace(0.3, 1, len(steps))
        heights = [float(np.clip(y + move, 1, _HEIGHT - 1)) for move in moves]
        noise = "".join(f"L{x} {height:.1f}" for x, height in zip(steps, heights, strict=True))
        lines.append(_path(f"M0 {y:.1f}H25{noise}", kind="own"))
        lines.append(_path(f"M{_CORRUPTED} {heights[-1]:.1f}H{_PASSED}", _spread(heights[-1], y)))
    return _svg(lines, kind)


def _outer() -> list[float]:
    """Return the heights of all lines where they begin and end."""
    return [_MIDDLE + (2 * i / (_N_LINES - 1) - 1) * (_MIDDLE - 2) for i in range(_N_LINES)]


def _gather(y: float, inner: float) -> str:
    """Return the way of a line through corrupt and encode, from the height `y` to the height `inner`."""
    middle = (_CORRUPTED + _ENCODED) // 2
    return f"M0 {y:.1f}H{_CORRUPTED}C{middle} {y:.1f} {middle} {inner:.1f} {_ENCODED} {inner:.1f}"


def _spread(inner: float, y: float) -> str:
    """Return the way of a line through decode, from the height `inner` to the height `y`."""
    middle = (_PASSED + _DECODED) // 2
    return f"C{middle} {inner:.1f} {middle} {y:.1f} {_DECODED} {y:.1f}"


def _path(*ways: str, kind: str = "") -> str:
    return f'<path{f" class={kind}" if kind else ""} d="{"".join(ways)}"/>'


def _svg(paths: Iterable[str], kind: str = "") -> str:
    of = f' data-of="{kind}"' if kind else ""
    return (
        f'<svg class="channel"{of} viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" preserveAspectRatio="none" '
        f'aria-hidden="true">{"".join(paths)}</svg>'
    )
