"""Sections about fitted models: each function takes models and examples, and gives what a page shows of them.

All but `cleaning`, `comparison` and `decisions` say what they found on `X`, which should be examples that the model was
not fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from narrows.estimators import SAE
from narrows.estimators.base import Estimator
from narrows.report import charts
from narrows.report.live import packed_decoder
from narrows.report.page import Section, data, listing, picture, pictures, signed, sprite, strips, table, text, uri

_SPAN = 3.0  # standard deviations that a dial turns to both sides
_SPRITE_COLUMNS = 20
_MAP, _MARGIN = (640, 520), 26  # of the map's view box


def constructed(model: Estimator, name: str) -> str:
    """The Python that makes `model`, on one line."""
    return f"{name} = {' '.join(repr(model).split())}.fit(X)"


def reconstructions(
    model: Estimator, X: np.ndarray, beside: Mapping[str, tuple[str, np.ndarray]], code: str
) -> Section:
    """Examples that `model` reconstructs best, about average and worst, and what others make of the same ones.

    Parameters
    ----------
    beside : reconstructions of `X` to show, by name, each with a note.
    """
    error = np.square(np.asarray(model.reconstruct(X), dtype=np.float64) - X).reshape(len(X), -1).mean(1)
    order = np.argsort(error, kind="stable")
    n = min(4, len(order) // 3)
    middle = (len(order) - n) // 2
    chosen = np.concatenate([order[:n], order[middle : middle + n], order[-n:]])
    rows = [("Original", "", X[chosen]), *((name, note, images[chosen]) for name, (note, images) in beside.items())]
    heads = "".join(f"<span>{words}</span>" for words in ("best", "typical", "worst"))
    return Section(
        "reconstructions",
        "What comes out at the other end",
        "Each picture goes in, is squeezed to a few numbers, and is drawn again from those numbers alone. PCA, the "
        f"classical way, gets as many. Twelve of {len(X)} pictures that no model was trained on: the best, typical and "
        f"worst by the error of the {type(model).__name__}.",
        code,
        f'<div class="thirds"><div class="thirds-head" aria-hidden="true">{heads}</div>{strips(rows)}</div>',
    )


def latent_map(
    model: Estimator, X: np.ndarray, y: np.ndarray, code: str, note: str = "", other: tuple[str, str, Any] | None = None
) -> Section:
    """The first two components of the codes of grey images X, each drawn as its label.

    Parameters
    ----------
    note : what stands beside the model's name.
    other : another map of the same examples: its name, its note and its codes (n x 2 or more).
    """
    codes = np.asarray(model.transform(X))[:, :2]
    views = [(type(model).__name__, note, codes)] + ([other] if other else [])
    places = [_places(np.asarray(view[2])[:, :2]) for view in views]
    decodes = packed_decoder(model) if np.shape(model.transform(X[:1]))[1] == 2 else None
    labels = sorted(set(y.tolist()))
    spots = "".join(
        f'<text class="spot d{labels.index(label) % 10}" style="transform:translate({a:.1f}px,{b:.1f}px)">'
        f"{text(label)}</text>"
        for label, (a, b) in zip(y.tolist(), places[0], strict=True)
    )
    legend = "".join(
        f'<button type="button" class="d{i % 10}" aria-pressed="false" data-label="{text(label)}">'
        f"{text(label)}</button>"
        for i, label in enumerate(labels)
    )
    switch = "".join(
        f'<button type="button" data-view="{i}" aria-pressed="{"true" if i == 0 else "false"}">{text(name)}'
        f"<small>{text(words)}</small></button>"
        for i, (name, words, _) in enumerate(views)
    )
    width, height = _MAP
    values = {
        "labels": y.tolist(),
        "places": [np.round(p, 1).tolist() for p in places],
        "codes": np.round(codes, 3).tolist(),
        "ends": np.round(_ends(codes), 4).tolist(),
        "margin": _MARGIN,
        "columns": _SPRITE_COLUMNS,
        "decoder": decodes,
    }
    drawing = '<div class="half drawn"><canvas class="px ink"></canvas><p>drawn here</p></div>' if decodes else ""
    body = (
        f'<div class="map js"><div class="map-bar"><div class="switch" role="group" aria-label="Map">{switch}</div>'
        f'<div class="legend" role="group" aria-label="Show one label">{legend}</div></div>'
        f'<div class="stage"><svg viewBox="0 0 {width} {height}" tabindex="0" role="application" '
        f'aria-label="Map of {len(X)} pictures. Arrow keys go from one to the next.">'
        f'<g class="spots" aria-hidden="true">{spots}</g><circle class="ring" r="13" cx="-50" cy="-50"/></svg>'
        f'<div class="tip" aria-hidden="true"><div class="half"><div class="window"><img class="px ink sprite" alt="" '
        f'src="{uri(sprite(X, _SPRITE_COLUMNS))}"></div><p class="what">real</p></div>{drawing}</div></div>'
        f'<p class="hint"><span class="only-js">Point at the map, or focus it and use the arrow keys. </span>'
        f'Two axes, two numbers; nobody told the model which digit is which.</p><p class="sr" aria-live="polite"></p>'
        f"{data('map-data', values)}</div>"
    )
    return Section(
        "map",
        "A map nobody drew",
        "With two numbers a picture, the code is a place on a map. Like lies by like, though the labels were never "
        "shown: the colours and numerals were added afterwards.",
        code,
        body,
    )


def dials(model: Estimator, starts: np.ndarray, names: Sequence[object], code: str) -> Section:
    """One slider a component, in the order of what they carry, and the picture that the decoder makes of them.

    Parameters
    ----------
    starts : examples to start from (n x ...); the sheet below is made from the first one.
    names : of `starts`.
    """
    codes = np.asarray(model.transform(starts))
    carried = np.asarray(model.components_kl_)
    decodes = packed_decoder(model)
    panel = ""
    if decodes is not None:
        values = {"decoder": decodes, "codes": np.round(codes, 4).tolist(), "span": _SPAN}
        sliders = "".join(
            f'<label class="dial"><span class="dial-name">Dial {i + 1}</span>'
            f'<span class="carries"><i style="width:{100 * kl / carried.max():.0f}%"></i>'
            f"<small>{kl:.2f} nats</small></span>"
            f'<input type="range" min="{-_SPAN:g}" max="{_SPAN:g}" step="0.01" value="{z:.2f}" '
            f'aria-label="Dial {i + 1}, carries {kl:.2f} nats"><output>{z:.2f}</output></label>'
            for i, (kl, z) in enumerate(zip(carried, codes[0], strict=True))
        )
        buttons = "".join(
            f'<button type="button" data-start="{i}" aria-label="Start from a real {text(name)}">'
            f"{picture(image)}</button>"
            for i, (name, image) in enumerate(zip(names, starts, strict=True))
        )
        panel = (
            f'<div class="dials js only-js"><div class="screen"><canvas class="px ink" width="{decodes["width"]}" '
            f'height="{decodes["height"]}" role="img" aria-label="The picture at these dials"></canvas>'
            '<div class="deeds"><button type="button" data-draw>Random code</button>'
            '<button type="button" data-centre>All to 0</button></div></div>'
            f'<div class="desk">{sliders}</div><div class="starts" role="group" aria-label="Start from a real picture">'
            f"<p>Or start from a real one</p>{buttons}</div>{data('dials-data', values)}</div>"
        )
    turned = model.traverse(starts[:1], n_steps=9, span=_SPAN)
    rows = [
        (f"Dial {i + 1}", f"{kl:.2f} nats", images) for i, (kl, images) in enumerate(zip(carried, turned, strict=True))
    ]
    sheet = (
        f'<figure class="sheet">{strips(rows, "strips narrow")}<figcaption>The same dials on paper: the first picture '
        f"above, with one dial at a time turned from {charts.number(-_SPAN)} to {charts.number(_SPAN)}."
        "</figcaption></figure>"
    )
    return Section(
        "dials",
        "Dials to turn",
        "The variational autoencoder keeps its numbers near a standard bell curve, so that any setting of them draws "
        "something. Turn them: the decoder runs in this page. The nats say how much of a picture a dial carries.",
        code,
        panel + sheet,
    )


def samples(model: Estimator, X: np.ndarray, note: str, code: str, *, n: int = 30, seed: int = 0) -> Section:
    """New examples beside real ones; `note` says what was measured of them."""
    n = min(n, len(X))
    drawn = np.asarray(model.sample(n, random_state=seed))
    real = X[np.random.default_rng(seed).permutation(len(X))[:n]]
    return Section(
        "samples",
        "Pictures that never were",
        "Random numbers in, new pictures out: the decoder draws what it has learned that digits look like. Not all "
        "are legible, and none was chosen.",
        code,
        f'<div class="pair"><figure>{pictures(drawn, f"{n} new pictures", "grid")}<figcaption>Drawn by the '
        f"{type(model).__name__}</figcaption></figure><figure>{pictures(real, f'{n} real pictures', 'grid')}"
        f'<figcaption>Real, unseen in training</figcaption></figure></div><p class="note">{text(note)}</p>',
    )


def cleaning(rows: Mapping[str, tuple[str, np.ndarray]], code: str, *, n: int = 10) -> Section:
    """Noisy, cleaned and clean images, by name, each with a note; the first `n` of them."""
    shown = [(name, note, images[:n]) for name, (note, images) in rows.items()]
    return Section(
        "cleaning",
        "Clean out of noisy",
        "The denoising autoencoder was shown spoiled pictures and asked for the clean ones, until it knew what noise "
        "is and what is not. Decibels say how near a picture is to the clean one; three more halve the squared error.",
        code,
        strips(shown),
    )


def units(model: SAE, X: np.ndarray, y: np.ndarray | None, code: str, *, n_experts: int = 12) -> Section:
    """Every unit's direction, and for the busiest ones how often they fire and for which of X most."""
    active = model.active_units(X)
    steps = _directions(model)
    order = np.argsort(-active.rate, kind="stable")
    wall = "".join(
        f"<li{' class=dead' if active.rate[unit] == 0 else ''}>"
        + picture(signed(steps[unit]), hint=f"unit {unit}, fires for {active.rate[unit]:.1%}")
        + f'<i style="width:{100 * active.rate[unit] / max(active.rate.max(), 1e-12):.0f}%"></i></li>'
        for unit in order
    )
    cards = []
    for unit in order[:n_experts]:
        best = model.top_examples(X, int(unit), 6)
        told = _told(y[best]) if y is not None and len(best) else ""
        cards.append(
            f"<li>{picture(signed(steps[unit]), f'direction of unit {unit}')}<div><h3>Unit {unit}</h3>"
            f"<p>fires for {active.rate[unit]:.0%}{text(told)}</p>"
            f"{pictures(X[best], f'pictures for which unit {unit} fires most')}</div></li>"
        )
    silent = f"{len(active.dead)} (pale) fired for none of these {len(X)} pictures."
    if not len(active.dead):
        silent = f"None is dead: each fired for some of these {len(X)} pictures."
    return Section(
        "units",
        "A dictionary of strokes",
        f"The sparse autoencoder has {len(active.rate)} units, of which {active.count.mean():.3g} may speak for any "
        "one picture, so each becomes an expert. Its direction is what it draws: blue adds ink, orange takes ink away.",
        code,
        f'<ol class="experts">{"".join(cards)}</ol><figure><ol class="wall" role="img" aria-label="The directions of '
        f'all {len(active.rate)} units">{wall}</ol><figcaption>All {len(active.rate)}, the busiest first; the bar is '
        f"how often a unit fires. {silent}</figcaption></figure>",
    )


def training(models: Mapping[str, Estimator], code: str) -> Section:
    """The loss on training and held-out rows, for each model by name."""
    charted = []
    for name, model in models.items():
        lines: dict[str, tuple[list[float], list[float]]] = {}
        # the training loss holds more than the examples' own, such as what revives dead units of a sparse code
        costs = {"kl", "free_nats", "l1", "kl_rate"} & set(model.history_[-1])
        for key, words in (("valid_loss", "held out"), ("loss" if costs else "nll", "training")):
            looks = [(record["epoch"], record[key]) for record in model.history_ if record.get(key) is not None]
            if looks:
                lines[words] = [epoch for epoch, _ in looks], [loss for _, loss in looks]
        last = f"{name}: loss by epoch, " + ", ".join(
            f"{k} {charts.number(v[1][-1])} at the end" for k, v in lines.items()
        )
        drawn = charts.curves(lines, last, "epochs", "nats an example")
        charted.append(f"<figure><figcaption>{text(name)}</figcaption>{drawn}</figure>")
    return Section(
        "training",
        "How they learned",
        "The loss is how surprised a model is by a picture, in nats; lower is better, and below zero is allowed. "
        "Held-out pictures show whether it learns or memorises: the weights of the best look are kept.",
        code,
        f'<div class="charts">{"".join(charted)}</div>',
    )


def comparison(rows: Sequence[Sequence[object]], head: Sequence[str], facts: Mapping[str, str], code: str) -> Section:
    """The table of everything that was measured, and under what conditions."""
    listed = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts.items())
    return Section(
        "numbers",
        "The numbers",
        "Everything here was measured while this page was made, on pictures that no model had seen. PCA had the same "
        "training pictures and as many numbers to spend.",
        code,
        f'{table(head, rows, "Measured beside PCA")}<dl class="facts">{listed}</dl>',
    )


def decisions(models: Mapping[str, Estimator], commands: str, code: str) -> Section:
    """What was decided for each model and why, and how to go on."""
    blocks = []
    for i, (name, model) in enumerate(models.items()):
        told = "".join(f"<li>{_decision(line)}</li>" for line in model.report_)
        blocks.append(f"<details{' open' if i == 0 else ''}><summary>{text(name)}</summary><ul>{told}</ul></details>")
    return Section(
        "decisions",
        "What was decided, and why",
        "Whatever you leave open is decided by the data, and every model keeps a record of it. Then it is your turn.",
        code,
        f'<div class="decided">{"".join(blocks)}</div><h3 class="next">Go on from here</h3>{listing(commands)}',
    )


def _ends(codes: np.ndarray) -> np.ndarray:
    """The codes (2 x 2) at the map's margins: quantiles, so that no outlier presses the rest."""
    return np.quantile(codes, [0.003, 0.997], axis=0)


def _places(codes: np.ndarray) -> np.ndarray:
    """Codes (n x 2) as places in the map's view box."""
    low, high = _ends(codes)
    unit = ((codes - low) / np.maximum(high - low, 1e-12)).clip(-0.015, 1.015)
    return _MARGIN + unit * (np.array(_MAP) - 2 * _MARGIN)


def _directions(model: SAE) -> np.ndarray:
    """What each unit adds to the decoder's numbers, for the first channel: units x h x w."""
    n, parameter = model.model_.bottleneck.n_components, next(model.model_.parameters())
    with torch.inference_mode():
        drawn = model.model_.decode(torch.cat([torch.zeros(1, n), torch.eye(n)]).to(parameter))
    return (drawn[1:] - drawn[0])[:, 0].float().cpu().numpy()


def _told(labels: np.ndarray) -> str:
    """Such as ', expert on 7', if the labels agree."""
    values, counts = np.unique(labels, return_counts=True)
    return f", expert on {values[counts.argmax()]}" if counts.max() >= 0.8 * len(labels) else ""


def _decision(line: str) -> str:
    """A line of `report_`, its name set apart: 'batch_size = 64: for 1,293 rows'."""
    name, colon, reason = line.partition(": ")
    return f"<b>{text(name)}</b>: {text(reason)}" if colon and " = " in name else text(line)
