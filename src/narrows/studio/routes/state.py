"""What the page begins with."""

from __future__ import annotations

import functools
import json
import shlex
from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException, Request

from narrows import likelihoods, recipes
from narrows.corruptions import NOISES
from narrows.data import named
from narrows.estimators import estimator
from narrows.studio.jobs import Jobs
from narrows.studio.messages import (
    ClassName,
    DatasetEntry,
    DataState,
    Health,
    Limits,
    ModelEntry,
    ModelState,
    Panel,
    ParameterEntry,
    RecipeEntry,
    State,
)
from narrows.studio.routes import asking
from narrows.studio.routes.asking import MOST_ROWS, Here, Opened
from narrows.studio.session import Session
from narrows.studio.view import View
from narrows.version import __version__

router = APIRouter(prefix="/api")
_HIDDEN = ("checkpoint", "track", "verbose", "device", "compile", "sharded", "network")  # not for the page
MOST_DIALS = 512


@router.get("/health")
async def health() -> Health:
    """Whether the server answers."""
    return Health(status="ok")


@router.get("/state")
def state(here: Here, request: Request) -> State:
    """Everything that the page begins with."""
    return whole_state(here, request.app.state.jobs)


@router.post("/class", responses=asking.refusals(400, 404, 413, 422))
def choose_class(here: Here, view: Opened, request: Request, body: ClassName) -> State:
    """Which class a conditional model decodes from now on."""
    if view.classes is None:
        raise HTTPException(404, "This model is told no class.")
    if body.name not in view.classes:
        raise HTTPException(404, "The model knows no such class.")
    view.chosen = view.classes.index(body.name)
    return whole_state(here, request.app.state.jobs)


def whole_state(session: Session, jobs: Jobs) -> State:
    """The state of a session."""
    view, running = session.current, jobs.running
    return State(
        version=session.version,
        instance=session.instance,
        narrows=__version__,
        model=model_state(view) if view else None,
        data=_data_state(view) if view and view.data else None,
        training=running.id if running else None,
        models=[
            ModelEntry(id=v.id, name=v.name, recipe=v.model.recipe.name, current=v is view, saved=v.saved)
            for v in list(session.views.values())
        ],
        datasets=_datasets(),
        recipes=_recipes(),
        limits=Limits(upload_bytes=jobs.upload_bytes, dials=MOST_DIALS, rows=MOST_ROWS),
    )


def model_state(view: View) -> ModelState:
    """What the page must know of a model."""
    model, bounds = view.model, view.schema.limits if view.is_image else None
    where = json.dumps(str(view.path) if view.path else "FOLDER")
    words = [
        "narrows",
        "studio",
        str(view.path or "FOLDER"),
        *([view.data.source] if view.data and view.data.source else []),
    ]
    return ModelState(
        name=view.name,
        recipe=model.recipe.name,
        title=type(model).__name__,
        summary=model.recipe.summary,
        kind="image" if view.is_image else "vector",
        shape=list(view.shape),
        columns=view.columns,
        n_components=view.n_components,
        has_code=view.has_code,
        stochastic=view.stochastic,
        sparse=view.sparse,
        can=panels(view),
        low=bounds[0] if bounds else None,
        high=bounds[1] if bounds else None,
        noises=list(NOISES),
        noise=getattr(model, "noise", "gaussian"),
        description=view.schema.describe(),
        report=[str(line) for line in getattr(model, "report_", [])],
        path=str(view.path) if view.path else None,
        saved=view.saved,
        python=f"import narrows\n\nmodel = narrows.load({where})",
        command=shlex.join(words),
        classes=view.classes,
        class_=None if view.classes is None or view.chosen is None else view.classes[view.chosen],
    )


def panels(view: View) -> list[Panel]:
    """What makes sense with this model and these data."""
    has, data = view.has_code, view.data is not None
    wanted: dict[Panel, bool] = {
        "dials": has,
        "map": has and data,
        "clean": view.is_image or data,
        "units": view.sparse and data,
        "outliers": data,
        "search": has and data,
        "report": data,
    }
    return [panel for panel, wants in wanted.items() if wants]


def _data_state(view: View) -> DataState:
    data = view.data
    assert data is not None
    labels = data.labels
    return DataState(
        name=data.name,
        n=len(data),
        total=data.total,
        labels=labels is not None,
        classes=list(labels.categories) if labels is not None and labels.categories is not None else None,
        columns=list(data.columns) or None,
        description=f"{len(data):,} {view.schema.describe()}",
    )


def _datasets() -> list[DatasetEntry]:
    """The named data sets that are on this machine: nothing is fetched."""
    return [
        DatasetEntry(name=one.name, summary=one.summary, n=one.n_train)
        for one in named.NAMES.values()
        if not one.files or named.find(one.name)
    ]


@functools.cache
def _recipes() -> list[RecipeEntry]:
    found = []
    for recipe in recipes.available().values():
        parameters = [p for p in estimator(recipe.name).parameters().values() if p.name not in _HIDDEN]
        entries = [
            ParameterEntry(
                name=p.name, default=_plain(p.default), help=p.help, must_be=p.rule.describe() if p.rule else "anything"
            )
            for p in parameters
        ]
        found.append(RecipeEntry(name=recipe.name, summary=recipe.summary, parameters=entries))
    return found


def likelihood_help() -> dict[str, str]:
    """The likelihoods to choose, and what each can score."""
    scored = {name: f"scores {c.support}" for name, c in likelihoods.LIKELIHOODS.items()}
    return {"auto": "picked by the data", **scored}


def _plain(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_plain(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
