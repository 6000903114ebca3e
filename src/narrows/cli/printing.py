"""Print results: tables for people, one JSON document for machines."""

from __future__ import annotations

import itertools
import json as json_module
import math
import re
import shlex
import sys
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.cli.app import say
from narrows.cli.columns import summarize_columns
from narrows.cli.findings import mending_command, show_findings
from narrows.cli.inputs import note_unfinished
from narrows.cli.reading_options import reading_arguments
from narrows.params import counted

if TYPE_CHECKING:
    from rich.console import Console

    from narrows.estimators import Estimator
    from narrows.evaluation import Evaluation
    from narrows.params import Parameter

_CHOICE = re.compile(r"(\w+) = ([^:]+): (.*)", re.DOTALL)  # a line of `report_`, as `narrows.training.Choice` prints it


def stderr_console() -> Console:
    """Return a console on stderr."""
    from rich.console import Console

    return Console(stderr=True)


def show_json(document: Any) -> None:
    """Print one JSON document on stdout. Numbers that are not finite become null."""
    print(json_module.dumps(_to_json(document), indent=2))


def show_fit(model: Estimator, out: Path, data: str, *, json: bool, is_said: bool) -> None:
    """Print the result of a training, the columns, the decisions with their reasons, and commands to try next.

    `is_said` is True if the training has printed its own decisions: they are not printed again.
    """
    last = model.history_[-1] if model.history_ else {}
    if json:
        document = {"recipe": model.recipe.name, "folder": str(out), "n_iter": model.n_iter_}
        findings = [finding._asdict() for finding in model.findings_]
        document |= {"verdict": model.verdict_, "findings": findings, "seconds": last.get("seconds"), "last": last}
        show_json({**document, "report": model.report_})
        return
    epochs = counted(model.n_iter_, "epoch")
    print(f"{out}: {model.recipe.name}, {epochs} in {last.get('seconds', 0.0):.0f} s{_format_losses(last)}")
    show_findings(model.findings_)
    report = model.report_
    if is_said:
        start = next((i for i, line in enumerate(report) if line.startswith("device = ")), len(report))
        said = [line for line in report[start:] if _CHOICE.fullmatch(line) and not line.startswith("threshold = ")]
        report = [line for line in report if line not in said]
    print(report[0])
    for line in summarize_columns(model.schema_):
        print(f"  {line}")
    _show_report(report[1:])
    mending = mending_command(sys.argv[1:], model.findings_)
    if mending:
        say(f"\nMend it with:\n  narrows {mending}")
    say("\nTry next:\n" + "\n".join(f"  narrows {command}" for command in _next_commands(model, out, data)))


def show_studio(invitation: str, command: str) -> None:
    """Print the command that opens the studio as the last line, and before it what to install if something lacks."""
    from narrows.studio.serving import check_installed

    console = stderr_console()
    console.print(f"\n{invitation}\n", style="bold", highlight=False)
    try:
        check_installed()
    except ImportError:
        console.print(
            "  pip install 'narrows[studio]'", style="bold cyan", highlight=False, markup=False, soft_wrap=True
        )
    console.print(f"  {command}", style="bold cyan", highlight=False, markup=False, soft_wrap=True)


def show_evaluation(evaluation: Evaluation, *, json: bool) -> None:
    """Print measures by name, with their intervals."""
    if json:
        intervals = {name: (row.low, row.high) for name, row in evaluation.rows.items() if not math.isnan(row.low)}
        show_json({**evaluation.to_dict(), "intervals": intervals, "not_here": evaluation.missing})
    else:
        cells = evaluation.cells()
        print_table(cells, right=range(1, len(cells[0]) - 1), header=True)
        say("\n".join(evaluation.reasons()))


def describe_model(folder: Path) -> dict[str, Any]:
    """Return the contents of recipe.json in `folder`, with the parameters that differ from the defaults."""
    from narrows import storage
    from narrows.data import read_schema
    from narrows.estimators.findings import restore_finding, say_verdict
    from narrows.tasks.loading import KINDS, OutlierDetector

    with note_unfinished(folder):
        recipe = storage.describe(folder)
    fitted, declared, history = recipe["fitted"], _parameters_of(recipe["recipe"]), recipe["fitted"].get("history_")
    if KINDS.get(recipe["recipe"]) is OutlierDetector:
        data, unit = f"{fitted['n_features_in_']} numbers per row", "step"
        report = [
            f"threshold = {fitted['offset_']:.4g}: set by contamination",
            f"trimmed = {fitted['trimmed_']:.1%}: fraction of the rows, which were too strange to learn from",
        ]
    else:
        data, unit, report = read_schema(recipe["schema"]).describe(), "epoch", fitted["report_"]
    findings = [restore_finding(values) for values in fitted.get("findings_", [])]
    changed = {
        name: value
        for name, value in recipe["parameters"].items()
        if name not in declared or _to_json(declared[name].default) != _to_json(value)
    }
    return {
        "folder": str(folder),
        "recipe": recipe["recipe"],
        "narrows": recipe["narrows"],
        "data": data,
        "n_iter": fitted["n_iter_"],
        "unit": unit,
        "verdict": say_verdict(findings),
        "findings": [finding._asdict() for finding in findings],
        "changed": changed,
        "parameters": recipe["parameters"],
        "schema": recipe["schema"],
        "report": report,
        "last": history[-1] if history else {},
    }


def _parameters_of(recipe: str) -> dict[str, Parameter]:
    """Return the declared parameters of the model class of a recipe."""
    from narrows.estimators import estimator
    from narrows.params import parameters
    from narrows.tasks.loading import KINDS

    return parameters(KINDS[recipe].__init__) if recipe in KINDS else estimator(recipe).parameters()


def show_info(about: dict[str, Any], *, json: bool) -> None:
    """Print what `describe_model` returned."""
    from narrows.estimators.findings import restore_finding

    if json:
        show_json(about)
        return
    print(f"{about['folder']}: {about['recipe']} for {about['data']}, made by narrows {about['narrows']}")
    print(f"{counted(about['n_iter'], about['unit'])}{_format_losses(about['last'])}")
    show_findings([restore_finding(values) for values in about["findings"]])
    print("\nParameters that differ from the defaults")
    print_table([(f"  {name}", json_module.dumps(value)) for name, value in about["changed"].items()] or [("  none",)])
    print("\nDecisions, and why")
    _show_report(about["report"], indent="  ")


def show_recipes(*, json: bool) -> None:
    """Print all recipes, grouped by purpose."""
    from narrows.recipes import PURPOSES, available

    listed = list(available().values())
    if json:
        keys = ("name", "summary", "purpose", "paper")
        show_json([{key: getattr(recipe, key) for key in keys} for recipe in listed])
        return
    width = max(len(recipe.name) for recipe in listed)
    for purpose, group in itertools.groupby(listed, key=lambda recipe: recipe.purpose):
        print(f"\n{PURPOSES[purpose]}")
        print_table([(f"  {recipe.name:{width}}", recipe.summary) for recipe in group])
    print("\n`narrows recipes NAME` gives the parameters and the paper of one of them.")


def show_parameters(name: str, *, json: bool) -> None:
    """Print the parameters of a recipe: default, rule and help of each."""
    from narrows.estimators import estimator

    cls = estimator(name)
    parameters = [
        {"name": p.name, "default": p.default, "must_be": p.rule.describe() if p.rule else "anything", "help": p.help}
        for p in cls.parameters().values()
        if p.name != "checkpoint"
    ]
    if json:
        told = {"purpose": cls.recipe.purpose, "paper": cls.recipe.paper}
        show_json({"name": name, "summary": cls.recipe.summary, **told, "parameters": parameters})
        return
    print(cls.recipe.summary, *filter(None, [cls.recipe.paper]), "", sep="\n")
    rows = [(p["name"], json_module.dumps(_to_json(p["default"])), f"{p['help']}; {p['must_be']}") for p in parameters]
    print_table([("parameter", "default", "what it is; what it must be"), *rows], header=True)


def show_datasets(*, json: bool) -> None:
    """Print all named data sets."""
    from narrows.data import named

    datasets: list[dict[str, Any]] = []
    for entry in named.NAMES.values():
        folder = named.find(entry.name)
        where = f"in {folder}" if folder else f"downloaded when first used, from {entry.url}. {entry.hint}".rstrip()
        sizes = {"n_train": entry.n_train, "n_test": entry.n_test, "shape": entry.shape}
        where = where if entry.files else "part of scikit-learn"
        datasets.append(
            {"name": entry.name, "summary": entry.summary, **sizes, "where": where, "licence": entry.licence}
        )
    if json:
        show_json(datasets)
    else:
        size = "{n_train:,} examples to train on, {n_test:,} to test"
        print_table([(d["name"], f"{d['summary']}\n{size.format(**d)}\n{d['where']}") for d in datasets])


def _show_report(report: list[str], indent: str = "") -> None:
    """Print lines of 'name = value: reason' as a table, and other lines unchanged."""
    for is_choice, lines in itertools.groupby(report, lambda line: _CHOICE.fullmatch(line) is not None):
        if is_choice:
            print_table(
                [(indent + name, value, why) for name, value, why in (_CHOICE.findall(line)[0] for line in lines)]
            )
        else:
            print("\n".join(indent + line for line in lines))


def _next_commands(model: Estimator, out: Path, data: str) -> list[str]:
    """Return commands to try on a model that was just fitted."""
    image = model.schema_.kind == "image"
    kind = "png" if image else "csv" if model.schema_.takes_tokens else "npy"
    folder, on = shlex.quote(str(out)), shlex.quote(data) + reading_arguments()
    studio = f"studio {folder} {on}"
    if model.recipe.is_tabular:
        return [
            studio,
            f"impute {folder} {on} -o filled.csv",
            f"sample {folder} -o samples.csv",
            f"score {folder} {on} -o scores.csv",
        ]
    third = f"encode {folder} {on} -o codes.csv"
    if model.recipe.name == "dae":
        third = f"denoise {folder} {on} --noise 0.3 -o clean.{kind}"
    elif model.model_.stochastic is not None:
        third = f"traverse {folder} -o dials.png" if image else f"sample {folder} -o samples.csv"
    return [studio, f"evaluate {folder} {on}", f"reconstruct {folder} {on} -o reconstructed.{kind}", third]


def _format_losses(last: dict[str, Any]) -> str:
    losses = [f"{name} {last[name]:.5g}" for name in ("loss", "valid_loss") if isinstance(last.get(name), float)]
    return f"; {', '.join(losses)} nats per example" if losses else ""


def print_table(rows: Iterable[Sequence[str]], *, right: Container[int] = (), header: bool = False) -> None:
    """Print rows in aligned columns. Columns are wrapped if they are too long together."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(box=None, show_header=False, pad_edge=False)
    n_columns = max((len(row) for row in rows), default=0)
    for i in range(n_columns):
        table.add_column(justify="right" if i in right else "left", no_wrap=i == 0 or i in right, overflow="fold")
    for i, row in enumerate(rows):
        table.add_row(*map(Text, row), style="bold" if header and i == 0 else None)
    if rows:
        Console(highlight=False).print(table)


def _to_json(value: Any) -> Any:
    """Convert `value` to types that JSON has."""
    if isinstance(value, dict):
        return {str(name): _to_json(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_to_json(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
