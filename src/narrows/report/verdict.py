"""The verdict about a model, at the head of its page: what is well, what is not, and the code that mends it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
from sklearn.base import clone

from narrows import estimators
from narrows.estimators.base import Estimator
from narrows.estimators.findings import advise, all_changes, beside_verdict, compare_with_pca, say_verdict
from narrows.estimators.seen_rows import say_seen
from narrows.evaluation import Evaluation
from narrows.params import counted
from narrows.report.display import Display, percent
from narrows.report.new_rows import MEMORY
from narrows.report.page import Section, escape
from narrows.report.records import constructor_call
from narrows.types import Finding


def find_all(display: Display, evaluation: Evaluation) -> list[Finding]:
    """Return the findings about the model, and about it on the examples of the page."""
    own = [finding for finding in display.model.findings_ if finding.name != "outliers"]
    found = own or _of_older_model(evaluation, display)
    if display.inspection.predicts_hidden:
        found.append(_columns_predicted(display))
    if "closer" in evaluation.rows:
        found.append(_memory(evaluation.rows["closer"].value))
    share = display.outlier_share
    found.append(Finding("outliers", not share.hint, f"{share}{share.hint or '.'}", {}))
    found.append(Finding("rows", True, _seen(display), {}))
    return found


def verdict(display: Display, findings: list[Finding]) -> str:
    """Return the verdict as HTML: a sentence, advice, the code that mends the model, and which rows these are."""
    change = all_changes(findings)
    is_well = all(finding.is_well for finding in findings)
    said = say_verdict(findings, is_counted=False)
    kind, colon, rest = said.partition(": ")
    listed = "".join(
        f'<li class="{"well" if finding.is_well else "look"}">{_as_code(advise(finding))}</li>'
        for finding in beside_verdict(findings)
    )
    # the page's first lines, which import narrows, come later: this code is to be run after them
    code = (
        f'<pre class="code" tabindex="0"><code>{escape(_mending_code(display, change))}</code></pre>' if change else ""
    )
    return (
        f'<div class="verdict {"well" if is_well else "look"}"><p><b>{escape(kind + colon.rstrip())}</b> '
        f'{_as_code(rest)} <a href="#diagnosis">All {len(findings)} checks</a></p>'
        f"{f'<ul>{listed}</ul>' if listed else ''}{code}"
        f'<p class="note">{escape(_seen(display))}</p></div>'
    )


def diagnosis(findings: list[Finding]) -> Section:
    """Make the section of all findings."""
    items = ""
    for finding in findings:
        kind, mark = ("well", "good") if finding.is_well else ("look", "check")
        items += f'<li class="{kind}"><b>{mark}</b><span>{_as_code(advise(finding))}</span></li>'
    return Section(
        "diagnosis",
        "Is it well?",
        "What was found about the training, the code and the data, with the parameter that changes it. The first "
        "points are from rows that the training held out; the last from the examples of this page.",
        "model.findings_",
        f'<ul class="findings">{items}</ul>',
    )


def _mending_code(display: Display, change: Mapping[str, Any]) -> str:
    """Return the Python that fits a model with changed parameters."""
    changed = clone(cast(Estimator, display.model)).set_params(**change, checkpoint=None, track=None)
    name = type(changed).__name__
    owner = f"narrows.{name}" if name in estimators.__all__ else f"narrows.estimator({changed.recipe.name!r})"
    return constructor_call(changed, "better").replace(f" = {name}(", f" = {owner}(", 1)


def _of_older_model(evaluation: Evaluation, display: Display) -> list[Finding]:
    """Return what the measures tell about a model that was saved without findings."""
    mse = evaluation.rows.get("mse")
    if mse is None or mse.pca is None:
        return []
    is_stochastic = display.model.model_.stochastic is not None
    n = display.model.model_.bottleneck.n_components
    return [compare_with_pca(mse.value / max(mse.pca, 1e-30), counted(n, "component"), "error", is_drawn=is_stochastic)]


def _columns_predicted(display: Display) -> Finding:
    """Say how many columns are predicted better than by their most frequent level or their mean."""
    assert display.view is not None
    qualities = [quality for quality in display.view.quality if not np.isnan(quality.value)]
    n, better = len(qualities), sum(quality.skill > 0 for quality in qualities)
    more = "" if better == n else " The others have little to do with the rest of the row, or need a longer training."
    message = f"{better} of {n} columns are predicted better from the others than by their mean or most frequent level."
    return Finding("columns_predicted", better > 0, message + more, {})


def _memory(closer: float) -> Finding:
    """Say whether new rows are copies of training rows."""
    is_well = closer < MEMORY
    more = "" if is_well else " Do not pass them on as anonymous. More data or a shorter training would help."
    message = f"{percent(closer)} of the new rows are nearer to a training row than to a held-out row; 50% is chance."
    return Finding("memory", is_well, f"{message}{more}", {})


def _seen(display: Display) -> str:
    """Say whether the examples of the page are among those of the training."""
    model = cast(Estimator, display.model)
    said = say_seen(getattr(model, "seen_rows_", None), model.check(display.inspection.X), display.noun)
    is_seen = "are among those" in said
    return f"{said} So the measures of this page are better than those of new ones." if is_seen else said


def _as_code(message: str) -> str:
    """Return a message as HTML in which `names` and values such as beta=0.25 are code."""
    marked = re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(message))
    return re.sub(r"(Try|set) (\w+=.+)\.$", r"\1 <code>\2</code>.", marked)
