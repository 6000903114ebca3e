"""Save a fitted model as a folder of recipe.json, weights.safetensors and a model card (README.md). No pickles.

What people write about a model, such as names of its units, is in a file of its own, notes.json.

The first two files are written under temporary names and then renamed, the weights first. recipe.json contains the
SHA-256 of the weights, so weights of another model are refused. After a crash between the two renames, the new
recipe.json still exists under its temporary name, and `read` uses it.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from narrows.data.atomic import atomic_path, write_tensors

FORMAT = 1
RECIPE, WEIGHTS, CARD = "recipe.json", "weights.safetensors", "README.md"
NOTES = "notes.json"
_PENDING = ".recipe.json.new"
_EDITING = threading.Lock()  # of notes


def write(
    folder: Path,
    recipe: dict[str, Any],
    tensors: dict[str, Tensor],
    card: str,
    units: Mapping[int, str] = MappingProxyType({}),
) -> None:
    """Write a model into `folder`. The folder is created if needed; an older model in it is replaced.

    Parameters
    ----------
    folder : target folder.
    recipe : contents of recipe.json.
    tensors : weights and other arrays by name, on any device.
    card : text of README.md.
    units : names of units for notes.json, by number. Older notes are about an older model, and are replaced.

    Raises
    ------
    FileExistsError
        If `folder` is a file, or contains a recipe.json or a README.md that narrows did not write.
    OSError
        If writing fails, for example on a full disk. An older model in `folder` is then unchanged.
    """
    folder = folder.expanduser()
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"Cannot save a model to {folder}: it is a file. Name a folder.")
    if (folder / RECIPE).exists() and not (folder / WEIGHTS).exists() and not _is_recipe(folder / RECIPE):
        raise FileExistsError(
            f"Cannot save a model to {folder}: its {RECIPE} was not written by narrows. Name another folder."
        )
    if (folder / CARD).exists() and not (folder / RECIPE).exists():
        raise FileExistsError(
            f"Cannot save a model to {folder}: its {CARD} was not written by narrows. Name another folder."
        )
    folder.mkdir(parents=True, exist_ok=True)
    copies = {name: t.detach().cpu().clone().contiguous() for name, t in tensors.items()}
    with atomic_path(folder / WEIGHTS) as weights:
        write_tensors(weights, copies, metadata={"narrows": str(FORMAT)})
        text = json.dumps({"format": FORMAT, **recipe, "weights_sha256": _digest(weights)}, indent=1)
        with atomic_path(folder / _PENDING) as pending:
            pending.write_text(text, encoding="utf-8")
    os.replace(folder / _PENDING, folder / RECIPE)
    with atomic_path(folder / CARD) as path:
        path.write_text(card, encoding="utf-8")
    write_notes(folder, Notes(units=units))


def read(folder: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Read the recipe and the tensors of the model in `folder`.

    Raises
    ------
    FileNotFoundError
        If there is no complete model.
    ValueError
        If it is truncated, has a newer format, or its weights belong to another model.
    """
    folder = folder.expanduser()
    recipe = describe(folder)
    weights = folder / WEIGHTS
    if not weights.exists():
        raise FileNotFoundError(f"{folder} has a {RECIPE} but no {WEIGHTS}: the model is not complete. Copy it again.")
    digest = _digest(weights)
    if digest != recipe["weights_sha256"]:
        pending = folder / _PENDING
        newer = _parse(pending) if pending.exists() else {}
        if newer.get("weights_sha256") != digest:
            raise ValueError(
                f"{weights} is truncated or belongs to another model: its SHA-256 is not the one in {RECIPE}. "
                "Restore both files from one save."
            )
        recipe = newer
    try:
        # copies, because a tensor that is a view keeps the file mapped, and Windows cannot replace a mapped file
        return recipe, {name: tensor.clone() for name, tensor in load_file(weights).items()}
    except SafetensorError as error:
        raise ValueError(f"{weights} cannot be read ({error}). Restore it from a copy.") from error


def describe(folder: Path) -> dict[str, Any]:
    """Read recipe.json of the model in `folder` and check its format, without reading the weights.

    Raises
    ------
    FileNotFoundError
        If there is no model.
    ValueError
        If recipe.json is truncated, lacks an entry, or has a newer format.
    """
    folder = folder.expanduser()
    path = folder / RECIPE
    if not path.exists() and (folder / WEIGHTS).exists() and (folder / _PENDING).exists():
        path = folder / _PENDING
    if not path.exists():
        reason = "no such folder" if not folder.exists() else f"it holds no {RECIPE}"
        raise FileNotFoundError(f"No narrows model at {folder}: {reason}. `save` or `narrows fit --out` makes one.")
    recipe = _parse(path)
    if recipe["format"] > FORMAT:
        raise ValueError(
            f"{path} has format {recipe['format']}, written by narrows {recipe.get('narrows', '?')}; this version "
            f"reads formats up to {FORMAT}. Update narrows: pip install -U narrows."
        )
    return recipe


@dataclass(frozen=True)
class Notes:
    """Notes that people write about a model.

    Attributes
    ----------
    name : display name of the model; "" for the name of its folder.
    units : names of units of a sparse code, by number.
    """

    name: str = ""
    units: Mapping[int, str] = field(default_factory=dict)


def read_notes(folder: Path) -> Notes:
    """Read the notes about the model in `folder`; empty ones if there are none.

    Raises
    ------
    ValueError
        If notes.json does not hold notes.
    """
    path = folder.expanduser() / NOTES
    if not path.exists():
        return Notes()
    try:
        notes = json.loads(path.read_text(encoding="utf-8"))
        name, units = notes.get("name", ""), {int(unit): text for unit, text in notes.get("units", {}).items()}
        if not all(isinstance(text, str) for text in (name, *units.values())):
            raise TypeError("a name must be text")
    except (ValueError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} does not hold notes about a model ({error}). Restore it from a copy, or delete it: the model does "
            "not need it."
        ) from error
    return Notes(name, units)


def edit_notes(folder: Path, *, name: str | None = None, units: Mapping[int, str] = MappingProxyType({})) -> Notes:
    """Change the name of the model in `folder`, or names of units ("" takes one away). Return the new notes.

    What else the notes hold stays, also what another thread of this process has just written.

    Raises
    ------
    ValueError, OSError
        As for `read_notes` and `write_notes`.
    """
    with _EDITING:
        notes = read_notes(folder)
        named = {unit: text for unit, text in {**notes.units, **units}.items() if text}
        notes = Notes(notes.name if name is None else name, named)
        write_notes(folder, notes)
    return notes


def write_notes(folder: Path, notes: Notes) -> None:
    """Write the notes about the model in `folder`; no other file changes. Empty notes have no file.

    Raises
    ------
    OSError
        If writing fails, for example because the folder may only be read. Older notes are then unchanged.
    """
    path = folder.expanduser() / NOTES
    units = {str(unit): text for unit, text in sorted(notes.units.items()) if text}
    if not notes.name and not units:
        path.unlink(missing_ok=True)
        return
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps({"name": notes.name, "units": units}, indent=1), encoding="utf-8")


def _parse(path: Path) -> dict[str, Any]:
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is truncated or not JSON ({error}). Restore it from a copy.") from error
    if not isinstance(recipe, dict) or not isinstance(recipe.get("format"), int):
        raise ValueError(f"{path} is not a recipe of narrows: it has no `format`.")
    missing = sorted({"recipe", "parameters", "schema", "fitted", "weights_sha256"} - set(recipe))
    if missing and recipe["format"] <= FORMAT:
        raise ValueError(
            f"{path} is not a complete recipe of narrows: it lacks {missing[0]!r}. Restore it from a copy."
        )
    return recipe


def _is_recipe(path: Path) -> bool:
    try:
        _parse(path)
    except ValueError:
        return False
    return True


def _digest(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
