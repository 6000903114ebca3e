"""Objectives: the loss that a training step minimises."""

from narrows.objectives.base import Cost, CostValue, NeighborPairs, Objective, frozen
from narrows.objectives.cells import GapCost, SquaredError
from narrows.objectives.importance import ImportanceWeighted
from narrows.objectives.neighbor_embedding import NeighborEmbedding
from narrows.objectives.total_correlation import TotalCorrelation
from narrows.objectives.weighted import DeadUnitRevival, HeadCost, WeightedObjective, negative_log_likelihood
from narrows.renamed import module_getattr

__all__ = [
    "Cost",
    "CostValue",
    "DeadUnitRevival",
    "GapCost",
    "HeadCost",
    "ImportanceWeighted",
    "NeighborEmbedding",
    "NeighborPairs",
    "Objective",
    "SquaredError",
    "TotalCorrelation",
    "WeightedObjective",
    "frozen",
    "negative_log_likelihood",
]

__getattr__ = module_getattr(__name__, {"WeightedCosts": "WeightedObjective", "KeptNeighbours": "NeighborEmbedding"})
