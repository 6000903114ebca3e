"""`narrows demo`: a page about the four autoencoders."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from narrows.cli import printing
from narrows.cli.app import TRAIN, app


@app.command(rich_help_panel=TRAIN)
def demo(
    out: Annotated[Path, typer.Option("--out", "-o", metavar="DIR", help="Folder for the page.")] = Path(
        "narrows-demo"
    ),
) -> None:
    """Train all four autoencoders on small digits and write a page about them.

    It takes less than two minutes without a GPU and downloads nothing. The
    last line is the command that opens the studio on one of the models.

    For example:

        narrows demo --out narrows-demo
    """
    from narrows.report import demo as page

    path = page.run(out, console=printing.stderr_console())
    print(path, flush=True)
    printing.show_studio("Turn the dials of this model yourself:", page.studio_command(path.parent))
