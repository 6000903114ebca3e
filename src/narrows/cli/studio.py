"""`narrows studio`: a page with the dials of a model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import inputs, reading
from narrows.cli.app import LOOK, app
from narrows.cli.reading_options import current, reads_data


@app.command(rich_help_panel=LOOK)
@reads_data
def studio(
    model: Annotated[
        Path | None,
        typer.Argument(
            metavar="MODEL", help="Folder of a saved model, such as `narrows fit --out` makes.", show_default=False
        ),
    ] = None,
    data: Annotated[
        str | None,
        typer.Argument(metavar="DATA", help="Examples for the map: a name or a path, as in `fit`.", show_default=False),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN|FILE", help="Labels of the rows of DATA: a column of DATA, or a .npy or .csv file."
        ),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder for models trained on the page.", show_default="they are not saved"),
    ] = None,
    host: Annotated[
        str, typer.Option(help="Address to listen on; with 0.0.0.0 other machines can reach the page.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on; 0 for any free port.")] = 8760,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
) -> None:
    """Open a page with the dials of a model.

    It shows what each component does, the map of all codes, the units of a
    sparse code, and outliers. It also trains models on your data; without
    MODEL it begins with that. No data leave this machine. The link that is
    printed holds a token, without which nobody gets in. The command needs the
    extra `studio`.

    For example:

        narrows studio digits-vae digits

        narrows studio
    """
    from narrows.studio.serving import check_installed, serve

    check_installed()  # before anything is read
    if labels is None:
        labels = current().label
    # the page colours the map by columns that the model does not take
    loaded = None if data is None else reading.read_all_columns(data, "test")
    with inputs.note_unfinished(model or Path()):
        serve(model, loaded, source=data, labels=labels, keep=keep, host=host, port=port, browser=browser)
