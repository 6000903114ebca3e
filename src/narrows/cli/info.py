"""`narrows info`, `narrows recipes` and `narrows datasets`: saved models, recipes and data sets to choose from."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import inputs, printing
from narrows.cli.app import LOOK, Assignments, Json, app
from narrows.cli.reading_options import reads_data


@app.command(rich_help_panel=LOOK)
@reads_data
def info(
    model: Annotated[
        str,
        typer.Argument(
            metavar="MODEL|DATA", help="Folder of a saved model; or data, as for `fit`.", show_default=False
        ),
    ],
    recipe: Annotated[str, typer.Option(help="For DATA: kind of the model that would be fitted.")] = "vae",
    n_components: Annotated[
        int | None, typer.Option(help="For DATA: its number of components.", show_default="depends on the recipe")
    ] = None,
    assignments: Assignments = None,
    json: Json = False,
) -> None:
    """Describe a model: recipe, parameters, data, decisions, losses. Or describe data before a model is fitted.

    The weights of a model are not loaded. For DATA it lists the columns with
    their kinds, gaps, ranges and likelihoods, or the images; then the network
    that `fit` would train with the same options, and about how much memory
    and time it takes. Nothing is trained.

    For example:

        narrows info digits-vae

        narrows info table.csv --drop timestamp --recipe ae --json
    """
    from narrows.cli import data_info

    if data_info.is_model(model):
        with inputs.damage_reported(Path(model)):
            about = printing.describe_model(Path(model))
        printing.show_info(about, json=json)
    else:
        estimator = inputs.make_estimator(recipe, assignments or [], {"n_components": n_components})
        data_info.show(model, estimator, json=json)


@app.command(rich_help_panel=LOOK)
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="Name of a recipe.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List the recipes, or with NAME the parameters of that recipe.

    Each parameter can be given to `narrows fit` as --set PARAMETER=VALUE.

    For example:

        narrows recipes

        narrows recipes vae
    """
    if name is None:
        printing.show_recipes(json=json)
    else:
        printing.show_parameters(name, json=json)


@app.command(rich_help_panel=LOOK)
def datasets(json: Json = False) -> None:
    """List the named data sets, and where each is stored or downloaded from.

    Every command takes these names as DATA; digits:train and digits:test
    are the splits of digits.

    For example:

        narrows datasets
    """
    printing.show_datasets(json=json)
