"""Tasks: outlier detection, learning from few labels, search by example, photo denoising, gaps of tables."""

from narrows.tasks.imputation import TableImputer
from narrows.tasks.labels import Classifier, Regressor
from narrows.tasks.outliers import OutlierDetector
from narrows.tasks.photos import PhotoDenoiser
from narrows.tasks.pooling import Pooled, pool_estimates
from narrows.tasks.retrieval import Retrieval
from narrows.tasks.search import Index, Matches

__all__ = [
    "Classifier",
    "Index",
    "Matches",
    "OutlierDetector",
    "PhotoDenoiser",
    "Pooled",
    "Regressor",
    "Retrieval",
    "TableImputer",
    "pool_estimates",
]
