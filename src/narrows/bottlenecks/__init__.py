"""Bottlenecks: one file an idea; they do not know each other."""

from narrows.bottlenecks.base import Bottleneck
from narrows.bottlenecks.gaussian import Gaussian
from narrows.bottlenecks.guess import UNKNOWN, Estimate, Guess
from narrows.bottlenecks.plain import Plain
from narrows.bottlenecks.sparse import L1, KLRate, Sparse, TopK

__all__ = ["L1", "UNKNOWN", "Bottleneck", "Estimate", "Gaussian", "Guess", "KLRate", "Plain", "Sparse", "TopK"]
