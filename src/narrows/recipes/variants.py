"""Recipes of the literature with an objective or a code of their own."""

from __future__ import annotations

from typing import Annotated

from narrows import bottlenecks
from narrows.data import Schema
from narrows.objectives import ImportanceWeighted, TotalCorrelation, WeightedObjective
from narrows.params import Integer, Real
from narrows.recipes.assemble import assemble
from narrows.recipes.fields import Components, Hidden, Likelihood, Network
from narrows.recipes.registry import Parts, register


@register
def iwae(
    schema: Schema,
    n_components: Components = 2,
    *,
    n_draws: Annotated[int, Integer(1), "draws from each posterior; more make the bound tighter and a step longer"] = 8,
    network: Network = "auto",
    hidden: Hidden = (1024, 512),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The importance-weighted autoencoder: a VAE whose bound on the log-likelihood is tighter, by several draws.

    Burda, Grosse and Salakhutdinov, Importance weighted autoencoders (2016), https://arxiv.org/abs/1509.00519.
    """
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        ImportanceWeighted(n_draws),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register
def factorvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    tc_weight: Annotated[float, Real(0), "weight of the total correlation, beside the KL; gamma of the paper"] = 6.0,
    kl_warmup: Annotated[float, Real(0, 0.7), "share of the training over which the weights grow from 0"] = 0.1,
    network: Network = "auto",
    hidden: Hidden = (1024, 512),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The VAE whose components are independent of each other, by a discriminator that tells when they are not.

    Kim and Mnih, Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.
    """
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective({"kl": 1.0, "tc": tc_weight}, warmup=kl_warmup, costs=(TotalCorrelation(n_components),)),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register
def vqvae(
    schema: Schema,
    n_components: Components = 16,
    *,
    n_codes: Annotated[int, Integer(2), "learned vectors that a group of components can be"] = 256,
    group_size: Annotated[int, Integer(1), "components of a group; n_components must be a multiple of it"] = 1,
    commitment: Annotated[float, Real(0), "weight of the distance between the encoder's output and the vectors"] = 0.25,
    network: Network = "auto",
    hidden: Hidden = (1024, 512),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The vector-quantised autoencoder: a code of whole numbers, each the name of a learned vector.

    van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning (2017),
    https://arxiv.org/abs/1711.00937.

    Raises
    ------
    ValueError
        If `group_size` does not divide `n_components`.
    """
    return assemble(
        schema,
        bottlenecks.VectorQuantizer(n_components, n_codes, group_size),
        WeightedObjective({"commitment": commitment}),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )
