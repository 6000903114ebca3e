"""The model card: a README.md for people who find a saved model. It opens with the verdict."""

from __future__ import annotations

import json
from typing import Any

from narrows.estimators.findings import advise, beside_verdict, say_verdict
from narrows.fitted import FittedModel
from narrows.version import __version__


def card(estimator: FittedModel) -> str:
    """Return the model card of a fitted estimator, in Markdown."""
    last = estimator.history_[-1] if estimator.history_ else {}
    losses = "\n".join(f"- {k}: {v:.6g}" for k, v in last.items() if isinstance(v, float))
    decisions = "\n".join(f"- {line}" for line in estimator.report_)
    return (
        f"# {type(estimator).__name__}\n\n{_say_findings(estimator)}{estimator.recipe.summary}\n\n"
        f"Made by narrows {__version__}. Load it with\n\n"
        f'```python\nimport narrows\n\nmodel = narrows.load("FOLDER")\n```\n\n'
        f"{_say_source(estimator)}"
        f"## What was decided, and why\n\n{decisions}\n\n## Last losses, nats per example\n\n{losses}\n"
    )


def _say_source(estimator: FittedModel) -> str:
    """Return where the weights come from, the licence first; nothing for a model that narrows trained."""
    source: dict[str, Any] = dict(getattr(estimator, "source_", {}))
    if not source:
        return ""
    licence = source.pop("license", "not stated by the source")
    facts = [f"license: {licence}", *(f"{name}: {json.dumps(value)}" for name, value in sorted(source.items()))]
    return "\n".join(["## Where the weights come from", "", *(f"- {fact}" for fact in facts), "", ""])


def _say_findings(estimator: FittedModel) -> str:
    """Return the verdict and what could be changed; nothing for a model of an older narrows."""
    findings = estimator.findings_
    if not findings:
        return ""
    listed = [f"- {advise(finding)}" for finding in beside_verdict(findings)]
    return "\n".join([f"**{say_verdict(findings, is_counted=False)}**", "", *listed, *([""] if listed else []), ""])
