"""Sections of text and numbers: the training, measures, decisions, and advice."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from narrows.evaluation import Evaluation
from narrows.fitted import FittedModel
from narrows.plots import content, style
from narrows.plots.accessor import Plots
from narrows.plots.drawing import format_number
from narrows.report.page import Section, code_block, escape, table
from narrows.report.sections import chart

# measures of each component, which the section of the dials shows, and of each column of a table
_ELSEWHERE = re.compile(r"kl_\d+|(rmse|accuracy)_.*", re.DOTALL)
_CHOICE = re.compile(r"^(\w+) = (.*?)(?:: (.*))?$", re.DOTALL)


def constructor_call(model: FittedModel, name: str) -> str:
    """Return the Python that makes `model`, on one line."""
    return f"{name} = {' '.join(repr(model).split())}.fit(X)"


def training(models: Mapping[str, FittedModel]) -> Section:
    """Make the section of the losses on training and held-out rows, for each model by name."""
    figures = []
    for name, model in models.items():
        lines = content.loss_curves(model.history_)
        if not lines:
            continue
        last = ", ".join(f"{line} {format_number(losses[-1])}" for line, (_, losses) in lines.items())
        ax = Plots(model, style.detached_axes).curves()
        heading = f"<figcaption>{escape(name)}</figcaption>" if len(models) > 1 else ""
        drawn = chart(ax, f"{name}: loss by epoch, {last} at the end", f"curves-{name.lower()}")
        figures.append(f"<div>{heading}{drawn}</div>")
    body = (
        f'<div class="charts">{"".join(figures)}</div>'
        if figures
        else "<p>Training stopped before a loss was measured.</p>"
    )
    return Section(
        "training",
        "How it learned",
        "The loss of an example is measured in nats. Lower is better, and it can be below zero. The loss on held-out "
        "rows shows whether the model learns or memorises. Early stopping keeps the weights with the lowest held-out "
        "loss.",
        "model.plot.curves()  # pandas.DataFrame(model.history_) is a table of it",
        body,
    )


def comparison(rows: Sequence[Sequence[object]], head: Sequence[str], facts: Mapping[str, str]) -> Section:
    """Make the section with a table of measures, and the conditions of the measurement."""
    return Section(
        "numbers",
        "The numbers",
        "Everything here was measured when this page was made.",
        "",
        f"{table(head, rows, 'What was measured')}{fact_list(facts)}",
    )


def measures(evaluation: Evaluation, code: str) -> Section:
    """Make the section of all measures, with PCA for comparison, and the reasons for missing measures."""
    has_pca = any(row.pca is not None for row in evaluation.rows.values())
    pca = f"PCA has codes of the same size as the {evaluation.model}. " if has_pca else ""
    head, *rows = (row for row in evaluation.cells() if not _ELSEWHERE.fullmatch(row[0]))
    return Section(
        "numbers",
        "The numbers",
        f"Measured on these examples when this page was made. {pca}The 95 % intervals describe the variation between "
        "examples.",
        code,
        f'<div class="measures">{table(head, rows, "Measures of the model")}</div>'
        + "".join(f'<p class="note">{escape(reason)}</p>' for reason in evaluation.reasons()),
    )


def fact_list(facts: Mapping[str, str]) -> str:
    """Return facts by name as a list."""
    lines = "".join(f"<div><dt>{escape(name)}</dt><dd>{escape(value)}</dd></div>" for name, value in facts.items())
    return f'<dl class="facts">{lines}</dl>'


def decisions(models: Mapping[str, FittedModel], commands: str) -> Section:
    """Make the section of the decisions about each model, with their reasons, and of commands to try next."""
    blocks = []
    for i, (name, model) in enumerate(models.items()):
        lines = "".join(f"<li>{_decision(line)}</li>" for line in model.report_)
        blocks.append(
            f"<details{' open' if i == 0 else ''}><summary>{escape(name)}</summary><ul>{lines}</ul></details>"
        )
    return Section(
        "decisions",
        "What was decided, and why",
        "narrows chooses every setting that you leave open. It decides from the data, and records each decision.",
        "model.report_",
        f'<div class="decided">{"".join(blocks)}</div><h3 class="next">Commands to try next</h3>'
        f"{code_block(commands, 'shell')}",
    )


def choices(model: FittedModel) -> Section:
    """Make the section of the decisions about one model, as a table, and of the settings of its user."""
    rows, events = [], []
    for line in model.report_[1:]:
        choice = _CHOICE.match(line)
        if choice:
            rows.append((choice[1], choice[2], choice[3] or ""))
        else:
            events.append(f"<li>{escape(line)}</li>")
    defaults = {name: parameter.default for name, parameter in model.parameters().items()}
    changed = {name: value for name, value in model.get_params(deep=False).items() if value != defaults.get(name)}
    settings = {name: str(value) for name, value in changed.items() if name not in ("checkpoint", "verbose", "track")}
    data = model.report_[0] if model.report_ else model.schema_.describe()
    note = f'<p class="note">The data: {escape(data)}. {model.n_iter_} epochs of training.</p>'
    happened = f'<h3 class="next">What happened</h3><ul class="note">{"".join(events)}</ul>' if events else ""
    yours = f'<h3 class="next">What you set</h3>{fact_list(settings)}' if settings else ""
    return Section(
        "decisions",
        "What was decided, and why",
        "narrows chose every setting that was left open, from the data and the machine. You can set each by its name.",
        f"model.report_\n# {constructor_call(model, 'model')}",
        f"{note}{table(('setting', 'decision', 'reason'), rows, 'Decisions')}{happened}{yours}",
    )


def provenance(command: str, facts: Mapping[str, str]) -> Section:
    """Make the section of how this page was made."""
    return Section(
        "made",
        "How this page was made",
        "The same command with the same model and data makes the same page, except for the date and the times.",
        command,
        fact_list(facts),
        "shell" if command.startswith("narrows ") else "python",
    )


def _decision(line: str) -> str:
    """Return a line of `report_` with its name in bold: 'batch_size = 64: for 1,293 rows'."""
    name, colon, reason = line.partition(": ")
    return f"<b>{escape(name)}</b>: {escape(reason)}" if colon and " = " in name else escape(line)
