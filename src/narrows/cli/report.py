"""`narrows report`: a page about a model."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import USE, Data, Model, Overwrite, Train, app, say

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator


@app.command(rich_help_panel=USE)
@reading.reads_data
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
    with reading.labelled_by(labels) as label_file:
        X, y = _read_data(data, fitted)
    if label_file is not None:
        y = _read_labels(label_file, X)
    train = train or reading.find_training_split(data)
    train_rows = None if train is None else reading.read_all_columns(train, "train", fitted).X
    options: dict[str, Any] = {
        "name": _short_name(data),
        "command": shlex.join(["narrows", *sys.argv[1:]]),
        "verbose": 1,
    }
    write_report(fitted, X, out, y=y, train=train_rows, max_examples=examples, random_state=seed, **options)
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _read_data(name: str, model: Estimator) -> tuple[Any, np.ndarray | None]:
    """Return the examples and their labels, or None without labels. A Parquet file of numbers is opened, not read."""
    from narrows.data import parquet

    is_parquet = Path(name).expanduser().exists() and parquet.is_parquet(Path(name).expanduser())
    if is_parquet and reading.current().label is None and model.schema_.kind != "table":
        source = reading.open_blocks(name, model)
        if source is not None:
            return source, None
    loaded = reading.read_dataset(name, "test", model)
    if loaded.y is not None and loaded.files and all("/" in file for file in loaded.files):
        import numpy as np

        from narrows.data.images import class_names

        return loaded.X, np.array(class_names(loaded.files))  # a folder for each class
    return loaded.X, loaded.y


def _read_labels(path: Path, X: Any) -> np.ndarray:
    from narrows.data.labels import read_labels
    from narrows.data.streams import Source

    return read_labels(path, X.n if isinstance(X, Source) else len(X))


def _short_name(name: str) -> str:
    """Return the name of a data set for a title."""
    return name if not Path(name).expanduser().exists() else Path(name).name
