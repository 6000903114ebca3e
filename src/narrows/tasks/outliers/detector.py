"""`OutlierDetector`: a small ensemble of denoising autoencoders, and the density of the data that they have denoised.

    score(x) = - (sum over parts of weight * n(x)^2)^(1/2),   n(x) = softplus((log v(x) - location) / spread)

Each part has a value v. Its n says, in nats, how far v is above the values of usual rows (`parts.Surprise`):

    residual   errors of predicting columns from other columns            weight 1/4   (`ensemble`, `parts.Residuals`)
    local      distance to the 2 nearest references                       weight 1     (`parts.NeighborDistances`)
    global     distance to the nearest tenth of 1,000 of the references   weight 1

A reference is half way between a training row and its reconstruction by the autoencoders, which have learned what all
rows have in common. The residuals find columns that contradict each other, the local part finds rows outside the data,
and the global part finds outliers that form a small cluster. Squares are added, because one part that is sure counts
more than three that are unsure. The score is not a likelihood of x.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import torch
from sklearn.base import BaseEstimator, OutlierMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from narrows import storage
from narrows.data import as_array, as_floats, check_numeric, min_max, subsample_evenly
from narrows.estimators.signature import RANDOM_STATE, as_seed, reset_fitted, to_json
from narrows.params import Integer, OneOf, Real, either, parameters
from narrows.tasks.outliers.ensemble import Ensemble, train_ensemble
from narrows.tasks.outliers.parts import NeighborDistances, Residuals, Surprise, find_in_sorted
from narrows.tasks.outliers.scaler import AsinhScaler
from narrows.version import __version__

RECIPE = "outliers"
_AUTO_CONTAMINATION = 0.05
_N_STEPS = 1_000
_WEIGHTS = (1 / 4, 1.0, 1.0)  # weights of the parts residual, local and global
_TAILS = (0.02, 0.1, 0.1)  # tail probability at which each part begins to count; usual rows differ in their residuals
_MIN_SQUARE = 1e-30  # avoids division by zero
_LOCAL_NEIGHBORS, _GLOBAL_ROWS, _GLOBAL_FRACTION = 2, 1_000, 0.1
_MAX_REFERENCES = 50_000
_BLOCK_ROWS = 8_192
_ROUNDING = 1e-4  # nats; scores of a row in different batches differ by less
_CALIBRATION_ROWS = 20_000  # training rows that set the parts and the threshold
_TRIM_ABOVE = 2.0  # rows with a larger t are not learned from; a usual row has a chance of 1.5 %


class OutlierDetector(OutlierMixin, BaseEstimator):
    """Detector of strange rows and of the columns that make them strange, for any numeric table, without settings.

    All or most of the training rows should be usual. Columns may have any units and heavy tails; discrete and constant
    columns are allowed. The detector does not learn from rows that are far from all others. It recognises the rows that
    it was fitted on and scores them as if they had been held out: by the autoencoder that did not see them, and without
    the row itself among its neighbours. So scores of old and new rows are comparable, and one threshold holds for both.

    Parameters
    ----------
    contamination : share of outliers that sets the threshold, in (0, 0.5]; "auto" takes 0.05.
    n_members : number of autoencoders, at least 2, each of which leaves out one fold of the rows.
    max_iter : number of training steps; "auto" takes 1,000.
    random_state : seed of the random numbers: an int, a numpy RandomState or Generator, or None.

    Attributes
    ----------
    offset_ : float, the threshold: `decision_function` is `score_samples` minus it.
    n_features_in_ : int, number of entries of a row.
    n_iter_ : int, number of training steps.
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
        random_state: Annotated[
            int | np.random.RandomState | np.random.Generator | None,
            RANDOM_STATE,
            "seed of the random numbers",
        ] = None,
    ) -> None:
        self.contamination = contamination
        self.n_members = n_members
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> OutlierDetector:
        """Learn what is usual from X.

        Parameters
        ----------
        X : array or data frame (n, d) of at least two rows, or an array of images or series (n, ...), without NaN.
        y : ignored.

        Raises
        ------
        ValueError
            If a parameter is outside its range, or if X has fewer than two rows, words, NaN or infinity.
        """
        for name, parameter in parameters(type(self).__init__).items():
            parameter.check(type(self).__name__, getattr(self, name))
        reset_fitted(self)
        rows = self._rows(X, reset=True)
        rng = np.random.default_rng(as_seed(self.random_state))
        self._scaler = AsinhScaler.fit(rows)
        u, keys = self._scaler.transform(rows), _row_keys(rows)
        inliers = _inlier_mask(u, keys, rng)
        self.trimmed_ = float(1 - inliers.mean())
        self._known_keys, self._fold = _assign_folds(keys, self.n_members, rng)
        self._train(u[inliers], keys[inliers], rng)
        self._calibrate(u, keys, inliers)
        return self

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
            If X does not have the columns or the shape of the training rows, or has words, NaN or infinity.
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        return self._score(self._part_values(self._scaler.transform(rows), _row_keys(rows)))

    def decision_function(self, X: Any) -> np.ndarray:
        """Return `score_samples` less `offset_`: (n,), nats, below 0 for outliers. Raises as `score_samples` does."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """Return 1 for usual rows and -1 for outliers: (n,). Raises as `score_samples` does."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def explain(self, X: Any) -> np.ndarray:
        """Return what each column, pixel or time step adds to the score of its row, in nats: like X.

        The entries of a row sum to its `score_samples`. The most negative entries make the row strange. A part
        contributes weight * n^2 / score, divided among the entries in proportion to what they add to its v. Raises as
        `score_samples` does.
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        nats = np.zeros(rows.shape)
        parts = self._part_entries(self._scaler.transform(rows), _row_keys(rows))
        values = [entries.sum(1, dtype=np.float64) for entries in parts]
        score = self._score(values)[:, None]
        for weight, surprise, entries, value in zip(_WEIGHTS, self._surprises, parts, values, strict=True):
            even = np.full(entries.shape, 1 / entries.shape[1])
            fraction = np.divide(entries, value[:, None], out=even, where=value[:, None] > 0)
            nats += weight * surprise(value)[:, None] ** 2 / score * fraction
        return nats.reshape(len(rows), *self._shape)

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
        fitted = {name: value for name, value in vars(self).items() if name.endswith("_")}
        recipe = {
            "narrows": __version__,
            "recipe": RECIPE,
            "parameters": {name: to_json(value) for name, value in self.get_params().items()},
            "schema": {"shape": list(self._shape)},
            "fitted": {k: v.tolist() if isinstance(v, np.ndarray) else v for k, v in fitted.items()},
            "surprises": [[surprise.location, surprise.spread] for surprise in self._surprises],
        }
        storage.write(Path(folder), recipe, self._tensors(), _card(self))

    @classmethod
    def load(cls, folder: str | Path) -> OutlierDetector:
        """Return the fitted detector that is saved in `folder`.

        Raises
        ------
        FileNotFoundError, ValueError
            If `folder` holds no complete detector of a known format.
        """
        recipe, tensors = storage.read(Path(folder))
        if recipe["recipe"] != RECIPE:
            raise ValueError(
                f"{folder} holds no OutlierDetector, but a model of the recipe {recipe['recipe']!r}. Use narrows.load."
            )
        detector = cls(**recipe["parameters"])
        for name, value in recipe["fitted"].items():
            setattr(detector, name, np.asarray(value, dtype=object) if name == "feature_names_in_" else value)
        detector._shape = tuple(recipe["schema"]["shape"])
        detector._surprises = [Surprise(*numbers) for numbers in recipe["surprises"]]
        arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
        detector._scaler = AsinhScaler(arrays["columns.center"], arrays["columns.scale"])
        detector._known_keys, detector._fold = arrays["known"].view(np.uint64), arrays["fold"]
        detector._residuals = Residuals(arrays["residuals.error"], arrays.get("residuals.whiten"))
        detector._set_references(arrays["near"], arrays["near.keys"].view(np.uint64), arrays["wide"].astype(np.int64))
        weights = {k.removeprefix("ensemble."): t for k, t in tensors.items() if k.startswith("ensemble.")}
        n_members, d, width = weights["weights.0"].shape
        detector._ensemble = Ensemble(n_members, d // 2, width, weights["weights.1"].shape[2]).requires_grad_(False)
        detector._ensemble.load_state_dict(weights)
        return detector

    # ---------------------------------------------------------------------------------------------- inside

    def _rows(self, X: Any, *, reset: bool) -> np.ndarray:
        """Check X and return it as (n, d)."""
        owner = type(self).__name__
        rows = as_array(X, owner)  # its error says where a text is
        X = X if hasattr(X, "columns") else rows
        if rows.ndim <= 2:
            rows = validate_data(
                self, X, reset=reset, dtype="numeric", ensure_min_samples=2 if reset else 1, ensure_all_finite=False
            )
        rows = as_floats(check_numeric(rows, owner))
        min_max(rows, owner, columns=getattr(self, "feature_names_in_", None))  # refuses NaN and infinity
        if reset:
            if len(rows) < 2:
                raise ValueError(f"{owner} needs at least 2 rows to learn from. Got n_samples=1.")
            self._shape, self.n_features_in_ = rows.shape[1:], int(np.prod(rows.shape[1:]))
        elif rows.shape[1:] != self._shape:
            raise ValueError(f"X passed to {owner} must have rows of shape {self._shape}. Got {rows.shape[1:]}.")
        return rows.reshape(len(rows), -1)

    def _train(self, u: np.ndarray, keys: np.ndarray, rng: np.random.Generator) -> None:
        """Set the ensemble, the errors of held-out rows, and the references, from usual rows u (n, d)."""
        self.n_iter_ = _N_STEPS if self.max_iter == "auto" else int(self.max_iter)
        fold = self._fold[find_in_sorted(self._known_keys, keys)]
        self._ensemble = train_ensemble(u, fold, self.n_members, self.n_iter_, int(rng.integers(2**31)))
        sample = subsample_evenly(np.arange(len(u))[:, None], _CALIBRATION_ROWS)[:, 0]
        held_out = self._ensemble.residuals(u[sample])[fold[sample], np.arange(len(sample))]
        self._residuals = Residuals.fit(held_out, fold[sample], self.n_members)
        indices = np.sort(rng.permutation(len(u))[:_MAX_REFERENCES])
        global_rows = rng.permutation(len(indices))[:_GLOBAL_ROWS]
        references = (u[indices] + self._ensemble.denoise(u[indices])) / 2
        self._set_references(references, keys[indices], global_rows)

    def _set_references(self, references: np.ndarray, keys: np.ndarray, global_rows: np.ndarray) -> None:
        self._local, self._global_rows = NeighborDistances(references, keys, _LOCAL_NEIGHBORS), global_rows
        k = max(_LOCAL_NEIGHBORS, round(_GLOBAL_FRACTION * len(global_rows)))
        self._global = NeighborDistances(references[global_rows], keys[global_rows], k)

    def _calibrate(self, u: np.ndarray, keys: np.ndarray, inliers: np.ndarray) -> None:
        """Fit the law of each part to usual rows, and set the threshold. All rows count as held out."""
        sample = subsample_evenly(np.arange(len(u))[:, None], _CALIBRATION_ROWS)[:, 0]
        u, keys, inliers = u[sample], keys[sample], inliers[sample]
        values = self._part_values(u, keys)
        self._surprises = [Surprise.fit(v[inliers], tail) for v, tail in zip(values, _TAILS, strict=True)]
        score = self._score(values)
        contamination = _AUTO_CONTAMINATION if self.contamination == "auto" else self.contamination
        self.offset_ = float(np.quantile(score, contamination)) - _ROUNDING

    def _part_values(self, u: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """Return the value v of each part for rows u (n, d): (n,) each."""
        return [self._squared_residuals(u, keys).sum(1), self._local(u, keys), self._global(u, keys)]

    def _part_entries(self, u: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """Return the value of each part for each entry of rows u (n, d): (n, d) each."""
        return [
            self._squared_residuals(u, keys),
            self._local.per_entry(u, keys),
            self._global.per_entry(u, keys),
        ]

    def _score(self, values: list[np.ndarray]) -> np.ndarray:
        """Return the score of rows from the values of the parts: (n,)."""
        parts = zip(_WEIGHTS, self._surprises, values, strict=True)
        squares = [weight * surprise(v) ** 2 for weight, surprise, v in parts]
        return -np.sqrt(np.sum(squares, axis=0) + _MIN_SQUARE)

    def _squared_residuals(self, u: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """Return the squared errors of prediction (n, d), by the member that did not see a known row, else by all."""
        position = find_in_sorted(self._known_keys, keys)
        fold = self._fold[position]
        squares = np.empty(u.shape)
        for start in range(0, len(u), _BLOCK_ROWS):
            b = slice(start, start + _BLOCK_ROWS)
            by_member = self._residuals.per_entry(self._ensemble.residuals(u[b]))
            unseen = by_member[fold[b], np.arange(by_member.shape[1])]
            squares[b] = np.where(position[b, None] >= 0, unseen, by_member.mean(0))
        return squares

    def _tensors(self) -> dict[str, torch.Tensor]:
        """Return the tensors to save. Their names are part of the file format."""
        arrays = {
            "columns.center": self._scaler.center,
            "columns.scale": self._scaler.scale,
            "known": self._known_keys.view(np.int64),
            "fold": self._fold,
            "residuals.error": self._residuals.error,
            "near": self._local.references,
            "near.keys": self._local.keys.view(np.int64),
            "wide": self._global_rows,
        }
        if self._residuals.whiten is not None:
            arrays["residuals.whiten"] = self._residuals.whiten
        weights = self._ensemble.state_dict(prefix="ensemble.")
        return {**{name: torch.from_numpy(array) for name, array in arrays.items()}, **weights}


def _inlier_mask(u: np.ndarray, keys: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return True for the rows of u (n, d) that are near enough to the others to learn from: (n,)."""
    sample = rng.permutation(len(u))[:_GLOBAL_ROWS]
    k = max(_LOCAL_NEIGHBORS, round(_GLOBAL_FRACTION * len(sample)))
    distance = NeighborDistances(u[sample], keys[sample], k)(u, keys)
    inliers = Surprise.fit(distance).standardize(distance) < _TRIM_ABOVE
    return inliers if inliers.sum() > 1 else np.ones(len(u), bool)


def _assign_folds(keys: np.ndarray, n_members: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the sorted keys of all rows, and the member that leaves each of them out. Equal rows share a fold."""
    known, first = np.unique(keys, return_index=True)
    fold = np.empty(len(known), np.int64)
    fold[np.argsort(first)] = (
        rng.permutation(len(known)) % n_members
    )  # in the order of the rows, which does not depend on their keys
    return known, fold


def _row_keys(rows: np.ndarray) -> np.ndarray:
    """Return a hash of each row (n, d), which recognises a row that was seen before: (n,), uint64."""
    bits = (rows.astype(np.float32) + np.float32(0)).view(np.uint32)  # adding 0 makes -0 and 0 the same
    odd = np.random.default_rng(0).integers(2**63, size=(2, rows.shape[1]), dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    keys = np.zeros(len(rows), np.uint64)
    for column in range(rows.shape[1]):
        value = (bits[:, column] + np.uint64(1)) * odd[0, column]
        keys += (value ^ (value >> np.uint64(32))) * odd[1, column]
    return keys


def _card(self: OutlierDetector) -> str:
    """Return the text of the model card, README.md in the folder."""
    width, code = self._ensemble.weights[0].shape[2], self._ensemble.weights[1].shape[2]
    return (
        "# OutlierDetector\n\nDenoising autoencoders, and the density of the data that they have denoised.\n\n"
        f"Made by narrows {__version__}. Load it with\n\n```python\nfrom narrows.tasks import OutlierDetector\n\n"
        'detector = OutlierDetector.load("FOLDER")\n```\n\n'
        f"- Rows of shape {self._shape}, {len(self._known_keys):,} different ones; {self.trimmed_:.1%} too strange to "
        f"learn from\n- {self.n_members} autoencoders {self.n_features_in_}-{width}-{code}-{width}-"
        f"{self.n_features_in_}\n- Threshold {self.offset_:.4g} (contamination {self.contamination!r})\n"
    )
