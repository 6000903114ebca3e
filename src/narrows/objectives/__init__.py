"""Objectives: what a training step minimises."""

from narrows.objectives.base import Cost, CostValue, NeighborPairs, Objective, frozen
from narrows.objectives.costs import DeadUnitRevival, HeadCost, WeightedCosts, negative_log_likelihood
from narrows.objectives.importance import ImportanceWeighted
from narrows.objectives.neighbours import KeptNeighbours
from narrows.objectives.total_correlation import TotalCorrelation

__all__ = [
    "Cost",
    "CostValue",
    "DeadUnitRevival",
    "HeadCost",
    "ImportanceWeighted",
    "KeptNeighbours",
    "NeighborPairs",
    "Objective",
    "TotalCorrelation",
    "WeightedCosts",
    "frozen",
    "negative_log_likelihood",
]
