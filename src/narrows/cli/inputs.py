"""From words on the command line to data, settings and models."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from narrows.cli.app import say
from narrows.params import did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.files import Loaded
    from narrows.data.named import Split
    from narrows.data.streams import Source
    from narrows.estimators import Estimator

CHECKPOINT = "checkpoint.safetensors"  # `narrows.training.checkpoint.NAME`, without the import of torch
LOG = "log.jsonl"  # `narrows.training.tracking.LOG`
OUTLIERS, PHOTOS = "outliers", "photo_denoiser"  # recipes of `narrows.tasks`, without the import of torch
OTHERS = {OUTLIERS: ("fit-outliers", "score"), PHOTOS: ("fit-denoiser", "denoise")}  # made by, and for
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def dataset(name: str, split: Split, model: Estimator | None = None) -> Loaded:
    """The data set or file called `name`; `split` is that of a named set which does not say it, as digits:test does.

    Of a table come the columns that `model` was fitted on, if it knows their names.
    """
    from narrows.data.files import read
    from narrows.data.named import NAMES, load

    set_name, part = _named(name)
    if set_name not in NAMES:
        found = read(name)
        say(f"{name}: {_size(found)}")
        return found if model is None else found.ordered(model.schema_.columns)
    chosen: Split = "train" if (part or split) == "train" else "test"
    if part not in (None, chosen):
        raise ValueError(f"The part of a named data set must be train or test. Got {name!r}; write {set_name}:test.")
    found = load(set_name, chosen)
    say(f"{set_name}:{chosen}: {_size(found)}")
    return found


def row(X: np.ndarray, number: int, name: str) -> np.ndarray:
    """The example of that number, as an array of one; `name` says what X is, for people."""
    if not -len(X) <= number < len(X):
        raise ValueError(f"--row must be from 0 to {len(X) - 1}, since {name} has {len(X)} examples. Got {number}.")
    return X[number:][:1]


def source(name: str, split: Split, model: Estimator) -> Source:
    """What `dataset` gives, to be read a block at a time by `model`; a Parquet file is not read before that."""
    from narrows.data import parquet, streams

    path = Path(name).expanduser()
    if not _is_named(_named(name)[0]) and path.exists() and parquet.is_parquet(path):
        names = model.schema_.columns
        found = streams.source(path, type(model).__name__, None if names is None else [str(n) for n in names])
        assert found is not None
        say(f"{name}: {found.n:,} examples")
        return found
    given = dataset(name, split, model)
    return streams.of_array(given.X)._replace(columns=given.columns)


def training_part(name: str) -> str | None:
    """The training part of the named data set whose test part `name` is, otherwise None."""
    set_name, part = _named(name)
    return f"{set_name}:train" if _is_named(set_name) and part in (None, "test") else None


def duration(text: str) -> float:
    """Seconds from 90, 90s, 5m or 1.5h."""
    found = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([smh]?)", text.strip().lower())
    seconds = float(found[1]) * _SECONDS[found[2]] if found else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"a time is written as 90, 90s, 5m or 1.5h. Got {text!r}.")
    return seconds


def parameter_values(cls: type[Estimator], assignments: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """The parameters for `cls` from `--set` assignments and from the options that were given (not None), checked."""
    values = {name: value for name, value in options.items() if value is not None}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise typer.BadParameter(f"--set wants NAME=VALUE, such as --set beta=4. Got {assignment!r}.")
        if name == "checkpoint":
            raise typer.BadParameter("the checkpoint lies in the folder that --out names.")
        if name not in cls.parameters():
            raise ValueError(f"{cls.__name__} has no parameter {name!r}. {did_you_mean(name, cls.parameters())}")
        if name in values:
            raise typer.BadParameter(f"{name} is given twice: --set {assignment}, and once more.")
        value, rule = _parsed(text), cls.parameters()[name].rule
        if rule is not None and not rule.accepts(value) and rule.accepts((value,)):
            value = (value,)  # hidden=512
        values[name] = value
    for name, value in values.items():
        cls.parameters()[name].check(cls.__name__, value)
    return values


def opened(folder: Path, *, needs_code: bool = False) -> Estimator:
    """The fitted model in `folder`; with `needs_code`, one that has a narrow code."""
    from narrows import storage
    from narrows.estimators import load

    with unfinished_noted(folder):
        recipe = storage.describe(folder)["recipe"]
        if recipe in OTHERS:
            made, used = OTHERS[recipe]
            raise ValueError(f"The model in {folder} is of `narrows {made}`, and for `narrows {used}` alone.")
        model = load(folder)
    if needs_code and not model.model_.has_code:
        raise ValueError(
            f"The model in {folder} ({model.recipe.name}) has no codes, because its n_components is None. "
            "Fit one with --n-components."
        )
    return model


@contextlib.contextmanager
def unfinished_noted(folder: Path) -> Iterator[None]:
    """Where there is no model in `folder`, but a checkpoint, say how to go on."""
    try:
        yield
    except FileNotFoundError as error:
        if checkpoint(folder).exists():
            error.add_note(
                "It holds an unfinished training: the line that began it goes on, `narrows fit` with --resume."
            )
        raise


def prepare(out: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Make the folder. One that cannot or should not take a model is refused before any work."""
    if resume and overwrite:
        raise typer.BadParameter("--resume goes on and --overwrite starts anew: give one of them.")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"Cannot save a model to {out}: it is a file. Name a folder.")
    if out.is_dir() and not os.access(out, os.W_OK):
        raise PermissionError(f"Cannot save a model to {out}: the folder is not writable.")
    unfinished, finished = checkpoint(out).exists(), (out / "recipe.json").exists()
    if unfinished and not resume and not overwrite:
        raise ValueError(f"{out} holds an unfinished training. --resume goes on with it, --overwrite starts anew.")
    if finished and not unfinished and not overwrite:
        raise ValueError(f"{out} holds a finished model already. Name another folder, or pass --overwrite.")
    known = finished or unfinished or not out.exists()
    others = [] if known else [p for p in out.iterdir() if p.name[0] != "." and p.name != LOG]
    if others:
        raise ValueError(f"{out} is not empty ({others[0].name}, ...) and holds no model. Name a folder of its own.")
    if resume and not unfinished:
        say(f"There is no checkpoint in {out} to go on from: starting anew.")
    out.mkdir(parents=True, exist_ok=True)
    if overwrite:
        checkpoint(out).unlink(missing_ok=True)


def checkpoint(out: Path) -> Path:
    """Where an unfinished training is kept in the folder `out`."""
    return out / CHECKPOINT


def _parsed(text: str) -> Any:
    """A value as JSON has it, else as Python has it (512,256 is a tuple), else a word."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return tuple(value) if isinstance(value, list) else value
    return text.strip()


def _named(name: str) -> tuple[str, str | None]:
    """A named data set and its part; a path is handed back whole."""
    set_name, colon, part = name.rpartition(":")
    return (set_name, part) if colon and _is_named(set_name) else (name, None)


def _is_named(name: str) -> bool:
    from narrows.data.named import NAMES

    return name in NAMES


def _size(found: Loaded) -> str:
    return f"{len(found.X):,} examples of shape {' x '.join(map(str, found.X.shape[1:])) or '1'}"
