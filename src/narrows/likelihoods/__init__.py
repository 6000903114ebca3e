"""Likelihoods: log p(x | z), one file for each kind of data."""

from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from narrows.likelihoods.binned import Binned
from narrows.likelihoods.counts import NegativeBinomial, Poisson
from narrows.likelihoods.discretized import DiscretizedLogistic
from narrows.likelihoods.gaussian import Gaussian, HeteroscedasticGaussian
from narrows.likelihoods.mixed import Mixed
from narrows.likelihoods.registry import LIKELIHOODS, choose, name_likelihood
from narrows.likelihoods.student_t import StudentT

__all__ = [
    "LIKELIHOODS",
    "Bernoulli",
    "Binned",
    "ContinuousBernoulli",
    "DiscretizedLogistic",
    "Gaussian",
    "HeteroscedasticGaussian",
    "Likelihood",
    "Mixed",
    "NegativeBinomial",
    "Poisson",
    "StudentT",
    "choose",
    "name_likelihood",
]
