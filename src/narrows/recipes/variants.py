"""Recipes from the literature: FactorVAE."""

from __future__ import annotations

from typing import Annotated

from narrows import bottlenecks
from narrows.data import Schema
from narrows.objectives import TotalCorrelation, WeightedObjective
from narrows.params import Real
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
