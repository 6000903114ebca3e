"""Scores of examples and of their entries, and the decision which examples are outliers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import numpy as np

from narrows.data import target_of
from narrows.estimators.inference import Inference
from narrows.evaluation.scores import entry_scores
from narrows.fitted import FittedModel, check_no_targets


class Scoring(Inference):
    """Abstract: the scores of a fitted model, in nats. Missing entries are left out of them."""

    _score_targets: Callable[[Any, Any], float]

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the log-likelihood of each example in nats: (n,). Usual examples have high values.

        For a stochastic code it is the ELBO (for a conditional model, of x and its likeliest label). For other codes it
        is log p(x | z), where z is the code of x. It is the sum over the entries of an example that are there. For
        real-valued vectors and columns the density is in the units of X; for images, on the [0, 1] scale.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on, or holds values that the likelihood
            cannot score.
        """
        return self._apply("score_samples", self._as_source(X))

    def score(self, X: Any, y: Any = None) -> float:
        """Return the mean of `score_samples(X)`, in nats. `y` is ignored. Raises as `score_samples` does.

        Of a model that was fitted with targets Y, it is the mean of log p(y | x) for `y` = Y.
        """
        if target_of(self.schema_) is not self.schema_:
            return self._score_targets(X, y)
        return float(self.score_samples(X).mean())

    def score_entries(self, X: Any) -> Any:
        """Return log p(x | z) of each cell or pixel at the example's own code z, in nats. Low values are unusual.

        The sum over an example is `score_samples`, except for stochastic codes and conditional models: these have
        further terms. The density is in the same units.

        Parameters
        ----------
        X : examples, (n, ...).

        Returns
        -------
        For a data frame, a frame of the same library, with the index of X and a column of numbers for each column that
        the model sees; for dicts, a list of dicts. Otherwise an array in the form of X, float64. NaN where an entry is
        missing, or the model does not see its column.

        Raises
        ------
        ValueError, TypeError
            As `score_samples` does.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import AE
        >>> X = np.random.default_rng(0).normal(size=(300, 5))
        >>> model = AE(2, hidden=(8,), max_epochs=1).fit(X)
        >>> model.score_entries(X).shape
        (300, 5)
        """
        rows = self.check(X)
        check_no_targets(cast(FittedModel, self), "score_entries")
        self._check_support(rows)
        scores = self.schema_.as_user_axes(entry_scores(cast(FittedModel, self), rows))
        return scores if self.schema_.table is None else self.schema_.table.as_numbers(scores, like=X)

    def decision_function(self, X: Any) -> np.ndarray:
        """Return the score of each example less the threshold `offset_`: (n,), in nats, below 0 for outliers.

        A missing entry adds what is usual for its column (`usual_scores_`) to `score_samples`, so that examples with
        many gaps are neither usual nor unusual for that reason. Raises as `score_samples` does.
        """
        return self._apply("decision_function", self._as_source(X))

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for usual examples and -1 for outliers: (n,). Raises as `score_samples` does."""
        return np.where(self.decision_function(X) >= 0, 1, -1)
