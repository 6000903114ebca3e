"""Options for reading DATA, which all commands that read it share."""

from __future__ import annotations

import contextlib
import functools
import inspect
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, ParamSpec

import typer

from narrows.cli.app import OnBad, Resize

P = ParamSpec("P")
_TABLES = "Tables"  # panel of the options for tables in `--help`


@dataclass(frozen=True)
class Reading:
    """Options of the command line for reading DATA.

    Attributes
    ----------
    on_bad, resize, header : arguments of `narrows.data.files.read`.
    columns, drop, label, id : arguments of `Dataset.select`.
    parameters : parameters of the estimator, for commands that fit one: `columns` and `max_levels`, if they are named.
    """

    on_bad: Any = "error"
    resize: tuple[int, int] | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None
    drop: tuple[str, ...] | None = None
    label: str | None = None
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))


_DEFAULT = Reading()
_reading: ContextVar[Reading] = ContextVar("reading", default=_DEFAULT)


def _read_as(
    *,
    column: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=KIND",
            help="Kind of a column for a model to be fitted, such as zip=categorical; identifier leaves it out. "
            "Repeatable.",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    columns: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Columns of DATA to use.", rich_help_panel=_TABLES)
    ] = None,
    drop: Annotated[
        str | None, typer.Option(metavar="A,B,...", help="Columns of DATA to leave out.", rich_help_panel=_TABLES)
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of DATA with the labels.", rich_help_panel=_TABLES),
    ] = None,
    id: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Column of DATA that names the rows in results.", rich_help_panel=_TABLES),
    ] = None,
    header: Annotated[
        bool | None,
        typer.Option(
            "--header/--no-header",
            help="The first line of a text or sheet names the columns, or it is data.",
            show_default="found out",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    max_levels: Annotated[
        str | None,
        typer.Option(
            metavar="N|none",
            help="Largest number of values of a categorical column; rarer ones are put together.",
            show_default="256",
            rich_help_panel=_TABLES,
        ),
    ] = None,
    on_bad: OnBad = "error",
    resize: Resize = None,
) -> Reading:
    """Return the options for reading. The parameters are options of each command that reads DATA."""
    if on_bad not in ("error", "skip"):
        raise typer.BadParameter(f"--on-bad must be error or skip. Got {on_bad!r}.")
    parameters: dict[str, Any] = {}
    if column:
        parameters["columns"] = _parse_kinds(column)
    if max_levels is not None:
        parameters["max_levels"] = _parse_max_levels(max_levels)
    return Reading(
        on_bad, _parse_size(resize), header, _parse_names(columns), _parse_names(drop), label, id, parameters
    )


def reads_data(command: Callable[P, None]) -> Callable[P, None]:
    """Add the options of `_read_as` to a command. `read_dataset` follows them while the command runs.

    An option of the same name that the command has itself stays its own.
    """
    signature = inspect.signature(command, eval_str=True)
    options = {
        name: option
        for name, option in inspect.signature(_read_as, eval_str=True).parameters.items()
        if name not in signature.parameters
    }

    @functools.wraps(command)
    def run(*args: P.args, **values: P.kwargs) -> None:
        named: dict[str, Any] = {name: values.pop(name) for name in options if name in values}
        token = _reading.set(_read_as(**named))
        try:
            command(*args, **values)
        except ValueError as error:
            example = re.search(r"columns=\{'(.+?)': '(\w+)'\}", str(error))
            if example is not None:
                error.add_note(f"On the command line: --column {shlex.quote(f'{example[1]}={example[2]}')}")
            raise
        finally:
            _reading.reset(token)

    parameters = [*signature.parameters.values(), *options.values()]
    run.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    return run


def current() -> Reading:
    """Return the options for reading that the command line gives."""
    return _reading.get()


@contextlib.contextmanager
def labelled_by(labels: str | None) -> Iterator[Path | None]:
    """Read DATA within the block with the labels of `--labels`. Yield the file of the labels, or None for a column."""
    reading = _reading.get()
    if labels is None:
        yield None
        return
    if reading.label is not None:
        raise typer.BadParameter("--label and --labels name the same labels: give one of them.")
    path = Path(labels).expanduser()
    if path.exists() or path.suffix.lower() in (".npy", ".csv", ".tsv", ".txt"):
        yield path
        return
    with changed(label=labels):
        yield None


def reading_arguments() -> str:
    """Return the options that must be repeated after DATA, for the same data in another command; "" without any.

    A fitted model takes its columns by name, so columns are named again only where they are numbers.
    """
    reading = _reading.get()
    parts: list[str] = []
    if reading.on_bad == "skip":
        parts.append("--on-bad skip")
    if reading.resize is not None:
        parts.append(f"--resize {reading.resize[0]}x{reading.resize[1]}")
    if reading.header is not None:
        parts.append("--header" if reading.header else "--no-header")
    for name, values in (("columns", reading.columns), ("drop", reading.drop)):
        if values is not None and all(value.isdecimal() for value in values):
            parts.append(f"--{name} {','.join(values)}")
    for name, value in (("label", reading.label), ("id", reading.id)):
        if value is not None:
            parts.append(f"--{name} {shlex.quote(value)}")
    return "".join(f" {part}" for part in parts)


@contextlib.contextmanager
def changed(**options: Any) -> Iterator[None]:
    """Read DATA within the block with other options."""
    token = _reading.set(replace(_reading.get(), **options))
    try:
        yield
    finally:
        _reading.reset(token)


# ------------------------------------------------------------------------------------------------ parsing


def _parse_size(resize: str | None) -> tuple[int, int] | None:
    if resize is None:
        return None
    match = re.fullmatch(r"(\d+)(?:[x,](\d+))?", resize.strip().lower())
    if match is None:
        raise typer.BadParameter(f"--resize is written as 64, or as height and width: 48x64. Got {resize!r}.")
    height = int(match[1])
    return height, int(match[2]) if match[2] else height


def _parse_names(text: str | None) -> tuple[str, ...] | None:
    """Return the names in "a,b". A name with a comma stands in double quotes."""
    import csv

    if text is None:
        return None
    return tuple(name.strip() for name in next(csv.reader([text], skipinitialspace=True), []) if name.strip())


def _parse_kinds(assignments: list[str]) -> dict[str, str]:
    kinds = {}
    for assignment in assignments:
        name, equals, kind = assignment.rpartition("=")
        if not equals or not name:
            raise typer.BadParameter(
                f"--column must be NAME=KIND, such as --column zip=categorical. Got {assignment!r}."
            )
        kinds[name] = kind.strip().replace("-", "_")
    return kinds


def _parse_max_levels(text: str) -> int | None:
    if text.strip().lower() == "none":
        return None
    try:
        return int(text)
    except ValueError:
        raise typer.BadParameter(f"--max-levels must be a whole number, or none for all. Got {text!r}.") from None
