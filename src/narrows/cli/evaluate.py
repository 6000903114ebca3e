"""`narrows evaluate`: measures of a model on data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from narrows.cli import inputs, printing, reading
from narrows.cli.app import USE, Data, Json, Model, Train, app
from narrows.cli.reading_options import reads_data

if TYPE_CHECKING:
    import numpy as np


@app.command(rich_help_panel=USE)
@reads_data
def evaluate(
    model: Model,
    data: Data,
    train: Train = None,
    beside: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Another model, measured in the same way.", show_default=False)
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Measures to compute: mse,nll,...", show_default="all that apply"),
    ] = None,
    target: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of a table that classifiers predict, to measure the use of new rows.",
            show_default="the last one with levels",
        ),
    ] = None,
    draws: Annotated[int, typer.Option(help="Number of draws of each code (K), for the likelihood.")] = 64,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    json: Json = False,
) -> None:
    """Measure a model on DATA, preferably data that it was not fitted on.

    Prints a table of all measures that apply to the model and the data,
    with 95 % intervals, and the same measures of PCA with as many
    components: reconstruction, nats per example, neighbourhoods, sparsity,
    quality of new examples and the outlier threshold. If DATA has labels,
    it also measures how well the codes separate the classes (--label names
    their column in a table). For a named data set the test split is used, unless you write digits:train.

    For example:

        narrows evaluate digits-vae digits --json

        narrows evaluate digits-vae digits --beside digits-ae --measures mse,ssim

        narrows evaluate adult-vae test.csv --train train.csv --target income
    """
    from narrows.evaluation import evaluate as measure

    fitted, other = inputs.open_model(model), None if beside is None else inputs.open_model(beside)
    loaded, train = reading.read_dataset(data, "test", fitted), train or reading.find_training_split(data)
    evaluation = measure(
        fitted,
        loaded.X,
        _labels_that_vary(loaded.y),
        train=None if train is None else reading.read_all_columns(train, "train", fitted).X,
        beside=other,
        measures=None if measures is None else [name.strip().replace("-", "_") for name in measures.split(",")],
        target=target,
        n_draws=draws,
        random_state=seed,
    )
    printing.show_evaluation(evaluation, json=json)


def _labels_that_vary(y: np.ndarray | None) -> np.ndarray | None:
    """Return the labels of the data, or None if they are all the same."""
    return None if y is None or len({str(label) for label in y.tolist()}) < 2 else y
