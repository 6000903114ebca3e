"""`OutlierDetector`: denoising autoencoders, the density of the data that they have denoised, and rare values.

    score(x) = - (sum over parts of weight * n(x)^3)^(1/3),   n(x) = softplus((log v(x) - location) / spread)

Each part has a value v. Its n says, in nats, how far v is above the values of usual rows (`parts.Surprise`):

    residual    errors of predicting columns from other columns           weight 1/4   (`ensemble`, `parts.Residuals`)
    local       distance to the 2 nearest references                      weight 1     (`parts.NeighborDistances`)
    histogram   how rare the values are, column by column                 weight 1/2   (`marginals.Histograms`)
    isolation   how soon random splits isolate the row                    weight 1/2   (`marginals.IsolationTrees`)
    cells       odds that a cell is wrong, in tables with categories      weight 1     (`cells.ContradictingCells`)

A reference is half way between a training row and its reconstruction by the autoencoders, which have learned what all
rows have in common. The residuals find columns that contradict each other, the local part finds rows outside the data,
and the other two find outliers that form a cluster. Cubes are added, because one part that is sure counts more than
three that are unsure. The score is not a likelihood of x.

Detectors of older versions add squares and have the part `global` (the distance to the nearest tenth of 1,000 of the
references, weight 1) in place of the last two.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted

from narrows.data import Table, subsample_evenly
from narrows.estimators.signature import RANDOM_STATE, as_seed, reset_fitted
from narrows.evaluation.scores import expected_outliers
from narrows.params import Integer, OneOf, Real, either, parameters
from narrows.tasks.outliers import saving
from narrows.tasks.outliers.cells import ContradictingCells
from narrows.tasks.outliers.ensemble import train_ensemble
from narrows.tasks.outliers.marginals import Histograms, IsolationTrees
from narrows.tasks.outliers.parts import (
    LOCAL_NEIGHBORS,
    NeighborDistances,
    Residuals,
    Surprise,
    find_in_sorted,
    inlier_mask,
)
from narrows.tasks.outliers.rows import Rows, assign_folds, read_rows, row_keys
from narrows.tasks.outliers.scaler import AsinhScaler
from narrows.training.progress import VERBOSITY, Reporter, Verbosity

_N_STEPS = 1_000
_WEIGHTS = {"residual": 1 / 4, "local": 1.0, "global": 1.0, "histogram": 1 / 2, "isolation": 1 / 2, "cells": 1.0}
_TAILS = {"residual": 0.02, "cells": 0.02}  # probability from which a part counts; usual rows differ in these two
_TAIL = 0.1  # of all other parts
_PARTS, _POWER = ("residual", "local", "histogram", "isolation"), 3
_MIN_SUM = 1e-30  # avoids division by zero
_MAX_REFERENCES = 50_000
_BLOCK_ROWS = 8_192
_ROUNDING = 1e-4  # nats; scores of a row in different batches differ by less
_CALIBRATION_ROWS = 20_000  # training rows that set the parts and the threshold


class OutlierDetector(OutlierMixin, BaseEstimator):
    """Detector of strange rows and of the columns that make them strange, for any table, without settings.

    All or most of the training rows should be usual. Columns may have any units and heavy tails, words, dates and gaps;
    discrete and constant columns are allowed. The detector does not learn from rows that are far from all others. It
    recognises the rows that it was fitted on and scores them as if they had been held out: by the autoencoder that did
    not see them, and without the row itself among its neighbours. So scores of old and new rows are comparable, and one
    threshold holds for both.

    Parameters
    ----------
    contamination : share of outliers that sets the threshold, in (0, 0.5]; "auto" takes 0.05.
    n_members : number of autoencoders, at least 2, each of which leaves out one fold of the rows.
    max_iter : number of training steps; "auto" takes 1,000.
    random_state : seed of the random numbers: an int, a numpy RandomState or Generator, or None.
    verbose : "auto" for a progress bar where `fit` takes more than 2 seconds; 0 for no output, 1 for a bar at once.

    Attributes
    ----------
    offset_ : float, the threshold: `decision_function` is `score_samples` minus it.
    n_features_in_ : int, number of entries of a row.
    n_iter_ : int, number of training steps.
    n_threshold_ : int, number of rows whose scores set the threshold.
    trimmed_ : float in [0, 1], fraction of the rows that were too strange to learn from.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows.tasks import OutlierDetector
    >>> X = np.random.default_rng(0).normal(size=(300, 4))
    >>> X[:, 3] = X[:, 0] + 0.1 * X[:, 3]
    >>> detector = OutlierDetector(max_iter=300, random_state=0).fit(X)
    >>> strange = np.array([[1.5, 0.0, 0.0, -1.5]])  # no value is unusual, but two do not fit each other
    >>> detector.predict(strange)
    array([-1])
    >>> bool(np.isclose(detector.explain(strange).sum(), detector.score_samples(strange)[0]))
    True
    """

    def __init__(
        self,
        contamination: Annotated[
            float | Literal["auto"],
            either(Real(0, 0.5, open_low=True), OneOf(("auto",))),
            "share of outliers that sets the threshold; 'auto' takes 0.05",
        ] = "auto",
        *,
        n_members: Annotated[int, Integer(2), "autoencoders, each of which leaves out one fold of the rows"] = 5,
        max_iter: Annotated[
            int | Literal["auto"], either(Integer(1), OneOf(("auto",))), "training steps; 'auto' takes 1,000"
        ] = "auto",
        random_state: Annotated[int | np.random.RandomState | np.random.Generator | None, RANDOM_STATE, "seed"] = None,
        verbose: Annotated[Verbosity, VERBOSITY, "'auto' for a bar where it takes more than 2 seconds"] = "auto",
    ) -> None:
        self.contamination, self.n_members, self.max_iter = contamination, n_members, max_iter
        self.random_state, self.verbose = random_state, verbose

    def fit(self, X: Any, y: Any = None) -> OutlierDetector:
        """Learn what is usual from X.

        Parameters
        ----------
        X : array or data frame (n, d) of at least two rows, or an array of images or series (n, ...) without NaN.
        y : ignored.

        Raises
        ------
        ValueError
            If a parameter is outside its range, or if X has fewer than two rows or infinity.
        """
        for name, parameter in parameters(type(self).__init__).items():
            parameter.check(type(self).__name__, getattr(self, name))
        reset_fitted(self)
        rows = self._rows(X, reset=True)
        rng = np.random.default_rng(as_seed(self.random_state))
        self._scaler = AsinhScaler.fit(rows.features)
        self._keyed_by_u = self._scaler.needs_scaling
        u = self._scaler.transform(rows.features)
        keys = row_keys(rows.features, u, self._keyed_by_u)
        inliers = inlier_mask(u, keys, rng)
        self.trimmed_ = float(1 - inliers.mean())
        self._known_keys, self._fold = assign_folds(keys, self.n_members, rng)
        missing = None if rows.missing is None else rows.missing[inliers]
        with Reporter(self.verbose, type(self).__name__, has_pulse=True) as reporter:
            self._train(u[inliers], keys[inliers], rows.cells[inliers], missing, rng, reporter)
            self._calibrate(self._fill_gaps(u, rows.missing, keys), keys, rows.cells, inliers)
        return self

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = tags.input_tags.categorical = tags.input_tags.string = True
        return tags

    def __sklearn_is_fitted__(self) -> bool:
        """Return True after a complete fit, which sets `offset_` last."""
        return hasattr(self, "offset_")

    def score_samples(self, X: Any) -> np.ndarray:
        """Return the score of each row: (n,), nats, at most 0; lower is stranger.

        Parameters
        ----------
        X : rows like those of `fit`.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            If X does not have the columns or the shape of the training rows, or has infinity.
        """
        check_is_fitted(self)
        return self._score(self._part_values(*self._scale(self._rows(X, reset=False))))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return `score_samples` less `offset_`: (n,), nats, below 0 for outliers. Raises as `score_samples` does."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for usual rows and -1 for outliers: (n,). Raises as `score_samples` does."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def explain(self, X: Any) -> Any:
        """Return what each column, pixel or time step adds to the score of its row, in nats: like X.

        The entries of a row sum to its `score_samples`. The most negative entries make the row strange. A part
        contributes weight * n^3 / score^2, divided among the entries in proportion to what they add to its v. Raises as
        `score_samples` does.
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        nats = np.zeros(rows.features.shape)
        parts = self._part_entries(*self._scale(rows))
        values = {name: entries.sum(1, dtype=np.float64) for name, entries in parts.items()}
        powers = self._powers(values)
        factor = -((sum(powers.values()) + _MIN_SUM) ** (1 / self._power - 1))
        for name, entries in parts.items():
            even, value = np.full(entries.shape, 1 / entries.shape[1]), values[name][:, None]
            fraction = np.divide(entries, value, out=even, where=value > 0)
            nats += (powers[name] * factor)[:, None] * fraction
        sums = rows.sum_features(nats)
        return sums if self._reader is None else self._reader.as_frame(sums, X)

    def reconstruct(self, X: Any) -> Any:
        """Return the value of each entry that the other entries of its row let expect: like X, in its units.

        It is the mean prediction of the autoencoders, from which the entry is hidden, and lies between the smallest and
        the largest value that they learned from. Raises as `score_samples` does.
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        u, keys, cells = self._scale(rows)
        fold = self._unseen_fold(keys)
        expected = np.clip(u - self._average_unseen(u, fold, lambda residuals: residuals), *self._usual_range)
        values = self._scaler.inverse(expected)
        if self._reader is None:
            return values.reshape(cells.shape)
        values = self._reader.cells_of(values)
        if self._cells is not None:
            by_cells = self._cells.expect(cells, fold)
            values = np.where(np.isnan(by_cells), values, by_cells)
        return self._reader.table.decode(values, X)

    # ---------------------------------------------------------------------------------------------- saving

    def save(self, folder: str | Path) -> None:
        """Write the fitted detector into `folder`: recipe.json, weights.safetensors and a model card; no pickle.

        Raises
        ------
        NotFittedError
            Before `fit`.
        OSError
            If `folder` is a file or cannot be written.
        """
        check_is_fitted(self)
        saving.write(self, Path(folder))

    @classmethod
    def load(cls, folder: str | Path) -> OutlierDetector:
        """Return the fitted detector that is saved in `folder`.

        Raises
        ------
        FileNotFoundError, ValueError
            If `folder` holds no complete detector of a known format.
        """
        recipe, arrays = saving.read(Path(folder))
        detector = cls(**recipe["parameters"])
        saving.restore(detector, recipe, arrays)
        return detector

    # ---------------------------------------------------------------------------------------------- inside

    def _rows(self, X: Any, *, reset: bool) -> Rows:
        """Check X and return it as numbers. Nothing else turns the user's X into the ensemble's features."""
        rows = read_rows(self, X, reset=reset)
        shape = rows.cells.shape[1:]
        if reset:
            self._shape = shape
            if self._reader is None:
                self.n_features_in_ = int(np.prod(shape))
            else:
                self._set_names(self._reader.table)
        elif shape != self._shape:
            raise ValueError(f"X passed to {type(self).__name__} must have rows of shape {self._shape}. Got {shape}.")
        return rows

    def _set_names(self, table: Table) -> None:
        """Set the number of the user's columns, and their names if all are strings."""
        names = [column.name for column in table.columns]
        self.n_features_in_ = len(names)
        if all(isinstance(name, str) for name in names):
            self.feature_names_in_ = np.asarray(names, dtype=object)

    def _scale(self, rows: Rows) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return u (n, d), with the expected values where cells are missing, and the keys (n,) and cells of rows."""
        u = self._scaler.transform(rows.features)
        keys = row_keys(rows.features, u, self._keyed_by_u)
        return self._fill_gaps(u, rows.missing, keys), keys, rows.cells

    def _fill_gaps(self, u: np.ndarray, missing: np.ndarray | None, keys: np.ndarray) -> np.ndarray:
        """Return u (n, d) with what the autoencoders expect where `missing` is True: a gap makes no row strange."""
        if missing is None or self._reader is None:
            return u
        fold, (low, high) = self._unseen_fold(keys), self._usual_range
        by_member = self._ensemble.predict(u, ~missing)
        unseen = by_member[fold, np.arange(len(u))]
        expected = np.clip(np.where(fold[:, None] >= 0, unseen, by_member.mean(0)), low, high)
        # a level is filled with the likeliest one, so that the row is one that may occur
        cells = self._reader.cells_of(self._scaler.inverse(expected))
        filled = self._scaler.transform(self._reader.features(cells))
        return np.where(missing, filled, u)

    def _train(
        self,
        u: np.ndarray,
        keys: np.ndarray,
        cells: np.ndarray,
        missing: np.ndarray | None,
        rng: np.random.Generator,
        reporter: Reporter,
    ) -> None:
        """Set the ensemble, the errors of held-out rows, and the references, from usual rows u (n, d)."""
        self.n_iter_ = _N_STEPS if self.max_iter == "auto" else int(self.max_iter)
        fold = self._fold[find_in_sorted(self._known_keys, keys)]
        owners = None if self._reader is None else self._reader.owners
        seed, report = int(rng.integers(2**31)), lambda share: reporter.update(0.6 * share)
        self._ensemble = train_ensemble(u, fold, self.n_members, self.n_iter_, seed, owners, report)
        self._usual_range = np.stack([u.min(0), u.max(0)])
        u = self._fill_gaps(u, missing, keys)
        sample = subsample_evenly(np.arange(len(u))[:, None], _CALIBRATION_ROWS)[:, 0]
        held_out = self._ensemble.residuals(u[sample])[fold[sample], np.arange(len(sample))]
        self._residuals = Residuals.fit(held_out, fold[sample], self.n_members)
        indices = np.sort(rng.permutation(len(u))[:_MAX_REFERENCES])
        references = (u[indices] + self._ensemble.denoise(u[indices])) / 2
        self._local = NeighborDistances(references, keys[indices], LOCAL_NEIGHBORS)
        self._histograms = Histograms.fit(u)
        self._usual_range = self._histograms.limits
        self._trees = IsolationTrees.fit(u, fold, self.n_members, int(rng.integers(2**31 - self.n_members)))
        self._cells: Any = None  # or `ContradictingCells`
        if self._reader is not None:
            is_category = np.array([column.has_levels for column in self._reader.table.used])
            seed = int(rng.integers(2**31 - 2))
            reporter.begin_part(0.7, 0.9)
            self._cells = ContradictingCells.fit(cells, is_category, fold, self.n_iter_, seed)

    def _calibrate(self, u: np.ndarray, keys: np.ndarray, cells: np.ndarray, inliers: np.ndarray) -> None:
        """Fit the law of each part to usual rows, and set the threshold. All rows count as held out."""
        sample = subsample_evenly(np.arange(len(u))[:, None], _CALIBRATION_ROWS)[:, 0]
        inliers = inliers[sample]
        self._power = _POWER
        names = _PARTS if self._cells is None else (*_PARTS, "cells")
        values = self._part_values(u[sample], keys[sample], cells[sample], names)
        self._surprises = {name: Surprise.fit(v[inliers], _TAILS.get(name, _TAIL)) for name, v in values.items()}
        score = self._score(values)
        self.n_threshold_ = len(sample)
        self.offset_ = float(np.quantile(score, expected_outliers(self.contamination))) - _ROUNDING

    def _part_values(
        self, u: np.ndarray, keys: np.ndarray, cells: np.ndarray, names: Iterable[str] | None = None
    ) -> dict[str, np.ndarray]:
        """Return the value v of each part for rows u (n, d): (n,) each."""
        fold = self._unseen_fold(keys)
        compute: dict[str, Callable[[], np.ndarray]] = {
            "residual": lambda: self._squared_residuals(u, fold).sum(1),
            "local": lambda: self._local(u, keys),
            "global": lambda: self._global(u, keys),
            "histogram": lambda: self._histograms.per_entry(u, fold >= 0).sum(1),
            "isolation": lambda: self._trees(u, fold),
            "cells": lambda: self._cells(cells, fold),
        }
        return {name: compute[name]() for name in names or self._surprises}

    def _part_entries(self, u: np.ndarray, keys: np.ndarray, cells: np.ndarray) -> dict[str, np.ndarray]:
        """Return the value of each part for each entry of rows u (n, d): (n, d) each."""
        fold = self._unseen_fold(keys)
        compute: dict[str, Callable[[], np.ndarray]] = {
            "residual": lambda: self._squared_residuals(u, fold),
            "local": lambda: self._local.per_entry(u, keys),
            "global": lambda: self._global.per_entry(u, keys),
            "histogram": lambda: self._histograms.per_entry(u, fold >= 0),
            "isolation": lambda: self._trees.per_entry(u, fold),
            "cells": lambda: self._reader.on_features(self._cells.per_entry(cells, fold)),
        }
        return {name: compute[name]() for name in self._surprises}

    def _unseen_fold(self, keys: np.ndarray) -> np.ndarray:
        """Return the member that did not see each known row, and -1 for new rows: (n,)."""
        position = find_in_sorted(self._known_keys, keys)
        return np.where(position >= 0, self._fold[position], -1)

    def _powers(self, values: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return weight * n^power of each part from its values: (n,) each."""
        return {name: _WEIGHTS[name] * self._surprises[name](v) ** self._power for name, v in values.items()}

    def _score(self, values: dict[str, np.ndarray]) -> np.ndarray:
        """Return the score of rows from the values of the parts: (n,)."""
        return -((sum(self._powers(values).values()) + _MIN_SUM) ** (1 / self._power))

    def _squared_residuals(self, u: np.ndarray, fold: np.ndarray) -> np.ndarray:
        """Return the squared errors of prediction: (n, d)."""
        return self._average_unseen(u, fold, self._residuals.per_entry)

    def _average_unseen(
        self, u: np.ndarray, fold: np.ndarray, function: Callable[[np.ndarray], np.ndarray]
    ) -> np.ndarray:
        """Return `function` of the residuals (M, n, d) of rows u by the member `fold` that did not see them, and where
        that is -1 the mean over all members: (n, d).
        """
        average = np.empty(u.shape)
        for start in range(0, len(u), _BLOCK_ROWS):
            b = slice(start, start + _BLOCK_ROWS)
            by_member = function(self._ensemble.residuals(u[b]))
            unseen = by_member[fold[b], np.arange(by_member.shape[1])]
            average[b] = np.where(fold[b, None] >= 0, unseen, by_member.mean(0))
        return average
