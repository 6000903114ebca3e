"""`narrows studio`: a page with the dials of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import inputs
from narrows.cli.app import LOOK, app


@app.command(rich_help_panel=LOOK)
def studio(
    model: Annotated[
        Path | None,
        typer.Argument(metavar="MODEL", help="The folder that `narrows fit --out` made.", show_default=False),
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Examples for the map: a name or a path, as in `fit`.", show_default=False),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="COLUMN|FILE", help="What the rows of DATA are: a column of it, or a .npy or .csv file."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for models trained on the page.", show_default="none is kept"),
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on; any but 127.0.0.1 demands a token.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 for any that is free.")] = 8760,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page.")] = True,
) -> None:
    """Open a page on which to turn the dials of a model.

    It shows what each component does, the map of all codes, units,
    outliers, and trains models on data that you bring. Without MODEL it
    begins with that. Nothing leaves this machine. Needs the extra `studio`.

    For example:

        narrows studio digits-vae digits

        narrows studio
    """
    from narrows.studio.serving import check_installed, serve

    check_installed()  # before anything is read
    loaded = None if data is None else inputs.read_dataset(data, "test")
    with inputs.note_unfinished(model or Path()):
        serve(model, loaded, source=data, labels=labels, keep=keep, host=host, port=port, browser=browser)
