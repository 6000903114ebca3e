"""Evaluation: measures of a fitted model by name."""

from narrows.evaluation.measures import evaluate
from narrows.evaluation.recovered import RecoveredLoss, recovered_loss
from narrows.evaluation.registry import MEASURES
from narrows.evaluation.rows import evaluate_rows
from narrows.evaluation.seeds import evaluate_seeds
from narrows.evaluation.synthetic import FeatureMatch, SyntheticFeatures, match_features, synthetic_features
from narrows.evaluation.table import Evaluation, Row

__all__ = [
    "MEASURES",
    "Evaluation",
    "FeatureMatch",
    "RecoveredLoss",
    "Row",
    "SyntheticFeatures",
    "evaluate",
    "evaluate_rows",
    "evaluate_seeds",
    "match_features",
    "recovered_loss",
    "synthetic_features",
]
