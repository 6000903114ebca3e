"""`narrows report`: a page about a model."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import USE, Data, Model, Overwrite, Train, app, say
from narrows.cli.reading_options import current, labelled_by, reads_data

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator


@app.command(rich_help_panel=USE)
@reads_data
def report(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .html.")] = Path(
        "report.html"
    ),
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|FILE",
            help="Labels of the examples: a column of DATA (as --label), .npy, or a text file with a label on each "
            "line.",
            show_default=False,
        ),
    ] = None,
    train: Train = None,
    examples: Annotated[int, typer.Option(help="Maximum number of examples of DATA to use.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a page about a model on DATA, as one HTML file.

    It shows the decisions with their reasons, the training, reconstructions,
    the map, dials to turn, new examples, outliers with their reasons, all
    measures beside those of PCA, and what is good and what is not. For a
    named data set the test split is used. DATA may be larger than memory:
    the page then shows a sample.

    For example:

        narrows report digits-vae digits -o digits.html

        narrows report table-ae table.parquet --labels kinds.txt -o table.html
    """
    from narrows.report import write_report

    outputs.check_path(out, (".html",), overwrite=overwrite)
    fitted = inputs.open_model(model)
    with labelled_by(labels) as label_file:
        X, y = _read_data(data, fitted)
        code = _code(model, data, fitted, X, y, label_file)
    if label_file is not None:
        y = _read_labels(label_file, X)
    train = train or reading.find_training_split(data)
    train_rows = None if train is None else reading.read_all_columns(train, "train", fitted).X
    options: dict[str, Any] = {
        "name": _short_name(data),
        "command": _command(),
        "code": code,
        "verbose": 1,
    }
    write_report(fitted, X, out, y=y, train=train_rows, max_examples=examples, random_state=seed, **options)
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _read_data(name: str, model: Estimator) -> tuple[Any, np.ndarray | None]:
    """Return the examples and their labels, or None without labels. A Parquet file of numbers is opened, not read."""
    from narrows.data import parquet

    is_parquet = Path(name).expanduser().exists() and parquet.is_parquet(Path(name).expanduser())
    if is_parquet and current().label is None and model.schema_.kind != "table":
        source = reading.open_blocks(name, model)
        if source is not None:
            return source, None
    loaded = reading.read_dataset(name, "test", model)
    if loaded.y is not None and loaded.files and all("/" in file for file in loaded.files):
        import numpy as np

        from narrows.data.images import class_names

        return loaded.X, np.array(class_names(loaded.files))  # a folder for each class
    return loaded.X, loaded.y


def _command() -> str:
    """Return this command line, which may be repeated: the page that it makes is there by then."""
    arguments = [argument for argument in sys.argv[1:] if argument != "--overwrite"]
    return shlex.join(["narrows", *arguments, "--overwrite"])


def _code(model: Path, data: str, fitted: Estimator, X: Any, y: Any, label_file: Path | None) -> str:
    """Return the Python that opens the model, and reads the examples and the labels as this command does."""
    is_frame, label = hasattr(X, "iloc"), current().label
    set_name, split = reading.split_name(data)
    lines = [f"model = narrows.load({str(model)!r})"]
    imports = ["import narrows"]
    if reading.is_named(set_name):
        lines.append(f"data = narrows.load_dataset({set_name!r}, {split or 'test'!r})")
    else:
        imports.append("from narrows.data.files import read")
        lines.append(f"data = read({data!r}{_options()}){_selection(fitted, is_frame)}")
    # a model takes its columns by name, and one of them may be the label, too
    labels = f"data.X[{label!r}].to_numpy()" if is_frame and label is not None else "data.y"
    lines.append("X = data.X" if y is None or label_file is not None else f"X, y = data.X, {labels}")
    if label_file is not None:
        imports.append("from narrows.data.labels import read_labels")
        lines.append(f"y = read_labels({str(label_file)!r}, len(X))")
    return "\n".join([*imports, "", *lines])


def _options() -> str:
    """Return the options of `read` that the command line gives, after the path."""
    given = current()
    options = {"header": given.header, "on_bad": None if given.on_bad == "error" else given.on_bad}
    options["resize"] = given.resize
    return "".join(f", {name}={value!r}" for name, value in options.items() if value is not None)


def _selection(model: Estimator, is_frame: bool) -> str:
    """Return the calls after `read` that take the columns of the model."""
    given = current()
    chosen: dict[str, Any] = {"drop": given.drop and list(given.drop)}
    if not is_frame:
        chosen |= {"columns": given.columns and list(given.columns), "label": given.label, "id": given.id}
    options = ", ".join(f"{name}={value!r}" for name, value in chosen.items() if value)
    selection = f".select({options})" if options else ""
    if model.schema_.table is not None or len(model.schema_.shape) != 1:
        return selection
    return f"{selection}.ordered(model.schema_.columns).as_numbers()"


def _read_labels(path: Path, X: Any) -> np.ndarray:
    from narrows.data.labels import read_labels
    from narrows.data.streams import Source

    return read_labels(path, X.n if isinstance(X, Source) else len(X))


def _short_name(name: str) -> str:
    """Return the name of a data set for a title."""
    return name if not Path(name).expanduser().exists() else Path(name).name
