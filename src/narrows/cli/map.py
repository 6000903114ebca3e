"""`narrows map`: a page with a map to explore."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import USE, Data, Model, Overwrite, app, say
from narrows.cli.reading_options import current, reads_data


@app.command("map", rich_help_panel=USE)
@reads_data
def map_page(
    model: Model,
    data: Data,
    out: Annotated[Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .html.")] = Path("map.html"),
    method: Annotated[
        str,
        typer.Option(
            help="neighbours, for a map on which neighbours stay neighbours, or axes, for the two principal axes."
        ),
    ] = "neighbours",
    color: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of DATA that colours show at first, also one that the model does not know.",
            show_default="the labels",
        ),
    ] = None,
    examples: Annotated[int, typer.Option(help="Maximum number of examples of DATA to show.")] = 100_000,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    overwrite: Overwrite = False,
) -> None:
    """Write a map of DATA to explore, as one HTML file.

    Each example is a point. The page pans and zooms, selects by a box or a
    lasso, colours by a column, names classes and clusters, draws densities,
    filters by histograms that follow each other, and lists the rows.

    For example:

        narrows map digits-vae digits -o digits.html

        narrows map table-ae table.parquet --label kind --color age -o table.html
    """
    from narrows.report import write_map

    outputs.check_path(out, (".html",), overwrite=overwrite)
    fitted = inputs.open_model(model, needs_code=True)
    X, y, columns = _read(data, fitted)
    options: dict[str, Any] = {"color": color, "columns": columns, "method": method, "max_examples": examples}
    label = current().label or "label"
    title = f"The map of {Path(data).name}"
    write_map(fitted, X, out, y=y, label=label, title=title, random_state=seed, **options)
    say(f"{out}: {out.stat().st_size / 1e6:.1f} MB")


def _read(data: str, model: Any) -> tuple[Any, Any, dict[str, Any]]:
    """Return the examples, their labels or None, and the columns of a table that the model does not know."""
    import numpy as np

    from narrows.data import open_frame
    from narrows.data.images import class_names

    whole, rows, _ = reading.read_whole(data, model)
    y = rows.y
    if y is not None and rows.files and all("/" in file for file in rows.files):
        y = np.array(class_names(rows.files))  # a folder for each class
    if whole.columns is None or not hasattr(whole.X, "iloc"):
        return rows.X, y, {}
    taken = {*map(str, rows.columns or ()), current().label, *(current().drop or ()), current().id}
    frame = open_frame(whole.X, "narrows map")
    return rows.X, y, {str(name): frame.data[name].to_numpy() for name in frame.names if str(name) not in taken}
