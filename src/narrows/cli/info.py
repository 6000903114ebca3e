"""`narrows info`, `narrows recipes` and `narrows datasets`: saved models, recipes and data sets to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli import printing
from narrows.cli.app import LOOK, Json, Model, app


@app.command(rich_help_panel=LOOK)
def info(model: Model, json: Json = False) -> None:
    """Describe the model in a folder: recipe, parameters, data, decisions, losses.

    The weights are not loaded.

    For example:

        narrows info digits-vae
    """
    printing.show_info(printing.describe_model(model), json=json)


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
