"""Evaluation: measures of a fitted model by name."""

from narrows.evaluation.disentanglement import (
    Disentanglement,
    DisentanglementRanking,
    evaluate_disentanglement,
    measure_disentanglement,
    rank_disentanglement,
)
from narrows.evaluation.measures import evaluate
from narrows.evaluation.recovered import RecoveredLoss, recovered_loss
from narrows.evaluation.registry import MEASURES
from narrows.evaluation.rows import evaluate_rows
from narrows.evaluation.seeds import evaluate_seeds
from narrows.evaluation.sprites import Sprites, synthetic_sprites
from narrows.evaluation.synthetic import FeatureMatch, SyntheticFeatures, match_features, synthetic_features
from narrows.evaluation.table import Evaluation, Row

__all__ = [
    "MEASURES",
    "Disentanglement",
    "DisentanglementRanking",
    "Evaluation",
    "FeatureMatch",
    "RecoveredLoss",
    "Row",
    "Sprites",
    "SyntheticFeatures",
    "evaluate",
    "evaluate_disentanglement",
    "evaluate_rows",
    "evaluate_seeds",
    "match_features",
    "measure_disentanglement",
    "rank_disentanglement",
    "recovered_loss",
    "synthetic_features",
    "synthetic_sprites",
]
