"""Bottlenecks: one file an idea."""

from narrows.bottlenecks.base import (
    ACTIVE_VARIANCE,
    Bottleneck,
    Sample,
    Stochastic,
    active_components,
    as_stochastic,
)
from narrows.bottlenecks.gaussian import Gaussian
from narrows.bottlenecks.interpolation import lerp, slerp
from narrows.bottlenecks.labels import UNKNOWN, Joint, Label, LabelHead, RegressionHead, as_sparse, label_of
from narrows.bottlenecks.plain import Plain
from narrows.bottlenecks.sparse import L1, KLRate, Sparse, TopK

__all__ = [
    "ACTIVE_VARIANCE",
    "L1",
    "UNKNOWN",
    "Bottleneck",
    "Gaussian",
    "Joint",
    "KLRate",
    "Label",
    "LabelHead",
    "Plain",
    "RegressionHead",
    "Sample",
    "Sparse",
    "Stochastic",
    "TopK",
    "active_components",
    "as_sparse",
    "as_stochastic",
    "label_of",
    "lerp",
    "slerp",
]
