"""Objectives: what a training step minimises."""

from narrows.objectives.base import Cost, CostValue, NeighborPairs, Objective, frozen
from narrows.objectives.costs import DeadUnitRevival, HeadCost, WeightedCosts, negative_log_likelihood
from narrows.objectives.neighbours import KeptNeighbours

__all__ = [
    "Cost",
    "CostValue",
    "DeadUnitRevival",
    "HeadCost",
    "KeptNeighbours",
    "NeighborPairs",
    "Objective",
    "WeightedCosts",
    "frozen",
    "negative_log_likelihood",
]
