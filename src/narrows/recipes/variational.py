"""The choices of a variational autoencoder: its posterior, its prior and its bound, from names."""

from __future__ import annotations

import math
from typing import Annotated

import torch

from narrows import bottlenecks, priors
from narrows.data import ArrayScale, Schema
from narrows.objectives import Capacity, ImportanceWeighted, Objective, WeightedObjective
from narrows.params import Integer, OneOf, Real

Warmup = Annotated[
    float, Real(0, 0.7), "share of the training in which the weight of the KL (or the `capacity`) grows from 0"
]
FreeNats = Annotated[float, Real(0), "KL in nats that each component may have at no cost"]
CapacityNats = Annotated[
    float,
    Real(0),
    "KL in nats that the code of each example shall have: the distance from it is charged, not the KL; 0 for none",
]
Bound = Annotated[
    str,
    OneOf(("elbo", "iwae", "miwae", "piwae", "ciwae")),
    "bound on the log-likelihood to maximise: 'elbo' takes one draw of each code, the others several",
]
Draws = Annotated[int, Integer(1), "codes drawn for each example; more make the bound tighter and the training slower"]
Groups = Annotated[int, Integer(1), "groups of draws with a bound each, for 'miwae' and (of the encoder) for 'piwae'"]
ELBOShare = Annotated[float, Real(0, 1), "share of the ELBO in the bound 'ciwae'"]
Posterior = Annotated[
    str,
    OneOf(("gaussian", "laplace", "flow", "planar", "ladder")),
    "distribution of the code of one example; 'flow' (with the extra `flows`) and 'planar' have any shape, 'ladder' "
    "has two groups of components, of which one depends on the other",
]
Prior = Annotated[
    str,
    OneOf(("standard", "mixture", "vamp", "flow")),
    "distribution of all codes: 'standard' (mean 0, scale 1), 'mixture' (a learned mixture of Gaussians), 'vamp' (a "
    "mixture of posteriors of learned examples) or 'flow' (of any shape; with the extra `flows`)",
]
Modes = Annotated[int, Integer(1), "number of modes of the priors 'mixture' and 'vamp'"]
_OWN_PRIOR = ("laplace", "ladder")  # posteriors that come with a prior


def make_variational_code(
    schema: Schema, n_components: int, *, posterior: str, prior: str, n_modes: int, free_nats: float
) -> bottlenecks.Stochastic:
    """Return the code with a posterior and a prior.

    Raises
    ------
    ValueError
        If they cannot be combined, or `free_nats` is for neither.
    """
    if free_nats > 0 and (posterior, prior) != ("gaussian", "standard"):
        raise ValueError(
            f"The `free_nats` parameter of VAE must be 0 with posterior={posterior!r} and prior={prior!r}: it is for "
            f"'gaussian' and 'standard' ones. Got {free_nats:g} instead."
        )
    if posterior in _OWN_PRIOR and prior != "standard":
        raise ValueError(
            f"The posterior {posterior!r} has its own prior, so `prior` must be 'standard'. Got {prior!r}."
        )
    if prior == "vamp" and posterior != "gaussian":
        raise ValueError(
            "The prior 'vamp' needs the posterior 'gaussian', because its modes are posteriors of learned examples. "
            f"This posterior is {posterior!r}."
        )
    if posterior == "laplace":
        return bottlenecks.Laplace(n_components)
    if posterior == "ladder":
        return bottlenecks.Ladder(n_components)
    made = _make_prior(schema, n_components, prior, n_modes)
    if posterior == "flow":
        return bottlenecks.FlowPosterior(n_components, made)
    if posterior == "planar":
        return bottlenecks.PlanarPosterior(n_components, made)
    return bottlenecks.Gaussian(n_components, free_nats, made)


def _make_prior(schema: Schema, n_components: int, name: str, n_modes: int) -> priors.Prior:
    if name == "mixture":
        return priors.NormalMixture(n_components, n_modes)
    if name == "flow":
        return priors.FlowPrior(n_components)
    if name == "standard":
        return priors.StandardNormal(n_components)
    if schema.kind == "table":
        raise ValueError(
            "The prior 'vamp' is not for tables, because its modes are learned examples, and levels cannot be learned. "
            "Use estimator('gmvae'), or VAE(prior='mixture')."
        )
    scale = ArrayScale.of(schema)
    shape = (-1,) + (1,) * (len(schema.shape) - 1)
    mean = scale.mean.expm1() if schema.support == "count" else scale.mean
    std = torch.where(scale.std < math.inf, scale.std, 0.0)
    return priors.VampPrior(n_components, n_modes, mean.reshape(shape), std.reshape(shape), schema.shape)


def make_variational_objective(
    bound: str,
    *,
    n_draws: int,
    n_groups: int,
    elbo_share: float,
    beta: float,
    kl_warmup: float,
    free_nats: float,
    capacity: float,
    label_weights: dict[str, float],
) -> Objective:
    """Return the loss of a bound.

    Raises
    ------
    ValueError
        If the parameters cannot be combined, or `n_groups` does not divide `n_draws`.
    """
    weights = {"kl": beta, **({"free_nats": beta} if free_nats else {}), **label_weights}
    if bound == "elbo":
        if capacity == 0:
            return WeightedObjective(weights, warmup=kl_warmup)
        if free_nats > 0:
            raise ValueError(
                f"The `free_nats` parameter of VAE must be 0 with a `capacity`. Got {free_nats:g} instead."
            )
        return Capacity(capacity, weights, warmup=kl_warmup)
    for name, value, plain in (("beta", beta, 1), ("free_nats", free_nats, 0), ("capacity", capacity, 0)):
        if value != plain:
            raise ValueError(
                f"The `{name}` parameter of VAE must be {plain} with bound={bound!r}, which would be no bound on the "
                f"log-likelihood otherwise. Got {value:g} instead."
            )
    if bound in ("miwae", "piwae") and n_draws % n_groups:
        raise ValueError(
            f"The `n_groups` parameter must divide `n_draws`, {n_draws}, so that all groups have as many draws. Got "
            f"{n_groups} instead."
        )
    return ImportanceWeighted(
        n_draws,
        n_groups if bound == "miwae" else 1,
        n_groups if bound == "piwae" else None,
        elbo_share if bound == "ciwae" else 0.0,
        weights,
        kl_warmup,
    )
