"""The preparation of a training: the model and the data go to their place, and the plan is made."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.data import Examples, Rows, Schema
from narrows.model import Autoencoder
from narrows.objectives import Objective
from narrows.training.batches import Batches
from narrows.training.facts import find_facts
from narrows.training.parallel import World
from narrows.training.plan import Plan, choose_place, make_plan
from narrows.training.settings import Settings


class Prepared(NamedTuple):
    """A model, what is minimised, and the data, each in its place; the plan, and the rows of each step."""

    model: Autoencoder
    objective: Objective
    rows: Examples
    plan: Plan
    batches: Batches


def prepare(
    model: Autoencoder,
    objective: Objective,
    X: np.ndarray | Examples,
    schema: Schema,
    labels: np.ndarray | None,
    settings: Settings,
    world: World,
    owner: str,
    resumed: Mapping[str, Any],
) -> Prepared:
    """Bring all to the device, and decide what is open.

    Parameters
    ----------
    owner : the class that trains, for error messages.
    resumed : the settings of the checkpoint that the training goes on from, or nothing.

    Raises
    ------
    ValueError
        If what was asked for cannot be had with these data on this machine.
    """
    place = choose_place(settings, sum(p.numel() for p in model.parameters()), world.size, resumed)
    # what was measured is not the same everywhere; each process has a device of its own
    place = replace(world.same(place), device=place.device)
    if place.sharded:  # the shares are taken of copies, which are brought back together at the end
        model, objective = copy.deepcopy((model, objective))
    first = torch.device("cpu") if place.sharded else place.device
    model, objective = model.to(first, place.dtype), objective.to(first, place.dtype)
    where = place.device, place.dtype
    rows: Examples = Rows(X, schema, *where, labels) if isinstance(X, np.ndarray) else X.on(*where)
    facts = find_facts(model, objective, rows, place.precision, world.size, resumed)
    plan = make_plan(settings, place, facts, owner)
    batches = Batches(plan, settings.seed)
    if plan.n_neighbors and plan.metric:
        rows.find_neighbors(plan.n_neighbors, batches.training, plan.metric)
    return Prepared(model, objective, rows, plan, batches)
