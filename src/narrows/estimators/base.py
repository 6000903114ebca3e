"""What every estimator is: scikit-learn's habits around a model of five parts."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, OutlierMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted, validate_data
from torch import Tensor

from narrows import likelihoods, recipes, storage
from narrows.bottlenecks import Gaussian, Sparse
from narrows.data import Schema, as_array, as_rows, check_rows, infer
from narrows.estimators.signature import TRAINING, constructor, documentation, plain, seed_from
from narrows.evaluation.scores import log_likelihood
from narrows.model import Autoencoder
from narrows.params import Integer, Parameter
from narrows.training import Interrupted, Settings, active_components, checkpoint, choose_device, own_generators
from narrows.training import fit as train
from narrows.version import __version__

_ROWS = 1024  # examples in one pass at inference
_FEWEST_ROWS = 32  # smaller passes are filled up, so that an example's result does not depend on its company
_SURVEYED = 10_000  # training rows that are looked at after a training
_AUTO_CONTAMINATION = 0.05


def _has_code(self: Estimator) -> bool:
    if getattr(self, "n_components", None) is None:
        raise AttributeError(f"This {type(self).__name__} has no codes, because n_components=None. Pass a number.")
    return True


class Estimator(ClassNamePrefixFeaturesOutMixin, TransformerMixin, OutlierMixin, BaseEstimator):
    """Abstract: an autoencoder with scikit-learn's habits. Subclasses name their recipe.

    Attributes
    ----------
    model_ : Autoencoder, the five parts, trained.
    schema_ : Schema, what one example is.
    history_ : list of dict, one a look at the losses; `pandas.DataFrame(model.history_)` is a table of it.
    report_ : list of str, what was decided and why, what happened and what was done about it.
    n_iter_ : int, epochs trained.
    offset_ : float, the threshold of `decision_function`.
    components_kl_ : (L,) nats that each component carries, largest first; only for a stochastic code.
    unused_components_ : list of int, components that carry nothing; only for a stochastic code.
    """

    recipe: ClassVar[recipes.Recipe]
    model_: Autoencoder
    schema_: Schema

    def __init_subclass__(cls, recipe: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if recipe is None:
            return
        cls.recipe = recipes.get(recipe)
        cls.__init__ = constructor(cls.__name__, cls.parameters())  # type: ignore[method-assign]
        cls.__doc__ = documentation(cls.__doc__ or "", cls.parameters())

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

    def fit(self, X: Any, y: Any = None) -> Estimator:
        """Learn from X.

        Parameters
        ----------
        X : array, tensor or data frame of vectors (n, d), or array or tensor of images (n, h, w), (n, h, w, c) or
            (n, c, h, w), of any real dtype; 8-bit images stay 8-bit in memory.
        y : ignored.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            If a parameter or X is not what it must be.
        KeyboardInterrupt
            On Ctrl-C; the model then holds the best weights so far and can be used.
        """
        self._check_parameters()
        rows = self._begin(X)
        settings = self._settings(self._seed())
        seed = settings.seed
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
                fingerprint=self._fingerprint(rows, seed),
            )
        except Interrupted as stopped:
            failed, result = stopped, stopped.result
        self.history_, self.n_iter_ = result.history, result.n_epochs
        self.report_ = [self.schema_.describe(), *map(str, parts.choices), *map(str, result.choices), *result.notes]
        self._survey(rows)
        if failed is not None:
            raise failed
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Estimator:
        """One pass over X at a constant learning rate, from where the model stands. The first call builds the model.

        There is no schedule and no held-out data: call `fit` for the best result. The optimizer begins anew.
        """
        self._check_parameters()
        first = not self.__sklearn_is_fitted__()
        rows = self._begin(X) if first else self._checked(X)
        seed = seed_from(self.random_state)
        if first:
            self._parts = self._assemble(seed)
            self.model_, self.history_, self.n_iter_ = self._parts.model, [], 0
            self.report_ = [self.schema_.describe(), *map(str, self._parts.choices)]
        elif not hasattr(self, "_parts"):
            self._parts = self._assemble(seed)._replace(model=self.model_)
        self._check_support(rows)
        settings = self._settings(
            seed + self.n_iter_, max_epochs=1, early_stopping=False, constant=True, checkpoint=None
        )
        result = train(self.model_, self._parts.objective, rows, self.schema_, settings, title=type(self).__name__)
        self.history_ = self.history_ + result.history
        self.n_iter_ += 1
        self._survey(rows)
        return self

    # ---------------------------------------------------------------------------------------------- applying

    def transform(self, X: Any) -> np.ndarray:
        """The codes of X: (n, n_components), the posterior means where the code is stochastic."""
        rows = self._checked(X)
        return self._apply(self.model_.encode, rows, like=rows)

    @available_if(_has_code)
    def inverse_transform(self, Z: Any) -> Any:
        """The examples at the codes Z (n, n_components), in the form and the units of the data fitted on."""
        check_is_fitted(self)
        Z = np.asarray(Z)
        if Z.ndim != 2 or Z.shape[1] != self.model_.bottleneck.n_components:
            raise ValueError(
                f"Codes for {type(self).__name__} must have shape (n, {self.model_.bottleneck.n_components}). "
                f"Got {Z.shape}."
            )
        if Z.dtype.kind not in "biuf" or not np.isfinite(Z).all():
            raise ValueError(f"Codes for {type(self).__name__} must be finite numbers.")
        return self._decoded(torch.from_numpy(np.array(Z, dtype=np.float64)))

    def reconstruct(self, X: Any) -> Any:
        """X through the narrow place and back: the likelihood's mean, in the form and the units of X."""
        rows = self._checked(X)
        return self.schema_.as_frame(self.schema_.restore(self.applied(self.model_.reconstruct, rows)), like=X)

    def score_samples(self, X: Any) -> np.ndarray:
        """Log-likelihood of each example in nats: (n,), higher is more usual.

        The ELBO for a stochastic code, otherwise log p(x | z) at the example's own code z. Entries are summed. For
        real-valued vectors it is a density in the units of X; for images, on the [0, 1] scale.

        Raises
        ------
        ValueError
            If X holds values that the likelihood cannot score.
        """
        rows = self._checked(X)
        self._check_support(rows)
        return self._scores(rows)

    def score(self, X: Any, y: Any = None) -> float:
        """The mean of `score_samples`."""
        return float(self.score_samples(X).mean())

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` less `offset_`: (n,), below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for usual examples and -1 for outliers: (n,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    # ------------------------------------------------------------------------------- new examples and the dials

    @available_if(_has_code)
    def sample(self, n_samples: int = 1, *, random_state: Any = None, noise: bool = False) -> Any:
        """New examples: codes from the prior, or for a plain code from a Gaussian fitted to the training codes.

        Parameters
        ----------
        n_samples : how many.
        random_state : seed; None draws anew each time.
        noise : whether each entry is drawn from the likelihood, or is its mean.
        """
        check_is_fitted(self)
        Parameter("n_samples", 1, Integer(1), "").check("sample", n_samples)
        if isinstance(self.model_.bottleneck, Sparse):
            raise ValueError("A sparse code has no distribution to draw from: fit a VAE to sample.")
        generator = np.random.default_rng(seed_from(random_state))
        z = generator.standard_normal((n_samples, self.model_.bottleneck.n_components))
        if not isinstance(self.model_.bottleneck, Gaussian):
            z = self.code_mean_ + z @ _root(self.code_covariance_)
        return self._decoded(torch.from_numpy(z), draw=seed_from(generator) if noise else None)

    @available_if(_has_code)
    def traverse(self, X: Any = None, *, components: Any = None, n_steps: int = 9, span: float = 3.0) -> np.ndarray:
        """One dial a component: each is turned while the others stay, and the examples are decoded.

        Parameters
        ----------
        X : the example whose code is the start (its first row is taken); None starts from the centre of all codes.
        components : which dials; None for all, in the order of what they carry.
        n_steps : positions of each dial.
        span : how far each is turned to both sides, in standard deviations of the codes.

        Returns
        -------
        (dials, n_steps, ...) examples.
        """
        check_is_fitted(self)
        Parameter("n_steps", 9, Integer(2), "").check("traverse", n_steps)
        n = self.model_.bottleneck.n_components
        chosen = np.arange(n) if components is None else np.atleast_1d(np.asarray(components))
        if chosen.dtype.kind not in "iu" or chosen.size == 0 or chosen.min() < 0 or chosen.max() >= n:
            raise ValueError(
                f"The `components` parameter of traverse must hold ints from 0 to {n - 1}. Got {components!r}."
            )
        start = self.code_mean_ if X is None else np.asarray(self._codes(X[:1]))[0]
        z = np.tile(start, (len(chosen), n_steps, 1)).astype(np.float64)
        # a stochastic code's dials have the prior's scale, so that one is as long as another
        scale = np.ones(n) if isinstance(self.model_.bottleneck, Gaussian) else self.code_std_
        for row, component in enumerate(chosen):
            z[row, :, component] = self.code_mean_[component] + scale[component] * np.linspace(-span, span, n_steps)
        if isinstance(self.model_.bottleneck, Sparse):
            z = z.clip(min=0)  # no unit is ever less than silent
        decoded = np.asarray(self._decoded(torch.from_numpy(z.reshape(-1, n))))
        return decoded.reshape(len(chosen), n_steps, *self.schema_.user_shape)

    @available_if(_has_code)
    def interpolate(self, a: Any, b: Any, *, n_steps: int = 9) -> np.ndarray:
        """The way from example `a` to example `b` through the codes, both included: (n_steps, ...)."""
        check_is_fitted(self)
        Parameter("n_steps", 9, Integer(2), "").check("interpolate", n_steps)
        pair = [
            example.to_frame().T if hasattr(example, "to_frame") else np.asarray(example)[None] for example in (a, b)
        ]
        first, last = (self._codes(example)[0] for example in pair)
        weights = np.linspace(0, 1, n_steps)[:, None]
        return np.asarray(self._decoded(torch.from_numpy((1 - weights) * first + weights * last)))

    # ---------------------------------------------------------------------------------------------- keeping

    def save(self, folder: str | Path) -> None:
        """Write the fitted model into `folder`: recipe.json, weights.safetensors and a model card.

        A checkpoint that lies there is removed.
        """
        check_is_fitted(self)
        fitted, tensors = {}, dict(self.model_.state_dict(prefix="model."))
        for name, value in vars(self).items():
            if not name.endswith("_") or name.startswith("_") or name in ("model_", "schema_"):
                continue
            if isinstance(value, np.ndarray) and value.dtype.kind == "f":
                tensors[f"fitted.{name}"] = torch.from_numpy(value)
            else:
                fitted[name] = value.tolist() if isinstance(value, np.ndarray) else value
        recipe = {
            "narrows": __version__,
            "recipe": self.recipe.name,
            "parameters": {name: plain(value) for name, value in self.get_params(deep=False).items()},
            "schema": self.schema_.to_dict(),
            "fitted": fitted,
        }
        storage.write(Path(folder), recipe, tensors, self._card())
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

    # ------------------------------------------------------------------------------------- for other layers

    def prepared(self, X: Any) -> Tensor:
        """X checked and on the model's scale: n x `schema_.shape`, in memory."""
        rows = self._checked(X)
        return self.schema_.prepare(torch.from_numpy(np.array(rows)))

    def applied(self, function: Callable[[Tensor], Tensor], rows: np.ndarray | Tensor) -> Tensor:
        """`function`, of the model's tensors, over many examples in passes of bounded size; the result on the CPU.

        Parameters
        ----------
        function : from B x `schema_.shape` to B x anything, such as `model_.encode`.
        rows : the user's rows as an array, or prepared examples as a tensor.
        """
        model = self._module()
        parameter = next(model.parameters())
        parts = []
        with torch.inference_mode():
            for start in range(0, len(rows), _ROWS):
                part = rows[start : start + _ROWS]
                if isinstance(part, Tensor):
                    x = part.to(parameter.device, parameter.dtype)
                else:
                    x = self.schema_.prepare(torch.from_numpy(np.array(part)).to(parameter.device), parameter.dtype)
                parts.append(function(_filled(x))[: len(part)].cpu())
        return torch.cat(parts)

    # ---------------------------------------------------------------------------------------------- inside

    def _check_parameters(self) -> None:
        for name, parameter in self.parameters().items():
            parameter.check(type(self).__name__, getattr(self, name))

    def _check_components(self) -> None:
        n, owner, d = self.n_components, type(self).__name__, self.schema_.n_entries
        if n is None:
            return
        sparse = "k" in self.recipe.parameters
        limit = 1_000_000 if sparse else d
        if n > limit:
            why = (
                ""
                if sparse
                else (
                    f", the numbers in one example (n_features={d}): a code as long as that is no narrow place. "
                    "SAE takes more"
                )
            )
            raise ValueError(f"The `n_components` parameter of {owner} must be at most {limit}{why}. Got {n} instead.")

    def _seed(self) -> int:
        """The seed: that of the checkpoint to go on from where there is one and `random_state` is no int."""
        if self.checkpoint is not None and not isinstance(self.random_state, (int, np.integer)):
            path = Path(self.checkpoint) / checkpoint.NAME
            if path.exists():
                return int(checkpoint.read_state(path)["seed"])
        return seed_from(self.random_state)

    def _begin(self, X: Any) -> np.ndarray:
        """The rows to learn from, once `schema_` describes them and `n_components` is found to suit them."""
        rows = self._rows(X, reset=True)
        named = likelihoods.LIKELIHOODS.get(self.likelihood)
        self.schema_ = infer(rows, type(self).__name__, *_names(X), asked=named.needs if named else None)
        self._check_components()
        return rows

    def _assemble(self, seed: int) -> recipes.Parts:
        with own_generators(seed):
            parts = self.recipe.make(self.schema_, **{name: getattr(self, name) for name in self.recipe.parameters})
        return parts

    def _settings(self, seed: int, **changes: Any) -> Settings:
        names = {f for f in Settings.__dataclass_fields__ if f in TRAINING}
        values = {name: getattr(self, name) for name in names}
        values["checkpoint"] = Path(self.checkpoint) if self.checkpoint is not None else None
        return Settings(**{**values, "seed": seed, **changes})

    def _rows(self, X: Any, reset: bool) -> np.ndarray:
        owner = type(self).__name__
        if isinstance(X, (list, tuple)):
            X = as_array(X, owner)
        if getattr(X, "ndim", 2) == 2 and not isinstance(X, Tensor):
            if isinstance(X, np.ndarray) or hasattr(X, "iloc"):
                as_array(X, owner)  # says where the words are
            rows = validate_data(
                self,
                X,
                reset=reset,
                dtype="numeric",
                ensure_min_samples=2 if reset else 1,
                ensure_all_finite=False,  # `infer` and `check_rows` look at that, for images too
                order="C",
            )
            return as_rows(rows, owner)
        rows = as_rows(X, owner)
        if reset:
            self.n_features_in_ = int(np.prod(rows.shape[1:]))
            if hasattr(self, "feature_names_in_"):
                del self.feature_names_in_
        return rows

    def _checked(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        check_rows(rows, self.schema_, type(self).__name__)
        return rows

    def _module(self) -> Autoencoder:
        device, _ = choose_device(self.device)
        if next(self.model_.parameters()).device != device:
            self.model_.to(device)
        return self.model_.eval()

    def _apply(
        self, function: Callable[[Tensor], Tensor], rows: np.ndarray, like: np.ndarray | None = None
    ) -> np.ndarray:
        out = self.applied(function, rows).numpy()
        return out.astype(like.dtype, copy=False) if like is not None and like.dtype.kind == "f" else out

    def _decoded(self, z: Tensor, draw: int | None = None) -> Any:
        model = self._module()
        parameter = next(model.parameters())
        parts = []
        with torch.inference_mode(), own_generators(draw or 0):
            for part in z.to(parameter.device, parameter.dtype).split(_ROWS):
                o = model.decode(_filled(part))[: len(part)]
                parts.append((model.likelihood.mean(o) if draw is None else model.likelihood.sample(o)).cpu())
        return self.schema_.as_frame(self.schema_.restore(torch.cat(parts)))

    def _codes(self, X: Any) -> np.ndarray:
        return self._apply(self.model_.encode, self._checked(X))

    def _scores(self, rows: np.ndarray) -> np.ndarray:
        return self._apply(lambda x: log_likelihood(self.model_, x), rows).astype(np.float64) - self.schema_.log_scale

    def _check_support(self, rows: np.ndarray) -> None:
        likelihood = self.model_.likelihood
        if likelihood.needs is None:
            return
        bad = ~self._apply(lambda x: likelihood.contains(x).flatten(1), rows).astype(bool)
        if not bad.any():
            return
        raise ValueError(_support_message(self, rows, bad))

    def _survey(self, rows: np.ndarray) -> None:
        """What is known of the training data once the model is trained: codes, what components carry, the threshold."""
        model = self._module()
        sample = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), _SURVEYED)).astype(int))]
        bottleneck = model.bottleneck
        if isinstance(bottleneck, Gaussian):
            h = self.applied(model.encoder, sample)
            kl = bottleneck.kl(h).mean(0)
            order = kl.argsort(descending=True)
            model.order.copy_(order)
            self.components_kl_ = kl[order].double().numpy()
            used = active_components(bottleneck.encode(h))[order]
            self.unused_components_ = (~used).nonzero().flatten().tolist()
            if self.unused_components_:
                self.report_.append(
                    f"{len(self.unused_components_)} of {bottleneck.n_components} components carry nothing: "
                    f"{self.unused_components_}. Fewer `n_components` would do as well."
                )
        if model.has_code:
            z = self.applied(model.encode, sample).double().numpy()
            self.code_mean_, self.code_std_ = z.mean(0), z.std(0)
            if not isinstance(bottleneck, Sparse):
                self.code_covariance_ = np.atleast_2d(np.cov(z, rowvar=False))
        share = _AUTO_CONTAMINATION if self.contamination == "auto" else self.contamination
        self.offset_ = float(np.quantile(self._scores(sample), share))

    def _fingerprint(self, rows: np.ndarray, seed: int) -> str:
        """Of all that the weights depend on, but what only says when to save, print or stop."""
        free = ("verbose", "checkpoint", "device", "contamination", "random_state", "max_time")
        values = {k: plain(v) for k, v in self.get_params(deep=False).items() if k not in free}
        digest = hashlib.sha256(json.dumps([self.recipe.name, values, seed, rows.shape, str(rows.dtype)]).encode())
        digest.update(np.ascontiguousarray(rows[:: max(1, len(rows) // 256)]).tobytes())
        return digest.hexdigest()

    def _card(self) -> str:
        last = self.history_[-1] if self.history_ else {}
        losses = "\n".join(f"- {k}: {v:.6g}" for k, v in last.items() if isinstance(v, float))
        decisions = "\n".join(f"- {line}" for line in self.report_)
        return (
            f"# {type(self).__name__}\n\n{self.recipe.summary}\n\nMade by narrows {__version__}. Load it with\n\n"
            f'```python\nimport narrows\n\nmodel = narrows.load("FOLDER")\n```\n\n'
            f"## What was decided, and why\n\n{decisions}\n\n## Last losses, nats per example\n\n{losses}\n"
        )


# not as decorators: scikit-learn wraps what a class body defines, for set_output, and would lose the condition
Estimator.transform = available_if(_has_code)(Estimator.transform)  # type: ignore[method-assign]
Estimator.fit_transform = available_if(_has_code)(Estimator.fit_transform)


def _names(X: Any) -> tuple[list[str | int] | None, str | None]:
    """The columns' names of a data frame, and what kind of frame it is."""
    if not hasattr(X, "columns") or not hasattr(X, "iloc"):
        return None, None
    return [n if isinstance(n, int) else str(n) for n in X.columns], "pandas"


def _filled(x: Tensor) -> Tensor:
    """`x` with rows of 0 added up to a power of two, at least `_FEWEST_ROWS`, so that few shapes occur."""
    n = len(x)
    whole = max(_FEWEST_ROWS, 1 << (n - 1).bit_length())
    return x if n == whole else torch.cat([x, x.new_zeros(whole - n, *x.shape[1:])])


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix R with R.T @ R = covariance, also where that is singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.sqrt(values.clip(min=0))[:, None] * vectors.T


def _support_message(self: Estimator, rows: np.ndarray, bad: np.ndarray) -> str:
    schema, likelihood, owner = self.schema_, self.model_.likelihood, type(self).__name__
    row, column = (int(i) for i in np.argwhere(bad)[0])
    bad = bad.reshape(-1, *schema.shape)
    bad = (np.moveaxis(bad, 1, -1) if schema.layout == "hwc" else bad).reshape(rows.shape)
    values = rows[bad]
    place = f"column {schema.columns[column]!r}" if schema.columns else f"column {column}"
    if schema.kind == "image":
        place = f"image {row}"
    support = likelihood.support
    if schema.scale[0] != 1 and schema.support == "unit":
        support = f"[0, {schema.scale[0]:g}]"
    return (
        f"X holds {int(bad.sum())} values outside {support} (min {values.min():g}, max {values.max():g}, the first in "
        f'{place}), which the "{likelihood.name}" likelihood of {owner} cannot score. Rescale X, or pass '
        'likelihood="gaussian".'
    )
