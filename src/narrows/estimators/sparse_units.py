"""What an estimator of sparse units has beside codes: which units are active, for which examples, and what for."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import as_sparse
from narrows.estimators.decoding import CodeEstimator
from narrows.estimators.predictive import PredictiveUnits, predictive_units
from narrows.estimators.sparse_codes import SPARSE_OUTPUT
from narrows.estimators.units import UnitSurvey, find_top_rows, survey_units
from narrows.fitted import FittedModel, check_no_targets
from narrows.params import Integer, Parameter


class UnitEstimator(CodeEstimator):
    """Abstract: an estimator whose code is the activations of sparse units, which its decoder adds up."""

    own_parameters = SPARSE_OUTPUT

    def active_units(self, X: Any) -> ActiveUnits:
        """Return which units are active for each example of X, and their counts and rates.

        Parameters
        ----------
        X : examples as for `stream`: an array, a path or an iterator. The active units of all of them are in memory.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        OSError, ImportError
            If a file cannot be read.
        """
        check_is_fitted(self)
        active = self.compute_sparse_codes(X)
        active.data = active.data > self._floor
        active.eliminate_zeros()
        rate = np.bincount(active.indices, minlength=active.shape[1]) / active.shape[0]
        return ActiveUnits(active, np.diff(active.indptr), rate, np.flatnonzero(rate == 0))

    def survey_units(self, X: Any, n: int = 10) -> UnitSurvey:
        """Return how often each unit is active, and for which examples most, in one pass over X.

        Parameters
        ----------
        X : examples, which may be larger than memory: an array, a memory map, a path or an iterator, as for `stream`.
        n : largest number of examples that are kept for each unit.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        OSError, ImportError
            If a file cannot be read.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import SAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = SAE(n_components=16, k=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
        >>> model.survey_units(X, n=3).rows.shape
        (16, 3)
        """
        check_is_fitted(self)
        return survey_units(self, X, n)

    def top_examples(self, X: Any, unit: int, n: int = 9) -> np.ndarray:
        """Return the rows of X for which a unit is most active, strongest first: at most `n` indices.

        For many units call `survey_units`, which encodes X once.

        Parameters
        ----------
        X : (m, ...) examples.
        unit : index of the unit, from 0 to n_components - 1.
        n : largest number of rows. Rows for which the unit is not active are not among them.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        check_is_fitted(self)
        Parameter("unit", 0, Integer(0, self.n_components - 1), "").check("top_examples", unit)
        Parameter("n", 9, Integer(1), "").check("top_examples", n)
        return find_top_rows(self, X, unit, n)

    def predictive_units(self, X: Any, y: Any, n: int = 10, *, random_state: int = 0) -> PredictiveUnits:
        """Return the units that predict y best, chosen on half of the examples and checked on the other half.

        Parameters
        ----------
        X : examples, as for `survey_units`; preferably ones that the model was not fitted on.
        y : (m,) target of each example: floats are a number to predict, integers, booleans and words are classes, each
            against all others.
        n : largest number of units for each class.
        random_state : an int; seed of the halves, and of the shuffled targets that show what chance would give.

        Raises
        ------
        ValueError, TypeError
            If X or y is not valid, or there are fewer than 20 examples.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import SAE
        >>> X = np.random.default_rng(0).normal(size=(300, 5))
        >>> model = SAE(n_components=16, k=2, max_epochs=30, random_state=0).fit(X)
        >>> found = model.predictive_units(X, X[:, 0] > 0, n=3)
        >>> bool(found.share_confirmed > found.by_chance)
        True
        """
        check_is_fitted(self)
        return predictive_units(self, X, y, n, random_state)

    def steer(self, X: Any, activations: Mapping[int, float]) -> np.ndarray:
        """Return X with some units set to given activations, and everything else kept: x + decode(z') - decode(z).

        z is the code of x, and z' the same with the new activations. What the dictionary does not reconstruct,
        x - decode(z), stays in the result, so that activations of a network are changed no more than necessary. With
        z' = z the result is X.

        Parameters
        ----------
        X : (n, ...) examples.
        activations : new activation of each unit that changes, in units of `transform`; 0 switches a unit off.

        Returns
        -------
        Examples in the units of X, (n, ...) floats. They are not clipped.

        Raises
        ------
        ValueError, TypeError
            If X or a unit is not valid, or the model was fitted to tables or with targets.

        Examples
        --------
        >>> import numpy as np
        >>> from narrows import SAE
        >>> X = np.random.default_rng(0).normal(size=(200, 5))
        >>> model = SAE(n_components=16, k=2, max_epochs=5, random_state=0).fit(X)
        >>> model.steer(X, {3: 2.5}).shape
        (200, 5)
        """
        check_is_fitted(self)
        check_no_targets(cast(FittedModel, self), "steer")
        if self.schema_.kind == "table":
            raise ValueError(
                f"{type(self).__name__}.steer needs a model of vectors or images: cells of tables have no sum of "
                "directions."
            )
        for unit in activations:
            Parameter("unit", 0, Integer(0, self.n_components - 1), "").check("steer", unit)
        units = list(activations)
        values = torch.tensor([float(activations[unit]) for unit in units])
        if not torch.isfinite(values).all():
            raise ValueError("The `activations` parameter of steer must hold finite numbers.")

        def edit(z: Tensor) -> Tensor:
            edited = z.clone()
            edited[:, units] = values.to(z)
            return edited

        rows, model = np.asarray(self.check(X)), self.module()
        exact = dataclasses.replace(self.schema_, dtype="float64")  # bytes would be rounded and clipped
        before, after = (
            exact.restore(self.apply(function, rows))
            for function in (model.reconstruct, lambda x: model.reconstruct(x, edit))
        )
        steered = rows + (after - before)
        return np.asarray(steered, dtype=rows.dtype if rows.dtype.kind == "f" else np.float32)

    @property
    def _floor(self) -> float:
        code = as_sparse(self.model_.bottleneck)
        assert code is not None
        return code.floor


class ActiveUnits:
    """Units that are active for given examples.

    Attributes
    ----------
    active : (n, L) booleans as a `scipy.sparse.csr_array`, True for a unit that is active.
    which : (n, L) the same as an array.
    count : (n,) number of active units of each example.
    rate : (L,) share of examples for which each unit is active.
    dead : indices of the units that are active for no example.
    """

    def __init__(self, active: Any, count: np.ndarray, rate: np.ndarray, dead: np.ndarray) -> None:
        self.active, self.count, self.rate, self.dead = active, count, rate, dead

    @property
    def which(self) -> np.ndarray:
        """The active units as an array (n, L), one byte each."""
        return np.asarray(self.active.toarray())

    def __repr__(self) -> str:
        return f"ActiveUnits({self.count.mean():.1f} of {len(self.rate)} units an example, {len(self.dead)} dead)"
