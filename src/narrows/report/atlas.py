"""The map: codes as places that can be pointed at, or walked with the arrow keys."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np

from narrows.plots import style
from narrows.report.page import Section, data, sprite, text, uri
from narrows.report.subject import Groups, Subject

_MOST_SPOTS = 2_000
_MOST_LETTERS = 600  # spots that are drawn as their labels; more would be a blot
_COLUMNS = 40  # of the sprite
_MAP, _MARGIN = (640, 520), 26  # of the map's view box
_POINTS = 64  # of a small line


def latent_map(subject: Subject, note: str = "", other: tuple[str, str, np.ndarray] | None = None) -> Section:
    """The codes as places, each drawn by its group.

    Parameters
    ----------
    note : what stands beside the model's name.
    other : another map of the same examples: its name, its note and its codes (n x 2).
    """
    n = len(subject.rows)
    shown = np.arange(n)
    if n > _MOST_SPOTS:
        shown = np.sort(np.random.default_rng(subject.seed).choice(n, _MOST_SPOTS, replace=False))
    views = [(subject.kind, note, subject.plane.places), *([other] if other else [])]
    ends = [_ends(codes) for _, _, codes in views]
    places = [_places(codes[shown], end) for (_, _, codes), end in zip(views, ends, strict=True)]
    groups = subject.groups
    of = groups.of[shown]
    spots, defs = _spots(groups, of, places[0])
    values: dict[str, Any] = {
        "of": of.tolist(),
        "names": groups.names,
        "title": groups.title,
        "rows": shown.tolist(),
        "places": [np.round(p, 1).tolist() for p in places],
        "ends": np.round(ends[0], 5).tolist(),
        "margin": _MARGIN,
        "noun": subject.noun,
        # from a place on the map to the code there, which is drawn
        "mean": np.round(subject.plane.mean, 5).tolist(),
        "directions": np.round(subject.plane.directions, 5).tolist(),
        "decoder": subject.decoder_name if subject.decoder and subject.is_image else None,
    }
    width, height = _MAP
    more = f" {len(shown):,} of {n:,} are shown." if len(shown) < n else ""
    first, second = subject.plane.axes
    axes = f"Across: {first}. Upwards: {second}." if second else f"Across: {first}."
    body = (
        f'<div class="map js"><div class="map-bar">{_switch(views)}{_legend(groups)}</div>'
        f'<div class="stage"><svg viewBox="0 0 {width} {height}" tabindex="0" role="application" '
        f'aria-label="Map of {len(shown):,} {subject.noun}s. Arrow keys go from one to the next.">{defs}'
        f'<g class="spots" aria-hidden="true">{spots}</g><circle class="ring" r="13" cx="-50" cy="-50"/></svg>'
        f"{_tip(subject, shown, values)}</div>"
        f'<p class="hint"><span class="only-js">Point at the map, or focus it and use the arrow keys. </span>'
        f'{text(axes)}{more}</p><p class="sr" aria-live="polite"></p>{data("map-data", values)}</div>'
    )
    coloured = f"Colour is the {groups.title}" if groups.ordered else f"Shape and colour are the {groups.title}"
    if subject.y is None:
        coloured += ", how unlikely the model finds it"
    else:
        coloured += ", which the model was not shown" if subject.schema.classes is None else ""
    if len(groups.names) == 1 and subject.y is not None:
        coloured = f"All labels are the same: {groups.names[0]}"
    plane = " on the plane on which codes vary most" if subject.plane.principal else ""
    words = f"Each {subject.noun} lies at its code{plane}; like lies by like. {coloured}."
    code = "model.plot.map(X, y)  # or model.transform(X)" if subject.y is not None else "model.plot.map(X)"
    return Section("map", "The map", words, code, body)


def _spots(groups: Groups, of: np.ndarray, places: np.ndarray) -> tuple[str, str]:
    """The spots, and the shapes that they refer to: labels where these are short and few, shapes elsewhere."""
    letters = len(of) <= _MOST_LETTERS and not groups.ordered and max(map(len, groups.names)) <= 2
    at = [f'style="transform:translate({a:.1f}px,{b:.1f}px)"' for a, b in places]
    kinds = [_kind(i, groups.ordered) for i in range(len(groups.names))]
    if letters:
        spots = (
            f'<text class="spot {kinds[i]}" {t}>{text(groups.names[i])}</text>' for i, t in zip(of, at, strict=True)
        )
        return "".join(spots), ""
    used = sorted({_shape(i, groups.ordered) for i in of.tolist()})
    defs = "".join(f'<path id="mark-{i}" d="{_marks()[i]}"/>' for i in used)
    spots = (
        f'<use class="spot {kinds[i]}" href="#mark-{_shape(i, groups.ordered)}" {t}/>'
        for i, t in zip(of.tolist(), at, strict=True)
    )
    return "".join(spots), f"<defs>{defs}</defs>"


def _kind(i: int, ordered: bool) -> str:
    """The class, in the style sheet's sense, that colours group number i."""
    return f"q{i}" if ordered else f"d{i % style.N_CLASSES}"


def _shape(i: int, ordered: bool) -> int:
    """The mark of group number i; after ten groups the colours begin again, with other marks."""
    n = style.N_CLASSES
    return 0 if ordered else (i + i // n) % n


@functools.cache
def _marks() -> list[str]:
    """The markers of `style` as paths, seven units wide."""
    from matplotlib.markers import MarkerStyle

    found = []
    for marker in style.MARKERS:
        made = MarkerStyle(marker)
        polygons = made.get_path().transformed(made.get_transform()).to_polygons()
        rings = [np.asarray(ring, dtype=float)[:-1] * (7, -7) for ring in polygons]
        found.append("".join("M" + "L".join(f"{x:.1f} {y:.1f}" for x, y in ring) + "Z" for ring in rings))
    return found


def _legend(groups: Groups) -> str:
    """A button for each group, which shows it alone."""
    if len(groups.names) < 2:
        return ""
    short = max(map(len, groups.names)) <= 2 and not groups.ordered
    buttons = []
    for i, name in enumerate(groups.names):
        shape = _marks()[_shape(i, groups.ordered)]
        mark = "" if short else f'<svg viewBox="-6 -6 12 12" aria-hidden="true"><path d="{shape}"/></svg>'
        buttons.append(
            f'<button type="button" class="{_kind(i, groups.ordered)}" aria-pressed="false" data-group="{i}">{mark}'
            f"<span>{text(name)}</span></button>"
        )
    kind = "legend" if short else "legend long"
    return f'<div class="{kind}" role="group" aria-label="Show one {text(groups.title)}">{"".join(buttons)}</div>'


def _switch(views: list[tuple[str, str, np.ndarray]]) -> str:
    if len(views) < 2:
        return ""
    buttons = "".join(
        f'<button type="button" data-view="{i}" aria-pressed="{"true" if i == 0 else "false"}">{text(name)}'
        f"<small>{text(words)}</small></button>"
        for i, (name, words, _) in enumerate(views)
    )
    return f'<div class="switch" role="group" aria-label="Map">{buttons}</div>'


def _tip(subject: Subject, shown: np.ndarray, values: dict[str, Any]) -> str:
    """What appears beside a place: the example there. What it needs is added to `values`."""
    if subject.is_image:
        images = subject.pictures(subject.rows[shown])
        ink = "px ink sprite" if images.ndim == 3 else "px sprite"
        drawn = ""
        values |= {"columns": _COLUMNS, "ratio": subject.schema.shape[1] / subject.schema.shape[2]}
        if values["decoder"]:
            canvas = "px ink" if images.ndim == 3 else "px"
            drawn = f'<div class="half drawn"><canvas class="{canvas}"></canvas><p>drawn here</p></div>'
        inner = (
            f'<div class="half"><div class="window"><img class="{ink}" alt="" src="{uri(sprite(images, _COLUMNS))}">'
            f"</div><p>real</p></div>{drawn}"
        )
    elif subject.has_many_columns:
        values["lines"] = _lines(subject.rows[shown].reshape(len(shown), -1))
        inner = (
            '<div class="wide"><svg class="line" viewBox="0 0 63 40" preserveAspectRatio="none"><polyline points=""/>'
            "</svg></div>"
        )
    else:
        values["words"] = subject.unusual(shown)
        inner = '<div class="wide"><ul class="said-of-it"></ul></div>'
    return f'<div class="tip" aria-hidden="true"><p class="what"></p>{inner}</div>'


def _lines(rows: np.ndarray) -> list[list[int]]:
    """Rows as heights from 0 (the top) to 40, thinned to a few points."""
    columns = np.linspace(0, rows.shape[1] - 1, min(_POINTS, rows.shape[1])).astype(int)
    low, high = np.nanquantile(rows, [0.002, 0.998])
    heights = 40 - 40 * (np.nan_to_num(rows[:, columns], nan=float(low)) - low) / max(high - low, 1e-12)
    return np.rint(heights.clip(0, 40)).astype(int).tolist()


def _ends(codes: np.ndarray) -> np.ndarray:
    """The codes at the map's corners, upper left and lower right: quantiles, so that no outlier presses the rest."""
    low, high = np.quantile(codes, [0.003, 0.997], axis=0)
    high = np.where(high - low > 1e-12, high, low + 1)
    return np.array([[low[0], high[1]], [high[0], low[1]]])


def _places(codes: np.ndarray, ends: np.ndarray) -> np.ndarray:
    """Codes (n x 2) as places in the map's view box."""
    unit = ((codes - ends[0]) / (ends[1] - ends[0])).clip(-0.015, 1.015)
    return _MARGIN + unit * (np.array(_MAP) - 2 * _MARGIN)
