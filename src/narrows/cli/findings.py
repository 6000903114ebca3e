"""Print what is well about a model and what is not, with the options of `narrows fit` that mend it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from narrows.types import Finding

_OPTIONS = {"n_components": "--n-components", "max_epochs": "--max-epochs", "max_time": "--max-time"}
_OPTIONS |= {"max_levels": "--max-levels"}
_FOR_ONE_RUN = ("--resume", "--overwrite")


def as_options(change: Mapping[str, Any]) -> str:
    """Return parameters as options of `narrows fit`: '--max-time 3m --set hidden=64,32'."""
    return shlex.join(word for name, value in change.items() for word in _as_words(name, value))


def show_findings(findings: Sequence[Finding]) -> None:
    """Print the verdict, and a line for each finding that something could change."""
    from narrows.estimators.findings import advise, beside_verdict, say_verdict

    if not findings:
        return
    print(say_verdict(findings, as_options, is_counted=False))
    for finding in beside_verdict(findings):
        print(f"- {advise(finding, as_options)}")


def mending_command(arguments: Sequence[str], findings: Sequence[Finding]) -> str | None:
    """Return the arguments of `narrows fit`, changed so that what is not well is mended; None if all is well.

    Parameters
    ----------
    arguments : the command line of `narrows fit` without the program, as `sys.argv[1:]` has it.
    """
    from narrows.estimators.findings import all_changes

    change = all_changes(findings)
    if not change or list(arguments[:1]) != ["fit"]:  # not this program's own command line
        return None
    kept = _without(arguments, change)
    added = [word for name, value in change.items() for word in _as_words(name, value)]
    return shlex.join([*kept, *added, "--overwrite"])


def _as_words(name: str, value: Any) -> list[str]:
    """Return an option and its value."""
    text = _as_duration(value) if name == "max_time" and value is not None else _as_text(value)
    if name in _OPTIONS:
        return [_OPTIONS[name], text]
    return ["--set", f"{name}={text}"]


def _as_text(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return ",".join(map(_as_text, value)) if value else "()"
    if value is None or isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, float) else str(value)


def _as_duration(seconds: float) -> str:
    """Return seconds as `narrows fit --max-time` reads them: 90s, 3m, 1h."""
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds >= length and seconds % length == 0:
            return f"{seconds / length:g}{unit}"
    return f"{seconds:g}s"


def _without(arguments: Sequence[str], change: Mapping[str, Any]) -> list[str]:
    """Return the arguments without the options that `change` sets, and without those for one run only."""
    options = {_OPTIONS[name] for name in change if name in _OPTIONS}
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if word in _FOR_ONE_RUN:
            continue
        if name in options:
            if not equals:
                next(words, None)
            continue
        if name == "--set":
            assignment = value if equals else next(words, "")
            if assignment.partition("=")[0].strip().replace("-", "_") not in change:
                kept += ["--set", assignment]
            continue
        kept.append(word)
    return kept
