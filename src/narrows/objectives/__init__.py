"""Objectives: the loss that a training step minimises."""

from narrows.objectives.base import Cost, CostValue, NeighborPairs, Objective, frozen
from narrows.objectives.capacity import Capacity
from narrows.objectives.cells import GapCost, SquaredError
from narrows.objectives.dictionaries import GateReconstruction, Prefixes
from narrows.objectives.importance import ImportanceWeighted
from narrows.objectives.neighbor_embedding import NeighborEmbedding
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
    "Capacity",
    "Cost",
    "CostValue",
    "DeadUnitRevival",
    "GapCost",
    "GateReconstruction",
    "HeadCost",
    "ImportanceWeighted",
    "NeighborEmbedding",
    "NeighborPairs",
    "Objective",
    "Prefixes",
    "SquaredError",
    "TotalCorrelation",
    "WeightedObjective",
    "frozen",
    "negative_log_likelihood",
]

__getattr__ = module_getattr(__name__, {"WeightedCosts": "WeightedObjective", "KeptNeighbours": "NeighborEmbedding"})
