"""What is well about a fitted model and what is not, each with the parameters that mend it: `findings_`.

A model is judged once, at the end of `fit`. The command line, the report, the model card and the studio show these
findings and have none of their own about the training. docs/findings.md lists them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch

from narrows.bottlenecks import as_sparse
from narrows.data import spaced_indices
from narrows.estimators.summary import Summary
from narrows.estimators.threshold import select_scored
from narrows.evaluation.cells import example_errors
from narrows.evaluation.pca import pca_errors
from narrows.fitted import FittedModel
from narrows.training import Result, find_overfitting
from narrows.types import Finding

_PCA_NUMBERS, _PCA_ROWS = 1 << 22, (256, 10_000)  # numbers, and fewest and most rows, that PCA is fitted on
_TOLERANCE = 1.01  # ratio of the model's error to PCA's that still counts as equal


class Evidence(NamedTuple):
    """What a model is judged by.

    Attributes
    ----------
    estimator : the trained model.
    rows : rows of the training, in the user's units.
    result : result of the training.
    summary : summary of the model's codes and scores.
    """

    estimator: FittedModel
    rows: np.ndarray
    result: Result
    summary: Summary

    @property
    def n_components(self) -> int:
        """Number of components of a code."""
        return self.estimator.model_.bottleneck.n_components

    def has(self, parameter: str) -> bool:
        """Return True if the estimator has this parameter."""
        return parameter in self.estimator.parameters()


def judge(estimator: FittedModel, rows: np.ndarray, result: Result, summary: Summary) -> list[Finding]:
    """Return the findings about a model that was trained on `rows`, the gravest kind first."""
    evidence = Evidence(estimator, rows, result, summary)
    found = (find(evidence) for find in FINDERS.values())
    return [finding for finding in found if finding is not None]


def say_verdict(findings: Sequence[Finding]) -> str:
    """Return one sentence: whether a model is well, with the first reason; empty without findings."""
    doubts = [finding for finding in findings if not finding.is_well]
    if not doubts:
        return f"It is well. {findings[0].message}" if findings else ""
    first = doubts[0]
    advice = f" Try {first.setting}." if first.change else ""
    more = f" There {'is' if len(doubts) == 2 else 'are'} {len(doubts) - 1} more." if len(doubts) > 1 else ""
    return f"Not yet: {first.message}{advice}{more}"


def restore_finding(values: dict[str, Any]) -> Finding:
    """Return a finding from JSON, in which tuples have become lists."""
    change = {name: tuple(value) if isinstance(value, list) else value for name, value in values["change"].items()}
    return Finding(**{**values, "change": change})


# ---------------------------------------------------------------------------------------------- the findings


def _diverged(evidence: Evidence) -> Finding | None:
    n = evidence.result.n_recoveries
    if not n:
        return None
    rate = evidence.result.learning_rate * 0.5**n
    times = "once" if n == 1 else f"{n} times"
    message = f"The loss was not finite {times}; the training went back to earlier weights, at a lower learning rate."
    return Finding("diverged", False, message, {"learning_rate": float(f"{rate:.2g}")})


def _compare_with_pca(evidence: Evidence) -> Finding | None:
    estimator, rows, held_out = evidence.estimator, evidence.rows, evidence.result.held_out
    model, schema = estimator.model_, estimator.schema_
    if not model.decodes_codes or not len(held_out):
        return None
    measured = _prepare(evidence, select_scored(estimator, rows, held_out, evidence.summary.sample))
    learned = np.setdiff1d(np.arange(len(rows)), held_out)
    n = min(max(_PCA_NUMBERS // schema.n_entries, _PCA_ROWS[0]), _PCA_ROWS[1])
    train = _prepare(evidence, rows[learned[spaced_indices(len(learned), n)]])
    size = evidence.n_components
    if (sparse := as_sparse(model.bottleneck)) is not None:
        z = estimator.apply(model.encode, measured)
        size = max(1, round(float(sparse.fires(z).sum(1).double().mean())))
    error = float(example_errors(estimator.apply(model.reconstruct, measured), measured, schema).mean())
    (other,) = pca_errors(train, measured, schema, [size])
    components = "active units" if sparse is not None else "component" if size == 1 else "components"
    ratio = error / max(other, 1e-30)
    is_well = bool(ratio <= _TOLERANCE)
    message = f"Its held-out error is {_ratio(ratio)} of PCA's with {size} {components}."
    return Finding("pca", is_well, message, {})


def _unused_components(evidence: Evidence) -> Finding | None:
    unused, n = evidence.summary.unused_components_, evidence.n_components
    if unused is None:
        return None
    if not unused:
        return Finding("unused_components", True, f"All {n} components carry something.", {})
    message = f"{len(unused)} of {n} components carry nothing."
    if len(unused) < n:
        return Finding("unused_components", True, message, {"n_components": n - len(unused)})
    change = {"beta": evidence.estimator.get_params(deep=False)["beta"] / 4} if evidence.has("beta") else {}
    return Finding("unused_components", False, message, change)


def _dead_units(evidence: Evidence) -> Finding | None:
    n_dead, n, k = evidence.summary.n_dead, evidence.n_components, len(evidence.summary.sample)
    if n_dead is None:
        return None
    message = f"{n_dead} of {n} units are active for none of {k:,} rows."
    return Finding("dead_units", n_dead < 0.1 * n, message, {"n_components": n - n_dead} if n_dead else {})


def _overfitting(evidence: Evidence) -> Finding | None:
    epoch = find_overfitting(evidence.estimator.history_)
    if epoch is None:
        return None
    message = f"The held-out loss was lowest after epoch {epoch} and rose then. The weights of that epoch are kept."
    return Finding("overfitting", False, message, {})


def _held_out(evidence: Evidence) -> Finding | None:
    n, n_held_out = len(evidence.rows), len(evidence.result.held_out)
    if n_held_out:
        return None
    message = f"No rows were held out of {n:,}, so nothing tells how it does on new rows."
    return Finding("held_out", False, message, {})


def _time(evidence: Evidence) -> Finding | None:
    limit = evidence.estimator.get_params(deep=False)["max_time"]
    if evidence.result.end != "time" or limit is None:
        return None
    message = f"The training ended at its limit of {limit:g} s, before the held-out loss settled."
    return Finding("time", False, message, {"max_time": float(limit) * 3})


def _outliers(evidence: Evidence) -> Finding | None:
    threshold = evidence.summary.threshold
    kind = "held-out" if threshold.is_held_out else "training"
    share = threshold.share
    return Finding(
        "outliers",
        True,
        f"{share.expected:.1%} outliers expected, {share.found:.1%} found among {share.n:,} {kind} rows.",
        {},
    )


def _constant_columns(evidence: Evidence) -> Finding | None:
    n = len(evidence.estimator.schema_.constant)
    if not n:
        return None
    message = (
        f"{n} column does not vary and is held constant."
        if n == 1
        else f"{n} columns do not vary and are held constant."
    )
    return Finding("constant_columns", True, message, {})


FINDERS: dict[str, Callable[[Evidence], Finding | None]] = {
    "diverged": _diverged,
    "pca": _compare_with_pca,
    "unused_components": _unused_components,
    "dead_units": _dead_units,
    "overfitting": _overfitting,
    "held_out": _held_out,
    "time": _time,
    "outliers": _outliers,
    "constant_columns": _constant_columns,
}


def _prepare(evidence: Evidence, rows: np.ndarray) -> torch.Tensor:
    return evidence.estimator.schema_.prepare(torch.from_numpy(np.array(rows)))


def _ratio(ratio: float) -> str:
    """Return a ratio for people: .62."""
    return f"{ratio:.2f}".removeprefix("0")
