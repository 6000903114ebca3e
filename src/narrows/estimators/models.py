"""AE, VAE, DAE and SAE, and an estimator for any other recipe."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from narrows import recipes
from narrows.bottlenecks import as_sparse
from narrows.estimators import constructors
from narrows.estimators.base import Estimator
from narrows.estimators.maps import MapAE
from narrows.params import Integer, Parameter


class AE(constructors.AE, recipe="ae"):
    """The plain autoencoder: as many outputs as inputs, and a code of a few numbers between them.

    With `hidden=()` it is linear, and its codes span the subspace of PCA.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import AE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> AE(n_components=2, hidden=(32,), max_epochs=5, random_state=0).fit_transform(X).shape
    (200, 2)
    """


class VAE(constructors.VAE, recipe="vae"):
    """The variational autoencoder: turn one dial a component, draw new examples, score any.

    The encoder gives a mean and a log standard deviation; z = mean + exp(log_std) * eps, pulled to N(0, I). After
    fitting, components are in the order of the nats that they carry (`components_kl_`), and those that carry nothing
    are listed (`unused_components_`). With `conditional=True` the decoder also gets the label of each example, so that
    `sample(n, y=label)` draws examples of that label.

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
    """The denoising autoencoder: `denoise` cleans noisy data.

    It trains on clean examples, to which it adds noise. With `n_components=None` there is no narrow code, so that no
    detail is lost: a U-Net for images. With a number it also gives robust features.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import DAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> DAE(level=(0.1, 0.5), hidden=(32,), max_epochs=5, random_state=0).fit(X).denoise(X).shape
    (200, 5)
    """

    def denoise(self, X: Any) -> Any:
        """Clean X: the mean of the likelihood, in the form and the units of X. No noise is added.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        return self.reconstruct(X)


class SAE(constructors.SAE, recipe="sae"):
    """The sparse autoencoder: many units, of which only a few are active for one example.

    The decoder is a dictionary: each unit adds its own direction, so the meaning of a unit can be inspected.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import SAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> model = SAE(n_components=16, k=2, hidden=(32,), max_epochs=5, random_state=0).fit(X)
    >>> bool(model.active_units(X).count.max() <= 2)
    True
    """

    def active_units(self, X: Any) -> ActiveUnits:
        """Return the units that are active for each example of X, and their numbers.

        Raises
        ------
        ValueError, TypeError
            If X does not hold examples like those that the model was fitted on.
        """
        z = self._compute_codes(X)
        is_active = z > self._floor
        rate = is_active.mean(0)
        return ActiveUnits(is_active, is_active.sum(1), rate, np.flatnonzero(rate == 0))

    def top_examples(self, X: Any, unit: int, n: int = 9) -> np.ndarray:
        """Return the rows of X for which a unit is most active, strongest first: at most `n` indices.

        Parameters
        ----------
        X : (m, ...) examples.
        unit : index of the unit, from 0 to n_components - 1.
        n : largest number of rows. Rows for which the unit is not active are left out.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        check_is_fitted(self)
        Parameter("unit", 0, Integer(0, self.n_components - 1), "").check("top_examples", unit)
        Parameter("n", 9, Integer(1), "").check("top_examples", n)
        activation = self._compute_codes(X)[:, unit]
        order = np.argsort(-activation, kind="stable")[:n]
        return order[activation[order] > self._floor]

    @property
    def _floor(self) -> float:
        code = as_sparse(self.model_.bottleneck)
        assert code is not None
        return code.floor


class ActiveUnits:
    """The active units of examples.

    Attributes
    ----------
    which : (n, L) booleans, True for a unit that is active.
    count : (n,) number of active units of each example.
    rate : (L,) share of examples for which each unit is active.
    dead : indices of the units that are active for no example.
    """

    def __init__(self, which: np.ndarray, count: np.ndarray, rate: np.ndarray, dead: np.ndarray) -> None:
        self.which, self.count, self.rate, self.dead = which, count, rate, dead

    def __repr__(self) -> str:
        return f"ActiveUnits({self.count.mean():.1f} of {len(self.rate)} units an example, {len(self.dead)} dead)"


_CLASSES: dict[str, type[Estimator]] = {c.recipe.name: c for c in (AE, VAE, DAE, SAE, MapAE)}


def estimator(recipe: str) -> type[Estimator]:
    """Return the estimator class of a recipe. A recipe without a class of its own gets a generated one.

    Raises
    ------
    ValueError
        If there is no such recipe.


    >>> estimator("vae").__name__
    'VAE'
    """
    registered = recipes.get(recipe)
    name = registered.name
    if name not in _CLASSES or _CLASSES[name].recipe is not registered:  # a notebook may have defined the recipe again
        namespace = {"__doc__": registered.summary, "__module__": __name__}
        _CLASSES[name] = type(name.upper(), (_Generated,), namespace, recipe=name)
    return _CLASSES[name]


class _Generated(Estimator):
    """Abstract: an estimator of a recipe without a class of its own. Pickle finds the class by the recipe."""

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
