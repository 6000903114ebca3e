"""The folder of a sweep, from which one that was stopped goes on.

sweep.json says what is swept, and in the end what came of it; size-N.json is the result and size-N/ the model of each
size that is done.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from narrows.data.atomic import atomic_path
from narrows.estimators import Estimator
from narrows.estimators.saving import fingerprint
from narrows.estimators.signature import to_json

SUMMARY = "sweep.json"


def identity(model: Estimator, train: Any, test: Any, sizes: Sequence[int]) -> dict[str, Any]:
    """What results depend on. Of separate trainings sizes can be added."""
    same = clone(model).set_params(n_components=1)
    parameters = {k: to_json(v) for k, v in same.get_params(deep=False).items() if k not in ("verbose", "device")}
    digests = [fingerprint(same, np.ascontiguousarray(np.asarray(part)), 0) for part in (train, test)]
    known = {"recipe": model.recipe.name, "parameters": parameters, "data": digests, "sizes": list(sizes)}
    return json.loads(json.dumps(known))


def clear(place: Path, overwrite: bool) -> None:
    """Refuse a file, and delete another sweep where that was asked for."""
    if place.exists() and not place.is_dir():
        raise FileExistsError(f"Cannot keep a sweep in {place}: it is a file. Name a folder.")
    if overwrite and (place / SUMMARY).exists():
        parsed(place / SUMMARY)  # what is no sweep is not ours to delete
        shutil.rmtree(place)


def prepare(place: Path, identity: dict[str, Any], seed: int) -> None:
    """Make the folder, or see that what is in it is this sweep."""
    if (place / SUMMARY).exists():
        before = parsed(place / SUMMARY)["identity"]
        other = next((k for k in identity if identity[k] != before.get(k)), None)
        if other is not None:
            raise ValueError(
                f"{place} holds another sweep (its {other} differ). Name another folder, or pass overwrite=True "
                "(--overwrite)."
            )
        return
    if place.exists() and any(p.name[0] != "." for p in place.iterdir()):
        raise ValueError(f"{place} is not empty and holds no sweep. Name a folder of its own.")
    place.mkdir(parents=True, exist_ok=True)
    write(place / SUMMARY, {"identity": identity, "seed": seed})


def seed_in(place: Path, otherwise: int) -> int:
    """The seed of the sweep that is there, to go on with."""
    return int(parsed(place / SUMMARY)["seed"]) if (place / SUMMARY).exists() else otherwise


def finish(place: Path, found: dict[str, Any]) -> None:
    """Add what came of the whole sweep."""
    write(place / SUMMARY, {**parsed(place / SUMMARY), **found})


def place_of(place: Path, size: int) -> Path:
    """Where the model of a size lies."""
    return place / f"size-{size}"


def read(place: Path, size: int) -> dict[str, Any] | None:
    """The result of a size, None where it is not done."""
    path = place / f"size-{size}.json"
    return parsed(path) if path.exists() else None


def keep(place: Path, size: int, model: Estimator, result: dict[str, Any]) -> Path:
    """Save a size's model, and then its result: where there is a result, all is there."""
    model.set_params(verbose=0).save(place_of(place, size))
    write(place / f"size-{size}.json", result)
    return place_of(place, size)


def write(path: Path, content: dict[str, Any]) -> None:
    """A document, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def parsed(path: Path) -> dict[str, Any]:
    """What `write` wrote.

    Raises
    ------
    ValueError
        If it is no document of a sweep.
    """
    try:
        found = dict(json.loads(path.read_text(encoding="utf-8")))
        if path.name == SUMMARY and not {"identity", "seed"} <= found.keys():
            raise ValueError("it does not say what was swept")
        return found
    except (ValueError, TypeError) as error:
        raise ValueError(f"{path} is no result of a sweep ({error}). Delete it, or name another folder.") from error


def how_to_go_on(place: Path | None, done: int, n: int) -> str:
    """For people, of a sweep that was stopped."""
    words = f"The sweep stopped with {done} of {n} sizes done."
    if place is None:
        return f"{words} Pass folder= to be able to go on from there."
    return f"{words} They are in {place}: the same call goes on from there."
