"""What a notebook shows of an estimator, and what a user is warned of after a training."""

from __future__ import annotations

import sys
from typing import Any, cast

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import _is_fitted

from narrows.fitted import FittedModel
from narrows.plots.html import KeptExamples, draw_model, keep_examples
from narrows.training.session import is_called_by_user, warn_user

_GRAVE = ("diverged", "pca", "unused_components")  # findings that make a model useless, or a simpler one better


class Displayed:
    """Mixin: a fitted estimator as a notebook shows it. One that is not fitted has scikit-learn's diagram.

    It shows eight examples, held-out ones if there are any. They are kept in memory alone: no saved model and no pickle
    holds rows of the data.
    """

    _kept: KeptExamples

    def _keep(self, rows: np.ndarray, held_out: np.ndarray) -> None:
        """Keep a few of the training rows to show, of those numbered `held_out` if there are any."""
        self._kept = keep_examples(rows, held_out)

    def _repr_html_inner(self) -> str:
        return self._draw_html() if _is_fitted(self) else str(super()._repr_html_inner())  # type: ignore[misc]

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)  # type: ignore[misc]
        if "text/html" in bundle and _is_fitted(self):
            bundle["text/html"] = self._draw_html()
        return bundle

    def _draw_html(self) -> str:
        model = cast(Any, self)
        doubts_first = sorted(model.findings_, key=lambda finding: finding.is_well)  # the verdict names the first one
        return draw_model(model, model.verdict_, doubts_first[1:], getattr(self, "_kept", None))


def warn_of_findings(model: FittedModel) -> None:
    """Warn of grave findings, if the user called `fit` and it has not printed them.

    Work of narrows that fits a model tells of them itself.
    """
    if model.get_params(deep=False)["verbose"] not in ("auto", 0) or not is_called_by_user(sys._getframe(1)):
        return
    for finding in model.findings_:
        # a stochastic code costs accuracy: its model is not meant to reconstruct as well as PCA
        is_expected = finding.name == "pca" and model.model_.bottleneck.is_stochastic
        if finding.name in _GRAVE and not finding.is_well and not is_expected:
            advice = f" Try {finding.setting}." if finding.setting else ""
            warn_user(f"{type(model).__name__}: {finding.message}{advice}", ConvergenceWarning)
