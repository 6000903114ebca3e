"""Sections with pictures: each function takes a model on examples, and gives what a page shows of them.

The words are for any model and any data; a page with a story of its own puts others in their place
(`dataclasses.replace`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from narrows.plots import drawing, picks, style
from narrows.report.page import Section, data, picture, pictures, signed, strips, text
from narrows.report.subject import Subject
from narrows.training import RandomStream, draws_globally
from narrows.types import Batch

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_SPAN = 3.0  # standard deviations that a dial turns to both sides
_MOST_DIALS = 16
_WALL = 256  # units on the wall, at most


def chart(ax: Axes, label: str, name: str, caption: str = "") -> str:
    """A chart by matplotlib as a figure; `label` is read out, `name` is its own on the page."""
    below = f"<figcaption>{text(caption)}</figcaption>" if caption else ""
    return f'<figure class="drawn-figure">{style.to_svg(ax, label, name)}{below}</figure>'


def reconstructions(subject: Subject, beside: Mapping[str, tuple[str, np.ndarray]] | None = None) -> Section:
    """Examples that come out best, about average and worst.

    Parameters
    ----------
    beside : reconstructions to show, by name, each with a note (n x h x w in [0, 1]); None for the model's own.
    """
    title = "What comes out at the other end"
    words = (
        f"Each {subject.noun} goes in, is squeezed, and is made again from what came through. These come out best, "
        f"typically and worst of {len(subject.rows):,}, by the mean squared error of an entry."
    )
    code = "model.plot.reconstructions(X)  # or model.reconstruct(X)"
    if not subject.is_image:
        shown = chart(subject.plots.reconstructions(subject.X), "The best, a typical and the worst row", "rebuilt")
        return Section("reconstructions", title, words, code, shown)
    error = subject.rebuilt.error
    chosen = picks.best_typical_worst(error, 4)
    own = {subject.kind: ("", subject.pictures(subject.rebuilt.rebuilt[chosen]))}
    others = own if beside is None else {name: (note, images[chosen]) for name, (note, images) in beside.items()}
    rows = [("Original", "", subject.pictures(subject.rows[chosen])), *((n, w, i) for n, (w, i) in others.items())]
    if len(chosen) < 12:  # too few to stand in thirds
        return Section("reconstructions", title, words, code, strips(rows))
    heads = "".join(f"<span>{words}</span>" for words in ("best", "typical", "worst"))
    body = f'<div class="thirds"><div class="thirds-head" aria-hidden="true">{heads}</div>{strips(rows)}</div>'
    return Section("reconstructions", title, words, code, body)


def dials(subject: Subject, starts: Sequence[int], names: Sequence[object]) -> Section:
    """One slider a component, those first that carry most, and what the decoder makes of them.

    Parameters
    ----------
    starts : which examples one can start from; the sheet below is made from the first one.
    names : of those.
    """
    model = subject.model
    chosen, carried = picks.dial_order(model, _MOST_DIALS)
    nats = picks.has_nats(model)
    strength = np.asarray(model.components_kl_ if nats else model.code_std_)[chosen]
    panel = ""
    if subject.decoder is not None:
        panel = _desk(subject, starts, names, chosen, strength, "nats" if nats else "sd")
    start = subject.X.iloc[[starts[0]]] if hasattr(subject.X, "iloc") else subject.X[starts[0]][None]
    caption = (
        f"The same dials on paper: one {subject.noun}, with one dial at a time turned from {drawing.number(-_SPAN)} to "
        f"{drawing.number(_SPAN)} standard deviations."
    )
    if subject.is_image:
        turned = subject.plots.turned(start, chosen, 9, _SPAN)
        lines = []
        for i, (words, images) in enumerate(zip(carried, turned, strict=True)):
            lines.append((f"Dial {chosen[i]}", words.partition("   ")[2], subject.pictures(images)))
        sheet = (
            f'<figure class="sheet">{strips(lines, "strips narrow")}<figcaption>{text(caption)}</figcaption></figure>'
        )
    else:
        ax = subject.plots.dials(start, n_dials=_MOST_DIALS, span=_SPAN)
        sheet = chart(ax, "What each dial changes in each column", "dials-sheet", caption)
    why = (
        "The code is kept near a standard bell curve, so that any setting draws something; the nats say how much of a "
        f"{subject.noun} a dial carries."
        if nats
        else "Nothing keeps a plain code near anything: far from the codes of real examples a dial may draw nonsense."
    )
    live = " Turn them: the decoder runs in this page." if panel else ""
    return Section(
        "dials",
        "Dials to turn",
        f"Each component of the code is a dial, those first that carry most.{live} {why}",
        "model.plot.dials(X[i:i + 1])  # or model.traverse(X[i:i + 1])",
        panel + sheet,
    )


def _desk(
    subject: Subject, starts: Sequence[int], names: Sequence[object], chosen: list[int], strength: np.ndarray, unit: str
) -> str:
    """The sliders and the screen that the page's script brings to life."""
    n = subject.codes.shape[1]
    # the sliders are in standard deviations, of the prior where there is one
    centre = np.zeros(n) if picks.has_nats(subject.model) else subject.model.code_mean_
    spread = np.maximum(subject.model.dial_scale(), 1e-12)
    settings = (subject.codes[list(starts)] - centre) / spread
    schema = subject.schema
    values: dict[str, Any] = {
        "decoder": subject.decoder_name,
        "starts": np.round(settings, 3).tolist(),
        "centre": np.round(centre, 4).tolist(),
        "spread": np.round(spread, 4).tolist(),
        "components": chosen,
        "span": _SPAN,
    }
    if subject.is_image:
        grey = len(schema.shape) == 3 and schema.shape[0] < 3
        kind = "px ink" if grey else "px"
        screen = (
            f'<canvas class="{kind}" width="{schema.shape[2]}" height="{schema.shape[1]}" role="img" '
            'aria-label="The picture at these dials"></canvas>'
        )
    else:
        values |= {"offset": list(schema.offset), "scale": list(schema.scale), "mean": list(schema.mean)}
        values["reach"] = round(float(np.nanquantile(np.abs(subject.rows - np.asarray(schema.mean)), 0.995)), 4)
        screen = _bars(subject)
    most = max(float(strength.max()), 1e-12)
    sliders = "".join(
        f'<label class="dial"><span class="dial-name">Dial {component}</span>'
        f'<span class="carries"><i style="width:{100 * share / most:.0f}%"></i>'
        f"<small>{share:.2f} {unit}</small></span>"
        f'<input type="range" min="{-_SPAN:g}" max="{_SPAN:g}" step="0.01" value="{z:.2f}" '
        f'aria-label="Dial {component}, {share:.2f} {unit}"><output>{z:.2f}</output></label>'
        for component, share, z in zip(chosen, strength, settings[0][chosen], strict=True)
    )
    shown = subject.pictures(subject.rows[list(starts)]) if subject.is_image else [None] * len(names)
    buttons = "".join(
        f'<button type="button" data-start="{i}" aria-label="Start from a real {text(name)}">'
        f"{text(name) if image is None else picture(image)}</button>"
        for i, (name, image) in enumerate(zip(names, shown, strict=True))
    )
    form = "of-image" if subject.is_image else "of-vector"
    return (
        f'<div class="dials js only-js {form}"><div class="screen">{screen}'
        '<div class="deeds"><button type="button" data-draw>Random code</button>'
        '<button type="button" data-centre>All to 0</button></div></div>'
        f'<div class="desk">{sliders}</div><div class="starts" role="group" aria-label="Start from a real one">'
        f"<p>Or start from a real one</p>{buttons}</div>{data('dials-data', values)}</div>"
    )


def _bars(subject: Subject) -> str:
    """Where the script shows a vector: a bar for each column, or a line for many."""
    names = picks.entries(subject.schema)
    if subject.has_many_columns:
        return (
            '<svg class="line" viewBox="0 0 300 160" preserveAspectRatio="none" role="img" '
            'aria-label="The row at these dials"><polyline points=""/></svg>'
        )
    rows = "".join(f"<li><span>{text(name)}</span><i><b></b></i><output></output></li>" for name in names)
    return f'<ol class="bars" role="img" aria-label="The row at these dials">{rows}</ol>'


def samples(subject: Subject, note: str = "", *, n: int = 30) -> Section:
    """New examples beside real ones; `note` says what was measured of them."""
    title, code = "New examples", f"model.plot.samples(X=X)  # or model.sample({n})"
    words = "Random numbers in, new examples out: the decoder draws what it has learned. None was chosen."
    told = f'<p class="note">{text(note)}</p>' if note else ""
    if not subject.is_image:
        ax = subject.plots.samples(X=subject.X, random_state=subject.seed)
        caption = (
            "How the values of each column lie, thick the middle half, thin from the 5th to the 95th percentile. New "
            "rows are means of what the model expects, without its noise, so they lie closer together than real ones."
        )
        shown = chart(ax, "The values of each column, new and real", "samples-chart", caption)
        return Section("samples", title, words, code, shown + told)
    n = min(n, len(subject.rows))
    drawn = subject.pictures(subject.plots.drawn(n, subject.seed))
    chosen = np.random.default_rng(subject.seed).permutation(len(subject.rows))[:n]
    real = subject.pictures(subject.rows[chosen])
    body = (
        f'<div class="pair"><figure>{pictures(drawn, f"{n} new pictures", "grid")}<figcaption>Drawn by the '
        f"{subject.kind}</figcaption></figure><figure>{pictures(real, f'{n} real pictures', 'grid')}"
        f"<figcaption>Real, for comparison</figcaption></figure></div>{told}"
    )
    return Section("samples", title, words, code, body)


def cleaning(subject: Subject) -> Section:
    """Examples with the model's own kind of noise, and what it makes of them."""
    model = subject.model
    rows = torch.from_numpy(subject.rows[:2000])
    corruption = model.model_.corruption
    stream = RandomStream(subject.seed, rows.device, draws_globally(corruption))
    with stream.use(), torch.inference_mode():
        noisy = corruption(Batch(rows, rows)).x
    cleaned = model.applied(model.model_.reconstruct, noisy).numpy()
    before, after = (float(np.square(found - subject.rows[:2000]).mean()) for found in (noisy.numpy(), cleaned))
    note = (
        f"The mean squared error of an entry falls from {drawing.number(before)} to {drawing.number(after)} "
        f"({10 * np.log10(max(before, 1e-12) / max(after, 1e-12)):.1f} dB) over {len(rows):,} of these."
    )
    words = f"The model was shown spoiled examples and asked for the clean ones. {note}"
    code = "model.denoise(X_noisy)"
    if subject.is_image:
        kinds = {"Noisy": noisy.numpy(), "Cleaned": cleaned, "Original": subject.rows}
        return cleaned_pictures(
            {name: ("", subject.pictures(found[:10])) for name, found in kinds.items()}, words, code
        )
    ax = style.own_axes(9, 3.6)
    lanes = [(f"row {i}", [("cleaned", cleaned[i].ravel()), ("noisy", noisy[i].numpy().ravel())]) for i in range(3)]
    drawing.lanes(ax, lanes[: len(rows)], picks.entries(subject.schema), picks.unit_of(subject.schema))
    return Section("cleaning", "Clean out of noisy", words, code, chart(ax, "Rows, noisy and cleaned", "cleaned"))


def cleaned_pictures(
    rows: Mapping[str, tuple[str, np.ndarray]], words: str = "", code: str = "", *, n: int = 10
) -> Section:
    """Noisy, cleaned and clean images (in [0, 1]), by name, each with a note; the first `n` of them."""
    shown = [(name, note, images[:n]) for name, (note, images) in rows.items()]
    return Section("cleaning", "Clean out of noisy", words, code, strips(shown))


def units(subject: Subject, *, n_experts: int = 12) -> Section:
    """Every unit's direction, and for the busiest ones how often they fire and for which examples most."""
    model = subject.model
    found = picks.units(model, subject.X, n_experts, 6)
    rate, order = found.rate, found.order
    dead = int((rate == 0).sum())
    silent = f"{dead} fired for none of these {len(subject.rows):,} {subject.noun}s."
    if not dead:
        silent = f"None is dead: each fired for some of these {len(subject.rows):,} {subject.noun}s."
    title, code = (
        "A dictionary of parts",
        "model.plot.units(X)  # or model.active_units(X), model.top_examples(X, unit=0)",
    )
    words = (
        f"The sparse code has {len(rate)} units, of which {rate.sum():.3g} speak for an example on average, so each "
        "becomes an expert. Its direction is what it adds to the reconstruction: blue adds, orange takes away."
    )
    if not subject.is_image:
        ax = subject.plots.units(subject.X, n_units=n_experts)
        shown = chart(ax, "What the busiest units add to each column", "units-chart", silent)
        cards = "".join(
            f"<li><div><h3>Unit {unit}</h3><p>fires for {rate[unit]:.1%}{text(_told(subject, best))}</p>"
            f"<p>most for {text('; '.join(map(', '.join, subject.unusual(best[:2], 3))))}</p></div></li>"
            for unit, best in zip(order, found.best, strict=False)
            if len(best)
        )
        return Section("units", title, words, code, shown + f'<ol class="experts words">{cards}</ol>')
    steps = picks.directions(model)[:, 0]
    wall = "".join(
        f"<li{' class=dead' if rate[unit] == 0 else ''}>"
        + picture(signed(steps[unit]), hint=f"unit {unit}, fires for {rate[unit]:.1%}")
        + f'<i style="width:{100 * rate[unit] / max(rate.max(), 1e-12):.0f}%"></i></li>'
        for unit in order[:_WALL]
    )
    cards = "".join(
        f"<li>{picture(signed(steps[unit]), f'direction of unit {unit}')}<div><h3>Unit {unit}</h3>"
        f"<p>fires for {rate[unit]:.0%}{text(_told(subject, best))}</p>"
        f"{pictures(subject.pictures(subject.rows[best]), f'pictures for which unit {unit} fires most')}</div></li>"
        for unit, best in zip(order, found.best, strict=False)
    )
    n = min(_WALL, len(rate))
    which = f"All {n}" if n == len(rate) else f"{n} of {len(rate)}"
    body = (
        f'<ol class="experts">{cards}</ol><figure><ol class="wall" role="img" aria-label="The directions of '
        f'{n} units">{wall}</ol><figcaption>{which}, the busiest first; the bar is how often a unit fires. '
        f"{silent}</figcaption></figure>"
    )
    return Section("units", title, words, code, body)


def outliers(subject: Subject, *, n: int = 8) -> Section:
    """The examples that the model finds least likely, and in what they are strange."""
    order = np.argsort(subject.scores, kind="stable")[: min(n, len(subject.rows))]
    threshold, typical = subject.model.offset_, float(np.median(subject.scores))
    below = float((subject.scores < threshold).mean())
    words = (
        f"The model finds these {len(order)} of {len(subject.rows):,} {subject.noun}s least likely. A typical one has "
        f"{drawing.number(typical)} nats; {below:.1%} lie below the threshold of {drawing.number(threshold)}."
    )
    code = "model.score_samples(X), model.predict(X)"
    cards = []
    for row in order.tolist():
        label = "" if subject.y is None else f", label {drawing.name_of(subject.y.tolist()[row])}"
        head = f"<h3>Number {row}{text(label)}</h3><p>{drawing.number(subject.scores[row])} nats</p>"
        if subject.is_image:
            cards.append(
                f"<li>{_compared(subject, row)}<div>{head}<p>{text(where_strange(subject, row))}</p></div></li>"
            )
            continue
        reasons = subject.reasons(row) or ["no entry by itself: it is their combination"]
        listed = "".join(f"<li>{text(reason)}</li>" for reason in reasons)
        cards.append(f"<li><div>{head}<ul>{listed}</ul></div></li>")
    body = f'<ol class="odd{"" if subject.is_image else " words"}">{"".join(cards)}</ol>'
    if subject.is_image:
        words += " Beside each: what the model makes of it, and the difference, blue where there is more than expected."
    elif subject.has_many_columns:
        ax = style.own_axes(9, 3.4)
        lanes = [
            (f"number {i}", [("given", subject.rows[i].ravel()), ("expected", subject.rebuilt.rebuilt[i].ravel())])
            for i in order[:4]
        ]
        drawing.lanes(ax, lanes, picks.entries(subject.schema), picks.unit_of(subject.schema))
        body = chart(ax, "The least likely rows, and what was expected", "odd-chart") + body
    return Section("outliers", "What does not fit", words, code, body)


def _compared(subject: Subject, row: int) -> str:
    """An example, what the model makes of it, and the difference."""
    given, made = (subject.pictures(found[row : row + 1])[0] for found in (subject.rows, subject.rebuilt.rebuilt))
    difference = given - made if given.ndim == 2 else (given - made).mean(-1)
    return (
        f'<div class="row three">{picture(given, f"number {row}")}{picture(made, "what the model makes of it")}'
        f"{picture(signed(difference), f'the difference: {where_strange(subject, row)}')}</div>"
    )


def where_strange(subject: Subject, row: int) -> str:
    """In which ninth of an image it is strangest, and in what way: 'more than expected at the top left'."""
    _, height, width = subject.schema.shape
    share = subject.error_per_entry[row].reshape(-1, height, width).mean(0)
    difference = (subject.rows[row] - subject.rebuilt.rebuilt[row]).mean(0)
    lines, columns = (np.array_split(np.arange(size), 3) for size in (height, width))
    ninths = np.array([[share[np.ix_(a, b)].mean() for b in columns] for a in lines])
    i, j = np.unravel_index(np.argmax(ninths), (3, 3))
    more = "more" if difference[np.ix_(lines[i], columns[j])].mean() > 0 else "less"
    place = " ".join(w for w in (("top", "", "bottom")[i], ("left", "", "right")[j]) if w) or "centre"
    return f"{more} than expected at the {place}: {ninths[i, j]:.2g} times the usual squared error"


def _told(subject: Subject, best: np.ndarray) -> str:
    """Such as ', expert on 7', if the labels agree."""
    if subject.y is None or not len(best) or subject.groups.ordered:
        return ""
    values, counts = np.unique(subject.y[best], return_counts=True)
    label = drawing.name_of(values[counts.argmax()].item())
    return f", expert on {label}" if counts.max() >= 0.8 * len(best) else ""
