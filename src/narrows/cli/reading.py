"""Read the data that the command line names, with the options that all commands share."""

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
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple, ParamSpec

import typer

from narrows.cli.app import OnBad, Resize, say

if TYPE_CHECKING:
    from narrows.data import Schema
    from narrows.data.files import Dataset
    from narrows.data.images import Options
    from narrows.data.named import Split
    from narrows.data.streams import Source
    from narrows.estimators import Estimator

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
    if path.exists():
        yield path
        return
    if path.suffix.lower() in (".npy", ".csv", ".tsv", ".txt"):
        raise FileNotFoundError(f"There is no file {path} for --labels.")
    token = _reading.set(replace(reading, label=labels))
    try:
        yield None
    finally:
        _reading.reset(token)


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


def image_options() -> Options:
    """Return the choices for images that the command line makes."""
    from narrows.data.images import Options

    reading = _reading.get()
    return Options.of(reading.on_bad, reading.resize)


def read_dataset(name: str, split: Split, model: Estimator | None = None) -> Dataset:
    """Read the data set or file called `name`.

    `split` applies to a named data set whose name has none, unlike digits:test. For a `model` that knows the names of
    its columns, those of a table are returned in their order.

    Raises ValueError if the split is neither train nor test, or the options name a column that does not exist.
    """
    from narrows.data.files import read
    from narrows.data.named import NAMES, load

    set_name, named_split = split_name(name)
    reading = _reading.get()
    if set_name not in NAMES:
        loaded = read(name, header=reading.header, on_bad=reading.on_bad, resize=reading.resize)
        say(f"{name}: {_describe_size(loaded)}")
        for note in loaded.notes:
            say(note.replace("header=True", "--header").replace("header=False", "--no-header"))
        return _select(loaded, reading, model)
    split = "train" if (named_split or split) == "train" else "test"
    if named_split not in (None, split):
        raise ValueError(f"The split of a named data set must be train or test. Got {name!r}; write {set_name}:test.")
    loaded = load(set_name, split)
    say(f"{set_name}:{split}: {_describe_size(loaded)}")
    return _select(loaded, reading, model)


def read_all_columns(name: str, split: Split, model: Estimator | None = None) -> Dataset:
    """Read the data set or file called `name` as `read_dataset` does, but take no labels from a column."""
    token = _reading.set(replace(_reading.get(), label=None))
    try:
        return read_dataset(name, split, model)
    finally:
        _reading.reset(token)


def take_row(X: Any, number: int, name: str) -> Any:
    """Return example `number` of X, an array or a frame, with one example. `name` is the name of X in messages.

    Raises ValueError if there is no such row.
    """
    if not -len(X) <= number < len(X):
        raise ValueError(f"--row must be from 0 to {len(X) - 1}, since {name} has {len(X)} examples. Got {number}.")
    return X[number:][:1]


class RowNames(NamedTuple):
    """Names of rows: files, identifiers, or the index of a frame.

    Attributes
    ----------
    name : title of the column that holds them.
    values : n names.
    """

    name: str
    values: Any


def row_names(loaded: Dataset) -> RowNames | None:
    """Return the names of the rows of a data set; None if they have no names but their numbers."""
    if loaded.files:
        return RowNames("file", loaded.files)
    index = getattr(loaded.X, "index", None)
    title = _reading.get().id or str(getattr(index, "name", None) or "index")
    if loaded.ids is not None:
        return RowNames(title, loaded.ids)
    return None if index is None or type(index).__name__ == "RangeIndex" else RowNames(title, index)


def open_rows(name: str, split: Split, model: Estimator) -> tuple[Source | Any, RowNames | None]:
    """Open the data set or file called `name`, to be read by `model` in blocks, and return it with the names of rows.

    A Parquet file is not read here, unless its rows have names.
    """
    from narrows.data import streams

    source = open_blocks(name, model)
    if source is not None:
        return source, None
    loaded = read_dataset(name, split, model)
    if hasattr(loaded.X, "iloc"):
        return loaded.X, row_names(loaded)
    return streams.from_array(loaded.X)._replace(columns=loaded.columns), row_names(loaded)


def open_blocks(name: str, model: Estimator) -> Source | None:
    """Open a .npy or Parquet file, or a folder of these, in blocks.

    Return None for other data, for a file with names of rows, and if the options choose among columns.
    """
    from narrows.data import parquet, streams

    path, reading, schema = Path(name).expanduser(), _reading.get(), model.schema_
    is_chosen = reading.id is not None or reading.columns is not None or reading.drop is not None
    if is_named(split_name(name)[0]) or not path.exists() or is_chosen:
        return None
    if parquet.is_parquet(path):
        if parquet.has_index(path):
            return None
        names = None if schema.columns is None else [str(column) for column in schema.columns]
        table = schema.table if schema.kind == "table" else None
        encode = None if table is None else functools.partial(table.encode, owner=type(model).__name__)
        source = streams.open_source(path, type(model).__name__, names, encode)
    elif path.suffix.lower() == ".npy" and (schema.table is None or _is_plain(schema)):
        source = streams.open_source(path, type(model).__name__)
    else:
        return None
    assert source is not None
    say(f"{name}: {source.n:,} examples")
    return source


def _is_plain(schema: Schema) -> bool:
    """Return True if the model sees all columns of its table, as numbers without levels."""
    return schema.kind == "vector" and schema.table is not None and len(schema.table.used) == len(schema.table.columns)


def read_codes(name: str, model: Estimator) -> tuple[Any, RowNames | None]:
    """Read a file of codes (n x components) as `encode` writes it, and the names of the rows if there are any."""
    from narrows.data.files import read

    loaded = read(name)
    titles = [str(title) for title in model.get_feature_names_out()]
    if loaded.columns is None or not set(titles) <= set(loaded.columns):
        return loaded.as_numbers().X, None
    others = [column for column in loaded.columns if column not in titles]
    X: Any = loaded.X
    names = None if not others or not hasattr(X, "iloc") else RowNames(others[0], X[others[0]])
    return loaded.ordered(titles).as_numbers().X, names


def find_training_split(name: str) -> str | None:
    """Return the name of the training split if `name` is the test split of a named data set, otherwise None."""
    set_name, split = split_name(name)
    return f"{set_name}:train" if is_named(set_name) and split in (None, "test") else None


def split_name(name: str) -> tuple[str, str | None]:
    """Return the name of a data set and its split, such as digits and train. A path has no split."""
    set_name, colon, split = name.rpartition(":")
    return (set_name, split) if colon and is_named(set_name) else (name, None)


def is_named(name: str) -> bool:
    """Return True if `name` is a named data set."""
    from narrows.data.named import NAMES

    return name in NAMES


# ------------------------------------------------------------------------------------------------ inside


def _select(loaded: Dataset, reading: Reading, model: Estimator | None) -> Dataset:
    """Return the columns that the options name, or those that `model` knows by name."""
    try:
        if model is None:
            return loaded.select(reading.columns, reading.drop, reading.label, reading.id)
        return _select_for(loaded, reading, model)
    except ValueError as error:
        raise ValueError(re.sub(r"The `(\w+)` parameter of select", r"--\1", str(error))) from None


def _select_for(loaded: Dataset, reading: Reading, model: Estimator) -> Dataset:
    if reading.parameters:
        say("--column and --max-levels are for commands that fit a model. This one keeps its columns as they are.")
    known = _columns_of(model)
    if loaded.columns is None or not known:
        selected = loaded.select(reading.columns, reading.drop, reading.label, reading.id)
        return _with_names(selected, model) if model.schema_.table is not None else selected.as_numbers()
    special = [name for name in (reading.label, reading.id) if name is not None]
    others = loaded.select(label=reading.label, id=reading.id) if special else loaded
    kept = None if reading.columns is None else list(dict.fromkeys([*reading.columns, *special]))
    rows = loaded.select(kept, reading.drop)
    held = set(rows.columns or ())
    rows = rows.ordered([name for name, is_needed in known.items() if is_needed or name in held])
    X: Any = rows.X
    if reading.id is not None and hasattr(X, "set_axis"):
        X = X.set_axis(others.ids, axis=0)
    rows = rows._replace(X=X, y=others.y, ids=others.ids)
    return rows if model.schema_.table is not None else rows.as_numbers()


def _with_names(loaded: Dataset, model: Estimator) -> Dataset:
    """Return an array as a frame with the names of the table that `model` was fitted on, if it has as many columns."""
    table, X = model.schema_.table, loaded.X
    assert table is not None
    if table.kind == "array" or hasattr(X, "iloc") or X.ndim != 2 or X.shape[1] != len(table.columns):
        return loaded
    import pandas as pd

    say(
        f"{loaded.name} has no names of columns: they are taken in the order of the table that the model was fitted on."
    )
    names = [column.name for column in table.columns]
    return loaded._replace(X=pd.DataFrame(X, columns=names), columns=[str(name) for name in names])


def _columns_of(model: Estimator) -> dict[str, bool]:
    """Return the names of the columns that `model` was fitted on, each with True if the model needs it."""
    table = model.schema_.table
    if table is None or table.kind == "array":
        return dict.fromkeys(map(str, model.schema_.columns or ()), True)
    return {str(column.name): column.is_used for column in table.columns}


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


def _describe_size(loaded: Dataset) -> str:
    n = len(loaded.X)
    if loaded.columns is not None and loaded.X.ndim == 2:
        return f"{n:,} rows of {loaded.X.shape[1]:,} columns"
    return f"{n:,} examples of shape {' x '.join(map(str, loaded.X.shape[1:])) or '1'}"
