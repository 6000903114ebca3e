"""Outliers: how strange a row is, in which columns, and where to draw the line."""

from narrows.tasks.outliers.detector import OutlierDetector
from narrows.tasks.outliers.reasons import Reasons, reasons

__all__ = ["OutlierDetector", "Reasons", "reasons"]
