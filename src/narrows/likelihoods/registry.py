"""Likelihoods by name, and the choice of one for given data."""

from __future__ import annotations

from collections.abc import Callable

from narrows.data import Column, Schema
from narrows.likelihoods.base import Likelihood
from narrows.likelihoods.bernoulli import Bernoulli, ContinuousBernoulli
from narrows.likelihoods.counts import NegativeBinomial, Poisson
from narrows.likelihoods.discretized import DiscretizedLogistic
from narrows.likelihoods.gaussian import Gaussian, HeteroscedasticGaussian
from narrows.likelihoods.mixed import Mixed
from narrows.likelihoods.student_t import StudentT
from narrows.params import did_you_mean

LIKELIHOODS: dict[str, type[Likelihood]] = {
    c.name: c
    for c in (
        Bernoulli,
        ContinuousBernoulli,
        Gaussian,
        HeteroscedasticGaussian,
        StudentT,
        DiscretizedLogistic,
        Poisson,
        NegativeBinomial,
    )
}
_WITH_BOUNDS: dict[str, Callable[[bool], Likelihood]] = {  # made for data in [0, 1], or for all real numbers
    "gaussian": Gaussian,
    "heteroscedastic": HeteroscedasticGaussian,
    "student_t": StudentT,
}


def choose(name: str, schema: Schema) -> tuple[Likelihood, str]:
    """Return the likelihood called `name`, or for "auto" the one that fits the data, and the reason.

    Parameters
    ----------
    name : a key of `LIKELIHOODS`, or "auto".
    schema : description of the data.

    Raises
    ------
    ValueError
        If `name` is unknown.
    """
    if name != "auto":
        if name not in LIKELIHOODS:
            raise ValueError(f"Unknown likelihood {name!r}. {did_you_mean(name, [*LIKELIHOODS, 'auto'])}")
        if schema.kind == "table":
            if name not in ("gaussian", "heteroscedastic"):
                raise ValueError(
                    "The `likelihood` parameter must be 'auto', 'gaussian' or 'heteroscedastic' for a table, whose "
                    f"columns have a distribution of their own kind each (`columns` names kinds). Got {name!r} instead."
                )
            return Mixed(schema, name == "heteroscedastic"), "as asked for real columns; others by their kind"
        return _build(name, schema), "as asked"
    if schema.kind == "table":
        return Mixed(schema), "each column has the distribution of its kind"
    if schema.support == "binary":
        return _build("bernoulli", schema), "the values are 0 and 1"
    if schema.support == "count":
        return _build("negative_binomial", schema), "the values are counts, at least half of them 0"
    if schema.support == "real":
        return _build("gaussian", schema), "the values are real numbers"
    return _build("gaussian", schema), "the values and the mean lie in [0, 1]; minimises squared error"


def _build(name: str, schema: Schema) -> Likelihood:
    if name in _WITH_BOUNDS:
        return _WITH_BOUNDS[name](schema.support in ("unit", "binary"))
    return LIKELIHOODS[name]()


def name_likelihood(column: Column, atom: str = "") -> str:
    """Return the distribution of a used column in a table of several kinds, or of bins; `atom` is its atom as text."""
    if column.has_levels:
        return "categorical"
    if column.bins:  # of a model that predicts levels
        return f"categorical, {len(column.bins):,} levels or bins"
    if column.kind == "count":
        return "negative binomial"
    name = "normal, of the asinh" if column.kind == "heavy_tailed" else "normal"
    return name if column.atom is None else f"{name}, and a probability of {atom or format(column.atom, 'g')}"
