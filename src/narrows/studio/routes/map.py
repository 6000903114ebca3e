"""Map panel: all codes in two dimensions, their colours, and decoded examples between them."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, Depends, HTTPException, Query, Response
from pydantic import BaseModel

from narrows.params import counted
from narrows.studio import landmarks, pictures
from narrows.studio.data import Colour
from narrows.studio.routes.dependencies import ViewWithCodeAndData, ViewWithDecoder, get_data, require, require_images
from narrows.studio.routes.responses import document_array, document_errors, document_png, send_array, send_png
from narrows.studio.view import MAX_ABS_CODE, View

router = APIRouter(prefix="/api/map")
_MAX_CATEGORIES = 1000  # of a quantity; names of more are identifiers
_MAX_COMPONENTS = 16  # components offered as colours
_N_STACKS, _TAIL = 60, 0.002  # stacks of a histogram, and the share of the numbers beyond each end of them
Component = Annotated[int, Query(ge=0, le=2**31 - 1)]
Projection = Annotated[Literal["components", "pca"], Query()]
Layout = Annotated[Literal["axes", "neighbors"], Query()]
Edge = Annotated[float, Query(ge=-MAX_ABS_CODE, le=MAX_ABS_CODE, allow_inf_nan=False)]


class ColourEntry(BaseModel):
    """A quantity by which the map can be coloured."""

    by: str
    title: str
    kind: Literal["category", "number", "date"]
    categories: list[str] | None


@router.get("", response_class=Response, responses=document_array(404, 422))
def get_positions(
    view: ViewWithCodeAndData, x: Component = 0, y: Component = 1, projection: Projection = "components"
) -> Response:
    """Return the position of each row on the map: float32, n x 2. One component is a histogram: see `stack`."""
    places = _place_on_axes(view, x, y, projection)
    if projection == "pca":
        return send_array(places, explained=",".join(f"{s:.4f}" for s in view.axes.share))
    return send_array(places)


@router.get("/neighbors", response_class=Response, responses=document_array(404, 422))
def get_neighbors(view: ViewWithCodeAndData, after: Annotated[int, Query(ge=-1, le=2**31 - 1)] = -1) -> Response:
    """Return the places of the neighbour layout, refined in the background: float32, n x 2.

    `X-Steps` says how many of all steps are done. There are no places (0 x 2) unless more than `after` steps are done.
    """
    latest, n_steps = view.neighbors.latest, view.neighbors.n_steps
    if latest is None:
        return send_array(np.empty((0, 2), np.float32), steps=f"-1,{n_steps}")
    places = latest.places if latest.step > after else latest.places[:0]
    return send_array(places.astype(np.float32), steps=f"{latest.step},{n_steps}")


def _find_places(
    view: ViewWithCodeAndData,
    x: Component = 0,
    y: Component = 1,
    projection: Projection = "components",
    layout: Layout = "axes",
) -> np.ndarray:
    if layout == "axes":
        return _place_on_axes(view, x, y, projection)
    return require(view.neighbors.latest, "The neighbours are still looked for.").places


Places = Annotated[np.ndarray, Depends(_find_places)]
"""The place of each row on the map: n x 2."""


class LandmarkEntry(BaseModel):
    """A name on the map, and the row where it stands."""

    name: str
    row: int


class Landmarks(BaseModel):
    """Names on the map."""

    classes: list[LandmarkEntry]
    clusters: list[LandmarkEntry]


@router.get("/names", responses=document_errors(404, 422))
def list_names(
    view: ViewWithCodeAndData,
    places: Places,
    by: Annotated[str, Query(max_length=1200)] = "label",
) -> Landmarks:
    """Return the names of the categories of `by`, or else of the labels, and those of clusters, each at a row."""
    data, name = get_data(view), by.removeprefix("column:")
    colour = landmarks.list_columns(view).get(name) if by != name else None
    if colour is None or colour.categories is None:
        colour = data.labels
    classes = landmarks.name_categories(places, colour) if colour is not None else []
    return Landmarks(
        classes=[LandmarkEntry(**landmark._asdict()) for landmark in classes],
        clusters=[LandmarkEntry(**landmark._asdict()) for landmark in landmarks.name_clusters(view, places)],
    )


@router.get("/columns", responses=document_errors(404, 422))
def list_filters(view: ViewWithCodeAndData, places: Places) -> list[ColourEntry]:
    """Return what filters the map by histograms: labels, and the columns that differ between clusters or components."""
    chosen = {f"column:{name}" for name in landmarks.choose_columns(view, places)}
    if not chosen:
        chosen = {f"component:{i}" for i in range(min(_MAX_COMPONENTS // 4, view.n_components))}
    return [entry for entry in list_colours(view) if entry.by == "label" or entry.by in chosen]


def stack(values: np.ndarray) -> np.ndarray:
    """Return places of n numbers that form a histogram: n x 2, float32.

    A number stays where it is across. Numbers of one interval lie above each other, so the height says only how many
    there are; the tallest stack is half as high as the histogram is wide.
    """
    low, high = (float(end) for end in np.quantile(values, [_TAIL, 1 - _TAIL]))
    width = (high - low or 1.0) / _N_STACKS
    interval = np.floor((values - low) / width).astype(np.int64)
    order = np.lexsort((values, interval))
    first = np.r_[True, np.diff(interval[order]) != 0]  # of its stack
    places = np.arange(len(values))
    height = np.empty(len(values))
    height[order] = places - np.maximum.accumulate(np.where(first, places, 0))
    height *= _N_STACKS * width / 2 / max(1.0, float(height.max()))
    return np.stack([values, height], axis=1).astype(np.float32)


@router.get("/colours", responses=document_errors(404))
def list_colours(view: ViewWithCodeAndData) -> list[ColourEntry]:
    """Return the quantities by which the map can be coloured."""
    data = get_data(view)
    columns = [name for name in view.columns or [] if name not in data.columns]
    components = range(min(_MAX_COMPONENTS, view.n_components))
    others = [_make_entry(f"column:{name}", name, colour) for name, colour in data.columns.items()]
    taken = [
        _make_entry(
            f"column:{name}",
            f"{name}, mean" if view.is_series else name,
            view.get_column(name) if view.is_table else None,
        )
        for name in columns
    ]
    score = _make_entry("score", "Score (nats)", None)
    entries = [
        *([_make_entry("label", "Label", data.labels)] if data.labels else []),
        *([score, *taken, *others] if view.is_table else [*others, score, *taken]),  # others may be row numbers
        *(_make_entry(f"component:{i}", f"Component {i}", None) for i in components),
    ]
    return [entry for entry in entries if entry.categories is None or len(entry.categories) <= _MAX_CATEGORIES]


@router.get("/colour", response_class=Response, responses=document_array(404, 422))
def get_colour(view: ViewWithCodeAndData, by: Annotated[str, Query(max_length=1200)]) -> Response:
    """Return a number for each row, or the index of its category: float32, n; NaN where it is missing."""
    values = _compute_colour(view, by)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    return send_array(values, low=f"{low:.10g}", high=f"{high:.10g}")


@router.get("/manifold", response_class=Response, responses=document_png(404, 422))
def get_manifold(
    view: ViewWithDecoder,
    left: Edge,
    right: Edge,
    bottom: Edge,
    top: Edge,
    x: Component = 0,
    y: Component = 1,
    projection: Projection = "components",
    size: Annotated[int, Query(ge=2, le=40)] = 20,
) -> Response:
    """Return a picture of the examples decoded on a grid of `size` x `size` places of the map; y increases upwards."""
    require_images(view)
    if view.is_sparse:
        raise HTTPException(404, "A sparse code has no decoded grid: the places between its codes mean nothing.")
    mean = np.asarray(view.model.code_mean_)
    if projection == "pca":
        if view.data is None:
            raise HTTPException(404, "Principal axes need data, and no data is open.")
        axes = view.axes.directions
    else:
        _check_components(view, x, y)
        axes = np.zeros((2, view.n_components), np.float32)
        axes[0, x] = 1
        if view.n_components > 1:  # else the height of a point means nothing, and each column shows one example
            axes[1, y] = 1
    start = mean - axes.T @ (axes @ mean)  # the mean without its part along the two axes, which the grid sets
    across = left + (right - left) * (np.arange(size) + 0.5) / size
    upward = top - (top - bottom) * (np.arange(size) + 0.5) / size
    grid = np.stack(np.meshgrid(across, upward), axis=-1).reshape(-1, 2)
    codes = (start + grid @ axes).astype(np.float32)
    parts = [view.decode(codes[i : i + 256], urgent=False) for i in range(0, len(codes), 256)]
    return send_png(pictures.make_sheet(np.concatenate(parts), size))


def _make_entry(by: str, title: str, colour: Colour | None) -> ColourEntry:
    categories = list(colour.categories) if colour is not None and colour.categories is not None else None
    is_date = colour is not None and colour.is_date
    return ColourEntry(
        by=by,
        title=title,
        kind="category" if categories is not None else "date" if is_date else "number",
        categories=categories,
    )


def _compute_colour(view: View, by: str) -> np.ndarray:
    data = get_data(view)
    kind, _, name = by.partition(":")
    if by == "label" and data.labels:
        return data.labels.to_floats()
    if by == "score":
        return view.scores.astype(np.float32)
    if kind == "column" and name in data.columns:
        return data.columns[name].to_floats()
    if kind == "column" and name in (view.columns or []):
        return view.get_column(name).to_floats()
    if kind == "component" and name.isdecimal() and len(name) < 10 and int(name) < view.n_components:
        return view.codes_of(slice(None), [int(name)])[:, 0]
    raise HTTPException(404, "The map cannot be coloured by that; /api/map/colours lists what it can be coloured by.")


def _place_on_axes(view: View, x: int, y: int, projection: str) -> np.ndarray:
    """Return the place of each row along two components or principal axes: n x 2, float32."""
    if projection == "pca":
        return np.asarray(view.all_codes @ view.axes.directions.T, dtype=np.float32)
    _check_components(view, x, y)
    if view.n_components == 1:
        return stack(view.codes_of(slice(None), [0])[:, 0])
    return view.codes_of(slice(None), [x, y])


def _check_components(view: View, x: int, y: int) -> None:
    n = view.n_components
    if x >= n or (y >= n and not (n == 1 and y == 1)):
        raise HTTPException(404, f"There is no such component: the code has {counted(n, 'component')}.")
