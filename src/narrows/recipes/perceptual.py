"""Recipes that judge reconstructions by more than the likelihood of each entry: by a network, or as people see."""

from __future__ import annotations

from typing import Annotated

from torch import nn

from narrows import bottlenecks, networks
from narrows.data import Schema
from narrows.objectives import ExampleAdversary, StructuralSimilarity, WeightedObjective
from narrows.params import Real
from narrows.recipes.assemble import assemble, label_terms
from narrows.recipes.fields import Components, Conditional, Hidden, LabelWeight, Likelihood, Network, Start, Warmup
from narrows.recipes.registry import Parts, register

_N_FEATURES, _WIDTHS = 64, (256,)  # of the opponent's hidden layers, the last of which compares examples


@register(purpose="generate")
def vaegan(
    schema: Schema,
    n_components: Components = 2,
    *,
    feature_weight: Annotated[
        float, Real(0), "weight of the opponent's cost: the distance of its features, and their realism"
    ] = 1.0,
    realism: Annotated[float, Real(0), "weight of looking like data, relative to the distance of the features"] = 1.0,
    kl_warmup: Warmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE with crisper examples: an opponent learns to tell decoded examples from data, and compares them.

    Larsen, Sønderby, Larochelle and Winther, Autoencoding beyond pixels using a learned similarity metric (2016),
    https://arxiv.org/abs/1512.09300. The likelihood of the entries keeps its weight here, so that scores stay scores.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    name, _ = networks.choose("auto", schema)
    features = nn.Sequential(networks.build_encoder(name, schema, _N_FEATURES, _WIDTHS), nn.LeakyReLU(0.2))
    weights = {"kl": 1.0, "adversary": feature_weight, **label_weights}
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective(weights, warmup=kl_warmup, costs=(ExampleAdversary(features, _N_FEATURES, realism),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="generate", is_visual=True)
def msssimvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    strength: Annotated[
        float, Real(0), "weight of the dissimilarity relative to the mean negative log-likelihood of an entry"
    ] = 1.0,
    beta: Annotated[float, Real(0), "weight of the KL divergence from the prior"] = 1.0,
    kl_warmup: Warmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE for images whose reconstructions keep the structure that people see: edges and contrast.

    Snell et al., Learning to generate images with perceptual similarity metrics (2017),
    https://arxiv.org/abs/1511.06409.

    Raises
    ------
    ValueError
        If the examples are not images with values in [0, 1].
    """
    if schema.kind != "image" or schema.is_series or schema.support not in ("unit", "binary"):
        raise ValueError(
            f"MSSSIMVAE needs images, (n, h, w) or (n, h, w, c), of bytes or of values from 0 to 1. Got "
            f"{schema.describe()} of support {schema.support!r}: use VAE for other data."
        )
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=beta)
    weights = {"kl": beta, "dissimilarity": strength * schema.n_entries, **label_weights}
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective(weights, warmup=kl_warmup, costs=(StructuralSimilarity(),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )
