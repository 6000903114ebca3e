"""The map: all codes in two dimensions, their colours, and what lies behind the points."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from fastapi import APIRouter, HTTPException, Query, Response
from pydantic import BaseModel

from narrows.studio import pictures
from narrows.studio.data import Colour
from narrows.studio.routes import asking
from narrows.studio.routes.asking import Coded, Mapped
from narrows.studio.view import FARTHEST, View

router = APIRouter(prefix="/api/map")
_COMPONENTS = 16  # offered as colours
Component = Annotated[int, Query(ge=0, le=2**31 - 1)]
Projection = Annotated[Literal["components", "pca"], Query()]
Edge = Annotated[float, Query(ge=-FARTHEST, le=FARTHEST, allow_inf_nan=False)]


class ColourEntry(BaseModel):
    """What the map can be coloured by."""

    by: str
    title: str
    kind: Literal["category", "number"]
    categories: list[str] | None


@router.get("", response_class=Response, responses=asking.binary(404, 422))
def places(view: Mapped, x: Component = 0, y: Component = 1, projection: Projection = "components") -> Response:
    """Where each row lies: float32, n x 2."""
    if projection == "pca":
        _, directions, share = view.axes
        places = (view.codes @ directions.T).astype(np.float32)
        return asking.array(places, explained=",".join(f"{s:.4f}" for s in share))
    _check_components(view, x, y)
    return asking.array(view.codes[:, [x, min(y, view.n_components - 1)]])


@router.get("/colours", responses=asking.refusals(404))
def colours(view: Mapped) -> list[ColourEntry]:
    """What the map can be coloured by."""
    data = asking.data_of(view)
    found = [_entry("label", "Label", data.labels)] if data.labels else []
    found += [_entry(f"column:{name}", name, colour) for name, colour in data.columns.items()]
    found.append(_entry("score", "Score (nats)", None))
    found += [_entry(f"column:{name}", name, None) for name in view.columns or [] if name not in data.columns]
    n = min(_COMPONENTS, view.n_components)
    return found + [_entry(f"component:{i}", f"Component {i}", None) for i in range(n)]


@router.get("/colour", response_class=Response, responses=asking.binary(404, 422))
def colour(view: Mapped, by: Annotated[str, Query(max_length=1200)]) -> Response:
    """A number for each row, or the index of its category: float32, n; NaN where there is none."""
    values = _colour(view, by)
    finite = values[np.isfinite(values)]
    low, high = np.percentile(finite, [2, 98]) if finite.size else (0.0, 1.0)
    return asking.array(values, low=f"{low:.6g}", high=f"{high:.6g}")


@router.get("/manifold", response_class=Response, responses=asking.image(404, 422))
def manifold(
    view: Coded,
    left: Edge,
    right: Edge,
    bottom: Edge,
    top: Edge,
    x: Component = 0,
    y: Component = 1,
    projection: Projection = "components",
    size: Annotated[int, Query(ge=2, le=40)] = 20,
) -> Response:
    """What is decoded at each place of the map, in a grid; y goes up."""
    asking.image_only(view)
    if view.sparse:
        raise HTTPException(404, "Between sparse codes there is nothing to show.")
    mean = np.asarray(view.model.code_mean_)
    if projection == "pca":
        if view.data is None:
            raise HTTPException(404, "There are no data to find principal axes of.")
        axes = view.axes.directions
    else:
        _check_components(view, x, y)
        axes = np.zeros((2, view.n_components), np.float32)
        axes[0, x] = 1
        axes[1, min(y, view.n_components - 1)] = 1
    start = mean - axes.T @ (axes @ mean)  # the map's own coordinates come from the grid
    across = left + (right - left) * (np.arange(size) + 0.5) / size
    upward = top - (top - bottom) * (np.arange(size) + 0.5) / size
    grid = np.stack(np.meshgrid(across, upward), axis=-1).reshape(-1, 2)
    codes = (start + grid @ axes).astype(np.float32)
    parts = [view.decoded(codes[i : i + 256], urgent=False) for i in range(0, len(codes), 256)]
    return asking.picture(pictures.sheet(np.concatenate(parts), size))


def _entry(by: str, title: str, found: Colour | None) -> ColourEntry:
    categories = list(found.categories) if found is not None and found.categories is not None else None
    return ColourEntry(
        by=by, title=title, kind="category" if categories is not None else "number", categories=categories
    )


def _colour(view: View, by: str) -> np.ndarray:
    data = asking.data_of(view)
    kind, _, name = by.partition(":")
    if by == "label" and data.labels:
        return data.labels.floats()
    if by == "score":
        return view.scores.astype(np.float32)
    if kind == "column" and name in data.columns:
        return data.columns[name].floats()
    if kind == "column" and name in (view.columns or []):
        return view.shown(data.rows(slice(None)))[:, (view.columns or []).index(name)]
    if kind == "component" and name.isdecimal() and len(name) < 10 and int(name) < view.n_components:
        return view.codes[:, int(name)]
    raise HTTPException(404, "The map cannot be coloured by that; /api/map/colours lists what there is.")


def _check_components(view: View, x: int, y: int) -> None:
    n = view.n_components
    if x >= n or (y >= n and not (n == 1 and y == 1)):
        raise HTTPException(404, f"There is no such component: the code has {n}.")
