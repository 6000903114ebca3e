"""Requests for a training: their parameters are checked, changed for the next try, and named."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from narrows.data import Schema
from narrows.estimators import estimator
from narrows.params import did_you_mean
from narrows.recipes import Parts
from narrows.studio.messages import TrainingRequest
from narrows.training import NotEnoughMemory

_FIELDS = ("max_time", "max_epochs", "n_components", "likelihood")  # parameters that are fields of the request
# parameters that the page cannot set, or that are fields of the request
_RESERVED = ("checkpoint", "track", "verbose", "device", "sharded", "columns", *_FIELDS)
_MAX_NAME = 100  # characters


def check_parameters(request: TrainingRequest, is_image: bool) -> dict[str, Any]:
    """Return the checked parameters of the estimator.

    Raises
    ------
    ValueError
        If one of them is invalid, or the recipe does not suit images.
    """
    cls = estimator(request.recipe)
    if cls.recipe.is_tabular and is_image:
        raise ValueError(f"{cls.__name__} learns from tables only, and the upload holds images. Choose another recipe.")
    declared = cls.parameters()
    settable = [name for name in declared if name not in _RESERVED]
    for name in request.parameters:
        if name not in settable:
            raise ValueError(f"{cls.__name__} has no parameter {name!r} to set here. {did_you_mean(name, settable)}")
    values = {
        **request.parameters,
        "max_time": request.max_time,
        "max_epochs": request.max_epochs or "auto",
    }
    if "likelihood" in declared:
        values["likelihood"] = request.likelihood
    if request.n_components is not None:
        values["n_components"] = request.n_components
    for name, value in values.items():
        declared[name].check(cls.__name__, value)
    return {"random_state": 0, **values}


def change_request(request: TrainingRequest, name: str, words: str, change: Mapping[str, Any]) -> TrainingRequest:
    """Return the request with other values of the estimator's parameters.

    Parameters
    ----------
    name : name of the model so far.
    words : what is other about the new one, for its name.
    change : values by name.

    Raises
    ------
    ValueError
        If a value is invalid for a field of the request; `check_parameters` checks all others.
    """
    fields = {name: value for name, value in change.items() if name in _FIELDS}
    parameters = {name: value for name, value in change.items() if name not in _FIELDS}
    name = f"{name.partition(', ')[0]}, {words}"[:_MAX_NAME]
    values = {**request.model_dump(), **fields, "parameters": {**request.parameters, **parameters}, "name": name}
    return TrainingRequest.model_validate(values)


def assemble(recipe: str, parameters: Mapping[str, Any], schema: Schema, n_rows: int) -> Parts | None:
    """Return the model that a training on `n_rows` rows would begin with; None if it cannot be built.

    Then the training says why.

    Raises
    ------
    ValueError
        If it does not fit into memory.
    """
    cls = estimator(recipe)
    if cls.recipe.is_tabular:  # it is built from the bins of its columns
        return None
    model = cls(**parameters)
    model.schema_ = schema
    try:
        return model._assemble(0, n_rows)
    except NotEnoughMemory:
        raise
    except (ValueError, TypeError):
        return None


def new_folder(parent: Path, request: TrainingRequest, source: str) -> Path:
    """Return a path for the model that does not exist yet, named after the training."""
    title = request.name or f"{Path(source).stem}-{request.recipe}"
    name = re.sub(r"[^A-Za-z0-9]+", "-", title).strip("-").lower()[:48] or "model"
    number, path = 2, parent / name
    while path.exists():
        path, number = parent / f"{name}-{number}", number + 1
    return path
