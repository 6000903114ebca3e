"""State of the studio: the model, its data, other models of the session, recipes and data sets."""

from __future__ import annotations

import functools
import json
import shlex
from typing import Any

import numpy as np
from fastapi import APIRouter, HTTPException

from narrows import likelihoods, recipes
from narrows.corruptions import NOISES
from narrows.data import named
from narrows.estimators import estimator
from narrows.studio import cells
from narrows.studio.jobs import Jobs
from narrows.studio.messages import (
    CellColumn,
    ClassName,
    DatasetEntry,
    DataState,
    FindingEntry,
    Health,
    Limits,
    ModelEntry,
    ModelState,
    Panel,
    ParameterEntry,
    RecipeEntry,
    State,
)
from narrows.studio.routes.dependencies import MAX_ROWS, CurrentView, JobsDep, SessionDep
from narrows.studio.routes.responses import document_errors
from narrows.studio.session import Session
from narrows.studio.view import View
from narrows.version import __version__

router = APIRouter(prefix="/api")
_HIDDEN = (
    "checkpoint",
    "track",
    "verbose",
    "device",
    "compile",
    "sharded",
    "buffer_size",
    "network",
    "columns",
)  # parameters not on the page
MAX_DIALS = 512


@router.get("/health")
async def check_health() -> Health:
    """Answer, to show that the server is running."""
    return Health(status="ok")


@router.get("/state")
def get_state(session: SessionDep, jobs: JobsDep) -> State:
    """Return everything that the page needs at its start."""
    return build_state(session, jobs)


@router.post("/class", responses=document_errors(400, 404, 413, 422))
def choose_class(session: SessionDep, view: CurrentView, jobs: JobsDep, body: ClassName) -> State:
    """Choose the class that a conditional model decodes from now on."""
    if view.classes is None:
        raise HTTPException(404, "This model is not conditional: it has no classes.")
    if body.name not in view.classes:
        raise HTTPException(404, "The model has no such class.")
    view.class_index = view.classes.index(body.name)
    return build_state(session, jobs)


def build_state(session: Session, jobs: Jobs) -> State:
    """Return the state of a session."""
    view, running = session.current, jobs.running
    return State(
        version=session.version,
        instance=session.instance,
        narrows=__version__,
        model=_describe_model(view, jobs) if view else None,
        data=_describe_data(view) if view and view.data else None,
        training=running.id if running else None,
        keeps=session.keep is not None,
        models=[_describe_entry(session, v) for v in list(session.views.values())],
        deleted=[_describe_entry(session, v) for v in list(session.deleted.values())],
        datasets=_list_datasets(),
        recipes=_list_recipes(),
        limits=Limits(upload_bytes=jobs.upload_bytes, dials=MAX_DIALS, rows=MAX_ROWS),
    )


def _describe_entry(session: Session, view: View) -> ModelEntry:
    return ModelEntry(
        id=view.id,
        name=view.name,
        recipe=view.model.recipe.name,
        current=view is session.current,
        saved=view.is_saved,
        data=view.data.name if view.data else None,
        n_components=view.n_components,
        path=str(view.path) if view.path else None,
        owned=session.owns(view),
    )


def _describe_model(view: View, jobs: Jobs) -> ModelState:
    model, limits = view.model, view.schema.limits if view.is_image else None
    path = str(view.path) if view.path else None
    command = ["narrows", "studio", path or "FOLDER"]
    if view.data and view.data.source:
        command.append(view.data.source)
    return ModelState(
        name=view.name,
        recipe=model.recipe.name,
        title=type(model).__name__,
        summary=model.recipe.summary,
        kind=cells.kind_of(view.schema),
        shape=list(view.shape),
        columns=view.columns,
        cells=_describe_cells(view),
        n_components=view.n_components,
        has_code=view.has_code,
        decodes_codes=view.decodes_codes,
        stochastic=view.is_stochastic,
        sparse=view.is_sparse,
        can=_list_panels(view),
        low=limits[0] if limits else None,
        high=limits[1] if limits else None,
        noises=list(NOISES),
        noise=getattr(model, "noise", "gaussian"),
        description=view.schema.describe(),
        report=[str(line) for line in getattr(model, "report_", [])],
        verdict=model.verdict_,
        findings=[FindingEntry(**finding._asdict(), setting=finding.setting) for finding in model.findings_],
        job=view.job,
        more_seconds=jobs.jobs[view.job].more_seconds if view.job in jobs.jobs else None,
        path=path,
        saved=view.is_saved,
        python=f"import narrows\n\nmodel = narrows.load({json.dumps(path or 'FOLDER')})",
        command=shlex.join(command),
        classes=view.classes,
        class_=None if view.classes is None or view.class_index is None else view.classes[view.class_index],
    )


def _describe_cells(view: View) -> list[CellColumn] | None:
    described = cells.describe_columns(view.schema)
    return None if described is None else [CellColumn(**column._asdict()) for column in described]


def _list_panels(view: View) -> list[Panel]:
    """Return the panels that make sense with this model and its data."""
    has_code, has_data = view.has_code, view.data is not None
    is_shown: dict[Panel, bool] = {
        "dials": view.decodes_codes,
        "fill": view.predicts_hidden,
        "map": has_code and has_data,
        "clean": view.is_image or has_data,
        "units": view.is_sparse and has_data,
        "outliers": has_data,
        "search": has_code and has_data,
        "report": has_data,
    }
    return [panel for panel in is_shown if is_shown[panel]]


def _describe_data(view: View) -> DataState:
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
        description=f"{len(data):,} {'rows of ' if view.is_table else ''}{view.schema.describe()}",
    )


def _list_datasets() -> list[DatasetEntry]:
    """Return the named data sets that are on this machine. Nothing is downloaded."""
    return [
        DatasetEntry(name=dataset.name, summary=dataset.summary, n=dataset.n_train)
        for dataset in named.NAMES.values()
        if not dataset.files or named.find(dataset.name)
    ]


@functools.cache
def _list_recipes() -> list[RecipeEntry]:
    entries = []
    for recipe in recipes.available().values():
        parameters = [
            ParameterEntry(
                name=p.name,
                default=_to_json(p.default),
                help=p.help,
                must_be=p.rule.describe() if p.rule else "anything",
            )
            for p in estimator(recipe.name).parameters().values()
            if p.name not in _HIDDEN
        ]
        entries.append(
            RecipeEntry(name=recipe.name, summary=recipe.summary, tabular=recipe.is_tabular, parameters=parameters)
        )
    return entries


def describe_likelihoods() -> dict[str, str]:
    """Return the help text of each likelihood that can be chosen, by name."""
    helps = {name: f"scores {c.support}" for name, c in likelihoods.LIKELIHOODS.items()}
    return {"auto": "chosen from the data", **helps}


def _to_json(value: Any) -> Any:
    if isinstance(value, (tuple, list)):
        return [_to_json(v) for v in value]
    return value.item() if isinstance(value, np.generic) else value
