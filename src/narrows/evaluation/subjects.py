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

from narrows.data import EncodedRows, Schema, as_dense, spaced_indices
from narrows.evaluation.absent import Absent
from narrows.evaluation.cells import as_linear, as_points, example_errors, from_linear, has_gaps
from narrows.evaluation.features import Space, space_name, training_moments
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.row_sets import RealRows, RowSets, with_rare_levels
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
    user_train : the training examples in the user's form, or None.
    target : the column that classifiers of rows predict; None for the last one with levels.
    """

    inspection: Inspection
    train: Tensor | None = None
    labels: np.ndarray | None = None
    seed: int = 0
    n_draws: int = 64
    features: Callable[[Any], Any] | None = None
    user_train: Any = None
    target: Any = None
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
        if self.features is None and self.schema.kind == "table":
            return f"{space_name(tuple(self.schema.shape))} of the table's columns"
        if self.features is None:
            return space_name(tuple(self.schema.shape))
        return getattr(self.features, "__qualname__", type(self.features).__name__)

    @functools.cached_property
    def _real(self) -> Tensor:
        return self.rows[self.subsample(N_COMPARED)]

    @functools.cached_property
    def _space(self) -> Space:
        if self.features is not None:
            return Space(self._real, self._user_features)
        return Space(self.points_of(self._real), moments=training_moments(self.schema))

    @property
    def real_features(self) -> Tensor:
        """Features of at most `N_COMPARED` of the examples."""
        return self._space.real

    @functools.cached_property
    def train_features(self) -> Tensor | None:
        """Features of at most as many training examples, or None without training examples."""
        return None if self.train is None else self.features_of(evenly_spaced(self.train, len(self.real_features)))

    def features_of(self, x: Tensor) -> Tensor:
        """Return the features of `x`, which is on the model's scale."""
        return self._space.features(x if self.features is not None else self.points_of(x))

    def points_of(self, x: Tensor) -> Tensor:
        """Return `x`, which is on the model's scale, as vectors or images without gaps."""
        return as_points(x, self.schema)

    def with_gaps(self, new: Tensor) -> Tensor:
        """Return new examples with a gap where the real example of their number has one: models draw no gaps."""
        return new.masked_fill(torch.isnan(self._real), math.nan) if has_gaps(self._real) else new

    def prepare(self, X: Any) -> Tensor:
        """Return examples in the user's form on the model's scale, n x `schema.shape`."""
        table = self.schema.table
        return self.schema.prepare(torch.from_numpy(np.array(X if table is None else table.encode(X, "evaluate"))))

    def prepare_drawn(self, X: Any, draws_gaps: bool = False) -> Tensor:
        """Return drawn examples as `prepare` does. See `RealRows.beside` for `draws_gaps`."""
        x = self.prepare(X)
        columns = self.schema.used_columns if self.schema.kind == "table" and not draws_gaps else ()
        return torch.from_numpy(with_rare_levels(x.numpy(), columns))

    @functools.cached_property
    def real_rows(self) -> RealRows:
        """Real rows of a table, beside which new rows are measured. Raises Absent without a table."""
        if self.schema.table is None:
            raise Absent("only rows of data frames are measured so")
        return RealRows(
            self.schema.table, self.inspection.X, self.user_train, self.target, self.resamples, owner="evaluate"
        )

    def _user_features(self, x: Tensor) -> Tensor:
        assert self.features is not None
        features = torch.from_numpy(np.array(self.features(self.schema.as_frame(self.schema.restore(x)))))
        if features.dim() != 2 or len(features) != len(x):
            raise ValueError(
                f"The `features` parameter of evaluate must return n x features for n examples. For {len(x)} it "
                f"returned shape {tuple(features.shape)}."
            )
        if not torch.isfinite(features).all():
            raise ValueError(
                "The `features` parameter of evaluate must return finite numbers. It returned NaN or infinity: fill "
                "missing cells first."
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

    @abstractmethod
    def codes_of(self, index: np.ndarray) -> np.ndarray:
        """Return the codes of the examples with these indices (m,), m x L. Raises Absent if there are none."""

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

    @property
    @abstractmethod
    def draws_gaps(self) -> bool:
        """True if new rows of a table have missing cells where training rows have some."""

    @abstractmethod
    def draw(self, n: int) -> Tensor:
        """Draw `n` new examples, n x shape. Raises Absent if none can be drawn."""

    @abstractmethod
    def draw_rows(self, n: int) -> Any:
        """Draw `n` new rows of a table, in the user's form. Raises Absent if none can be drawn."""

    @functools.cached_property
    def row_sets(self) -> RowSets:
        """New rows of a table beside real ones. Raises Absent if there are none."""
        real = self.comparison.real_rows
        return real.beside(self.draw_rows(real.most), self.draws_gaps)

    @functools.cached_property
    def errors(self) -> np.ndarray:
        """Mean error of each example over its observed entries, (n,): see `narrows.evaluation.cells`."""
        return example_errors(self.reconstructions, self.comparison.rows, self.comparison.schema)

    @functools.cached_property
    def new_features(self) -> Tensor:
        """Features of as many new examples as there are `real_features`."""
        comparison = self.comparison
        return comparison.features_of(comparison.with_gaps(self.draw(len(comparison.real_features))))


class ModelSubject(Subject):
    """A fitted estimator: its inspection, on the common scale.

    Parameters
    ----------
    inspection : the model on the examples; its scale may differ from that of the comparison.
    comparison : what all subjects share.
    """

    def __init__(self, inspection: Inspection, comparison: Comparison) -> None:
        self.inspection, self.comparison = inspection, comparison

    def codes_of(self, index: np.ndarray) -> np.ndarray:
        """Return codes by `model_.encode`, in double precision: of a wide sparse code only these rows are dense."""
        return as_dense(self.inspection.all_codes[index]).astype(np.float64)

    @functools.cached_property
    def reconstructions(self) -> Tensor:
        """Reconstructions by `model_.reconstruct`."""
        schema, common = self.inspection.schema, self.comparison.schema
        reconstructions = self.inspection.reconstructions
        if schema.has_scale_of(common):
            return reconstructions
        self._check_columns()
        return self.comparison.prepare(schema.as_frame(schema.restore(reconstructions)))

    @property
    def scores(self) -> np.ndarray:
        """Scores that the threshold is compared with."""
        return self.inspection.outlier_scores

    @functools.cached_property
    def train_scores(self) -> np.ndarray:
        """Scores of training examples that the threshold is compared with."""
        comparison = self.comparison
        if comparison.train is None:
            raise Absent("the training examples were not given: pass train=")
        rows = evenly_spaced(comparison.train, min(N_TRAIN_SCORED, len(comparison.rows)))
        schema = comparison.schema
        X = schema.restore(rows)
        if schema.kind == "table" and self.inspection.schema.has_scale_of(schema):
            X = X.view(EncodedRows)  # a frame would lose values that were not seen in training
        else:
            X = schema.as_frame(X)
        model = self.inspection.model
        return np.asarray(model.decision_function(X)) + model.offset_

    @property
    def threshold(self) -> tuple[float, float]:
        """Threshold `offset_`, and the share `contamination`."""
        model = self.inspection.model
        return float(model.offset_), expected_outliers(model.contamination)

    @property
    def draws_gaps(self) -> bool:
        """True for a model that predicts hidden cells."""
        return self.inspection.model.model_.corruption.predicts_hidden

    def draw(self, n: int) -> Tensor:
        """Draw by `sample`."""
        return self.comparison.prepare_drawn(self.draw_rows(n), self.draws_gaps)

    def draw_rows(self, n: int) -> Any:
        """Draw by `sample`, in the user's form."""
        if not self.inspection.can_sample:
            raise Absent(f"the code of this {self.inspection.kind} has no distribution to draw from")
        self._check_columns()
        return self.inspection.model.sample(n, random_state=self.comparison.seed, noise=self.comparison.is_noisy)

    def _check_columns(self) -> None:
        """Raise Absent if this model, which is beside another one, lacks columns of that one."""
        table = self.inspection.schema.table
        names = {str(column.name) for column in table.columns if column not in table.left_out} if table else set()
        missing = [str(c.name) for c in self.comparison.schema.used_columns if str(c.name) not in names]
        if missing:
            raise Absent(f"the other model was fitted without the columns {', '.join(map(repr, missing[:5]))}")


class PCABaseline(Subject):
    """PCA with as many components; for densities, probabilistic PCA (Tipping and Bishop, 1999).

    PCA of a table sees the features of its numbers, atoms and levels, and a missing cell at the mean; a reconstructed
    cell has the nearest level.

    Parameters
    ----------
    comparison : what all subjects share. PCA is fitted on its training examples, or on the examples themselves.
    n_components : number of components of the model's code.
    is_gaussian : True if the model's likelihood is a density of real numbers, so that nats can be compared.
    """

    def __init__(self, comparison: Comparison, n_components: int, *, is_gaussian: bool) -> None:
        self.comparison, self.is_gaussian = comparison, is_gaussian
        train = self._as_linear(comparison.rows if comparison.train is None else comparison.train)
        self.n_components = max(1, min(n_components, *train.shape))
        self.pca = PCA(self.n_components, random_state=0).fit(train)
        self.flat = self._as_linear(comparison.rows)

    def codes_of(self, index: np.ndarray) -> np.ndarray:
        """Return coordinates along the components."""
        return self.pca.transform(self.flat[index]).astype(np.float64)

    @functools.cached_property
    def reconstructions(self) -> Tensor:
        """The projection on the components."""
        return from_linear(self.pca.inverse_transform(self.pca.transform(self.flat)), self.comparison.schema)

    @functools.cached_property
    def scores(self) -> np.ndarray:
        """The exact log-density of probabilistic PCA."""
        return self._density(self.comparison.rows)

    @functools.cached_property
    def train_scores(self) -> np.ndarray:
        """The exact log-density of training examples."""
        if self.comparison.train is None:
            raise Absent("the training examples were not given: pass train=")
        return self._density(evenly_spaced(self.comparison.train, min(N_TRAIN_SCORED, len(self.flat))))

    @property
    def threshold(self) -> tuple[float, float]:
        """Quantile of the training scores at the default contamination of the estimators, and that contamination."""
        return float(np.quantile(self.train_scores, AUTO_CONTAMINATION)), AUTO_CONTAMINATION

    @property
    def draws_gaps(self) -> bool:
        """False: PCA knows no gaps."""
        return False

    def draw(self, n: int) -> Tensor:
        """Draw mean + W z, and add noise unless it is a grey or colour image; W W^T + noise variance = covariance."""
        rng = np.random.default_rng(self.comparison.seed)
        noise = float(self.pca.noise_variance_)
        scale = np.sqrt((self.pca.explained_variance_ - noise).clip(min=0))
        x = self.pca.mean_ + rng.standard_normal((n, self.n_components)) * scale @ self.pca.components_
        if self.comparison.is_noisy:
            x = x + math.sqrt(noise) * rng.standard_normal(x.shape)
        schema = self.comparison.schema
        if schema.kind == "table":
            cells = from_linear(x, schema)
            return self.comparison.prepare_drawn(schema.as_frame(schema.restore(cells), clip=True))
        if self.comparison.is_bounded:
            x = x.clip(0, 1)
        if schema.support == "binary":
            x = (rng.random(x.shape) < x).astype(float)
        return torch.from_numpy(x.astype(np.float32)).reshape(-1, *self.comparison.rows.shape[1:])

    def draw_rows(self, n: int) -> Any:
        """Draw as `draw` does, in the user's form."""
        schema = self.comparison.schema
        return schema.as_frame(schema.restore(self.draw(n)), clip=True)

    def _as_linear(self, rows: Tensor) -> np.ndarray:
        return as_linear(rows, self.comparison.schema)

    def _density(self, rows: Tensor) -> np.ndarray:
        schema = self.comparison.schema
        if schema.kind == "table":
            raise Absent("PCA has no density of a table: its levels are no real numbers")
        if has_gaps(rows):
            raise Absent("PCA has no density of examples with missing entries")
        if not self.pca.noise_variance_ > 0:
            raise Absent("PCA leaves no noise: it has as many components as the examples have entries")
        log_scale = schema.log_scale(schema.restore(rows))
        return np.asarray(self.pca.score_samples(rows.flatten(1).numpy()), dtype=np.float64) - log_scale


def evenly_spaced(rows: Tensor, most: int) -> Tensor:
    """Return at most `most` of `rows`, evenly spaced."""
    return rows[spaced_indices(len(rows), most)]
