"""Checkpoint files: {name: state} in one safetensors file. Its header holds all but the tensors, as JSON.

A checkpoint of a training holds the states of these components, which `narrows.training.loop` lists:

    training        fingerprint, seed, precision and the like, by which another training is refused
    batches         of an iterator: the position in it and the rows of its buffer
    weights         weights of the model and of opponents, and whether dead units are being revived
    objective       growth of the costs' weights
    optimizers      states of the optimizers
    sums            losses since the last validation
    averaging       running mean of the weights, where the kind of model takes one
    early_stopping  best weights, best loss, validations without improvement
    recovery        number of recoveries from NaN, whether the costs began anew
    schedule        start and end of the cool-down
    clock           step and seconds
    generators      states of the random generators
    tracking        name of the run
    result          history and notes

The order of other rows is not in it: it follows from the seed and the epoch.

The values of a state are tensors, dicts, and values that JSON can hold. A new file is written under a temporary name
and then renamed, so there is always a complete one. It contains no code. Files in the first layout can be read too.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from torch import Tensor

from narrows.data.atomic import atomic_path, write_tensors
from narrows.training import legacy_checkpoint

NAME = "checkpoint.safetensors"
_TENSOR = "tensor:"  # prefix, in the JSON, of a reference to a tensor


def pack(states: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of `states` by name, and a copy of `states` with references in place of the tensors."""
    tensors: dict[str, Tensor] = {}

    def pack_value(value: Any, name: str) -> Any:
        if isinstance(value, Tensor):
            tensors[name] = value
            return _TENSOR + name
        if isinstance(value, Mapping):
            return {key: pack_value(inner, f"{name}.{key}") for key, inner in value.items()}
        return value

    return tensors, {name: pack_value(state, name) for name, state in states.items()}


def unpack(tensors: Mapping[str, Tensor], states: Any) -> Any:
    """Return `states` with the tensors in place of the references: the inverse of `pack`."""
    if isinstance(states, str) and states.startswith(_TENSOR):
        return tensors[states.removeprefix(_TENSOR)]
    if isinstance(states, dict):
        return {key: unpack(tensors, inner) for key, inner in states.items()}
    return states


def write(path: Path, tensors: Mapping[str, Tensor], states: Mapping[str, Any]) -> None:
    """Write the output of `pack` to `path`, atomically.

    Raises
    ------
    OSError
        If the file cannot be written, for example on a full disk. A previous file at `path` then stays as it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    copies = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        write_tensors(temporary, copies, {"states": json.dumps(states)})


def read(path: Path) -> dict[str, Any]:
    """Return the states in the checkpoint at `path`.

    Raises
    ------
    ValueError
        If the file is not a complete checkpoint.
    """
    with _open(path) as (file, states):
        return unpack({name: file.get_tensor(name) for name in file.keys()}, states)  # noqa: SIM118 (no mapping)


def read_without_tensors(path: Path) -> dict[str, Any]:
    """Return the states with references in place of the tensors.

    Raises
    ------
    ValueError
        If the file is not a complete checkpoint.
    """
    with _open(path) as (_, states):
        return states


@contextlib.contextmanager
def _open(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if "states" in metadata:
                states = json.loads(metadata["states"])
            else:
                states = legacy_checkpoint.translate(json.loads(metadata["state"]), file.keys(), _TENSOR)
            yield file, states
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a complete checkpoint ({error}). Delete it to start this training again."
        ) from error
