"""A fitted model as HTML, for a notebook: verdict, findings, loss curve, data, examples and decisions.

It loads nothing, holds no script, and takes the colour of text from the notebook, so that it is read in light and dark.
"""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from narrows.data import spaced_indices
from narrows.evaluation.inspection import Inspection
from narrows.fitted import FittedModel
from narrows.plots import content
from narrows.plots.drawing import format_number
from narrows.plots.sheets import as_bytes
from narrows.plots.tables import TableView
from narrows.types import Finding

N_EXAMPLES = 8
_MOST_COLUMNS = 8  # columns of a table
_MOST_CELLS = 12  # entries of a vector that is shown as a table; a longer one is a line
_SIDE = 56  # pixels of a picture's longer side
_BLUE, _ORANGE = "#1a81a5", "#b9651a"  # contrast above 4.2 on white and on #111
_STYLE = f"""
.narrows-model {{ line-height: 1.45; max-width: 68em; }}
.narrows-model p {{ margin: .3em 0; }}
.narrows-model .narrows-beside {{ display: flex; flex-wrap: wrap; gap: 1em 2.5em; align-items: flex-start; }}
.narrows-model .narrows-soft {{ opacity: .72; }}
.narrows-model .narrows-good {{ color: {_BLUE}; }}
.narrows-model .narrows-check {{ color: {_ORANGE}; font-weight: bold; }}
.narrows-model .narrows-pictures {{ display: flex; gap: 4px; margin: 4px 0; }}
.narrows-model table {{ border-collapse: collapse; font-size: 90%; margin: .3em 0; }}
.narrows-model th, .narrows-model td {{ border: 0; padding: .1em .8em .1em 0; text-align: left; background: none; }}
.narrows-model td small {{ display: block; color: {_BLUE}; }}
.narrows-model details {{ margin: .3em 0; }}
.narrows-model summary {{ cursor: pointer; }}
"""


class KeptExamples(NamedTuple):
    """A few training examples that a fitted model keeps in memory, to show them. They are never saved.

    Attributes
    ----------
    rows : at most `N_EXAMPLES` of them, in the user's units.
    is_held_out : True if the model did not learn from them.
    """

    rows: np.ndarray
    is_held_out: bool


def keep_examples(rows: np.ndarray, held_out: np.ndarray) -> KeptExamples:
    """Return a few evenly spaced examples of `rows`, of those numbered `held_out` if there are any."""
    numbers = held_out if len(held_out) else np.arange(len(rows))
    index = np.sort(numbers)[spaced_indices(len(numbers), N_EXAMPLES)]
    return KeptExamples(rows[index].copy(), len(held_out) > 0)


def draw_model(model: FittedModel, verdict: str, findings: Sequence[Finding], kept: KeptExamples | None) -> str:
    """Return a fitted model as HTML, with what its findings come to, those beside it, and examples if there are any."""
    data, *facts = model.schema_.list_facts()
    decided = [line for line in model.report_ if line not in (data, *facts)]
    lines = "".join(f"<div>{_escape(line)}</div>" for line in decided)
    return (
        f'<div class="narrows-model"><style>{_STYLE}</style>'
        f"<p><b>{_escape(_name(model))}.</b> {_escape(verdict)}</p>{_list(findings)}"
        f'<div class="narrows-beside">{_curve(model)}<div>'
        f"<p>Data: {_escape('. '.join([data, *facts]))}.</p>{_examples(model, kept)}</div></div>"
        f"<details><summary>{len(decided)} decisions and events</summary>{lines}</details></div>"
    )


def _name(model: FittedModel) -> str:
    """Return class, size of the code and length of the training."""
    epochs = "epoch" if model.n_iter_ == 1 else "epochs"
    code = f", {model.model_.bottleneck.n_components} components" if model.model_.has_code else ""
    return f"{type(model).__name__}{code}, {model.n_iter_:,} {epochs}"


def _list(findings: Sequence[Finding]) -> str:
    items = ""
    for finding in findings:
        kind, mark = ("good", "well") if finding.is_well else ("check", "check")
        advice = f" Try <code>{_escape(finding.setting)}</code>." if finding.setting else ""
        items += f'<div><span class="narrows-{kind}">{mark}</span> {_escape(finding.message)}{advice}</div>'
    return items


# ------------------------------------------------------------------------------------------------- the loss curve


def _curve(model: FittedModel, width: int = 260, height: int = 120) -> str:
    """Return the loss on held-out and on training rows as SVG; empty if none was measured."""
    lines = content.loss_curves(model.history_)
    if not lines:
        return ""
    losses = np.concatenate([values for _, values in lines.values()])
    if all(len(values) < 2 for _, values in lines.values()):
        ends = ", ".join(f"{name} {format_number(values[-1])}" for name, (_, values) in lines.items())
        return f"<p>Loss, nats per example: {ends}</p>"
    # the first few losses are so high that the rest would look flat
    low, high = float(np.nanmin(losses)), float(np.nanquantile(losses, 0.97))
    last = max(epochs[-1] for epochs, _ in lines.values())
    first = min(min(epochs[0] for epochs, _ in lines.values()), last - 1e-9)
    drawn, legend = "", []
    for (name, (epochs, values)), (colour, dashes) in zip(
        lines.items(), ((_BLUE, "none"), (_ORANGE, "4 3")), strict=False
    ):
        x = (np.asarray(epochs) - first) / (last - first) * (width - 4) + 2
        y = height - 6 - (np.clip(values, low, high) - low) / max(high - low, 1e-12) * (height - 12)
        drawn += _line(x, y, colour, dashes)
        legend.append(
            f'<span style="color: {colour}">{"━" if dashes == "none" else "╍"}</span> {name} '
            f"{format_number(values[-1])}"
        )
    label = f"Loss by epoch: {format_number(high)} and more at the top, {format_number(low)} at the bottom"
    return (
        f'<div><p class="narrows-soft">Loss by epoch, nats per example</p><svg width="{width}" height="{height}" '
        f'viewBox="0 0 {width} {height}" role="img" aria-label="{_escape(label)}">'
        f'<path d="M0 0V{height - 1}H{width}" fill="none" stroke="currentColor" stroke-opacity=".35"/>{drawn}</svg>'
        f"<p>{' '.join(legend)}</p></div>"
    )


def _line(x: np.ndarray, y: np.ndarray, colour: str, dashes: str = "none") -> str:
    """Return a line through the points (n each); it has gaps where y is NaN."""
    path, is_on = "", False
    for a, b in zip(x[_few(x)], y[_few(x)], strict=True):
        path += "" if np.isnan(b) else f"{'L' if is_on else 'M'}{a:.1f} {b:.1f}"
        is_on = not np.isnan(b)
    return f'<path d="{path}" fill="none" stroke="{colour}" stroke-width="1.6" stroke-dasharray="{dashes}"/>'


def _few(x: np.ndarray) -> np.ndarray:
    """Return the indices of at most 300 points."""
    return spaced_indices(len(x), 300)


# ---------------------------------------------------------------------------------------------------- examples


def _examples(model: FittedModel, kept: KeptExamples | None) -> str:
    """Return examples and their reconstructions."""
    if kept is None:
        return (
            '<p class="narrows-soft">A model that was loaded has no examples to show: '
            "<code>model.plot.reconstructions(X)</code> draws yours.</p>"
        )
    inspection, schema = Inspection(model, kept.rows), model.schema_
    which = "held-out examples, which it did not learn from" if kept.is_held_out else "examples that it learned from"
    how = "each cell predicted from the others" if inspection.predicts_hidden else "their reconstructions"
    head = f'<p class="narrows-soft">{len(kept.rows)} {which}, and {how}</p>'
    if schema.kind == "table":
        view = TableView(inspection)
        expected = view.medians if inspection.predicts_hidden else view.expected
        texts = [[[view.text(j, row[j]) for j in range(len(view.names))] for row in n] for n in (view.cells, expected)]
        return head + _cells(view.names, *texts)
    if schema.kind == "vector" and schema.n_entries <= _MOST_CELLS:
        restored = schema.restore(inspection.reconstructions)
        texts = [[list(map(format_number, row)) for row in rows.astype(float)] for rows in (kept.rows, restored)]
        return head + _cells(content.entry_names(schema), *texts)
    original, rebuilt = inspection.rows.numpy(), inspection.reconstructions.numpy()
    if schema.kind == "image" and not schema.is_series:
        low, high = content.pixel_limits(schema, original)
        rows = {"example": original, "reconstruction": rebuilt}
        return head + "".join(_pictures(name, content.as_pictures(x), (low, high)) for name, x in rows.items())
    if schema.is_series:
        head += (
            f'<p class="narrows-soft">The first of {original.shape[1]} channels</p>' if original.shape[1] > 1 else ""
        )
        original, rebuilt = (x[:, 0].reshape(len(x), -1) for x in (original, rebuilt))
    return head + "".join(_sparkline(a, b) for a, b in zip(original, rebuilt, strict=True)) + _legend()


def _cells(names: Sequence[str], original: Sequence[Sequence[str]], rebuilt: Sequence[Sequence[str]]) -> str:
    """Return a table with each reconstructed cell below the cell."""
    n = min(len(names), _MOST_COLUMNS)
    more = f'<p class="narrows-soft">The first {n} of {len(names)} columns</p>' if n < len(names) else ""
    head = "".join(f"<th>{_escape(_short(name))}</th>" for name in names[:n])
    rows = ""
    for cells, others in zip(original, rebuilt, strict=True):
        pairs = zip(cells[:n], others[:n], strict=True)
        rows += "<tr>" + "".join(f"<td>{_escape(_short(a))}<small>{_escape(_short(b))}</small></td>" for a, b in pairs)
        rows += "</tr>"
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{more}"


def _pictures(name: str, images: np.ndarray, limits: tuple[float, float]) -> str:
    """Return images (n x h x w or n x h x w x 3) in a row."""
    drawn = ""
    for i, image in enumerate(as_bytes(images, limits), 1):
        height, width = image.shape[:2]
        scale = _SIDE / max(height, width)
        picture = Image.fromarray(image)
        if scale < 1:
            picture = picture.resize((max(1, round(width * scale)), max(1, round(height * scale))))
        sides = f'width="{max(1, round(width * scale))}" height="{max(1, round(height * scale))}"'
        style = "image-rendering: pixelated; margin: 0" if scale > 1 else "margin: 0"
        drawn += f'<img src="{_data_uri(picture)}" {sides} alt="{name} {i}" style="{style}">'
    return f'<div class="narrows-pictures">{drawn}</div>'


def _sparkline(original: np.ndarray, rebuilt: np.ndarray, width: int = 420, height: int = 40) -> str:
    """Return an example (d numbers on the model's scale) and its reconstruction as lines."""
    both = np.concatenate([original, rebuilt])
    low, high = float(np.nanmin(both)), float(np.nanmax(both))
    x = np.linspace(2, width - 2, len(original))
    lines = [height - 3 - (y - low) / max(high - low, 1e-12) * (height - 6) for y in (original, rebuilt)]
    drawn = _line(x, lines[0], "currentColor") + _line(x, lines[1], _BLUE, "4 3")
    return f'<svg width="{width}" height="{height}" viewBox="0 0 {width} {height}" style="display: block">{drawn}</svg>'


def _legend() -> str:
    return f'<p class="narrows-soft">━ example <span style="color: {_BLUE}">╍</span> reconstruction</p>'


def _data_uri(picture: Image.Image) -> str:
    """Return a picture as a data URI, in the smaller of two formats."""
    packed = {}
    for kind in ("PNG", "JPEG"):
        stream = io.BytesIO()
        picture.save(stream, kind, optimize=True, quality=88)  # a PNG has no quality
        packed[kind] = stream.getvalue()
    kind = min(packed, key=lambda k: len(packed[k]))
    return f"data:image/{kind.lower()};base64,{base64.b64encode(packed[kind]).decode('ascii')}"


def _short(text: str, most: int = 24) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _escape(value: object) -> str:
    return html.escape(str(value))
