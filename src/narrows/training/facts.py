"""The facts that the decisions of a training depend on, beside its settings: known, counted and measured."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from narrows.bottlenecks import Bottleneck
from narrows.data import Examples
from narrows.model import Autoencoder
from narrows.networks import has_own_parts
from narrows.objectives import NeighborPairs, Objective
from narrows.training.device import matmul_flops_per_second, usual_threads
from narrows.training.flops import flops_per_example, saved_by_compiling


@dataclass(frozen=True)
class Facts:
    """The facts that the decisions of a training depend on, beside its settings and its place.

    Attributes
    ----------
    n_rows : examples, held-out ones among them.
    bottleneck : of the model.
    neighbors : the near examples that batches must bring, or None.
    has_neighbors : whether the data can tell which examples are near.
    is_image : whether examples are images.
    is_resident : whether the data lies on the device.
    has_own_parts : whether there is a user's module in the model, which may do in Python what nobody here knows of.
    has_compiler : whether a C++ compiler is at hand.
    flops_per_example : floating-point operations of a step, for each example.
    matmul_flops_per_second : the same a second, of a matrix product of common size on the device.
    saved_by_compiling : share of a training's time in [0, 1].
    n_processes : that train together.
    n_threads : that torch computes with.
    resumed : the settings of the checkpoint that the training goes on from: precision, compile, threads; or empty.
    """

    n_rows: int
    bottleneck: Bottleneck
    neighbors: NeighborPairs | None = None
    has_neighbors: bool = True
    is_image: bool = False
    is_resident: bool = True
    has_own_parts: bool = False
    has_compiler: bool = True
    flops_per_example: float = 0.0
    matmul_flops_per_second: float = 1e11
    saved_by_compiling: float = 0.35
    n_processes: int = 1
    n_threads: int = 1
    resumed: Mapping[str, Any] = field(default_factory=dict)


def find_facts(
    model: Autoencoder,
    objective: Objective,
    rows: Examples,
    precision: torch.dtype,
    n_processes: int,
    resumed: Mapping[str, Any],
) -> Facts:
    """Find out about a training on `rows`, whose matrix products are in `precision`."""
    return Facts(
        n_rows=len(rows),
        bottleneck=model.bottleneck,
        neighbors=objective.neighbors,
        has_neighbors=rows.has_neighbors,
        is_image=rows.schema.kind == "image",
        is_resident=rows.resident,
        has_own_parts=has_own_parts(model),
        has_compiler=shutil.which(os.environ.get("CXX", "g++")) is not None,
        flops_per_example=flops_per_example(model, objective, rows),
        matmul_flops_per_second=matmul_flops_per_second(rows.device, precision),
        saved_by_compiling=saved_by_compiling(model, rows.device),
        n_processes=n_processes,
        n_threads=usual_threads(),
        resumed=resumed,
    )
