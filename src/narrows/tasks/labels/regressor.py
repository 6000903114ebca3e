"""`Regressor`: numbers for examples, learned from all examples and few known numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.linear_model import RidgeCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from narrows.bottlenecks import RegressionHead
from narrows.tasks.labels.base import SemiSupervisedModel
from narrows.tasks.labels.graph import ALPHAS


class Regressor(RegressorMixin, SemiSupervisedModel):
    """Regression from few known numbers and all examples.

    The probe is a ridge regression on the codes. "spread" adds its residuals, spread from the known numbers to the
    others. "fine-tune" trains the encoder on numbers of mean 0 and standard deviation 1; for unknown numbers it takes
    those from "spread".

    Parameters
    ----------
    encoder, n_neighbors, random_state : as in `Classifier`.
    method : "probe", "spread" or "fine-tune"; "auto" is "spread" if some numbers are unknown, else "probe".

    Attributes
    ----------
    encoder_ : the fitted encoder.
    method_ : str, the method that was used.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> from narrows.tasks import Regressor
    >>> X = np.random.default_rng(0).normal(size=(200, 4))
    >>> y = X @ [1.0, 2.0, 0.0, 0.0]
    >>> y_known = np.where(np.arange(200) < 100, y, np.nan)  # NaN: not known
    >>> float(Regressor(AE(4, hidden=(), random_state=0)).fit(X, y_known).score(X[100:], y[100:])) > 0.9
    True
    """

    def fit(self, X: Any, y: Any) -> Regressor:
        """Fit the model.

        Parameters
        ----------
        X : n examples, as the estimators of narrows take them.
        y : (n,) numbers, with NaN for an unknown one.

        Raises
        ------
        ValueError
            If a parameter is outside its range, or if `y` has another length than X, fewer than two known numbers,
            words, or infinite numbers.
        TypeError
            If `encoder` is not an estimator of narrows.
        """
        column = self._column(y, self._start_fit(X, y), "number")
        try:
            numbers = column.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"y passed to {type(self).__name__} must hold numbers.") from error
        known = ~np.isnan(numbers)
        self._check_known(known)
        codes = self._encode_training(X, known)
        self.probe_ = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 3, 13))).fit(codes[known], numbers[known])
        if self.method_ == "spread" or (self.method_ == "fine-tune" and not known.all()):
            self.graph_ = self._build_graph(codes)
            residuals = np.where(known, numbers - self.probe_.predict(codes), 0.0)
            # residuals and the indicator of known numbers spread in the same way: their ratio is a mean over known
            # neighbours, and near 0 where there are few of them
            spread = self.graph_.spread(np.stack([residuals, known.astype(float)], 1), ALPHAS[0])
            self.spread_ = spread[:, :1] / (spread[:, 1:] + (1 - ALPHAS[0]))
        if self.method_ == "fine-tune":
            if not known.all():
                numbers = np.where(known, numbers, self.probe_.predict(codes) + self.spread_[:, 0])
            self.mean_, self.scale_ = float(numbers.mean()), float(numbers.std()) or 1.0
            self._fine_tune(X, ((numbers - self.mean_) / self.scale_).astype(np.float32), RegressionHead)
        return self

    def predict(self, X: Any) -> np.ndarray:
        """Return a number for each example of X: (n,), in the unit of `y`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X is not like the examples of the fit.
        """
        check_is_fitted(self)
        if self.method_ == "fine-tune":
            return self.mean_ + self.scale_ * self._apply_head(RegressionHead.estimates, X).numpy()
        codes = self._codes(X)
        numbers = self.probe_.predict(codes)
        if self.method_ == "spread":
            points = self._graph_points(codes)
            numbers = numbers + self.graph_.interpolate(points, self.spread_, self.n_neighbors)[:, 0]
        return numbers

    def _method_names(self) -> tuple[str, ...]:
        return "probe", "spread", "fine-tune"
