"""Read data, parameters and models that the command line names."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ParamSpec

import typer

from narrows.cli.app import OnBad, Resize, say
from narrows.params import did_you_mean

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.files import Dataset
    from narrows.data.images import Options
    from narrows.data.named import Split
    from narrows.data.streams import Source
    from narrows.estimators import Estimator

CHECKPOINT = "checkpoint.safetensors"  # `narrows.training.checkpoint.NAME`, without the import of torch
LOG = "log.jsonl"  # `narrows.training.tracking.LOG`
# for models that are not estimators: the command that makes one, and the command that uses it
_COMMANDS = {"OutlierDetector": ("fit-outliers", "score"), "PhotoDenoiser": ("fit-denoiser", "denoise")}
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600}


P = ParamSpec("P")
# arguments for `read` that the command line gives
_reading: ContextVar[Mapping[str, Any]] = ContextVar("reading", default=MappingProxyType({}))


def _read_as(*, on_bad: OnBad = "error", resize: Resize = None) -> dict[str, Any]:
    """Return arguments for `narrows.data.files.read`. The parameters are options of each command that reads DATA."""
    if on_bad not in ("error", "skip"):
        raise typer.BadParameter(f"--on-bad must be error or skip. Got {on_bad!r}.")
    if resize is None:
        return {"on_bad": on_bad}
    match = re.fullmatch(r"(\d+)(?:[x,](\d+))?", resize.strip().lower())
    if match is None:
        raise typer.BadParameter(f"--resize is written as 64, or as height and width: 48x64. Got {resize!r}.")
    height = int(match[1])
    return {"on_bad": on_bad, "resize": (height, int(match[2]) if match[2] else height)}


def reads_data(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options of `_read_as` to a command. `read_dataset` follows them while the command runs."""
    signature = inspect.signature(command, eval_str=True)
    options = inspect.signature(_read_as, eval_str=True).parameters

    @functools.wraps(command)
    def run(*args: P.args, **values: P.kwargs) -> None:
        named: dict[str, Any] = {name: values.pop(name) for name in options if name in values}
        token = _reading.set(_read_as(**named))
        try:
            command(*args, **values)
        finally:
            _reading.reset(token)

    parameters = [*signature.parameters.values(), *options.values()]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def reading_arguments() -> str:
    """Return the options of `_read_as` that the command line gives, to be repeated after DATA; "" without any."""
    arguments = dict(_reading.get())
    height, width = arguments.get("resize", (0, 0))
    return (" --on-bad skip" if arguments.get("on_bad") == "skip" else "") + (
        f" --resize {height}x{width}" if height else ""
    )


def image_options() -> Options:
    """Return the choices for images that the command line makes."""
    from narrows.data.images import Options

    return Options(**_reading.get())


def read_dataset(name: str, split: Split, model: Estimator | None = None) -> Dataset:
    """Read the data set or file called `name`.

    `split` applies to a named data set whose name has none, unlike digits:test. If `model` knows the names of the
    columns that it was fitted on, only those of a table are returned.

    Raises ValueError if the split is neither train nor test.
    """
    from narrows.data.files import read
    from narrows.data.named import NAMES, load

    set_name, named_split = _split_name(name)
    if set_name not in NAMES:
        loaded = read(name, **_reading.get())
        say(f"{name}: {_describe_size(loaded)}")
        for note in loaded.notes:
            say(note)
        return (loaded if model is None else loaded.ordered(model.schema_.columns)).as_numbers()
    split = "train" if (named_split or split) == "train" else "test"
    if named_split not in (None, split):
        raise ValueError(f"The split of a named data set must be train or test. Got {name!r}; write {set_name}:test.")
    loaded = load(set_name, split)
    say(f"{set_name}:{split}: {_describe_size(loaded)}")
    return loaded


def take_row(X: np.ndarray, number: int, name: str) -> np.ndarray:
    """Return example `number` of X as an array of one example. `name` is the name of X in messages.

    Raises ValueError if there is no such row.
    """
    if not -len(X) <= number < len(X):
        raise ValueError(f"--row must be from 0 to {len(X) - 1}, since {name} has {len(X)} examples. Got {number}.")
    return X[number:][:1]


def open_source(name: str, split: Split, model: Estimator) -> Source:
    """Open the data set or file called `name`, to be read by `model` in blocks. A Parquet file is not read here."""
    from narrows.data import parquet, streams

    path = Path(name).expanduser()
    if not _is_named(_split_name(name)[0]) and path.exists() and parquet.is_parquet(path):
        names = model.schema_.columns
        source = streams.open_source(path, type(model).__name__, None if names is None else [str(n) for n in names])
        assert source is not None
        say(f"{name}: {source.n:,} examples")
        return source
    loaded = read_dataset(name, split, model)
    return streams.from_array(loaded.X)._replace(columns=loaded.columns)


def find_training_split(name: str) -> str | None:
    """Return the name of the training split if `name` is the test split of a named data set, otherwise None."""
    set_name, split = _split_name(name)
    return f"{set_name}:train" if _is_named(set_name) and split in (None, "test") else None


def parse_duration(text: str) -> float:
    """Return the seconds in 90, 90s, 5m or 1.5h. Raises typer.BadParameter for any other text."""
    match = re.fullmatch(r"(\d+\.?\d*|\.\d+)\s*([smh]?)", text.strip().lower())
    seconds = float(match[1]) * _SECONDS[match[2]] if match else 0.0
    if seconds <= 0:
        raise typer.BadParameter(f"a time is written as 90, 90s, 5m or 1.5h. Got {text!r}.")
    return seconds


def parse_parameters(cls: type[Estimator], assignments: Sequence[str], options: dict[str, Any]) -> dict[str, Any]:
    """Return the checked parameters for `cls`, from `--set` assignments and from the options that are not None.

    Raises typer.BadParameter or ValueError for a wrong assignment.
    """
    values = {name: value for name, value in options.items() if value is not None}
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        name = name.strip().replace("-", "_")
        if not equals:
            raise typer.BadParameter(f"--set must be NAME=VALUE, such as --set beta=4. Got {assignment!r}.")
        if name == "checkpoint":
            raise typer.BadParameter("the checkpoint is always in the folder of --out.")
        if name not in cls.parameters():
            raise ValueError(f"{cls.__name__} has no parameter {name!r}. {did_you_mean(name, cls.parameters())}")
        if name in values:
            raise typer.BadParameter(f"{name} is given twice. Remove --set {assignment}, or the other one.")
        value, rule = _parse_value(text), cls.parameters()[name].rule
        if rule is not None and not rule.accepts(value) and rule.accepts((value,)):
            value = (value,)  # hidden=512
        values[name] = value
    for name, value in values.items():
        cls.parameters()[name].check(cls.__name__, value)
    return values


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
        model = load(folder)
    if needs_code and not model.model_.has_code:
        raise ValueError(
            f"The model in {folder} ({model.recipe.name}) has no codes, because its n_components is None. "
            "Fit one with --n-components."
        )
    return model


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
    out.mkdir(parents=True, exist_ok=True)
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


def _split_name(name: str) -> tuple[str, str | None]:
    """Return the name of a data set and its split, such as digits and train. A path has no split."""
    set_name, colon, split = name.rpartition(":")
    return (set_name, split) if colon and _is_named(set_name) else (name, None)


def _is_named(name: str) -> bool:
    from narrows.data.named import NAMES

    return name in NAMES


def _describe_size(loaded: Dataset) -> str:
    return f"{len(loaded.X):,} examples of shape {' x '.join(map(str, loaded.X.shape[1:])) or '1'}"
