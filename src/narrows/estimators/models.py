"""AE, VAE, DAE and SAE, and the estimators of all other recipes."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows import recipes
from narrows.bottlenecks import as_sparse
from narrows.estimators import constructors
from narrows.estimators.base import Estimator
from narrows.estimators.decoding import CodeEstimator
from narrows.estimators.maps import MapAE
from narrows.estimators.predictive import PredictiveUnits, predictive_units
from narrows.estimators.selection import ConcreteAE
from narrows.estimators.sparse_codes import SPARSE_OUTPUT
from narrows.estimators.tables import TableAE
from narrows.estimators.units import UnitSurvey, find_top_rows, survey_units
from narrows.fitted import FittedModel, check_no_targets
from narrows.params import Integer, Parameter


class AE(constructors.AE, recipe="ae"):
    """The plain autoencoder: it compresses each example to a few numbers, its code, and restores the example from it.

    The training minimises the reconstruction error and nothing else. `transform` gives the codes, `inverse_transform`
    decodes codes, and `reconstruct` does both. `predict` marks outliers: examples that it reconstructs badly. With
    `hidden=()` the model is linear, and its codes span the same subspace as those of PCA.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> AE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit_transform(X).shape
    (200, 2)
    """


class VAE(constructors.VAE, recipe="vae"):
    """The variational autoencoder: draw new examples, vary one component of a code at a time, and score any example.

    The encoder gives a mean and a standard deviation for each component of the code. The code is drawn from them:
    z = mean + std * eps, eps ~ N(0, I). The loss is the negative ELBO: the negative log-likelihood of the example given
    z, plus the KL divergence of the code's distribution from the prior N(0, I). So codes drawn from N(0, I) decode to
    new examples that look like the training data.

    - `transform` gives the means, `score_samples` the ELBO of each example, and `predict` marks outliers.
    - `sample` draws new examples, `traverse` varies one component at a time, and `interpolate` goes from one example to
      another.
    - The fitted components are sorted by the nats that they carry, largest first: `components_kl_`. If some carry
      nothing, `unused_components_` lists them, and a smaller `n_components` is enough.
    - With `conditional=True` the decoder also gets the label of each example. Call `fit(X, y)`, then
      `sample(n, y=label)` draws examples with that label. Labels may be missing (NaN or None).

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import VAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = VAE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
    >>> model.sample(3).shape, model.traverse(n_steps=7).shape
    ((3, 5), (2, 7, 5))
    """


class DAE(constructors.DAE, recipe="dae"):
    """The denoising autoencoder: `denoise` removes noise from examples.

    Fit it to clean examples. The training adds noise to them (`noise`, `level`), and the model learns to restore them.
    With `n_components=None` there is no code, so that no detail is lost; for images the network is then a U-Net. With a
    number, `transform` gives codes that change little with noise.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import DAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> DAE(level=(0.1, 0.5), hidden=(32,), max_epochs=5, random_state=0).fit(X).denoise(X).shape
    (200, 5)
    """

    def denoise(self, X: Any) -> Any:
        """Return X without its noise, in the form and the units of X. It is the same as `reconstruct(X)`.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        return self.reconstruct(X)


class SAE(constructors.SAE, recipe="sae"):
    """The sparse autoencoder: of its many units only a few are active for one example.

    The decoder is a dictionary: the output is the sum of the active units' directions, each times its activation. So a
    unit stands for one kind of pattern, and can be inspected. `active_units` tells which units are active for each
    example, and `top_examples` for which examples a unit is most active.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import SAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = SAE(n_components=16, k=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
    >>> bool(model.active_units(X).count.max() <= 2)
    True

    `fit(X, Y)` with targets Y of several columns learns these from X: a transcoder. `reconstruct(X)` then gives them.

    `model.unit_names_ = {7: "curves"}` names units. Names are saved beside the weights, and reports show them. A new
    fit forgets them.
    """

    takes_targets = True
    own_parameters = SPARSE_OUTPUT

    def active_units(self, X: Any) -> ActiveUnits:
        """Return which units are active for each example of X, and their counts and rates.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
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
            raise ValueError("SAE.steer needs a model of vectors or images: cells of tables have no sum of directions.")
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


_CLASSES: dict[str, type[Estimator]] = {c.recipe.name: c for c in (AE, VAE, DAE, SAE, MapAE, TableAE, ConcreteAE)}


def estimator(recipe: str) -> type[Estimator]:
    """Return the estimator class of a recipe. If narrows has no class for it, one is generated.

    Raises
    ------
    ValueError
        If there is no such recipe.

    >>> estimator("vae").__name__
    'VAE'
    """
    registered = recipes.get(recipe)
    name = registered.name
    if name not in _CLASSES or _CLASSES[name].recipe is not registered:  # a notebook may have redefined the recipe
        doc = "\n\n".join(filter(None, (registered.summary, registered.paper)))
        namespace = {"__doc__": doc, "__module__": __name__}
        _CLASSES[name] = type(name.upper(), (_Generated,), namespace, recipe=name)
    return _CLASSES[name]


class _Generated(CodeEstimator):
    """Abstract: a generated estimator class. Pickle finds the class by the name of its recipe."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        _, _, *state = super().__reduce_ex__(protocol)
        return _make_unfitted, (self.recipe.name, self.recipe.make.__module__), *state


def _make_unfitted(recipe: str, module: str) -> Estimator:
    """Make an unfitted estimator for pickle. The recipe is registered when `module` is imported."""
    if recipe not in recipes.RECIPES:
        importlib.import_module(module)
    cls = estimator(recipe)
    return cls.__new__(cls)


def __getattr__(name: str) -> type[Estimator]:
    """Return the generated class called `name`, for pickle."""
    if name.isupper() and not name.startswith("_"):
        for recipe in recipes.available():
            if recipe.upper() == name:
                return estimator(recipe)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
