"""Objectives: what a training step minimises."""

from narrows.objectives.costs import WeightedCosts
from narrows.objectives.neighbours import KeptNeighbours

__all__ = ["KeptNeighbours", "WeightedCosts"]
