"""A drawing by hand, in the page's own colours, light or dark."""

from __future__ import annotations


def channel(n_lines: int = 33) -> str:
    """Draw water through narrows: lines come from the left, pass a narrow place together, and spread again."""
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
