"""Objectives: the loss that a training step minimises."""

from narrows.objectives.adversarial import CodeAdversary, ExampleAdversary
from narrows.objectives.base import Cost, CostValue, NeighborPairs, Objective, frozen
from narrows.objectives.capacity import Capacity
from narrows.objectives.cells import GapCost, SquaredError
from narrows.objectives.covariance import CovariancePenalty
from narrows.objectives.dictionaries import GateReconstruction, Prefixes
from narrows.objectives.discrepancy import MEASURES, Discrepancy
from narrows.objectives.importance import ImportanceWeighted
from narrows.objectives.jacobians import CodeNorm, DecoderJacobian, EncoderJacobian
from narrows.objectives.neighbor_embedding import NeighborEmbedding
from narrows.objectives.nested import NestedDropout
from narrows.objectives.sampled_total_correlation import SampledTotalCorrelation
from narrows.objectives.structural_similarity import StructuralSimilarity
from narrows.objectives.total_correlation import TotalCorrelation
from narrows.objectives.weighted import (
    AUX_WEIGHT,
    DeadUnitRevival,
    HeadCost,
    WeightedObjective,
    negative_log_likelihood,
)
from narrows.renamed import module_getattr

__all__ = [
    "AUX_WEIGHT",
    "MEASURES",
    "Capacity",
    "CodeAdversary",
    "CodeNorm",
    "Cost",
    "CostValue",
    "CovariancePenalty",
    "DeadUnitRevival",
    "DecoderJacobian",
    "Discrepancy",
    "EncoderJacobian",
    "ExampleAdversary",
    "GapCost",
    "GateReconstruction",
    "HeadCost",
    "ImportanceWeighted",
    "NeighborEmbedding",
    "NeighborPairs",
    "NestedDropout",
    "Objective",
    "Prefixes",
    "SampledTotalCorrelation",
    "SquaredError",
    "StructuralSimilarity",
    "TotalCorrelation",
    "WeightedObjective",
    "frozen",
    "negative_log_likelihood",
]

__getattr__ = module_getattr(__name__, {"WeightedCosts": "WeightedObjective", "KeptNeighbours": "NeighborEmbedding"})
