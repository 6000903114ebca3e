"""What is well about a fitted model and what is not, each with the parameters that mend it: `findings_`.

A model is judged once, at the end of a training. The command line, the report, the model card and the studio show these
findings. docs/findings.md lists them all.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from narrows.data import n_features
from narrows.estimators.evidence import Evidence
from narrows.estimators.summary import Summary
from narrows.fitted import FittedModel
from narrows.params import counted, enumerate_names
from narrows.training import FEWEST_TO_TELL, Result
from narrows.types import Finding

Write = Callable[[Mapping[str, Any]], str]

_EQUAL, _EQUAL_IF_DRAWN = 1.01, 1.1  # ratios to PCA's error that count as equal; noise in a code costs some of it
_MOST_DEAD, _FEW_DEAD = 0.1, 2  # share and number of dead units that a sparse code may have
_MOST_RARE = 0.05  # share of a column's cells that may be in one level, `other`
_LITTLE, _MUCH = 0.01, 0.05  # falls of the held-out loss at the end, in nats per entry
_LONGER = {"max_epochs": 4, "max_time": 3}  # factors of a longer training
_LOWEST_BETA = 0.01
_COMMON_RATE, _HIGH_RATE = 1e-3, 0.05  # learning rates: the automatic one, and one at which nothing is learned
_FEWEST_HELD_OUT = 20
_SHARE_OF_ROWS = 0.5  # largest share of the rows that is worth holding out


def judge(estimator: FittedModel, rows: Any, result: Result, summary: Summary) -> list[Finding]:
    """Return the findings about a model that was trained on `rows`, the gravest kind first.

    Parameters
    ----------
    rows : rows of the training, in the user's units.
    result, summary : result of the training, and summary of the codes and scores.
    """
    evidence = Evidence(estimator, rows, result, summary)
    found = (find(evidence) for find in FINDERS.values())
    return [finding for finding in found if finding is not None]


def judge_pairs(
    estimator: FittedModel, rows: Any, result: Result, summary: Summary, explained: float | None
) -> list[Finding]:
    """Return the findings about a model of targets. The parameters are as for `judge`.

    Parameters
    ----------
    explained : share of the variance of held-out targets that it explains; None if no rows were held out.
    """
    evidence, findings = Evidence(estimator, rows, result, summary), []
    if explained is not None:
        message = f"It explains {explained:.1%} of the variance of held-out targets."
        findings.append(Finding("targets", explained > 0, message, {} if explained > 0 else _longer(evidence)))
    found = (FINDERS[name](evidence) for name in ("diverged", "dead_units", "overfitting", "time", "held_out"))
    return [*findings, *(finding for finding in found if finding is not None)]


def as_arguments(change: Mapping[str, Any]) -> str:
    """Return parameters as they are written in Python: 'beta=0.25, hidden=(64, 32)'."""
    return ", ".join(f"{name}={value!r}" for name, value in change.items())


def say_verdict(findings: Sequence[Finding], write: Write = as_arguments, *, is_counted: bool = True) -> str:
    """Return whether a model is well, and the first reason. It is empty without findings.

    Parameters
    ----------
    write : function that writes parameters, by name, for a reader.
    is_counted : True to say how many further points are not well.
    """
    if not findings:
        return ""
    doubts = [finding for finding in findings if not finding.is_well]
    if not doubts:
        reason = next((finding for finding in findings if finding.name in _BEST_REASONS), findings[0])
        return f"It is well: {_continue(reason.message)}"
    n = len(doubts) - 1
    more = f" {n} more {'point' if n == 1 else 'points'} to look at." if n and is_counted else ""
    return f"Not yet: {_continue(advise(doubts[0], write))}{more}"


def advise(finding: Finding, write: Write = as_arguments) -> str:
    """Return the message of a finding with the parameters that mend it, or that would make a good model better."""
    if not finding.change:
        return finding.message
    return f"{finding.message} {'You could set' if finding.is_well else 'Try'} {write(finding.change)}."


def beside_verdict(findings: Sequence[Finding]) -> list[Finding]:
    """Return what to look at beside what `say_verdict` says: further doubts, and changes that would help a little."""
    doubts = [finding for finding in findings if not finding.is_well]
    return doubts[1:] + [finding for finding in findings if finding.is_well and finding.change]


def all_changes(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the changes of all findings that are not well; where two set a parameter, the graver one does."""
    change: dict[str, Any] = {}
    for finding in findings:
        if not finding.is_well:
            change = {**finding.change, **change}
    return change


def restore_finding(values: dict[str, Any]) -> Finding:
    """Return a finding from JSON, in which tuples have become lists."""
    change = {name: tuple(value) if isinstance(value, list) else value for name, value in values["change"].items()}
    return Finding(**{**values, "change": change})


def _continue(message: str) -> str:
    """Return a message as it follows a colon."""
    return message[:1].lower() + message[1:]


# ---------------------------------------------------------------------------------------------- the training


def _diverged(evidence: Evidence) -> Finding | None:
    n = evidence.result.n_recoveries
    if not n:
        return None
    rate = min(float(f"{evidence.result.learning_rate * 0.5**n:.2g}"), _COMMON_RATE)
    times = "once" if n == 1 else f"{n} times"
    message = f"The loss was not finite {times}. The training went back to earlier weights, at a lower learning rate."
    return Finding("diverged", False, message, {"learning_rate": rate})


def _overfitting(evidence: Evidence) -> Finding | None:
    if len(evidence.result.history) < FEWEST_TO_TELL or not len(evidence.result.held_out):
        return None
    epoch, change = evidence.best_epoch, {"hidden": "auto"} if evidence.is_wide else {}
    if evidence.keeps_start:
        n = counted(evidence.result.n_epochs, "epoch")
        message = f"The linear model of the start, PCA, is kept: the networks did not lower its held-out loss in {n}."
        return Finding("overfitting", not change, message, change)
    if epoch is None:
        return Finding("overfitting", True, "It does not over-fit: the held-out loss did not rise again.", {})
    message = f"The held-out loss was lowest after epoch {epoch} and rose then. The weights of that time are kept."
    return Finding("overfitting", not change, message, change)


def _time(evidence: Evidence) -> Finding | None:
    end, fall = evidence.result.end, evidence.remaining_fall
    if end not in ("epochs", "time", "interrupt") or not len(evidence.result.held_out):
        return None
    budget = evidence.value("max_examples")
    is_limited = end != "epochs" or evidence.value("max_epochs") != "auto" or budget is not None  # by the user
    if evidence.is_past_best or (fall is not None and fall < (_LITTLE if is_limited else _MUCH)):
        return None
    n, seconds = evidence.result.n_epochs, evidence.value("max_time")
    epochs = counted(n, "epoch") if budget is None else counted(budget, "example")
    ends = {
        "epochs": f"after {epochs}, as many as were planned",
        "time": f"at its time limit of {seconds or 0:g} s, after {epochs}",
        "interrupt": f"after {epochs}, because it was stopped",
    }
    is_well, then = not is_limited, "too soon to tell whether the held-out loss still falls"
    if fall is not None:
        is_well = is_well or fall < _MUCH
        then = f"while the held-out loss still fell{' a little' if fall < _MUCH else ''}"
    return Finding("time", is_well, f"The training ended {ends[end]}, {then}.", _longer(evidence))


def _held_out(evidence: Evidence) -> Finding | None:
    n = len(evidence.rows)
    if len(evidence.result.held_out) or evidence.result.end == "pass":
        return None
    change: dict[str, Any] = {}
    if not evidence.value("early_stopping"):
        change = {"early_stopping": True}
    elif (share := _FEWEST_HELD_OUT / n) <= _SHARE_OF_ROWS:
        change = {"validation_fraction": math.ceil(100 * share) / 100}
    message = f"No rows were held out of {n:,}, so nothing tells how it does on new rows."
    return Finding("held_out", False, message, change)


# ---------------------------------------------------------------------------------------------- the model


def _pca(evidence: Evidence) -> Finding | None:
    if not evidence.has_reconstructions or evidence.estimator.model_.corruption.predicts_hidden:
        return None
    ratio, size = evidence.ratio_to_pca
    if size >= n_features(evidence.estimator.schema_):
        return None  # PCA with as many components as features copies the rows
    code = counted(size, "active unit" if evidence.is_sparse else "component")
    found = compare_with_pca(ratio, code, is_drawn=evidence.estimator.model_.stochastic is not None)
    return found if found.is_well else found._replace(change=_better_reconstruction(evidence))


def compare_with_pca(ratio: float, code: str, error: str = "held-out error", *, is_drawn: bool) -> Finding:
    """Return the finding about an error that is `ratio` times that of PCA with a code of the same size.

    Parameters
    ----------
    code, error : words for the size of the code, and for the error.
    is_drawn : True if the code is drawn from a posterior, whose noise costs some of the accuracy.
    """
    is_well = ratio <= (_EQUAL_IF_DRAWN if is_drawn else _EQUAL)
    return Finding("pca", is_well, f"Its {error} is {_say_ratio(ratio)} with {code}.", {})


def _prediction(evidence: Evidence) -> Finding | None:
    if not evidence.has_reconstructions or not evidence.estimator.model_.corruption.predicts_hidden:
        return None
    ratio = evidence.ratio_to_mean
    message = f"It predicts held-out cells from the others with {ratio:.2f} times the error of their columns' means."
    return Finding("prediction", ratio < 1, message, {} if ratio < 1 else _longer(evidence))


def _denoising(evidence: Evidence) -> Finding | None:
    ratio = evidence.noise_left
    if ratio is None:
        return None
    message = f"It takes away {1 - ratio:.0%} of the noise of held-out rows."
    if ratio >= 1:
        message = f"It leaves held-out rows with {ratio:.2f} times their noise."
    return Finding("denoising", ratio < 1, message, {} if ratio < 1 else _longer(evidence))


def _unused_components(evidence: Evidence) -> Finding | None:
    unused, n = evidence.summary.unused_components_, evidence.n_components
    if unused is None:
        return None
    if not unused:
        all_of_them = f"All {n} components carry" if n > 1 else "The component carries"
        return Finding("unused_components", True, f"{all_of_them} something.", {})
    message = f"{len(unused)} of {n} components carr{'ies' if len(unused) == 1 else 'y'} nothing."
    if len(unused) < n:
        return Finding("unused_components", True, message, {"n_components": n - len(unused)})
    return Finding("unused_components", False, message, _fuller_code(evidence))


def _dead_units(evidence: Evidence) -> Finding | None:
    n_dead, n, n_rows = evidence.summary.n_dead, evidence.n_components, len(evidence.summary.sample)
    if n_dead is None:
        return None
    is_well = n_dead <= max(_FEW_DEAD, _MOST_DEAD * n)
    verb = "is" if n_dead == 1 else "are"
    message = f"{n_dead} of {n} units {verb} active for none of {n_rows:,} training rows."
    return Finding("dead_units", is_well, message, {} if is_well else _livelier_code(evidence, n - n_dead))


def _outliers(evidence: Evidence) -> Finding | None:
    threshold = evidence.summary.threshold
    kind = "held-out" if threshold.is_held_out else "training"
    return Finding("outliers", True, f"{threshold.share} among {threshold.share.n:,} {kind} rows.", {})


# ---------------------------------------------------------------------------------------------- the data


def _columns(evidence: Evidence) -> Finding | None:
    schema = evidence.estimator.schema_
    left_out = () if schema.table is None else schema.table.left_out
    names = [f"{column.name!r} ({column.kind})" for column in left_out]
    names += [f"{schema.columns[i]!r}" if schema.columns else str(i) for i in schema.constant]
    if not names:
        return None
    message = f"It learns nothing from {counted(len(names), 'column')}: {enumerate_names(names)}."
    return Finding("columns", True, message, {})


def _rare_levels(evidence: Evidence) -> Finding | None:
    columns = evidence.estimator.schema_.used_columns if evidence.estimator.schema_.table is not None else ()
    rare = [(column.frequencies[-1], column) for column in columns if column.n_rare]
    if not rare:
        return None
    share, column = max(rare, key=lambda pair: pair[0])
    message = (
        f"{column.n_rare:,} rare values of {column.name!r} are one level, {share:.0%} of its cells, and come back as "
        "missing."
    )
    is_well = share <= _MOST_RARE
    return Finding("rare_levels", is_well, message, {} if is_well else {"max_levels": None})


FINDERS: dict[str, Callable[[Evidence], Finding | None]] = {
    "diverged": _diverged,
    "unused_components": _unused_components,
    "pca": _pca,
    "prediction": _prediction,
    "denoising": _denoising,
    "dead_units": _dead_units,
    "overfitting": _overfitting,
    "time": _time,
    "held_out": _held_out,
    "rare_levels": _rare_levels,
    "outliers": _outliers,
    "columns": _columns,
}
_BEST_REASONS = ("pca", "prediction", "denoising", "targets")  # what a model that is well is praised for


# ---------------------------------------------------------------------------------------------- what mends


def _longer(evidence: Evidence) -> dict[str, Any]:
    """Return a longer training, if the held-out loss may still fall."""
    end, fall, n = evidence.result.end, evidence.remaining_fall, evidence.result.n_epochs
    if evidence.is_past_best or (fall is not None and fall < _LITTLE):
        return {}
    if end == "time":
        return {"max_time": float(evidence.value("max_time")) * _LONGER["max_time"]}
    if end == "epochs" and (budget := evidence.value("max_examples")) is not None:
        return {"max_examples": budget * _LONGER["max_epochs"]}
    return {"max_epochs": n * _LONGER["max_epochs"]} if end == "epochs" else {}


def _better_reconstruction(evidence: Evidence) -> dict[str, Any]:
    """Return what lowers the error of reconstructions: the cause if one is known, otherwise a cheaper code."""
    if evidence.is_empty:
        return _fuller_code(evidence)
    if evidence.could_start_linear:
        return {"start": "pca"}
    if change := _common_rate(evidence) or _longer(evidence):
        return change
    if evidence.is_past_best and evidence.is_wide:
        return {"hidden": "auto"}
    return _lower_beta(evidence)


def _fuller_code(evidence: Evidence) -> dict[str, Any]:
    """Return what makes the components of a stochastic code carry something."""
    return _common_rate(evidence) or _lower_beta(evidence)


def _livelier_code(evidence: Evidence, n_alive: int) -> dict[str, Any]:
    """Return a code of as many units as live, of which as many are active for a row as now."""
    change = {"n_components": max(1, n_alive)}
    k = getattr(evidence.estimator.model_.bottleneck, "k", None)
    return {**change, "k": min(k, n_alive)} if k and evidence.has("k") else change


def _common_rate(evidence: Evidence) -> dict[str, Any]:
    """Return the automatic learning rate, if the user's is much too high."""
    rate = evidence.value("learning_rate")
    return {"learning_rate": "auto"} if rate != "auto" and rate > _HIGH_RATE else {}


def _lower_beta(evidence: Evidence) -> dict[str, Any]:
    """Return a smaller weight of the KL: 1, the ELBO's, or 1/4, 1/16, ..., at which the first principal axis is coded.

    An axis is coded if its variance exceeds beta times that of the noise: Lucas et al., Don't blame the ELBO! (2019),
    https://arxiv.org/abs/1911.02469. Half of that leaves room for further axes.
    """
    if not evidence.has("beta") or not evidence.value("beta"):
        return {}
    beta = lower = float(evidence.value("beta"))
    while lower == beta or (lower > evidence.signal / 2 and lower > _LOWEST_BETA):
        lower = 1.0 if lower > 1 else lower / 4
    return {"beta": lower}


def _say_ratio(ratio: float) -> str:
    """Return the ratio to PCA's error for people: '.62 of PCA's', "PCA's", '2.6 times PCA's'."""
    if abs(ratio - 1) < 0.005:
        return "PCA's"
    if ratio < 1:
        return f"{ratio:.2f} of PCA's".removeprefix("0")
    return f"{ratio:.3g} times PCA's" if ratio < 100 else "over 100 times PCA's"
