"""`narrows report`: a page about a model."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs
from narrows.cli.app import USE, Data, Model, Train, app, say

if TYPE_CHECKING:
    import numpy as np

    from narrows.estimators import Estimator


@app.command(rich_help_panel=USE)
def report(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help=".html")] = Path("report.html"),
    labels: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A label for each example: .npy, or a text file with one a line.", show_default=False
        ),
    ] = None,
    train: Train = None,
    examples: Annotated[int, typer.Option(help="Look at so many examples of DATA, at most.")] = 10_000,
    seed: Annotated[int, typer.Option(help="Of what is drawn.")] = 0,
) -> None:
    """Write a page about a model on DATA: one file to look at, to print, to pass on.

    What was decided and why, how it learned, reconstructions, the map, dials
    to turn, new examples, outliers with their reasons, all measures beside
    PCA's, and what is well and what is not. Of a named data set the test part
    is taken. DATA may be larger than memory: a sample is looked at then.

    For example:

        narrows report digits-vae digits -o digits.html

        narrows report table-ae table.parquet --labels kinds.txt -o table.html
    """
    from narrows.data.labels import read_labels
    from narrows.data.streams import Source
    from narrows.report import write_report

    outputs.check(out, (".html",))
    fitted = inputs.opened(model)
    X, y = _data(data, fitted)
    y = y if labels is None else read_labels(labels, X.n if isinstance(X, Source) else len(X))
    train = train or inputs.training_part(data)
    learned = None if train is None else inputs.dataset(train, "train", fitted).X
    options: dict[str, Any] = {"name": _short(data), "command": shlex.join(["narrows", *sys.argv[1:]]), "verbose": 1}
    write_report(fitted, X, out, y=y, train=learned, max_examples=examples, random_state=seed, **options)
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _data(name: str, model: Estimator) -> tuple[Any, np.ndarray | None]:
    """The examples, those of a Parquet file not yet read, and their labels where the data have them."""
    from narrows.data import parquet

    path = Path(name).expanduser()
    if path.exists() and parquet.is_parquet(path):
        return inputs.source(name, "test", model), None
    given = inputs.dataset(name, "test", model)
    if given.y is not None and given.files and all("/" in file for file in given.files):
        import numpy as np

        return given.X, np.array([file.partition("/")[0] for file in given.files])  # a folder for each class
    return given.X, given.y


def _short(name: str) -> str:
    """A data set as a title has it."""
    return name if not Path(name).expanduser().exists() else Path(name).name
