"""The parts of SAE: its code by the name of the sparsity, and its dictionary."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from torch import nn

from narrows import bottlenecks, likelihoods, networks
from narrows.data import CENTERS, SCALES, Scaling, Schema, target_of
from narrows.objectives import GateReconstruction, Prefixes, WeightedObjective
from narrows.params import BOOL, LAYER_WIDTHS, Integer, OneOf, Real, either
from narrows.recipes.assemble import assemble
from narrows.recipes.registry import Parts
from narrows.training import Choice

SPARSITIES = ("topk", "batchtopk", "jumprelu", "gated", "matryoshka", "l1", "kl")
Sparsity = Annotated[
    str,
    OneOf(SPARSITIES),
    "method to keep the code sparse: 'topk' keeps the k largest units of each example, 'batchtopk' k for each "
    "example of a batch on average, 'matryoshka' the same for nested sets of units; 'jumprelu' learns a threshold "
    "of each unit for k of them; 'gated' learns gates; 'l1' and 'kl' add a cost",
]
ActiveUnits = Annotated[
    Any,
    either(Integer(1), OneOf(("auto",))),
    "number of active units for one example: at most ('topk') or on average ('batchtopk', 'matryoshka', "
    "'jumprelu'); 'auto' is n_components / 8, at most 16",
]
Strength = Annotated[
    float, Real(0), "weight of the sparsity cost ('l1', 'kl', 'gated'; 'jumprelu', where k is the target)"
]
Rate = Annotated[float, Real(0, 1, open_low=True, open_high=True), "mean activation that each unit should have ('kl')"]
PrefixSizes = Annotated[
    Any,
    either(LAYER_WIDTHS, OneOf(("auto",))),
    "numbers of first units that reconstruct alone, too ('matryoshka'); 'auto' is 1/16 and 1/4 of n_components",
]
Patience = Annotated[
    Any,
    either(Integer(1), OneOf(("auto",))),
    "number of training examples after which a silent unit counts as dead and is revived; 'auto' is "
    "200 n_components / k, at least 5,000",
]
AuxSize = Annotated[int, Integer(1), "largest number of dead units that one example revives"]
AuxWeight = Annotated[float, Real(0), "weight of the loss that revives dead units; 0 for none"]
Skip = Annotated[
    bool, BOOL, "True to add a linear map of X to the dictionary's output; for targets: fit(X, Y) with many columns"
]
FrozenDecoder = Annotated[
    bool,
    BOOL,
    "True to keep the random directions of the dictionary and train the rest: a baseline for what learned ones add",
]
Scale = Annotated[
    str,
    OneOf(SCALES),
    "what real-valued vectors are divided by: 'column' (the deviation of each column), 'all' (the root of their "
    "mean variance), 'layer' (the same for each layer of a crosscoder), 'none'; or 'layer_norm' (each row by its own "
    "mean and deviation, and its reconstruction back)",
]
Center = Annotated[
    str, OneOf(CENTERS), "what is subtracted from real-valued vectors: their 'mean', or the geometric 'median'"
]

_SELECTING = ("topk", "batchtopk", "jumprelu", "matryoshka")  # those with k
_MOST_ACTIVE, _UNITS_PER_ACTIVE = 16, 8
_EXPECTED_FIRINGS = 200  # without any of them a unit counts as dead
_SMALLEST_PATIENCE = 5_000
_NESTED = (16, 4)  # prefixes of "auto": 1/16 and 1/4 of the units


def make_code(
    sparsity: str,
    n_components: int,
    n_entries: int,
    *,
    k: int | Literal["auto"],
    strength: float,
    rate: float,
    prefixes: Sequence[int] | Literal["auto"],
    patience: int | Literal["auto"],
    n_aux: int,
    aux_weight: float,
) -> tuple[bottlenecks.Sparse, WeightedObjective, list[Choice]]:
    """Return the bottleneck, the objective, and the choices that were made.

    Parameters
    ----------
    n_entries : number of entries of an example: the weight of the cost "l0" is relative to it.

    The others are the parameters of `recipes.sae`.

    Raises
    ------
    ValueError
        If `k` or `prefixes` exceeds `n_components`.
    """
    choices = []
    if k == "auto":
        k = _choose_k(k, n_components)
        if sparsity in _SELECTING:
            choices.append(Choice("k", str(k), f"for {n_components} units"))
    elif k > n_components:
        raise ValueError(f"The `k` parameter of SAE must be at most n_components, {n_components}. Got {k} instead.")
    if patience == "auto":
        patience = max(_SMALLEST_PATIENCE, round(_EXPECTED_FIRINGS * n_components / k))
        reason = f"examples in which a unit is expected to fire {_EXPECTED_FIRINGS} times or more, and did not"
        choices.append(Choice("patience", f"{patience:,}", reason))
    common: dict[str, Any] = {"patience": patience, "n_aux": n_aux}
    weights: dict[str, float] = {}
    costs: tuple[Any, ...] = ()
    code: bottlenecks.Sparse
    if sparsity == "topk":
        code = bottlenecks.TopK(n_components, k, **common)
    elif sparsity in ("batchtopk", "matryoshka"):
        code = bottlenecks.BatchTopK(n_components, k, **common)
        if sparsity == "matryoshka" and (sizes := _choose_prefixes(prefixes, n_components)):
            costs = (Prefixes(sizes),)
            share = 1 / (len(sizes) + 1)
            weights = {"nll": share, "prefixes": 1 - share}
            choices.append(Choice("prefixes", ", ".join(map(str, sizes)), f"first units, beside all {n_components}"))
    elif sparsity == "jumprelu":
        code, weights = bottlenecks.JumpReLU(n_components, k, **common), {"l0": strength * n_entries}
    elif sparsity == "gated":
        code, weights = bottlenecks.Gated(n_components, **common), {"l1": strength, "gates": 1.0}
        costs = (GateReconstruction(),)
    elif sparsity == "l1":
        code, weights = bottlenecks.L1(n_components, **common), {"l1": strength}
    else:
        code, weights = bottlenecks.KLRate(n_components, rate, **common), {"kl_rate": strength}
    return code, WeightedObjective(weights, costs=costs, aux_weight=aux_weight), choices


def assemble_dictionary(
    schema: Schema,
    code: bottlenecks.Sparse,
    objective: WeightedObjective,
    *,
    network: Any,
    hidden: Sequence[int] | Literal["auto"],
    likelihood: str,
    k: int | Literal["auto"],
    skip: bool,
    scale: str,
    frozen_decoder: bool = False,
) -> Parts:
    """Build an encoder and a dictionary around a sparse code; a linear encoder starts as the dictionary's transpose.

    Raises
    ------
    ValueError
        If `network` names a decoder, or is one that `frozen_decoder` does not know; there is a skip, but no targets, or
        a layer norm beside targets, hidden layers or a network of the user.
    """
    first, second = networks.split_pair(network)
    if isinstance(second, str) and second not in ("auto", first):
        raise ValueError(
            f"The decoder of SAE is a dictionary. Pass network=({first!r}, 'auto'), or a module of your own."
        )
    target = target_of(schema)
    if skip and target is schema:
        raise ValueError("skip=True of SAE needs targets: fit(X, Y). Without them X itself would be all of the output.")
    shape = likelihoods.choose(likelihood, target)[0].params_shape(target.shape)
    scaling: Scaling = "layer_norm" if scale == "layer_norm" else "none"
    if scaling != "none":
        is_linear = not hidden and isinstance(first, str) and isinstance(second, str)
        is_plain = is_linear and target is schema and shape == schema.shape
        first = _scaled_encoder(schema, code, scaling, is_plain=is_plain)
    dictionary = second
    if isinstance(second, str):
        dictionary = networks.Dictionary(shape, code.n_components, target.n_layers, target.n_entries, scaling)
    parts = assemble(
        schema,
        code,
        objective,
        target=target,
        network=(first, dictionary),
        hidden=hidden,
        likelihood=likelihood,
    )
    if skip:
        parts.model.skip = networks.LinearSkip(schema, shape)
    standardize = getattr(parts.model.encoder, "standardize", None)
    is_ours = scaling != "none" or isinstance(standardize, networks.Standardize)
    if isinstance(dictionary, networks.Dictionary) and is_ours:
        if target is schema:
            n_shared = schema.n_entries if standardize is None else standardize.n_shared
            dictionary.start_encoder(parts.model.encoder, n_shared)
            if schema.kind == "vector" and schema.support == "real":
                _shorten(dictionary, parts.model.encoder, code.start_lengths)
        else:
            _start_with_unit_rows(parts.model.encoder)
        _start_thresholds(code, parts.model.encoder, k)
    if frozen_decoder:
        if not isinstance(dictionary, networks.Dictionary):
            raise ValueError("frozen_decoder=True of SAE needs its own dictionary. Pass no decoder in `network`.")
        dictionary.directions.requires_grad_(False)  # the bias is no direction: it learns
    return parts


def _scaled_encoder(
    schema: Schema, code: bottlenecks.Sparse, scaling: Scaling, *, is_plain: bool
) -> networks.UnitEncoder:
    """Return a linear encoder that scales each example and subtracts the mean of scaled examples, which stays."""
    if not is_plain:
        raise ValueError(
            f"scale={scaling!r} of SAE needs a linear encoder and a dictionary of X itself: no targets, hidden=(), "
            "network='auto', and a likelihood with one number for each entry, such as 'gaussian'."
        )
    encoder = networks.UnitEncoder(schema.n_entries, code.n_inputs, scaling=scaling, has_shift=True)
    assert encoder.shift is not None
    with torch.no_grad():
        encoder.shift.copy_(torch.tensor(schema.mean))
    encoder.shift.requires_grad_(False)
    return encoder


def _shorten(dictionary: networks.Dictionary, encoder: nn.Module, lengths: tuple[float, float]) -> None:
    """Scale the directions and the rows of a linear encoder, both of length 1, to these lengths.

    Only where a direction points counts, and a step of a given size turns a short one by more. As it grows it is turned
    by less, like under a rate that falls. The encoder's rows start with small activations for the same reason
    (`python benchmarks/sparse_peers.py`). Not for images, of which more units die (docs/negative-results.md).
    """
    linear = [m for m in encoder.modules() if isinstance(m, nn.Linear)]
    if len(linear) == 1:
        with torch.no_grad():
            dictionary.directions.mul_(lengths[0])
            linear[0].weight.mul_(lengths[1])


def _start_with_unit_rows(encoder: nn.Module) -> None:
    """Start a linear encoder with rows of unit length; without targets it would have the dictionary's directions."""
    linear = [m for m in encoder.modules() if isinstance(m, nn.Linear)]
    if len(linear) == 1:
        with torch.no_grad():
            linear[0].weight.copy_(F.normalize(linear[0].weight, dim=1))
            linear[0].bias.zero_()


def _start_thresholds(code: bottlenecks.Sparse, encoder: nn.Module, k: int | Literal["auto"]) -> None:
    """Let about k units of a linear encoder be active at the start, as if each responded like N(0, 1).

    Otherwise half of all units would be. It changes codes with gates or a threshold of each unit.
    """
    linear = [m for m in encoder.modules() if isinstance(m, nn.Linear)]
    if len(linear) == 1:
        threshold = bottlenecks.normal_threshold(_choose_k(k, code.n_components), code.n_components)
        with torch.no_grad():
            linear[0].bias.fill_(code.start_at(threshold))


def _choose_k(k: int | Literal["auto"], n: int) -> int:
    return max(1, min(_MOST_ACTIVE, n // _UNITS_PER_ACTIVE)) if k == "auto" else k


def _choose_prefixes(prefixes: Sequence[int] | Literal["auto"], n: int) -> tuple[int, ...]:
    """Return the numbers of first units, increasing, below n."""
    if prefixes == "auto":
        return tuple(n // part for part in _NESTED if n // part > 0)
    sizes = sorted({int(size) for size in prefixes})
    if sizes and sizes[-1] > n:
        raise ValueError(f"The `prefixes` parameter of SAE must be at most n_components, {n}. Got {sizes[-1]} instead.")
    return tuple(size for size in sizes if size < n)
