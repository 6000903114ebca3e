"""A page with a map to explore: pan, zoom and select, colours, names, densities, histograms that filter, a table.

It is one file that loads nothing else. Without scripts it shows the map as a picture.
"""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import take_rows
from narrows.estimators.base import Estimator
from narrows.evaluation.layout import FEWEST, check_method, lay_out
from narrows.params import Integer, Parameter, counted
from narrows.plots import content, drawing, style
from narrows.report import page
from narrows.report.display import Display
from narrows.report.map_columns import (
    MapColumn,
    choose,
    data_columns,
    find_clusters,
    label_column,
    name_clusters,
    pack_array,
)
from narrows.report.page import data_script, data_uri, escape, sprite
from narrows.report.sampling import draw_sample

_MOST_PICTURES = 10_000  # thumbnails on the page
_ACROSS = 100  # thumbnails in a line of their sheet
_STEPS = 65_535  # places are 16-bit numbers
_MARGIN = 0.05  # of the map's width, beside the outermost points
_LONGEST = 18  # letters of a name in the picture's legend
_MOST_FIRST = 11  # given columns up to which all of them are on the page, before those of the data
_COLOURS = 64  # steps of the scale of colours
_SCRIPTS = (
    "explorer-data.js",
    "explorer-points.js",
    "explorer-density.js",
    "explorer-names.js",
    "explorer-map.js",
    "explorer-panel.js",
    "explorer.js",
)


def write_map(
    model: Estimator,
    X: Any,
    path: str | os.PathLike[str] = "map.html",
    *,
    y: Any = None,
    label: str = "label",
    color: str | None = None,
    columns: Mapping[str, Any] | None = None,
    method: str = "neighbours",
    max_examples: int = 100_000,
    title: str | None = None,
    random_state: int = 0,
) -> Path:
    """Write a page with a map of the codes of X to explore, as one HTML file, and return its path.

    Parameters
    ----------
    model : a fitted model with codes.
    X : examples, as for `write_report`: in memory, the path of a file, or an iterator of arrays.
    path : file to write.
    y : n labels, or the name of a column of X.
    label : name of the labels.
    color : name of the column that colours show at first; None for the labels, or else the clusters of the map.
    columns : more columns by name, n values each, which the model need not know: numbers, dates, truth values or words.
        Words of more than 60,000 levels are left out.
    method : "neighbours" ("neighbors") for a map on which neighbours stay neighbours; the page then shows the principal
        axes, too. "axes" for these only.
    max_examples : number of examples on the page; of more, a random sample is shown.
    title : title of the page.
    random_state : seed of the map and the sample.

    Raises
    ------
    TypeError
        If `model` is no fitted model.
    ValueError
        If the model has no codes, if X, y or columns do not fit it, or if `color` or `method` is unknown.
    OSError
        If the page cannot be written.

    Examples
    --------
    >>> import narrows
    >>> X, y = narrows.load_dataset("digits", "test")[:2]
    >>> model = narrows.VAE(8, max_epochs=1, random_state=0).fit(X)
    >>> write_map(model, X, "map.html", y=y).name  # doctest: +SKIP
    'map.html'
    """
    if not isinstance(model, Estimator) or not hasattr(model, "offset_"):
        raise TypeError(f"write_map takes a fitted model. Got {type(model).__name__}.")
    content.check_code(model, "write_map")
    check_method("write_map", method)
    Parameter("max_examples", 2, Integer(2), "").check("write_map", max_examples)
    path = Path(path).expanduser()
    page.check_path(path)
    label = y if isinstance(y, str) else label
    sample = draw_sample(model, X, y, max_examples, random_state, owner="write_map")
    more = {name: _rows_of(name, values, sample.n)[sample.rows] for name, values in (columns or {}).items()}
    display = Display(model, sample.X, None, random_state)
    views = [("Principal axes", lay_out(display.inspection, "axes").places)]
    if method != "axes" and len(display.rows) >= FEWEST:
        views.insert(0, ("Neighbours", lay_out(display.inspection, method, random_state=random_state).places))
    shown = _columns(display, sample.y, label, color, more, views[0][1])
    start = 0 if color is None else _position(shown, color)
    title = title or f"The map of this {type(model).__name__}"
    page.write(
        path,
        title=title,
        head=_head(title, display, sample.n, has_neighbors=len(views) > 1),
        sections=[_section(display, views, shown, start, sample.rows)],
        foot=f"<p>Made by narrows {escape(page.__version__)}. One file, which loads nothing else.</p>",
        assets=("explorer-facets.css", "explorer.css", *_SCRIPTS),
    )
    return path


def _rows_of(name: str, values: Any, n: int) -> np.ndarray:
    """Return the values of a column as an array of n entries."""
    array = np.asarray(values)
    if array.shape != (n,):
        raise ValueError(
            f"The column {name!r} of write_map must hold one value for each of {n:,} examples. Got the "
            f"shape {array.shape}."
        )
    return array


def _position(columns: list[MapColumn], name: str) -> int:
    names = [column.name for column in columns]
    if name not in names:
        raise ValueError(f"`color` must name a column of the map: {', '.join(names)}. Got {name!r}.")
    return names.index(name)


def _columns(
    display: Display, y: np.ndarray | None, label: str, color: str | None, more: Mapping[str, Any], places: np.ndarray
) -> list[MapColumn]:
    """Return the columns of the page: labels, clusters, those of the data, and what the model says of each row."""
    labels = None if y is None else label_column(label, y, len(places))
    data = [column for column in data_columns(display, more) if labels is None or column.name != label]
    clusters = find_clusters(places)
    classes = labels if labels is not None and labels.levels is not None else None
    is_sparse, has_names = display.inspection.bottleneck.is_sparse, bool(display.schema.columns)
    names = name_clusters(
        clusters, classes, data, display.inspection.all_codes, is_sparse=is_sparse, has_names=has_names
    )
    kept = choose(data, clusters, [*([color] if color else []), *(more if len(more) <= _MOST_FIRST else ())])
    told = [
        MapColumn("surprise, nats", -display.inspection.scores.astype(float)),
        MapColumn("error", display.inspection.errors.astype(float)),
    ]
    first = [] if labels is None else [labels]
    groups = [MapColumn("cluster", clusters, names, is_cluster=True)] if names else []
    return [*first, *groups, *kept, *told]


def _head(title: str, display: Display, n: int, *, has_neighbors: bool) -> str:
    model, shown = display.model, len(display.rows)
    size = counted(model.model_.bottleneck.n_components, "number")
    some = f"a random sample of {shown:,} of {n:,} {display.noun}s" if shown < n else counted(shown, display.noun)
    how = "neighbours lie together" if has_neighbors else "the two directions in which codes vary most"
    lede = f"{some[0].upper()}{some[1:]}, each a point: its code of {size}, on a plane ({how})."
    return f'<p class="mark">narrows</p><h1>{escape(title)}</h1><p class="lede">{escape(lede)}</p>'


def _section(
    display: Display, views: list[tuple[str, np.ndarray]], columns: list[MapColumn], start: int, rows: np.ndarray
) -> page.Section:
    """Make the section of the map; its script makes the controls, the histograms and the table."""
    import matplotlib

    ramp = matplotlib.colormaps[style.SEQUENCE](np.linspace(0, 1, _COLOURS))[:, :3]
    is_counted = display.frame is None or display.frame.index is None
    values: dict[str, Any] = {
        "n": len(display.rows),
        "noun": display.noun,
        "views": [{"name": name, "places": _pack_places(places)} for name, places in views],
        "columns": [column.pack(views[0][1]) for column in columns],
        "start": start,
        "rows": rows.tolist() if is_counted and len(rows) <= int(rows[-1]) else None,
        "names": None if is_counted else [display.row_name(i) for i in range(len(display.rows))],
        "ramp": [[round(255 * c) for c in colour] for colour in ramp.tolist()],
    }
    sheet = _thumbnails(display, values) if display.is_image else ""
    body = (
        f'<div class="explorer"><div class="only-js" data-explorer></div>{_picture(views[0][1], columns[start])}{sheet}'
        f"{data_script('explorer-data', values)}</div>"
    )
    code = f'model.plot.map(X, method="{"neighbours" if len(views) > 1 else "axes"}")\nnarrows.write_map(model, X)'
    intro = (
        f"Similar {display.noun}s lie close together. Drag to move the map, and zoom with the wheel, two fingers or + "
        "and -. The box and the lasso select. A drag over a histogram and a click on a bar of words filter the map."
    )
    return page.Section("explorer", "The map", intro, code, body)


def _pack_places(places: np.ndarray) -> dict[str, Any]:
    """Return places as 16-bit numbers across a square that holds all but the farthest thousandth."""
    low, high = np.quantile(places, [0.0005, 0.9995], axis=0)
    side = max(float((high - low).max()), 1e-12) * (1 + 2 * _MARGIN)
    unit = ((places - (low + high) / 2) / side + 0.5).clip(0, 1)
    grid = np.rint(unit * _STEPS).astype(np.uint16)
    return {"x": pack_array(grid[:, 0]), "y": pack_array(_STEPS - grid[:, 1])}


def _thumbnails(display: Display, values: dict[str, Any]) -> str:
    """Return the sheet of small pictures, whose sizes are added to `values`."""
    index = np.arange(len(display.rows))
    if len(index) > _MOST_PICTURES:
        index = np.sort(np.random.default_rng(display.seed).choice(len(index), _MOST_PICTURES, replace=False))
    images = display.pictures(take_rows(display.rows, index))
    sheet = sprite(images, _ACROSS)
    lines = -(-len(index) // _ACROSS)
    values["pictures"] = {
        "across": _ACROSS,
        "width": sheet.width // _ACROSS,
        "height": sheet.height // lines,
        "rows": None if len(index) == len(display.rows) else index.tolist(),
        "ink": images.ndim == 3,
    }
    return f'<img hidden class="explorer-sheet" alt="" src="{data_uri(sheet)}">'


def _picture(places: np.ndarray, column: MapColumn) -> str:
    """Return the map as a picture, for pages without scripts and for paper."""
    ax = style.detached_axes(8, 5.4)
    values: np.ndarray = column.values.astype(float)
    classes = None
    if column.levels is not None:
        short = [level if len(level) <= _LONGEST else f"{level[:_LONGEST]}…" for level in column.levels]
        values = np.array([*short, "missing"], dtype=str)[column.values]
        classes = content.label_classes(values, style.N_CLASSES)
    drawing.draw_points(ax, places, values, classes)
    style.style_axes(ax, grid=None)
    ax.set(xticks=[], yticks=[])
    stream = io.BytesIO()
    ax.figure.savefig(stream, format="png", dpi=110, facecolor=style.LIGHT["paper"])  # type: ignore[union-attr]
    packed = base64.b64encode(stream.getvalue()).decode("ascii")
    alt = escape(f"The map, coloured by {column.name}")
    return f'<img class="explorer-still" alt="{alt}" src="data:image/png;base64,{packed}">'
