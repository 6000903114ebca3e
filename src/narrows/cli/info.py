"""`narrows info`, `narrows recipes` and `narrows datasets`: saved models, recipes and data sets to choose from."""

from __future__ import annotations

from typing import Annotated

import typer

from narrows.cli import printing
from narrows.cli.app import LOOK, Json, Model, app


@app.command(rich_help_panel=LOOK)
def info(model: Model, json: Json = False) -> None:
    """Say what the model in a folder is: recipe, parameters, data, decisions, losses.

    The weights are not loaded.

    For example:

        narrows info digits-vae
    """
    printing.show_info(printing.describe_model(model), json=json)


@app.command(rich_help_panel=LOOK)
def recipes(
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="A recipe.", show_default=False)] = None,
    json: Json = False,
) -> None:
    """List what can be trained, or with a NAME the parameters of that recipe.

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
    """List the data sets that have a name, and where each one is or comes from.

    A name stands for DATA in every command; digits:train and digits:test
    name its parts.

    For example:

        narrows datasets
    """
    printing.show_datasets(json=json)
