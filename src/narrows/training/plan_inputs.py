"""The inputs of `make_plan` in addition to the settings: properties of the model, the data and the machine."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from narrows.bottlenecks import Bottleneck
from narrows.data import Examples, MixingBuffer
from narrows.model import Autoencoder
from narrows.networks import Decoder, has_own_parts
from narrows.objectives import NeighborPairs, Objective
from narrows.training.device import default_n_threads, matmul_flops_per_second, measure_core_share
from narrows.training.flops import compile_saving, count_costs


@dataclass(frozen=True)
class PlanInputs:
    """Properties of the model, the data and the machine, on which the decisions of a training depend.

    Attributes
    ----------
    n_rows : number of examples, held-out ones included.
    bottleneck : the bottleneck of the model.
    neighbors : the near examples that the objective needs in batches, or None.
    has_neighbors : True if the data can find near examples.
    is_image : True if examples are images.
    is_resident : True if the data is on the device.
    starts_linear : True if the model has a linear path, which begins at PCA.
    has_own_parts : True if the model contains a user's module, whose Python code is unknown.
    has_compiler : True if there is a C++ compiler.
    flops_per_example : floating-point operations of a step, per example.
    kept_per_example : numbers that a step keeps of each example for its backward pass, at least.
    matmul_flops_per_second : floating-point operations per second of a matrix product of common size on the device.
    compile_saving : share of the training's time that compilation saves, in [0, 1].
    measure_core_share : returns the share of a core that this process gets beside other work, in (0, 1].
    n_processes : number of processes of the training.
    n_threads : number of threads of torch.
    resumed : precision, compile, threads and n_valid from the checkpoint to resume from; empty without one.
    n_buffer : number of rows in memory, of an iterator of `n_rows` rows; None for other rows.
    """

    n_rows: int
    bottleneck: Bottleneck
    neighbors: NeighborPairs | None = None
    has_neighbors: bool = True
    is_image: bool = False
    is_resident: bool = True
    starts_linear: bool = False
    has_own_parts: bool = False
    has_compiler: bool = True
    flops_per_example: float = 0.0
    kept_per_example: int = 0
    matmul_flops_per_second: float = 1e11
    compile_saving: float = 0.35
    measure_core_share: Callable[[], float] = lambda: 1.0
    n_processes: int = 1
    n_threads: int = 1
    resumed: Mapping[str, Any] = field(default_factory=dict)
    n_buffer: int | None = None


def gather_plan_inputs(
    model: Autoencoder,
    objective: Objective,
    rows: Examples,
    precision: torch.dtype,
    n_processes: int,
    resumed: Mapping[str, Any],
) -> PlanInputs:
    """Measure and count the inputs of a plan, for matrix products in `precision`."""
    costs = count_costs(model, objective, rows)
    return PlanInputs(
        n_rows=rows.n_examples if isinstance(rows, MixingBuffer) else len(rows),
        n_buffer=len(rows) if isinstance(rows, MixingBuffer) else None,
        bottleneck=model.bottleneck,
        neighbors=objective.neighbors,
        has_neighbors=rows.has_neighbors,
        is_image=rows.schema.kind == "image",
        is_resident=rows.resident,
        starts_linear=isinstance(model.decoder, Decoder) and model.decoder.linear_path is not None,
        has_own_parts=has_own_parts(model),
        has_compiler=shutil.which(os.environ.get("CXX", "g++")) is not None,
        flops_per_example=costs.flops,
        kept_per_example=costs.kept,
        matmul_flops_per_second=matmul_flops_per_second(rows.device, precision),
        compile_saving=compile_saving(model, rows.device),
        measure_core_share=measure_core_share,
        n_processes=n_processes,
        n_threads=default_n_threads(),
        resumed=resumed,
    )
