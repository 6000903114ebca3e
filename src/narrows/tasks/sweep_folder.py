"""Folder of a sweep, from which an interrupted sweep resumes.

sweep.json identifies the sweep, and holds the result of the whole sweep at the end. size-N.json is the result and
size-N/ the model of each finished size.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator, Sequence, Sized
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import clone

from narrows.data import is_frame
from narrows.data.atomic import atomic_path
from narrows.estimators import Estimator
from narrows.estimators.saving import fingerprint
from narrows.estimators.signature import to_json
from narrows.training.interrupt import Stopped

SUMMARY = "sweep.json"


def identity(model: Estimator, train: Any, test: Any, sizes: Sequence[int]) -> dict[str, Any]:
    """Return everything that the results depend on, in types that JSON has.

    Parameters
    ----------
    train, test : examples, n x the shape of an example each.
    sizes : all sizes of a warm sweep, in which each size is pruned from the next larger one; empty for separate
        trainings, to which sizes can be added later.
    """
    template = clone(model).set_params(n_components=1)
    parameters = {k: to_json(v) for k, v in template.get_params(deep=False).items() if k not in ("verbose", "device")}
    if is_frame(train) or np.asarray(train).dtype.kind == "O":  # the cells are objects, which have no bytes to hash
        rows = template._start_fit(train)
        parts = [rows, template.validate(test, reset=False)]
        parameters["schema"] = template.schema_.to_dict()
    else:
        parts = [np.asarray(part) for part in (train, test)]
    digests = [fingerprint(template, np.ascontiguousarray(part), 0) for part in parts]
    document = {"recipe": model.recipe.name, "parameters": parameters, "data": digests, "sizes": list(sizes)}
    return json.loads(json.dumps(document))


def clear(folder: Path, overwrite: bool) -> None:
    """Delete an earlier sweep in `folder` if `overwrite` is True.

    Raises
    ------
    FileExistsError
        If `folder` is a file.
    ValueError
        If `overwrite` is True and sweep.json in `folder` is not the result of a sweep.
    """
    if folder.exists() and not folder.is_dir():
        raise FileExistsError(f"Cannot keep a sweep in {folder}: it is a file. Name a folder.")
    if overwrite and (folder / SUMMARY).exists():
        read_json(folder / SUMMARY)  # only a sweep may be deleted
        shutil.rmtree(folder)


def prepare(folder: Path, identity: dict[str, Any], seed: int) -> None:
    """Make the folder, or check that it holds the same sweep.

    Raises
    ------
    ValueError
        If `folder` holds another sweep or other files.
    """
    if (folder / SUMMARY).exists():
        earlier = read_json(folder / SUMMARY)["identity"]
        key = next((k for k in identity if identity[k] != earlier.get(k)), None)
        if key is not None:
            raise ValueError(
                f"{folder} holds another sweep (different {key}). Name another folder, or pass overwrite=True "
                "(--overwrite)."
            )
        return
    if folder.exists() and any(p.name[0] != "." for p in folder.iterdir()):
        raise ValueError(f"{folder} is not empty and holds no sweep. Name a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / SUMMARY, {"identity": identity, "seed": seed})


def read_seed(folder: Path, default: int) -> int:
    """Return the seed of the sweep in `folder`, or `default` if there is none."""
    return int(read_json(folder / SUMMARY)["seed"]) if (folder / SUMMARY).exists() else default


def write_summary(folder: Path, summary: dict[str, Any]) -> None:
    """Add the result of the whole sweep to sweep.json."""
    write_json(folder / SUMMARY, {**read_json(folder / SUMMARY), **summary})


def model_folder(folder: Path, size: int) -> Path:
    """Return the folder of the model of a size."""
    return folder / f"size-{size}"


def read_result(folder: Path, size: int) -> dict[str, Any] | None:
    """Return the result of a size, or None if that size is not finished."""
    path = folder / f"size-{size}.json"
    return read_json(path) if path.exists() else None


def save_size(folder: Path, size: int, model: Estimator, result: dict[str, Any]) -> Path:
    """Save the model of a size, and then its result: if there is a result, the model is complete."""
    model.set_params(verbose="auto").save(model_folder(folder, size))
    write_json(folder / f"size-{size}.json", result)
    return model_folder(folder, size)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Write a JSON file. A failure leaves no half-written file."""
    with atomic_path(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON file that `write_json` wrote.

    Raises
    ------
    ValueError
        If the file does not belong to a sweep.
    """
    try:
        document = dict(json.loads(path.read_text(encoding="utf-8")))
        if path.name == SUMMARY and not {"identity", "seed"} <= document.keys():
            raise ValueError("it lacks `identity` or `seed`")
        return document
    except (ValueError, TypeError) as error:
        raise ValueError(
            f"{path} is not the result of a sweep ({error}). Delete it, or name another folder."
        ) from error


@contextlib.contextmanager
def hint_at_resume(folder: Path | None, done: Sized, n: int) -> Iterator[None]:
    """Say after Ctrl-C how many of `n` sizes are done, and how to resume the sweep inside."""
    try:
        yield
    except KeyboardInterrupt as interrupt:
        advice = f"They are in {folder}: the same call resumes it."
        if folder is None:
            advice = "Pass folder= to be able to resume it."
        raise Stopped(f"The sweep stopped with {len(done)} of {n} sizes done. {advice}") from interrupt
