"""Read the data that the command line names."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from narrows.cli.app import say
from narrows.cli.reading_options import Reading, changed, current
from narrows.params import counted

if TYPE_CHECKING:
    from narrows.data import Schema
    from narrows.data.files import Dataset
    from narrows.data.images import Options
    from narrows.data.named import Split
    from narrows.data.streams import Source
    from narrows.estimators import Estimator


def image_options() -> Options:
    """Return the choices for images that the command line makes."""
    from narrows.data.images import Options

    reading = current()
    return Options.of(reading.on_bad, reading.resize)


def read_dataset(name: str, split: Split, model: Estimator | None = None, optional: Sequence[str] = ()) -> Dataset:
    """Read the data set or file called `name`.

    `split` applies to a named data set whose name has none, unlike digits:test. For a `model` that knows the names of
    its columns, those of a table are returned in their order; those that `optional` names may be absent.

    Raises ValueError if the split is neither train nor test, or the options name a column that does not exist.
    """
    from narrows.data.files import read
    from narrows.data.named import NAMES, load

    set_name, named_split = split_name(name)
    reading = current()
    if set_name not in NAMES:
        loaded = read(name, header=reading.header, on_bad=reading.on_bad, resize=reading.resize)
        say(f"{name}: {_describe_size(loaded)}")
        for note in loaded.notes:
            say(note.replace("header=True", "--header").replace("header=False", "--no-header"))
        return _select(loaded, reading, model, optional)
    split = "train" if (named_split or split) == "train" else "test"
    if named_split not in (None, split):
        raise ValueError(f"The split of a named data set must be train or test. Got {name!r}; write {set_name}:test.")
    loaded = load(set_name, split)
    say(f"{set_name}:{split}: {_describe_size(loaded)}")
    return _select(loaded, reading, model, optional)


def read_whole(name: str, model: Estimator) -> tuple[Dataset, Dataset, list[int]]:
    """Read the data set or file called `name` with all its columns, whatever the options name.

    Returns
    -------
    The whole, the rows that `model` takes as `read_dataset` gives them, and the positions of their columns in the
    whole.
    """
    reading = current()
    with changed(columns=None, drop=None, label=None, id=None):
        whole = read_dataset(name, "test")
    rows = _select(whole, reading, model)
    if whole.columns is not None:
        return whole, rows, [whole.columns.index(column) for column in rows.columns or ()]
    import numpy as np

    numbers = whole._replace(X=np.arange(whole.X.shape[1])[None])
    return whole, rows, _select(numbers, reading, None).X[0].tolist()


def read_all_columns(name: str, split: Split, model: Estimator | None = None) -> Dataset:
    """Read the data set or file called `name` as `read_dataset` does, but take no labels from a column."""
    with changed(label=None):
        return read_dataset(name, split, model)


def take_row(X: Any, number: int, name: str) -> Any:
    """Return example `number` of X, an array or a frame, with one example. `name` is the name of X in messages.

    Raises ValueError if there is no such row.
    """
    if not -len(X) <= number < len(X):
        raise ValueError(
            f"--row must be from 0 to {len(X) - 1}, since {name} has {counted(len(X), 'example')}. Got {number}."
        )
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
    title = current().id or str(getattr(index, "name", None) or "index")
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
    """Open a .npy, .safetensors or Parquet file, or a folder of these, in blocks.

    Return None for other data, for a file with names of rows, and if the options choose among columns.
    """
    from narrows.data import parquet, streams
    from narrows.data.files.mapping import find_mapped

    path, reading, schema = Path(name).expanduser(), current(), model.schema_
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
    elif (schema.table is None or _is_plain(schema)) and find_mapped(path):
        source = streams.open_source(path, type(model).__name__, has_tokens=schema.takes_tokens)
    else:
        return None
    assert source is not None
    assert source.n is not None
    say(f"{name}: {counted(source.n, 'example')}")
    return source


def _is_plain(schema: Schema) -> bool:
    """Return True if the model sees all columns of its table, as numbers without levels."""
    return schema.kind == "vector" and schema.table is not None and len(schema.table.used) == len(schema.table.columns)


def read_codes(name: str, model: Estimator) -> tuple[Any, RowNames | None]:
    """Read a file of codes (n x components) as `encode` writes it, and the names of the rows if there are any."""
    from narrows.data import read_row_names, read_sparse_rows
    from narrows.data.files import read

    if (rows := read_sparse_rows(name)) is not None:
        found = read_row_names(name)
        return rows.to_csr(), None if found is None else RowNames(*found)
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


def _select(loaded: Dataset, reading: Reading, model: Estimator | None, optional: Sequence[str] = ()) -> Dataset:
    """Return the columns that the options name, or those that `model` knows by name."""
    try:
        if model is None:
            return loaded.select(reading.columns, reading.drop, reading.label, reading.id)
        return _select_for(loaded, reading, model, optional)
    except ValueError as error:
        raise ValueError(re.sub(r"The `(\w+)` parameter of select", r"--\1", str(error))) from None


def _select_for(loaded: Dataset, reading: Reading, model: Estimator, optional: Sequence[str]) -> Dataset:
    if reading.parameters:
        say("--column and --max-levels are for commands that fit a model. This one keeps its columns as they are.")
    known = {column: is_needed and column not in optional for column, is_needed in _columns_of(model).items()}
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


def _describe_size(loaded: Dataset) -> str:
    n = len(loaded.X)
    if loaded.columns is not None and loaded.X.ndim == 2:
        return f"{counted(n, 'row')} of {counted(loaded.X.shape[1], 'column')}"
    return f"{counted(n, 'example')} of shape {' x '.join(map(str, loaded.X.shape[1:])) or '1'}"
