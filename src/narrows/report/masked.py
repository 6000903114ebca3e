"""Sections about a model that predicts each cell of a row from all others: `TableAE`."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from narrows.params import counted
from narrows.plots.cells import format_difference
from narrows.plots.drawing import format_number
from narrows.plots.table_drawing import shorten
from narrows.plots.tables import TableView
from narrows.report import tables
from narrows.report.columns import listing
from narrows.report.dependence import MOST_COLUMNS, measure_dependence
from narrows.report.display import Display, percent
from narrows.report.page import Section, breakable, escape

_SHOWN = 24  # columns up to which all are shown without a click
_N_CELLS = 15  # strange cells
_LONGEST = 40  # letters of a name or a cell
_LEAST = 0.01  # nats; smaller losses are not written


def _view(display: Display) -> TableView:
    assert display.view is not None
    return display.view


def reconstructions(display: Display) -> Section:
    """Make the section of what the other cells of a row tell about each cell: by column, and for three rows."""
    view, of_rows = _view(display), tables.reconstructions(display)
    order = range(len(view.columns))
    shown = list(order) if len(order) <= _SHOWN else view.main
    heads = ["column", "predicted from the other columns", "always the same value", "errors avoided"]
    body = listing(heads, [_compared(view, j) for j in shown], "Prediction of each column")
    rest = [j for j in order if j not in shown]
    if rest:
        more = listing(heads, [_compared(view, j) for j in rest], "Prediction of the other columns")
        body += f"<details><summary>{counted(len(rest), 'other column')}</summary>{more}</details>"
    note = (
        "Right: the likeliest level is the true one. Off: mean distance of the predicted median from the true number. "
        "Always the same value: the most frequent level, or the median of the training rows."
    )
    intro = (
        "The model hides each cell and predicts it from all other cells of its row. The table compares this with a "
        f"guess that knows nothing of the row, on {counted(len(display.rows), 'row')}. Below it are the rows with the "
        "smallest, a typical and the largest mean cost per cell."
    )
    code = "model.reconstruct(X)  # or model.predict(X, column), model.plot.reconstructions(X)"
    body += f'<p class="note">{note}</p>{of_rows.body}'
    return replace(of_rows, title="Each cell from all others", intro=intro, code=code, body=body)


def _compared(view: TableView, j: int) -> str:
    """Return a line about the prediction of a column."""
    column, name = view.columns[j], view.names[j]
    cells, always = view.cells[:, j], view.usual[j]
    is_observed = ~np.isnan(cells)
    head = f'<th scope="row" title="{escape(name)}">{breakable(shorten(name, _LONGEST))}</th>'
    if not is_observed.any():
        return f"<tr>{head}<td>nothing to measure</td><td></td><td></td></tr>"
    x, found = cells[is_observed], view.medians[is_observed, j]
    if column.has_levels:
        errors, guess = float((x != found).mean()), float((x != always).mean())
        texts = [f"{percent(1 - share)} right" for share in (errors, guess)]
    else:
        errors, guess = float(np.abs(x - found).mean()), float(np.abs(x - always).mean())
        texts = [f"off by {format_difference(column, size)}" for size in (errors, guess)]
    avoided = 1 - errors / guess if guess > 0 else 0.0
    bar = f'<i class="meter"><b style="width:{100 * min(max(avoided, 0.0), 1.0):.0f}%"></b></i>'
    share = percent(avoided) if avoided > 0 else "none"
    value = escape(shorten(view.text(j, always), _LONGEST))
    return f"<tr>{head}<td>{texts[0]}</td><td>{texts[1]}<small>{value}</small></td><td>{share}{bar}</td></tr>"


def strange_cells(display: Display) -> Section:
    """Make the section of the cells that fit least into their rows, with the values that were expected."""
    view = _view(display)
    surprise = np.nan_to_num(view.surprise, nan=-np.inf)
    order = [i for i in np.argsort(-surprise, axis=None, kind="stable")[:_N_CELLS].tolist() if surprise.flat[i] > 0]
    rows = "".join(_strange_cell(display, *divmod(i, len(view.columns))) for i in order)
    heads = "".join(f'<th scope="col">{head}</th>' for head in ("row", "column", "found", "expected", "surprise"))
    body = (
        '<div class="scroll" tabindex="0" role="region" aria-label="The strangest cells"><table class="strange">'
        f"<caption>The strangest cells</caption><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<p class="note">Surprise: the log odds, in nats, that the cell holds the value of another row. 0 is even '
        "odds, 3 is 20 to 1, 7 is 1,000 to 1.</p>"
        if rows
        else "<p>No cell is stranger than a cell of another row would be.</p>"
    )
    intro = (
        f"These cells fit least to the other cells of their rows, of all {int((~np.isnan(view.cells)).sum()):,}. They "
        "may be errors, or facts that are worth a look."
    )
    return Section("strange", "Strange cells", intro, "model.surprise(X)", body)


def _strange_cell(display: Display, row: int, j: int) -> str:
    view = _view(display)
    found, expected = (shorten(view.text(j, cells[row, j]), _LONGEST) for cells in (view.cells, view.medians))
    chance = ""
    if view.columns[j].has_levels:
        chance = f"<small>probability {percent(float(np.exp(-view.costs[row, j])))}</small>"
    return (
        f'<tr><th scope="row">{escape(display.row_name(row))}</th>'
        f"<td>{breakable(shorten(view.names[j], _LONGEST))}</td><td>{escape(found)}{chance}</td>"
        f"<td>{escape(expected)}</td><td>{format_number(view.surprise[row, j])}</td></tr>"
    )


def dependence(display: Display) -> Section:
    """Make the section of which columns the prediction of each column depends on, as a matrix."""
    view = _view(display)
    skill = np.array([quality.skill for quality in view.quality])
    columns = sorted(np.argsort(-skill, kind="stable")[:MOST_COLUMNS].tolist())
    loss, n = measure_dependence(display.model, display.inspection.rows, columns)
    most = max(float(np.nanmax(loss, initial=0.0)), _LEAST)
    names = [view.names[j] for j in columns]
    heads = "".join(
        f'<th scope="col" title="{escape(name)}"><span>{escape(shorten(name, 24))}</span></th>' for name in names
    )
    lines = "".join(
        f'<tr><th scope="row" title="{escape(name)}">{breakable(shorten(name, 24))}</th>'
        f"{''.join(_loss_cell(each, most) for each in line)}</tr>"
        for name, line in zip(names, loss, strict=True)
    )
    body = (
        '<div class="scroll" tabindex="0" role="region" aria-label="Which columns depend on which">'
        '<table class="matrix"><caption>Loss for the column of a line, if the model does not see the column above'
        f"</caption><thead><tr><td></td>{heads}</tr></thead><tbody>{lines}</tbody></table></div>"
    )
    if len(columns) < len(view.columns):
        body += (
            f'<p class="note">{len(columns)} of {len(view.columns)} columns are shown: those that the model predicts '
            "best.</p>"
        )
    intro = (
        "Each line is a column that the model predicts from all others. A number says how much its log-probability "
        f"falls if one of the others is hidden, too: nats, mean of {n:,} rows. Columns that say the same replace each "
        "other: hiding one of them costs little."
    )
    return Section("depends", "Which columns depend on which", intro, "", body)


def _loss_cell(loss: float, most: float) -> str:
    if np.isnan(loss):
        return '<td class="self"></td>'
    share = min(max(loss / most, 0.0), 1.0)
    text = format_number(round(loss, 2)) if loss >= _LEAST else ""
    return f'<td style="--share:{100 * share:.0f}%">{text}</td>'
