"""The five parts of an autoencoder as a drawing: switch its kind and see which part changes, turn a dial and see what
the model draws.

The switch is radio buttons and style sheets alone. A dial chooses among pictures that were decoded when the page was
made: they lie in one image, a strip of frames for each picture that a dial moves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from narrows.data import as_dense
from narrows.estimators.base import Estimator
from narrows.plots.drawing import format_number
from narrows.report import charts, demo_texts
from narrows.report.page import data_uri, escape, picture, sprite

KINDS = ("ae", "vae", "dae", "sae")
_SPAN = 3.0  # standard deviations that a dial of a code turns to each side
_STEPS = 25  # settings of a dial, an odd number; the style sheet knows it, and the strips and the size of a frame
_MOST = 2.4  # largest strength of a unit, relative to the one that the picture has
_NOISE = 0.6  # largest standard deviation of noise; pixels lie in [0, 1]


@dataclass(frozen=True)
class Dial:
    """A dial of one model, with what the model draws at each setting.

    Attributes
    ----------
    name, unit : what is turned, and what its values count, texts.
    values : (n,) the settings, evenly spaced.
    start : position of the setting of the picture itself, or of the nearest one.
    frames : n x h x w pictures in [0, 1] that the model draws.
    inputs : n x h x w pictures in [0, 1] that the model sees, where the dial changes them; otherwise None.
    component : position of the component that is turned; None if it is no component.
    """

    name: str
    unit: str
    values: np.ndarray
    start: int
    frames: np.ndarray
    inputs: np.ndarray | None = None
    component: int | None = None

    @property
    def share(self) -> float:
        """The place of the start on the dial, from 0 to 1."""
        return self.start / (len(self.values) - 1)


def turn_component(model: Estimator, x: np.ndarray) -> Dial:
    """Turn the component of the code of a picture (h x w) that changes the picture most."""
    code = as_dense(model.transform(x[None])).astype(np.float64)[0]
    spread = np.maximum(model.dial_scale(), 1e-12)
    values = np.linspace(-_SPAN, _SPAN, _STEPS)
    turned = [model.code_mean_[i] + spread[i] * values for i in range(len(code))]
    component, frames = _most_moved(model, code, dict(enumerate(turned)))
    setting = (code[component] - model.code_mean_[component]) / spread[component]
    start = int(np.abs(values - setting).argmin())
    return Dial(f"dial {component}", "standard deviations", values, start, frames, component=component)


def turn_unit(model: Estimator, x: np.ndarray) -> Dial:
    """Turn the active unit of a picture (h x w) that changes the picture most, from off to beyond its strength."""
    code = as_dense(model.transform(x[None])).astype(np.float64)[0]
    values = np.linspace(0, _MOST, _STEPS)
    active = np.flatnonzero(code).tolist() or [0]
    unit, frames = _most_moved(model, code, {i: code[i] * values for i in active})
    start = int(np.abs(values - 1).argmin())
    return Dial(f"unit {unit}", "times its strength", values, start, frames, component=unit)


def turn_noise(model: Estimator, x: np.ndarray, level: float, seed: int) -> Dial:
    """Turn the standard deviation of the noise on a picture (h x w); `level` is the setting to start from."""
    values = np.linspace(0, _NOISE, _STEPS)
    noise = np.random.default_rng(seed).standard_normal(x.shape)
    noisy = (x + values[:, None, None] * noise).astype(np.float32)
    frames = np.asarray(model.reconstruct(noisy)).clip(0, 1)
    return Dial(
        "the noise", "standard deviation", values, int(np.abs(values - level).argmin()), frames, noisy.clip(0, 1)
    )


def _most_moved(model: Estimator, code: np.ndarray, turned: Mapping[int, np.ndarray]) -> tuple[int, np.ndarray]:
    """Return the component whose values change the decoded picture most, and the pictures (n x h x w)."""
    codes = np.repeat(code[None, None], len(turned), 0).repeat(_STEPS, 1)
    for row, (component, values) in zip(codes, turned.items(), strict=True):
        row[:, component] = values
    decoded = np.asarray(model.inverse_transform(codes.reshape(-1, len(code)))).clip(0, 1)
    decoded = decoded.reshape(len(turned), _STEPS, *decoded.shape[1:])
    most = int(decoded.var(1).sum((1, 2)).argmax())
    return list(turned)[most], decoded[most]


def draw(x: np.ndarray, models: Mapping[str, Estimator], dials: Mapping[str, Dial]) -> str:
    """Return the drawing as HTML: of a picture (h x w), for a model and a dial of each of `KINDS`."""
    numbers = {name: model.model_.bottleneck.n_components for name, model in models.items()}
    numbers["k"] = int(models["sae"].k)
    seen = "".join(_stills(kind, dials[kind], "The picture with noise")[0] for kind in KINDS)
    drawn = "".join(_stills(kind, dials[kind], f"What the {kind.upper()} draws")[1] for kind in KINDS)
    turned = "".join(_slider(kind, dials[kind]) for kind in KINDS) + _film(dials)
    turned += "".join(_hint(kind, dials[kind]) for kind in KINDS)
    return (
        f'<div class="anatomy">{_switch()}<div class="strait">{picture(x, "A handwritten digit, x")}'
        f'<div class="flow">{_drawings(x, models, numbers)}{_beads(dials, numbers)}'
        f'<span class="seen" data-of="dae">{seen}</span></div><div>{drawn}</div></div>'
        f'<ol class="sentence">{_parts(numbers)}</ol><div class="told"><div class="words" aria-live="polite">'
        f'{_words(numbers)}</div><div class="turned">{turned}</div></div></div>'
    )


def _switch() -> str:
    kinds = "".join(
        f'<label><input type="radio" name="kind" value="{kind}" autocomplete="off"{" checked" if not i else ""} '
        f'aria-label="{kind.upper()}, {demo_texts.FULL_NAMES[kind]}"><b>{kind.upper()}</b>'
        f"<small>{demo_texts.FULL_NAMES[kind]}</small></label>"
        for i, kind in enumerate(KINDS)
    )
    return f'<fieldset class="kinds"><legend class="sr">Kind of autoencoder</legend>{kinds}</fieldset>'


def _drawings(x: np.ndarray, models: Mapping[str, Estimator], numbers: Mapping[str, int]) -> str:
    active = np.flatnonzero(as_dense(models["sae"].transform(x[None]))[0]).tolist()
    return (
        charts.draw_code(numbers["ae"], kind="ae")
        + charts.draw_code(numbers["vae"], has_clouds=True, kind="vae")
        + charts.draw_noise(kind="dae")
        + charts.draw_selection(numbers["sae"], active, kind="sae")
    )


def _beads(dials: Mapping[str, Dial], numbers: Mapping[str, int]) -> str:
    """Return a bead on the line of each turned component, which shows the setting of the dial."""
    places = {
        kind: charts.strand_places(numbers[kind])[dial.component]
        for kind, dial in dials.items()
        if dial.component is not None
    }
    return "".join(
        f'<i class="bead" data-of="{kind}" style="--at: {dials[kind].share:.3f}; top: {100 * place:.1f}%"></i>'
        for kind, place in places.items()
    )


def _stills(kind: str, dial: Dial, label: str = "") -> tuple[str, str]:
    """Return what a model sees where its dial changes that, otherwise "", and what it draws, where the dial starts.

    The script replaces them by pictures that move. Screen readers read out `label`.
    """
    pictures = []
    for is_input, frames in ((True, dial.inputs), (False, dial.frames)):
        still = "" if frames is None else picture(frames[dial.start], label)
        strip = "" if frames is None else _STRIPS.index((kind, is_input))
        pictures.append(still.replace("<img ", f'<img data-of="{kind}" data-strip="{strip}" ', 1))
    return pictures[0], pictures[1]


def _parts(numbers: Mapping[str, int]) -> str:
    items = ""
    for part, roles in demo_texts.PARTS.items():
        changed = [kind for kind in KINDS if part in demo_texts.CHANGES[kind]]
        tag = f'<em data-of="{" ".join(changed)}">changes</em>' if changed else ""
        others = " ".join(kind for kind in KINDS if kind not in roles)
        texts = "".join(
            f'<span data-of="{kind or others}">{escape(role.format(**numbers))}</span>' for kind, role in roles.items()
        )
        items += f'<li data-changes="{" ".join(changed)}"><b>{part}</b>{tag}{texts}</li>'
    return items


def _words(numbers: Mapping[str, int]) -> str:
    words = ""
    for kind in KINDS:
        text = escape(demo_texts.ANATOMY[kind].format(**numbers))
        formulas = "".join(f"<span>{formula.format(**numbers)}</span>" for formula in demo_texts.FORMULAS[kind])
        words += (
            f'<div data-of="{kind}" data-name="{kind.upper()}"><p>{text}</p><p class="formula">{formulas}</p></div>'
        )
    return words


def _slider(kind: str, dial: Dial) -> str:
    low, high, value = dial.values[0], dial.values[-1], dial.values[dial.start]
    return (
        f'<label class="only-js" data-of="{kind}"><span>Turn {escape(dial.name)}</span><output>{value:.2f}</output>'
        f'<small>{escape(dial.unit)}</small><input type="range" min="{low:g}" max="{high:g}" '
        f'step="{(high - low) / (len(dial.values) - 1):g}" value="{value:g}" autocomplete="off" data-kind="{kind}" '
        f'aria-label="Turn {escape(dial.name)}, {escape(dial.unit)}"></label>'
    )


def _hint(kind: str, dial: Dial) -> str:
    """Return what the film shows, in words."""
    text = demo_texts.HINTS[kind].format(
        name=dial.name, low=format_number(dial.values[0]), high=format_number(dial.values[-1]), unit=dial.unit
    )
    return f'<p class="hint" data-of="{kind}">{escape(text)}</p>'


# the strips of the sprite from the top: what a kind draws, and what the DAE sees
_STRIPS: Sequence[tuple[str, bool]] = (("ae", False), ("vae", False), ("dae", True), ("dae", False), ("sae", False))


def _film(dials: Mapping[str, Dial]) -> str:
    """Return the strips of all dials as one image, of which the style sheet shows a part.

    The frames with even numbers come first, strip by strip, and then those with odd numbers.
    """
    strips = [dials[kind].inputs if is_input else dials[kind].frames for kind, is_input in _STRIPS]
    frames = np.stack([strip for strip in strips if strip is not None])
    frames = np.pad(frames, ((0, 0), (0, 0), (0, 1), (0, 1)))  # a pixel between pictures
    even = frames[:, ::2]
    odd = np.zeros_like(even)
    odd[:, :-1] = frames[:, 1::2]
    height, width = frames.shape[2:]
    sheet = sprite(np.concatenate([even, odd]).reshape(-1, height, width), even.shape[1])
    size = f'width="{sheet.width}" height="{sheet.height}" data-frame="{width - 1} {height - 1}"'
    lenses = "".join(
        f'<i class="lens" data-of="{kind}" style="--at: {dial.share:.3f}">{"".join(_stills(kind, dial))}</i>'
        for kind, dial in dials.items()
    )
    return (
        f'<div class="film"><div class="frames"><img class="px ink" src="{data_uri(sheet)}" {size} '
        f'alt="What the model draws, from the lowest setting to the highest"></div>{lenses}</div>'
    )
