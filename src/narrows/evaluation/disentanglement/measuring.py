"""All measures of disentanglement, from codes or from a fitted model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from narrows import rng
from narrows.evaluation.absent import Absent
from narrows.evaluation.disentanglement.factors import N_BINS, check_known, mutual_information
from narrows.evaluation.disentanglement.information import mig, modularity
from narrows.evaluation.disentanglement.interventions import beta_vae_score, factor_vae_score, irs
from narrows.evaluation.disentanglement.prediction import dci, explicitness, sap
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.scores import apply_to_code
from narrows.fitted import FittedModel
from narrows.params import Integer, Parameter


class Disentanglement(NamedTuple):
    """Measures of how well components of a code follow known factors; more is better.

    Attributes
    ----------
    beta_vae_score, factor_vae_score : accuracies; chance is about 1 / F for F factors.
    mig : mutual information gap of the codes; `mig_sampled`: of draws from the posterior, NaN without any.
    sap : separated attribute predictability.
    disentanglement, completeness, informativeness : the three of DCI.
    modularity, explicitness : those of Ridgeway and Mozer.
    irs : interventional robustness.
    importance : (L, F) importance of each component for each factor, from DCI.
    information : (L, F) mutual information of each component and each factor, nats.
    n : number of examples.
    """

    beta_vae_score: float
    factor_vae_score: float
    mig: float
    mig_sampled: float
    sap: float
    disentanglement: float
    completeness: float
    informativeness: float
    modularity: float
    explicitness: float
    irs: float
    importance: np.ndarray
    information: np.ndarray
    n: int

    @property
    def values(self) -> dict[str, float]:
        """The measures by name."""
        return {name: value for name, value in self._asdict().items() if isinstance(value, float)}

    def __repr__(self) -> str:
        n_components, n_factors = self.importance.shape
        lines = [f"  {name:<17} {value:.3f}" for name, value in self.values.items() if not np.isnan(value)]
        title = f"Disentanglement of {n_components:,} components, {n_factors} factors, n = {self.n:,}"
        return "\n".join([title, *lines])


def measure_disentanglement(
    codes: Any,
    factors: Any,
    *,
    draws: Any = None,
    categorical: Sequence[int] = (),
    n_bins: int = N_BINS,
    random_state: int = 0,
) -> Disentanglement:
    """Measure how well the components of codes follow known factors. docs/measures.md explains each measure.

    Parameters
    ----------
    codes : (n, L), for example `model.transform(X)`.
    factors : (n, F) numbers or words, F at least 2.
    draws : (n, L) draws from the posteriors, for `mig_sampled`; None leaves it out.
    categorical : numbers of the factors whose values have no order; those made of words have none anyway.
    n_bins : bins of a component, and of a factor that has more values, if they are not whole numbers.
    random_state : an int; seed of pairs and held-out rows.

    Raises
    ------
    TypeError, ValueError
        If a parameter is wrong, a factor has one value only, or no two rows share a level of a factor.

    Examples
    --------
    >>> import numpy as np
    >>> from narrows.evaluation import measure_disentanglement
    >>> factors = np.random.default_rng(0).integers(5, size=(1_000, 3))
    >>> measured = measure_disentanglement(factors[:, ::-1] * [1.0, -2.0, 3.0], factors)
    >>> measured.mig > 0.95, measured.beta_vae_score
    (True, 1.0)
    """
    known = check_known(codes, factors, "measure_disentanglement", n_bins=n_bins, categorical=categorical)
    binned: dict[str, Any] = {"n_bins": n_bins}
    seeded = {**binned, "random_state": random_state}
    ordered = {**seeded, "categorical": categorical}
    parts = dci(codes, factors, **ordered)
    return Disentanglement(
        beta_vae_score=beta_vae_score(codes, factors, **seeded),
        factor_vae_score=factor_vae_score(codes, factors, **seeded),
        mig=mig(codes, factors, **binned),
        mig_sampled=float("nan") if draws is None else mig(draws, factors, **binned),
        sap=sap(codes, factors, **ordered),
        disentanglement=parts.disentanglement,
        completeness=parts.completeness,
        informativeness=parts.informativeness,
        modularity=modularity(codes, factors, **binned),
        explicitness=explicitness(codes, factors, **seeded),
        irs=irs(codes, factors, **binned),
        importance=parts.importance,
        information=mutual_information(known.codes, known.levels, n_bins),
        n=len(known.codes),
    )


def evaluate_disentanglement(
    model: FittedModel,
    X: Any,
    factors: Any,
    *,
    categorical: Sequence[int] = (),
    n_bins: int = N_BINS,
    random_state: int = 0,
) -> Disentanglement:
    """Measure how well the components of a fitted model's codes follow known factors.

    Parameters
    ----------
    model : a fitted estimator. `mig_sampled` needs one with a posterior, such as VAE.
    X : n examples, preferably ones that it was not fitted on.
    factors, categorical, n_bins, random_state : as for `measure_disentanglement`.

    Raises
    ------
    TypeError, ValueError
        If the model is not fitted or has no codes, or as `measure_disentanglement` does.

    Examples
    --------
    >>> import narrows
    >>> from narrows.evaluation import evaluate_disentanglement, synthetic_sprites
    >>> sprites = synthetic_sprites(300, size=16)
    >>> vae = narrows.VAE(4, hidden=(16,), max_epochs=2, random_state=0).fit(sprites.X)
    >>> measured = evaluate_disentanglement(vae, sprites.X, sprites.factors, categorical=[0])
    >>> measured.importance.shape
    (4, 5)
    """
    owner = "evaluate_disentanglement"
    if not hasattr(model, "prepare"):
        raise TypeError(f"{owner} takes a fitted narrows estimator. Got {type(model).__name__}.")
    check_is_fitted(model)
    Parameter("random_state", 0, Integer(0), "").check(owner, random_state)
    inspection = Inspection(model, X)
    try:
        codes = inspection.codes
    except Absent as reason:
        raise ValueError(f"{owner} needs codes: {reason}.") from reason
    return measure_disentanglement(
        codes,
        factors,
        draws=_draw(inspection, random_state),
        categorical=categorical,
        n_bins=n_bins,
        random_state=random_state,
    )


def _draw(inspection: Inspection, seed: int) -> np.ndarray | None:
    """Return a draw from the posterior of each example (n, L); None for a code that is a point."""
    try:
        code = inspection.stochastic
    except Absent:
        return None
    generators = {"cpu": torch.Generator().manual_seed(seed)}

    def draw(h: Tensor) -> Tensor:
        with rng.drawing_from(generators):
            eps = rng.randn((len(h), code.n_noise))
        return code.sample(h, eps.to(h)).z

    model = inspection.model.module()
    return apply_to_code(model, draw, inspection.h)[:, model.order.cpu()].double().numpy()
