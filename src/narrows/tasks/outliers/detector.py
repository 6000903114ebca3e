"""`OutlierDetector`: a small ensemble of denoising autoencoders, and the density of what they make of the data.

    score(x) = - (sum over parts of weight * n(x)^2)^(1/2),   n(x) = softplus((log v(x) - location) / spread)

Each part measures v, and its n says, in nats, how far beyond usual rows that is (`parts.Surprise`):

    residual   columns that the others do not predict                  weight 1/4   (`ensemble`, `parts.Residuals`)
    near       distance to the 2 nearest training rows, half denoised  weight 1     (`parts.Neighbours`)
    wide       distance to the nearest tenth of 1,000 of them          weight 1

A training row counts half way between where it lies and where the autoencoders, which know what all rows have in
common, put it. The residuals show what is wrong between columns, `near` rows that lie off the data, and `wide` outliers
that have company. Squares are added, because one part that is sure says more than three that wonder. The score is no
likelihood of x.
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
from narrows.tasks.outliers.columns import Columns
from narrows.tasks.outliers.ensemble import Ensemble, trained
from narrows.tasks.outliers.parts import Neighbours, Residuals, Surprise, find
from narrows.version import __version__

RECIPE = "outliers"
_AUTO_CONTAMINATION = 0.05
_N_STEPS = 1_000
_WEIGHTS = (1 / 4, 1.0, 1.0)  # of residual, near and wide
_TAILS = (0.02, 0.1, 0.1)  # where each begins to count: usual rows differ in how well they can be predicted
_LEAST_SQUARE = 1e-30  # so that there is something to divide
_N_NEAR, _WIDE_ROWS, _WIDE_SHARE = 2, 1_000, 0.1
_MOST_REFERENCES = 50_000
_BLOCK = 8_192  # rows at a time
_ROUNDING = 1e-4  # nats, between a row's scores in one batch and in another
_CALIBRATED = 20_000  # training rows by which the parts and the threshold are set
_TRIMMED_ABOVE = 2.0  # nats, beyond the upper tenth: a chance of 1.5 % for a usual row


class OutlierDetector(OutlierMixin, BaseEstimator):
    """Which rows are strange, how strange, and in which columns; for any numeric table, without a setting.

    It learns from rows that are usual, all or most of them. Columns may have any units and heavy tails; discrete and
    constant ones are allowed. Rows far from all others are left out of what is learned. A row that it was fitted on is
    recognised, and scored as if it had been held out: by the autoencoder that did not see it, without itself among its
    neighbours. So scores of old and new rows can be compared, and the threshold holds for both.

    Parameters
    ----------
    contamination : share of outliers that sets the threshold, in (0, 0.5]; "auto" takes 0.05.
    n_members : number of autoencoders, at least 2, each of which leaves out one fold of the rows.
    max_iter : number of training steps; "auto" takes 1,000.
    random_state : seed of everything random: an int, a numpy RandomState or Generator, or None.

    Attributes
    ----------
    offset_ : float, the threshold: `decision_function` is `score_samples` less it.
    n_features_in_ : int, numbers in a row.
    n_iter_ : int, training steps.
    trimmed_ : float, the share of the rows that were too strange to learn from.

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
            "seed of everything random",
        ] = None,
    ) -> None:
        self.contamination = contamination
        self.n_members = n_members
        self.max_iter = max_iter
        self.random_state = random_state

    def fit(self, X: Any, y: Any = None) -> OutlierDetector:
        """Learn from X.

        Parameters
        ----------
        X : array or data frame (n, d) of at least two rows, or an array of images or series (n, ...).
        y : ignored.

        Raises
        ------
        ValueError
            If a parameter or X is not what it must be.
        """
        for name, parameter in parameters(type(self).__init__).items():
            parameter.check(type(self).__name__, getattr(self, name))
        reset_fitted(self)
        rows = self._rows(X, reset=True)
        rng = np.random.default_rng(as_seed(self.random_state))
        self._columns = Columns.of(rows)
        u, keys = self._columns(rows), _keys(rows)
        usual = _usual(u, keys, rng)
        self.trimmed_ = float(1 - usual.mean())
        self._known, self._fold = _folds(keys, self.n_members, rng)
        self._learn(u[usual], keys[usual], rng)
        self._calibrate(u, keys, usual)
        return self

    def __sklearn_is_fitted__(self) -> bool:
        """Whether a fit has come to its end; `offset_` is what is found out last."""
        return hasattr(self, "offset_")

    def score_samples(self, X: Any) -> np.ndarray:
        """How usual each row is: (n,), nats of surprise below 0; lower is stranger."""
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        return self._score(self._measured(self._columns(rows), _keys(rows)))

    def decision_function(self, X: Any) -> np.ndarray:
        """`score_samples` less `offset_`: (n,), below 0 for outliers."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> np.ndarray:
        """1 for usual rows and -1 for outliers: (n,)."""
        return np.where(self.decision_function(X) >= 0, 1, -1)

    def explain(self, X: Any) -> np.ndarray:
        """What each column, pixel or time step adds to a row's score: like X; summed over a row, `score_samples`.

        The most negative are what makes the row strange. A part has the share weight * n^2 of the score, and gives it
        to the entries in proportion to what they add to its v.
        """
        check_is_fitted(self)
        rows = self._rows(X, reset=False)
        found = np.zeros(rows.shape)
        shares = self._shares(self._columns(rows), _keys(rows))
        totals = [share.sum(1, dtype=np.float64) for share in shares]
        score = self._score(totals)[:, None]
        for weight, surprise, share, total in zip(_WEIGHTS, self._surprises, shares, totals, strict=True):
            even = np.full(share.shape, 1 / share.shape[1])
            of_part = np.divide(share, total[:, None], out=even, where=total[:, None] > 0)
            found += weight * surprise(total)[:, None] ** 2 / score * of_part
        return found.reshape(len(rows), *self._shape)

    # ---------------------------------------------------------------------------------------------- keeping

    def save(self, folder: str | Path) -> None:
        """Write the fitted detector into `folder`: recipe.json, weights.safetensors and a model card; no pickle."""
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
        """The fitted detector saved in `folder`.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no whole detector of a known format.
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
        detector._columns = Columns(arrays["columns.center"], arrays["columns.scale"])
        detector._known, detector._fold = arrays["known"].view(np.uint64), arrays["fold"]
        detector._residuals = Residuals(arrays["residuals.error"], arrays.get("residuals.whiten"))
        detector._refer(arrays["near"], arrays["near.keys"].view(np.uint64), arrays["wide"].astype(np.int64))
        weights = {k.removeprefix("ensemble."): t for k, t in tensors.items() if k.startswith("ensemble.")}
        n_members, d, width = weights["weights.0"].shape
        detector._ensemble = Ensemble(n_members, d // 2, width, weights["weights.1"].shape[2]).requires_grad_(False)
        detector._ensemble.load_state_dict(weights)
        return detector

    # ---------------------------------------------------------------------------------------------- inside

    def _rows(self, X: Any, *, reset: bool) -> np.ndarray:
        """X checked, as (n, d)."""
        owner = type(self).__name__
        rows = as_array(X, owner)  # says where the words are
        if rows.ndim <= 2:
            rows = validate_data(
                self, X, reset=reset, dtype="numeric", ensure_min_samples=2 if reset else 1, ensure_all_finite=False
            )
        rows = as_floats(check_numeric(rows, owner))
        min_max(rows, owner)  # refuses NaN and infinity, and says where
        if reset:
            if len(rows) < 2:
                raise ValueError(f"{owner} needs at least 2 rows to learn from. Got n_samples=1.")
            self._shape, self.n_features_in_ = rows.shape[1:], int(np.prod(rows.shape[1:]))
        elif rows.shape[1:] != self._shape:
            raise ValueError(f"X passed to {owner} must have rows of shape {self._shape}. Got {rows.shape[1:]}.")
        return rows.reshape(len(rows), -1)

    def _learn(self, u: np.ndarray, keys: np.ndarray, rng: np.random.Generator) -> None:
        """The ensemble, the errors of rows that it was not trained on, and the references, from usual rows."""
        self.n_iter_ = _N_STEPS if self.max_iter == "auto" else int(self.max_iter)
        fold = self._fold[find(self._known, keys)]
        self._ensemble = trained(u, fold, self.n_members, self.n_iter_, int(rng.integers(2**31)))
        some = subsample_evenly(np.arange(len(u))[:, None], _CALIBRATED)[:, 0]
        held_out = self._ensemble.residuals(u[some])[fold[some], np.arange(len(some))]
        self._residuals = Residuals.of(held_out, fold[some], self.n_members)
        chosen = np.sort(rng.permutation(len(u))[:_MOST_REFERENCES])
        wide = rng.permutation(len(chosen))[:_WIDE_ROWS]
        references = (u[chosen] + self._ensemble.denoised(u[chosen])) / 2
        self._refer(references, keys[chosen], wide)

    def _refer(self, references: np.ndarray, keys: np.ndarray, wide: np.ndarray) -> None:
        self._near, self._wide_rows = Neighbours(references, keys, _N_NEAR), wide
        self._wide = Neighbours(references[wide], keys[wide], max(_N_NEAR, round(_WIDE_SHARE * len(wide))))

    def _calibrate(self, u: np.ndarray, keys: np.ndarray, usual: np.ndarray) -> None:
        """The law of each part, by usual rows, and the threshold; all by rows as if they had been held out."""
        some = subsample_evenly(np.arange(len(u))[:, None], _CALIBRATED)[:, 0]
        u, keys, usual = u[some], keys[some], usual[some]
        measured = self._measured(u, keys)
        self._surprises = [Surprise.of(v[usual], tail) for v, tail in zip(measured, _TAILS, strict=True)]
        score = self._score(measured)
        share = _AUTO_CONTAMINATION if self.contamination == "auto" else self.contamination
        self.offset_ = float(np.quantile(score, share)) - _ROUNDING

    def _measured(self, u: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """What each part measures of rows on the scale of `columns`: (n,) each."""
        return [self._misfit(u, keys).sum(1), self._near(u, keys), self._wide(u, keys)]

    def _score(self, measured: list[np.ndarray]) -> np.ndarray:
        """The score of rows for which the parts measure this: (n,)."""
        parts = zip(_WEIGHTS, self._surprises, measured, strict=True)
        squares = [weight * surprise(v) ** 2 for weight, surprise, v in parts]
        return -np.sqrt(np.sum(squares, axis=0) + _LEAST_SQUARE)

    def _shares(self, u: np.ndarray, keys: np.ndarray) -> list[np.ndarray]:
        """The same for each entry: (n, d) each."""
        return [self._misfit(u, keys), self._near.shares(u, keys), self._wide.shares(u, keys)]

    def _misfit(self, u: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """The squared errors of prediction: (n, d), by the member that did not see a known row, else by all."""
        place = find(self._known, keys)
        fold = self._fold[place]
        found = np.empty(u.shape)
        for start in range(0, len(u), _BLOCK):
            b = slice(start, start + _BLOCK)
            squares = self._residuals.shares(self._ensemble.residuals(u[b]))
            one = squares[fold[b], np.arange(squares.shape[1])]
            found[b] = np.where(place[b, None] >= 0, one, squares.mean(0))
        return found

    def _tensors(self) -> dict[str, torch.Tensor]:
        arrays = {
            "columns.center": self._columns.center,
            "columns.scale": self._columns.scale,
            "known": self._known.view(np.int64),
            "fold": self._fold,
            "residuals.error": self._residuals.error,
            "near": self._near.references,
            "near.keys": self._near.keys.view(np.int64),
            "wide": self._wide_rows,
        }
        if self._residuals.whiten is not None:
            arrays["residuals.whiten"] = self._residuals.whiten
        weights = self._ensemble.state_dict(prefix="ensemble.")
        return {**{name: torch.from_numpy(array) for name, array in arrays.items()}, **weights}


def _usual(u: np.ndarray, keys: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Which rows (n, d) are near enough to the others to learn from."""
    sample = rng.permutation(len(u))[:_WIDE_ROWS]
    k = max(_N_NEAR, round(_WIDE_SHARE * len(sample)))
    distance = Neighbours(u[sample], keys[sample], k)(u, keys)
    usual = Surprise.of(distance).standard(distance) < _TRIMMED_ABOVE
    return usual if usual.sum() > 1 else np.ones(len(u), bool)


def _folds(keys: np.ndarray, n_members: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The sorted keys of all rows, and which member leaves each of them out. Equal rows are left out together."""
    known, first = np.unique(keys, return_index=True)
    fold = np.empty(len(known), np.int64)
    fold[np.argsort(first)] = rng.permutation(len(known)) % n_members  # in the order of the rows, whatever their keys
    return known, fold


def _keys(rows: np.ndarray) -> np.ndarray:
    """A number for each row (n, d), by which a row that was seen before is recognised: (n,), uint64."""
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
    """The model card: a README.md for whoever finds the folder."""
    width, code = self._ensemble.weights[0].shape[2], self._ensemble.weights[1].shape[2]
    return (
        "# OutlierDetector\n\nAn ensemble of denoising autoencoders, and the density of what they make of the data.\n\n"
        f"Made by narrows {__version__}. Load it with\n\n```python\nfrom narrows.tasks import OutlierDetector\n\n"
        'detector = OutlierDetector.load("FOLDER")\n```\n\n'
        f"- Rows of shape {self._shape}, {len(self._known):,} different ones; {self.trimmed_:.1%} too strange to "
        f"learn from\n- {self.n_members} autoencoders {self.n_features_in_}-{width}-{code}-{width}-"
        f"{self.n_features_in_}\n- Threshold {self.offset_:.4g} (contamination {self.contamination!r})\n"
    )
