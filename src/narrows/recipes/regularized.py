"""Recipes whose loss has a cost of the whole pass: on the distribution of the codes, on slopes, or on their order."""

from __future__ import annotations

from typing import Annotated, Literal

from narrows import bottlenecks
from narrows.data import Schema
from narrows.objectives import (
    MEASURES,
    CodeAdversary,
    CodeNorm,
    Cost,
    CovariancePenalty,
    DecoderJacobian,
    Discrepancy,
    EncoderJacobian,
    NestedDropout,
    SampledTotalCorrelation,
    TotalCorrelation,
    WeightedObjective,
)
from narrows.params import OneOf, Real, either
from narrows.recipes.assemble import assemble, label_terms
from narrows.recipes.fields import (
    Components,
    Conditional,
    Hidden,
    LabelWeight,
    Likelihood,
    Network,
    Start,
    Warmup,
)
from narrows.recipes.registry import Parts, register

_MATCHING = "weight of the distance between codes and prior relative to the mean negative log-likelihood of an entry"


@register(purpose="disentangle")
def betatcvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    tc_weight: Annotated[
        float, Real(0), "weight of the total correlation, which is added to the KL; beta - 1 in the paper"
    ] = 5.0,
    kl_warmup: Warmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE with independent components: their dependence is computed from the batch, without a discriminator.

    Chen, Li, Grosse and Duvenaud, Isolating sources of disentanglement in variational autoencoders (2018),
    https://arxiv.org/abs/1802.04942.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    weights = {"kl": 1.0, "tc": tc_weight, **label_weights}
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective(weights, warmup=kl_warmup, costs=(SampledTotalCorrelation(),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="disentangle")
def factorvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    tc_weight: Annotated[
        float, Real(0), "weight of the total correlation, which is added to the KL; gamma in the paper"
    ] = 6.0,
    kl_warmup: Annotated[float, Real(0, 0.7), "share of the training in which both weights grow from 0"] = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE with independent components: a discriminator detects dependence, which the loss then reduces.

    Kim and Mnih, Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    weights = {"kl": 1.0, "tc": tc_weight, **label_weights}
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective(weights, warmup=kl_warmup, costs=(TotalCorrelation(n_components),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="disentangle")
def dipvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    covariance: Annotated[
        str,
        OneOf(("means", "draws")),
        "covariance to bring near the identity: of the posterior means (DIP-VAE-I) or of drawn codes (DIP-VAE-II)",
    ] = "draws",
    dip_weight: Annotated[float, Real(0), "weight of the squared covariances; lambda_od in the paper"] = 10.0,
    diagonal_weight: Annotated[
        float | Literal["auto"],
        either(Real(0), OneOf(("auto",))),
        "weight of the squared differences of the variances from 1, relative to the covariances; 'auto' is that of the "
        "paper, 10 for 'means' and 1 for 'draws'",
    ] = "auto",
    kl_warmup: Warmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE with uncorrelated components: the covariance of the codes is kept near the identity.

    Kumar, Sattigeri and Balakrishnan, Variational inference of disentangled latent concepts from unlabeled
    observations (2018), https://arxiv.org/abs/1711.00848.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    weights = {"kl": 1.0, "dip": dip_weight, **label_weights}
    of_draws = covariance == "draws"
    diagonal = (1.0 if of_draws else 10.0) if isinstance(diagonal_weight, str) else diagonal_weight
    cost = CovariancePenalty(of_draws, diagonal)
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective(weights, warmup=kl_warmup, costs=(cost,)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="generate")
def infovae(
    schema: Schema,
    n_components: Components = 2,
    *,
    beta: Annotated[float, Real(0), "weight of the KL divergence of each posterior; 1 - alpha in the paper"] = 0.1,
    strength: Annotated[float, Real(0), _MATCHING] = 10.0,
    kl_warmup: Warmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """A VAE whose codes tell more of each example: only all codes together are pulled to N(0, I).

    Zhao, Song and Ermon, InfoVAE: Balancing learning and inference in variational autoencoders (2019),
    https://arxiv.org/abs/1706.02262, with the maximum mean discrepancy.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=beta)
    weights = {"kl": beta, "discrepancy": strength * schema.n_entries, **label_weights}
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components),
        WeightedObjective(weights, warmup=kl_warmup, costs=(Discrepancy(),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="generate")
def wae(
    schema: Schema,
    n_components: Components = 2,
    *,
    measure: Annotated[
        str,
        OneOf(MEASURES),
        "distance between codes and prior: 'mmd' (maximum mean discrepancy) or 'sliced' (sliced Wasserstein distance)",
    ] = "mmd",
    strength: Annotated[float, Real(0), _MATCHING] = 10.0,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """An autoencoder to draw from: each example has one code, and all codes together follow N(0, I).

    Tolstikhin, Bousquet, Gelly and Schölkopf, Wasserstein auto-encoders (2018), https://arxiv.org/abs/1711.01558.
    """
    frequencies, weights = label_terms(schema, conditional, label_weight)
    weights["discrepancy"] = strength * schema.n_entries
    return assemble(
        schema,
        bottlenecks.Matched(n_components),
        WeightedObjective(weights, costs=(Discrepancy(measure),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="generate")
def aae(
    schema: Schema,
    n_components: Components = 2,
    *,
    strength: Annotated[float, Real(0), "weight of the cost of codes that the discriminator tells from draws"] = 5.0,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """An autoencoder to draw from: a discriminator learns to tell codes from N(0, I), and the encoder to deceive it.

    Makhzani, Shlens, Jaitly, Goodfellow and Frey, Adversarial autoencoders (2015), https://arxiv.org/abs/1511.05644.
    """
    frequencies, weights = label_terms(schema, conditional, label_weight)
    weights["adversary"] = strength
    return assemble(
        schema,
        bottlenecks.Matched(n_components),
        WeightedObjective(weights, costs=(CodeAdversary(n_components),)),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="generate")
def rae(
    schema: Schema,
    n_components: Components = 2,
    *,
    code_weight: Annotated[float, Real(0), "weight of half the squared length of a code"] = 0.1,
    slope_weight: Annotated[
        float,
        Real(0),
        "weight of the squared slope of the decoder, in standardised units; 0 leaves it to the weight decay (RAE-L2)",
    ] = 0.0,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """An autoencoder to draw from without noise: short codes and a smooth decoder, then a density of the codes.

    Ghosh, Sajjadi, Vergari, Black and Schölkopf, From variational to deterministic autoencoders (2020),
    https://arxiv.org/abs/1903.12436. `fit_sampler(X)` fits a mixture of Gaussians to the codes, as the paper does.
    """
    frequencies, weights = label_terms(schema, conditional, label_weight)
    costs: tuple[Cost, ...] = (CodeNorm(),)
    weights["norm"] = code_weight
    if slope_weight > 0:
        costs, weights["slope"] = (*costs, DecoderJacobian(schema)), slope_weight
    return assemble(
        schema,
        bottlenecks.Plain(n_components),
        WeightedObjective(weights, costs=costs),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="features")
def contractiveae(
    schema: Schema,
    n_components: Components = 2,
    *,
    contraction: Annotated[float, Real(0), "weight of the squared slope of the encoder, in standardised units"] = 0.1,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """An autoencoder whose codes change little with small changes of the example.

    Rifai, Vincent, Muller, Glorot and Bengio, Contractive auto-encoders: Explicit invariance during feature extraction
    (2011), https://icml.cc/2011/papers/455_icmlpaper.pdf.
    """
    return assemble(
        schema,
        bottlenecks.Plain(n_components),
        WeightedObjective({"jacobian": contraction}, costs=(EncoderJacobian(),)),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="features")
def nestedae(
    schema: Schema,
    n_components: Components = 2,
    *,
    nesting: Annotated[
        float, Real(0), "weight of the loss of a random number of first components, relative to that of all components"
    ] = 1.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """An autoencoder with ordered components, as PCA has: the first k of them reconstruct as well as k can.

    Rippel, Gelbart and Adams, Learning ordered representations with nested dropout (2014),
    https://arxiv.org/abs/1402.0915.
    """
    return assemble(
        schema,
        bottlenecks.Plain(n_components),
        WeightedObjective({"nested": nesting} if n_components > 1 else {}, costs=(NestedDropout(),)),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )
