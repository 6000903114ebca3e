"""Parameters that many recipes share: their types, rules and help."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Literal

from torch import nn

from narrows import likelihoods, networks
from narrows.params import BOOL, LAYER_WIDTHS, Integer, KeyOf, OneOf, Real, Satisfies, either
from narrows.recipes.registry import available

Components = Annotated[int, Integer(1), "number of components: the length of each code"]
OptionalComponents = Annotated[
    int | None,
    either(Integer(1), OneOf((None,))),
    "length of each code; None for a model without a code, which keeps every detail",
]
Network = Annotated[
    networks.Name | nn.Module | tuple[networks.Name | nn.Module, networks.Name | nn.Module],
    Satisfies(
        f"one of {', '.join(map(repr, networks.NAMES))}, a torch.nn.Module, or a pair (encoder, decoder) of such",
        networks.is_network,
    ),
    "encoder and decoder: 'mlp' (fully connected), 'conv' (for images), 'auto' (by the data); a module is the encoder",
]
Hidden = Annotated[
    Sequence[int] | Literal["auto"],
    either(LAYER_WIDTHS, OneOf(("auto",))),
    "widths of the hidden layers of an MLP encoder, which an MLP decoder has in reverse order; () for a linear model; "
    "'auto' follows the rows, the columns and `max_time`",
]
Likelihood = Annotated[
    str,
    KeyOf(likelihoods.LIKELIHOODS, ("auto",), available),
    "distribution of the data given the code; 'auto' chooses by the data",
]
Beta = Annotated[float, Real(0), "weight of the KL divergence from the prior; 1 gives the ELBO"]
KLWarmup = Annotated[float, Real(0, 0.7), "share of the training in which the weight of the KL grows from 0"]
Warmup = Annotated[float, Real(0, 0.7), "share of the training in which all weights grow from 0"]
Conditional = Annotated[
    bool, BOOL, "True to give the decoder the label of each example: fit(X, y), then sample(n, y=label)"
]
LabelWeight = Annotated[
    float,
    Real(0),
    "weight of the label's loss relative to the reconstruction's; only used if some labels are missing",
]
Start = Annotated[
    str,
    OneOf(("pca", "random")),
    "'pca' adds a linear path beside the networks, which starts at PCA, so that the model is never worse; 'random' "
    "starts from random weights",
]
Level = Annotated[
    float | tuple[float, float],
    Satisfies(
        "a float of at least 0, or a pair (low, high) of such",
        lambda v: (
            Real(0).accepts(v)
            or (isinstance(v, (tuple, list)) and len(v) == 2 and all(Real(0).accepts(i) for i in v) and v[0] <= v[1])
        ),
    ),
    "amount of noise on the model's scale (standard deviation of 'gaussian'); (low, high) draws one for each example",
]
