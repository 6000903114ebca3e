"""Sections with words and numbers: how a model learned, what was measured, what was decided, what to look at."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from narrows.estimators.base import Estimator
from narrows.evaluation import Evaluation
from narrows.plots import picks, style
from narrows.plots.accessor import Plots
from narrows.plots.drawing import number
from narrows.report.page import Section, listing, table, text
from narrows.report.sections import chart
from narrows.report.subject import Subject

_CHOICE = re.compile(r"^(\w+) = (.*?)(?:: (.*))?$", re.DOTALL)


class Finding(NamedTuple):
    """Something to know about a model: whether it is well, and what would change it."""

    well: bool
    words: str


def constructed(model: Estimator, name: str) -> str:
    """The Python that makes `model`, on one line."""
    return f"{name} = {' '.join(repr(model).split())}.fit(X)"


def training(models: Mapping[str, Estimator]) -> Section:
    """The loss on training and held-out rows, for each model by name."""
    charted = []
    for name, model in models.items():
        lines = picks.losses(model.history_)
        if not lines:
            continue
        last = ", ".join(f"{words} {number(losses[-1])}" for words, (_, losses) in lines.items())
        ax = Plots(model, style.own_axes).curves()
        heading = f"<figcaption>{text(name)}</figcaption>" if len(models) > 1 else ""
        drawn = chart(ax, f"{name}: loss by epoch, {last} at the end", f"curves-{name.lower()}")
        charted.append(f"<div>{heading}{drawn}</div>")
    shown = f'<div class="charts">{"".join(charted)}</div>' if charted else "<p>Stopped before its first look.</p>"
    return Section(
        "training",
        "How it learned",
        "The loss is how surprised the model is by an example, in nats; lower is better, and below zero is allowed. "
        "Held-out rows show whether it learns or memorises: the weights of the best look are kept.",
        "model.plot.curves()  # pandas.DataFrame(model.history_) is a table of it",
        shown,
    )


def comparison(rows: Sequence[Sequence[object]], head: Sequence[str], facts: Mapping[str, str]) -> Section:
    """A table of what was measured, and under what conditions."""
    return Section(
        "numbers",
        "The numbers",
        "Everything here was measured while this page was made.",
        "",
        f"{table(head, rows, 'What was measured')}{listed(facts)}",
    )


def evaluation(found: Evaluation, code: str) -> Section:
    """Everything that was measured, beside PCA, and why the rest is missing."""
    head, *rows = (row for row in found.cells() if not re.fullmatch(r"kl_\d+", row[0]))  # the dials say these
    return Section(
        "numbers",
        "The numbers",
        f"Measured on these examples while this page was made. PCA had as many numbers to spend as the {found.model}; "
        "95 % intervals are over examples.",
        code,
        f'<div class="measures">{table(head, rows, "Measures of the model")}</div>'
        + "".join(f'<p class="note">{text(reason)}</p>' for reason in found.reasons()),
    )


def listed(facts: Mapping[str, str]) -> str:
    """Facts by name."""
    lines = "".join(f"<div><dt>{text(name)}</dt><dd>{text(value)}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts">{lines}</dl>'


def decisions(models: Mapping[str, Estimator], commands: str) -> Section:
    """What was decided for each model and why, and how to go on."""
    blocks = []
    for i, (name, model) in enumerate(models.items()):
        told = "".join(f"<li>{_decision(line)}</li>" for line in model.report_)
        blocks.append(f"<details{' open' if i == 0 else ''}><summary>{text(name)}</summary><ul>{told}</ul></details>")
    return Section(
        "decisions",
        "What was decided, and why",
        "Whatever you leave open is decided by the data, and every model keeps a record of it. Then it is your turn.",
        "model.report_",
        f'<div class="decided">{"".join(blocks)}</div><h3 class="next">Go on from here</h3>{listing(commands)}',
    )


def choices(model: Estimator) -> Section:
    """What was decided for one model, as a table, and what its user asked for."""
    rows = []
    for line in model.report_:
        found = _CHOICE.match(line)
        if found:
            rows.append((found[1], found[2], found[3] or ""))
    defaults = {name: parameter.default for name, parameter in model.parameters().items()}
    asked = {name: value for name, value in model.get_params(deep=False).items() if value != defaults.get(name)}
    given = {name: str(value) for name, value in asked.items() if name not in ("checkpoint", "verbose", "track")}
    seen = model.report_[0] if model.report_ else model.schema_.describe()
    told = f'<p class="note">The data: {text(seen)}. {model.n_iter_} epochs of training.</p>'
    yours = f'<h3 class="next">What you asked for</h3>{listed(given)}' if given else ""
    return Section(
        "decisions",
        "What was decided, and why",
        "Whatever was left open was decided by the data and the machine; each can be set by name.",
        f"{constructed(model, 'model')}\nmodel.report_",
        f"{told}{table(('what', 'decided', 'because'), rows, 'Decisions')}{yours}",
    )


def findings(subject: Subject, found: Evaluation) -> list[Finding]:
    """What a look at the training, the code and the measures brings up."""
    model, made = subject.model, []
    for line in model.report_[1:]:
        if not _CHOICE.match(line):
            made.append(Finding(False, line))
    mse = found.rows.get("mse")
    if mse is not None and mse.pca is not None:
        better = mse.value < mse.pca
        words = f"It reconstructs {'better' if better else 'worse'} than PCA with as many numbers: {number(mse.value)} "
        more = "" if better else " Train longer (`max_epochs`), or widen `hidden`."
        made.append(Finding(better, f"{words}beside {number(mse.pca)}.{more}"))
    last = model.history_[-1] if model.history_ else {}
    if last.get("valid_loss") is not None and last.get("loss") is not None:
        gap = last["valid_loss"] - last["loss"]
        if gap < 0.1 * max(abs(last["loss"]), 1.0):
            made.append(Finding(True, f"Held-out rows cost {number(gap)} nats more than those trained on: it learned."))
        else:
            words = f"Held-out rows cost {number(gap)} nats more than those trained on: some of it is memory."
            made.append(Finding(False, f"{words} More data, a smaller `hidden` or a larger `weight_decay` would help."))
    if "active_components" in found.rows:
        n, active = subject.codes.shape[1], round(found.rows["active_components"].value)
        more = "" if active == n else " The rest could go (`n_components`)."
        made.append(Finding(active == n, f"{active} of {n} components are in use.{more}"))
    if "dead_fraction" in found.rows:
        dead = found.rows["dead_fraction"].value
        more = "" if dead < 0.1 else " A larger `k` or more `max_epochs` would wake some."
        made.append(Finding(dead < 0.1, f"{dead:.1%} of the units are active for none of these examples.{more}"))
    below, share = float((subject.scores < model.offset_).mean()), model.contamination
    share = 0.05 if share == "auto" else share
    usual = below < 2 * share + 2 * np.sqrt(share / len(subject.rows))
    words = f"{below:.1%} of these lie below the threshold for outliers; of the training rows {share:.1%} do."
    made.append(Finding(bool(usual), words + ("" if usual else " These examples differ from those trained on.")))
    return made


def diagnosis(subject: Subject, found: Evaluation) -> Section:
    """What is well and what is not, in words, with what would change it."""
    listed_ = "".join(
        f'<li class="{"well" if well else "look"}"><b>{"well" if well else "look"}</b><span>{_code(words)}</span></li>'
        for well, words in findings(subject, found)
    )
    return Section(
        "diagnosis",
        "Is it well?",
        "What a look at the training, the code and the measures brings up, with the parameter that changes it.",
        "model.report_",
        f'<ul class="findings">{listed_}</ul>',
    )


def made(command: str, facts: Mapping[str, str]) -> Section:
    """How this page was made, so that it can be made again."""
    return Section(
        "made",
        "How this page was made",
        "The same line over the same model and data gives the same page, but for the day and the times.",
        command,
        listed(facts),
    )


def _decision(line: str) -> str:
    """A line of `report_`, its name set apart: 'batch_size = 64: for 1,293 rows'."""
    name, colon, reason = line.partition(": ")
    return f"<b>{text(name)}</b>: {text(reason)}" if colon and " = " in name else text(line)


def _code(words: str) -> str:
    """Text in which `names` are code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", text(words))
