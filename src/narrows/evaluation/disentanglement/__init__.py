"""Disentanglement: does each component of a code follow one known factor of the examples?

z (n, L) are codes, v (n, F) the factors that the examples were made of. Each measure is a function of its own with its
paper, and more is better. `measure_disentanglement` computes all of them. The definitions are those of the papers; a
docstring says where disentanglement_lib has another one: Locatello et al., Challenging common assumptions in the
unsupervised learning of disentangled representations (2019), https://arxiv.org/abs/1811.12359.

No simulator is needed: pairs and sets of examples that share a factor are drawn from the rows themselves.
`rank_disentanglement` needs no factors either, but several models.
"""

from narrows.evaluation.disentanglement.information import mig, modularity
from narrows.evaluation.disentanglement.interventions import beta_vae_score, factor_vae_score, irs
from narrows.evaluation.disentanglement.measuring import (
    Disentanglement,
    evaluate_disentanglement,
    measure_disentanglement,
)
from narrows.evaluation.disentanglement.prediction import DCI, dci, explicitness, sap
from narrows.evaluation.disentanglement.ranking import DisentanglementRanking, rank_codes, rank_disentanglement

__all__ = [
    "DCI",
    "Disentanglement",
    "DisentanglementRanking",
    "beta_vae_score",
    "dci",
    "evaluate_disentanglement",
    "explicitness",
    "factor_vae_score",
    "irs",
    "measure_disentanglement",
    "mig",
    "modularity",
    "rank_codes",
    "rank_disentanglement",
    "sap",
]
