"""Measures by prediction of the factors from the code."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from narrows.data import spaced_indices
from narrows.evaluation.disentanglement.factors import (
    N_BINS,
    Known,
    check_known,
    fit_logistic,
    lead_of_best,
    make_generator,
    split_rows,
)

_MOST_FITTED = 5_000  # rows for regressions
_HELD_OUT = 0.25  # share of them that tests
_N_TREES = 50


def explicitness(codes: Any, factors: Any, *, n_bins: int = N_BINS, random_state: int = 0) -> float:
    """Explicitness: can a linear classifier read the factors from the code? 1 for always, 0 for chance.

        mean over factors and levels of 2 AUC - 1        of "v_k has this level", by logistic regression on z

    At most 5,000 rows are used, and a quarter of them is held out. disentanglement_lib reports the AUC itself.

    Ridgeway and Mozer, Learning deep disentangled embeddings with the F-statistic loss (2018),
    https://arxiv.org/abs/1802.05312.

    Parameters and errors are as for `beta_vae_score`.
    """
    from sklearn.metrics import roc_auc_score

    known, train, test = _regression_rows(codes, factors, "explicitness", n_bins, (), random_state)
    z, scores = known.standardised, []
    for levels in known.levels.T:
        classifier = fit_logistic(z[train], levels[train])
        probability = classifier.predict_proba(z[test])
        is_level = levels[test][:, None] == classifier.classes_
        is_mixed = is_level.any(0) & ~is_level.all(0)  # there is no AUC of a level that the held-out rows lack
        areas = [roc_auc_score(is_level[:, v], probability[:, v]) for v in np.flatnonzero(is_mixed)]
        scores.append(2 * float(np.mean(areas)) - 1 if areas else 0.0)
    return float(np.mean(scores))


def sap(
    codes: Any, factors: Any, *, categorical: Sequence[int] = (), n_bins: int = N_BINS, random_state: int = 0
) -> float:
    """Separated attribute predictability: mean over factors of the lead of the component that predicts it best.

        1/F sum_k (s_jk - s_ik)        j, i: the best component for factor k and the next one

    s_jk is the squared correlation of z_j and v_k, or for a categorical factor the held-out balanced accuracy of a
    linear classifier on z_j. A categorical factor with V values reaches 1 - 1 / V at most, any other one 1.

    Kumar et al., Variational inference of disentangled latent concepts from unlabeled observations (2018),
    https://arxiv.org/abs/1711.00848.

    Parameters
    ----------
    codes : (n, L).
    factors : (n, F) numbers or words, F at least 2.
    categorical : numbers of the factors whose values have no order; those made of words have none anyway.
    n_bins : bins of a factor that has more values, if they are not whole numbers.
    random_state : an int; seed of the held-out rows.

    Raises
    ------
    TypeError, ValueError
        If a parameter is wrong, or a factor has one value only.
    """
    from sklearn.metrics import balanced_accuracy_score

    known, train, test = _regression_rows(codes, factors, "sap", n_bins, categorical, random_state)
    z, v = known.standardised, known.factors
    v = (v - v.mean(0)) / v.std(0)
    scores = np.square(z.T @ v / len(z))
    for k in np.flatnonzero(known.is_categorical):
        for j, component in enumerate(z.T):
            column, levels = component[:, None], known.levels[:, k]
            predicted = fit_logistic(column[train], levels[train], class_weight="balanced").predict(column[test])
            scores[j, k] = balanced_accuracy_score(levels[test], predicted)
    # a component that carries nothing predicts by chance, which is also what there is beside the only component
    chance = np.where(known.is_categorical, 1 / known.n_levels, 0)
    return float(lead_of_best(np.vstack([scores, chance])).mean())


class DCI(NamedTuple):
    """Disentanglement, completeness and informativeness.

    Attributes
    ----------
    disentanglement : 1 if each component serves one factor, 0 if all serve all of them equally.
    completeness : 1 if each factor is in one component, 0 if it is spread over all of them equally.
    informativeness : held-out R2 of the factors by forests on the code, 1 at best.
    importance : (L, F) importance of each component for each factor; columns sum to 1.
    """

    disentanglement: float
    completeness: float
    informativeness: float
    importance: np.ndarray


def dci(
    codes: Any, factors: Any, *, categorical: Sequence[int] = (), n_bins: int = N_BINS, random_state: int = 0
) -> DCI:
    """Return disentanglement, completeness and informativeness, by the importance R (L, F) of components.

        D = sum_j r_j (1 - H_F(R_j. / sum R_j.)),  r_j = sum_k R_jk / sum R        H_F: entropy to base F
        C = 1/F sum_k (1 - H_L(R_.k / sum R_.k))
        I = 1/F sum_k max(0, R2 of factor k on held-out rows)

    R is how much a random forest that predicts factor k gains by component j. The paper has the lasso or such forests,
    and the error in place of R2 = 1 - error; disentanglement_lib has boosted trees and accuracy, so its numbers
    differ. A factor that no component predicts still has an importance, which is then chance: look at I, too. A
    categorical factor is predicted as indicators of its values. At most 5,000 rows are used, and a quarter
    of them is held out.

    Eastwood and Williams, A framework for the quantitative evaluation of disentangled representations (2018),
    https://openreview.net/forum?id=By-7dz-AZ.

    Parameters and errors are as for `sap`.
    """
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.metrics import r2_score

    known, train, test = _regression_rows(codes, factors, "dci", n_bins, categorical, random_state)
    z, importance, r2 = known.standardised, [], []
    for k, column in enumerate(known.factors.T):
        target = np.eye(known.n_levels[k])[known.levels[:, k]] if known.is_categorical[k] else column
        forest = RandomForestRegressor(_N_TREES, min_samples_leaf=5, random_state=random_state)
        forest.fit(z[train], target[train])
        importance.append(forest.feature_importances_)
        r2.append(r2_score(target[test], forest.predict(z[test]), multioutput="variance_weighted"))
    R = np.stack(importance, axis=1)
    by_component = R.sum(1)
    weight = by_component / max(by_component.sum(), 1e-300)
    disentangled = float((weight * _concentration(R)).sum())
    return DCI(disentangled, float(_concentration(R.T).mean()), float(np.mean(np.clip(r2, 0, None))), R)


def _regression_rows(
    codes: Any, factors: Any, owner: str, n_bins: int, categorical: Sequence[int], random_state: int
) -> tuple[Known, np.ndarray, np.ndarray]:
    """Return no more rows than regressions use, and which of them train and which test."""
    known = check_known(codes, factors, owner, n_bins=n_bins, categorical=categorical)
    rng = make_generator(owner, random_state)
    known = known.take(spaced_indices(len(known.codes), _MOST_FITTED))
    return known, *split_rows(len(known.codes), _HELD_OUT, rng)


def _concentration(R: np.ndarray) -> np.ndarray:
    """Return 1 - entropy of each row, to the base of their length; 1 for rows of one number, 0 for a row of zeros."""
    if R.shape[1] == 1:
        return np.ones(len(R))
    total = R.sum(1, keepdims=True)
    share = np.where(total > 0, R / np.where(total > 0, total, 1), 1 / R.shape[1])
    return np.asarray(1 + (share * np.log(np.where(share > 0, share, 1))).sum(1) / np.log(R.shape[1]))
