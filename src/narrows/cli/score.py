"""`narrows fit-outliers` and `narrows score`: find strange rows, with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import TRAIN, USE, Data, Model, Overwrite, app, say
from narrows.cli.reading_options import current, reads_data
from narrows.params import counted

if TYPE_CHECKING:
    from narrows.data.files import Dataset

TABLES = (".csv", ".tsv")


@app.command(rich_help_panel=TRAIN)
@reads_data
def fit_outliers(
    data: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="MODEL", help="Folder for the detector.", show_default=False)
    ],
    contamination: Annotated[
        float | None, typer.Option(help="Share of outliers that sets the threshold.", show_default="0.05")
    ] = None,
    max_iter: Annotated[int | None, typer.Option(help="Number of training steps.", show_default="1,000")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random numbers.")] = 0,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the model in MODEL.")] = False,
) -> None:
    """Learn what is usual in DATA, to find outliers with `narrows score`.

    All or most rows of DATA should be usual. Columns may have any units
    and heavy tails, words, dates and gaps. You need not set any option.

    For example:

        narrows fit-outliers table.csv -o usual

        narrows score usual new.csv -o scores.csv
    """
    from narrows.evaluation.scores import expected_outliers
    from narrows.tasks import OutlierDetector

    if current().parameters:
        raise typer.BadParameter("--column and --max-levels are not for fit-outliers: it finds the kinds of columns.")
    loaded = reading.read_dataset(data, "train")
    inputs.prepare_folder(out, overwrite=overwrite)
    detector = OutlierDetector(
        "auto" if contamination is None else contamination,
        max_iter="auto" if max_iter is None else max_iter,
        random_state=seed,
    )
    detector.fit(loaded.X)
    detector.save(out)
    share = expected_outliers(detector.contamination)
    say(f"{out}: {share:.1%} outliers expected, so as many of these rows score below the threshold")
    say(f"{detector.trimmed_:.1%} of the rows were too strange to learn from")


@app.command(rich_help_panel=USE)
@reads_data
def score(
    model: Model,
    data: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .csv or .tsv.", show_default=False)
    ],
    reasons: Annotated[int, typer.Option(help="Number of columns to name for each row.", min=0)] = 3,
    cells: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="File for how strange each cell is, in nats, high for strange: .csv, .tsv or .parquet.",
            show_default="none",
        ),
    ] = None,
    overwrite: Overwrite = False,
) -> None:
    """Score the rows of DATA: how strange each is, and in which columns.

    MODEL is a detector of `fit-outliers` or any other model. FILE gets a
    line for each row of DATA: its score in nats (lower is stranger), 1 if
    it is an outlier or else 0, and the columns that lower the score most,
    with their nats, the value found and the value expected. A pixel is
    named by its row and column, such as 3:14. If the rows have names (files
    of images, --id, an index), they are the first column. The expected and
    the found share of outliers are printed, and whether the model was fitted
    on these rows. For the recipe tableae the nats
    compare a cell with what all other cells of its row let expect.

    For example:

        narrows score usual new.csv -o scores.csv

        narrows score digits-vae digits:test -o scores.csv --reasons 5

        narrows score table-model table.csv -o scores.csv --cells cells.csv
    """
    from narrows.estimators.seen_rows import say_seen
    from narrows.evaluation.scores import outlier_share
    from narrows.tasks.outliers import reasons as find_reasons
    from narrows.tasks.outliers import surprises

    outputs.check_path(out, TABLES, overwrite=overwrite)
    if cells is not None:
        outputs.check_path(cells, (*TABLES, ".parquet"), overwrite=overwrite)
        if cells.absolute() == out.absolute():
            raise ValueError(f"--out and --cells name one file, {out}: one would replace the other. Name two files.")
    fitted = _open_model(model)
    loaded, columns = _read_rows(fitted, data)
    result, names = find_reasons(fitted, loaded.X, reasons, columns), reading.row_names(loaded)
    first = {} if names is None else {names.name: names.values}
    outputs.write_columns(out, first | result.columns())
    if cells is not None:
        outputs.write_columns(cells, first | surprises(fitted, loaded.X, columns))
    say(f"{out}: {counted(len(result.score), 'row')}, {int(result.outlier.sum()):,} of them outliers")
    share = outlier_share(fitted.contamination, result.outlier, getattr(fitted, "n_threshold_", None))
    say(f"{share}{share.hint or '.'}")
    if hasattr(fitted, "schema_"):
        say(say_seen(getattr(fitted, "seen_rows_", None), fitted.check(loaded.X)))


def _read_rows(fitted: Any, data: str) -> tuple[Dataset, list[str] | None]:
    """Read DATA with the columns that `fitted` knows by name. Return it with names for the reasons."""
    if hasattr(fitted, "schema_"):
        loaded = reading.read_dataset(data, "test", fitted)
        names = fitted.schema_.columns or loaded.columns
        return loaded, None if names is None else [str(name) for name in names]
    loaded, names = reading.read_dataset(data, "test"), getattr(fitted, "feature_names_in_", None)
    if names is None:
        return loaded.as_numbers(), loaded.columns  # the detector was fitted on an array
    if getattr(fitted, "_reader", None) is None:  # a detector of tables finds its columns itself
        loaded = loaded.ordered([str(name) for name in names])
    return loaded, loaded.columns


def _open_model(folder: Path) -> Any:
    """Load the detector or the model in `folder`."""
    from narrows.tasks.loading import OutlierDetector, saved_class

    with inputs.note_unfinished(folder):
        kind = saved_class(folder)
    return OutlierDetector.load(folder) if kind is OutlierDetector else inputs.open_model(folder)
