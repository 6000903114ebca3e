"""Bottlenecks, the codes of a model: one file for each idea."""

from narrows.bottlenecks.base import (
    ACTIVE_VARIANCE,
    Bottleneck,
    LinearStart,
    Sample,
    Stochastic,
    active_components,
    as_stochastic,
)
from narrows.bottlenecks.flow import FlowPosterior
from narrows.bottlenecks.gaussian import Gaussian
from narrows.bottlenecks.hamiltonian import Hamiltonian
from narrows.bottlenecks.hyperbolic import WrappedNormal
from narrows.bottlenecks.interpolation import lerp, slerp
from narrows.bottlenecks.labels import UNKNOWN, Joint, Label, LabelHead, RegressionHead, as_sparse, label_of
from narrows.bottlenecks.laplace import Laplace
from narrows.bottlenecks.plain import Hidden, Plain
from narrows.bottlenecks.quantized import VectorQuantizer
from narrows.bottlenecks.selective import BatchTopK, Gated, JumpReLU, Selective, TopK, normal_threshold
from narrows.bottlenecks.sparse import L1, KLRate, Sparse
from narrows.bottlenecks.spherical import VonMisesFisher

__all__ = [
    "ACTIVE_VARIANCE",
    "L1",
    "UNKNOWN",
    "BatchTopK",
    "Bottleneck",
    "FlowPosterior",
    "Gated",
    "Gaussian",
    "Hamiltonian",
    "Hidden",
    "Joint",
    "JumpReLU",
    "KLRate",
    "Label",
    "LabelHead",
    "Laplace",
    "LinearStart",
    "Plain",
    "RegressionHead",
    "Sample",
    "Selective",
    "Sparse",
    "Stochastic",
    "TopK",
    "VectorQuantizer",
    "VonMisesFisher",
    "WrappedNormal",
    "active_components",
    "as_sparse",
    "as_stochastic",
    "label_of",
    "lerp",
    "normal_threshold",
    "slerp",
]
