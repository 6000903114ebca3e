"""From codes to examples: the inverse, samples, dials, and ways between examples."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import torch
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows.bottlenecks import Gaussian, Sparse
from narrows.data import Schema
from narrows.estimators.signature import seed_from
from narrows.model import Autoencoder
from narrows.params import Integer, Parameter


def has_code(self: Any) -> bool:
    """Whether there are codes at all; a denoiser with `n_components=None` has none."""
    if getattr(self, "n_components", None) is None:
        raise AttributeError(f"This {type(self).__name__} has no codes, because n_components=None. Pass a number.")
    return True


class Dials:
    """Abstract: what can be done with codes once there is a model."""

    model_: Autoencoder
    schema_: Schema
    code_mean_: np.ndarray
    code_std_: np.ndarray
    code_covariance_: np.ndarray

    @abstractmethod
    def _codes(self, X: Any) -> np.ndarray:
        """The codes of X."""

    @abstractmethod
    def _decoded(self, z: Tensor, draw: int | None = None) -> Any:
        """The examples at codes, or drawn there with a seed."""

    @available_if(has_code)
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

    @available_if(has_code)
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

    @available_if(has_code)
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

    @available_if(has_code)
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


def _root(covariance: np.ndarray) -> np.ndarray:
    """A matrix R with R.T @ R = covariance, also where that is singular."""
    values, vectors = np.linalg.eigh(covariance)
    return np.sqrt(values.clip(min=0))[:, None] * vectors.T
