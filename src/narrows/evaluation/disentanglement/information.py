"""Measures by mutual information of components and factors."""

from __future__ import annotations

from typing import Any

import numpy as np

from narrows.evaluation.disentanglement.factors import N_BINS, check_known, entropy, lead_of_best, mutual_information


def mig(codes: Any, factors: Any, *, n_bins: int = N_BINS) -> float:
    """Mutual information gap: mean over factors of the lead of the best component, from 0 to 1.

        1/F sum_k (I(z_j; v_k) - max_i I(z_i; v_k)) / H(v_k)        j = argmax I(z_j; v_k), i is not j

    Two definitions are in use, and their numbers differ. disentanglement_lib and most comparisons since Locatello et
    al. (2019) take means of the posterior in 20 bins of equal width: pass `model.transform(X)`. Chen et al. take draws
    from the posterior, so that a component whose noise hides its mean counts less: pass draws. They estimate their
    information by the posterior densities of all examples, here it is by bins as well. `Disentanglement` has the
    first as `mig`, the second as `mig_sampled`.

    A factor with more levels than there are bins cannot reach 1: for V equal levels the most is about
    log(n_bins) / log(V).

    Chen et al., Isolating sources of disentanglement in variational autoencoders (2018),
    https://arxiv.org/abs/1802.04942.

    Parameters
    ----------
    codes : (n, L) means or draws.
    factors : (n, F) numbers or words, F at least 2.
    n_bins : bins of equal width for a component.

    Raises
    ------
    TypeError, ValueError
        If a parameter is wrong, or a factor has one value only.
    """
    known = check_known(codes, factors, "mig", n_bins=n_bins)
    information = mutual_information(known.codes, known.levels, n_bins)
    return float((lead_of_best(information) / entropy(known.levels)).mean())


def modularity(codes: Any, factors: Any, *, n_bins: int = N_BINS) -> float:
    """Modularity: does a component tell of one factor only? Mean over components, from 0 to 1.

        1 - sum_{k is not k*} I(z_j; v_k)^2 / ((F - 1) I(z_j; v_k*)^2)        k* = argmax I(z_j; v_k)

    Components that do not vary are left out. One that tells of nothing has no sum to speak of, only errors of the
    estimate, so noise does not get 0.

    Ridgeway and Mozer, Learning deep disentangled embeddings with the F-statistic loss (2018),
    https://arxiv.org/abs/1802.05312.

    Parameters and errors are as for `mig`.
    """
    known = check_known(codes, factors, "modularity", n_bins=n_bins)
    z = known.codes[:, np.ptp(known.codes, axis=0) > 0]
    if not z.shape[1]:
        return 0.0
    squares = np.square(mutual_information(z, known.levels, n_bins))
    most = np.maximum(squares.max(1), 1e-300)
    return float(1 - ((squares.sum(1) - most) / ((squares.shape[1] - 1) * most)).mean())
