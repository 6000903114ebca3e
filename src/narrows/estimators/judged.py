"""The findings of an estimator: kept after each training, and printed after `fit`."""

from __future__ import annotations

from typing import Any, cast

import numpy as np

from narrows.estimators.findings import advise, beside_verdict, judge, say_verdict
from narrows.estimators.summary import Summary
from narrows.fitted import FittedModel
from narrows.training import Result
from narrows.training.parallel import join
from narrows.training.progress import Reporter
from narrows.types import Finding


class Judged:
    """Mixin: the findings of an estimator, and the verdict that they come to.

    Attributes
    ----------
    says_findings : True if `fit` prints the verdict where `verbose` is above 0; False if its caller does.
    """

    findings_: list[Finding]
    n_threshold_: int
    device: str
    verbose: Any
    says_findings = True

    @property
    def verdict_(self) -> str:
        """The verdict in one sentence; empty for a model that an older narrows saved."""
        return say_verdict(self.findings_)

    def _judge(self, rows: np.ndarray, result: Result, summary: Summary) -> None:
        """Keep the findings about the model that was trained on `rows`."""
        threshold = summary.threshold
        self.n_threshold_ = threshold.share.n if threshold.is_held_out else 0
        self.findings_ = judge(cast(FittedModel, self), rows, result, summary)

    def _say_findings(self) -> None:
        """Print the verdict and what mends what is not well, if the parameter `verbose` asks for it."""
        if not self.says_findings or join(self.device).rank > 0:
            return
        reporter = Reporter(self.verbose, type(self).__name__)
        verdict = say_verdict(self.findings_, is_counted=False)
        for line in (verdict, *(f"- {advise(finding)}" for finding in beside_verdict(self.findings_))):
            reporter.note(line)
