"""Evaluation: measures of a fitted model by name."""

from narrows.evaluation.measures import evaluate
from narrows.evaluation.recovered import RecoveredLoss, recovered_loss
from narrows.evaluation.registry import MEASURES
from narrows.evaluation.rows import evaluate_rows
from narrows.evaluation.table import Evaluation, Row

__all__ = ["MEASURES", "Evaluation", "RecoveredLoss", "Row", "evaluate", "evaluate_rows", "recovered_loss"]
