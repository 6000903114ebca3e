"""Measures by intervention: what stays in the code while one factor stays and all others change."""

from __future__ import annotations

from typing import Any

import numpy as np

from narrows.evaluation.disentanglement.factors import (
    N_BINS,
    check_known,
    draw_of_common_level,
    fit_logistic,
    make_generator,
    split_rows,
)

_N_SETS = 3_000  # sets of examples with a common factor; a third of them tests the classifier
_SIZE = 64  # pairs, or examples, of a set
_EXTREME = 0.99  # quantile in place of the maximum, which one odd row would decide


def beta_vae_score(codes: Any, factors: Any, *, n_bins: int = N_BINS, random_state: int = 0) -> float:
    """Accuracy of a linear classifier that tells which factor pairs of examples share; chance is 1 / F.

        d_j = mean over 64 pairs of |z_j - z'_j|        both examples of a pair have the same level of factor k; k = ?

    Components are standardised first, which the paper leaves out: otherwise a large component hides the others.

    Higgins et al., beta-VAE: Learning basic visual concepts with a constrained variational framework (2017),
    https://openreview.net/forum?id=Sy2fzU9gl.

    Parameters
    ----------
    codes : (n, L).
    factors : (n, F) numbers or words, F at least 2.
    n_bins : bins of a factor that has more values, if they are not whole numbers.
    random_state : an int; seed of the pairs.

    Raises
    ------
    TypeError, ValueError
        If a parameter is wrong, a factor has one value only, or no two rows share a level of a factor.
    """
    owner = "beta_vae_score"
    known, rng = check_known(codes, factors, owner, n_bins=n_bins), make_generator(owner, random_state)
    z, n_factors = known.standardised, known.levels.shape[1]
    factor = np.sort(rng.integers(n_factors, size=_N_SETS))
    d = np.empty((_N_SETS, z.shape[1]))
    for k in range(n_factors):
        sets = np.flatnonzero(factor == k)
        pairs = draw_of_common_level(known.levels[:, k], len(sets) * _SIZE, 2, rng, owner).reshape(-1, _SIZE, 2)
        for number, rows in zip(sets, pairs, strict=True):
            d[number] = np.abs(z[rows[:, 0]] - z[rows[:, 1]]).mean(0)
    d = (d - d.mean(0)) / np.where(d.std(0) > 0, d.std(0), 1)
    train, test = split_rows(_N_SETS, 1 / 3, rng)
    return float(fit_logistic(d[train], factor[train]).score(d[test], factor[test]))


def factor_vae_score(codes: Any, factors: Any, *, n_bins: int = N_BINS, random_state: int = 0) -> float:
    """Accuracy of a vote that tells which factor a set of examples shares; chance is about 1 / F.

        j = argmin_j var(z_j in the set) / var(z_j)        64 examples have the same level of factor k

    Each j stands for the factor for which it is most often the least component, and votes for it in other sets.

    Kim and Mnih, Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.

    Parameters and errors are as for `beta_vae_score`.
    """
    owner = "factor_vae_score"
    known, rng = check_known(codes, factors, owner, n_bins=n_bins), make_generator(owner, random_state)
    z, n_factors = known.standardised, known.levels.shape[1]
    varies = z.any(0)
    factor, least = np.sort(rng.integers(n_factors, size=_N_SETS)), np.empty(_N_SETS, np.int64)
    for k in range(n_factors):
        sets = np.flatnonzero(factor == k)
        drawn = draw_of_common_level(known.levels[:, k], len(sets), _SIZE, rng, owner)
        for number, rows in zip(sets, drawn, strict=True):
            least[number] = np.where(varies, z[rows].var(0), np.inf).argmin()
    train, test = split_rows(_N_SETS, 1 / 3, rng)
    votes = np.zeros((z.shape[1], n_factors), int)
    np.add.at(votes, (least[train], factor[train]), 1)
    return float((votes.argmax(1)[least[test]] == factor[test]).mean())


def irs(codes: Any, factors: Any, *, n_bins: int = N_BINS) -> float:
    """Interventional robustness: how little a component moves while its factor stays and all others change.

        1 - mean over levels v of q(|z_j - E[z_j | v_k = v]|, v_k = v) / q(|z_j - E z_j|)

    for the factor k that makes it largest; q is the 99 % quantile. The mean over components is weighted by
    q(|z_j - E z_j|), so it depends on their scales, as in the paper. disentanglement_lib has the maximum below the
    line, so its numbers are higher, also those of noise.

    Suter et al., Robustly disentangled causal mechanisms (2019), https://arxiv.org/abs/1811.00007.

    Parameters and errors are as for `mig`.
    """
    known = check_known(codes, factors, "irs", n_bins=n_bins)
    z = known.codes[:, np.ptp(known.codes, axis=0) > 0]
    if not z.shape[1]:
        return 0.0
    widest = np.quantile(np.abs(z - z.mean(0)), _EXTREME, axis=0)
    robustness = np.empty((z.shape[1], known.levels.shape[1]))
    for k, levels in enumerate(known.levels.T):
        groups = [z[levels == v] for v in range(known.n_levels[k])]
        moved = np.mean([np.quantile(np.abs(g - g.mean(0)), _EXTREME, axis=0) for g in groups], axis=0)
        robustness[:, k] = 1 - moved / np.where(widest > 0, widest, np.inf)
    return float(np.average(robustness.max(1).clip(0), weights=widest)) if widest.any() else 0.0
