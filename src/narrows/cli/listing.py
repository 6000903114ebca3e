"""What there is: a saved model, the recipes, the data sets; and the demo."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import printing
from narrows.cli.app import LOOK, TRAIN, Json, Model, app


@app.command(rich_help_panel=TRAIN)
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the page.")] = Path(
        "narrows-demo"
    ),
) -> None:
    """Train all four autoencoders on small digits and write a page about them.

    It takes less than two minutes without a GPU, and no download.

    For example:

        narrows demo --out narrows-demo
    """
    from narrows.report import demo as page

    print(page.run(out, console=printing.stderr()))


@app.command(rich_help_panel=LOOK)
def info(model: Model, json: Json = False) -> None:
    """Say what the model in a folder is: recipe, parameters, data, decisions, losses.

    The weights are not loaded.

    For example:

        narrows info digits-vae
    """
    printing.show_info(printing.about(model), json=json)


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
