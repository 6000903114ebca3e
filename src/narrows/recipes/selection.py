"""The recipe of the concrete autoencoder, which selects columns."""

from __future__ import annotations

from torch import nn

from narrows import bottlenecks, networks
from narrows.data import Schema
from narrows.recipes.assemble import assemble
from narrows.recipes.fields import Components, Hidden, Likelihood, Network
from narrows.recipes.registry import Parts, register


@register(purpose="select")
def concreteae(
    schema: Schema,
    n_components: Components = 2,
    *,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """The choice of the columns, or pixels, from which all others can be restored best.

    Abid, Balin and Zou, Concrete autoencoders: Differentiable feature selection and reconstruction (2019),
    https://arxiv.org/abs/1901.09346.

    Raises
    ------
    ValueError
        If the examples are rows of a table with columns of several kinds.
    """
    if schema.kind == "table":
        raise ValueError(
            "ConcreteAE needs vectors or images, whose entries are all of one kind. Got rows of a table: pass the "
            "columns of numbers as an array of floats, in which NaN is missing."
        )
    first, decoder = networks.split_pair(network)
    if isinstance(first, nn.Module):
        raise ValueError(
            "The `network` parameter of ConcreteAE must have no module as its encoder, because it selects columns. "
            f"Pass ('auto', decoder). Got {type(first).__name__} instead."
        )
    encoder = networks.Columns(schema)
    return assemble(
        schema,
        bottlenecks.Selector(n_components, encoder.n_features),
        network=(encoder, decoder),
        hidden=hidden,
        likelihood=likelihood,
    )
