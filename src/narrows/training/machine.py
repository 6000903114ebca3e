"""Decisions of a training that depend on the machine: sharding, threads, recorded and compiled steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Generic, NamedTuple, TypeVar

import torch

from narrows.data import free_bytes
from narrows.training.device import Choice
from narrows.training.plan_inputs import PlanInputs

_MIN_THREADED_FLOPS = 0.5e9  # floating-point operations per step; with fewer, one thread is used
_COMPILE_SECONDS = 12.0  # with an empty cache, on a core of its own
_COMPILE_SHARE = 0.25  # largest share of a time limit for compiling

_MODEL_BYTES = 16  # per weight, with its gradient and two moments
_MODEL_SHARE = 0.5  # largest share of the device's free memory that a model takes without sharding

_T = TypeVar("_T")


class Decision(NamedTuple, Generic[_T]):
    """A decided value, and the choices to report about it."""

    value: _T
    choices: tuple[Choice, ...] = ()


def choose_sharding(requested: bool | str, n_weights: int, device: torch.device, n_processes: int) -> Decision[bool]:
    """Decide whether each process holds a share of the model. One process reports nothing."""
    if n_processes == 1:
        return Decision(False, (Choice("sharded", "False", "there is one process"),) if requested is True else ())
    if requested != "auto":
        return Decision(bool(requested), (Choice("sharded", str(requested), "as asked"),))
    if device.type != "cuda":
        return Decision(False, (Choice("sharded", "False", "each process holds the whole model"),))
    needed, free = _MODEL_BYTES * n_weights, free_bytes(device)
    sharded = needed > _MODEL_SHARE * free
    reason = f"training takes {needed / 2**30:.1f} GiB for the model, and a GPU has {free / 2**30:.1f} GiB free"
    return Decision(sharded, (Choice("sharded", str(sharded), reason),))


def choose_threads(device: torch.device, step_flops: float, inputs: PlanInputs) -> Decision[int]:
    """Decide on the number of threads for a step of `step_flops` floating-point operations.

    Threads wait for each other several hundred times per step. Small steps gain nothing from them. If another process
    uses a core, each wait lasts until that process releases it: one training was ten times slower. A resumed training
    keeps its number of threads, because the order of sums depends on it.
    """
    n, before = inputs.n_threads, inputs.resumed.get("threads")
    if before is not None:
        return Decision(before, (Choice("threads", str(before), "as before the training was interrupted"),))
    if device.type != "cpu" or n == 1 or step_flops >= _MIN_THREADED_FLOPS:
        return Decision(n, (Choice("threads", str(n), "torch's own setting"),))
    reason = f"steps of {step_flops / 1e9:.2g} GFLOP gain nothing from more threads"
    return Decision(1, (Choice("threads", "1", reason),))


def choose_cuda_graph(requested: bool | str, device: torch.device, inputs: PlanInputs) -> Decision[bool]:
    """Decide whether a CUDA device records a step once and replays it. Other devices report nothing."""
    if device.type != "cuda":
        return Decision(False)
    reason_against = None
    if inputs.n_processes > 1:
        reason_against = f"{inputs.n_processes} processes train, and they communicate in each step"
    elif requested is False:
        reason_against = "compile=False was requested"
    elif not inputs.is_resident:
        reason_against = "the data does not fit on the device, and is copied batch by batch"
    if reason_against is not None:
        return Decision(False, (Choice("cuda_graphs", "False", reason_against),))
    reason = "all steps of this training run the same operations; compile=False turns this off"
    if inputs.has_own_parts:
        reason += ". Random numbers and counters of Python code in your module are recorded once, and then repeated"
    return Decision(True, (Choice("cuda_graphs", "True", reason),))


def choose_compile(
    requested: bool | str, device: torch.device, seconds: float, max_time: float | None, inputs: PlanInputs
) -> Decision[bool]:
    """Decide whether to compile the step.

    Parameters
    ----------
    seconds : predicted duration of the training without compilation.
    max_time : time limit of the training in seconds, or None.

    Raises
    ------
    ValueError
        If `compile=True` is requested with several processes.
    """
    n = inputs.n_processes
    if n > 1 and requested is True:
        raise ValueError(f"compile=True works with one process only, and {n} train. Leave `compile` out.")
    if n == 1:
        requested = resume_auto(requested, "compile", inputs.resumed)
    use, reason = False, "as asked"
    if n > 1:
        reason = f"{n} processes train, and they communicate in each step"
    elif requested != "auto":
        use = bool(requested)
        if use and max_time is not None and max_time < _COMPILE_SECONDS:
            reason += f"; compiling takes about {_COMPILE_SECONDS:.0f} s, more than the time limit"
    elif inputs.compile_saving == 0:
        reason = "on a CPU, a step of this network is slower when compiled"
    elif seconds * inputs.compile_saving <= _COMPILE_SECONDS:
        reason = f"training is predicted to take {seconds:.0f} s, too short to repay compiling"
    elif device.type == "cpu" and not inputs.has_compiler:
        reason = "it would save time, but there is no C++ compiler (g++)"
    elif (
        max_time is not None and (needed := _COMPILE_SECONDS / inputs.measure_core_share()) > _COMPILE_SHARE * max_time
    ):
        reason = f"beside the other work of this machine it would take about {needed:.0f} of the {max_time:g} s"
    else:
        use, reason = True, f"training is predicted to take {seconds:.0f} s, which repays compiling"
    return Decision(use, (Choice("compile", str(use), reason),))


def resume_auto(requested: Any, name: str, resumed: Mapping[str, Any]) -> Any:
    """Return the requested value, or for "auto" the checkpoint's, so that the training stays the same."""
    return resumed.get(name, requested) if requested == "auto" else requested
