"""A page about one fitted model: what it was trained on and why so, what it does, how well, and what does not fit."""

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
from narrows.params import Integer, Parameter
from narrows.plots import picks
from narrows.plots.drawing import name_of, number
from narrows.report import atlas, charts, page, records, sections
from narrows.report.machine import processor
from narrows.report.page import Section, text
from narrows.report.sampling import Sampled, sampled
from narrows.report.subject import Subject
from narrows.training.progress import Reporter
from narrows.version import __version__

_HEADLINES = {
    "mse": "squared error of an entry",
    "psnr": "dB, peak signal to noise",
    "nll": "nats, negative log-likelihood",
    "knn_accuracy": "known by their neighbours' labels",
    "active_components": "components in use",
    "l0": "units speak for an example",
    "trustworthiness": "trustworthiness of the code",
    "flagged": "called outliers",
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
    max_examples: int = 10_000,
    random_state: int = 0,
    verbose: int = 0,
) -> Path:
    """Write a page about a fitted model: one file that fetches nothing, for a browser or for paper.

    Parameters
    ----------
    model : a fitted estimator.
    X : examples, best ones that it was not fitted on: in memory, the path of a file that narrows reads, or an iterator
        of arrays. Of more than `max_examples` a sample is looked at, which the page says.
    path : of the page; it takes its place when it is whole.
    y : a label for each example of X, for the map's colours and for what tells classes apart.
    train : the examples that the model was fitted on, in memory, to fit PCA on too; None fits PCA on X.
    name : what the data are called; None for the name of a file.
    command : what the page says made it; None for this call.
    max_examples : how many examples are looked at.
    random_state : seed of what is drawn.
    verbose : whether progress is shown, on stderr.

    Returns
    -------
    The path.

    Raises
    ------
    TypeError, ValueError, OSError
        If `model` is not fitted, X does not hold examples such as it was fitted on, or `y` not one label for each, or
        the page cannot be written.

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
        raise TypeError(f"write_report takes a fitted narrows estimator. Got {type(model).__name__}, fit it first.")
    Parameter("max_examples", 10_000, Integer(2), "").check("write_report", max_examples)
    Parameter("random_state", 0, Integer(0), "").check("write_report", random_state)
    path = Path(path)
    _check_place(path)
    given = sampled(model, X, y, max_examples, random_state)
    subject = Subject(model, given.X, given.y, random_state)
    found = _evaluated(subject, train, random_state, verbose)
    made: list[Section] = []
    with Reporter(verbose, "report") as reporter:
        steps = _sections(subject, found)
        for i, step in enumerate(steps):
            reporter.update(i / len(steps), {})
            made.append(step())
    name = name or (Path(X).name if isinstance(X, (str, os.PathLike)) else None)
    command = command or _call(y is not None, path)
    facts = _facts(given, name, random_state, time.perf_counter() - began)
    made.append(records.made(command, facts))
    page.write(
        path,
        title=_title(subject, name),
        head=_head(subject, found, given, name) + page.nav(made),
        sections=made,
        foot=_foot(),
        scripts=[page.data(subject.decoder_name, subject.decoder)] if _draws(subject) else [],
    )
    return path


def _check_place(path: Path) -> None:
    """Raise, before any work, where no file can be."""
    if not path.absolute().parent.is_dir():
        raise FileNotFoundError(f"Cannot write {path}: the folder {path.absolute().parent} does not exist.")
    if path.is_dir():
        raise IsADirectoryError(f"Cannot write {path}: it is a folder. Give the name of a file.")


def _evaluated(subject: Subject, train: Any, seed: int, verbose: int) -> Evaluation:
    """All measures; labels that are no classes, or a single one, say nothing about the code."""
    y = subject.y
    if y is not None and (subject.groups.ordered or len(np.unique(y)) < 2 or "other" in subject.groups.names):
        y = None
    y = None if y is None else np.unique(y, return_inverse=True)[1]
    return evaluate(subject.model, subject.X, y, train=train, scores=subject.scores, random_state=seed, verbose=verbose)


def _sections(subject: Subject, found: Evaluation) -> list[Callable[[], Section]]:
    """What the page shows of this model, in order."""
    model = subject.model
    has_code, sparse = model.model_.has_code, not picks.can_sample(model)
    steps: list[tuple[bool, Callable[[], Section]]] = [
        (True, lambda: records.choices(model)),
        (True, lambda: records.training({subject.kind: model})),
        (True, lambda: sections.reconstructions(subject)),
        (hasattr(model, "denoise"), lambda: sections.cleaning(subject)),
        (has_code, lambda: atlas.latent_map(subject)),
        (has_code and not sparse, lambda: sections.dials(subject, *_starts(subject))),
        (has_code and not sparse, lambda: sections.samples(subject, _novelty(found))),
        (has_code and sparse, lambda: sections.units(subject)),
        (True, lambda: sections.outliers(subject)),
        (True, lambda: records.evaluation(found, "narrows.evaluate(model, X, y)")),
        (True, lambda: records.diagnosis(subject, found)),
    ]
    return [step for wanted, step in steps if wanted]


def _draws(subject: Subject) -> bool:
    """Whether something on the page decodes."""
    shown = subject.is_image or picks.can_sample(subject.model)
    return subject.model.model_.has_code and shown and subject.decoder is not None


def _starts(subject: Subject, most: int = 8) -> tuple[list[int], list[str]]:
    """Examples to start the dials from, those that come out well: one of each label, or evenly spaced ones."""
    error, groups = subject.rebuilt.error, subject.groups
    if subject.y is not None and not groups.ordered:
        found = [(np.flatnonzero(groups.of == i), name) for i, name in enumerate(groups.names[:most])]
        return [int(at[np.argmin(error[at])]) for at, _ in found if len(at)], [name for at, name in found if len(at)]
    chosen = spaced_indices(len(error), most)
    return chosen.tolist(), [f"number {i}" for i in chosen]


def _novelty(found: Evaluation) -> str:
    """What was measured of new examples."""
    if "c2st" not in found.rows:
        return ""
    told = found.rows["c2st"].value
    return f"Trees that are asked to tell new from real are right {told:.0%} of the time; 50 % is chance."


def _head(subject: Subject, found: Evaluation, given: Sampled, name: str | None) -> str:
    model, schema = subject.model, subject.schema
    n_components = model.model_.bottleneck.n_components
    numbers = f"{n_components} numbers" if n_components != 1 else "one number"
    through = f", through {numbers}" if n_components else ", without a narrow code"
    looked = f"{len(given.chosen):,}" if given.n == len(given.chosen) else f"{len(given.chosen):,} of {given.n:,}"
    labels = ""
    if subject.y is not None:
        kinds = len(np.unique(subject.y))
        labels = f", with labels of {kinds} kinds" if kinds > 1 else f", all labelled {name_of(subject.y.tolist()[0])}"
        if subject.groups.ordered:
            labels = f", with labels from {number(np.nanmin(subject.y))} to {number(np.nanmax(subject.y))}"
    lede = (
        f"{model.recipe.summary} This one takes {schema.describe()}{through}, and was trained for {model.n_iter_} "
        f"epochs. It is looked at on {looked} {subject.noun}s{f' of {name}' if name else ''}{labels}."
    )
    shown = ""
    if subject.is_image:
        typical = picks.best_typical_worst(subject.rebuilt.error, 1)[int(len(subject.rows) > 2)]
        given_, made = (subject.pictures(rows[typical][None])[0] for rows in (subject.rows, subject.rebuilt.rebuilt))
        shown = (
            f'<div class="strait">{page.picture(given_, "A typical example")}{charts.channel()}'
            f"{page.picture(made, 'What comes out of it')}</div>"
        )
    return (
        f'<p class="mark">narrows</p><h1>{text(_title(subject, name))}</h1><p class="lede">{text(lede)}</p>'
        f'{shown}<ul class="cards">{"".join(_cards(found))}</ul>'
    )


def _title(subject: Subject, name: str | None) -> str:
    return f"{subject.kind} on {name}" if name else f"What this {subject.kind} learned"


def _cards(found: Evaluation) -> list[str]:
    """The measures that say most."""
    made: list[str] = []
    for name, words in _HEADLINES.items():
        if name in found.rows and len(made) < _CARDS:
            row = found.rows[name]
            shares = name in ("knn_accuracy", "flagged")
            value, pca = (f"{v:.1%}" if shares else number(v) for v in (row.value, row.pca or 0.0))
            beside = f"<small>PCA {pca}</small>" if row.pca is not None else ""
            made.append(f'<li><p class="measured"><b>{value}</b> {text(words)}{beside}</p></li>')
    return made


def _call(labelled: bool, path: Path) -> str:
    return f'narrows.write_report(model, X, "{path}"{", y=y" if labelled else ""})'


def _facts(given: Sampled, name: str | None, seed: int, seconds: float) -> dict[str, str]:
    looked = f"{name or 'handed over in memory'}, {given.n:,} examples"
    if len(given.chosen) < given.n:
        looked += f", of which {len(given.chosen):,} drawn at random were looked at"
    return {
        "Data": looked,
        "Seed": str(seed),
        "Made on": f"{datetime.date.today().isoformat()}, in {seconds:.0f} s",
        "Machine": f"{processor()}, {os.cpu_count()} cores",
        "Versions": f"narrows {__version__}, torch {torch.__version__}, scikit-learn {sklearn.__version__}, "
        f"Python {platform.python_version()}",
    }


def _foot() -> str:
    return f"<p>Made by narrows {text(__version__)}. One file; it fetches nothing.</p>"
