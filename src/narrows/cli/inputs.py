"""Read parameters and models that the command line names, and prepare folders for models."""

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
from narrows.cli.reading_options import current
from narrows.params import no_such_parameter

if TYPE_CHECKING:
    from narrows.estimators import Estimator, TableAE

CHECKPOINT = "checkpoint.safetensors"  # `narrows.training.checkpoint.NAME`, without the import of torch
LOG = "log.jsonl"  # `narrows.training.tracking.LOG`
# for models that are not estimators: the command that makes one, and the command that uses it
_COMMANDS = {"OutlierDetector": ("fit-outliers", "score"), "PhotoDenoiser": ("fit-denoiser", "denoise")}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


def parse_duration(text: str) -> float:
    """Return the seconds in 90, 90s, 5m or 1.5h. Raises typer.BadParameter for any other text."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([smh]?)", text.strip().lower())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"a time is written as 90, 90s, 5m or 1.5h. Got {text!r}.")
    return seconds


def parse_parameters(cls: type[Estimator], assignments: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Return the checked parameters for `cls`, from `--set` assignments and from the options that are not None.

    Options for tables (--column, --max-levels) are among them.

    Raises typer.BadParameter or ValueError for a wrong assignment.
    """
    values = {name: value for name, value in options.items() if value is not None} | dict(current().parameters)
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise typer.BadParameter(f"--set must be NAME=VALUE, such as --set beta=4. Got {assignment!r}.")
        if name == "checkpoint":
            raise typer.BadParameter("the checkpoint is always in the folder of --out.")
        if name not in cls.parameters():
            raise ValueError(no_such_parameter(cls.__name__, name, cls.parameters(), cls.recipe.fixed))
        if name in values:
            raise typer.BadParameter(f"{name} is given twice. Remove --set {assignment}, or the other one.")
        value, rule = _parse_value(text), cls.parameters()[name].rule
        if rule is not None and not rule.accepts(value) and rule.accepts((value,)):
            value = (value,)  # hidden=512
        values[name] = value
    for name, value in values.items():
        cls.parameters()[name].check(cls.__name__, value)
    return values


def make_estimator(recipe: str, assignments: Sequence[str], options: dict[str, Any], **defaults: Any) -> Estimator:
    """Return an unfitted estimator of `recipe` with the parameters of `parse_parameters`, else `defaults`."""
    from narrows.estimators import estimator

    cls = estimator(recipe)
    return cls(**{"random_state": 0, **defaults, **parse_parameters(cls, assignments, options)})


def open_model(folder: Path, *, needs_code: bool = False) -> Estimator:
    """Load the fitted model in `folder`. Raise if `needs_code` is True and it has no codes."""
    from narrows.estimators import load
    from narrows.tasks.loading import saved_class

    with note_unfinished(folder):
        kind = saved_class(folder).__name__
        if kind in _COMMANDS:
            fit_command, use_command = _COMMANDS[kind]
            raise ValueError(
                f"The model in {folder} was made by `narrows {fit_command}`. Use it with `narrows {use_command}`."
            )
        with damage_reported(folder):
            model = load(folder)
    if needs_code and not model.model_.has_code:
        raise ValueError(
            f"The model in {folder} ({model.recipe.name}) has no codes, because its n_components is None. "
            "Fit one with --n-components."
        )
    return model


def open_decoder(folder: Path, instead: str) -> Estimator:
    """Load the fitted model in `folder`. Raise if it has no codes, or they cannot be decoded: `instead` says what can.

    `instead` is a sentence for users of a masked autoencoder.
    """
    model = open_model(folder, needs_code=True)
    if not model.model_.decodes_codes:
        raise ValueError(
            f"The codes of the model in {folder} ({model.recipe.name}) cannot be decoded: it predicts cells from other "
            f"cells. {instead}"
        )
    return model


def open_table_model(folder: Path, task: str) -> TableAE:
    """Load the fitted masked autoencoder in `folder`. Raise for any other model: it cannot do the `task`, a verb."""
    from narrows.estimators import TableAE

    model = open_model(folder)
    if not isinstance(model, TableAE):
        raise ValueError(
            f"Only a TableAE can {task}. The model in {folder} is of the recipe {model.recipe.name}. Fit one: narrows "
            "fit DATA --recipe tableae -o MODEL"
        )
    return model


def check_sizes_apply(recipe: str) -> None:
    """Raise if the models of a recipe have no codes that could be too short or too long."""
    from narrows.estimators import estimator

    if estimator(recipe).recipe.is_tabular:
        raise ValueError(
            f"A sweep compares lengths of codes by what is decoded from them. The n_components of {recipe} is the "
            "width of its network: compare models of several widths with `narrows evaluate --beside`."
        )


@contextlib.contextmanager
def note_unfinished(folder: Path) -> Iterator[None]:
    """Add a note to FileNotFoundError if `folder` holds a checkpoint: how to resume that training."""
    try:
        yield
    except FileNotFoundError as error:
        if checkpoint_path(folder).exists():
            error.add_note(
                "It holds an unfinished training. To continue it, repeat its `narrows fit` command with --resume."
            )
        raise


@contextlib.contextmanager
def damage_reported(folder: Path) -> Iterator[None]:
    """Turn errors about what a recipe.json lacks, or has of another type, into a ValueError that names its folder."""
    try:
        yield
    except (TypeError, KeyError, AttributeError, IndexError) as error:
        raise ValueError(
            f"The model in {folder} cannot be opened: its recipe.json is damaged ({error}). Restore it from a copy."
        ) from error


def prepare_folder(out: Path, *, resume: bool = False, overwrite: bool = False) -> None:
    """Make the folder `out`, or raise if a model cannot or should not be saved there. It runs before any work."""
    if resume and overwrite:
        raise typer.BadParameter("--resume continues a training and --overwrite replaces it: give one of them.")
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"Cannot save a model to {out}: it is a file. Name a folder.")
    if out.is_dir() and not os.access(out, os.W_OK):
        raise PermissionError(f"Cannot save a model to {out}: the folder is not writable.")
    is_unfinished, is_finished = checkpoint_path(out).exists(), (out / "recipe.json").exists()
    if is_unfinished and not resume and not overwrite:
        raise ValueError(f"{out} holds an unfinished training. --resume continues it, --overwrite replaces it.")
    if is_finished and not is_unfinished and not overwrite:
        raise ValueError(f"{out} already holds a finished model. Name another folder, or pass --overwrite.")
    is_usable = is_finished or is_unfinished or not out.exists()
    others = [] if is_usable else [p for p in out.iterdir() if p.name[0] != "." and p.name != LOG]
    if others:
        raise ValueError(f"{out} is not empty ({others[0].name}, ...) and holds no model. Name a new folder.")
    if resume and not is_unfinished:
        say(f"There is no checkpoint in {out}: the training starts from the beginning.")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OSError(f"Cannot make the folder {out}: {error.strerror}. Name another one.") from error
    if overwrite:
        checkpoint_path(out).unlink(missing_ok=True)


def checkpoint_path(out: Path) -> Path:
    """Return the path of the checkpoint of an unfinished training in the folder `out`."""
    return out / CHECKPOINT


def _parse_value(text: str) -> Any:
    """Read a value as JSON, or else as Python (512,256 is a tuple), or else as a string."""
    for parse in (json.loads, ast.literal_eval):
        try:
            value = parse(text.strip())
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
        return tuple(value) if isinstance(value, list) else value
    return text.strip()
