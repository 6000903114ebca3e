"""Folder of an index: index.json, codes.safetensors, and graph.usearch if there is a graph.

index.json holds the SHA-256 of the other files, and a fingerprint of the model that made the codes.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.numpy import load_file

from narrows.data.atomic import atomic_path, write_tensors
from narrows.fitted import FittedModel
from narrows.version import __version__

FORMAT = 1
INDEX, CODES, GRAPH = "index.json", "codes.safetensors", "graph.usearch"
_ADDED_LATER = ("gaps", "constant")  # fields of a schema that older versions did not have


def write(folder: Path, index: dict[str, Any], codes: np.ndarray, graph: Any) -> None:
    """Write the settings of an index, its `codes` (n x L), and its `graph` unless that is None, into `folder`.

    Raises
    ------
    FileExistsError
        If `folder` is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"Cannot save an index to {folder}: it is a file. Name a folder.")
    folder.mkdir(parents=True, exist_ok=True)
    if graph is not None:
        with atomic_path(folder / GRAPH) as path:
            graph.save(path)
    else:
        (folder / GRAPH).unlink(missing_ok=True)
    with atomic_path(folder / CODES) as path:
        write_tensors(path, {"codes": torch.from_numpy(codes)}, metadata={"narrows": str(FORMAT)})
    document = {
        "format": FORMAT,
        "narrows": __version__,
        **index,
        "files": {name: _digest(folder / name) for name in (CODES, *([GRAPH] if graph is not None else []))},
    }
    with atomic_path(folder / INDEX) as path:
        path.write_text(json.dumps(document), encoding="utf-8")


def read(folder: Path, model: FittedModel) -> tuple[dict[str, Any], np.ndarray, Path | None]:
    """Return index.json of the index in `folder`, its codes (n x L), and the file of its graph or None.

    Raises
    ------
    FileNotFoundError, ValueError
        If `folder` holds no complete index, or one of another model.
    """
    document = describe(folder)
    if document["model"] != fingerprint(model):
        raise ValueError(
            f"The index in {folder} was made with another model, whose codes mean something else. Make it again "
            "with this one: Index(model).add(X)."
        )
    for name, digest in document["files"].items():
        if not (folder / name).exists() or _digest(folder / name) != digest:
            raise ValueError(f"{folder / name} is missing or not the one that was saved. Make the index again.")
    try:
        codes = load_file(folder / CODES)["codes"]
    except SafetensorError as error:
        raise ValueError(f"{folder / CODES} cannot be read ({error}). Make the index again.") from error
    return document, codes, folder / GRAPH if GRAPH in document["files"] else None


def describe(folder: Path) -> dict[str, Any]:
    """Return index.json of the index in `folder`.

    Raises
    ------
    FileNotFoundError, ValueError
        If `folder` holds no index of a known format.
    """
    path = Path(folder).expanduser() / INDEX
    if not path.exists():
        raise FileNotFoundError(f"No index at {folder}: it holds no {INDEX}. `save` or `narrows index` makes one.")
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if not {"format", "model", "metric", "exact", "recall", "width", "keys", "labels", "files"} <= set(document):
            raise ValueError("it lacks entries")
    except ValueError as error:
        raise ValueError(f"{path} is truncated or no index of narrows ({error}). Make it again.") from error
    if document["format"] > FORMAT:
        raise ValueError(f"{path} has format {document['format']}; this narrows reads up to {FORMAT}. Update narrows.")
    return document


def fingerprint(model: FittedModel) -> str:
    """Return a hash of everything that codes depend on: the weights and the schema, but not the model's folder."""
    values = model.schema_.to_dict()
    for name in ("version", "table", *(name for name in _ADDED_LATER if not values[name])):
        del values[name]  # so that an index of an older version is still known
    digest = hashlib.sha256(json.dumps(values, sort_keys=True).encode())
    for name, tensor in sorted(model.model_.state_dict().items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
