"""Objectives: what a training step minimises."""

from narrows.objectives.costs import WeightedCosts

__all__ = ["WeightedCosts"]
