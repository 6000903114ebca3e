"""A checkpoint is one safetensors file: the tensors, and everything else as JSON in its header.

It is written beside and renamed, so there is always a whole one. Nothing in it is code.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from narrows.data.atomic import atomic_path, write_tensors
from narrows.training.sharding import is_shared_out, laid_out, wholes

if TYPE_CHECKING:
    from narrows.training.loop import Trainer  # for the annotation only: the loop stands above

NAME = "checkpoint.safetensors"


@dataclass
class Position:
    """Where a training stands, beside its tensors, its schedule and its objective.

    Attributes
    ----------
    step : steps done.
    waited : looks at the held-out loss since the last that was an improvement.
    rescues : times that the training was set back because its loss was not finite.
    restarted : whether the costs have begun again from 0 after a posterior collapse.
    best_loss : held-out, nats per example.
    """

    step: int = 0
    waited: int = 0
    rescues: int = 0
    restarted: bool = False
    best_loss: float = math.inf


def gather(trainer: Trainer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Everything that the rest of a training depends on: tensors, and what is JSON-able."""
    learning = trainer.learning
    tensors = {
        **trainer.model.state_dict(prefix="model."),
        **trainer.objective.state_dict(prefix="objective."),
        **optimizer_tensors(learning.optimizer),
        **{f"best.{name}": t for name, t in trainer.best.items()},
        **{f"sum.{name}": t for name, t in learning.sums.items()},
        "limiter.mean": learning.limiter.mean,
        **{f"generator.{name}": state for name, state in trainer.stream.state().items()},
    }
    if trainer.sharded:
        tensors = wholes(tensors, keep=trainer.world.rank == 0)
    state = {
        "fingerprint": trainer.fingerprint,
        "seed": trainer.settings.seed,
        **_setting(trainer),
        "threads": trainer.threads,
        "processes": trainer.world.size,
        "over": trainer.schedule.over(trainer.at.step, trainer.seconds),
        "position": asdict(trainer.at),
        "summed": learning.summed,
        "seconds": trainer.seconds,
        "reviving": trainer.model.bottleneck.reviving,
        "schedule": trainer.schedule.state(),
        "objective": trainer.objective.state(),
        "run": trainer.tracking.name,
        "history": trainer.result.history,
        "notes": trainer.result.notes,
    }
    return tensors, state


def _setting(trainer: Trainer) -> dict[str, Any]:
    """What must be the same for a training to go on to the same weights."""
    return {"precision": str(trainer.precision).removeprefix("torch."), "compile": trainer.compiled}


def restore(trainer: Trainer, tensors: dict[str, Tensor], state: dict[str, Any], path: Path) -> None:
    """Put `trainer` where it stood when it gathered `tensors` and `state`, which were found at `path`.

    Raises
    ------
    ValueError
        If they are of another training, or of one with another precision.
    """
    if state["fingerprint"] != trainer.fingerprint:
        raise ValueError(
            f"{path} is the checkpoint of another training: its data or its parameters differ from this one's. "
            "Pass another folder as `checkpoint`, or delete that file to start anew."
        )
    for name, mine in _setting(trainer).items():
        # several processes never compile; with another number of them the weights differ by rounding anyway
        if state[name] != mine and (name != "compile" or state["processes"] == trainer.world.size):
            raise ValueError(
                f"{path} was trained with {name}={state[name]!r}, and this run has {mine!r}. Pass "
                f"{name}={state[name]!r} to go on."
            )
    learning, device = trainer.learning, trainer.device
    here = {**trainer.model.state_dict(prefix="model."), **trainer.objective.state_dict(prefix="objective.")}
    mine = {name: laid_out(tensors[name], like) for name, like in here.items()}
    trainer.model.load_state_dict(under("model", mine))
    trainer.objective.load_state_dict(under("objective", mine))
    restore_optimizer(learning.optimizer, tensors)
    trainer.best = {name: laid_out(t.to(device), here[name]) for name, t in under("best", tensors).items()}
    learning.sums = {name: t.to(device) for name, t in under("sum", tensors).items()}
    learning.summed = state["summed"]
    learning.limiter.mean = tensors["limiter.mean"].to(device)
    trainer.at = Position(**state["position"])
    trainer.clock.restore(trainer.at.step, state["seconds"])
    trainer.model.bottleneck.reviving = state["reviving"]
    trainer.schedule.restore(state["schedule"])
    trainer.objective.restore(state["objective"])
    trainer.result.history, trainer.result.notes = state["history"], state["notes"]
    trainer.tracking.name = state.get("run", trainer.tracking.name)
    trainer.stream.restore(under("generator", tensors))


def write(path: Path, tensors: dict[str, Tensor], state: dict[str, Any]) -> None:
    """Write `tensors` and the JSON-able `state` to `path`, atomically.

    Raises
    ------
    OSError
        If the disk is full, for example; what stood at `path` is untouched then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        write_tensors(temporary, whole, {"state": json.dumps(state)})


def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the state of the checkpoint at `path`.

    Raises
    ------
    ValueError
        If the file is no whole checkpoint.
    """
    with _opened(path) as file:
        state = json.loads(file.metadata()["state"])
        return {name: file.get_tensor(name) for name in file.keys()}, state  # noqa: SIM118 (no mapping)


def read_state(path: Path) -> dict[str, Any]:
    """The state alone; it raises what `read` raises."""
    with _opened(path) as file:
        return json.loads(file.metadata()["state"])


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with safe_open(path, framework="pt") as file:
            yield file
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a whole checkpoint ({error}). Delete it to start this training anew."
        ) from error


def under(prefix: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin with `prefix` and a dot, without it."""
    return {name[len(prefix) + 1 :]: t for name, t in tensors.items() if name.startswith(prefix + ".")}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's state as tensors named by parameter number and entry."""
    state = optimizer.state_dict()["state"]
    return {f"optimizer.{i}.{key}": torch.as_tensor(v) for i, entry in state.items() for key, v in entry.items()}


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: dict[str, Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    state: dict[int, dict[str, Tensor]] = {}
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, tensor in under("optimizer", tensors).items():
        number, key = name.split(".", 1)
        like = parameters[int(number)]
        state.setdefault(int(number), {})[key] = _beside(tensor, like) if tensor.shape == like.shape else tensor
    optimizer.load_state_dict({**optimizer.state_dict(), "state": state})


def _beside(tensor: Tensor, like: Tensor) -> Tensor:
    """`tensor` in the order in memory of a parameter: the fused optimizer goes through both at once."""
    if is_shared_out(like):
        return laid_out(tensor, like)
    return torch.empty_like(like, dtype=tensor.dtype, device=tensor.device, requires_grad=False).copy_(tensor)
