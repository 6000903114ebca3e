"""Section of the columns of a table: what each is, whether the model uses it, and how well it is reconstructed."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from narrows.data import Column
from narrows.likelihoods import name_likelihood
from narrows.params import counted
from narrows.plots.cells import format_constant, format_level, format_range, format_value
from narrows.plots.drawing import format_number
from narrows.plots.table_drawing import shorten
from narrows.plots.tables import TableView
from narrows.report.display import Display, percent
from narrows.report.page import Section, breakable, escape

_SHOWN = 24  # columns up to which all are shown without a click
_MOST_LEVELS = 4  # levels that are named
_LONGEST = 60  # letters of a name


def columns(display: Display) -> Section:
    """Make the section of all columns of the user's table, in its order."""
    table, view = display.schema.table, display.view
    assert table is not None
    positions = {column.name: j for j, column in enumerate(table.used)}
    shown, rest = _choose(table.columns, view)
    rows, others = ([_row(column, positions.get(column.name), view) for column in part] for part in (shown, rest))
    heads = ["column", "kind", "training values", "missing", "likelihood"]
    heads += ["reconstructed", "score"] if view is not None else []
    body = listing(heads, rows, "Columns")
    if others:
        which = "These are the columns that the model reconstructs best. " if view is not None else ""
        more = listing(heads, others, "Other columns")
        title = counted(len(others), "other column")
        body += f'<p class="note">{which}</p><details><summary>{title}</summary>{more}</details>'
    if view is not None:
        body += (
            '<p class="note">Reconstructed, on the rows of this page: R2 of numbers (1 is exact, 0 is as good as the '
            "mean; of the asinh of heavy-tailed numbers and the logarithm of counts), or the share of right levels, "
            "with the share of the most frequent level. Score: mean log-probability of a cell, in nats, with numbers "
            "in standard deviations. Higher is better.</p>"
        )
    n, n_used = len(table.columns), len(table.used)
    intro = f"The table has {counted(n, 'column')}, and the model sees {n_used:,} of them.{_left_out(table.columns)}"
    return Section("columns", "Columns", intro, "model.schema_.table.columns", body)


def _choose(every: Sequence[Column], view: TableView | None) -> tuple[list[Column], list[Column]]:
    """Return the columns to show at once (of many those that the model reconstructs best), and the others."""
    if len(every) <= _SHOWN:
        return list(every), []
    if view is None:
        return list(every[:_SHOWN]), list(every[_SHOWN:])
    main = {view.columns[j].name for j in view.main}
    return [c for c in every if c.name in main], [c for c in every if c.name not in main]


def _left_out(every: Sequence[Column]) -> str:
    """Return sentences that name the columns which the model does not see."""
    sentences = ""
    for kinds, what in ((("identifier",), "identifiers"), (("text",), "free text"), (("constant",), "constant")):
        names = [str(column.name) for column in every if column.kind in kinds]
        if names:
            listed = ", ".join(shorten(name, _LONGEST) for name in names[:8])
            listed += f" and {len(names) - 8:,} more" if len(names) > 8 else ""
            sentences += f" Left out as {what}: {listed}."
    return sentences


def _row(column: Column, position: int | None, view: TableView | None) -> str:
    """Return a line of the table."""
    name = str(column.name)
    values, note = _values(column)
    atom = "" if column.atom is None else format_value(column, column.atom)
    likelihood = name_likelihood(column, atom) if column.is_used else ""
    cells = [
        f'<th scope="row" title="{escape(name)}">{breakable(shorten(name, _LONGEST))}</th>',
        f"<td>{escape(column.kind.replace('_', '-'))}<small>{escape(column.reason)}</small></td>",
        f"<td>{escape(values)}<small>{escape(note)}</small></td>",
        f"<td>{percent(column.gaps) if column.gaps else ''}</td>",
        f"<td>{escape(likelihood)}</td>",
    ]
    if view is not None:
        cells += _measured(view, position)
    kind = "" if column.is_used else ' class="unused"'
    return f"<tr{kind}>{''.join(cells)}</tr>"


def _measured(view: TableView, position: int | None) -> list[str]:
    """Return the cells of the reconstruction and the score."""
    if position is None:
        return ["<td></td>", "<td></td>"]
    quality, costs = view.quality[position], view.costs[:, position]
    if math.isnan(quality.value):
        shown = "<small>nothing to measure</small>"
    elif quality.is_accuracy:
        shown = f"{quality.value:.0%} right<small>most frequent {quality.usual:.0%}</small>"
    else:
        shown = f"R2 {format_number(round(quality.value, 2) + 0.0)}"
    bar = f'<i class="meter"><b style="width:{100 * min(max(quality.skill, 0.0), 1.0):.0f}%"></b></i>'
    score = "" if np.isnan(costs).all() else format_number(-float(np.nanmean(costs)))
    return [f"<td>{shown}{bar}</td>", f"<td>{score}</td>"]


def _values(column: Column) -> tuple[str, str]:
    """Return the range or the levels of a column, and a note."""
    if column.kind == "constant":
        return f"always {shorten(format_constant(column))}" if column.levels else "no value", ""
    if column.has_levels:
        order = np.argsort(-np.asarray(column.frequencies[: len(column.levels)]), kind="stable")[:_MOST_LEVELS]
        named = ", ".join(f"{shorten(format_level(column, i), 24)} {percent(column.frequencies[i])}" for i in order)
        rare = f"; {counted(column.n_rare, 'rarer one')} as `other`" if column.n_rare else ""
        more = ", ..." if len(column.levels) > _MOST_LEVELS else ""
        return f"{counted(len(column.levels), 'level')}{rare}", named + more
    if not column.is_used:
        return "", "not used"
    atom = column.atom
    return format_range(column), "" if atom is None else f"{column.atom_share:.0%} are {format_value(column, atom)}"


def listing(heads: Sequence[str], rows: Sequence[str], label: str) -> str:
    """Return a table with a line for each column, from its lines as HTML; `label` is its caption."""
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="columns">'
        f"<caption>{escape(label)}</caption><thead><tr>{top}</tr></thead><tbody>{''.join(rows)}</tbody></table></div>"
    )
