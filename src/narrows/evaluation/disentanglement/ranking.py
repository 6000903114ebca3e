"""UDR: which of several trainings is the most disentangled one, without known factors.

    UDR_ij = 1 / (d_i + d_j) (sum_b max_a R_ab^2 / sum_a R_ab + sum_a max_b R_ab^2 / sum_b R_ab)

R_ab is how similar component a of model i is to component b of model j, among the d_i and d_j informative components:
those whose mean KL is above 0.01 nats. The score of model i is the median of UDR_ij over the other models j. Behind it
is the assumption that disentangled codes are alike, up to the order and the sign of components, and that codes which
mix the factors each do so in their own way.

Duan et al., Unsupervised model selection for variational disentangled representation learning (2020),
https://arxiv.org/abs/1905.12614.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import rankdata
from sklearn.utils.validation import check_is_fitted

from narrows.evaluation.absent import Absent
from narrows.evaluation.disentanglement.factors import check_array, standardise
from narrows.evaluation.inspection import Inspection
from narrows.fitted import FittedModel
from narrows.params import OneOf, Parameter

_INFORMATIVE = 0.01  # nats
_LASSO = 0.1  # weight of the penalty, as in the paper


class DisentanglementRanking(NamedTuple):
    """Scores of several models by their agreement with each other; more is better, 1 is the most.

    Attributes
    ----------
    scores : (M,) UDR of each model.
    similarity : (M, M) UDR_ij of each pair, NaN on the diagonal.
    n_informative : (M,) number of informative components of each model.
    """

    scores: np.ndarray
    similarity: np.ndarray
    n_informative: np.ndarray

    @property
    def order(self) -> np.ndarray:
        """Numbers of the models, the best one first."""
        return np.argsort(-self.scores, kind="stable")

    def __repr__(self) -> str:
        best = self.order[0]
        return f"DisentanglementRanking(model {best} of {len(self.scores)} is best, UDR {self.scores[best]:.3f})"


def rank_disentanglement(models: Sequence[FittedModel], X: Any, *, method: str = "spearman") -> DisentanglementRanking:
    """Score several fitted models by how much their components agree, which needs no known factors.

    The models should be comparable: trainings of one recipe that differ by their seeds, or also by a parameter. The
    paper advises at least five seeds. Fit them with `start="random"`: the start at PCA, which is the default, makes the
    components of all seeds alike before the first step, so that agreement says little.

    Parameters
    ----------
    models : at least two fitted estimators whose KL has a closed form for each component, such as VAE.
    X : n examples.
    method : "spearman", the absolute rank correlation of two components; "lasso", the absolute coefficients of the
        lasso that predicts the components of model i from those of model j.

    Raises
    ------
    TypeError, ValueError
        If there are fewer than two models, one is not fitted or has no KL for each component, or `method` is unknown.

    Examples
    --------
    >>> import numpy as np, narrows
    >>> from narrows.evaluation import rank_disentanglement
    >>> X = np.random.default_rng(0).normal(size=(300, 5))
    >>> models = [narrows.VAE(2, hidden=(8,), max_epochs=3, random_state=seed).fit(X) for seed in range(3)]
    >>> rank_disentanglement(models, X).scores.shape
    (3,)
    """
    owner, codes, is_informative = "rank_disentanglement", [], []
    for model in models:
        if not hasattr(model, "prepare"):
            raise TypeError(f"{owner} takes fitted narrows estimators. Got {type(model).__name__}.")
        check_is_fitted(model)
        inspection = Inspection(model, X)
        try:
            nats = inspection.kl_per_component.double().mean(0)[model.model_.order.cpu()]
        except Absent as reason:
            raise ValueError(f"{owner} needs the KL of each component: {reason}.") from reason
        codes.append(inspection.codes)
        is_informative.append((nats > _INFORMATIVE).numpy())
    return rank_codes(codes, is_informative, method=method, owner=owner)


def rank_codes(
    codes: Sequence[Any],
    is_informative: Sequence[Any] | None = None,
    *,
    method: str = "spearman",
    owner: str = "rank_codes",
) -> DisentanglementRanking:
    """Score codes of the same examples by several models, which may have different numbers of components.

    Parameters
    ----------
    codes : M arrays (n, L).
    is_informative : M arrays (L,) of bool; None takes the components that vary.
    method : as for `rank_disentanglement`.
    owner : name of the function, for messages.

    Raises
    ------
    ValueError
        If there are fewer than two codes, they are not of the same examples, or `method` is unknown.
    """
    Parameter("method", "spearman", OneOf(tuple(_SIMILARITIES)), "").check(owner, method)
    checked = [check_array("codes", code, owner) for code in codes]
    if len(checked) < 2 or len({len(code) for code in checked}) > 1:
        raise ValueError(
            f"{owner} takes codes of the same examples by at least two models. Got {len(checked)} with "
            f"{', '.join(str(len(code)) for code in checked) or 'no'} rows."
        )
    if is_informative is None:
        is_informative = [np.ptp(code, axis=0) > 0 for code in checked]
    used = [code[:, np.asarray(keep, bool)] for code, keep in zip(checked, is_informative, strict=True)]
    prepared, n_models = [_PREPARED[method](code) for code in used], len(used)
    similarity = np.full((n_models, n_models), np.nan)
    for i in range(n_models):
        for j in range(n_models):
            if i != j:
                similarity[i, j] = _agreement(_SIMILARITIES[method](prepared[i], prepared[j]))
    scores = np.nanmedian(similarity, axis=1)
    return DisentanglementRanking(scores, similarity, np.array([code.shape[1] for code in used]))


def _agreement(R: np.ndarray) -> float:
    """Return UDR_ij from the similarities R (d_i, d_j) of components, each at least 0; 0 if a model has none."""
    if not R.size:
        return 0.0
    shares = [np.square(R.max(axis)) / np.maximum(R.sum(axis), 1e-300) for axis in (0, 1)]
    return float(sum(share.sum() for share in shares) / sum(R.shape))


def _correlate(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.asarray(np.abs(a.T @ b) / max(1, len(a)))


def _regress(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the absolute coefficients (d_a, d_b) of the lasso from b to each column of a."""
    from sklearn.linear_model import Lasso

    if not a.shape[1] or not b.shape[1]:
        return np.zeros((a.shape[1], b.shape[1]))
    return np.asarray(np.abs(Lasso(alpha=_LASSO).fit(b, a).coef_).reshape(a.shape[1], b.shape[1]))


def _ranks(code: np.ndarray) -> np.ndarray:
    return standardise(rankdata(code, axis=0)) if code.size else code


_PREPARED: dict[str, Callable[[np.ndarray], np.ndarray]] = {"spearman": _ranks, "lasso": standardise}
_SIMILARITIES: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {"spearman": _correlate, "lasso": _regress}
