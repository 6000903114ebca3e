"""VAEs whose codes lie on curved spaces, or whose posterior follows the geometry of the data."""

from __future__ import annotations

from typing import Annotated

from narrows import bottlenecks
from narrows.data import Schema
from narrows.objectives import WeightedObjective
from narrows.params import Integer, Real
from narrows.recipes.assemble import assemble, label_terms
from narrows.recipes.fields import Beta, Components, Conditional, Hidden, KLWarmup, LabelWeight, Likelihood, Network
from narrows.recipes.registry import Parts, register


def _assemble(
    schema: Schema,
    bottleneck: bottlenecks.Stochastic,
    beta: float,
    kl_warmup: float,
    conditional: bool,
    label_weight: float,
    network: Network,
    hidden: Hidden,
    likelihood: str,
) -> Parts:
    frequencies, label_weights = label_terms(schema, conditional, label_weight, kl_weight=beta)
    return assemble(
        schema,
        bottleneck,
        WeightedObjective({"kl": beta, **label_weights}, warmup=kl_warmup),
        frequencies=frequencies,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register(purpose="geometry")
def svae(
    schema: Schema,
    n_components: Annotated[int, Integer(2), "number of components: the sphere has one dimension less"] = 3,
    *,
    beta: Beta = 1.0,
    kl_warmup: KLWarmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """A VAE with codes on a sphere, for data that have directions or cycles: codes have length 1 and no centre.

    Davidson et al., Hyperspherical variational auto-encoders (2018), https://arxiv.org/abs/1804.00891.
    """
    code = bottlenecks.VonMisesFisher(n_components)
    return _assemble(schema, code, beta, kl_warmup, conditional, label_weight, network, hidden, likelihood)


@register(purpose="geometry")
def poincarevae(
    schema: Schema,
    n_components: Components = 2,
    *,
    curvature: Annotated[
        float, Real(0, open_low=True), "curvature of the space, without its sign; small values make it nearly flat"
    ] = 1.0,
    beta: Beta = 1.0,
    kl_warmup: KLWarmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """A VAE with codes in hyperbolic space (the Poincare ball), for hierarchies: trees need few components there.

    Mathieu et al., Continuous hierarchical representations with Poincare variational auto-encoders (2019),
    https://arxiv.org/abs/1901.06033.
    """
    code = bottlenecks.WrappedNormal(n_components, curvature)
    return _assemble(schema, code, beta, kl_warmup, conditional, label_weight, network, hidden, likelihood)


@register(purpose="geometry")
def hvae(
    schema: Schema,
    n_components: Components = 2,
    *,
    n_leapfrog: Annotated[
        int, Integer(1), "steps that move each draw towards the true posterior; each costs a pass of the decoder"
    ] = 3,
    beta: Beta = 1.0,
    kl_warmup: KLWarmup = 0.1,
    conditional: Conditional = False,
    label_weight: LabelWeight = 10.0,
    network: Network = "auto",
    hidden: Hidden = "auto",
    likelihood: Likelihood = "auto",
) -> Parts:
    """A VAE whose draws follow the gradient of the likelihood for a few steps: a tighter bound, several times as slow.

    Caterini, Doucet and Sejdinovic, Hamiltonian variational auto-encoder (2018), https://arxiv.org/abs/1805.11328.
    """
    code = bottlenecks.Hamiltonian(n_components, n_leapfrog)
    return _assemble(schema, code, beta, kl_warmup, conditional, label_weight, network, hidden, likelihood)
