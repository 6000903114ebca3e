"""`narrows fit-outliers` and `narrows score`: find strange rows, with reasons."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from narrows.cli import inputs, outputs, reading
from narrows.cli.app import TRAIN, USE, Data, Model, Overwrite, app, say

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.files import Dataset

TABLES = (".csv", ".tsv")


@app.command(rich_help_panel=TRAIN)
@reading.reads_data
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

    loaded = reading.read_dataset(data, "train")
    inputs.prepare_folder(out, overwrite=overwrite)
    detector = OutlierDetector(
        "auto" if contamination is None else contamination,
        max_iter="auto" if max_iter is None else max_iter,
        random_state=seed,
    )
    detector.fit(_as_number_frame(loaded))
    detector.save(out)
    say(f"{out}: {detector.trimmed_:.1%} of the rows were too strange to learn from")


@app.command(rich_help_panel=USE)
@reading.reads_data
def score(
    model: Model,
    data: Data,
    out: Annotated[
        Path, typer.Option("-o", "--out", metavar="FILE", help="File to write: .csv or .tsv.", show_default=False)
    ],
    reasons: Annotated[int, typer.Option(help="Number of columns to name for each row.", min=0)] = 3,
    overwrite: Overwrite = False,
) -> None:
    """Score the rows of DATA: how strange each is, and in which columns.

    MODEL is a detector of `fit-outliers` or any other model. FILE gets a
    line for each row of DATA: its score in nats (lower is stranger), 1 if
    it is an outlier or else 0, and the columns that lower the score most,
    with their nats, and in tables the value found and the one expected. A
    pixel is named by its row and column, such as 3:14. If the rows have
    names (files of images, --id, an index), they are the first column.

    For example:

        narrows score usual new.csv -o scores.csv

        narrows score digits-vae digits:test -o scores.csv --reasons 5
    """
    from narrows.tasks.outliers import reasons as find_reasons

    outputs.check_path(out, TABLES, overwrite=overwrite)
    fitted = _open_model(model)
    loaded, columns = _read_rows(fitted, data)
    result, names = find_reasons(fitted, loaded.X, reasons, columns), reading.row_names(loaded)
    first = {} if names is None else {names.name: names.values}
    outputs.write_columns(out, first | _as_columns(result, fitted, loaded.X))
    say(f"{out}: {len(result.score):,} rows, {int(result.outlier.sum()):,} of them outliers")


def _read_rows(fitted: Any, data: str) -> tuple[Dataset, list[str] | None]:
    """Read DATA with the columns that `fitted` knows by name. Return it with names for the reasons."""
    if hasattr(fitted, "schema_"):
        loaded = reading.read_dataset(data, "test", fitted)
        names = fitted.schema_.columns or loaded.columns
        return loaded, None if names is None else [str(name) for name in names]
    loaded = reading.read_dataset(data, "test")
    names = getattr(fitted, "feature_names_in_", None)
    ordered = loaded.ordered(None if names is None else list(names))
    rows = ordered.as_numbers().X if names is None else _as_number_frame(ordered)
    return ordered._replace(X=rows), ordered.columns


def _as_number_frame(loaded: Dataset) -> Any:
    """Return the rows as numbers: a data frame with the names and the index of the rows if they are one."""
    X: Any = loaded.X
    if not hasattr(X, "iloc"):
        return X
    import pandas as pd

    return pd.DataFrame(loaded.as_numbers().X, columns=loaded.columns, index=X.index)


def _as_columns(result: Any, fitted: Any, X: Any) -> dict[str, Any]:
    """Return the columns of the file of scores: score, outlier, reason_1, nats_1, found_1, expected_1, ..."""
    import numpy as np

    table: dict[str, Any] = {"score": result.score, "outlier": result.outlier.astype(np.int64)}
    found = expected = None
    if hasattr(X, "iloc") and hasattr(fitted, "reconstruct"):
        found, expected = _cells_of(X, result.names), _cells_of(fitted.reconstruct(X), result.names)
    elif hasattr(result, "found"):
        found, expected = result.found, result.expected
    for i in range(result.names.shape[1]):
        table |= {f"reason_{i + 1}": result.names[:, i], f"nats_{i + 1}": result.nats[:, i]}
        if found is not None and expected is not None:
            table |= {f"found_{i + 1}": found[:, i], f"expected_{i + 1}": expected[:, i]}
    return table


def _cells_of(frame: Any, names: np.ndarray) -> np.ndarray:
    """Return the cells of a frame in the columns `names` (n x k) of each row, as objects: n x k."""
    import numpy as np

    cells = np.full(names.shape, None, dtype=object)
    for column in frame.columns:
        rows, places = np.nonzero(names == str(column))
        cells[rows, places] = np.asarray(frame[column], dtype=object)[rows]
    return cells


def _open_model(folder: Path) -> Any:
    """Load the detector or the model in `folder`."""
    from narrows.tasks.loading import OutlierDetector, saved_class

    with inputs.note_unfinished(folder):
        kind = saved_class(folder)
    return OutlierDetector.load(folder) if kind is OutlierDetector else inputs.open_model(folder)
