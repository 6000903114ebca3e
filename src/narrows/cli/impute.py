"""`narrows impute` and `narrows predict`: the cells of a table that are missing, or those of one column."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from narrows.cli import filled, inputs, outputs, reading
from narrows.cli.app import USE, Data, Model, Overwrite, Seed, app, say
from narrows.cli.reading_options import reads_data
from narrows.params import counted

_TABLES = (".csv", ".tsv", ".parquet")
_STATISTIC = "median, mean or mode of a column of numbers. Categories get their likeliest level."


@app.command(rich_help_panel=USE)
@reads_data
def impute(
    model: Model,
    data: Data,
    out: Annotated[
        Path,
        typer.Option(
            "-o",
            "--out",
            metavar="FILE",
            help=f"File to write: {', '.join(filled.SUFFIXES[:-1])}, or .npy for an array.",
            show_default=False,
        ),
    ],
    statistic: Annotated[
        str | None, typer.Option(help=_STATISTIC, show_default="that of a saved TableImputer, else median")
    ] = None,
    draws: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="Write N tables whose gaps hold values that could stand there, FILE-1, FILE-2, ...: their differences "
            "tell how uncertain the gaps are.",
            show_default="one table",
        ),
    ] = None,
    seed: Seed = None,
    overwrite: Overwrite = False,
) -> None:
    """Fill the gaps of DATA with a model of the recipe tableae.

    FILE gets all rows and columns of DATA in their order. If it has the
    format of DATA, only the gaps change: all other cells stay as they are
    written, also identifiers, texts, and columns that the model does not
    know. How many cells were filled in which columns is printed.

    With --draws, do your analysis on each table and pool the results with
    narrows.tasks.pool_estimates.

    For example:

        narrows impute table-model table.csv -o filled.csv

        narrows impute table-model table.xlsx -o drawn.xlsx --draws 5 --seed 0
    """
    from narrows.tasks.imputation import saved_statistic

    if draws is not None and statistic is not None:
        raise typer.BadParameter("--statistic is for one table and --draws for several: give one of them.")
    if draws is None and seed is not None:
        raise typer.BadParameter("--seed is for --draws: one table has nothing random.")
    outs = [out] if draws is None else [out.with_name(f"{out.stem}-{i + 1}{out.suffix}") for i in range(draws)]
    for path in outs:
        _check_target(path, data, overwrite=overwrite)
    fitted = inputs.open_table_model(model, "fill gaps")
    if out.suffix.lower() == ".npy":
        outputs.check_pictures(out, fitted)
    whole, rows, positions = reading.read_whole(data, fitted)
    made = fitted.impute(rows.X, statistic=statistic or saved_statistic(model), n_draws=draws, random_state=seed)
    for path, table in zip(outs, [made] if draws is None else made, strict=True):
        result = filled.put_back(whole, positions, rows.X, table)
        filled.write(path, Path(data).expanduser(), result)
    _describe(result)


def _check_target(out: Path, data: str, *, overwrite: bool) -> None:
    """Raise if `out` cannot be written, or is DATA itself."""
    source = Path(data).expanduser()
    if source.is_file() and out.is_file() and out.samefile(source):
        raise ValueError(f"{out} is DATA itself: nobody could tell any more which cells were gaps. Name another file.")
    outputs.check_path(out, filled.SUFFIXES, overwrite=overwrite)


def _describe(result: filled.Filled) -> None:
    """Print how many cells were filled in which columns, and which columns still have gaps."""
    counts = result.count_cells()
    listed = ", ".join(f"{name} {n:,}" for name, n in counts.items())
    say(f"{counted(sum(counts.values()), 'cell')} filled: {listed}" if counts else "No cell was filled.")
    left = result.list_open()
    if left:
        say(f"still with gaps, because the model does not see them: {', '.join(left)}")


@app.command(rich_help_panel=USE)
@reads_data
def predict(
    model: Model,
    data: Data,
    target: Annotated[str, typer.Argument(metavar="COLUMN", help="Name of the column to predict.", show_default=False)],
    out: Annotated[
        Path,
        typer.Option("-o", "--out", metavar="FILE", help=f"File to write: {', '.join(_TABLES)}.", show_default=False),
    ],
    proba: Annotated[
        bool, typer.Option("--proba", help="Add a column for each level, COLUMN=LEVEL, with its probability.")
    ] = False,
    statistic: Annotated[str, typer.Option(help=_STATISTIC)] = "mean",
    overwrite: Overwrite = False,
) -> None:
    """Predict a column of DATA from all others with a model of the recipe tableae.

    What stands in COLUMN is not looked at, and DATA may lack it. FILE gets
    a line for each row of DATA. If the rows have names (--id, an index),
    they are the first column.

    For example:

        narrows predict table-model new.csv income -o income.csv --proba
    """
    outputs.check_path(out, _TABLES, overwrite=overwrite)
    fitted = inputs.open_table_model(model, "predict columns")
    levels = fitted.levels(target) if proba else []  # first, because it checks the column
    loaded = reading.read_dataset(data, "test", fitted, optional=(target,))
    names = reading.row_names(loaded)
    table: dict[str, Any] = {} if names is None else {names.name: names.values}
    table[target] = fitted.predict(loaded.X, target, statistic=statistic)
    if proba:
        titles = [f"{target}={level:g}" if isinstance(level, float) else f"{target}={level}" for level in levels]
        table |= dict(zip(titles, fitted.predict_proba(loaded.X, target).T, strict=True))
    outputs.write_columns(out, table)
    say(f"{out}: {counted(len(table[target]), 'row')} of {counted(len(table), 'column')}")
