"""`narrows fit-outliers` and `narrows score`: find strange rows, with reasons."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs
from narrows.cli.app import TRAIN, USE, Data, Model, app, say

if TYPE_CHECKING:
    from narrows.data.files import Dataset

TABLES = (".csv", ".tsv")


@app.command(rich_help_panel=TRAIN)
@inputs.reads_data
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
    and heavy tails. You need not set any option.

    For example:

        narrows fit-outliers table.csv -o usual

        narrows score usual new.csv -o scores.csv
    """
    from narrows.tasks import OutlierDetector

    loaded = inputs.read_dataset(data, "train")
    inputs.prepare_folder(out, overwrite=overwrite)
    detector = OutlierDetector(
        "auto" if contamination is None else contamination,
        max_iter="auto" if max_iter is None else max_iter,
        random_state=seed,
    )
    detector.fit(_to_frame(loaded))
    detector.save(out)
    say(f"{out}: {detector.trimmed_:.1%} of the rows were too strange to learn from")


@app.command(rich_help_panel=USE)
@inputs.reads_data
def score(
    model: Model,
    data: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .csv or .tsv.", show_default=False)
    ],
    reasons: Annotated[int, typer.Option(help="Number of columns to name for each row.", min=0)] = 3,
) -> None:
    """Score the rows of DATA: how strange each is, and in which columns.

    MODEL is a detector of `fit-outliers` or any other model. FILE gets a
    line for each row of DATA: its score in nats (lower is stranger), 1 if
    it is an outlier or else 0, and the columns that lower the score most,
    with their nats, the value found and the value expected. A pixel is
    named by its row and column, such as 3:14. For images, the first
    column is the name of the file. The expected and the found share of
    outliers are printed.

    For example:

        narrows score usual new.csv -o scores.csv

        narrows score digits-vae digits:test -o scores.csv --reasons 5
    """
    from narrows.evaluation.scores import outlier_share
    from narrows.tasks.outliers import reasons as find_reasons

    outputs.check_path(out, TABLES)
    fitted = _open_model(model)
    loaded = inputs.read_dataset(data, "test")
    X, names = _match_columns(fitted, loaded)
    result = find_reasons(fitted, X, reasons, names)
    _write_table(out, {**({"file": loaded.files} if loaded.files else {}), **result.columns()})
    say(f"{out}: {len(result.score):,} rows, {int(result.outlier.sum()):,} of them outliers")
    share = outlier_share(fitted.contamination, result.outlier)
    say(f"{share}{share.hint}")


def _to_frame(loaded: Dataset) -> Any:
    """Return the rows as a data frame if their columns have names and pandas is installed, otherwise as an array."""
    if loaded.columns is None or importlib.util.find_spec("pandas") is None:
        return loaded.X
    import pandas as pd

    return pd.DataFrame(loaded.X, columns=loaded.columns)


def _match_columns(fitted: Any, loaded: Dataset) -> tuple[Any, list[str] | None]:
    """Return the rows with the columns that `fitted` knows by name, and the names of all columns."""
    has_names = hasattr(fitted, "feature_names_in_")
    names = fitted.feature_names_in_ if has_names else getattr(getattr(fitted, "schema_", None), "columns", None)
    ordered = loaded.ordered(None if names is None else list(names))
    return (_to_frame(ordered) if has_names and ordered.columns is not None else ordered.X), ordered.columns


def _open_model(folder: Path) -> Any:
    """Load the detector or the model in `folder`."""
    from narrows.tasks.loading import OutlierDetector, saved_class

    with inputs.note_unfinished(folder):
        kind = saved_class(folder)
    return OutlierDetector.load(folder) if kind is OutlierDetector else inputs.open_model(folder)


def _write_table(out: Path, columns: Mapping[str, Any]) -> None:
    """Write columns by name as a table. A failure leaves no half-written file."""
    import csv

    import numpy as np

    from narrows.data.atomic import atomic_path

    with atomic_path(out) as temporary, open(temporary, "w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream, delimiter="\t" if out.suffix.lower() == ".tsv" else ",")
        writer.writerow(columns)
        writer.writerows(zip(*(np.asarray(column).tolist() for column in columns.values()), strict=True))
