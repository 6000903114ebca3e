"""What every estimator is: scikit-learn's habits around a model of five parts."""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from narrows import likelihoods, recipes, storage
from narrows.data import as_array, as_floats, check_numeric, infer
from narrows.estimators.generation import Generation, needs_code
from narrows.estimators.inference import Inference
from narrows.estimators.labels import Labelled, learned, numbers_where_known
from narrows.estimators.saving import documents, fingerprint
from narrows.estimators.signature import (
    TRAINING,
    as_seed,
    constructor,
    documentation,
    reset_fitted,
    seed_of_run,
)
from narrows.estimators.summary import card, summarize
from narrows.params import Parameter
from narrows.plots import Plots
from narrows.training import Interrupted, Result, Settings, checkpoint, seeded_init
from narrows.training import fit as train
from narrows.training.parallel import join

_MOST_COMPONENTS = 1_000_000


class Estimator(
    Inference, Generation, Labelled, ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseEstimator
):
    """Abstract: an autoencoder with scikit-learn's habits. Subclasses name their recipe.

    Attributes
    ----------
    model_ : Autoencoder, the five parts, trained.
    schema_ : Schema, what one example is.
    history_ : list of dict, one a look at the losses; `pandas.DataFrame(model.history_)` is a table of it.
    report_ : list of str, what was decided and why, what happened and what was done about it.
    n_iter_ : int, epochs trained.
    offset_ : float, the threshold of `decision_function`.
    components_kl_ : (L,) nats that each component carries, largest first; only for a stochastic code whose KL has a
        closed form for each component.
    unused_components_ : list of int, components that carry nothing; of such a code, too.
    """

    recipe: ClassVar[recipes.Recipe]
    n_components: Any
    __init__: Callable[..., None]  # each subclass has one that is made from its recipe

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Make an instance of a class that names a recipe; any other is abstract."""
        if not hasattr(cls, "recipe"):
            raise TypeError(f"{cls.__name__} is abstract, because it names no recipe. Use narrows.estimator(recipe).")
        return super().__new__(cls)

    def __init_subclass__(cls, recipe: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if recipe is None:
            return
        cls.recipe = recipes.get(recipe)
        if taken := sorted(cls.recipe.parameters.keys() & TRAINING.keys()):
            raise ValueError(
                f"The recipe {recipe!r} must rename `{taken[0]}`: all estimators have a parameter of that name."
            )
        cls.__init__ = constructor(cls.__name__, cls.parameters())  # type: ignore[misc]
        cls.__doc__ = documentation(cls.__doc__ or "", cls.recipe.parameters)

    def __sklearn_is_fitted__(self) -> bool:
        """Whether a training has come to an end or a stop; `offset_` is what is found out last."""
        return hasattr(self, "offset_")

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """Every parameter by name: the recipe's own, then the shared ones."""
        return {**cls.recipe.parameters, **TRAINING}

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.non_deterministic = False
        return tags

    # ---------------------------------------------------------------------------------------------- learning

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from X.

        Parameters
        ----------
        X : array, tensor or data frame of vectors (n, d), or array or tensor of images (n, h, w), (n, h, w, c) or
            (n, c, h, w), of any real dtype; 8-bit images stay 8-bit in memory.
        y : the label of each example, for a conditional model; ignored by others.

        Returns
        -------
        self. In a script that torchrun started, all processes train one model together, and each returns all of it.

        Raises
        ------
        ValueError
            If a parameter or X is not what it must be.
        KeyboardInterrupt
            On Ctrl-C; the model then holds the best weights so far and can be used.
        ConnectionError
            If another process of this training has failed.
        """
        self._check_parameters()
        rows = self._begin(X)
        labels = self._numbered(y, len(rows))
        world = join(self.device)
        seed = world.same(seed_of_run(self.random_state, self.checkpoint))
        settings = self.settings(seed)
        parts = self._assemble(seed)
        self.model_ = parts.model
        self._check_support(rows)
        failed: Interrupted | None = None
        try:
            result = train(
                parts.model,
                parts.objective,
                rows,
                self.schema_,
                settings,
                title=type(self).__name__,
                fingerprint=(
                    fingerprint(self, rows, seed, labels) if self.checkpoint is not None or world.size > 1 else ""
                ),
                labels=labels,
            )
        except Interrupted as stopped:
            failed, result = stopped, stopped.result
        self.history_, self.n_iter_ = result.history, result.n_epochs
        self.report_ = [self.schema_.describe(), *map(str, parts.choices), *map(str, result.choices), *result.notes]
        summarize(self, rows)
        if labels is not None:
            self._fit_by_label(rows, labels, seed)
        if failed is not None:
            raise failed
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One pass over X at a constant learning rate, from where the model stands. The first call builds the model.

        There is no schedule and no held-out data: call `fit` for the best result. The optimizer begins anew. What
        `fit_sampler` learned is forgotten, because the codes move. The first call must show a conditional model every
        class.
        """
        self._check_parameters()
        first = not self.__sklearn_is_fitted__()
        rows = self._begin(X) if first else self.checked(X)
        labels = self._numbered(y, len(rows))
        world = join(self.device)
        seed = world.same(as_seed(self.random_state))
        if first:
            self._parts = self._assemble(seed)
            self.model_, self.history_, self.n_iter_ = self._parts.model, [], 0
            self.report_ = [self.schema_.describe(), *map(str, self._parts.choices)]
            self._parts.objective.restart(0.0, warmup=0.0)  # passes have no end over which costs could grow
        elif not hasattr(self, "_parts"):
            self._parts = self._assemble(seed)._replace(model=self.model_)
            self._parts.objective.restart(0.0, warmup=0.0)
        self._check_support(rows)
        settings = self.settings(
            seed + self.n_iter_, max_epochs=1, early_stopping=False, constant=True, checkpoint=None, track=None
        )
        failed: Interrupted | None = None
        try:
            result = train(
                self.model_,
                self._parts.objective,
                rows,
                self.schema_,
                settings,
                title=type(self).__name__,
                fingerprint=fingerprint(self, rows, seed, labels) if world.size > 1 else "",
                labels=labels,
            )
        except Interrupted as stopped:
            failed, result = stopped, stopped.result
        self._absorb(result, rows)
        if labels is not None:
            self._fit_by_label(rows, labels, seed)
        if failed is not None:
            raise failed
        return self

    def _absorb(self, result: Result, rows: np.ndarray) -> None:
        """Take in what a further training on `rows` left: what is known of the codes is found out anew.

        What `fit_sampler` learned is forgotten, because it was of the codes as they were.
        """
        self.history_ = self.history_ + result.history
        self.n_iter_ += result.n_epochs
        self.report_ = self.report_ + result.notes
        self.__dict__.pop("samplers_", None)
        summarize(self, rows)

    @property
    def plot(self) -> Plots:
        """Pictures of the fitted model: `plot.curves()`, `.reconstructions(X)`, `.map(X, y)`, `.dials(x)`, ..."""
        check_is_fitted(self)
        return Plots(self)

    def studio(self, X: Any = None, y: Any = None) -> Any:
        """The dials, and a map of X coloured by y, as a widget for notebooks (extra `notebook`)."""
        check_is_fitted(self)
        # by name, as whoever calls it would: the studio stands above the estimators
        return importlib.import_module("narrows.studio.notebook").Studio(self, X, y)

    # ---------------------------------------------------------------------------------------------- applying

    def transform(self, X: Any) -> np.ndarray:
        """The codes of X: (n, n_components), the posterior means where the code is stochastic."""
        return self._streamed("transform", self._given(X))

    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """X through the narrow place and back: the likelihood's mean, in the form and the units of X.

        A conditional model takes the labels `y` (one for all, or one for each), or infers them where they are None.
        """
        if y is not None:
            return self.schema_.as_frame(np.asarray(self.inverse_transform(self._codes(X), y)), like=X)
        found = self._streamed("reconstruct", self._given(X))
        return self.schema_.as_frame(found, like=X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-likelihood of each example in nats: (n,), higher is more usual.

        The ELBO for a stochastic code (of x and its likeliest label, for a conditional model), otherwise log p(x | z)
        at the example's own code z. Entries are summed. For real-valued vectors it is a density in the units of X; for
        images, on the [0, 1] scale.

        Raises
        ------
        ValueError
            If X holds values that the likelihood cannot score.
        """
        return self._streamed("score_samples", self._given(X))

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean())

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` less `offset_`: (n,), below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for usual examples and -1 for outliers: (n,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    # ---------------------------------------------------------------------------------------------- keeping

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into `folder`: recipe.json, weights.safetensors and a model card.

        A checkpoint that lies there is removed.
        """
        check_is_fitted(self)
        storage.write(Path(folder), *documents(self), card(self))
        (Path(folder) / checkpoint.NAME).unlink(missing_ok=True)  # what it held is saved now

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "model_" in state:
            # a pickle made beside a GPU must open without one
            state = {**state, "model_": copy.deepcopy(state["model_"]).cpu()}
        state.pop("_parts", None)
        return state

    @property
    def _n_features_out(self) -> int:
        return self.model_.bottleneck.n_components

    # ---------------------------------------------------------------------------------------------- inside

    def _check_parameters(self) -> None:
        for name, parameter in self.parameters().items():
            parameter.check(type(self).__name__, getattr(self, name))

    def _after_fit(self, sample: np.ndarray) -> None:
        """What a model of a kind of its own finds out about training rows, once it is trained."""
        return

    def _check_components(self) -> None:
        if self.n_components is not None and self.n_components > _MOST_COMPONENTS:
            raise ValueError(
                f"The `n_components` parameter of {type(self).__name__} must be at most {_MOST_COMPONENTS}. Got "
                f"{self.n_components} instead."
            )

    def _begin(self, X: Any) -> np.ndarray:
        """The rows to learn from, once `schema_` describes them and `n_components` is found to suit them.

        What an earlier fit learned is forgotten first, so that one that fails leaves no mixture behind.
        """
        reset_fitted(self)
        self.__dict__.pop("_parts", None)
        rows = self._rows(X, reset=True)
        named = likelihoods.LIKELIHOODS.get(getattr(self, "likelihood", "auto"))
        self.schema_ = infer(rows, type(self).__name__, *_names(X), asked=named.required_support if named else None)
        self._check_components()
        return rows

    def _assemble(self, seed: int) -> recipes.Parts:
        values = {name: getattr(self, name) for name in self.recipe.parameters}
        try:
            with seeded_init(seed, is_global=not self.recipe.is_own):
                return self.recipe.build(self.schema_, **values)
        except recipes.CodeTooLong as error:
            raise recipes.CodeTooLong(error.n_components, error.n_entries, type(self).__name__) from None

    def own_costs(self, seed: int) -> dict[str, float]:
        """The weights of the costs that the model's own code states."""
        weights = self._assemble(seed).objective.weights
        return {name: weight for name, weight in weights.items() if name in self.model_.bottleneck.costs}

    def _numbered(self, y: Any, n: int) -> np.ndarray | None:
        """Which class each of `n` examples is of, for a conditional model; what classes there are is learned once."""
        if not getattr(self, "conditional", False):
            return None
        owner = type(self).__name__
        if self.schema_.classes is None:
            self.schema_ = learned(self.schema_, y, n, owner)
        return numbers_where_known(y, self.schema_, n, owner)

    def settings(self, seed: int, **changes: Any) -> Settings:
        """Of a training with these parameters, but for `changes`."""
        names = {f for f in Settings.__dataclass_fields__ if f in TRAINING}
        values = {name: getattr(self, name) for name in names}
        values["checkpoint"] = Path(self.checkpoint) if self.checkpoint is not None else None
        return Settings(**{**values, "seed": seed, **changes})

    def _rows(self, X: Any, reset: bool) -> np.ndarray:
        """X as an array of floats or bytes; what validation finds out about its form is kept where `reset`."""
        return as_floats(self.validated(X, reset))

    def validated(self, X: Any, reset: bool) -> np.ndarray:
        """X, in memory, as an array of numbers, of whatever shape and values.

        Parameters
        ----------
        reset : whether X is what will be fitted on, whose columns are then kept; otherwise those of a vector must be
            the ones that the model was fitted on.

        Raises
        ------
        ValueError, TypeError
            If X holds no numbers, or other columns.
        """
        owner = type(self).__name__
        if isinstance(X, (list, tuple)):
            X = as_array(X, owner)
        of_images = not reset and self.schema_.kind == "image"  # then `check_form` says what form they have
        if getattr(X, "ndim", 2) == 2 and not isinstance(X, Tensor) and not of_images:
            if isinstance(X, np.ndarray) or hasattr(X, "iloc"):
                as_array(X, owner)  # says where the words are
            rows = validate_data(
                self,
                X,
                reset=reset,
                dtype="numeric",
                ensure_min_samples=2 if reset else 1,
                ensure_all_finite=False,  # `infer` and `extremes` look at that, for images too
                order="C" if reset else None,  # blocks are brought in order one by one
            )
            return check_numeric(rows, owner)
        rows = check_numeric(as_array(X, owner), owner)
        if reset:
            self.n_features_in_ = int(np.prod(rows.shape[1:]))
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return rows


# not as decorators: scikit-learn wraps what a class body defines, for set_output, and would lose the condition
Estimator.transform = needs_code(Estimator.transform)
Estimator.fit_transform = needs_code(Estimator.fit_transform)


def _names(X: Any) -> tuple[list[str | int] | None, str | None]:
    """The columns' names of a data frame, and what kind of frame it is."""
    if not hasattr(X, "columns") or not hasattr(X, "iloc"):
        return None, None
    return [n if isinstance(n, int) else str(n) for n in X.columns], "pandas"
