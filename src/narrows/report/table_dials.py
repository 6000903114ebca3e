"""The dials of a model of a table: the row that they make, and what each of them moves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from narrows.data import Layout, prepared_atoms
from narrows.params import counted
from narrows.plots.cells import date_step, decimals_of, format_level
from narrows.plots.table_drawing import shorten
from narrows.plots.tables import MOST_COLUMNS, TableView
from narrows.report.page import escape

_N_STEPS = 9
_MOST_MOVED = 6  # columns on the card of a dial
_LONGEST = 28  # letters of a name or a level
_REACH = 3.0  # standard deviations from a column's mean to the end of its bar
_LEAST = 0.02  # change, as a share of the full height, of a column that a dial moves


class TurnedDials:
    """The decoded rows while one dial at a time is turned.

    Parameters
    ----------
    view : the model on rows.
    start : the row to start from, prepared (1 x d).
    components, span : the dials, and how far they turn to each side, in standard deviations.
    """

    def __init__(self, view: TableView, start: Tensor, components: Sequence[int], span: float) -> None:
        self.view, self.components, self.span = view, list(components), span
        self.params = view.turn(start, self.components, _N_STEPS, span)
        values = view.values(self.params)
        scale = np.array([1.0 if term.level is not None else _REACH for term in view.terms])
        self.changes = (values - values[:, _N_STEPS // 2][:, None]) / scale

    def moved(self, dial: int | None = None, most: int = _MOST_MOVED) -> list[int]:
        """Return the columns that a dial moves most, or that all dials move most, in that order."""
        changes = self.changes if dial is None else self.changes[dial]
        size = np.abs(changes).reshape(-1, changes.shape[-1]).max(0)
        order = [self.view.terms[i].column for i in np.argsort(-size, kind="stable") if size[i] > _LEAST]
        return list(dict.fromkeys(order))[:most]

    def cards(self, labels: Sequence[str]) -> str:
        """Return a card for each dial: the columns that it moves, those that move most first."""
        cards = "".join(f"<li><h3>Dial {escape(label)}</h3>{self._lines(i)}</li>" for i, label in enumerate(labels))
        return f'<ol class="moves">{cards}</ol>'

    def _lines(self, dial: int) -> str:
        view, means, lines = self.view, self.view.means(self.params[dial]), ""
        for j in self.moved(dial):
            column, name = view.columns[j], view.names[j]
            if column.has_levels:
                probs = view.level_probs(self.params[dial], j)
                ends = [self._likeliest(j, probs[step]) for step in (0, -1)]
                drawn = _draw_probs(probs)
            else:
                ends = [view.text(j, means[step, j]) for step in (0, -1)]
                i = next(i for i, term in enumerate(view.terms) if term.column == j)
                drawn = _draw_line(view.values(self.params[dial])[:, i] / _REACH)
            low, high = (f'<span title="{escape(end)}">{escape(shorten(end, _LONGEST))}</span>' for end in ends)
            lines += (
                f'<tr><th scope="row" title="{escape(name)}">{escape(shorten(name, _LONGEST))}</th><td>{low}</td>'
                f"<td>{drawn}</td><td>{high}</td></tr>"
            )
        if not lines:
            return "<p>It moves no column.</p>"
        turned = ("column", f"\N{MINUS SIGN}{self.span:g}", "between", f"{self.span:g}")
        heads = "".join(f'<th scope="col">{head}</th>' for head in turned)
        return f"<table><caption>What it moves</caption><thead><tr>{heads}</tr></thead><tbody>{lines}</tbody></table>"

    def _likeliest(self, j: int, probs: np.ndarray) -> str:
        level = int(probs.argmax())
        return f"{probs[level]:.0%} {format_level(self.view.columns[j], level)}"  # the share stays where names are cut

    # ---------------------------------------------------------------------------------------------- the live row

    def screen(self) -> tuple[str, dict[str, Any]]:
        """Return the element in which the script shows the decoded row, and what the script needs for it."""
        packed = _pack(self.view)
        shown = [j for j in self.moved(None, len(self.view.columns)) if j in packed][:MOST_COLUMNS]
        rest = [j for j in range(len(self.view.columns)) if j in packed and j not in shown]
        shown += rest[: MOST_COLUMNS - len(shown)]
        lines = "".join(_screen_line(self.view, j) for j in shown)
        note = (
            f"<p>The {len(shown)} of {len(self.view.columns)} columns that the dials move most.</p>"
            if len(shown) < len(self.view.columns)
            else ""
        )
        label = f"The {counted(len(shown), 'column')} of the row that these dials make"
        markup = f'<div role="img" aria-label="{label}"><ol class="bars of-table">{lines}</ol></div>{note}'
        return markup, {"columns": [packed[j] for j in shown]}


def _screen_line(view: TableView, j: int) -> str:
    column, name = view.columns[j], view.names[j]
    inner = "<b></b>"
    if column.has_levels:
        inner = "<s></s>" * min(column.n_levels, MOST_COLUMNS)
    kind = ' class="levels"' if column.has_levels else ""
    return (
        f'<li{kind}><span title="{escape(name)}">{escape(shorten(name, _LONGEST))}</span><i>{inner}</i>'
        "<output></output></li>"
    )


def _pack(view: TableView) -> dict[int, dict[str, Any]]:
    """Return how the script finds each column in the decoder's output; columns with very many levels are left out."""
    schema, layout = view.schema, Layout.of(view.schema)
    atoms = prepared_atoms(schema).tolist()
    first_atom = len(layout.numeric) + len(layout.counts)
    packed: dict[int, dict[str, Any]] = {}
    for at, j in enumerate([*layout.numeric, *layout.counts]):
        column = view.columns[j]
        packed[j] = {
            "at": at,
            "kind": column.kind,
            "centre": column.center,
            "scale": column.scale,
            "mean": schema.mean[j],
            "std": schema.std[j],
            "step": date_step(column) if column.kind == "datetime" else column.step,
            "decimals": decimals_of(column),
            "reach": _REACH,
        }
        if j in layout.atoms:
            i = layout.atoms.index(j)
            packed[j] |= {"atomAt": first_atom + i, "atom": atoms[i]}
    at = first_atom + len(layout.atoms)
    for j in layout.dense:
        column = view.columns[j]
        names = [shorten(format_level(column, level), _LONGEST) for level in range(column.n_levels)]
        packed[j] = {"at": at, "kind": "levels", "levels": names}
        at += column.n_levels
    return packed


def _draw_line(heights: np.ndarray) -> str:
    """Return a line over the steps of a dial; heights from -1 to 1, with the column's mean in the middle."""
    x = np.linspace(0, 90, len(heights))
    points = " ".join(f"{a:.0f},{12 - 11 * b:.1f}" for a, b in zip(x, np.clip(heights, -1, 1), strict=True))
    return (
        '<svg class="move" viewBox="0 0 90 24" preserveAspectRatio="none" aria-hidden="true">'
        f'<line x1="0" x2="90" y1="12" y2="12"/><polyline points="{points}"/></svg>'
    )


def _draw_probs(probs: np.ndarray) -> str:
    """Return the probabilities of levels (steps x levels) as bars over the steps, the likeliest at the bottom."""
    order = np.argsort(-probs.mean(0), kind="stable")[:6]
    width, bars = 90 / len(probs), []
    for step, row in enumerate(probs):
        top = 24.0
        for rank, level in enumerate(order.tolist()):
            height = 24 * float(row[level])
            top -= height
            if height > 0.2:
                bars.append(
                    f'<rect class="l{rank}" x="{step * width:.1f}" y="{top:.1f}" width="{width - 1:.1f}" '
                    f'height="{height:.1f}"/>'
                )
    return f'<svg class="move" viewBox="0 0 90 24" preserveAspectRatio="none" aria-hidden="true">{"".join(bars)}</svg>'
