"""Generation of examples: from codes, from samplers, by dials, and on paths between examples."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import lerp, slerp
from narrows.data import SparseRows, first_row, is_sparse, one_row
from narrows.estimators import samplers
from narrows.estimators.attributes import Attribute, dial_directions, find_attribute
from narrows.estimators.codes import check_codes, draw_codes, index_of
from narrows.estimators.labels import Labelled, label_indices, learn_classes
from narrows.estimators.samplers import Mixture, Sampler
from narrows.estimators.signature import as_seed
from narrows.fitted import FittedModel
from narrows.model import inference_mode
from narrows.params import Integer, OneOf, Parameter, Real


def has_code(self: Any) -> bool:
    """Return True, or raise AttributeError for a denoiser with `n_components=None`, which has no codes."""
    if getattr(self, "n_components", None) is None:
        raise AttributeError(f"This {type(self).__name__} has no codes, because n_components=None. Pass a number.")
    return True


_Method = TypeVar("_Method", bound=Callable[..., Any])


def needs_code(method: _Method) -> _Method:
    """Hide `method` in models without codes. Unlike scikit-learn's decorator, this one keeps the method's type."""
    return cast(_Method, available_if(has_code)(method))


class Generation(Labelled):
    """Abstract: methods of a fitted model that work with codes.

    For a conditional model, `y` is one label for all examples or one for each. If it is None, the labels are inferred
    from the examples (see `VAE.infer_labels`).
    """

    code_mean_: np.ndarray
    code_std_: np.ndarray
    code_covariance_: np.ndarray
    samplers_: dict[str, Sampler]
    random_state: Any
    report_: list[str]

    @abstractmethod
    def _compute_codes(self, X: Any) -> np.ndarray:
        """Return the codes of X: n x L."""

    @abstractmethod
    def _decode(self, z: Tensor | SparseRows, draw: int | None = None, like: Any = None) -> Any:
        """Decode codes (with the columns of their labels) to means; if a seed `draw` is given, to random draws."""

    @needs_code
    def inverse_transform(self, Z: Any, y: Any = None) -> Any:
        """Decode the codes Z to examples, in the form and the units of the training data.

        Parameters
        ----------
        Z : (n, n_components) finite numbers: an array, or a sparse matrix of SciPy, which is decoded block by block.
        y : labels, one for all codes or (n,); required for a conditional model, not allowed for other models.

        Raises
        ------
        ValueError
            If Z or y is not valid.
        """
        check_is_fitted(self)
        index, Z = index_of(Z), check_codes(Z, self.model_.bottleneck.n_components, type(self).__name__)
        if self.model_.n_classes and y is None:
            raise ValueError(f"Codes of a conditional {type(self).__name__} need their labels: pass `y`.")
        if is_sparse(Z) and not self.model_.n_classes:
            return self._decode(SparseRows.of_matrix(Z))
        Z = Z.toarray() if is_sparse(Z) else Z
        examples = self._decode(self._with_labels(Z, self._label_columns(None, y, len(Z))))
        return examples if index is None or not hasattr(examples, "iloc") else examples.set_axis(index)

    @needs_code
    def fit_sampler(self, X: Any, sampler: str | Sampler = "mixture", y: Any = None) -> Self:
        """Fit a density to the codes of X, so that `sample` draws from it. The model itself does not change.

        For a stochastic code the density is fitted to one draw from the posterior of each example, because the decoder
        was trained on such draws. With labels, each label gets its own density, so that `sample(n, y=label)` works with
        any model.

        Parameters
        ----------
        X : examples, preferably those that the model was fitted on.
        sampler : "mixture", Gaussians whose number is chosen on held-out codes; "flow", a neural spline flow, or
            "maf" or "iaf", flows of another kind (extra `flows`); "two_stage", a second VAE; "autoregressive" for a
            discrete code, a transformer over its indices; or an unfitted sampler with its settings, such as
            `narrows.estimators.samplers.Mixture(10)`.
        y : (n,) labels, or None.

        Returns
        -------
        self. The sampler is in `samplers_` and is saved with the model.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid, the code is sparse, or there are fewer than 10 examples (of a label).
        ImportError
            If a flow is requested and zuko is not installed.
        """
        check_is_fitted(self)
        self._check_can_sample()
        owner, seed = type(self).__name__, as_seed(self.random_state)
        unfitted = samplers.as_sampler(sampler).bind(self.model_, owner)
        Z = self._draw_codes(X, seed)
        if len(Z) < samplers.MIN_CODES:
            raise ValueError(f"fit_sampler needs at least {samplers.MIN_CODES} examples. Got {len(Z)}.")
        rows, class_indices = samplers.subsample(len(Z)), None
        if y is not None:
            schema = self.schema_ if self.model_.n_classes else learn_classes(self.schema_, y, len(Z), owner)
            unfitted.classes, class_indices = schema.classes, label_indices(y, schema, len(Z), owner)[rows]
        others = {name: other for name, other in getattr(self, "samplers_", {}).items() if name != unfitted.name}
        self.samplers_ = {**others, unfitted.name: unfitted.fit(Z[rows], seed, class_indices)}
        return self

    @needs_code
    def sample(
        self,
        n_samples: int = 1,
        *,
        y: Any = None,
        sampler: str = "auto",
        temperature: float = 1.0,
        random_state: Any = None,
        noise: bool | None = None,
    ) -> Any:
        """Draw new codes and decode them to new examples.

        Parameters
        ----------
        n_samples : number of examples, at least 1.
        y : one label for all examples or one for each, for a conditional model or a sampler that was fitted with
            labels; None draws labels by their frequency in the training data.
        sampler : distribution of the codes. "prior" is the prior of a stochastic code. "gaussian" is a Gaussian with
            the mean and the covariance of the training codes; a conditional model has one for each label. The others,
            such as "mixture", are fitted by `fit_sampler`. "auto" is the one that it fitted last. If there is
            none, it is "prior" for a stochastic code, and "gaussian" for a plain code or a conditional model.
        temperature : factor of the spread of the codes, 0 or more. Below 1, examples are more usual and less varied.
            At 0, all codes are at the centre (of a mixture: at the centres of its Gaussians).
        random_state : seed; None gives other examples in each call.
        noise : True to draw each entry from the likelihood, False to return the mean of the likelihood. None draws if
            the model was fitted on a data frame, because means vary less than rows do, and returns means otherwise.

        Returns
        -------
        (n_samples, ...) examples, in the form and the units of the training data.

        Raises
        ------
        ValueError
            If an argument is not valid, or the code has no such distribution.
        """
        check_is_fitted(self)
        Parameter("n_samples", 1, Integer(1), "").check("sample", n_samples)
        Parameter("temperature", 1.0, Real(0, np.inf, open_high=True), "").check("sample", temperature)
        source = self.sampler(sampler)
        generator = np.random.default_rng(as_seed(random_state))
        n_classes, owner = self.model_.n_classes, type(self).__name__
        if y is None and n_classes:
            frequencies = np.asarray(self.schema_.frequencies)
            y = np.asarray(self.schema_.classes)[generator.choice(len(frequencies), n_samples, p=frequencies)]
        class_indices = None
        if y is not None and source.classes is not None:
            class_indices = label_indices(y, replace(self.schema_, classes=source.classes), n_samples, owner)
        z = self._project(source.draw(n_samples, generator, temperature, class_indices).numpy())
        if class_indices is not None and not n_classes:  # the sampler knows labels, the model does not
            columns = np.empty((n_samples, 0))
        else:
            columns = self._label_columns(None, y, n_samples)
        noise = self.schema_.table is not None if noise is None else noise
        return self._decode(self._with_labels(z, columns), draw=as_seed(generator) if noise else None)

    @needs_code
    def sampler(self, name: str = "auto") -> Sampler:
        """Return the sampler that `sample` uses for `name`. It draws codes and computes their density.

        Raises
        ------
        ValueError
            If there is no sampler with that name, or the code is sparse.
        """
        check_is_fitted(self)
        fitted = getattr(self, "samplers_", {})
        default = self._check_can_sample()
        Parameter("sampler", "auto", OneOf(("auto", "prior", "gaussian", *samplers.SAMPLERS)), "").check("sample", name)
        if name == "auto":
            name = [default, *fitted][-1]
        if name in fitted:
            return fitted[name].bind(self.model_, type(self).__name__)
        if name == "gaussian":
            return Mixture.gaussian(self.code_mean_, self.code_covariance_)
        if name == "prior" and self.model_.prior_code is not None:
            return samplers.Prior(self.model_)
        if name == "prior":
            raise ValueError(f"The code of {type(self).__name__} has no prior: pass sampler='gaussian', or fit a VAE.")
        raise ValueError(f"There is no sampler {name!r} yet: call fit_sampler(X, {name!r}) first.")

    @needs_code
    def traverse(
        self, X: Any = None, *, components: Any = None, n_steps: int = 9, span: float = 3.0, y: Any = None
    ) -> Any:
        """Vary one component of a code at a time, while the others stay, and decode the codes.

        Parameters
        ----------
        X : examples or one row; the code of the first is the start. None is the mean of the training codes.
        components : indices of components, or results of `attribute`; None for all components in their order.
        n_steps : number of values of each component, at least 2.
        span : largest distance from the mean to both sides, in standard deviations of the codes.
        y : label for a conditional model. None infers it from X; without X it is the most frequent label.

        Returns
        -------
        (components, n_steps, ...) examples; for a model of a data frame a list with one frame for each component.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        check_is_fitted(self)
        Parameter("n_steps", 9, Integer(2), "").check("traverse", n_steps)
        Parameter("span", 3.0, Real(0, np.inf, open_high=True), "").check("traverse", span)
        n = self.model_.bottleneck.n_components
        dials = dial_directions(components, self.dial_scale())
        first = None if X is None else first_row(X, self.schema_)
        start = self.code_mean_ if first is None else np.asarray(self._compute_codes(first))[0]
        start = start.astype(np.float64)
        z = np.empty((len(dials), n_steps, n))
        for row, (direction, spread) in zip(z, dials, strict=True):
            # only the part of z along the direction changes; for component i it is e_i (e_i . z)
            positions = self.code_mean_ @ direction + spread * np.linspace(-span, span, n_steps)
            row[:] = start - (start @ direction) * direction + positions[:, None] * direction
        if y is None and X is None and self.model_.n_classes:
            y = np.asarray(self.schema_.classes)[np.argmax(np.asarray(self.schema_.frequencies))]
        columns = self._label_columns(first, y, 1).repeat(len(dials) * n_steps, axis=0)
        codes = self._with_labels(self._project(z.reshape(-1, n)), columns)
        if (table := self.schema_.table) is not None:
            frames = [self._decode(part) for part in codes.split(n_steps)]
            return np.stack(frames) if table.kind == "array" else frames
        return self._decode(codes).reshape(len(dials), n_steps, *self.schema_.user_shape)

    @needs_code
    def interpolate(self, a: Any, b: Any, *, n_steps: int = 9, path: str = "auto", y: Any = None) -> Any:
        """Return examples on a path through the codes, from example `a` to example `b`, both included: (n_steps, ...).

        Parameters
        ----------
        a, b : one example each, of shape (...); for a table a dict, a pandas Series, or a frame of one row.
        n_steps : number of examples on the path, at least 2.
        path : "line", or "sphere" for an arc around the origin. Draws from a prior N(0, I) lie near a sphere, and a
            line crosses the empty space inside it (White, Sampling generative networks, 2016,
            https://arxiv.org/abs/1609.04468). "auto" is "sphere" for the code of a VAE, and "line" for a plain code.
        y : labels of `a` and `b` for a conditional model, a pair or one label for both; None infers them.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        check_is_fitted(self)
        Parameter("n_steps", 9, Integer(2), "").check("interpolate", n_steps)
        Parameter("path", "auto", OneOf(("auto", "line", "sphere")), "").check("interpolate", path)
        pair = [one_row(example, self.schema_, "interpolate") for example in (a, b)]
        first, last = (torch.from_numpy(np.asarray(self._compute_codes(x)).astype(np.float64))[0] for x in pair)
        t = torch.linspace(0, 1, n_steps, dtype=torch.float64)[:, None]
        between = {"line": lerp, "sphere": slerp, "auto": self.model_.interpolate}[path]
        labels = [None, None] if y is None else np.broadcast_to(np.asarray(y), (2,)) if np.ndim(y) == 0 else list(y)
        if len(labels) != 2:
            raise ValueError(f"The `y` parameter of interpolate must be a label, or a pair of them. Got {y!r} instead.")
        columns = [self._label_columns(example, label, 1) for example, label in zip(pair, labels, strict=True)]
        label_probs = lerp(torch.from_numpy(columns[0]), torch.from_numpy(columns[1]), t)
        z = torch.from_numpy(self._project(between(first, last, t).numpy()))
        return self._decode(torch.cat([z, label_probs], 1))

    @needs_code
    def attribute(self, X: Any, y: Any) -> Attribute:
        """Find the direction in which codes move as `y` grows: the dial "more of this", for `move` and `traverse`.

        The direction is the slope of each component in `y`, cov(z, y) / var(y). If `y` is 0 or 1, it is the mean code
        of the examples with 1 minus the mean code of those with 0. The weights of a classifier are another direction:
        it separates the examples best, but it is not the direction in which they differ (Haufe et al., 2014,
        https://doi.org/10.1016/j.neuroimage.2013.10.067).

        Parameters
        ----------
        X : (n, ...) examples.
        y : (n,) numbers or booleans, the amount of the attribute in each example, such as `labels == 3`.

        Raises
        ------
        ValueError, TypeError
            If X or y is not valid, `y` does not vary, or no component of the codes varies with it.
        """
        return find_attribute(np.asarray(self._compute_codes(X)).astype(np.float64), y)

    @needs_code
    def move(self, X: Any, attribute: Attribute, amount: Any = 1.0, *, y: Any = None) -> Any:
        """Return X with more of an attribute, in the form and the units of X.

        Parameters
        ----------
        X : (n, ...) examples.
        attribute : a result of the method `attribute`.
        amount : increase of the attribute in the units of its `y`, one number or (n,). If that `y` was 0 or 1, an
            amount of 1 goes from examples with 0 to examples with 1, and -1 goes back.
        y : labels for a conditional model, one for all examples or (n,); None infers them.

        Raises
        ------
        ValueError, TypeError
            If an argument is not valid.
        """
        if not isinstance(attribute, Attribute):
            raise TypeError(
                f"The `attribute` parameter of move must be a result of `attribute(X, y)`. Got "
                f"{type(attribute).__name__} instead."
            )
        z = np.asarray(self._compute_codes(X)).astype(np.float64)
        if attribute.direction.shape != z.shape[1:]:
            raise ValueError(
                f"The attribute belongs to codes with {len(attribute.direction)} components, but this "
                f"{type(self).__name__} has {z.shape[1]}: find it with this model's `attribute`."
            )
        steps = np.asarray(amount, dtype=np.float64)
        if steps.shape not in ((), (len(z),)) or not np.isfinite(steps).all():
            raise ValueError(
                f"The `amount` parameter of move must be one finite number, or one for each of {len(z)} examples. Got "
                f"{amount!r} instead."
            )
        moved = z + (steps * attribute.scale).reshape(-1, 1) * attribute.direction
        return self._decode(self._with_labels(self._project(moved), self._label_columns(X, y, len(z))), like=X)

    def dial_scale(self) -> np.ndarray:
        """Return the standard deviation of each component: (L,). It is the prior's if known, otherwise the codes'."""
        code = self.model_.stochastic
        std = None if code is None else code.prior_std
        if std is None:
            return self.code_std_
        return std.detach().cpu().double().numpy()[self.model_.order.cpu().numpy()]

    # ---------------------------------------------------------------------------------------------- inside

    def _fit_by_label(self, rows: np.ndarray, class_indices: np.ndarray, seed: int) -> None:
        """Fit a Gaussian to the codes of each class, because the codes of one class do not follow the prior exactly."""
        known = np.flatnonzero(class_indices >= 0)
        known = known[samplers.subsample(len(known))]
        counts = np.bincount(class_indices[known], minlength=self.model_.n_classes)
        if counts.min() < samplers.MIN_CODES:
            self.report_.append(
                f"A class has only {counts.min()} labelled examples, so codes are drawn from the prior. With at least "
                f"{samplers.MIN_CODES} of each class they would be drawn from one Gaussian for each class."
            )
            return
        assert self.schema_.classes is not None
        gaussian = Mixture(1)
        gaussian.classes = self.schema_.classes
        self.samplers_ = {"gaussian": gaussian.fit(self._draw_codes(rows[known], seed), seed, class_indices[known])}

    def _check_can_sample(self) -> str:
        """Return the default sampler's name; raise ValueError for codes without a distribution to draw from."""
        default = self.model_.bottleneck.default_sampler
        if default is None:
            kind = "A sparse code" if self.model_.bottleneck.is_sparse else f"The code of {type(self).__name__}"
            raise ValueError(f"{kind} has no distribution to draw from: fit a VAE to sample.")
        return default

    def _draw_codes(self, X: Any, seed: int) -> Tensor:
        """Return codes like those that the decoder was trained on: n x L, float64. A stochastic code gives draws."""
        if self.model_.stochastic is None:
            return torch.from_numpy(np.asarray(self._compute_codes(X)).astype(np.float64))
        return draw_codes(cast(FittedModel, self), self.prepare(X), seed)[:, self.model_.order.cpu()]

    def _project(self, z: np.ndarray) -> np.ndarray:
        """Return, for each row of z (n x L), the nearest code that the bottleneck can give."""
        like = next(self.model_.parameters())  # codes are decoded in its dtype: Apple's GPUs have no float64
        with inference_mode(self.model_):
            return self.model_.project(torch.from_numpy(z).to(like)).detach().cpu().double().numpy()
