"""Numbers for examples, learned from few of them and all examples."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from narrows.bottlenecks import RegressionHead
from narrows.tasks.labels.few import FromFew
from narrows.tasks.labels.graph import SPREADS


class Regressor(RegressorMixin, FromFew):
    """Numbers for examples, learned from few of them and all examples.

    The probe is a ridge regression on the codes, and what spreads is what it misses where the number is known. An
    encoder that is fine-tuned learns numbers on their own scale of mean 0 and standard deviation 1; where one is not
    known it learns what spread.

    Parameters
    ----------
    encoder, n_neighbors, random_state : as of `Classifier`.
    method : "probe", "spread" or "fine-tune"; "auto" spreads where examples without a number are given.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> from narrows.tasks import Regressor
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X @ [1.0, 2.0, 0.0, 0.0]
    >>> few = np.where(np.arange(200) < 100, y, np.nan)  # NaN: not known
    >>> float(Regressor(AE(4, hidden=(), random_state=0)).fit(X, few).score(X[100:], y[100:])) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> Regressor:
        """Learn from all of X, and from the numbers `y` (n,) that are known: NaN stands for one that is not.

        Raises
        ------
        ValueError
            If `y` is of another length or holds words or infinite numbers.
        """
        given = self._column(y, self._rows(X, y), "number")
        try:
            numbers = given.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y passed to {type(self).__name__} must hold numbers.") from error
        known = ~np.isnan(numbers)
        self._check_known(known)
        codes = self._begin(X, known)
        self.probe_ = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(codes[known], numbers[known])
        if self.method_ == "spread" or (self.method_ == "fine-tune" and not known.all()):
            self.graph_ = self._graph(codes)
            missed = np.where(known, numbers - self.probe_.predict(codes), 0.0)
            # beside what is missed flows how much is known of it: the ratio is a mean over known neighbours, drawn to 0
            # where they are few
            flowed = self.graph_.spread(np.stack([missed, known.astype(float)], 1), SPREADS[0])
            self.spread_ = flowed[:, :1] / (flowed[:, 1:] + (1 - SPREADS[0]))
        if self.method_ == "fine-tune":
            if not known.all():
                numbers = np.where(known, numbers, self.probe_.predict(codes) + self.spread_[:, 0])
            self.mean_, self.scale_ = float(numbers.mean()), float(numbers.std()) or 1.0
            self._fine_tune(X, ((numbers - self.mean_) / self.scale_).astype(np.float32), RegressionHead)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """A number for each example: (n,)."""
        check_is_fitted(self)
        if self.method_ == "fine-tune":
            return self.mean_ + self.scale_ * self._by_head(RegressionHead.estimates, X).numpy()
        codes = self._codes(X)
        found = self.probe_.predict(codes)
        if self.method_ == "spread":
            found = found + self.graph_.at(self._points(codes), self.spread_, self.n_neighbors)[:, 0]
        return found

    def _methods(self) -> tuple[str, ...]:
        return "probe", "spread", "fine-tune"
