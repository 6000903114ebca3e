"""Rows made of known features, and how many of these features a dictionary finds.

    x     = sum_f a_f D_f + noise                            D: F directions of length 1 in d dimensions
    a_f   = [Phi(g_f) > 1 - p_f] exp(s e_f - s^2 / 2)        g = c^1/2 W u + (1 - c)^1/2 v, rows of W of length 1

u (r numbers), v and e are independent N(0, 1). p_f falls as a power of f, as words do in texts; g is correlated by r
common factors (a Gaussian copula); activations are log-normal with mean 1, a heavy tail.

It is a small set in the manner of SynthSAEBench, without its hierarchy of features and with random directions, not ones
that were made more orthogonal: Chanin and Garriga-Alonso, SynthSAEBench (2026), https://arxiv.org/abs/2602.14687.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.special import ndtri

from narrows.evaluation.absent import Absent
from narrows.evaluation.inspection import Inspection
from narrows.fitted import FittedModel
from narrows.params import Integer, Parameter

_MOST_FEATURES = 8_192  # the matching takes time that grows with the cube
_MOST_FREQUENT = 0.5
_RANK = 8  # factors that features share
_BLOCK = 4_096


class SyntheticFeatures(NamedTuple):
    """Rows and the features that they are made of.

    Attributes
    ----------
    X : (n, d) rows, float32.
    activations : (n, F) activation of each feature, 0 where it is off, float32.
    directions : (F, d) directions of length 1, float32.
    probability : (F,) probability that a feature is on.
    """

    X: np.ndarray
    activations: np.ndarray
    directions: np.ndarray
    probability: np.ndarray

    def __repr__(self) -> str:
        (n, d), n_features = self.X.shape, len(self.directions)
        return f"SyntheticFeatures({n:,} rows of {d} numbers, {n_features:,} features)"


def synthetic_features(
    n: int,
    d: int = 64,
    n_features: int = 256,
    *,
    l0: float = 6.0,
    power: float = 0.7,
    correlation: float = 0.2,
    tail: float = 0.5,
    noise: float = 0.02,
    random_state: int = 0,
) -> SyntheticFeatures:
    """Return rows that are sums of a few known features.

    Parameters
    ----------
    n : number of rows.
    d : entries of a row.
    n_features : F, number of features; more than d of them are in superposition.
    l0 : mean number of features that are on in a row, at most a quarter of F.
    power : how fast features become rare: p_f is proportional to (f + 1)^-power, at most 0.5.
    correlation : c, from 0 to 1; share of the variance of g that features have in common. 0 makes them independent.
    tail : s, standard deviation of the logarithm of activations; 0 makes all of them 1.
    noise : standard deviation of the noise in each entry.
    random_state : an int; seed of the directions and of the rows.

    Raises
    ------
    TypeError, ValueError
        If a parameter is out of range.

    Examples
    --------
    >>> from narrows.evaluation import synthetic_features
    >>> synthetic_features(1_000)
    SyntheticFeatures(1,000 rows of 64 numbers, 256 features)
    """
    owner = "synthetic_features"
    for name, count in {"n": n, "d": d, "n_features": n_features}.items():
        Parameter(name, 1, Integer(1), "").check(owner, count)
    Parameter("random_state", 0, Integer(0), "").check(owner, random_state)
    for name, value in {"l0": l0, "power": power, "tail": tail, "noise": noise, "correlation": correlation}.items():
        if not np.isfinite(value) or value < 0:
            raise ValueError(f"The `{name}` parameter of {owner} must be a number of at least 0. Got {value!r}.")
    if not 0 < l0 <= n_features / 4:
        raise ValueError(
            f"The `l0` parameter of {owner} must be above 0 and at most n_features / 4 = {n_features / 4:g}. Got "
            f"{l0!r}."
        )
    if correlation > 1:
        raise ValueError(f"The `correlation` parameter of {owner} must be at most 1. Got {correlation!r}.")
    rng = np.random.default_rng(random_state)
    directions = _unit_rows(rng, n_features, d)
    factors = _unit_rows(rng, n_features, _RANK)
    probability = _probabilities(n_features, l0, power)
    threshold = -ndtri(probability)
    activations = np.empty((n, n_features), np.float32)
    for start in range(0, n, _BLOCK):
        block = activations[start : start + _BLOCK]
        g = np.sqrt(correlation) * rng.standard_normal((len(block), _RANK)) @ factors.T
        g += np.sqrt(1 - correlation) * rng.standard_normal(block.shape)
        size = np.exp(tail * rng.standard_normal(block.shape) - tail**2 / 2)
        block[:] = np.where(g > threshold, size, 0)
    X = activations @ directions.astype(np.float32)
    X += noise * rng.standard_normal(X.shape)
    return SyntheticFeatures(X.astype(np.float32), activations, directions.astype(np.float32), probability)


class FeatureMatch(NamedTuple):
    """Units of a dictionary beside the true features.

    Attributes
    ----------
    unit : (F,) the unit of each feature in the best matching of one to one: the largest sum of cosines; -1 without one.
    cosine : (F,) cosine of the feature and its unit in the matching; NaN without one.
    max_cosine : (F,) largest cosine of the feature and any unit.
    f1 : (F,) F1 of "the unit is active" as a prediction of "the feature is on"; NaN for a feature that is never on.
    by_chance : mean of `max_cosine` of as many random directions.
    """

    unit: np.ndarray
    cosine: np.ndarray
    max_cosine: np.ndarray
    f1: np.ndarray
    by_chance: float

    @property
    def mean_max_cosine(self) -> float:
        """Mean over features of their largest cosine; compare it with `by_chance`."""
        return float(self.max_cosine.mean())

    @property
    def mean_f1(self) -> float:
        """Mean F1 over the features that are on in at least one row."""
        return float(np.nanmean(self.f1))

    def share_found(self, cosine: float = 0.9) -> float:
        """Return the share of features whose unit in the matching has at least this cosine."""
        return float((np.nan_to_num(self.cosine, nan=-1) >= cosine).mean())

    def __repr__(self) -> str:
        return (
            f"FeatureMatch({self.share_found():.1%} of {len(self.unit):,} features found; mean F1 {self.mean_f1:.3f}, "
            f"mean max cosine {self.mean_max_cosine:.3f}, by chance {self.by_chance:.3f})"
        )


def match_features(model: FittedModel, truth: SyntheticFeatures, *, random_state: int = 0) -> FeatureMatch:
    """Return how well the units of a fitted SAE match the features of `truth`.

    Parameters
    ----------
    model : a fitted SAE.
    truth : features and rows, preferably ones that the model was not fitted on.
    random_state : an int; seed of the random directions.

    Raises
    ------
    ValueError
        If the model is not sparse, or of other rows; or if there are more than 8,192 features or units.

    Examples
    --------
    >>> import narrows
    >>> from narrows.evaluation import match_features, synthetic_features
    >>> truth = synthetic_features(2_000, d=32, n_features=40, l0=2, power=0)
    >>> sae = narrows.SAE(40, k=2, max_epochs=40, learning_rate=1e-2, random_state=0).fit(truth.X)
    >>> match = match_features(sae, truth)
    >>> match.mean_max_cosine > match.by_chance
    True
    """
    inspection = Inspection(model, truth.X)
    fires = _fires(inspection)
    n_features, n_units = len(truth.directions), fires.shape[1]
    if max(n_features, n_units) > _MOST_FEATURES:
        raise ValueError(f"match_features takes at most {_MOST_FEATURES:,} features and units. Got {n_units:,} units.")
    schema = inspection.schema
    # the scale of the columns: what a unit adds in the units of X
    scale = np.broadcast_to(np.asarray(schema.scale), (truth.X.shape[1],))
    directions = inspection.unit_directions.reshape(n_units, -1) * scale
    cosines = truth.directions @ _normalise(directions).T
    of, unit = linear_sum_assignment(cosines, maximize=True)
    units, matched, f1 = np.full(n_features, -1), np.full(n_features, np.nan), np.zeros(n_features)
    units[of], matched[of] = unit, cosines[of, unit]
    is_on = truth.activations > 0
    both = (is_on[:, of] & fires[:, unit]).sum(0)
    f1[of] = 2 * both / np.maximum(is_on[:, of].sum(0) + fires[:, unit].sum(0), 1)
    f1[~is_on.any(0)] = np.nan
    rng = np.random.default_rng([random_state, 1])  # no seed of `synthetic_features` gives these directions
    chance = truth.directions @ _unit_rows(rng, n_units, truth.X.shape[1]).T
    return FeatureMatch(units, matched, cosines.max(1), f1, float(chance.max(1).mean()))


def _fires(inspection: Inspection) -> np.ndarray:
    try:
        firing: np.ndarray = inspection.firing.toarray() != 0
    except Absent as reason:
        raise ValueError(f"match_features needs a fitted SAE: {reason}.") from reason
    return firing


def _probabilities(n_features: int, l0: float, power: float) -> np.ndarray:
    """Return p_f = min(0.5, scale (f + 1)^-power) with the sum l0: (F,)."""
    shape = (np.arange(n_features) + 1.0) ** -power
    low, high = 0.0, n_features**power
    for _ in range(100):  # the sum grows with the scale
        middle = (low + high) / 2
        low, high = (middle, high) if np.minimum(_MOST_FREQUENT, middle * shape).sum() < l0 else (low, middle)
    return np.minimum(_MOST_FREQUENT, high * shape)


def _unit_rows(rng: np.random.Generator, n: int, d: int) -> np.ndarray:
    return _normalise(rng.standard_normal((n, d)))


def _normalise(rows: np.ndarray) -> np.ndarray:
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(length > 0, length, 1)
