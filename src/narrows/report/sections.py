"""Sections with pictures: each function makes one from a model on examples.

The texts suit any model and any data; a page with its own story replaces them (`dataclasses.replace`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from narrows.data import as_dense
from narrows.plots import content, drawing, style
from narrows.plots.drawing import format_label, format_number
from narrows.report import tables
from narrows.report.display import Display
from narrows.report.page import Section, as_signed_ink, data_script, escape, picture, pictures, strips
from narrows.report.table_dials import TurnedDials
from narrows.training import RandomStream, draws_globally
from narrows.types import Batch, split_missing

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPAN = 3.0  # standard deviations that a dial turns to each side
_MOST_DIALS = 16
_WALL = 256  # largest number of units on the wall


def chart(ax: Axes, label: str, name: str, caption: str = "") -> str:
    """Return matplotlib's axes as a figure; screen readers read out `label`, and `name` is unique on the page."""
    below = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    # focusable, because it scrolls on a phone
    head = f'<figure class="drawn-figure" tabindex="0" aria-label="{escape(label)}">'
    return f"{head}{style.to_svg(ax, label, name)}{below}</figure>"


def reconstructions(display: Display, beside: Mapping[str, tuple[str, np.ndarray]] | None = None) -> Section:
    """Make the section of examples with the smallest, typical and largest errors.

    Parameters
    ----------
    beside : notes and reconstructions (n x h x w in [0, 1]) to show, by name; None for the model's own.
    """
    if display.view is not None:
        return tables.reconstructions(display)
    title = "Reconstructions"
    intro = (
        f"The model encodes each {display.noun} and decodes it again. These {display.noun}s have the smallest, typical "
        f"and largest errors of all {len(display.rows):,}. The error is the mean squared error per entry."
    )
    code = "model.plot.reconstructions(X)  # or model.reconstruct(X)"
    if not display.is_image:
        figure = chart(
            display.plots.reconstructions(display.inspection.X), "The best, a typical and the worst row", "rebuilt"
        )
        return Section("reconstructions", title, intro, code, figure)
    index = content.best_typical_worst(display.inspection.errors, 4)
    others = {display.kind: ("", display.pictures(display.reconstructions[index]))}
    if beside is not None:
        others = {name: (note, images[index]) for name, (note, images) in beside.items()}
    rows = [("Original", "", display.pictures(display.rows[index])), *((n, w, i) for n, (w, i) in others.items())]
    if len(index) < 12:  # too few for three groups
        return Section("reconstructions", title, intro, code, strips(rows))
    heads = "".join(f"<span>{head}</span>" for head in ("best", "typical", "worst"))
    body = f'<div class="thirds"><div class="thirds-head" aria-hidden="true">{heads}</div>{strips(rows)}</div>'
    return Section("reconstructions", title, intro, code, body)


def dials(display: Display, starts: Sequence[int], names: Sequence[object]) -> Section:
    """Make the section of dials: a slider for each component, the strongest first, and the decoded example.

    Parameters
    ----------
    starts : indices of examples to start from; the sheet below is made from the first one.
    names : names of these examples.
    """
    components, labels = content.dial_labels(display.inspection, _MOST_DIALS)
    turned_dials = None
    if display.view is not None:
        turned_dials = TurnedDials(display.view, display.inspection.rows[[starts[0]]], components, _SPAN)
    nats = display.inspection.has_nats
    strength = display.inspection.carried[components]
    panel = ""
    if display.decoder is not None:
        panel = _desk(display, starts, names, components, strength, "nats" if nats else "sd", turned_dials)
    start = (
        display.inspection.X.iloc[[starts[0]]]
        if hasattr(display.inspection.X, "iloc")
        else display.inspection.X[starts[0]][None]
    )
    caption = (
        f"The same dials without sliders: one {display.noun}, with one dial at a time turned from "
        f"{format_number(-_SPAN)} to {format_number(_SPAN)} standard deviations."
    )
    if display.is_image:
        turned = display.plots.turn_dials(start, components, 9, _SPAN)
        lines = []
        for component, label, images in zip(components, labels, turned, strict=True):
            lines.append((f"Dial {component}", label.partition("   ")[2], display.pictures(images)))
        sheet = (
            f'<figure class="sheet">{strips(lines, "strips narrow")}<figcaption>{escape(caption)}</figcaption></figure>'
        )
    elif turned_dials is not None:
        names_of = [label.replace("   ", ", ") for label in labels]
        caption += (
            " Each column is on its own scale: a line from three standard deviations below its mean to three above, or "
            "the probabilities of its levels."
        )
        sheet = f"<figure>{turned_dials.cards(names_of)}<figcaption>{escape(caption)}</figcaption></figure>"
    else:
        ax = display.plots.dials(start, n_dials=_MOST_DIALS, span=_SPAN)
        sheet = chart(ax, "What each dial changes in each column", "dials-sheet", caption)
    why = (
        "Codes lie close to a standard normal distribution, so most settings of the dials give a plausible "
        f"{display.noun}. The nats beside a dial say how much information about a {display.noun} it carries."
        if nats
        else "The codes of this model follow no known distribution. Far from the codes of real examples, a dial may "
        "draw nonsense."
    )
    live = " Turn them: the decoder runs in this page." if panel else ""
    return Section(
        "dials",
        "Dials to turn",
        f"Each component of the code is a dial. The dials that carry most come first.{live} {why}",
        "model.plot.dials(X[:1])  # or model.traverse(X[:1])",
        panel + sheet,
    )


def _desk(
    display: Display,
    starts: Sequence[int],
    names: Sequence[object],
    components: list[int],
    strength: np.ndarray,
    unit: str,
    turned_dials: TurnedDials | None,
) -> str:
    """Return the sliders and the decoded example, which the page's script updates."""
    codes = as_dense(display.inspection.all_codes[list(starts)]).astype(np.float64)
    # the sliders are in standard deviations: of the prior if there is one, otherwise of the codes
    centre = np.zeros(codes.shape[1]) if display.inspection.has_nats else display.model.code_mean_
    spread = np.maximum(display.model.dial_scale(), 1e-12)
    settings = (codes - centre) / spread
    schema = display.schema
    values: dict[str, Any] = {
        "decoder": display.decoder_name,
        "starts": np.round(settings, 3).tolist(),
        "centre": np.round(centre, 4).tolist(),
        "spread": np.round(spread, 4).tolist(),
        "components": components,
        "span": _SPAN,
    }
    if turned_dials is not None:
        screen, more = turned_dials.screen()
        values |= more
    elif display.is_image:
        grey = len(schema.shape) == 3 and schema.shape[0] < 3
        kind = "px ink" if grey else "px"
        screen = (
            f'<canvas class="{kind}" width="{schema.shape[2]}" height="{schema.shape[1]}" role="img" '
            'aria-label="The picture that these dials make"></canvas>'
        )
    else:
        values |= {"offset": list(schema.offset), "scale": list(schema.scale), "mean": list(schema.mean)}
        values["reach"] = round(float(np.nanquantile(np.abs(display.rows - np.asarray(schema.mean)), 0.995)), 4)
        screen = _bars(display)
    most = max(float(strength.max()), 1e-12)
    sliders = "".join(
        f'<label class="dial"><span class="dial-name">Dial {component}</span>'
        f'<span class="carries"><i style="width:{100 * share / most:.0f}%"></i>'
        f"<small>{share:.2f} {unit}</small></span>"
        f'<input type="range" min="{-_SPAN:g}" max="{_SPAN:g}" step="0.01" value="{z:.2f}" '
        f'aria-label="Dial {component}, {share:.2f} {unit}"><output>{z:.2f}</output></label>'
        for component, share, z in zip(components, strength, settings[0][components], strict=True)
    )
    images = display.pictures(display.rows[list(starts)]) if display.is_image else [None] * len(names)
    buttons = "".join(
        f'<button type="button" data-start="{i}" aria-label="Start from a real {escape(name)}">'
        f"{escape(name) if image is None else picture(image)}</button>"
        for i, (name, image) in enumerate(zip(names, images, strict=True))
    )
    form = "of-image" if display.is_image else "of-vector"
    return (
        f'<div class="dials js only-js {form}"><div class="screen">{screen}'
        '<div class="actions"><button type="button" data-draw>Random code</button>'
        '<button type="button" data-centre>All to 0</button></div></div>'
        f'<div class="desk">{sliders}</div>'
        f'<div class="starts" role="group" aria-label="Start from a real {display.noun}">'
        f"<p>Or start from a real {display.noun}</p>{buttons}</div>{data_script('dials-data', values)}</div>"
    )


def _bars(display: Display) -> str:
    """Return the element in which the script shows a vector: a bar for each column, or a line for many columns."""
    names = content.entry_names(display.schema)
    if display.has_many_columns:
        return (
            '<svg class="line" viewBox="0 0 300 160" preserveAspectRatio="none" role="img" '
            'aria-label="The row that these dials make"><polyline points=""/></svg>'
        )
    rows = "".join(f"<li><span>{escape(name)}</span><i><b></b></i><output></output></li>" for name in names)
    return f'<div role="img" aria-label="The row that these dials make"><ol class="bars">{rows}</ol></div>'


def samples(display: Display, note: str = "", *, n: int = 30) -> Section:
    """Make the section of new examples beside real ones; `note` is a sentence about their quality."""
    if display.view is not None:
        return tables.samples(display, note)
    title, code = "New examples", f"model.plot.samples(X=X)  # or model.sample({n})"
    intro = "The decoder draws new examples from random codes. The examples are not selected."
    measured = f'<p class="note">{escape(note)}</p>' if note else ""
    if not display.is_image:
        ax = display.plots.samples(X=display.inspection.X, random_state=display.seed)
        caption = (
            "The values of each column: a thick line is the middle half, a thin line goes from the 5th to the 95th "
            "percentile."
        )
        if display.schema.table is None:
            caption += " New rows are expected values without the model's noise, so they vary less than real rows."
        figure = chart(ax, "The values of each column, new and real", "samples-chart", caption)
        return Section("samples", title, intro, code, figure + measured)
    n = min(n, len(display.rows))
    drawn = display.pictures(display.plots.sample_prepared(n, display.seed))
    index = np.random.default_rng(display.seed).permutation(len(display.rows))[:n]
    real = display.pictures(display.rows[index])
    body = (
        f'<div class="pair"><figure>{pictures(drawn, f"{n} new pictures", "grid")}<figcaption>Drawn by the '
        f"{display.kind}</figcaption></figure><figure>{pictures(real, f'{n} real pictures', 'grid')}"
        f"<figcaption>Real, for comparison</figcaption></figure></div>{measured}"
    )
    return Section("samples", title, intro, code, body)


def cleaning(display: Display) -> Section:
    """Make the section of examples with the model's own kind of noise, and their clean reconstructions."""
    model = display.model
    rows = torch.from_numpy(display.rows[:2000])
    corruption = model.model_.corruption
    stream = RandomStream(display.seed, rows.device, draws_globally(corruption))
    with stream.use(), torch.inference_mode():
        noisy = corruption(Batch(rows, *split_missing(rows))).x
    cleaned = model.apply(model.model_.reconstruct, noisy).numpy()
    code, saw = "model.denoise(X)", f"The model saw noisy {display.noun}s in training, and learned to return"
    if display.view is not None:
        note, body = tables.cleaning(display, noisy, torch.from_numpy(cleaned))
        return Section("cleaning", "Cleaning", f"{saw} the clean ones. {note}", code, body)
    before, after = (float(np.nanmean(np.square(images - display.rows[:2000]))) for images in (noisy.numpy(), cleaned))
    note = (
        f"Cleaning changes the mean squared error per entry from {format_number(before)} to {format_number(after)} "
        f"({10 * np.log10(max(before, 1e-12) / max(after, 1e-12)):.1f} dB better), measured on {len(rows):,} of them."
    )
    intro = f"{saw} the clean ones. {note}"
    if display.is_image:
        kinds = {"Noisy": noisy.numpy(), "Cleaned": cleaned, "Original": display.rows}
        return cleaned_pictures({name: ("", display.pictures(rows[:10])) for name, rows in kinds.items()}, intro, code)
    ax = style.detached_axes(9, 3.6)
    lanes = [(f"row {i}", [("cleaned", cleaned[i].ravel()), ("noisy", noisy[i].numpy().ravel())]) for i in range(3)]
    drawing.draw_lanes(ax, lanes[: len(rows)], content.entry_names(display.schema), content.scale_name(display.schema))
    return Section("cleaning", "Cleaning", intro, code, chart(ax, "Rows, noisy and cleaned", "cleaned"))


def cleaned_pictures(
    rows: Mapping[str, tuple[str, np.ndarray]], intro: str = "", code: str = "", *, n: int = 10
) -> Section:
    """Make the section of noisy, cleaned and clean images (in [0, 1]) by name, each with a note; the first `n`."""
    strip_rows = [(name, note, images[:n]) for name, (note, images) in rows.items()]
    return Section("cleaning", "Cleaning", intro, code, strips(strip_rows))


def units(display: Display, *, n_experts: int = 12) -> Section:
    """Make the section of units: all directions, and how often and for which examples the busiest units fire."""
    inspection = display.inspection
    rate, order = inspection.units.rate, inspection.units.order
    n_dead = int((rate == 0).sum())
    caption = f"Dead units, which fired for none of these {len(display.rows):,} {display.noun}s: {n_dead}."
    if not n_dead:
        caption = f"No unit is dead: each fired for some of these {len(display.rows):,} {display.noun}s."
    best = {unit: inspection.top_rows(unit, 6) for unit in order[:n_experts].tolist()}
    title = "A dictionary of parts"
    code = "model.plot.units(X)  # or model.active_units(X), model.top_examples(X, unit=0)"
    intro = (
        f"The sparse code has {len(rate)} units. On average {rate.sum():.3g} are active for an example, so each unit "
        "learns one part. Its direction is what it adds to the reconstruction: blue adds, orange removes."
    )
    if not display.is_image:
        ax = display.plots.units(display.inspection.X, n_units=n_experts)
        figure = chart(ax, "What the busiest units add to each column", "units-chart", caption)
        cards = "".join(
            f"<li><div><h3>{escape(inspection.title_unit(unit))}</h3><p>fires for {rate[unit]:.1%}"
            f"{escape(_common_label(display, rows))}</p><p>{escape(described)}</p></div></li>"
            for (unit, rows), described in zip(best.items(), _unit_texts(display, best), strict=True)
            if len(rows)
        )
        return Section("units", title, intro, code, figure + f'<ol class="experts words">{cards}</ol>')
    directions = inspection.unit_directions[:, 0]
    wall = "".join(
        f"<li{' class=dead' if rate[unit] == 0 else ''}>"
        + picture(as_signed_ink(directions[unit]), hint=f"{inspection.title_unit(unit)}, fires for {rate[unit]:.1%}")
        + f'<i style="width:{100 * rate[unit] / max(rate.max(), 1e-12):.0f}%"></i></li>'
        for unit in order[:_WALL]
    )
    cards = "".join(
        f"<li>{picture(as_signed_ink(directions[unit]), f'direction of unit {unit}')}<div>"
        f"<h3>{escape(inspection.title_unit(unit))}</h3><p>fires for {rate[unit]:.0%}"
        f"{escape(_common_label(display, rows))}</p>"
        f"{pictures(display.pictures(display.rows[rows]), f'pictures for which unit {unit} fires most')}</div></li>"
        for unit, rows in best.items()
    )
    n = min(_WALL, len(rate))
    shown_units = f"All {n} units" if n == len(rate) else f"{n} of {len(rate)} units"
    body = (
        f'<ol class="experts">{cards}</ol><figure><div role="img" aria-label="The directions of {n} units">'
        f'<ol class="wall">{wall}</ol></div><figcaption>{shown_units}, the busiest first. The bar shows how often a '
        f"unit fires. {caption}</figcaption></figure>"
    )
    return Section("units", title, intro, code, body)


def _unit_texts(display: Display, best: Mapping[int, np.ndarray]) -> list[str]:
    """Return a text for each unit: what it changes in a table, or the unusual entries of the rows for it fires most."""
    if display.view is not None:
        return tables.unit_reasons(display, list(best))
    return ["strongest for " + "; ".join(map(", ".join, display.unusual(rows[:2], 3))) for rows in best.values()]


def outliers(display: Display, *, n: int = 8) -> Section:
    """Make the section of the examples that the model finds least likely, and why."""
    scores, share, threshold = display.inspection.outlier_scores, display.outlier_share, display.model.offset_
    order, typical = np.argsort(scores, kind="stable")[: min(n, len(display.rows))], float(np.median(scores))
    intro = (
        f"The model finds these {len(order)} of {len(display.rows):,} {display.noun}s least likely. A typical score "
        f"is {format_number(typical)} nats. Outliers score below {format_number(threshold)} nats: {share}"
        f"{share.hint or '.'}"
    )
    code = "model.score_samples(X)\nmodel.predict(X)"
    if display.view is not None:
        return Section("outliers", "Outliers", intro, code, tables.outliers(display, n))
    cards = []
    for row in order.tolist():
        label = "" if display.y is None else f", label {format_label(display.y.tolist()[row])}"
        head = f"<h3>Number {row}{escape(label)}</h3><p>{format_number(scores[row])} nats</p>"
        if display.is_image:
            cards.append(
                f"<li>{_compared(display, row)}<div>{head}<p>{escape(where_strange(display, row))}</p></div></li>"
            )
            continue
        reasons = display.reasons(row) or ["no single entry is unusual, only their combination"]
        listed = "".join(f"<li>{escape(reason)}</li>" for reason in reasons)
        cards.append(f"<li><div>{head}<ul>{listed}</ul></div></li>")
    body = f'<ol class="odd{"" if display.is_image else " words"}">{"".join(cards)}</ol>'
    if display.is_image:
        intro += (
            " Beside each picture are its reconstruction and the difference: blue is more than expected, orange less."
        )
    elif display.has_many_columns:
        ax = style.detached_axes(9, 3.4)
        lanes = [
            (f"number {i}", [("observed", display.rows[i].ravel()), ("expected", display.reconstructions[i].ravel())])
            for i in order[:4]
        ]
        drawing.draw_lanes(ax, lanes, content.entry_names(display.schema), content.scale_name(display.schema))
        body = chart(ax, "The least likely rows, and the expected ones", "odd-chart") + body
    return Section("outliers", "Outliers", intro, code, body)


def _compared(display: Display, row: int) -> str:
    """Return an example, its reconstruction, and the difference."""
    both = display.rows, display.reconstructions
    original, reconstruction = (display.pictures(rows[row : row + 1])[0] for rows in both)
    difference = original - reconstruction if original.ndim == 2 else (original - reconstruction).mean(-1)
    return (
        f'<div class="row three">{picture(original, f"number {row}")}{picture(reconstruction, "its reconstruction")}'
        f"{picture(as_signed_ink(difference), f'the difference: {where_strange(display, row)}')}</div>"
    )


def where_strange(display: Display, row: int) -> str:
    """Describe the strangest ninth of an image, such as 'more than expected at the top left'."""
    _, height, width = display.schema.shape
    errors = display.inspection.relative_errors[row].reshape(-1, height, width).mean(0)
    difference = (display.rows[row] - display.reconstructions[row]).mean(0)
    lines, columns = (np.array_split(np.arange(size), 3) for size in (height, width))
    ninths = np.array([[errors[np.ix_(a, b)].mean() for b in columns] for a in lines])
    i, j = np.unravel_index(np.argmax(ninths), (3, 3))
    more = "more" if difference[np.ix_(lines[i], columns[j])].mean() > 0 else "less"
    place = " ".join(w for w in (("top", "", "bottom")[i], ("left", "", "right")[j]) if w) or "centre"
    return f"{more} than expected at the {place}: {format_number(ninths[i, j])} times the usual squared error"


def _common_label(display: Display, rows: np.ndarray) -> str:
    """Return a text such as ', most strongly for label 7' if most of `rows` have the same label, otherwise ''."""
    if display.y is None or not len(rows) or display.groups.is_ordered:
        return ""
    values, counts = np.unique(display.y[rows], return_counts=True)
    label = format_label(values[counts.argmax()].item())
    return f", most strongly for label {label}" if counts.max() >= 0.8 * len(rows) else ""
