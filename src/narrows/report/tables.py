"""Sections about rows of a table: cells side by side in the user's units, new rows, outliers, cleaning and units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from narrows.params import counted
from narrows.plots import content, style, table_pictures
from narrows.plots.drawing import format_label, format_number
from narrows.plots.table_drawing import Cell, shorten
from narrows.plots.table_pictures import compared_cells
from narrows.plots.tables import TableView, standardize
from narrows.report.display import Display, percent
from narrows.report.page import Section, breakable, escape

_LONGEST = 40  # letters of a cell
_N_SAMPLES = 4  # new rows that are shown cell by cell, and as many real ones
_MARKS = (
    "Bold with a mark: another level, or a number more than a standard deviation of its column away. In italics: what "
    "the model would put in place of a missing cell (a dash)."
)

Block = tuple[str, Sequence[tuple[str, Sequence[Cell]]]]


def _view(display: Display) -> TableView:
    assert display.view is not None
    return display.view


def reconstructions(display: Display) -> Section:
    """Make the section of the rows with the smallest, a typical and the largest cost, cell by cell."""
    view = _view(display)
    index, main = content.best_typical_worst(view.row_costs, 1).tolist(), view.main
    blocks: list[Block] = []
    for head, row in zip(("best", "typical", "worst"), index, strict=False):
        original, rebuilt = compared_cells(view, row, main)
        heading = f"{head}: row {display.row_name(row)}, {format_number(view.row_costs[row])} nats per cell"
        blocks.append((heading, [("original", original), ("reconstructed", rebuilt)]))
    share = float(view.is_wrong.sum() / max((~np.isnan(view.cells)).sum(), 1))
    intro = (
        "The model encodes each row and decodes it again. These rows have the smallest, typical and largest mean cost "
        f"per cell of all {len(display.rows):,}. Of all cells, {percent(share)} come back as another level, or more "
        "than a standard deviation away."
    )
    note = f"{_MARKS} {view.choice(main)}".strip()
    body = cell_table([view.names[j] for j in main], blocks, "Rows and their reconstructions", note)
    code = "model.plot.reconstructions(X)  # or model.reconstruct(X)"
    return Section("reconstructions", "Reconstructions", intro, code, body)


def samples(display: Display, note: str) -> Section:
    """Make the section of new rows beside real ones: cells, and the values of each column."""
    view, main, is_masked = _view(display), _view(display).main, display.inspection.predicts_hidden
    drawn = display.plots.sample_cells(len(display.rows), display.seed)
    order = np.random.default_rng(display.seed).permutation(len(display.rows))[:_N_SAMPLES].tolist()
    new = [(f"{i + 1}", [_plain(view, j, drawn[i, j]) for j in main]) for i in range(min(_N_SAMPLES, len(drawn)))]
    real = [(display.row_name(i), [_plain(view, j, view.cells[i, j]) for j in main]) for i in order]
    names = [view.names[j] for j in main]
    cells = cell_table(names, [("new rows", new), ("real rows", real)], "New rows and real rows", view.choice(main))
    ax = table_pictures.samples(main, view, [("new", drawn), ("real", view.cells)], style.detached_axes)
    caption = (
        "The values of each column, of as many new rows as real ones. Numbers: from the 0.5 % to the 99.5 % quantile "
        "of the real ones, with those beyond at the ends. "
    )
    caption += "Levels that fewer than 10 training rows have are not drawn." if is_masked else "New rows have no gaps."
    svg = style.to_svg(ax, label := "The values of each column, new and real", "samples-chart")
    figure = f'<figure class="drawn-figure" tabindex="0" aria-label="{label}">{svg}'
    figure += f"<figcaption>{escape(caption)}</figcaption></figure>"
    measured = f'<p class="note">{escape(note)}</p>' if note else ""
    intro = "The decoder draws new rows from random codes, each cell from its distribution. The rows are not selected."
    if is_masked:
        intro = (
            "New rows are drawn one cell after the other, each given the cells before it. The rows are not selected."
        )
    code = f"model.sample({_N_SAMPLES})  # or model.plot.samples(X=X)"
    return Section("samples", "New examples", intro, code, cells + figure + measured)


def outliers(display: Display, n: int = 8) -> str:
    """Return the least likely rows with their most unexpected cells, as the body of a section."""
    view, cards = _view(display), []
    order = np.argsort(display.inspection.outlier_scores, kind="stable")[: min(n, len(display.rows))].tolist()
    for row in order:
        label = "" if display.y is None else f", label {format_label(display.y.tolist()[row])}"
        lines = "".join(
            f'<tr><th scope="row">{breakable(shorten(reason.column, _LONGEST))}</th><td>{_full(reason.cell)}'
            f"{'' if reason.chance is None else f'<small>probability {percent(reason.chance)}</small>'}</td>"
            f"<td>{_full(reason.expected)}</td><td>+{format_number(reason.excess)}</td></tr>"
            for reason in view.reasons(row, 4)
        )
        heads = "".join(f'<th scope="col">{head}</th>' for head in ("column", "found", "expected", "nats"))
        listed = (
            f'<table class="reasons"><caption>Unexpected cells</caption><thead><tr>{heads}</tr></thead>'
            f"<tbody>{lines}</tbody></table>"
            if lines
            else "<p>No single cell is unusual, only their combination.</p>"
        )
        score = format_number(display.inspection.outlier_scores[row])
        cards.append(
            f"<li><div><h3>Row {escape(display.row_name(row) + label)}</h3><p>{score} nats</p>{listed}</div></li>"
        )
    note = "Nats: the cost of the cell beyond the usual cost of its column."
    return f'<ol class="odd words">{"".join(cards)}</ol><p class="note">{note}</p>'


def cleaning(display: Display, noisy: torch.Tensor, cleaned: torch.Tensor) -> tuple[str, str]:
    """Return a sentence about noisy rows and their reconstructions (prepared, m x d), and the body of the section."""
    view, main, schema = _view(display), _view(display).main, display.schema
    original, before, after = (standardize(schema, x) for x in (display.inspection.rows[: len(noisy)], noisy, cleaned))
    has_levels = np.array([column.has_levels for column in view.columns])
    observed = ~np.isnan(original) & ~np.isnan(before)
    parts = []
    if has_levels.any():
        right = [
            float((a == original)[:, has_levels][~np.isnan(original)[:, has_levels]].mean()) for a in (before, after)
        ]
        parts.append(f"right levels from {percent(right[0])} to {percent(right[1])}")
    if not has_levels.all():
        kept = observed & ~has_levels
        errors = [float(np.square(a - original)[kept].mean()) for a in (before, after)]
        parts.append(
            f"the mean squared error of numbers (in standard deviations) from {format_number(errors[0])} to "
            f"{format_number(errors[1])}"
        )
    cells = [np.asarray(schema.restore(x), dtype=np.float64) for x in (noisy, cleaned)]
    blocks: list[Block] = []
    for row in range(min(2, len(noisy))):
        versions = [("original", [_plain(view, j, view.cells[row, j]) for j in main])]
        for name, numbers, x in (("noisy", cells[0], before), ("cleaned", cells[1], after)):
            is_wrong = _differs(x[row], original[row], has_levels)
            marked = [_plain(view, j, numbers[row, j])._replace(mark="wrong" if is_wrong[j] else "") for j in main]
            versions.append((name, marked))
        blocks.append((f"row {display.row_name(row)}", versions))
    note = f"{_MARKS} {view.choice(main)}".strip()
    body = cell_table([view.names[j] for j in main], blocks, "Rows, noisy and cleaned", note)
    return f"Cleaning changes {' and '.join(parts)}, measured on {counted(len(noisy), 'row')}.", body


def _differs(x: np.ndarray, original: np.ndarray, has_levels: np.ndarray) -> np.ndarray:
    return np.where(has_levels, x != original, np.abs(x - original) > 1) & ~np.isnan(original)


def unit_reasons(display: Display, units: Sequence[int], n: int = 4) -> list[str]:
    """Return a text for each unit: the columns that it changes most."""
    view = _view(display)
    changes = table_pictures.unit_changes(view, list(units))
    texts = []
    for change in changes:
        terms = []
        for i in view.moving(change[None], n):
            term, size = view.terms[i], change[i]
            amount = f"{format_number(size)} sd" if term.level is None else f"{100 * size:+.0f} points"
            terms.append(
                f"{shorten(view.term_name(term), _LONGEST)} {'+' if size > 0 and term.level is None else ''}{amount}"
            )
        texts.append("; ".join(terms).replace("-", "\N{MINUS SIGN}"))
    return texts


def cell_table(names: Sequence[str], blocks: Sequence[Block], label: str, note: str) -> str:
    """Return a table of cells: a line for each column of the user's table.

    Parameters
    ----------
    names : names of the lines.
    blocks : headings, and below each the headings and the cells of its columns.
    label : what screen readers call the table.
    note : text below it.
    """
    groups = "".join(
        f'<th scope="colgroup" colspan="{len(versions)}" class="first">{escape(heading)}</th>'
        for heading, versions in blocks
    )
    heads = "".join(
        f'<th scope="col"{_first(i)}>{escape(title)}</th>'
        for _, versions in blocks
        for i, (title, _) in enumerate(versions)
    )
    lines = []
    for k, name in enumerate(names):
        cells = "".join(
            f"<td{_first(i, cells[k].mark)}>{_marked(cells[k])}</td>"
            for _, versions in blocks
            for i, (_, cells) in enumerate(versions)
        )
        lines.append(
            f'<tr><th scope="row" title="{escape(name)}">{breakable(shorten(name, _LONGEST))}</th>{cells}</tr>'
        )
    below = f'<p class="note">{escape(note)}</p>' if note else ""
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="cells">'
        f"<caption>{escape(label)}</caption><thead><tr><td></td>{groups}</tr><tr><td></td>{heads}</tr></thead>"
        f"<tbody>{''.join(lines)}</tbody></table></div>{below}"
    )


def _first(i: int, mark: str = "") -> str:
    kinds = " ".join(kind for kind in ("first" if i == 0 else "", mark) if kind)
    return f' class="{kinds}"' if kinds else ""


def _marked(cell: Cell) -> str:
    text = _full(cell.text)
    if cell.mark == "wrong":
        return f'{text}<span class="sr"> (wrong)</span>'
    return f"<i>{text}</i>" if cell.mark == "gap" else text


def _full(text: str) -> str:
    """Return a cell, shortened, with its whole text under the pointer."""
    short = shorten(text, _LONGEST)
    return breakable(short) if short == text else f'<span title="{escape(text)}">{breakable(short)}</span>'


def _plain(view: TableView, j: int, number: float) -> Cell:
    return Cell(view.text(j, number))
