"""A checkpoint is {name: state} in one safetensors file: the tensors, and everything else as JSON in its header.

A state is a dict whose values are tensors, dicts, and what JSON knows. The file is written beside and renamed, so there
is always a whole one. Nothing in it is code. Files of an earlier layout are read, too.
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
from narrows.training import first_layout

NAME = "checkpoint.safetensors"
_TENSOR = "tensor:"  # begins what stands in the JSON for a tensor of that name


def pack(states: Mapping[str, Any]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors of `states` by name, and `states` with those names in their places."""
    tensors: dict[str, Tensor] = {}

    def packed(value: Any, name: str) -> Any:
        if isinstance(value, Tensor):
            tensors[name] = value
            return _TENSOR + name
        if isinstance(value, Mapping):
            return {key: packed(inner, f"{name}.{key}") for key, inner in value.items()}
        return value

    return tensors, {name: packed(state, name) for name, state in states.items()}


def unpack(tensors: Mapping[str, Tensor], states: Any) -> Any:
    """Undo `pack`."""
    if isinstance(states, str) and states.startswith(_TENSOR):
        return tensors[states.removeprefix(_TENSOR)]
    if isinstance(states, dict):
        return {key: unpack(tensors, inner) for key, inner in states.items()}
    return states


def write(path: Path, tensors: Mapping[str, Tensor], states: Mapping[str, Any]) -> None:
    """Write what `pack` gives to `path`, atomically.

    Raises
    ------
    OSError
        If the disk is full, for example; what stood at `path` is untouched then.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    with atomic_path(path) as temporary:
        write_tensors(temporary, whole, {"states": json.dumps(states)})


def read(path: Path) -> dict[str, Any]:
    """Return the states in the checkpoint at `path`.

    Raises
    ------
    ValueError
        If the file is no whole checkpoint.
    """
    with _opened(path) as (file, states):
        return unpack({name: file.get_tensor(name) for name in file.keys()}, states)  # noqa: SIM118 (no mapping)


def read_without_tensors(path: Path) -> dict[str, Any]:
    """Return the states with names in the places of tensors; it raises what `read` raises."""
    with _opened(path) as (_, states):
        return states


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, Any]]]:
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            if "states" in metadata:
                states = json.loads(metadata["states"])
            else:
                states = first_layout.translate(json.loads(metadata["state"]), file.keys(), _TENSOR)
            yield file, states
    except (SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise ValueError(
            f"{path} is not a whole checkpoint ({error}). Delete it to start this training anew."
        ) from error
