"""Known cells of new rows, as `narrows sample --given COLUMN=VALUE` names them."""

from __future__ import annotations

import datetime
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import typer

from narrows.params import did_you_mean, enumerate_names

if TYPE_CHECKING:
    from narrows.data.columns import Column
    from narrows.estimators import TableAE


def parse_given(model: TableAE, assignments: Sequence[str]) -> dict[Any, Any]:
    """Return the values by column, each of the type that its column has.

    Raises typer.BadParameter or ValueError for a text that is no assignment, an unknown column or a wrong value.
    """
    columns = {str(column.name): column for column in model.schema_.used_columns}
    values = {}
    for assignment in assignments:
        # a name may hold "=" itself
        name = max((name for name in columns if assignment.startswith(f"{name}=")), key=len, default=None)
        if name is None:
            wrong, equals, _ = assignment.partition("=")
            if not equals:
                raise typer.BadParameter(f"--given must be COLUMN=VALUE, such as age=30. Got {assignment!r}.")
            raise ValueError(
                f"--given names {wrong!r}, which is no column of the model. {did_you_mean(wrong, columns)}"
            )
        column = columns[name]
        if column.name in values:
            raise typer.BadParameter(f"--given names {name!r} twice: a row has one value of it.")
        values[column.name] = _parse_value(column, assignment[len(name) + 1 :].strip())
    return values


def _parse_value(column: Column, text: str) -> Any:
    if column.has_levels:
        levels = {str(level): level for level in column.levels}
        if text not in levels:
            shown = enumerate_names([repr(level) for level in levels])
            raise ValueError(f"--given {column.name}={text}: the column has no such value. It has {shown}.")
        return levels[text]
    if column.kind in ("datetime", "duration"):
        return _parse_time(column, text)
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(
            f"--given {column.name}={text}: the column holds numbers, from {column.low:g} to {column.high:g}."
        )
    return number


def _parse_time(column: Column, text: str) -> Any:
    try:
        if column.kind == "datetime":
            return datetime.datetime.fromisoformat(text)
        hours, minutes, seconds = text.split(":")
        return datetime.timedelta(hours=float(hours), minutes=float(minutes), seconds=float(seconds))
    except ValueError:
        example = "dates, such as 2020-12-31" if column.kind == "datetime" else "durations, such as 01:30:00"
        raise ValueError(f"--given {column.name}={text}: the column holds {example}.") from None
