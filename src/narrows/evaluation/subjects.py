"""What is measured: a model, or PCA in its place, on the examples at hand. Everything is found once, when first used.

All subjects of an evaluation speak the first model's language: examples are on its scale, B x `schema.shape`.
"""

from __future__ import annotations

import contextlib
import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from narrows.bottlenecks import Bottleneck, Stochastic
from narrows.data import Schema, spaced_indices
from narrows.evaluation.features import Space
from narrows.evaluation.features import name as name_of_space
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.registry import Absent
from narrows.evaluation.scores import AUTO_CONTAMINATION, N_DRAWS, apply_to_code
from narrows.evaluation.scores import draws as fixed_draws

if TYPE_CHECKING:
    from narrows.estimators import Estimator  # for the annotation only: evaluation stands below

N_COMPARED = 5_000  # real examples, and as many new ones
N_TRAIN_SCORED = 2_000  # training examples, whose scores the others' are compared with


@dataclass
class Scene:
    """What all subjects share.

    Attributes
    ----------
    X : the examples as the user has them.
    rows : the same on the model's scale, n x `schema.shape`.
    train : the training examples on the model's scale, or None.
    labels : n integers from 0, or None.
    seed : of everything random.
    n_draws : of each posterior, for the likelihood.
    features : the user's own space to compare new examples in, from examples as the user has them to m x features.
    """

    X: Any
    rows: Tensor
    schema: Schema
    train: Tensor | None = None
    labels: np.ndarray | None = None
    seed: int = 0
    n_draws: int = 64
    features: Callable[[Any], Any] | None = None
    resamples: Resamples = field(init=False)

    def __post_init__(self) -> None:
        self.resamples = Resamples(self.seed)

    @property
    def bounded(self) -> bool:
        """Whether entries lie in [0, 1], so that a signal has a peak."""
        return self.schema.support in ("unit", "binary")

    @property
    def noisy(self) -> bool:
        """Whether a new example is a draw of each entry: for grey and colour images it is the mean, as is usual."""
        return self.schema.kind != "image" or self.schema.support == "binary"

    @property
    def space(self) -> str:
        """What the space is called in which new examples are compared with real ones."""
        if self.features is None:
            return name_of_space(tuple(self.schema.shape))
        return getattr(self.features, "__qualname__", type(self.features).__name__)

    @functools.cached_property
    def _space(self) -> Space:
        return Space(self.rows[self.few(N_COMPARED)], self.features and self._own_features)

    @property
    def real_features(self) -> Tensor:
        """Features of at most `N_COMPARED` of the examples."""
        return self._space.real

    @functools.cached_property
    def train_features(self) -> Tensor | None:
        """Features of as many training examples."""
        return None if self.train is None else self._space.of(evenly_spaced(self.train, len(self.real_features)))

    def features_of(self, x: Tensor) -> Tensor:
        """Features of `x`, on the model's scale."""
        return self._space.of(x)

    def _own_features(self, x: Tensor) -> Tensor:
        assert self.features is not None
        found = torch.as_tensor(np.asarray(self.features(self.schema.as_frame(self.schema.restore(x)))))
        if found.dim() != 2 or len(found) != len(x):
            raise ValueError(
                f"The `features` parameter of evaluate must give n x features for n examples. For {len(x)} it gave the "
                f"shape {tuple(found.shape)}."
            )
        return found

    def few(self, most: int) -> np.ndarray:
        """At most `most` of the examples, evenly spaced: for what grows with their square."""
        return spaced_indices(len(self.rows), most)


class Subject(ABC):
    """Abstract: a way through a narrow place and back.

    Attributes
    ----------
    scene : what is shared.
    """

    scene: Scene

    @property
    @abstractmethod
    def codes(self) -> np.ndarray:
        """The codes of the examples, n x L. Raises Absent where there are none."""

    @property
    @abstractmethod
    def rebuilt(self) -> Tensor:
        """The examples through the narrow place and back, n x shape."""

    @property
    @abstractmethod
    def scores(self) -> np.ndarray:
        """Nats of each example in the user's units (n): higher is more usual."""

    @property
    @abstractmethod
    def train_scores(self) -> np.ndarray:
        """The same of at most as many training examples. Raises Absent where there are none."""

    @property
    @abstractmethod
    def threshold(self) -> tuple[float, float]:
        """The score below which an example is an outlier, and the share of outliers that it stands for."""

    @abstractmethod
    def sampled(self, n: int) -> Tensor:
        """`n` new examples, n x shape. Raises Absent where none can be drawn."""

    @functools.cached_property
    def error(self) -> np.ndarray:
        """Mean squared error of each example over its entries (n)."""
        parts = zip(self.rebuilt.split(4096), self.scene.rows.split(4096), strict=True)
        return np.concatenate([(a - b).square().flatten(1).mean(1).double().numpy() for a, b in parts])

    @functools.cached_property
    def new_features(self) -> Tensor:
        """Features of as many new examples as there are `real_features`."""
        return self.scene.features_of(self.sampled(len(self.scene.real_features)))


class OfModel(Subject):
    """A fitted estimator.

    Parameters
    ----------
    estimator : it.
    scene : what is shared; `scene.schema` is that of the model which is measured, of which this one may differ.
    scores : what `score_samples` gives for the examples, if that is known.
    """

    def __init__(self, estimator: Estimator, scene: Scene, scores: np.ndarray | None = None) -> None:
        self.estimator, self.scene = estimator, scene
        if scores is not None:
            self.scores = scores
        own, shared = estimator.schema_, scene.schema
        self.same = (own.offset, own.scale, own.shape) == (shared.offset, shared.scale, shared.shape)

    @functools.cached_property
    def rows(self) -> Tensor:
        """The examples on this model's own scale."""
        return self.scene.rows if self.same else self.estimator.prepared(self.scene.X)

    @property
    def bottleneck(self) -> Bottleneck:
        """The narrow place."""
        return self.estimator.model_.bottleneck

    @property
    def stochastic(self) -> Stochastic:
        """The same, of a stochastic code. Raises Absent for any other."""
        code = self.estimator.model_.stochastic
        if code is None:
            raise Absent(
                f"a code of {type(self.estimator).__name__} is a point and no distribution, so the model gives x no "
                "likelihood and pays no KL: fit a VAE"
            )
        return code

    @functools.cached_property
    def kl_per_component(self) -> Tensor:
        """KL of the posterior from the prior, nats (n x L). Raises Absent where there is no closed form."""
        kl = apply_to_code(self.estimator.module(), self.stochastic.kl_per_component, self.h)
        if kl is None:
            raise Absent(f"the KL of this {type(self.estimator).__name__} has no closed form for each component")
        return kl

    @functools.cached_property
    def kl(self) -> np.ndarray:
        """KL of the posterior from the prior, nats (n): by its closed form, or by the draws that `scores` take."""
        code = self.stochastic
        with contextlib.suppress(Absent):
            return self.kl_per_component.sum(1).double().numpy()
        draws = fixed_draws(code.n_noise, N_DRAWS).to(self.h)

        def mean(h: Tensor) -> Tensor:
            samples = [code.sample(h, eps.to(h).expand(len(h), -1)) for eps in draws]
            return torch.stack([log_q - log_p for _, log_q, log_p in samples]).mean(0)

        return apply_to_code(self.estimator.module(), mean, self.h).double().numpy()

    @functools.cached_property
    def h(self) -> Tensor:
        """The encoder's output, n x n_inputs."""
        return self.estimator.applied(self.estimator.model_.encoder, self.rows)

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """By `model_.encode`."""
        if not self.estimator.model_.has_code:
            raise Absent(f"this {type(self.estimator).__name__} has no codes, because n_components=None")
        return self.estimator.applied(self.estimator.model_.encode, self.rows).double().numpy()

    @functools.cached_property
    def rebuilt(self) -> Tensor:
        """By `model_.reconstruct`."""
        found = self.estimator.applied(self.estimator.model_.reconstruct, self.rows)
        return found if self.same else self._in_common(self.estimator.schema_.restore(found))

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """By `score_samples`."""
        return np.asarray(self.estimator.score_samples(self.scene.X))

    @functools.cached_property
    def train_scores(self) -> np.ndarray:
        """By `score_samples`."""
        if self.scene.train is None:
            raise Absent("the training examples were not given: pass train=")
        few = evenly_spaced(self.scene.train, min(N_TRAIN_SCORED, len(self.scene.rows)))
        return np.asarray(self.estimator.score_samples(self.scene.schema.as_frame(self.scene.schema.restore(few))))

    @property
    def threshold(self) -> tuple[float, float]:
        """By `offset_` and `contamination`."""
        share = self.estimator.contamination
        return float(self.estimator.offset_), AUTO_CONTAMINATION if share == "auto" else float(share)

    def sampled(self, n: int) -> Tensor:
        """By `sample`."""
        if not self.estimator.model_.has_code or self.bottleneck.default_sampler is None:
            raise Absent(f"the code of this {type(self.estimator).__name__} has no distribution to draw from")
        found = self.estimator.sample(n, random_state=self.scene.seed, noise=self.scene.noisy)
        return self._in_common(found)

    def _in_common(self, found: Any) -> Tensor:
        """Examples as users have them, on the scale of the scene."""
        return self.scene.schema.prepare(torch.from_numpy(np.array(found)))


class OfPCA(Subject):
    """PCA with as many components; probabilistic PCA (Tipping and Bishop, 1999) where a density is asked for.

    Parameters
    ----------
    scene : what is shared. PCA is fitted on its training examples, or on the examples themselves without such.
    n_components : as many as the model's code has numbers.
    gaussian : whether the model's likelihood is a density of real numbers, so that nats can be compared.
    """

    def __init__(self, scene: Scene, n_components: int, *, gaussian: bool) -> None:
        self.scene, self.gaussian = scene, gaussian
        fitted = (scene.rows if scene.train is None else scene.train).flatten(1).numpy()
        self.n_components = max(1, min(n_components, *fitted.shape))
        self.pca = PCA(self.n_components, random_state=0).fit(fitted)
        self.flat = scene.rows.flatten(1).numpy()

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """The scores on the components."""
        return self.pca.transform(self.flat).astype(np.float64)

    @functools.cached_property
    def rebuilt(self) -> Tensor:
        """The projection on the components."""
        found = self.pca.inverse_transform(self.pca.transform(self.flat))
        return torch.from_numpy(found.astype(np.float32)).reshape(self.scene.rows.shape)

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The exact log-density of probabilistic PCA."""
        return self._density(self.flat)

    @functools.cached_property
    def train_scores(self) -> np.ndarray:
        """The same of training examples."""
        if self.scene.train is None:
            raise Absent("the training examples were not given: pass train=")
        return self._density(evenly_spaced(self.scene.train, min(N_TRAIN_SCORED, len(self.flat))).flatten(1).numpy())

    @property
    def threshold(self) -> tuple[float, float]:
        """The quantile of the training examples' scores that the default of the estimators stands for."""
        return float(np.quantile(self.train_scores, AUTO_CONTAMINATION)), AUTO_CONTAMINATION

    def sampled(self, n: int) -> Tensor:
        """mean + W z, and for what is no image + noise; W W' + noise variance = the covariance."""
        rng = np.random.default_rng(self.scene.seed)
        noise = float(self.pca.noise_variance_)
        scale = np.sqrt((self.pca.explained_variance_ - noise).clip(min=0))
        x = self.pca.mean_ + rng.standard_normal((n, self.n_components)) * scale @ self.pca.components_
        if self.scene.noisy:
            x = x + math.sqrt(noise) * rng.standard_normal(x.shape)
        if self.scene.bounded:
            x = x.clip(0, 1)
        if self.scene.schema.support == "binary":
            x = (rng.random(x.shape) < x).astype(float)
        return torch.from_numpy(x.astype(np.float32)).reshape(-1, *self.scene.rows.shape[1:])

    def _density(self, flat: np.ndarray) -> np.ndarray:
        if not self.pca.noise_variance_ > 0:
            raise Absent("PCA leaves no noise: it has as many components as the examples have entries")
        return np.asarray(self.pca.score_samples(flat), dtype=np.float64) - self.scene.schema.log_scale


def evenly_spaced(rows: Tensor, most: int) -> Tensor:
    """At most `most` of `rows`."""
    return rows[spaced_indices(len(rows), most)]
