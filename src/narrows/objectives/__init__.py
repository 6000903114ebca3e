"""Objectives: the loss that a training step minimises."""

from typing import Any

from narrows.objectives.base import Cost, CostValue, NeighborPairs, Objective, frozen
from narrows.objectives.importance import ImportanceWeighted
from narrows.objectives.neighbor_embedding import NeighborEmbedding
from narrows.objectives.total_correlation import TotalCorrelation
from narrows.objectives.weighted import DeadUnitRevival, HeadCost, WeightedObjective, negative_log_likelihood
from narrows.renamed import warn

__all__ = [
    "Cost",
    "CostValue",
    "DeadUnitRevival",
    "HeadCost",
    "ImportanceWeighted",
    "NeighborEmbedding",
    "NeighborPairs",
    "Objective",
    "TotalCorrelation",
    "WeightedObjective",
    "frozen",
    "negative_log_likelihood",
]

_OLD_NAMES: dict[str, type] = {"WeightedCosts": WeightedObjective, "KeptNeighbours": NeighborEmbedding}


def __getattr__(name: str) -> Any:
    if name in _OLD_NAMES:
        warn(__name__, name, _OLD_NAMES[name].__name__, stacklevel=3)
        return _OLD_NAMES[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
