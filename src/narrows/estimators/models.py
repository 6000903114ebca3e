"""AE, VAE, DAE, SAE and Crosscoder, and the estimators of all other recipes."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from narrows import recipes
from narrows.estimators import constructors
from narrows.estimators.base import Estimator
from narrows.estimators.decoding import CodeEstimator
from narrows.estimators.maps import MapAE
from narrows.estimators.selection import ConcreteAE
from narrows.estimators.sparse_units import UnitEstimator
from narrows.estimators.tables import TableAE
from narrows.networks import Dictionary


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


class SAE(UnitEstimator, constructors.SAE, recipe="sae"):
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


class Crosscoder(UnitEstimator, constructors.Crosscoder, recipe="crosscoder"):
    """The crosscoder: one sparse dictionary for the activations of several layers, or models, for the same token.

    X is (n, layers, width), or files or blocks of such rows; rows with one axis are of one layer. All layers share one
    code, and `reconstruct` gives the activations of all. A unit's direction has a part in each layer, and
    `layer_shares_` tells in which layers a unit lives.

    Attributes
    ----------
    layer_shares_ : (n_components, layers) norm of each unit's direction in each layer, divided by the sum of the unit's
        norms, so that each row sums to 1. Norms are those of the scaled rows (`scale`).

    Examples
    --------
    >>> import numpy as np
    >>> from narrows import estimator
    >>> X = np.random.default_rng(0).normal(size=(200, 3, 5))
    >>> model = estimator("crosscoder")(n_components=16, k=2, max_epochs=5, random_state=0).fit(X)
    >>> model.transform(X).shape, model.reconstruct(X).shape, model.layer_shares_.shape
    ((200, 16), (200, 3, 5), (16, 3))
    """

    @property
    def layer_shares_(self) -> np.ndarray:
        """Share of each layer in the norms of each unit's direction: (n_components, layers)."""
        check_is_fitted(self)
        decoder = self.model_.decoder
        if not isinstance(decoder, Dictionary):
            raise AttributeError(
                "A crosscoder with a decoder of your own has no `layer_shares_`: it has no directions."
            )
        return decoder.layer_shares().detach()[self.model_.order].cpu().numpy()


_CLASSES: dict[str, type[Estimator]] = {
    c.recipe.name: c for c in (AE, VAE, DAE, SAE, Crosscoder, MapAE, TableAE, ConcreteAE)
}


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
