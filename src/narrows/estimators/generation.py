"""From codes to examples: the inverse, samples, dials, and ways between examples."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Self, TypeVar, cast

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import lerp, slerp
from narrows.data import Schema
from narrows.estimators import labels, samplers
from narrows.estimators.attributes import Attribute, find_attribute
from narrows.estimators.samplers import Mixture, Sampler
from narrows.estimators.signature import as_seed
from narrows.model import Autoencoder, infer_label, inference_mode
from narrows.params import Integer, OneOf, Parameter, Real


def has_code(self: Any) -> bool:
    """Whether there are codes at all; a denoiser with `n_components=None` has none."""
    if getattr(self, "n_components", None) is None:
        raise AttributeError(f"This {type(self).__name__} has no codes, because n_components=None. Pass a number.")
    return True


_Method = TypeVar("_Method", bound=Callable[..., Any])


def needs_code(method: _Method) -> _Method:
    """Hide `method` where there are no codes. Type checkers see it as it is, which scikit-learn's decorator hides."""
    return cast(_Method, available_if(has_code)(method))


class Generation(ABC):
    """Abstract: what can be done with codes once there is a model.

    Where the model is conditional, `y` is one label for all examples or one for each; None has it inferred from the
    examples (see `VAE.infer_labels`).
    """

    model_: Autoencoder
    schema_: Schema
    code_mean_: np.ndarray
    code_std_: np.ndarray
    code_covariance_: np.ndarray
    samplers_: dict[str, Sampler]
    random_state: Any
    report_: list[str]

    @abstractmethod
    def _codes(self, X: Any) -> np.ndarray:
        """The codes of X."""

    @abstractmethod
    def _decoded(self, z: Tensor, draw: int | None = None, like: Any = None) -> Any:
        """The examples at codes (and the labels' columns behind them), or drawn there with a seed."""

    @abstractmethod
    def prepared(self, X: Any) -> Tensor:
        """X checked and on the model's scale."""

    @abstractmethod
    def applied(self, function: Any, rows: np.ndarray | Tensor) -> Tensor:
        """`function` over many examples."""

    @needs_code
    def inverse_transform(self, Z: Any, y: Any = None) -> Any:
        """The examples at the codes Z (n, n_components), in the form and the units of the data fitted on.

        A conditional model needs the labels `y`, too.
        """
        check_is_fitted(self)
        Z = np.asarray(Z)
        if Z.ndim != 2 or Z.shape[1] != self.model_.bottleneck.n_components:
            raise ValueError(
                f"Codes for {type(self).__name__} must have shape (n, {self.model_.bottleneck.n_components}). "
                f"Got {Z.shape}."
            )
        if Z.dtype.kind not in "biuf" or not np.isfinite(Z).all():
            raise ValueError(f"Codes for {type(self).__name__} must be finite numbers.")
        return self._decoded(self._joined(Z, y))

    @needs_code
    def fit_sampler(self, X: Any, sampler: str | Sampler = "mixture", y: Any = None) -> Self:
        """Learn where the codes of X lie, so that `sample` draws from there. The model itself stays as it is.

        Of a stochastic code one draw from each example's posterior is taken, since those are what the decoder knows.
        With labels each has a mixture of its own, so that `sample(n, y=label)` is of that label with any model.

        Parameters
        ----------
        X : examples, best those that the model was fitted on.
        sampler : "mixture" of Gaussians, as many as held-out codes ask for; "flow", a neural spline flow (extra
            `flows`); or one with settings of its own, such as `narrows.estimators.samplers.Mixture(10)`.
        y : the label of each example, or None; not for a flow.

        Returns
        -------
        self, with the sampler in `samplers_`; it is saved with the model.
        """
        check_is_fitted(self)
        self._check_can_sample()
        found, seed = samplers.chosen(sampler), as_seed(self.random_state)
        Z, owner = self._drawn(X, seed), type(self).__name__
        if len(Z) < samplers.FEWEST:
            raise ValueError(f"fit_sampler needs at least {samplers.FEWEST} examples. Got {len(Z)}.")
        few, which = samplers.some(len(Z)), None
        if y is not None:
            known = self.schema_ if self.model_.n_classes else labels.learned(self.schema_, y, len(Z), owner)
            found.classes, which = known.classes, labels.numbers(y, known, len(Z), owner)[few]
        others = {name: one for name, one in getattr(self, "samplers_", {}).items() if name != found.name}
        self.samplers_ = {**others, found.name: found.fit(Z[few], seed, which)}
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
        noise: bool = False,
    ) -> Any:
        """New examples, decoded from new codes.

        Parameters
        ----------
        n_samples : how many.
        y : one label for all of them or one for each, of a conditional model or of a sampler that was fitted with
            labels; None has them as frequent as they were there.
        sampler : where codes are drawn from. "prior": that of a stochastic code; "gaussian": a Gaussian with the mean
            and the covariance of the training codes, one for each label of a conditional model; "mixture" or "flow":
            what `fit_sampler` learned. "auto" is what `fit_sampler` learned last, otherwise the prior of a
            stochastic code, and the Gaussian of a plain code and of a conditional model.
        temperature : scales the spread of what is drawn; below 1 examples are more usual and less varied, and at 0 all
            are at the centre (of each Gaussian of a mixture).
        random_state : seed; None draws anew each time.
        noise : whether each entry is drawn from the likelihood, or is its mean.
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
        which = None
        if y is not None and source.classes is not None:
            which = labels.numbers(y, replace(self.schema_, classes=source.classes), n_samples, owner)
        z = source.draw(n_samples, generator, temperature, which).numpy()
        told = np.empty((n_samples, 0)) if which is not None and not n_classes else self._told(None, y, n_samples)
        return self._decoded(self._with(self._allowed(z), told), draw=as_seed(generator) if noise else None)

    @needs_code
    def sampler(self, name: str = "auto") -> Sampler:
        """Where `sample` draws codes from: see there for the names. It draws codes and knows their density.

        Raises
        ------
        ValueError
            If there is none of that name, or the code is sparse.
        """
        check_is_fitted(self)
        fitted = getattr(self, "samplers_", {})
        default = self._check_can_sample()
        Parameter("sampler", "auto", OneOf(("auto", "prior", "gaussian", *samplers.SAMPLERS)), "").check("sample", name)
        if name == "auto":
            name = [default, *fitted][-1]
        if name in fitted:
            return fitted[name]
        if name == "gaussian":
            return Mixture.gaussian(self.code_mean_, self.code_covariance_)
        if name == "prior" and self.model_.stochastic is not None:
            return samplers.Prior(self.model_)
        if name == "prior":
            raise ValueError(
                f"The code of {type(self).__name__} has no prior: draw from sampler='gaussian', or fit a VAE."
            )
        raise ValueError(f"There is no sampler {name!r} yet: fit_sampler(X, {name!r}) learns one.")

    @needs_code
    def traverse(
        self, X: Any = None, *, components: Any = None, n_steps: int = 9, span: float = 3.0, y: Any = None
    ) -> np.ndarray:
        """One dial a component: each is turned while the others stay, and the examples are decoded.

        Parameters
        ----------
        X : the example whose code is the start (its first row is taken); None starts from the centre of all codes.
        components : which dials, numbers or what `attribute` gives; None for all, in the order of what they carry.
        n_steps : positions of each dial.
        span : how far each is turned to both sides, in standard deviations of the codes.
        y : the label of a conditional model; None infers it from X, and is the most frequent without X.

        Returns
        -------
        (dials, n_steps, ...) examples.
        """
        check_is_fitted(self)
        Parameter("n_steps", 9, Integer(2), "").check("traverse", n_steps)
        Parameter("span", 3.0, Real(0, np.inf, open_high=True), "").check("traverse", span)
        n = self.model_.bottleneck.n_components
        dials = self._dials(components)
        start = self.code_mean_ if X is None else np.asarray(self._codes(X[:1]))[0]
        start = start.astype(np.float64)
        z = np.empty((len(dials), n_steps, n))
        for row, (direction, spread) in zip(z, dials, strict=True):
            # all but the part along the direction stays; e_i (e_i . z) is component i alone
            turned = self.code_mean_ @ direction + spread * np.linspace(-span, span, n_steps)
            row[:] = start - (start @ direction) * direction + turned[:, None] * direction
        if y is None and X is None and self.model_.n_classes:
            y = np.asarray(self.schema_.classes)[np.argmax(np.asarray(self.schema_.frequencies))]
        told = self._told(None if X is None else X[:1], y, 1).repeat(len(dials) * n_steps, axis=0)
        decoded = np.asarray(self._decoded(self._with(self._allowed(z.reshape(-1, n)), told)))
        return decoded.reshape(len(dials), n_steps, *self.schema_.user_shape)

    @needs_code
    def interpolate(self, a: Any, b: Any, *, n_steps: int = 9, path: str = "auto", y: Any = None) -> np.ndarray:
        """The way from example `a` to example `b` through the codes, both included: (n_steps, ...).

        Parameters
        ----------
        n_steps : examples on the way.
        path : "line", or "sphere": on the sphere about the origin, where the draws of a prior N(0, I) lie, while a
            line cuts through its empty middle (White, Sampling generative networks, 2016,
            https://arxiv.org/abs/1609.04468). "auto" is what suits the code: the sphere for that of a VAE, a line for
            plain ones.
        y : the labels of `a` and `b` (a pair, or one for both) where the model is conditional; None infers them.
        """
        check_is_fitted(self)
        Parameter("n_steps", 9, Integer(2), "").check("interpolate", n_steps)
        Parameter("path", "auto", OneOf(("auto", "line", "sphere")), "").check("interpolate", path)
        pair = [
            example.to_frame().T if hasattr(example, "to_frame") else np.asarray(example)[None] for example in (a, b)
        ]
        first, last = (torch.from_numpy(np.asarray(self._codes(example)).astype(np.float64))[0] for example in pair)
        t = torch.linspace(0, 1, n_steps, dtype=torch.float64)[:, None]
        between = {"line": lerp, "sphere": slerp, "auto": self.model_.interpolate}[path]
        given = [None, None] if y is None else np.broadcast_to(np.asarray(y), (2,)) if np.ndim(y) == 0 else list(y)
        if len(given) != 2:
            raise ValueError(f"The `y` parameter of interpolate must be a label, or a pair of them. Got {y!r} instead.")
        told = [self._told(example, label, 1) for example, label in zip(pair, given, strict=True)]
        label_probs = lerp(torch.from_numpy(told[0]), torch.from_numpy(told[1]), t)
        z = torch.from_numpy(self._allowed(between(first, last, t).numpy()))
        return np.asarray(self._decoded(torch.cat([z, label_probs], 1)))

    @needs_code
    def attribute(self, X: Any, y: Any) -> Attribute:
        """Where codes go as `y` grows: the dial "more of this", for `move` and for `traverse`.

        The slope of each component in `y`, cov(z, y) / var(y); where `y` is 0 or 1, the mean code of those with it less
        the mean code of those without. (The weights of a classifier would be another direction: the one that tells
        best, and not the one in which examples differ; Haufe et al., 2014,
        https://doi.org/10.1016/j.neuroimage.2013.10.067.)

        Parameters
        ----------
        X : examples.
        y : how much each of them has of it: n numbers or booleans, such as `labels == 3`.
        """
        return find_attribute(np.asarray(self._codes(X)).astype(np.float64), y)

    @needs_code
    def move(self, X: Any, attribute: Attribute, amount: Any = 1.0, *, y: Any = None) -> Any:
        """X with more of an attribute, in the form and the units of X.

        Parameters
        ----------
        attribute : what `attribute` gave.
        amount : how much more: one number, or one for each example. For what is or is not there, 1 goes from without to
            with it; negative numbers go back.
        y : labels, where the model is conditional.
        """
        if not isinstance(attribute, Attribute):
            raise TypeError(
                f"The `attribute` parameter of move must be what `attribute(X, y)` gives. Got "
                f"{type(attribute).__name__} instead."
            )
        z = np.asarray(self._codes(X)).astype(np.float64)
        if attribute.direction.shape != z.shape[1:]:
            raise ValueError(
                f"The attribute is of codes with {len(attribute.direction)} components, and this {type(self).__name__} "
                f"has {z.shape[1]}: find it with this model's `attribute`."
            )
        steps = np.asarray(amount, dtype=np.float64)
        if steps.shape not in ((), (len(z),)) or not np.isfinite(steps).all():
            raise ValueError(
                f"The `amount` parameter of move must be one finite number, or one for each of {len(z)} examples. Got "
                f"{amount!r} instead."
            )
        moved = z + (steps * attribute.scale).reshape(-1, 1) * attribute.direction
        return self._decoded(self._with(self._allowed(moved), self._told(X, y, len(z))), like=X)

    def dial_scale(self) -> np.ndarray:
        """The length of one step of each dial: the prior's standard deviation, where it is known, or the codes'."""
        code = self.model_.stochastic
        std = None if code is None else code.prior_std
        if std is None:
            return self.code_std_
        return std.detach().cpu().double().numpy()[self.model_.order.cpu().numpy()]

    # ---------------------------------------------------------------------------------------------- inside

    def _fit_by_label(self, rows: np.ndarray, numbers: np.ndarray, seed: int) -> None:
        """Where the codes of each class lie: not quite at the prior, and what lies elsewhere is of no class."""
        known = np.flatnonzero(numbers >= 0)
        known = known[samplers.some(len(known))]
        counts = np.bincount(numbers[known], minlength=self.model_.n_classes)
        if counts.min() < samplers.FEWEST:
            self.report_.append(
                f"A class has {counts.min()} labelled examples: codes are drawn from the prior rather than from a "
                f"Gaussian for each class, which {samplers.FEWEST} examples would allow."
            )
            return
        assert self.schema_.classes is not None
        found = samplers.by_label(self._drawn(rows[known], seed), numbers[known], self.schema_.classes, seed)
        self.samplers_ = {"gaussian": found}

    def _check_can_sample(self) -> str:
        """Return the default sampler's name; raise ValueError for codes without a distribution to draw from."""
        default = self.model_.bottleneck.default_sampler
        if default is None:
            kind = "A sparse code" if self.model_.bottleneck.is_sparse else f"The code of {type(self).__name__}"
            raise ValueError(f"{kind} has no distribution to draw from: fit a VAE to sample.")
        return default

    def _drawn(self, X: Any, seed: int) -> Tensor:
        """Codes as the decoder was shown them in the training: n x L, double precision."""
        model, code = self.model_, self.model_.stochastic
        if code is None:
            return torch.from_numpy(np.asarray(self._codes(X)).astype(np.float64))
        h = self.applied(model.encoder, self.prepared(X))
        eps = torch.randn(len(h), code.n_noise, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
        like = next(code.parameters(), eps)  # in double precision where the code has learned nothing itself
        with inference_mode(model):
            z = code.sample(h.to(like), eps.to(like)).z.detach()
        return z.double().cpu()[:, model.order.cpu()]

    def _dials(self, components: Any) -> list[tuple[np.ndarray, float]]:
        """Direction and spread of each dial."""
        n = self.model_.bottleneck.n_components
        scale = self.dial_scale()
        asked = range(n) if components is None else components
        if isinstance(asked, Attribute) or not isinstance(asked, (list, tuple, range, np.ndarray)):
            asked = [asked]
        dials = []
        for one in asked:
            if isinstance(one, Attribute) and one.direction.shape == (n,):
                dials.append((one.direction, one.spread))
            elif Integer(0, n - 1).accepts(one):
                dials.append((np.eye(n)[one], float(scale[one])))
            else:
                dials = []
                break
        if not dials:
            raise ValueError(
                f"The `components` parameter of traverse must hold ints from 0 to {n - 1}. Got {components!r}."
            )
        return dials

    def _allowed(self, z: np.ndarray) -> np.ndarray:
        """The codes nearest to z (n x L) that the bottleneck could give."""
        like = next(self.model_.parameters())  # in whose dtype they will be decoded: Apple's GPUs know no float64
        with inference_mode(self.model_):
            return self.model_.project(torch.from_numpy(z).to(like)).detach().cpu().double().numpy()

    def _joined(self, z: np.ndarray, y: Any) -> Tensor:
        """Codes with the columns of their labels."""
        if self.model_.n_classes and y is None:
            raise ValueError(f"Codes of a conditional {type(self).__name__} need their labels: pass `y`.")
        return self._with(z, self._told(None, y, len(z)))

    def _with(self, z: np.ndarray, told: np.ndarray) -> Tensor:
        return torch.from_numpy(np.concatenate([np.asarray(z, dtype=np.float64), told], axis=1))

    def _told(self, X: Any, y: Any, n: int) -> np.ndarray:
        """The columns of `n` labels, those of X inferred where `y` is None: n x C, no columns without classes."""
        n_classes, owner = self.model_.n_classes, type(self).__name__
        if n_classes == 0:
            if y is not None:
                raise ValueError(f"This {owner} knows no labels, so `y` says nothing to it. Fit with conditional=True.")
            return np.empty((n, 0))
        if y is None:
            return self._inferred(X).astype(np.float64)
        return np.eye(n_classes)[labels.numbers(y, self.schema_, n, owner)]

    def _inferred(self, X: Any) -> np.ndarray:
        return self.applied(lambda x: infer_label(self.model_, x), self.prepared(X)).numpy()
