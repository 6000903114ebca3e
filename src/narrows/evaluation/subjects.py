"""Subjects of measures: a model, or PCA in its place, on the same examples.

All subjects of an evaluation are compared on one scale, that of the evaluated model: n x `schema.shape`.
"""

from __future__ import annotations

import functools
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from sklearn.decomposition import PCA
from torch import Tensor

from narrows.data import Schema, spaced_indices
from narrows.evaluation.absent import Absent
from narrows.evaluation.features import Space, space_name
from narrows.evaluation.inspection import Inspection, squared_errors
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.scores import AUTO_CONTAMINATION, expected_outliers

N_COMPARED = 5_000  # real examples, and as many new ones
N_TRAIN_SCORED = 2_000  # training examples whose scores are compared with the others'


@dataclass
class Comparison:
    """Examples and settings that all subjects share.

    Attributes
    ----------
    inspection : the evaluated model on the examples.
    train : training examples on the model's scale, m x `schema.shape`, or None.
    labels : n class numbers from 0, or None.
    seed : seed of the random numbers.
    n_draws : number of draws of each posterior, for the likelihood.
    features : the user's function from m examples in the user's units to m x features; None for the fixed one.
    """

    inspection: Inspection
    train: Tensor | None = None
    labels: np.ndarray | None = None
    seed: int = 0
    n_draws: int = 64
    features: Callable[[Any], Any] | None = None
    resamples: Resamples = field(init=False)

    def __post_init__(self) -> None:
        self.resamples = Resamples(self.seed)

    @property
    def rows(self) -> Tensor:
        """The examples on the model's scale, n x `schema.shape`."""
        return self.inspection.rows

    @property
    def schema(self) -> Schema:
        """Schema of the evaluated model: shape of an example, and the scale."""
        return self.inspection.schema

    @property
    def is_bounded(self) -> bool:
        """True if entries lie in [0, 1], so that a signal has a peak."""
        return self.schema.support in ("unit", "binary")

    @property
    def is_noisy(self) -> bool:
        """True if each entry of a new example is drawn. In grey and colour images it is the mean, as is usual."""
        return self.schema.kind != "image" or self.schema.support == "binary"

    @property
    def space_name(self) -> str:
        """Name of the space in which new examples are compared with real ones."""
        if self.features is None:
            return space_name(tuple(self.schema.shape))
        return getattr(self.features, "__qualname__", type(self.features).__name__)

    @functools.cached_property
    def _space(self) -> Space:
        return Space(self.rows[self.subsample(N_COMPARED)], self.features and self._user_features)

    @property
    def real_features(self) -> Tensor:
        """Features of at most `N_COMPARED` of the examples."""
        return self._space.real

    @functools.cached_property
    def train_features(self) -> Tensor | None:
        """Features of at most as many training examples, or None without training examples."""
        return None if self.train is None else self._space.features(evenly_spaced(self.train, len(self.real_features)))

    def features_of(self, x: Tensor) -> Tensor:
        """Return the features of `x`, which is on the model's scale."""
        return self._space.features(x)

    def _user_features(self, x: Tensor) -> Tensor:
        assert self.features is not None
        features = torch.as_tensor(np.asarray(self.features(self.schema.as_frame(self.schema.restore(x)))))
        if features.dim() != 2 or len(features) != len(x):
            raise ValueError(
                f"The `features` parameter of evaluate must return n x features for n examples. For {len(x)} it "
                f"returned shape {tuple(features.shape)}."
            )
        return features

    def subsample(self, most: int) -> np.ndarray:
        """Return the indices of at most `most` examples, evenly spaced, where the work grows with n squared."""
        return spaced_indices(len(self.rows), most)


class Subject(ABC):
    """Abstract: a code and reconstructions of the examples.

    Attributes
    ----------
    comparison : what all subjects share.
    """

    comparison: Comparison

    @property
    @abstractmethod
    def codes(self) -> np.ndarray:
        """Codes of the examples, n x L. Raises Absent if there are none."""

    @property
    @abstractmethod
    def reconstructions(self) -> Tensor:
        """The examples encoded and decoded, n x shape."""

    @property
    @abstractmethod
    def scores(self) -> np.ndarray:
        """Nats of each example in the user's units, (n,); higher is more usual."""

    @property
    @abstractmethod
    def train_scores(self) -> np.ndarray:
        """Scores of training examples, at most as many as there are examples. Raises Absent if there are none."""

    @property
    @abstractmethod
    def threshold(self) -> tuple[float, float]:
        """Score below which an example is an outlier, and the share of outliers for which that is set."""

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """Draw `n` new examples, n x shape. Raises Absent if none can be drawn."""

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """Mean squared error of each example over its entries, (n,)."""
        return squared_errors(self.reconstructions, self.comparison.rows)

    @functools.cached_property
    def new_features(self) -> Tensor:
        """Features of as many new examples as there are `real_features`."""
        return self.comparison.features_of(self.draw(len(self.comparison.real_features)))


class ModelSubject(Subject):
    """A fitted estimator: its inspection, on the common scale.

    Parameters
    ----------
    inspection : the model on the examples; its scale may differ from that of the comparison.
    comparison : what all subjects share.
    """

    def __init__(self, inspection: Inspection, comparison: Comparison) -> None:
        self.inspection, self.comparison = inspection, comparison

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """Codes by `model_.encode`, in double precision."""
        return self.inspection.codes.astype(np.float64)

    @functools.cached_property
    def reconstructions(self) -> Tensor:
        """Reconstructions by `model_.reconstruct`."""
        schema, common = self.inspection.schema, self.comparison.schema
        reconstructions = self.inspection.reconstructions
        if schema.has_scale_of(common):
            return reconstructions
        return self._on_common_scale(schema.restore(reconstructions))

    @property
    def scores(self) -> np.ndarray:
        """Scores by `score_samples`."""
        return self.inspection.scores

    @functools.cached_property
    def train_scores(self) -> np.ndarray:
        """Scores of training examples by `score_samples`."""
        comparison = self.comparison
        if comparison.train is None:
            raise Absent("the training examples were not given: pass train=")
        rows = evenly_spaced(comparison.train, min(N_TRAIN_SCORED, len(comparison.rows)))
        X = comparison.schema.as_frame(comparison.schema.restore(rows))
        return np.asarray(self.inspection.model.score_samples(X))

    @property
    def threshold(self) -> tuple[float, float]:
        """Threshold `offset_`, and the share `contamination`."""
        model = self.inspection.model
        return float(model.offset_), expected_outliers(model.contamination)

    def draw(self, n: int) -> Tensor:
        """Draw by `sample`."""
        if not self.inspection.can_sample:
            raise Absent(f"the code of this {self.inspection.kind} has no distribution to draw from")
        comparison = self.comparison
        return self._on_common_scale(
            self.inspection.model.sample(n, random_state=comparison.seed, noise=comparison.is_noisy)
        )

    def _on_common_scale(self, X: Any) -> Tensor:
        """Convert examples from the user's units to the common scale."""
        return self.comparison.schema.prepare(torch.from_numpy(np.array(X)))


class PCABaseline(Subject):
    """PCA with as many components; for densities, probabilistic PCA (Tipping and Bishop, 1999).

    Parameters
    ----------
    comparison : what all subjects share. PCA is fitted on its training examples, or on the examples themselves.
    n_components : number of components of the model's code.
    is_gaussian : True if the model's likelihood is a density of real numbers, so that nats can be compared.
    """

    def __init__(self, comparison: Comparison, n_components: int, *, is_gaussian: bool) -> None:
        self.comparison, self.is_gaussian = comparison, is_gaussian
        train = (comparison.rows if comparison.train is None else comparison.train).flatten(1).numpy()
        self.n_components = max(1, min(n_components, *train.shape))
        self.pca = PCA(self.n_components, random_state=0).fit(train)
        self.flat = comparison.rows.flatten(1).numpy()

    @functools.cached_property
    def codes(self) -> np.ndarray:
        """Coordinates along the components."""
        return self.pca.transform(self.flat).astype(np.float64)

    @functools.cached_property
    def reconstructions(self) -> Tensor:
        """The projection on the components."""
        projected = self.pca.inverse_transform(self.pca.transform(self.flat))
        return torch.from_numpy(projected.astype(np.float32)).reshape(self.comparison.rows.shape)

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The exact log-density of probabilistic PCA."""
        return self._density(self.flat)

    @functools.cached_property
    def train_scores(self) -> np.ndarray:
        """The exact log-density of training examples."""
        if self.comparison.train is None:
            raise Absent("the training examples were not given: pass train=")
        rows = evenly_spaced(self.comparison.train, min(N_TRAIN_SCORED, len(self.flat)))
        return self._density(rows.flatten(1).numpy())

    @property
    def threshold(self) -> tuple[float, float]:
        """Quantile of the training scores at the default contamination of the estimators, and that contamination."""
        return float(np.quantile(self.train_scores, AUTO_CONTAMINATION)), AUTO_CONTAMINATION

    def draw(self, n: int) -> Tensor:
        """Draw mean + W z, and add noise unless it is a grey or colour image; W W^T + noise variance = covariance."""
        rng = np.random.default_rng(self.comparison.seed)
        noise = float(self.pca.noise_variance_)
        scale = np.sqrt((self.pca.explained_variance_ - noise).clip(min=0))
        x = self.pca.mean_ + rng.standard_normal((n, self.n_components)) * scale @ self.pca.components_
        if self.comparison.is_noisy:
            x = x + math.sqrt(noise) * rng.standard_normal(x.shape)
        if self.comparison.is_bounded:
            x = x.clip(0, 1)
        if self.comparison.schema.support == "binary":
            x = (rng.random(x.shape) < x).astype(float)
        return torch.from_numpy(x.astype(np.float32)).reshape(-1, *self.comparison.rows.shape[1:])

    def _density(self, flat: np.ndarray) -> np.ndarray:
        if not self.pca.noise_variance_ > 0:
            raise Absent("PCA leaves no noise: it has as many components as the examples have entries")
        schema = self.comparison.schema
        log_scale = schema.log_scale(schema.restore(torch.from_numpy(flat).reshape(-1, *schema.shape)))
        return np.asarray(self.pca.score_samples(flat), dtype=np.float64) - log_scale


def evenly_spaced(rows: Tensor, most: int) -> Tensor:
    """Return at most `most` of `rows`, evenly spaced."""
    return rows[spaced_indices(len(rows), most)]
