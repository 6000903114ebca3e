"""The recipes of narrows."""

from __future__ import annotations

from typing import Annotated, Any

from narrows import bottlenecks, corruptions
from narrows.data import Schema, TableFeatures
from narrows.objectives import AUX_WEIGHT, NeighborEmbedding, WeightedObjective
from narrows.params import Integer, OneOf, Real, either
from narrows.recipes.assemble import assemble, label_terms
from narrows.recipes.fields import (
    Beta,
    Components,
    Conditional,
    Hidden,
    LabelWeight,
    Level,
    Likelihood,
    Network,
    OptionalComponents,
    Start,
)
from narrows.recipes.registry import Parts, register
from narrows.recipes.sparsity import (
    ActiveUnits,
    AuxSize,
    AuxWeight,
    Center,
    FrozenDecoder,
    Patience,
    PrefixSizes,
    Rate,
    Scale,
    Skip,
    Sparsity,
    Strength,
    assemble_dictionary,
    make_code,
)
from narrows.recipes.variational import (
    Bound,
    CapacityNats,
    Draws,
    ELBOShare,
    FreeNats,
    Groups,
    Modes,
    Posterior,
    Prior,
    Warmup,
    make_variational_code,
    make_variational_objective,
)


@register(purpose="features")
def ae(
    schema: Schema,
    n_components: Components = 2,
    *,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """The plain autoencoder: it compresses each example to a few numbers and restores the example from them.

    Hinton and Salakhutdinov, Reducing the dimensionality of data with neural networks (2006),
    https://doi.org/10.1126/science.1127647.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight)
    return assemble(
        schema,
        bottlenecks.Plain(n_components),
        WeightedObjective(label_weights),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="generate")
def vae(
    schema: Schema,
    n_components: Components = 2,
    *,
    beta: Beta = 1.0,
    kl_warmup: Warmup = 0.1,
    free_nats: FreeNats = 0.0,
    capacity: CapacityNats = 0.0,
    bound: Bound = "elbo",
    n_draws: Draws = 8,
    n_groups: Groups = 4,
    elbo_share: ELBOShare = 0.5,
    posterior: Posterior = "gaussian",
    prior: Prior = "standard",
    n_modes: Modes = 10,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """The variational autoencoder: codes follow N(0, I), so new ones can be drawn, and each component can be varied.

    Kingma and Welling, Auto-encoding variational Bayes (2014), https://arxiv.org/abs/1312.6114.

    Raises
    ------
    ValueError
        If the parameters cannot be combined, or `n_groups` does not divide `n_draws`.
    """
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=beta)
    objective = make_variational_objective(
        bound,
        n_draws=n_draws,
        n_groups=n_groups,
        elbo_share=elbo_share,
        beta=beta,
        kl_warmup=kl_warmup,
        free_nats=free_nats,
        capacity=capacity,
        label_weights=label_weights,
    )
    code = make_variational_code(
        schema, n_components, posterior=posterior, prior=prior, n_modes=n_modes, free_nats=free_nats
    )
    return assemble(
        schema,
        code,
        objective,
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="denoise")
def dae(
    schema: Schema,
    n_components: OptionalComponents = None,
    *,
    noise: Annotated[str, OneOf(tuple(corruptions.NOISES)), "kind of noise to add in the training"] = "gaussian",
    level: Level = 0.3,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
    start: Start = "pca",
) -> Parts:
    """The denoising autoencoder: it turns a noisy example into a clean one.

    Vincent, Larochelle, Bengio and Manzagol, Extracting and composing robust features with denoising autoencoders
    (2008), https://doi.org/10.1145/1390156.1390294.
    """
    return assemble(
        schema,
        bottlenecks.Plain(n_components or 0),
        corruption=corruptions.noise(noise, tuple(level) if isinstance(level, list) else level),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        start=start,
    )


@register(purpose="sparse")
def sae(
    schema: Schema,
    n_components: Components = 256,
    *,
    sparsity: Sparsity = "topk",
    k: ActiveUnits = "auto",
    strength: Strength = 1.0,
    rate: Rate = 0.05,
    prefixes: PrefixSizes = "auto",
    patience: Patience = "auto",
    n_aux: AuxSize = 256,
    aux_weight: AuxWeight = AUX_WEIGHT,
    skip: Skip = False,
    frozen_decoder: FrozenDecoder = False,
    scale: Scale = "column",
    center: Center = "mean",
    network: Network = "auto",
    hidden: Hidden = (),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The sparse autoencoder: of its many units only a few are active for one example.

    Gao et al., Scaling and evaluating sparse autoencoders (2024), https://arxiv.org/abs/2406.04093.

    Raises
    ------
    ValueError
        If `k` or `prefixes` exceeds `n_components`, there is a skip, but no targets, or `network` names a decoder: SAE
        needs a dictionary, or your own module (and with `frozen_decoder` its own dictionary).
    """
    del center  # the schema has it already, and the other scales
    code, objective, choices = make_code(
        sparsity,
        n_components,
        schema.n_entries,
        k=k,
        strength=strength,
        rate=rate,
        prefixes=prefixes,
        patience=patience,
        n_aux=n_aux,
        aux_weight=aux_weight,
    )
    parts = assemble_dictionary(
        schema,
        code,
        objective,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
        k=k,
        skip=skip,
        scale=scale,
        frozen_decoder=frozen_decoder,
    )
    return parts._replace(choices=(*choices, *parts.choices))


@register(purpose="map")
def mapae(
    schema: Schema,
    n_components: Components = 2,
    *,
    n_neighbors: Annotated[
        Any,
        either(Integer(1), OneOf(("auto",))),
        "number of nearest rows that should stay near each row on the map; 'auto' is 20",
    ] = "auto",
    metric: Annotated[
        str,
        OneOf(("auto", "euclidean", "cosine")),
        "distance that finds the nearest rows; 'auto' is 'cosine' (of centred examples) for images, else 'euclidean'",
    ] = "auto",
    attraction: Annotated[
        float,
        Real(0, open_low=True),
        "pull between neighbours; 1 is as in t-SNE, more makes clusters tighter, as in UMAP",
    ] = 1.3,
    breadth: Annotated[
        float, Real(0, 1), "share of the pull that shapes the global layout; the rest keeps the nearest rows together"
    ] = 0.2,
    strength: Annotated[
        float, Real(0), "weight of the cost of neighbours relative to the mean negative log-likelihood of an entry"
    ] = 20.0,
    network: Network = "auto",
    hidden: Hidden = (256,) * 6,
    likelihood: Likelihood = "auto",
) -> Parts:
    """The autoencoder as a map: near examples have near codes, and each place on the map can be decoded.

    The encoder is deep, because a map is far from linear. Without its layer norms it learns several times as slowly
    (docs/negative-results.md).

    Sainburg, McInnes and Gentner, Parametric UMAP embeddings for representation and semi-supervised learning (2021),
    https://arxiv.org/abs/2009.12981; the cost of the neighbours is that of t-SNE.
    """
    return assemble(
        schema,
        bottlenecks.Plain(n_components),
        WeightedObjective(
            {"neighbours": strength * schema.n_entries},
            costs=(
                NeighborEmbedding(
                    None if n_neighbors == "auto" else n_neighbors,
                    attraction,
                    breadth,
                    None if metric == "auto" else metric,
                    counts=schema.support == "count",
                    features=TableFeatures(schema) if schema.kind == "table" else None,
                ),
            ),
        ),
        network=network,
        hidden=hidden,
        normalized=True,
        likelihood=likelihood,
    )
