"""The map: each code is a point, and the pointer or the arrow keys show its example."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from narrows.plots import style
from narrows.report.display import Display, Groups
from narrows.report.page import Section, data_script, data_uri, escape, sprite

_MOST_SPOTS = 2_000
_MOST_LETTERS = 600  # spots that are drawn as their labels; more would cover each other
_COLUMNS = 40  # columns of the sprite
_MAP, _MARGIN = (640, 520), 26  # of the map's view box
_POINTS = 64  # points of the small line that shows a vector


def latent_map(display: Display, note: str = "", other: tuple[str, str, np.ndarray] | None = None) -> Section:
    """Make the section of the map: each code is a point, drawn in the style of its group.

    Parameters
    ----------
    note : text beside the model's name.
    other : another map of the same examples: its name, its note and its codes (n x 2).
    """
    n = len(display.rows)
    index = np.arange(n)
    if n > _MOST_SPOTS:
        index = np.sort(np.random.default_rng(display.seed).choice(n, _MOST_SPOTS, replace=False))
    views = [(display.kind, note, display.inspection.plane.places), *([other] if other else [])]
    ends = [_ends(codes) for _, _, codes in views]
    places = [_places(codes[index], end) for (_, _, codes), end in zip(views, ends, strict=True)]
    groups, colourings = display.groups, display.colourings
    spots, defs = _spots(colourings, index, places[0])
    values: dict[str, Any] = {
        **_pack_groups(groups, index),
        "others": [_pack_groups(g, index) for g in colourings[1:]],  # other groups that colours can show
        "rows": index.tolist() if display.view is None else [display.row_name(i) for i in index.tolist()],
        "places": [np.round(p, 1).tolist() for p in places],
        "ends": np.round(ends[0], 5).tolist(),
        "margin": _MARGIN,
        "noun": display.noun,
        # they turn a place on the map into a code, which the page decodes
        "mean": np.round(display.inspection.plane.mean, 5).tolist(),
        "directions": np.round(display.inspection.plane.directions, 5).tolist(),
        "decoder": display.decoder_name if display.decoder and display.is_image else None,
    }
    width, height = _MAP
    more = f" A random sample of {len(index):,} of {n:,} {display.noun}s is shown." if len(index) < n else ""
    first, second = display.inspection.plane.names
    axes = f"Across: {first}. Upwards: {second}." if second else f"Across: {first}."
    body = (
        f'<div class="map js"><div class="map-bar">{_switch(views)}{_chooser(colourings)}'
        f"{''.join(_legend(g, i) for i, g in enumerate(colourings))}</div>"
        f'<div class="stage"><svg viewBox="0 0 {width} {height}" tabindex="0" role="application" '
        f'aria-label="Map of {len(index):,} {display.noun}s. Arrow keys go from one to the next.">{defs}'
        f'<g class="spots" aria-hidden="true">{spots}</g><circle class="ring" r="13" cx="-50" cy="-50"/></svg>'
        f"{_tip(display, index, values)}</div>"
        f'<p class="hint"><span class="only-js">Move the pointer over the map, or reach it with Tab and press the '
        "arrow keys. </span>"
        f'{escape(axes)}{more}</p><p class="sr" aria-live="polite"></p>{data_script("map-data", values)}</div>'
    )
    coloured = f"Colour shows the {groups.title}" if groups.is_ordered else f"Shape and colour show the {groups.title}"
    if display.y is None:
        coloured += f": how unlikely the model finds the {display.noun}"
    else:
        is_seen = display.schema.classes is not None or display.label in map(str, display.schema.columns or ())
        coloured += "" if is_seen else ", which the model never saw"
    if display.view is not None:
        every = len(colourings) >= len(display.view.columns)
        which = "any column" if every else f"{len(colourings) - 1} columns, those that the model reconstructs best"
        coloured += f". The box above the map offers {which}"
    if len(groups.names) == 1 and display.y is not None:
        coloured = f"All labels are the same: {groups.names[0]}"
    plane = (
        ", projected onto the two directions in which codes vary most" if display.inspection.plane.is_projected else ""
    )
    noun = display.noun
    intro = f"Each {noun} is a point: its code{plane}. Similar {noun}s lie close together. {coloured}."
    code = "model.plot.map(X, y)  # or model.transform(X)" if display.y is not None else "model.plot.map(X)"
    if display.view is not None:
        code += f"\nmodel.plot.map(X, {display.view.names[0]!r})  # coloured by a column"
    return Section("map", "The map", intro, code, body)


def _spots(colourings: list[Groups], index: np.ndarray, places: np.ndarray) -> tuple[str, str]:
    """Return the spots, and the shapes that they use: spots are labels if these are short and few, otherwise shapes."""
    groups, numbers = colourings[0], colourings[0].numbers[index]
    letters = len(numbers) <= _MOST_LETTERS and not groups.is_ordered and max(map(len, groups.names)) <= 2
    letters = letters and len(colourings) == 1
    positions = [f'style="transform:translate({a:.1f}px,{b:.1f}px)"' for a, b in places]
    kinds = _kinds(groups)
    if letters:
        spots = (
            f'<text class="spot {kinds[i]}" {t}>{escape(groups.names[i])}</text>'
            for i, t in zip(numbers, positions, strict=True)
        )
        return "".join(spots), ""
    used = sorted({_shape(i, g.is_ordered) for g in colourings for i in np.unique(g.numbers[index]).tolist()})
    defs = "".join(f'<path id="mark-{i}" d="{_marks()[i]}"/>' for i in used)
    spots = (
        f'<use class="spot {kinds[i]}" href="#mark-{_shape(i, groups.is_ordered)}" {t}/>'
        for i, t in zip(numbers.tolist(), positions, strict=True)
    )
    return "".join(spots), f"<defs>{defs}</defs>"


def _kind(i: int, ordered: bool) -> str:
    """Return the class of the style sheet that colours group number i."""
    return f"q{i}" if ordered else f"d{i % style.N_CLASSES}"


def _kinds(groups: Groups) -> list[str]:
    """Return the class of each group."""
    kinds = [_kind(i, groups.is_ordered) for i in range(len(groups.names))]
    return [*kinds[:-1], "gap"] if groups.has_missing else kinds


def _pack_groups(groups: Groups, index: np.ndarray) -> dict[str, Any]:
    """Return groups for the script, which colours the spots by them."""
    shapes = [_shape(i, groups.is_ordered) for i in range(len(groups.names))]
    packed: dict[str, Any] = {"groups": groups.numbers[index].tolist(), "names": groups.names, "title": groups.title}
    return packed | {"kinds": _kinds(groups), "shapes": shapes}


def _chooser(colourings: list[Groups]) -> str:
    """Return the box that chooses what colours show, if there is a choice."""
    if len(colourings) < 2:
        return ""
    options = "".join(f'<option value="{i}">{escape(groups.title)}</option>' for i, groups in enumerate(colourings))
    return f'<label class="chooser">Colour by <select data-colouring>{options}</select></label>'


def _shape(i: int, ordered: bool) -> int:
    """Return the mark of group number i; after ten groups the colours begin again, with other marks."""
    n = style.N_CLASSES
    return 0 if ordered else (i + i // n) % n


@functools.cache
def _marks() -> list[str]:
    """Return the markers of `style` as SVG paths, seven units wide."""
    from matplotlib.markers import MarkerStyle

    paths = []
    for marker in style.MARKERS:
        marker_style = MarkerStyle(marker)
        polygons = marker_style.get_path().transformed(marker_style.get_transform()).to_polygons()
        rings = [np.asarray(ring, dtype=float)[:-1] * (7, -7) for ring in polygons]
        paths.append("".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z" for ring in rings))
    return paths


def _legend(groups: Groups, colouring: int = 0) -> str:
    """Return a button for each group, which shows only that group; hidden unless this is the first colouring."""
    if len(groups.names) < 2 and not colouring:
        return ""
    short = max(map(len, groups.names)) <= 2 and not groups.is_ordered
    buttons = []
    for i, name in enumerate(groups.names):
        shape = _marks()[_shape(i, groups.is_ordered)]
        mark = "" if short else f'<svg viewBox="-6 -6 12 12" aria-hidden="true"><path d="{shape}"/></svg>'
        buttons.append(
            f'<button type="button" class="{_kinds(groups)[i]}" aria-pressed="false" data-group="{i}">{mark}'
            f"<span>{escape(name)}</span></button>"
        )
    kind = "legend" if short else "legend long"
    return (
        f'<div class="{kind}" role="group" data-legend="{colouring}"{" hidden" if colouring else ""} '
        f'aria-label="Groups by {escape(groups.title)}">{"".join(buttons)}</div>'
    )


def _switch(views: list[tuple[str, str, np.ndarray]]) -> str:
    if len(views) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-view="{i}" aria-pressed="{"true" if i == 0 else "false"}">{escape(name)}'
        f"<small>{escape(note)}</small></button>"
        for i, (name, note, _) in enumerate(views)
    )
    return f'<div class="switch" role="group" aria-label="Map">{buttons}</div>'


def _tip(display: Display, index: np.ndarray, values: dict[str, Any]) -> str:
    """Return the box that shows the example at a place; the data that the script needs for it are added to `values`."""
    if display.is_image:
        images = display.pictures(display.rows[index])
        ink = "px ink sprite" if images.ndim == 3 else "px sprite"
        drawn = ""
        values |= {"columns": _COLUMNS, "ratio": display.schema.shape[1] / display.schema.shape[2]}
        if values["decoder"]:
            canvas = "px ink" if images.ndim == 3 else "px"
            drawn = f'<div class="half drawn"><canvas class="{canvas}"></canvas><p>decoded here</p></div>'
        inner = (
            f'<div class="half"><div class="window"><img class="{ink}" alt="" src="'
            f'{data_uri(sprite(images, _COLUMNS))}"></div><p>real</p></div>{drawn}'
        )
    elif display.has_many_columns:
        values["lines"] = _lines(display.rows[index].reshape(len(index), -1))
        inner = (
            '<div class="wide"><svg class="line" viewBox="0 0 63 40" preserveAspectRatio="none"><polyline points=""/>'
            "</svg></div>"
        )
    else:
        values["unusual"] = display.unusual(index)
        inner = '<div class="wide"><ul class="unusual"></ul></div>'
    return f'<div class="tip" aria-hidden="true"><p class="what"></p>{inner}</div>'


def _lines(rows: np.ndarray) -> list[list[int]]:
    """Return rows as heights from 0 (the top) to 40, thinned to a few points."""
    columns = np.linspace(0, rows.shape[1] - 1, min(_POINTS, rows.shape[1])).astype(int)
    low, high = np.nanquantile(rows, [0.002, 0.998])
    heights = 40 - 40 * (np.nan_to_num(rows[:, columns], nan=float(low)) - low) / max(high - low, 1e-12)
    return np.rint(heights.clip(0, 40)).astype(int).tolist()


def _ends(codes: np.ndarray) -> np.ndarray:
    """Return the codes at the upper left and lower right corner: quantiles, because outliers would shrink the rest."""
    low, high = np.quantile(codes, [0.003, 0.997], axis=0)
    high = np.where(high - low > 1e-12, high, low + 1)
    return np.array([[low[0], high[1]], [high[0], low[1]]])


def _places(codes: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Return codes (n x 2) as places in the map's view box."""
    unit = ((codes - ends[0]) / (ends[1] - ends[0])).clip(-0.015, 1.015)
    return _MARGIN + unit * (np.array(_MAP) - 2 * _MARGIN)
