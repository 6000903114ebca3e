"""`narrows evaluate`: measures of a model on data."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from narrows.cli import inputs, printing
from narrows.cli.app import USE, Data, Json, Model, Train, app

if TYPE_CHECKING:
    import numpy as np


@app.command(rich_help_panel=USE)
def evaluate(
    model: Model,
    data: Data,
    train: Train = None,
    beside: Annotated[
        Path | None, typer.Option(metavar="MODEL", help="Another model to measure in the same way.", show_default=False)
    ] = None,
    measures: Annotated[
        str | None,
        typer.Option(metavar="NAMES", help="Only these: mse,nll,...", show_default="all that there are"),
    ] = None,
    draws: Annotated[int, typer.Option(help="K, draws of each code for the likelihood.")] = 64,
    seed: Annotated[int, typer.Option(help="Of everything random.")] = 0,
    json: Json = False,
) -> None:
    """Measure a model on DATA, best on data that it has not seen.

    Prints a table of what fits the model and the data, with 95 % intervals,
    beside PCA with as many components: reconstruction, nats per example,
    neighbours kept, sparsity, how good new examples are, whether the outlier
    threshold holds; with DATA that has labels, how well codes tell them apart.
    Of a named data set the test part is taken, unless you write digits:train.

    For example:

        narrows evaluate digits-vae digits --json

        narrows evaluate digits-vae digits --beside digits-ae --measures mse,ssim
    """
    from narrows.evaluation import evaluate as measure

    fitted, other = inputs.open_model(model), None if beside is None else inputs.open_model(beside)
    loaded, train = inputs.read_dataset(data, "test", fitted), train or inputs.find_training_part(data)
    evaluation = measure(
        fitted,
        loaded.X,
        _labels_that_vary(loaded.y),
        train=None if train is None else inputs.read_dataset(train, "train", fitted).X,
        beside=other,
        measures=None if measures is None else [name.strip().replace("-", "_") for name in measures.split(",")],
        n_draws=draws,
        random_state=seed,
    )
    printing.show_evaluation(evaluation, json=json)


def _labels_that_vary(y: np.ndarray | None) -> np.ndarray | None:
    """Return the labels of the data, or None if they are all the same."""
    return None if y is None or (y == y[0]).all() else y
