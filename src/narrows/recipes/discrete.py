"""Recipes whose codes are whole numbers: indices of learned vectors, rounded components, categories."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

from narrows import bottlenecks, likelihoods, networks
from narrows.data import Schema
from narrows.objectives import WeightedObjective
from narrows.params import Integer, OneOf, Real, Satisfies, either
from narrows.recipes.assemble import assemble, label_terms
from narrows.recipes.fields import Components, Conditional, Hidden, KLWarmup, LabelWeight, Likelihood, Network
from narrows.recipes.registry import Parts, register
from narrows.training import Choice

_GROUP_SIZE, _N_CATEGORIES = 4, 10  # what "auto" aims at

Commitment = Annotated[float, Real(0), "weight of the distance from the encoder's output to its vectors"]


@register(purpose="discrete")
def vqvae(
    schema: Schema,
    n_components: Components = 16,
    *,
    n_codes: Annotated[int, Integer(2), "number of learned vectors; each group of components is one of them"] = 256,
    group_size: Annotated[
        int | Literal["auto"],
        either(Integer(1), OneOf(("auto",))),
        "number of components in a group; it must divide n_components; 'auto' is the largest such number up to 4",
    ] = 1,
    commitment: Commitment = 0.25,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
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
    size = max(_divisors(n_components, _GROUP_SIZE)) if isinstance(group_size, str) else group_size
    frequencies, weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    return assemble(
        schema,
        bottlenecks.VectorQuantizer(n_components, n_codes, size),
        WeightedObjective({"commitment": commitment, **weights}),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register(purpose="discrete", is_visual=True)
def vqvae2(
    schema: Schema,
    n_components: Annotated[
        int, Integer(2), "number of components: `group_size` for each place of the grids; a multiple of 5 in most cases"
    ] = 40,
    *,
    n_codes: Annotated[int, Integer(2), "number of learned vectors of each grid; each place is one of them"] = 256,
    n_levels: Annotated[int, Integer(1), "number of grids, from coarse to fine"] = 2,
    group_size: Annotated[
        int | Literal["auto"],
        either(Integer(1), OneOf(("auto",))),
        "number of components of a place; 'auto' is the largest number up to 4 that gives grids, or the next one",
    ] = "auto",
    commitment: Commitment = 0.25,
    width: Annotated[int, Integer(1), "channels of the networks at the full size of the image"] = 16,
    likelihood: Likelihood = "auto",
) -> Parts:
    """A VQ-VAE with two grids of vectors: the coarse one holds the whole image, and the fine one what that leaves open.

    The grids have the sizes of the image after some halvings. So a code has a number for each place, and a fitted
    sampler (`fit_sampler(X, "autoregressive")`) draws those of the coarse grid first, then the fine ones given these.

    Razavi, van den Oord and Vinyals, Generating diverse high-fidelity images with VQ-VAE-2 (2019),
    https://arxiv.org/abs/1906.00446.

    Raises
    ------
    ValueError
        If the examples are not images, or no grids of such images have `n_components` in all.
    """
    if schema.kind != "image" or schema.is_series:
        raise ValueError(
            f"VQVAE2 needs images, (n, h, w) or (n, h, w, c). Got {schema.describe()}: use VQVAE for other data."
        )
    grids = _choose_grids(schema, n_components, n_levels, group_size)
    shape = likelihoods.choose(likelihood, schema)[0].params_shape(schema.shape)
    parts = assemble(
        schema,
        bottlenecks.GridQuantizer(grids, n_codes),
        WeightedObjective({"commitment": commitment}),
        network=(networks.GridEncoder(schema, grids, width), networks.GridDecoder(shape, grids, width)),
        hidden=(),
        likelihood=likelihood,
    )
    reason = f"{n_components} components are {grids.length} at each of {sum(grids.n_places)} places"
    return parts._replace(choices=(*parts.choices, Choice("grids", str(grids), reason)))


@register(purpose="discrete")
def rqvae(
    schema: Schema,
    n_components: Components = 16,
    *,
    n_levels: Annotated[int, Integer(1), "number of learned vectors whose sum is a code, from coarse to fine"] = 8,
    n_codes: Annotated[int, Integer(2), "number of learned vectors of each level to choose from"] = 256,
    prefix_share: Annotated[
        float, Real(0, 1), "share of the training examples that are decoded from some first levels only"
    ] = 0.0,
    commitment: Commitment = 0.25,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """The residual-quantised autoencoder: a code is a sum of learned vectors, and the first of them are a coarser code.

    Lee et al., Autoregressive image generation using residual quantization (2022), https://arxiv.org/abs/2203.01941;
    Zeghidour et al., SoundStream: an end-to-end neural audio codec (2021), https://arxiv.org/abs/2107.03312.
    """
    frequencies, weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    return assemble(
        schema,
        bottlenecks.ResidualQuantizer(n_components, n_codes, n_levels, prefix_share),
        WeightedObjective({"commitment": commitment, **weights}),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register(purpose="discrete")
def fsqae(
    schema: Schema,
    n_components: Components = 16,
    *,
    n_values: Annotated[
        int | Sequence[int],
        either(
            Integer(2),
            Satisfies(
                "a sequence of ints of at least 2, one for each component",
                lambda v: isinstance(v, (tuple, list)) and all(Integer(2).accepts(i) for i in v),
            ),
        ),
        "number of values that a component can have; one number for all, or one for each",
    ] = 8,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """The finite-scalar-quantised autoencoder: each component is rounded to one of a few values; no vectors to learn.

    Mentzer et al., Finite scalar quantization: VQ-VAE made simple (2023), https://arxiv.org/abs/2309.15505.

    Raises
    ------
    ValueError
        If `n_values` is a sequence that does not have a number for each component.
    """
    frequencies, weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    return assemble(
        schema,
        bottlenecks.FiniteScalar(n_components, n_values),
        WeightedObjective(weights),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register(purpose="discrete")
def catvae(
    schema: Schema,
    n_components: Annotated[int, Integer(2), "number of components: one for each value of each category"] = 100,
    *,
    n_values: Annotated[
        int | Literal["auto"],
        either(Integer(2), OneOf(("auto",))),
        "number of values of a category, each a component; it must divide n_components; 'auto' is the divisor nearest "
        "to 10",
    ] = "auto",
    beta: Annotated[float, Real(0), "weight of the KL divergence from the uniform prior; 1 gives the ELBO"] = 1.0,
    kl_warmup: KLWarmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """The categorical VAE: a code is a value of each of some categories, which are drawn in the training.

    Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax (2017), https://arxiv.org/abs/1611.01144;
    Maddison, Mnih and Teh, The concrete distribution (2017), https://arxiv.org/abs/1611.00712.

    Raises
    ------
    ValueError
        If `n_values` does not divide `n_components`.
    """
    divisors = _divisors(n_components, n_components)[1:]  # a category has at least two values
    nearest = min(divisors, key=lambda divisor: abs(divisor - _N_CATEGORIES))
    frequencies, weights = label_terms(schema, conditional, label_weight, kl_weight=beta)
    return assemble(
        schema,
        bottlenecks.Categorical(n_components, nearest if isinstance(n_values, str) else n_values),
        WeightedObjective({"kl": beta, **weights}, warmup=kl_warmup),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register(purpose="disentangle")
def jointvae(
    schema: Schema,
    n_components: Annotated[int, Integer(3), "number of components: the numbers, then the values of the category"] = 20,
    *,
    n_values: Annotated[
        Any,
        either(OneOf((0, "auto")), Integer(2)),
        "number of values of the category, which are the last components; 'auto' is 10, or half of the components",
    ] = "auto",
    capacity: Annotated[float, Real(0), "nats that the other components carry together"] = 10.0,
    category_capacity: Annotated[float, Real(0), "nats that the category carries, at most log(n_values)"] = 5.0,
    capacity_weight: Annotated[float, Real(0), "weight of the difference from both numbers of nats; gamma"] = 30.0,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """A VAE with a category beside its numbers: without labels it sorts the examples into kinds (`predict_cluster`).

    Dupont, Learning disentangled joint continuous and discrete representations (2018),
    https://arxiv.org/abs/1804.00104.

    Raises
    ------
    ValueError
        If `n_values` is not less than `n_components`.
    """
    n_values = max(2, min(_N_CATEGORIES, n_components // 2)) if isinstance(n_values, str) else int(n_values)
    if n_values >= n_components:
        raise ValueError(
            f"The `n_values` parameter of JOINTVAE must be less than n_components, {n_components}: the others are "
            f"numbers. Got {n_values} instead."
        )
    parts: list[bottlenecks.Stochastic] = [bottlenecks.Gaussian(n_components - n_values)]
    capacities = [capacity]
    if n_values:
        category = bottlenecks.Categorical(n_values, n_values)
        parts.append(category)
        capacities.append(min(category_capacity, category.most_nats))
    frequencies, weights = label_terms(schema, conditional, label_weight, kl_weight=1.0)
    return assemble(
        schema,
        bottlenecks.Combined(parts, capacities),
        WeightedObjective({"capacity": capacity_weight, **weights}),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


def _divisors(n: int, most: int) -> list[int]:
    """Return the divisors of n, from 1 to at most `most`."""
    return [divisor for divisor in range(1, min(n, most) + 1) if n % divisor == 0]


def _choose_grids(schema: Schema, n_components: int, n_levels: int, group_size: int | str) -> networks.Grids:
    """Return grids of `n_components` in all: of several, those with the largest vectors up to `_GROUP_SIZE`."""
    _, height, width = schema.shape
    n_places = [(sum(r * c for r, c in sizes), sizes) for sizes in networks.find_grids(height, width, n_levels)]
    lengths = [(n_components // n, sizes) for n, sizes in n_places if n_components % n == 0]
    if group_size != "auto":
        lengths = [(length, sizes) for length, sizes in lengths if length == group_size]
    if not lengths:
        each = "" if group_size == "auto" else f"{group_size} times "
        found = ", ".join(f"{n} ({networks.Grids(sizes, 1)})" for n, sizes in n_places) or "none"
        raise ValueError(
            f"The `n_components` parameter of VQVAE2 must be {each}{'a multiple of ' if not each else ''}the number of "
            f"places of {n_levels} grids of images of {height} x {width} pixels, which is one of: {found}. Got "
            f"{n_components} instead."
        )
    small = [pair for pair in lengths if pair[0] <= _GROUP_SIZE]
    length, sizes = max(small) if small else min(lengths)
    return networks.Grids(sizes, length)
