"""The drawing at the top of a page, in the page's colours, light or dark."""

from __future__ import annotations


def draw_channel(n_lines: int = 33) -> str:
    """Return the SVG of water through narrows: lines from the left pass a narrow place together and spread again."""
    width, height, narrow = 1000.0, 200.0, 16.0
    middle = height / 2
    paths = []
    for i in range(n_lines):
        t = 2 * i / (n_lines - 1) - 1
        outer, inner = middle + t * (middle - 2), middle + t * narrow / 2
        start, end = width * 0.40, width * 0.60
        paths.append(
            f'<path d="M0 {outer:.1f} C{width * 0.24:.0f} {outer:.1f} {width * 0.26:.0f} {inner:.1f} {start:.0f} '
            f"{inner:.1f} L{end:.0f} {inner:.1f} C{width * 0.74:.0f} {inner:.1f} {width * 0.76:.0f} {outer:.1f} "
            f'{width:.0f} {outer:.1f}" pathLength="1"/>'
        )
    return (
        f'<svg class="channel" viewBox="0 0 {width:.0f} {height:.0f}" preserveAspectRatio="none" aria-hidden="true">'
        f"{''.join(paths)}</svg>"
    )
