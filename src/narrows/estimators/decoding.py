"""The base of all estimators whose codes can be decoded."""

from __future__ import annotations

from narrows.estimators.code_indices import CodeIndices


class CodeEstimator(CodeIndices):
    """Abstract: an estimator whose codes can be decoded: it can draw codes, vary them and go from one to another."""
