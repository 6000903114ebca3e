"""The four, and an estimator for any other recipe."""

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
    """The plain autoencoder: as many outputs as inputs, and a few numbers between.

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
    fitting, components come in the order of what they carry (`components_kl_`), and those that carry nothing are
    named (`unused_components_`). With `conditional=True` the decoder is told each example's label, so that
    `sample(n, y=label)` is of that label.

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
    """The denoising autoencoder: `denoise` gives clean data out of noisy data.

    It trains on clean examples, to which it adds the noise itself. `n_components=None` has no narrow code, so that no
    detail is lost: a U-Net for images; with a number it gives robust features, too.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import DAE
    >>> X = np.random.default_rng(0).normal(size=(200, 5))
    >>> DAE(level=(0.1, 0.5), hidden=(32,), max_epochs=5, random_state=0).fit(X).denoise(X).shape
    (200, 5)
    """

    def denoise(self, X: Any) -> Any:
        """Clean X: the mean of the likelihood, in the form and the units of X. No noise is added."""
        return self.reconstruct(X)


class SAE(constructors.SAE, recipe="sae"):
    """The sparse autoencoder: many units, of which few are active for one example.

    The decoder is a dictionary: each unit adds its own direction, so a unit's meaning can be looked at.

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
        """Which units are active for each example of X, and how many."""
        z = self._codes(X)
        which = z > self._floor
        rate = which.mean(0)
        return ActiveUnits(which, which.sum(1), rate, np.flatnonzero(rate == 0))

    def top_examples(self, X: Any, unit: int, n: int = 9) -> np.ndarray:
        """The rows of X that the unit responds to most, strongest first: at most `n` indices, all of them active."""
        check_is_fitted(self)
        Parameter("unit", 0, Integer(0, self.n_components - 1), "").check("top_examples", unit)
        Parameter("n", 9, Integer(1), "").check("top_examples", n)
        activation = self._codes(X)[:, unit]
        order = np.argsort(-activation, kind="stable")[:n]
        return order[activation[order] > self._floor]

    @property
    def _floor(self) -> float:
        code = as_sparse(self.model_.bottleneck)
        assert code is not None
        return code.floor


class ActiveUnits:
    """Which units fire.

    Attributes
    ----------
    which : (n, L) booleans.
    count : (n,) how many, for each example.
    rate : (L,) the share of examples for which each unit fires.
    dead : the units that fire for none.
    """

    def __init__(self, which: np.ndarray, count: np.ndarray, rate: np.ndarray, dead: np.ndarray) -> None:
        self.which, self.count, self.rate, self.dead = which, count, rate, dead

    def __repr__(self) -> str:
        return f"ActiveUnits({self.count.mean():.1f} of {len(self.rate)} units an example, {len(self.dead)} dead)"


_CLASSES: dict[str, type[Estimator]] = {c.recipe.name: c for c in (AE, VAE, DAE, SAE, MapAE)}


def estimator(recipe: str) -> type[Estimator]:
    """The estimator class of a recipe; a recipe without one of its own gets a plain one.

    >>> estimator("vae").__name__
    'VAE'
    """
    known = recipes.get(recipe)
    name = known.name
    if name not in _CLASSES or _CLASSES[name].recipe is not known:  # a notebook's recipe may have been written anew
        namespace = {"__doc__": known.summary, "__module__": __name__}
        _CLASSES[name] = type(name.upper(), (_Generated,), namespace, recipe=name)
    return _CLASSES[name]


class _Generated(Estimator):
    """Abstract: an estimator of a recipe without a class of its own, which pickle finds by the recipe."""

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        _, _, *state = super().__reduce_ex__(protocol)
        return _unfitted, (self.recipe.name, self.recipe.make.__module__), *state


def _unfitted(recipe: str, module: str) -> Estimator:
    """An estimator of `recipe`, which is registered when `module` is imported, to be given a state."""
    if recipe not in recipes.RECIPES:
        importlib.import_module(module)
    cls = estimator(recipe)
    return cls.__new__(cls)


def __getattr__(name: str) -> type[Estimator]:
    """The generated class called `name`: where pickle looks for it."""
    if name.isupper() and not name.startswith("_"):
        for recipe in recipes.available():
            if recipe.upper() == name:
                return estimator(recipe)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
