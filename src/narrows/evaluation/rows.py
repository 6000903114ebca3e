"""Evaluation of rows of any origin by the measures of new rows: `evaluate_rows`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from narrows.data import Frame, Table, is_frame, look_at_table, open_frame
from narrows.evaluation.absent import Absent
from narrows.evaluation.intervals import Estimate, Resamples
from narrows.evaluation.new_rows import ROW_FUNCTIONS
from narrows.evaluation.registry import MEASURES
from narrows.evaluation.row_sets import MOST_ROWS, RealRows
from narrows.evaluation.table import Evaluation, Row
from narrows.params import Integer, Parameter, did_you_mean

_OWNER = "evaluate_rows"


def evaluate_rows(
    synthetic: Any,
    real: Any,
    train: Any = None,
    target: Any = None,
    *,
    measures: Sequence[str] | None = None,
    max_rows: int = MOST_ROWS,
    random_state: int = 0,
) -> Evaluation:
    """Measure synthetic rows of a table, which any tool may have made, as `evaluate` measures those that a model draws.

    Parameters
    ----------
    synthetic : a data frame of new rows, or an array (n, d).
    real : real rows with the same columns that the tool did not see.
    train : real rows that the tool was fitted on. Without them there is no `utility`, `closer`, `dcr` and `copies`.
    target : name of the column that the measure `utility` predicts; None for the last one with levels, or the last.
    measures : names of measures; None takes all that apply.
    max_rows : largest number of rows of each kind; evenly spaced ones are used of more. Copies are looked for among up
        to 50,000 training rows.
    random_state : an int; seed of the classifiers and of the intervals.

    Returns
    -------
    Evaluation
        A table, as of `evaluate`. docs/measures.md explains each measure.

    Raises
    ------
    TypeError, ValueError
        If the rows are no tables with the same columns, `target` is none of them, or `measures` names an unknown
        measure, or one that these rows do not have.

    Examples
    --------
    >>> import numpy as np
    >>> import pandas as pd
    >>> rng = np.random.default_rng(0)
    >>> rows = pd.DataFrame({"age": rng.integers(18, 90, 400), "job": rng.choice(["cook", "nurse"], 400)})
    >>> table = evaluate_rows(rows[:200], rows[200:], train=rows[:200], measures=["marginals", "copies"])
    >>> table["copies"]
    1.0
    """
    Parameter("max_rows", MOST_ROWS, Integer(20), "").check(_OWNER, max_rows)
    Parameter("random_state", 0, Integer(0), "").check(_OWNER, random_state)
    selected = _select(measures)
    frames = {"synthetic": synthetic, "real": real, **({} if train is None else {"train": train})}
    opened = {name: _open(rows, name) for name, rows in frames.items()}
    known = opened.get("train", opened["real"])
    table, _ = look_at_table(known, _OWNER, max_levels=None)
    for name, frame in opened.items():
        _check_names(frame, table, name)
    evaluation = Evaluation("synthetic rows")
    evaluation.rows["n"] = Row(opened["synthetic"].n, words="synthetic rows")
    try:
        held_out = RealRows(
            table, opened["real"].data, train, target, Resamples(random_state), owner=_OWNER, most=max_rows
        )
    except Absent as reason:
        raise ValueError(f"{_OWNER} cannot compare these rows: {reason}.") from None
    sets = held_out.beside(opened["synthetic"].data, draws_gaps=True)
    for name in selected:
        try:
            result = ROW_FUNCTIONS[name](sets)
        except Absent as reason:
            if measures is not None:
                raise ValueError(f"These rows have no {name}: {reason}.") from reason
            evaluation.missing[name] = str(reason)
            continue
        for row, estimate in ({name: result} if isinstance(result, Estimate) else result).items():
            value, low, high, words = estimate
            evaluation.rows[row] = Row(value, low, high, better=MEASURES[name].better, words=words)
    return evaluation


def _open(rows: Any, name: str) -> Frame:
    if not is_frame(rows):
        array = np.asarray(rows)
        if array.ndim != 2:
            raise TypeError(
                f"The `{name}` parameter of {_OWNER} must be a data frame or an array of rows (n, d). Got "
                f"{type(rows).__name__}{'' if array.ndim == 0 else f' of shape {array.shape}'}."
            )
        rows = array
    frame = open_frame(rows, _OWNER)
    if frame.n < 2:
        raise ValueError(f"The `{name}` parameter of {_OWNER} must hold at least 2 rows. Got {frame.n}.")
    return frame


def _check_names(frame: Frame, table: Table, name: str) -> None:
    names = {str(column) for column in frame.names}
    missing = [str(column.name) for column in table.used if str(column.name) not in names]
    if missing:
        raise ValueError(
            f"The `{name}` parameter of {_OWNER} must have the columns of the real rows. It lacks "
            f"{', '.join(map(repr, missing[:10]))}."
        )


def _select(names: Sequence[str] | None) -> list[str]:
    if names is None:
        return list(ROW_FUNCTIONS)
    if isinstance(names, str):
        raise TypeError(f"The `measures` parameter of {_OWNER} must be a sequence of names. Pass [{names!r}].")
    unknown = [name for name in names if name not in ROW_FUNCTIONS]
    if unknown:
        raise ValueError(f"Unknown measure of rows {unknown[0]!r}. {did_you_mean(unknown[0], ROW_FUNCTIONS)}")
    return [name for name in ROW_FUNCTIONS if name in names]
