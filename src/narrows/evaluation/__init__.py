"""Evaluation: measures of a fitted model by name."""

from narrows.evaluation.measures import Evaluation, evaluate

__all__ = ["Evaluation", "evaluate"]
