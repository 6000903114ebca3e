"""Write results to files: arrays, data frames, sheets of pictures, folders of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.cli.app import say
from narrows.params import counted

if TYPE_CHECKING:
    import numpy as np

    from narrows.cli.reading import RowNames
    from narrows.data.files import Dataset
    from narrows.data.streams import Source
    from narrows.data.table import Table
    from narrows.estimators import Estimator

ARRAYS = (".npy", ".parquet", ".csv", ".tsv")
EXAMPLES = (*ARRAYS, ".png")
SPARSE = (".npz", ".parquet")
CODES = (".npy", *SPARSE, ".csv", ".tsv")
_MAX_PAIRS, _MAX_PICTURES = 48, 400  # maximum numbers of examples on a sheet


def check_path(out: Path, suffixes: Sequence[str], *, overwrite: bool, folder: bool = False) -> None:
    """Raise if `out` cannot be written: a wrong suffix, no such folder, or a file that is there.

    It runs before any work. `overwrite` lets a file be replaced, and `folder` allows the name of a new or empty folder.
    """
    parent = out.absolute().parent
    if not parent.is_dir():
        raise FileNotFoundError(f"Cannot write {out}: the folder {parent} does not exist. Create it first.")
    if folder and (out.is_dir() or not out.suffix):
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise FileExistsError(f"Cannot write pictures to {out}: it is not an empty folder. Name a new one.")
        return
    if out.is_dir():
        raise IsADirectoryError(f"Cannot write {out}: it is a folder. Give the name of a file.")
    if out.suffix.lower() not in suffixes:
        more = ", or have no suffix, for a folder" if folder else ""
        raise ValueError(f"Cannot write {out}: the name must end in {', '.join(suffixes)}{more}.")
    if out.exists() and not overwrite:
        raise FileExistsError(f"{out} exists already. Name another file, or pass --overwrite to replace it.")


def check_pictures(out: Path, model: Estimator) -> None:
    """Raise if `out` holds pictures but the examples are not images, or if it is a table but they are."""
    if model.schema_.kind == "image":
        if out.suffix.lower() in ARRAYS[1:]:
            raise ValueError(f"Cannot write {out}: examples are {model.schema_.describe()}, not rows. Write a .npy.")
        return
    if out.suffix.lower() == ".npy" and model.schema_.kind == "table" and not _holds_numbers(model.schema_.table):
        raise ValueError(f"Cannot write {out}: the rows hold words or dates. Write a .csv or a .parquet.")
    if out.suffix.lower() in ARRAYS:
        return
    other = ".csv" if model.schema_.kind == "table" else ".npy"
    raise ValueError(f"Cannot draw {out}: examples are {model.schema_.describe()}, not images. Write a {other}.")


def check_sparse(out: Path, model: Estimator, *, is_sparse: bool) -> None:
    """Set `sparse_output` of the model if `out` is to hold sparse codes. Raise if the model has no such parameter."""
    if not is_sparse and out.suffix.lower() != ".npz":
        return
    if "sparse_output" not in model.parameters():
        raise ValueError(
            f"Cannot write sparse codes to {out}: the codes of {type(model).__name__} are not sparse. Write a .npy "
            "without --sparse."
        )
    model.set_params(sparse_output=True)


def _holds_numbers(table: Table | None) -> bool:
    """Return True if rows of the table are numbers and truth values only."""
    numbers = ("real", "heavy_tailed", "integer", "count", "binary", "constant")
    return table is None or all(
        c.kind in numbers and all(isinstance(level, (bool, int, float)) for level in c.levels) for c in table.columns
    )


def write_array(out: Path, array: np.ndarray, columns: Sequence[str] | None = None) -> None:
    """Write an array as .npy, .parquet, .csv or .tsv."""
    from narrows.data import files

    files.write_array(out, array, columns)
    say(f"{out}: {' x '.join(map(str, array.shape))}")


def write_stream(out: Path, model: Estimator, rows: Source | Any, method: str, names: RowNames | None = None) -> None:
    """Apply `method` to all of `rows`, a block at a time, and write the result as .npy, .parquet, .csv or .tsv.

    `names` are the first column of a table. Sparse codes are written as .npz or .parquet.
    """
    from narrows.data import SPARSE_SUFFIXES, SparseRows, is_sparse, write_sparse_rows

    model.set_params(verbose=1)
    if "sparse_output" in model.parameters() and out.suffix.lower() not in SPARSE_SUFFIXES:
        model.set_params(sparse_output=False)  # it may be saved with the model
    if names is not None and out.suffix.lower() not in (".npy", ".npz"):
        result = model.stream(rows, None, method)
        if is_sparse(result):
            write_sparse_rows(out, SparseRows.of_matrix(result), (names.name, names.values))
            say(f"{out}: {' x '.join(map(str, result.shape))}")
            return
        columns = model.get_feature_names_out() if method == "transform" else model.schema_.columns
        write_rows(out, result, names, None if columns is None else [str(column) for column in columns])
        return
    model.stream(rows, out, method)
    shape = (model.model_.bottleneck.n_components,) if method == "transform" else model.schema_.user_shape
    n = rows.n if hasattr(rows, "blocks") else len(rows)
    say(f"{out}: {' x '.join(map(str, (n, *shape)))}")


def write_in_blocks(out: Path, model: Estimator, data: str, method: str) -> bool:
    """Apply `method`, which gives examples, to DATA in blocks and write them, if no cell is lost that way.

    Return False without any work for data frames, whose words, dates and dtypes need all rows, and for pictures.
    """
    from narrows.cli import reading
    from narrows.data import streams

    if out.suffix.lower() not in ARRAYS:
        return False
    table = model.schema_.table
    source = None
    if table is None or all(column.kind == "real" for column in table.columns):
        source = reading.open_blocks(data, model)
    if source is None and table is not None:
        return False
    if source is None:
        loaded = reading.read_dataset(data, "test", model)
        source = streams.from_array(loaded.X)._replace(columns=loaded.columns)
    write_stream(out, model, source, method)
    return True


def write_rows(out: Path, rows: Any, names: RowNames | None = None, columns: Sequence[str] | None = None) -> None:
    """Write a data frame, or an array of rows (n x d), as .npy, .parquet, .csv or .tsv.

    Parameters
    ----------
    names : names of the rows, for the first column; None without names. A .npy file cannot hold them.
    columns : names of the columns of an array; None without names.
    """
    import numpy as np

    if out.suffix.lower() == ".npy" or (names is None and isinstance(rows, np.ndarray)):
        write_array(out, np.asarray(rows), columns)
        return
    if hasattr(rows, "iloc"):
        frame = rows.reset_index(drop=True)
        if names is not None and str(names.name) not in map(str, frame.columns):  # an identifier may be there already
            frame.insert(0, names.name, np.asarray(names.values))
        write_frame(out, frame)
        shape = frame.shape
    else:
        rows = np.asarray(rows).reshape(len(rows), -1)
        titles = columns or [f"x{i}" for i in range(rows.shape[1])]
        table = {} if names is None else {names.name: names.values}
        write_columns(out, table | dict(zip(titles, rows.T, strict=True)))
        shape = len(rows), rows.shape[1] + len(table)
    say(f"{out}: {counted(shape[0], 'row')} of {counted(shape[1], 'column')}")


def write_columns(out: Path, columns: Mapping[str, Any]) -> None:
    """Write columns by name as .parquet, .csv or .tsv, as `write_frame` does. Text is written without pandas, too."""
    import numpy as np

    from narrows.data.files import writing
    from narrows.data.sinks import DELIMITERS

    values = {name: np.asarray(column) for name, column in columns.items()}
    try:
        import pandas as pd
    except ImportError:
        if out.suffix.lower() not in DELIMITERS:
            raise
        writing.write_columns(out, values)
        return
    write_frame(out, pd.DataFrame(values))


def write_frame(out: Path, frame: Any) -> None:
    """Write a data frame without its index as .parquet, .csv or .tsv. A failure leaves no half-written file.

    Text that a spreadsheet would take for a formula gets an apostrophe in front in a .csv or .tsv.
    """
    from narrows.data.atomic import atomic_path
    from narrows.data.parquet import import_pyarrow
    from narrows.data.sinks import DELIMITERS

    suffix = out.suffix.lower()
    if suffix == ".parquet":
        import_pyarrow("writing .parquet")
        frame = frame.rename(columns=str)
        with atomic_path(out) as temporary:
            frame.to_parquet(temporary, index=False)
        return
    frame, n_formulas = _escape_formulas(frame)
    with atomic_path(out) as temporary:
        frame.to_csv(temporary, sep=DELIMITERS[suffix], index=False, lineterminator="\n")
    if n_formulas:
        say(
            f"{out}: text that begins like a formula has an apostrophe in front ({n_formulas:,} x); a .parquet has none"
        )


def _escape_formulas(frame: Any) -> tuple[Any, int]:
    """Return the frame with an apostrophe before text that a spreadsheet would run, and the number of such cells."""
    from narrows.data.formulas import is_formula, without_formula

    names = [without_formula(name) for name in frame.columns]
    n = sum(map(is_formula, frame.columns))
    frame = frame.set_axis(names, axis=1)
    for i, dtype in enumerate(frame.dtypes):
        if getattr(dtype, "kind", "O") in "biufcmM":
            continue
        cells = frame.iloc[:, i].astype(object)
        n_formulas = int(cells.map(is_formula).sum())
        if n_formulas:
            frame.isetitem(i, cells.map(without_formula))
            n += n_formulas
    return frame, n


def write_examples(
    out: Path,
    examples: Any,
    model: Estimator,
    loaded: Dataset | None = None,
    compared: dict[str, Any] | None = None,
    names: RowNames | None = None,
) -> None:
    """Write examples in the user's units as an array, a data frame, a sheet or a folder of pictures.

    A sheet shows the rows of `compared` instead, if there are any: arrays of examples by their label. `loaded` is the
    data that the examples were made from; its columns or file names are used again. `names` are those of the rows.
    """
    import numpy as np

    from narrows.plots import sheets

    schema = model.schema_
    if out.suffix.lower() in ARRAYS:
        columns = (loaded.columns if loaded is not None else None) or schema.columns or ()
        write_rows(out, examples, names, [str(column) for column in columns] or None)
        return
    array = np.asarray(examples)
    if out.suffix.lower() != ".png":
        _write_pictures(out, schema.channels_last(array), loaded, schema.limits)
    elif compared:
        kinds = {name: schema.channels_last(np.asarray(rows)[:_MAX_PAIRS]) for name, rows in compared.items()}
        images, labels = sheets.arrange_rows(kinds, limits=schema.limits)
        _write_sheet(out, images, labels, min(_MAX_PAIRS, len(array)), len(array))
    else:
        images = sheets.arrange_grid(schema.channels_last(array[:_MAX_PICTURES]), limits=schema.limits)
        _write_sheet(out, images, None, min(_MAX_PICTURES, len(array)), len(array))


def write_dials(out: Path, examples: np.ndarray, labels: list[str], model: Estimator, noun: str = "dials") -> None:
    """Write examples (dials, steps, ...) as an array, or as a sheet with a labelled row for each dial."""
    from narrows.plots import sheets

    if out.suffix.lower() in ARRAYS:
        write_array(out, examples)
        return
    flat = model.schema_.channels_last(examples.reshape(-1, *examples.shape[2:]))
    images = sheets.as_bytes(flat, model.schema_.limits).reshape(*examples.shape[:2], *flat.shape[1:])
    _write_sheet(out, images, labels, len(examples), len(examples), noun)


def choose_dials(model: Estimator, n_max: int) -> tuple[list[int], list[str]]:
    """Return at most `n_max` components, those that carry most first, and a label for each.

    Raises ValueError if `n_max` is below 1.
    """
    if n_max < 1:
        raise ValueError(f"--dials must be at least 1. Got {n_max}.")
    from narrows.evaluation.inspection import Inspection
    from narrows.plots.content import dial_labels

    return dial_labels(Inspection(model), n_max)


def _write_sheet(
    out: Path, images: np.ndarray, labels: list[str] | None, n_shown: int, n: int, noun: str = "examples"
) -> None:
    from narrows.data.atomic import atomic_path
    from narrows.plots.sheets import draw_sheet

    with atomic_path(out) as temporary:
        draw_sheet(images, labels).save(temporary, "PNG", optimize=True)
    say(f"{out}: " + (f"{n:,} {noun}" if n_shown == n else f"the first {n_shown:,} of {n:,} {noun}; .npy holds all"))


def _write_pictures(
    folder: Path, images: np.ndarray, loaded: Dataset | None, limits: tuple[float, float] | None
) -> None:
    """Write one .png for each example, under the name of its source file. Files of floats become .tif again."""
    import numpy as np
    from PIL import Image

    from narrows.data.atomic import atomic_path
    from narrows.plots.sheets import as_bytes

    names = loaded.files if loaded is not None and loaded.files else [f"{i:06d}" for i in range(len(images))]
    stems = [str(Path(name).with_suffix("")) for name in names]
    if len(set(stems)) < len(stems):  # two files such as a.jpg and a.png
        stems = [str(name) for name in names]
    is_float = loaded is not None and bool(loaded.files) and loaded.X.dtype.kind == "f"
    suffix, file_format = (".tif", "TIFF") if is_float else (".png", "PNG")
    if is_float:
        images = images.astype(np.float32)
    elif images.dtype != np.uint16 or images.ndim > 3:  # Pillow has no colour with 16 bits a channel
        images = as_bytes(images, limits)
    for stem, image in zip(stems, images, strict=True):
        path = folder / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_path(path) as temporary:
            if image.ndim == 3:
                image = image[..., :3] if image.shape[-1] >= 3 else image[..., 0]
            Image.fromarray(image).save(temporary, file_format)
    say(f"{folder}: {counted(len(images), 'picture')}")
