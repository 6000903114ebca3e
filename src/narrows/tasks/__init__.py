"""Tasks: outliers, labels from few, search by example, cleaning photos."""

from narrows.tasks.labels import Classifier, Regressor
from narrows.tasks.outliers import OutlierDetector
from narrows.tasks.photos import PhotoDenoiser
from narrows.tasks.retrieval import Retrieval
from narrows.tasks.search import Index, Matches

__all__ = ["Classifier", "Index", "Matches", "OutlierDetector", "PhotoDenoiser", "Regressor", "Retrieval"]
