"""Infer the schema of a data frame: a table of columns of several kinds, or a vector if all columns are alike."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch

from narrows.data.arrays import subsample_evenly
from narrows.data.bins import with_bins
from narrows.data.columns import MAX_LEVELS, Column
from narrows.data.frames import Frame
from narrows.data.infer import infer
from narrows.data.kinds import NUMBER_KINDS, ColumnKind
from narrows.data.schema import Schema, Support
from narrows.data.table import EncodedRows, Table
from narrows.data.training_table import look_at_table

_SAMPLE_ROWS = 20_000  # largest number of rows from which means and deviations are computed


def infer_table(
    frame: Frame,
    owner: str,
    kinds: Mapping[object, ColumnKind] | None = None,
    max_levels: int | None = MAX_LEVELS,
    required_support: Support | None = None,
    report: Callable[[float], None] = lambda done: None,
    n_bins: int | None = None,
) -> tuple[EncodedRows, Schema]:
    """Return the rows of a data frame as numbers, and their schema.

    The schema is a vector if all columns are real numbers, all are 0 and 1, or all together are counts or pixels, the
    user names no kinds, and the model needs no bins; otherwise it is a table.

    Parameters
    ----------
    frame : the training rows.
    owner : name of the caller, for messages.
    kinds, max_levels, report : see `narrows.data.training_table.look_at_table`.
    required_support : support that the user's likelihood needs ("unit" or "count"), or None. All columns must then be
        numbers, and become a vector.
    n_bins : number of bins of a column of numbers, for models that predict levels; None for other models.

    Raises
    ------
    ValueError
        If there are fewer than two rows, or as `look_at_table` does, or for a `required_support` if a column does not
        hold numbers.
    TypeError
        As `look_at_table` does.
    """
    if frame.n == 1:
        raise ValueError(
            f"X passed to {owner} holds 1 sample(s) (shape={(frame.n, len(frame.names))}) while a minimum of 2 is "
            "required: an autoencoder learns from differences between examples."
        )
    table, rows = look_at_table(frame, owner, kinds, max_levels, report)
    gaps = tuple(column.gaps for column in table.used)
    if n_bins is not None:
        return rows, _schema(with_bins(table, rows, n_bins), rows, gaps)
    names = [column.name for column in table.used]
    if required_support is not None or (not kinds and _are_numbers(table)):
        for column in table.used if required_support is not None else ():
            if column.kind not in NUMBER_KINDS:
                raise ValueError(
                    f"The `likelihood` parameter of {owner} must be 'auto', 'gaussian' or 'heteroscedastic' for a "
                    f"table with {column.kind} columns such as {column.name!r}: each column then has a distribution of "
                    "its own kind. `columns` names kinds."
                )
        schema = infer(rows, owner, names, frame.kind, required_support, allow_nan=True)
        if (
            schema.support != "real"
            or required_support is not None
            or all(column.kind == "real" for column in table.used)
        ):
            return rows, replace(schema, table=table)
    return rows, _schema(table, rows, gaps)


def _are_numbers(table: Table) -> bool:
    """Return True if all columns that the model sees are numbers, and those with two values hold 0 and 1."""
    return all(
        column.kind in NUMBER_KINDS and (column.kind != "binary" or column.levels in ((0, 1), (False, True)))
        for column in table.used
    )


def _schema(table: Table, rows: np.ndarray, gaps: tuple[float, ...]) -> Schema:
    schema = Schema(
        kind="table",
        shape=(len(table.used),),
        layout="d",
        dtype=str(rows.dtype),
        support="mixed",
        offset=tuple(column.center for column in table.used),
        scale=tuple(column.scale for column in table.used),
        mean=(0.0,) * len(table.used),
        std=(1.0,) * len(table.used),
        columns=tuple(column.name for column in table.used),
        frame=table.kind,
        table=table,
        gaps=gaps if any(gaps) else (),
    )
    sample = schema.prepare(torch.from_numpy(np.ascontiguousarray(subsample_evenly(rows, _SAMPLE_ROWS)))).double()
    pairs = [_mean_and_std(sample[:, j].numpy(), column) for j, column in enumerate(table.used)]
    return replace(schema, mean=tuple(mean for mean, _ in pairs), std=tuple(std for _, std in pairs))


def _mean_and_std(values: np.ndarray, column: Column) -> tuple[float, float]:
    """Return mean and standard deviation of the prepared numbers; of log(1 + x) for counts; 0 and 1 for levels."""
    values = values[~np.isnan(values)]
    if column.has_levels or not len(values):
        return 0.0, 1.0
    if column.kind == "count":
        values = np.log1p(values)
    std = float(values.std())
    return float(values.mean()), std if std > 1e-6 else 1.0
