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
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the demo in DIR.")] = False,
) -> None:
    """Train all four autoencoders on small digits and write a page about them.

    It takes less than two minutes without a GPU and downloads nothing. The
    last line is the command that opens the studio on one of the models.

    For example:

        narrows demo --out narrows-demo
    """
    from narrows.report import demo as page

    _check_folder(out, overwrite)
    path = page.run(out, console=printing.stderr_console())
    print(path, flush=True)
    printing.show_studio("Turn the dials of this model yourself:", page.studio_command(path.parent))


def _check_folder(out: Path, overwrite: bool) -> None:
    """Raise if `out` holds a demo that is to stay, or anything else."""
    if not out.is_dir() or not any(path.name[0] != "." for path in out.iterdir()):
        return
    if not (out / "index.html").exists() or not (out / "models").is_dir():
        raise ValueError(f"{out} is not empty and holds no demo. Name a new folder with --out.")
    if not overwrite:
        raise ValueError(f"{out} already holds a demo. Name another folder with --out, or pass --overwrite.")
