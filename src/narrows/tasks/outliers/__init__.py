"""Outliers: a score for each row, the columns that make it strange, and a threshold."""

from narrows.tasks.outliers.detector import OutlierDetector
from narrows.tasks.outliers.reasons import Reasons, reasons, surprises

__all__ = ["OutlierDetector", "Reasons", "reasons", "surprises"]
