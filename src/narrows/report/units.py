"""A page of all units of a sparse code: search, filter, sort, the texts of each unit's top examples, similar units.

It is one file that loads nothing else. Without scripts it shows the busiest units.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.estimators import UnitEstimator
from narrows.estimators.sources import open_rows
from narrows.estimators.units import UnitSurvey, nearest_units, unit_directions
from narrows.params import Integer, Parameter, counted
from narrows.report import page
from narrows.report.page import escape

_SHOWN = 24  # units that are shown without scripts
_LONGEST = 300  # characters of a text on the page
_SIMILAR = 5
_LIVES = 0.1  # share of its norms in a layer from which a unit lives there
_BARS, _LOWEST = 24, -6  # bars of the chart of densities, and the exponent of ten of its lowest one

Namer = Callable[[int, list[str]], str]


def write_units(
    model: UnitEstimator,
    X: Any,
    path: str | os.PathLike[str],
    *,
    texts: Iterable[str] | None = None,
    context: int = 0,
    n: int = 10,
    name_unit: Namer | None = None,
    title: str | None = None,
) -> Path:
    """Write a page about all units of a sparse autoencoder on X, as one HTML file, and return its path.

    Parameters
    ----------
    model : a fitted SAE or crosscoder, or a dictionary that `load_dictionary` has loaded.
    X : examples, which may be larger than memory, as for `SAE.survey_units`.
    path : file to write.
    texts : one text for each example, such as a document or a token, in the order of X: a list, or another iterable.
        None for numbers of examples.
    context : number of texts before and after each one that are shown with it, for tokens that follow each other.
    n : largest number of examples for each unit.
    name_unit : function from the number of a unit and the texts of its top examples to a short name; None names
        those of a crosscoder by their layers, and others not. Units in `model.unit_names_` keep the names that they
        have there. If it fails, a warning says so, and the names that it gave before are on the page.
    title : title of the page.

    Raises
    ------
    TypeError
        If `model` is no fitted SAE, or `texts` is one text.
    ValueError
        If X does not fit it, or there is not one text for each example.
    OSError
        If a file cannot be read, or the page cannot be written.

    Examples
    --------
    >>> import narrows
    >>> X = narrows.load_dataset("digits", "test")[0]
    >>> model = narrows.SAE(16, k=2, max_epochs=1, random_state=0).fit(X)
    >>> write_units(model, X[:60], "units.html").name  # doctest: +SKIP
    'units.html'
    """
    if not isinstance(model, UnitEstimator) or not hasattr(model, "offset_"):
        raise TypeError(f"write_units takes a fitted SAE. Got {type(model).__name__}.")
    Parameter("context", 0, Integer(0), "").check("write_units", context)
    path = Path(path).expanduser()
    page.check_path(path)
    source, lines = open_rows(model, X), _read_texts(texts)
    _check_texts(lines, source.n)
    survey = model.survey_units(source, n)
    _check_texts(lines, survey.n_examples)
    nearest, cosines = nearest_units(unit_directions(model.module()), _SIMILAR)
    own_names = getattr(model, "unit_names_", {})
    names = [own_names.get(unit) or name for unit, name in enumerate(_name_layers(model))]
    if name_unit is not None:
        _ask_names(name_unit, survey, lines, names, own_names)
    shown = sorted({int(row) for row in survey.rows.ravel() if row >= 0})
    windows = {row: _window(lines, row, context) for row in shown}
    title = title or f"The units of this {type(model).__name__}"
    values = _values(survey, windows, nearest, cosines, names)
    page.write(
        path,
        title=title,
        head=_head(title, model, survey),
        sections=[_densities(survey), _units(survey, windows, names, values)],
        foot=f"<p>Made by narrows {escape(page.__version__)}. One file, which loads nothing else.</p>",
        assets=("units.css", "units.js"),
    )
    return path


def _name_layers(model: UnitEstimator) -> list[str]:
    """Return where each unit of a crosscoder lives, such as 'layer 2' or 'layer 1 62%, layer 3 35%' of its norms."""
    shares = getattr(model, "layer_shares_", None)  # not with a decoder of the user
    if shares is None or shares.shape[1] == 1:
        return [""] * model.n_components
    names = []
    for unit in shares:
        layers = [layer for layer in np.argsort(-unit, kind="stable").tolist() if unit[layer] >= _LIVES]
        is_single = len(layers) == 1
        names.append(", ".join(f"layer {i + 1}" + ("" if is_single else f" {unit[i]:.0%}") for i in layers))
    return names


def _ask_names(
    name_unit: Namer, survey: UnitSurvey, texts: list[str] | None, names: list[str], own_names: Mapping[int, str]
) -> None:
    """Write the names that `name_unit` gives into `names`. It is asked no more once it has failed."""
    for unit in np.flatnonzero(survey.density > 0).tolist():
        if own_names.get(unit):
            continue
        rows = survey.top(unit).tolist()
        try:
            names[unit] = str(name_unit(unit, [texts[row] if texts is not None else str(row) for row in rows]))
        except Exception as error:  # of the user's code; the pass over X may have taken hours
            warnings.warn(
                f"The `name_unit` parameter of write_units failed for unit {unit}: {type(error).__name__}: {error}. "
                "The page is written with the names that it gave before.",
                UserWarning,
                stacklevel=3,
            )
            return


def _read_texts(texts: Iterable[str] | None) -> list[str] | None:
    """Return texts as a list, by their places: a column of pandas is indexed by its labels."""
    if texts is None:
        return None
    if isinstance(texts, (str, bytes, Mapping)) or not isinstance(texts, Iterable):
        raise TypeError(
            f"The `texts` parameter of write_units must hold one text for each example. Got {type(texts).__name__}. "
            "Pass a list of texts."
        )
    return [str(text) for text in texts]


def _check_texts(texts: Sequence[str] | None, n: int | None) -> None:
    """Raise ValueError if there is not one text for each of n examples; None for a number that is not known yet."""
    if texts is not None and n is not None and len(texts) != n:
        raise ValueError(
            f"The `texts` parameter of write_units must hold one text for each of the {n:,} examples. "
            f"Got {len(texts):,}."
        )


def _window(texts: Sequence[str] | None, row: int, context: int) -> tuple[str, str, str]:
    """Return the text of an example, with those before and after it."""
    if texts is None:
        return "", f"example {row:,}", ""
    before, after = "".join(texts[max(0, row - context) : row]), "".join(texts[row + 1 : row + 1 + context])
    text = texts[row]
    return before[-_LONGEST:], text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…", after[:_LONGEST]


def _values(
    survey: UnitSurvey,
    windows: dict[int, tuple[str, str, str]],
    nearest: np.ndarray,
    cosines: np.ndarray,
    names: list[str],
) -> dict[str, Any]:
    """Return what the page's script shows, as JSON values: lists with an entry for each unit."""
    place = {row: i for i, row in enumerate(windows)}
    return {
        "texts": list(windows.values()),
        "rows": list(windows),
        "density": _rounded(survey.density),
        "mean": _rounded(survey.mean),
        "max": _rounded(survey.activations[:, 0]),
        "top": [[place[row] for row in survey.top(unit).tolist()] for unit in range(len(survey.rows))],
        "activations": [_rounded(a[a > 0]) for a in survey.activations],
        "similar": nearest.tolist(),
        "cosines": [[round(c, 3) for c in line] for line in cosines.tolist()],
        "names": names if any(names) else [],
    }


def _rounded(values: np.ndarray) -> list[float]:
    """Return numbers with four digits, which keeps the page small."""
    return [float(f"{value:.4g}") for value in values.tolist()]


def _head(title: str, model: UnitEstimator, survey: UnitSurvey) -> str:
    source = getattr(model, "source_", {})
    names = ("model_name", "hook_name", "license")
    known = [f"{name.replace('_', ' ')} {source[name]}" for name in names if source.get(name)]
    origin = f" The dictionary was loaded: {', '.join(known)}." if known else ""
    l0 = float(survey.density.sum())
    lede = (
        f"{counted(len(survey.rows), 'unit')} on {counted(survey.n_examples, 'example')}. On average {l0:.3g} are "
        f"active for an example, and {counted(len(survey.dead), 'unit')} for none.{origin}"
    )
    return f'<p class="mark">narrows</p><h1>{escape(title)}</h1><p class="lede">{escape(lede)}</p>'


def _densities(survey: UnitSurvey) -> page.Section:
    """Make the section of densities: how many units are active for which share of the examples."""
    alive = survey.density[survey.density > 0]
    exponents = np.log10(alive) if len(alive) else np.zeros(0)
    counts, edges = np.histogram(exponents.clip(_LOWEST, 0), bins=_BARS, range=(_LOWEST, 0))
    highest = max(int(counts.max()), 1)
    bars = "".join(
        f'<rect x="{20 * i + 1}" y="{100 - 100 * count / highest:.1f}" width="18" height="{100 * count / highest:.1f}">'
        f"<title>{counted(int(count), 'unit')}: {10 ** edges[i]:.1g} to {10 ** edges[i + 1]:.1g}</title></rect>"
        for i, count in enumerate(counts.tolist())
    )
    marks = "".join(
        f'<text x="{20 * _BARS * (e - _LOWEST) / -_LOWEST:.0f}" y="116">10{_superscript(e)}</text>'
        for e in range(_LOWEST + 1, 0)
    )
    body = (
        f'<figure><svg class="density" viewBox="0 0 {20 * _BARS} 120" role="img" aria-label="Densities of the units">'
        f"{bars}{marks}</svg><figcaption>Share of the examples for which a unit is active, its density. "
        f"Dead units, which are not shown: {len(survey.dead):,}.</figcaption></figure>"
    )
    intro = "A unit that is active for nearly all examples tells little about any, and so does one that never is."
    return page.Section("density", "How often units fire", intro, "model.survey_units(X).density", body)


def _superscript(exponent: int) -> str:
    return f'<tspan dy="-5" font-size="8">{exponent}</tspan>'


def _units(
    survey: UnitSurvey, windows: dict[int, tuple[str, str, str]], names: list[str], values: dict[str, Any]
) -> page.Section:
    """Make the section of all units. The script replaces the list, of which the busiest units are there without it."""
    busiest = np.argsort(-survey.density, kind="stable")[:_SHOWN].tolist()
    cards = "".join(_card(survey, unit, windows, names[unit]) for unit in busiest)
    controls = (
        '<form class="unit-bar only-js" role="search"><label>Search <input type="search" name="query" '
        'placeholder="a word, or the number of a unit"></label>'
        '<label>Sort by <select name="sort"><option value="density">density</option><option value="max">largest '
        'activation</option><option value="mean">mean activation</option><option value="unit">number</option></select>'
        '</label><label>Density from <input type="number" name="low" min="0" max="1" step="any" value="0"></label>'
        '<label>to <input type="number" name="high" min="0" max="1" step="any" value="1"></label>'
        '<label><input type="checkbox" name="dead"> dead units, too</label></form>'
        '<p class="note only-js" aria-live="polite" data-found></p>'
    )
    more = '<div class="actions only-js"><button type="button" data-more>Show more</button></div>'
    data = page.data_script("units-data", values)
    body = f'<div class="units">{controls}<ol class="unit-list">{cards}</ol>{more}{data}</div>'
    intro = (
        "Each unit with the examples for which it is most active. Similar units have nearly the same direction in the "
        "decoder."
    )
    return page.Section("units", "The units", intro, "model.top_examples(X, unit=0)", body)


def _card(survey: UnitSurvey, unit: int, windows: dict[int, tuple[str, str, str]], name: str) -> str:
    """Return a unit as the script draws it, without its similar units."""
    lines = "".join(
        f"<li><output>{activation:.3g}</output><p{'' if before or after else ' class=alone'}>{escape(before)}"
        f"<mark>{escape(text)}</mark>{escape(after)}</p></li>"
        for activation, (before, text, after) in zip(
            survey.activations[unit].tolist(), (windows[row] for row in survey.top(unit).tolist()), strict=False
        )
    )
    named = f" <b>{escape(name)}</b>" if name else ""
    return (
        f'<li><h3>Unit {unit}{named}</h3><p class="note">active for {survey.density[unit]:.2%}, mean activation '
        f'{survey.mean[unit]:.3g}</p><ol class="tops">{lines}</ol></li>'
    )
