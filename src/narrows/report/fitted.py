"""A page about one fitted model: its decisions, training, results, measures and outliers."""

from __future__ import annotations

import datetime
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import sklearn
import torch

from narrows.data import spaced_indices
from narrows.estimators.base import Estimator
from narrows.evaluation import Evaluation, evaluate
from narrows.evaluation.measures import evaluate_inspection, fits_memory
from narrows.params import Integer, Parameter
from narrows.plots import content
from narrows.plots.drawing import format_label, format_number
from narrows.report import atlas, charts, columns, masked, page, records, sections, verdict
from narrows.report.display import Display
from narrows.report.machine import processor
from narrows.report.new_rows import new_rows
from narrows.report.page import Section, escape
from narrows.report.sampling import Sample, draw_sample
from narrows.training.progress import Reporter, Verbosity
from narrows.types import Finding
from narrows.version import __version__

_HEADLINES = {
    "rmse": "standard deviations, the error of numbers",
    "accuracy": "of the levels are right",
    "mse": "squared error per entry",
    "psnr": "dB, peak signal-to-noise ratio",
    "nll": "nats, negative log-likelihood",
    "knn_accuracy": "get the right label from their neighbours",
    "active_components": "components in use",
    "l0": "active units per example",
    "trustworthiness": "trustworthiness of the code",
    "flagged": "flagged as outliers",
}
_CARDS = 4


def write_report(
    model: Estimator,
    X: Any,
    path: str | Path = "report.html",
    *,
    y: Any = None,
    train: Any = None,
    name: str | None = None,
    command: str | None = None,
    code: str | None = None,
    max_examples: int = 10_000,
    random_state: int = 0,
    verbose: Verbosity = "auto",
) -> Path:
    """Write a page about a fitted model: one file that loads nothing else, for a browser or for paper.

    Parameters
    ----------
    model : a fitted estimator.
    X : n examples, preferably not those that the model was fitted on: in memory, the path of a file that narrows reads,
        or an iterator of arrays. If there are more than `max_examples`, the page shows a random sample, and says so.
    path : file of the page; an older one is replaced when the new one is complete.
    y : n labels, for the map's colours and for the measures of classes; or the name of a column of X.
    train : examples that the model was fitted on, in memory; PCA is fitted on them, too. None fits PCA on X.
    name : name of the data; None for the name of a file.
    command : command that the page names as the one that made it; None for this call.
    code : Python that defines `model`, X and, with labels, `y`; the page shows it first, and the code below runs after
        it. None says that they are those of this call.
    max_examples : largest number of examples that the page is made from.
    random_state : seed of the sample and of the new examples.
    verbose : "auto" for a progress bar where it takes more than 2 seconds and somebody watches, 0 for silence, 1 for a
        bar at once.

    Returns
    -------
    Path
        The path.

    Raises
    ------
    TypeError, ValueError, OSError
        If `model` is not fitted, if X does not fit it, if `y` does not hold one label for each example, or if the page
        cannot be written.

    Examples
    --------
    >>> import narrows
    >>> X, y = narrows.load_dataset("digits", "test")[:2]
    >>> model = narrows.VAE(2, hidden=(16,), max_epochs=1, random_state=0).fit(X)
    >>> narrows.write_report(model, X[:60], "digits.html", y=y[:60]).name  # doctest: +SKIP
    'digits.html'
    """
    began = time.perf_counter()
    if not isinstance(model, Estimator) or not hasattr(model, "offset_"):
        advice = ", fit it first" if isinstance(model, Estimator) else ", which has no report"
        raise TypeError(f"write_report takes a fitted AE, VAE or the like. Got {type(model).__name__}{advice}.")
    Parameter("max_examples", 10_000, Integer(2), "").check("write_report", max_examples)
    Parameter("random_state", 0, Integer(0), "").check("write_report", random_state)
    path = Path(path).expanduser()
    page.check_path(path)
    sample = draw_sample(model, X, y, max_examples, random_state)
    display = Display(model, sample.X, sample.y, random_state, y if isinstance(y, str) else "label")
    evaluation = _evaluate(display, train, random_state, verbose)
    findings = verdict.find_all(display, evaluation)
    page_sections: list[Section] = []
    with Reporter(verbose, "report", has_pulse=True) as reporter:
        steps = _sections(display, evaluation, findings)
        for i, step in enumerate(steps):
            reporter.update(i / len(steps), {})
            page_sections.append(step())
    name = name or (Path(X).name if isinstance(X, (str, os.PathLike)) else None)
    command = command or _call(y is not None, path)
    facts = _facts(sample, name, random_state, time.perf_counter() - began)
    page_sections.append(records.provenance(command, facts))
    page.write(
        path,
        title=_title(display, name),
        head=_head(display, evaluation, findings, sample, name)
        + page.code_block(code or _first_lines(X, y))
        + page.nav(page_sections),
        sections=page_sections,
        foot=_foot(),
        scripts=[page.data_script(display.decoder_name, display.decoder)] if _has_drawing(display) else [],
    )
    return path


def _evaluate(display: Display, train: Any, seed: int, verbose: Verbosity) -> Evaluation:
    """Compute all measures; labels that are no classes, or all the same, tell nothing about codes and are ignored."""
    y = _classes(display)
    labels = None if y is None else np.unique(y, return_inverse=True)[1]
    inspection = display.inspection
    target = display.label if display.label_position is not None else None
    options = {"train": train, "target": target, "random_state": seed, "verbose": verbose}
    if not fits_memory(len(display.rows), display.model):
        return evaluate(display.model, inspection.X, labels, scores=inspection.scores, **options)
    return evaluate_inspection(inspection, labels, **options)


def _classes(display: Display) -> np.ndarray | None:
    """Return the labels if they are classes, and not all the same; otherwise None."""
    y = display.y
    if y is not None and (display.groups.is_ordered or len(np.unique(y)) < 2 or "other" in display.groups.names):
        return None
    return y


def _sections(display: Display, evaluation: Evaluation, findings: list[Finding]) -> list[Callable[[], Section]]:
    """Return functions that make the sections for this model, in order."""
    model = display.model
    inspection, has_code = display.inspection, model.model_.has_code
    has_dials, is_masked = inspection.has_dials, inspection.predicts_hidden
    table = model.schema_.table
    # a frame of real numbers is shown as the vector that it is, unless some of its columns are left out
    has_columns = display.view is not None or (table is not None and len(table.used) < len(table.columns))
    steps: list[tuple[bool, Callable[[], Section]]] = [
        (True, lambda: verdict.diagnosis(findings)),
        (True, lambda: records.choices(model)),
        (has_columns, lambda: columns.columns(display)),
        (True, lambda: records.training({display.kind: model})),
        (not is_masked, lambda: sections.reconstructions(display)),
        (is_masked, lambda: masked.reconstructions(display)),
        (is_masked, lambda: masked.dependence(display)),
        (hasattr(model, "denoise"), lambda: sections.cleaning(display)),
        (has_code, lambda: atlas.latent_map(display)),
        (has_dials, lambda: sections.dials(display, *_starts(display))),
        (inspection.can_sample, lambda: sections.samples(display, _novelty(evaluation))),
        ("marginals" in evaluation.rows, lambda: new_rows(evaluation)),
        (has_code and not inspection.can_sample, lambda: sections.units(display)),
        (is_masked, lambda: masked.strange_cells(display)),
        (True, lambda: sections.outliers(display)),
        (True, lambda: records.measures(evaluation, _measuring(display))),
    ]
    return [step for is_shown, step in steps if is_shown]


def _has_drawing(display: Display) -> bool:
    """Return True if something on the page decodes."""
    is_drawn = display.is_image or display.inspection.has_dials
    return display.model.model_.decodes_codes and is_drawn and display.decoder is not None


def _starts(display: Display, most: int = 8) -> tuple[list[int], list[str]]:
    """Return examples to start the dials from, with their names: the best of each label, or evenly spaced ones."""
    errors, groups = display.inspection.errors, display.groups
    if display.y is not None and not groups.is_ordered:
        members = [(name, np.flatnonzero(groups.numbers == i)) for i, name in enumerate(groups.names[:most])]
        best = [(name, int(rows[np.argmin(errors[rows])])) for name, rows in members if len(rows)]
        return [row for _, row in best], [name for name, _ in best]
    rows = spaced_indices(len(errors), most)
    return rows.tolist(), [f"{display.noun} {display.row_name(i) if display.view else i}" for i in rows.tolist()]


def _novelty(evaluation: Evaluation) -> str:
    """Describe how well a classifier tells new examples from real ones."""
    if "c2st" not in evaluation.rows:
        return ""
    accuracy = evaluation.rows["c2st"].value
    return f"A classifier that tells new examples from real ones is right {accuracy:.0%} of the time; 50 % is chance."


def _head(display: Display, evaluation: Evaluation, findings: list[Finding], sample: Sample, name: str | None) -> str:
    model, schema = display.model, display.schema
    n_components = model.model_.bottleneck.n_components
    numbers = f"{n_components} numbers" if n_components != 1 else "one number"
    through = f", encodes each in {numbers}" if n_components else ", has no narrow code"
    if display.inspection.predicts_hidden:
        through = ", predicts each cell of a row from all others"
    n = len(sample.rows)
    used = f"{n:,}" if n == sample.n else f"{n:,} of {sample.n:,}"
    labels = ""
    if display.label_position is not None:
        labels = f", with the column {display.label} as label"
    elif display.y is not None:
        kinds = len(np.unique(display.y))
        labels = (
            f", with {kinds} different labels" if kinds > 1 else f", all labelled {format_label(display.y.tolist()[0])}"
        )
        if display.groups.is_ordered:
            labels = (
                f", with labels from {format_number(np.nanmin(display.y))} to {format_number(np.nanmax(display.y))}"
            )
    lede = (
        f"{model.recipe.summary} This one takes {schema.describe()}{through}, and was trained for {model.n_iter_} "
        f"epochs. This page shows it on {used} {display.noun}s{f' of {name}' if name else ''}{labels}."
    )
    shown = ""
    if display.is_image:
        typical = content.best_typical_worst(display.inspection.errors, 1)[int(len(display.rows) > 2)]
        original, reconstruction = (
            display.pictures(rows[typical][None])[0] for rows in (display.rows, display.reconstructions)
        )
        shown = (
            f'<div class="strait">{page.picture(original, "A typical example")}{charts.draw_channel()}'
            f"{page.picture(reconstruction, 'Its reconstruction')}</div>"
        )
    return (
        f'<p class="mark">narrows</p><h1>{escape(_title(display, name))}</h1>{verdict.verdict(display, findings)}'
        f'<p class="lede">{escape(lede)}</p>{shown}<ul class="cards">{"".join(_cards(evaluation))}</ul>'
    )


def _title(display: Display, name: str | None) -> str:
    return f"{display.kind} on {name}" if name else f"What this {display.kind} learned"


def _cards(evaluation: Evaluation) -> list[str]:
    """Return cards with the most important measures."""
    cards: list[str] = []
    for name, description in _HEADLINES.items():
        if name == "mse" and not {"rmse", "accuracy"}.isdisjoint(evaluation.rows):
            continue  # of a table it is a mean over numbers and levels
        if name in evaluation.rows and len(cards) < _CARDS:
            row = evaluation.rows[name]
            is_share = name in ("accuracy", "knn_accuracy", "flagged")
            value, pca = (f"{v:.1%}" if is_share else format_number(v) for v in (row.value, row.pca or 0.0))
            beside = f"<small>PCA {pca}</small>" if row.pca is not None else ""
            cards.append(f'<li><p class="measured"><b>{value}</b> {escape(description)}{beside}</p></li>')
    return cards


def _call(has_labels: bool, path: Path) -> str:
    return f'narrows.write_report(model, X, "{path}"{", y=y" if has_labels else ""})'


def _first_lines(X: Any, y: Any) -> str:
    """Return the Python that comes before all other code of a page about examples in memory, or in a file."""
    given = "model" if isinstance(X, (str, os.PathLike)) else "model and X" if y is None else "model, X and y"
    lines = ["import narrows"]
    if isinstance(X, (str, os.PathLike)):
        lines += ["from narrows.data.files import read", "", f"X = read({os.fspath(X)!r}).X"]
    elif isinstance(y, str):
        given, lines = "model and X", [*lines, "", f"y = {y!r}"]
    return "\n".join([*lines, f"# {given} {'are' if ' ' in given else 'is'} what write_report was given"])


def _measuring(display: Display) -> str:
    """Return the Python that measures the model, with the labels that `_evaluate` uses."""
    if display.label_position is not None:
        return f"narrows.evaluate(model, X, target={display.label!r})"
    return f"narrows.evaluate(model, X{', y' if _classes(display) is not None else ''})"


def _facts(sample: Sample, name: str | None, seed: int, seconds: float) -> dict[str, str]:
    data = f"{name or 'passed in memory'}, {sample.n:,} examples"
    if len(sample.rows) < sample.n:
        data += f", of which a random sample of {len(sample.rows):,} is shown"
    return {
        "Data": data,
        "Seed": str(seed),
        "Made on": f"{datetime.date.today().isoformat()}, in {seconds:.0f} s",
        "Machine": f"{processor()}, {os.cpu_count()} cores",
        "Versions": f"narrows {__version__}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"Python {platform.python_version()}",
    }


def _foot() -> str:
    return f"<p>Made by narrows {escape(__version__)}. One file, which loads nothing else.</p>"
