"""Units that predict a target: chosen on one half of the rows, and checked on the other.

    t     the target: 1 in a class and 0 elsewhere, or a number
    r_j   correlation of the activation of unit j with t

The units with the largest |r_j| in the first half are chosen. Among many units some have a large one by chance, so what
counts is the second half, which had no part in the choice: r_j there, and for a class the area under the ROC curve. A
unit is confirmed if r_j has the same sign and |r_j| (n - 1)^1/2 > 1.96: over permutations of t, r_j has the variance
1 / (n - 1). The share that is confirmed where t is shuffled beforehand stands beside it.

Movva et al., Sparse autoencoders for hypothesis generation (2025), https://arxiv.org/abs/2502.04382.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from narrows.data.labels import check_labels, find_classes, split_known
from narrows.estimators.inference import Inference
from narrows.estimators.units import iterate_entries
from narrows.params import Integer, Parameter

if TYPE_CHECKING:
    import pandas as pd

_FEWEST = 20  # rows
_MOST_CLASSES = 100
_N_SHUFFLES = 20
_Z = 1.96


class PredictiveUnits(NamedTuple):
    """Units that predict a target, N of them, the best of the first half first; class after class.

    Attributes
    ----------
    unit : (N,) index of the unit.
    target : (N,) the class that it predicts against all others; for a number "y".
    chosen : (N,) correlation with the target in the half in which it was chosen.
    held_out : (N,) correlation in the other half.
    auc : (N,) area under the ROC curve of the activation in the other half, below 0.5 if the unit is silent in the
        class; NaN for a number.
    effect : (N,) mean of the target over examples of the other half for which the unit is active, less the mean over
        those for which it is not: for a class a difference of shares, for a number in its units. NaN if the unit is
        active for all or none.
    is_confirmed : (N,) True if the other half confirms the unit.
    by_chance : share of chosen units that is confirmed where the target is shuffled, of those of 20 shuffles together;
        0 if none is chosen.
    """

    unit: np.ndarray
    target: np.ndarray
    chosen: np.ndarray
    held_out: np.ndarray
    auc: np.ndarray
    effect: np.ndarray
    is_confirmed: np.ndarray
    by_chance: float

    @property
    def share_confirmed(self) -> float:
        """Share of the units that the other half confirms; compare it with `by_chance`."""
        return float(self.is_confirmed.mean()) if len(self.unit) else 0.0

    def to_frame(self) -> pd.DataFrame:
        """Return the arrays as a data frame with a row for each unit."""
        import pandas as pd

        return pd.DataFrame({name: values for name, values in self._asdict().items() if name != "by_chance"})

    def __repr__(self) -> str:
        return (
            f"PredictiveUnits({len(self.unit)} chosen, {self.share_confirmed:.0%} confirmed on held-out examples; "
            f"{self.by_chance:.0%} by chance)"
        )


def predictive_units(estimator: Inference, X: Any, y: Any, n: int = 10, random_state: int = 0) -> PredictiveUnits:
    """Return the units that predict y. See `SAE.predictive_units`."""
    from scipy.sparse import csr_matrix

    owner = "predictive_units"
    Parameter("n", 10, Integer(1), "").check(owner, n)
    Parameter("random_state", 0, Integer(0), "").check(owner, random_state)
    blocks = list(iterate_entries(estimator, X, owner))
    n_rows, n_units = sum(size for _, size in blocks), estimator.module().bottleneck.n_components
    if n_rows < _FEWEST:
        raise ValueError(f"{owner} needs at least {_FEWEST} examples, half of them to check. Got {n_rows}.")
    names, targets = _read_targets(y, n_rows, owner)
    values, units, rows = (np.concatenate([entries[i] for entries, _ in blocks]) for i in range(3))
    z = csr_matrix((values.astype(np.float64), (rows, units)), shape=(n_rows, n_units))
    rng = np.random.default_rng(random_state)
    order = rng.permutation(n_rows)
    halves = order[: n_rows // 2], order[n_rows // 2 :]
    a, b = (_Half(z[half]) for half in halves)
    unit, of, chosen, held_out = _choose(a, b, targets[halves[0]], targets[halves[1]], n)
    n_confirmed = n_chosen = 0
    for _ in range(_N_SHUFFLES):
        t = targets[rng.permutation(n_rows)]
        is_confirmed = _confirm(*_choose(a, b, t[halves[0]], t[halves[1]], n)[2:], b.n)
        n_confirmed, n_chosen = n_confirmed + int(is_confirmed.sum()), n_chosen + len(is_confirmed)
    t, by_unit = targets[halves[1]], b.z.tocsc()
    auc, effect = np.full(len(unit), np.nan), np.empty(len(unit))
    for i, (j, c) in enumerate(zip(unit, of, strict=True)):
        activations = by_unit[:, [j]].toarray().ravel()
        effect[i] = _effect(activations > 0, t[:, c])
        if names is not None:
            auc[i] = _auc(activations, t[:, c] > 0)
    return PredictiveUnits(
        unit,
        (np.array(["y"]) if names is None else names)[of],
        chosen,
        held_out,
        auc,
        effect,
        _confirm(chosen, held_out, b.n),
        n_confirmed / n_chosen if n_chosen else 0.0,
    )


class _Half:
    """The activations of half of the examples, sparse, n x L, with the mean and standard deviation of each unit."""

    def __init__(self, z: Any) -> None:
        self.z, self.n = z, z.shape[0]
        self.mean = np.asarray(z.mean(0)).ravel()
        squares = np.asarray(z.multiply(z).mean(0)).ravel()
        variance = squares - self.mean**2
        self.std = np.sqrt(np.where(variance > 1e-12 * squares, variance, 0))

    def correlations(self, targets: np.ndarray) -> np.ndarray:
        """Return the correlations of the units with targets (n x C): L x C, 0 where one does not vary."""
        centred = targets - targets.mean(0)
        covariance = np.asarray(self.z.T @ centred) / self.n  # the mean of a unit drops out: centred sums to 0
        scale = self.std[:, None] * targets.std(0)
        return np.divide(covariance, scale, out=np.zeros_like(covariance), where=scale > 0)


def _choose(
    a: _Half, b: _Half, target_a: np.ndarray, target_b: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return units, targets, and both correlations (N,) of at most n units for each target, chosen in a."""
    r_a, r_b = a.correlations(target_a), b.correlations(target_b)
    order = np.argsort(-np.abs(r_a), axis=0, kind="stable")[:n]  # n x C
    unit, of = order.T.ravel(), np.repeat(np.arange(order.shape[1]), len(order))
    varies = r_a[unit, of] != 0
    unit, of = unit[varies], of[varies]
    return unit, of, r_a[unit, of], r_b[unit, of]


def _confirm(chosen: np.ndarray, held_out: np.ndarray, n: int) -> np.ndarray:
    return (np.sign(chosen) == np.sign(held_out)) & (np.abs(held_out) * np.sqrt(n - 1) > _Z)


def _auc(activations: np.ndarray, is_in_class: np.ndarray) -> float:
    """Return the share of pairs in which the example of the class has the larger activation; ties count half."""
    from scipy.stats import rankdata

    n, m = int(is_in_class.sum()), int((~is_in_class).sum())
    if not n or not m:
        return float("nan")
    return float((rankdata(activations)[is_in_class].sum() - n * (n + 1) / 2) / (n * m))


def _effect(is_active: np.ndarray, target: np.ndarray) -> float:
    if is_active.all() or not is_active.any():
        return float("nan")
    return float(target[is_active].mean() - target[~is_active].mean())


def _read_targets(y: Any, n: int, owner: str) -> tuple[np.ndarray | None, np.ndarray]:
    """Return the classes (C,) and values (n x C) of the targets, 1 in a class and 0 elsewhere; None and a number."""
    y, known = split_known(check_labels(y, n, owner, "target"))
    if not known.all():
        raise ValueError(f"y passed to {owner} must hold a target for each example: none may be missing.")
    if y.dtype.kind == "f":
        if not np.isfinite(y).all():
            raise ValueError(f"y passed to {owner} must be finite. It holds infinity.")
        return None, y.astype(np.float64)[:, None]
    classes, index = find_classes(y, owner, "there is nothing to predict")
    if len(classes) > _MOST_CLASSES:
        raise ValueError(
            f"y passed to {owner} must hold at most {_MOST_CLASSES} classes. Got {len(classes):,}: pass floats if they "
            "are numbers."
        )
    of = np.arange(len(classes))[1 if len(classes) == 2 else 0 :]  # of two classes, one says everything
    return classes[of], (index[:, None] == of).astype(np.float64)
