"""What commands print: tables for people, one JSON document for machines."""

from __future__ import annotations

import itertools
import json as json_module
import math
import re
import shlex
from collections.abc import Container, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from narrows.cli.app import say
from narrows.cli.inputs import unfinished_noted

if TYPE_CHECKING:
    from rich.console import Console

    from narrows.estimators import Estimator
    from narrows.evaluation import Evaluation
    from narrows.params import Parameter

_CHOICE = re.compile(r"(\w+) = ([^:]+): (.*)", re.DOTALL)  # a line of `report_`, as `narrows.training.Choice` prints


def stderr() -> Console:
    """For people."""
    from rich.console import Console

    return Console(stderr=True)


def show_json(document: Any) -> None:
    """One JSON document on stdout; what is not finite becomes null."""
    print(json_module.dumps(_plain(document), indent=2))


def show_fit(model: Estimator, out: Path, data: str, *, json: bool) -> None:
    """What came of a training, what was decided and why, and what to try next."""
    last = model.history_[-1] if model.history_ else {}
    if json:
        found = {"recipe": model.recipe.name, "folder": str(out), "n_iter": model.n_iter_}
        show_json({**found, "seconds": last.get("seconds"), "last": last, "report": model.report_})
        return
    print(f"{out}: {model.recipe.name}, {model.n_iter_} epochs in {last.get('seconds', 0.0):.0f} s{_losses(last)}")
    _show_report(model.report_)
    say("\nTry next:\n" + "\n".join(f"  narrows {words}" for words in _next(model, out, data)))


def show_evaluation(found: Evaluation, *, json: bool) -> None:
    """Measures by name, with their intervals."""
    if json:
        intervals = {name: (row.low, row.high) for name, row in found.rows.items() if not math.isnan(row.low)}
        show_json({**found.to_dict(), "intervals": intervals, "not_here": found.missing})
    else:
        cells = found.cells()
        _table(cells, right=range(1, len(cells[0]) - 1), header=True)
        say("\n".join(found.reasons()))


def about(folder: Path) -> dict[str, Any]:
    """What recipe.json says of the model in `folder`, and which parameters differ from the defaults."""
    from narrows import storage
    from narrows.data import Schema
    from narrows.tasks.loading import KINDS, OutlierDetector

    with unfinished_noted(folder):
        recipe = storage.describe(folder)
    fitted, known, history = recipe["fitted"], _known(recipe["recipe"]), recipe["fitted"].get("history_")
    if KINDS.get(recipe["recipe"]) is OutlierDetector:
        data, unit = f"{fitted['n_features_in_']} numbers a row", "steps"
        report = [
            f"threshold = {fitted['offset_']:.4g}: as of contamination",
            f"trimmed = {fitted['trimmed_']:.1%}: of the rows, too strange to learn from",
        ]
    else:
        data, unit, report = Schema.from_dict(recipe["schema"]).describe(), "epochs", fitted["report_"]
    changed = {
        name: value
        for name, value in recipe["parameters"].items()
        if name not in known or _plain(known[name].default) != _plain(value)
    }
    return {
        "folder": str(folder),
        "recipe": recipe["recipe"],
        "narrows": recipe["narrows"],
        "data": data,
        "n_iter": fitted["n_iter_"],
        "unit": unit,
        "changed": changed,
        "parameters": recipe["parameters"],
        "schema": recipe["schema"],
        "report": report,
        "last": history[-1] if history else {},
    }


def _known(recipe: str) -> dict[str, Parameter]:
    """The parameters of what that recipe makes."""
    from narrows.estimators import estimator
    from narrows.params import parameters
    from narrows.tasks.loading import KINDS

    return parameters(KINDS[recipe].__init__) if recipe in KINDS else estimator(recipe).parameters()


def show_info(found: dict[str, Any], *, json: bool) -> None:
    """What `about` found."""
    if json:
        show_json(found)
        return
    print(f"{found['folder']}: {found['recipe']} for {found['data']}, made by narrows {found['narrows']}")
    print(f"{found['n_iter']} {found['unit']}{_losses(found['last'])}")
    print("\nParameters that differ from the defaults")
    _table([(f"  {name}", json_module.dumps(value)) for name, value in found["changed"].items()] or [("  none",)])
    print("\nDecided, and why")
    _show_report(found["report"], indent="  ")


def show_recipes(*, json: bool) -> None:
    """All recipes."""
    from narrows.recipes import available

    found = {recipe.name: recipe.summary for recipe in available().values()}
    if json:
        show_json([{"name": name, "summary": summary} for name, summary in found.items()])
    else:
        _table(found.items())


def show_parameters(name: str, *, json: bool) -> None:
    """The parameters of a recipe: default, what each must be, and what it does."""
    from narrows.estimators import estimator

    cls = estimator(name)
    found = [
        {"name": p.name, "default": p.default, "must_be": p.rule.describe() if p.rule else "anything", "help": p.help}
        for p in cls.parameters().values()
        if p.name != "checkpoint"
    ]
    if json:
        show_json({"name": name, "summary": cls.recipe.summary, "parameters": found})
        return
    print(cls.recipe.summary)
    rows = [(p["name"], json_module.dumps(_plain(p["default"])), f"{p['help']}; {p['must_be']}") for p in found]
    _table([("parameter", "default", "what it is; what it must be"), *rows], header=True)


def show_datasets(*, json: bool) -> None:
    """All named data sets."""
    from narrows.data import named

    found: list[dict[str, Any]] = []
    for one in named.NAMES.values():
        folder = named.find(one.name)
        where = f"in {folder}" if folder else f"fetched when first used, from {one.url}. {one.hint}".rstrip()
        sizes = {"n_train": one.n_train, "n_test": one.n_test, "shape": one.shape}
        where = where if one.files else "part of scikit-learn"
        found.append({"name": one.name, "summary": one.summary, **sizes, "where": where, "licence": one.licence})
    if json:
        show_json(found)
    else:
        size = "{n_train:,} examples to train on, {n_test:,} to test"
        _table([(d["name"], f"{d['summary']}\n{size.format(**d)}\n{d['where']}") for d in found])


def _show_report(report: list[str], indent: str = "") -> None:
    """Lines of 'name = value: reason' as a table, others as they are."""
    for is_choice, lines in itertools.groupby(report, lambda line: _CHOICE.fullmatch(line) is not None):
        if is_choice:
            _table([(indent + name, value, why) for name, value, why in (_CHOICE.findall(line)[0] for line in lines)])
        else:
            print("\n".join(indent + line for line in lines))


def _next(model: Estimator, out: Path, data: str) -> list[str]:
    """Commands to try on a model that was just fitted."""
    image = model.schema_.kind == "image"
    kind, folder, on = "png" if image else "csv", shlex.quote(str(out)), shlex.quote(data)
    third = f"encode {folder} {on} -o codes.csv"
    if model.recipe.name == "dae":
        third = f"denoise {folder} {on} --noise 0.3 -o clean.{kind}"
    elif model.model_.stochastic is not None:
        third = f"traverse {folder} -o dials.png" if image else f"sample {folder} -o samples.csv"
    return [f"evaluate {folder} {on}", f"reconstruct {folder} {on} -o reconstructed.{kind}", third]


def _losses(last: dict[str, Any]) -> str:
    words = [f"{name} {last[name]:.5g}" for name in ("loss", "valid_loss") if isinstance(last.get(name), float)]
    return f"; {', '.join(words)} nats per example" if words else ""


def _table(rows: Iterable[Sequence[str]], *, right: Container[int] = (), header: bool = False) -> None:
    """Columns that align; the last one is broken into lines where it is too long."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(box=None, show_header=False, pad_edge=False)
    widest = max((len(row) for row in rows), default=0)
    for i in range(widest):
        table.add_column(justify="right" if i in right else "left", no_wrap=i == 0 or i in right, overflow="fold")
    for i, row in enumerate(rows):
        table.add_row(*map(Text, row), style="bold" if header and i == 0 else None)
    if rows:
        Console(highlight=False).print(table)


def _plain(value: Any) -> Any:
    """`value` as JSON can have it."""
    if isinstance(value, dict):
        return {str(name): _plain(v) for name, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)
