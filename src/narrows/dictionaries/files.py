"""Files of other programs, read without running code from them: JSON, safetensors, torch's .pt, numpy's .npz."""

from __future__ import annotations

import json
import math
import pickle
import re
from collections.abc import Callable, Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

_FRONT_MATTER = re.compile(r"\A---\s*\n(.*?)\n---\s*(\n|\Z)", re.DOTALL)
_LICENCE = re.compile(r"^licen[sc]e:\s*[\"']?([^\s\"'#][^\"'#\n]*?)[\"']?\s*$", re.MULTILINE)
_MODEL = re.compile(r"^base_model:\s*[\"']?([^\s\"'#][^\"'#\n]*?)[\"']?\s*$", re.MULTILINE)
_PARENTS = 4  # a dictionary lies deep in the folder of its release, whose README.md names the licence


class Tensors(dict[str, Any]):
    """Tensors and plain values of one file, by name, with the file's path for messages."""

    def __init__(self, values: Mapping[str, Any], path: Path) -> None:
        super().__init__(values)
        self.path = path

    def take(self, *names: str) -> Tensor:
        """Return the first of the tensors `names` that is there, in float32 (float64 stays). Raises ValueError."""
        name = next((name for name in names if name in self), None)
        if name is None:
            raise ValueError(
                f"{self.path} lacks the tensor {names[0]}. It holds {', '.join(sorted(self)) or 'nothing'}. Copy the "
                "file again, or give a dictionary of a known format."
            )
        value = self[name]
        if not isinstance(value, Tensor):
            raise ValueError(f"{self.path}: {name} must be a tensor. Got {type(value).__name__}.")
        return value if value.dtype == torch.float64 else value.float()

    def take_optional(self, name: str) -> Tensor | None:
        """Return the tensor `name`, or None if it is not there."""
        return self.take(name) if name in self else None


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises FileNotFoundError, and ValueError if it is truncated or something else."""
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}, which describes the dictionary. Copy it again.")
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is truncated or not JSON ({error}). Copy it again.") from error
    if not isinstance(values, dict):
        raise ValueError(f"{path} must hold a JSON object. Got {type(values).__name__}.")
    return values


def read_tensors(path: Path) -> Tensors:
    """Read all tensors of a .safetensors, .pt, .pth or .npz file, onto the CPU.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is truncated, of another kind, or holds code.
    """
    read = _READERS.get(path.suffix)
    if read is None:
        raise ValueError(f"{path} must be a {', '.join(_READERS)} file, or a folder with one.")
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}.")
    return Tensors(read(path), path)


def _read_safetensors(path: Path) -> Mapping[str, Any]:
    try:
        # copies, because a tensor that is a view keeps the file mapped
        return {name: tensor.clone() for name, tensor in load_file(path).items()}
    except SafetensorError as error:
        raise ValueError(f"{path} is truncated or not a safetensors file ({error}). Copy it again.") from error


def _read_pt(path: Path) -> Mapping[str, Any]:
    try:
        values = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"(?:GLOBAL|global:?|Unsupported class|type) ([\w.]+\.[\w.]+)", str(error))
        what = f" ({found.group(1)})" if found else ""
        if found is None and "nsupported" not in str(error):
            raise ValueError(f"{path} is truncated or not a file of torch ({_first_line(error)}).") from error
        raise ValueError(
            f"{path} holds Python code{what} besides tensors. narrows does not run code from a file: save its "
            "state_dict() with the program that made it."
        ) from error
    except Exception as error:  # of bytes that are not what torch's reader expects, which may raise any error
        raise ValueError(
            f"{path} is truncated or not a file of torch ({_first_line(error)}). Copy it again."
        ) from error
    if not isinstance(values, Mapping):
        raise ValueError(f"{path} must hold tensors by name. Got {type(values).__name__}.")
    return {str(name): value for name, value in values.items()}


def _read_npz(path: Path) -> Mapping[str, Any]:
    try:
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: torch.from_numpy(np.ascontiguousarray(archive[name])) for name in archive.files}
    except Exception as error:  # as for torch's
        if isinstance(error, ValueError) and "allow_pickle" in str(error):
            raise ValueError(
                f"{path} holds Python objects besides arrays ({_first_line(error)}). narrows does not run code from a "
                "file."
            ) from error
        raise ValueError(f"{path} is truncated or not an .npz file ({_first_line(error)}). Copy it again.") from error


_READERS: dict[str, Callable[[Path], Mapping[str, Any]]] = {
    ".safetensors": _read_safetensors,
    ".pt": _read_pt,
    ".pth": _read_pt,
    ".npz": _read_npz,
}


def find_licence(folder: Path) -> dict[str, str]:
    """Return what the README.md of a release says in its first lines: `license`, and `base_model` as `model_name`.

    It is looked for in `folder` and the folders above it. It is empty without one.
    """
    for place in (folder, *list(folder.resolve().parents)[:_PARENTS]):
        path = place / "README.md"
        front = _FRONT_MATTER.match(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else None
        if front is None:
            continue
        found = {"license": _LICENCE.search(front.group(1)), "model_name": _MODEL.search(front.group(1))}
        if found["license"] is not None:
            return {name: match.group(1) for name, match in found.items() if match is not None}
    return {}


def known(config: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    """Return the entries of `config` that are there, by the names of narrows' metadata."""
    return {new: config[old] for old, new in names.items() if config.get(old) is not None}


def read_whole(value: Any, name: str, path: Path) -> int:
    """Return an int, or raise ValueError."""
    number = value.item() if isinstance(value, Tensor) and value.numel() == 1 else value
    is_number = isinstance(number, (int, float)) and not isinstance(number, bool) and math.isfinite(number)
    if not is_number or number != int(number):
        raise ValueError(f"{path} must name {name}, an int. Got {value!r}.")
    return int(number)


def read_object(config: Mapping[str, Any], name: str, path: Path) -> dict[str, Any]:
    """Return an object within an object of JSON, empty if it is not there. Raises ValueError for something else."""
    value = config.get(name)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{path}: {name} must be an object. Got {value!r}.")
    return value or {}


def is_in(value: Any, table: Mapping[Any, Any]) -> bool:
    """Return True if a value of JSON is a key of `table`; a list is none."""
    return isinstance(value, Hashable) and value in table


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
