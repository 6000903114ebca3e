"""Recipes from the literature: FactorVAE and VQ-VAE."""

from __future__ import annotations

from typing import Annotated

from narrows import bottlenecks
from narrows.data import Schema
from narrows.objectives import TotalCorrelation, WeightedObjective
from narrows.params import Integer, Real
from narrows.recipes.assemble import assemble
from narrows.recipes.fields import Components, Hidden, Likelihood, Network, Start
from narrows.recipes.registry import Parts, register


@register(purpose="disentangle")
def factorvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    tc_weight: Annotated[
        float, Real(0), "weight of the total correlation, which is added to the KL; gamma in the paper"
    ] = 6.0,
    kl_warmup: Annotated[float, Real(0, 0.7), "share of the training in which both weights grow from 0"] = 0.1,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE with independent components: a discriminator detects dependence, which the loss then reduces.

    Kim and Mnih, Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.
    """
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective({"kl": 1.0, "tc": tc_weight}, warmup=kl_warmup, costs=(TotalCorrelation(n_components),)),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="discrete")
def vqvae(
    schema: Schema,
    n_components: Components = 16,
    *,
    n_codes: Annotated[int, Integer(2), "number of learned vectors; each group of components is one of them"] = 256,
    group_size: Annotated[int, Integer(1), "number of components in a group; it must divide n_components"] = 1,
    commitment: Annotated[float, Real(0), "weight of the distance from the encoder's output to its vectors"] = 0.25,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """The vector-quantised autoencoder: its code is whole numbers, each the index of a learned vector.

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
