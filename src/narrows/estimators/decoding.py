"""The base of all estimators whose codes can be decoded."""

from __future__ import annotations

from narrows.estimators.clusters import Clusters
from narrows.estimators.generation import Generation


class CodeEstimator(Clusters, Generation):
    """Abstract: an estimator whose codes can be decoded: it can draw codes, vary them and go from one to another."""
