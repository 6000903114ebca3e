"""The preparation of a training: model and data are moved to the device, and the plan is made."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.data import Examples, MappedRows, Rows, Schema
from narrows.model import Autoencoder, needs_gradient
from narrows.objectives import Objective
from narrows.renamed import warn
from narrows.training import memory
from narrows.training.batches import Batches, make_batches
from narrows.training.linear_start import start_linear, start_prior
from narrows.training.parallel import World
from narrows.training.plan import Plan, choose_place, make_plan
from narrows.training.plan_inputs import gather_plan_inputs
from narrows.training.settings import Settings


class Prepared(NamedTuple):
    """The model, the objective and the data on their device; the plan, and the rows of each step."""

    model: Autoencoder
    objective: Objective
    rows: Examples
    plan: Plan
    batches: Batches


def prepare(
    model: Autoencoder,
    objective: Objective,
    X: np.ndarray | MappedRows | Examples,
    schema: Schema,
    labels: np.ndarray | None,
    settings: Settings,
    world: World,
    owner: str,
    resumed: Mapping[str, Any],
) -> Prepared:
    """Move model and data to the device, and make the plan.

    Parameters
    ----------
    owner : name of the estimator, for error messages.
    resumed : settings from the checkpoint to resume from; empty without one.

    Raises
    ------
    ValueError
        If the settings do not fit the model, the data or the machine, or the training does not fit into its memory.
    """
    place = choose_place(settings, sum(p.numel() for p in model.parameters()), world.size, resumed)
    # measurements differ between processes, so rank 0 decides; each process has its own device
    place = replace(world.broadcast(place), device=place.device)
    if place.is_sharded and (needs_gradient(model) or needs_gradient(objective)):
        raise ValueError(
            f"The `sharded` parameter of {owner} must be False: its loss contains gradients of the networks, whose "
            "weights each process must then hold whole. Pass sharded=False."
        )
    if place.is_sharded:  # copies are sharded; the weights return to the originals at the end
        model, objective = copy.deepcopy((model, objective))
    elif place.device.type == "cuda":
        memory.check_step(model, objective, device=place.device, owner=owner, n_copies=5)
    initial_device = torch.device("cpu") if place.is_sharded else place.device
    model, objective = model.to(initial_device, place.dtype), objective.to(initial_device, place.dtype)
    rows: Examples = (
        X.on(place.device, place.dtype)
        if not isinstance(X, (np.ndarray, MappedRows))
        else Rows(X, schema, place.device, place.dtype, labels)
    )
    inputs = gather_plan_inputs(model, objective, rows, place.precision, world.size, resumed)
    plan = make_plan(settings, place, inputs, owner)
    if not place.is_sharded:
        memory.check_step(
            model,
            objective,
            device=place.device,
            owner=owner,
            batch_size=math.ceil(plan.batch_size / world.size),
            # a compiled step may compute its parts again rather than keep them
            kept_bytes=0 if plan.use_compile else inputs.kept_per_example * place.precision.itemsize,
        )
    batches = make_batches(plan, settings.seed, rows)
    objective.start(inputs.n_rows - len(batches.held_out))
    if plan.n_neighbors and plan.metric:
        find = getattr(rows, "find_neighbors", None)
        if find is None:
            warn(type(rows).__name__, "find_neighbours", "find_neighbors", stacklevel=2)
            find = getattr(rows, "find_neighbours")  # noqa: B009 (the protocol does not know it)
        find(plan.n_neighbors, batches.training, plan.metric)
    start = None if resumed else start_linear(model, objective, rows, batches)
    if not resumed:
        start_prior(model, objective, rows, batches)
    if start is not None:
        plan = replace(plan, choices=(*plan.choices, start), is_started=True)
    return Prepared(model, objective, rows, plan, batches)
