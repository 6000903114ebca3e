"""Bottlenecks, the codes of a model: one file for each idea."""

from narrows.bottlenecks.base import (
    ACTIVE_VARIANCE,
    Bottleneck,
    LinearStart,
    PriorCode,
    Sample,
    Stochastic,
    active_components,
    as_prior_code,
    as_stochastic,
)
from narrows.bottlenecks.categorical import Categorical
from narrows.bottlenecks.combined import Combined
from narrows.bottlenecks.discrete import Discrete
from narrows.bottlenecks.finite_scalar import FiniteScalar
from narrows.bottlenecks.flow import FlowPosterior, PlanarPosterior
from narrows.bottlenecks.gaussian import Gaussian
from narrows.bottlenecks.grids import GridQuantizer
from narrows.bottlenecks.hamiltonian import Hamiltonian
from narrows.bottlenecks.hyperbolic import WrappedNormal
from narrows.bottlenecks.interpolation import lerp, slerp
from narrows.bottlenecks.labels import (
    UNKNOWN,
    Joint,
    Label,
    LabelHead,
    RegressionHead,
    as_discrete,
    as_sparse,
    gaussian_posterior,
    label_of,
)
from narrows.bottlenecks.ladder import Ladder
from narrows.bottlenecks.laplace import Laplace
from narrows.bottlenecks.matched import Matched
from narrows.bottlenecks.plain import Hidden, Plain
from narrows.bottlenecks.quantized import VectorQuantizer
from narrows.bottlenecks.residual import ResidualQuantizer
from narrows.bottlenecks.selective import BatchTopK, Gated, JumpReLU, Selective, TopK, normal_threshold
from narrows.bottlenecks.selector import Selector
from narrows.bottlenecks.sparse import L1, KLRate, Sparse
from narrows.bottlenecks.spherical import VonMisesFisher

__all__ = [
    "ACTIVE_VARIANCE",
    "L1",
    "UNKNOWN",
    "BatchTopK",
    "Bottleneck",
    "Categorical",
    "Combined",
    "Discrete",
    "FiniteScalar",
    "FlowPosterior",
    "Gated",
    "Gaussian",
    "GridQuantizer",
    "Hamiltonian",
    "Hidden",
    "Joint",
    "JumpReLU",
    "KLRate",
    "Label",
    "LabelHead",
    "Ladder",
    "Laplace",
    "LinearStart",
    "Matched",
    "Plain",
    "PlanarPosterior",
    "PriorCode",
    "RegressionHead",
    "ResidualQuantizer",
    "Sample",
    "Selective",
    "Selector",
    "Sparse",
    "Stochastic",
    "TopK",
    "VectorQuantizer",
    "VonMisesFisher",
    "WrappedNormal",
    "active_components",
    "as_discrete",
    "as_prior_code",
    "as_sparse",
    "as_stochastic",
    "gaussian_posterior",
    "label_of",
    "lerp",
    "normal_threshold",
    "slerp",
]
