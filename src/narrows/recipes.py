"""Recipes: named choices of the five parts and an objective, and the registry of names.

A recipe is one function (schema, n_components, hyperparameters) -> Parts. Its signature is the whole story: the
estimators, the command line and the saved recipe.json read names, defaults, rules and help from it.
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Annotated, Any, NamedTuple, TypeVar

import torch
from torch import nn

from narrows import bottlenecks, corruptions, likelihoods, networks
from narrows.data import Schema
from narrows.model import Autoencoder
from narrows.objectives import KeptNeighbours, WeightedCosts
from narrows.params import FLAG, SIZES, Integer, OneOf, Parameter, Real, Which, either, nearest, parameters
from narrows.training import Choice


class Parts(NamedTuple):
    """What a recipe makes: the model, the objective, and what was decided on the way."""

    model: Autoencoder
    objective: WeightedCosts
    choices: tuple[Choice, ...]


@dataclass(frozen=True)
class Recipe:
    """A registered recipe: its function, its parameters, and the first line of its docstring."""

    name: str
    make: Callable[..., Parts]

    @property
    def summary(self) -> str:
        """One line."""
        return (inspect.getdoc(self.make) or "").split("\n")[0]

    @property
    def is_own(self) -> bool:
        """Whether it is one of narrows' recipes, and not a user's or another package's."""
        return self.make.__module__.partition(".")[0] == "narrows"

    @functools.cached_property
    def parameters(self) -> dict[str, Parameter]:
        """All keyword parameters, `n_components` first."""
        return parameters(self.make)


RECIPES: dict[str, Recipe] = {}
ENTRY_POINTS = "narrows.recipes"  # the group in which other packages name their recipes

_Make = TypeVar("_Make", bound=Callable[..., Parts])


def register(make: _Make) -> _Make:
    """Add a recipe to the registry, by its function's name.

    Raises
    ------
    ValueError
        If another module has registered a recipe of that name.
    """
    name, known = make.__name__, RECIPES.get(make.__name__)
    if known is not None and known.make.__module__ != make.__module__:
        raise ValueError(
            f"The recipe {name!r} of {make.__module__} has the name of one of {known.make.__module__}. Rename it."
        )
    RECIPES[name] = Recipe(name, make)
    return make


def get(name: str) -> Recipe:
    """The recipe called `name`, of narrows or of an installed package.

    Raises
    ------
    ValueError
        If there is none.
    """
    if name not in RECIPES:
        _load_installed()
    if name not in RECIPES:
        raise ValueError(f"Unknown recipe {name!r}. {nearest(name, RECIPES)}")
    return RECIPES[name]


def available() -> dict[str, Recipe]:
    """All recipes by name: narrows' own, and those of installed packages."""
    _load_installed()
    return RECIPES


@functools.cache
def _load_installed() -> None:
    """Register the recipes of installed packages, once a process. One that cannot be loaded is named in a warning."""
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            make = entry.load()
            if make not in [recipe.make for recipe in RECIPES.values()]:
                register(make)
        except Exception as error:  # whatever another package's import raises, the other recipes are there
            package = entry.dist.name if entry.dist else "an installed package"
            warnings.warn(
                f"The recipe {entry.name!r} of {package} cannot be used: loading {entry.value} raised {error!r}. "
                "Update or remove that package.",
                stacklevel=3,
            )


Components = Annotated[int, Integer(1), "numbers in a code"]
OptionalComponents = Annotated[
    int | None, either(Integer(1), OneOf((None,))), "numbers in a code; None for a model without a narrow code"
]
Network = Annotated[
    Any,
    Which(
        f"one of {', '.join(map(repr, networks.NAMES))}, a torch.nn.Module, or a pair (encoder, decoder) of such",
        lambda v: networks.accepts(v),
    ),
    "encoder and decoder: 'auto' picks by the data, 'mlp', 'conv', your module, or a pair (encoder, decoder)",
]
Hidden = Annotated[Sequence[int], SIZES, "widths of an MLP encoder's layers, mirrored in the decoder; () for linear"]
Likelihood = Annotated[
    str,
    OneOf(("auto", *likelihoods.LIKELIHOODS)),
    "of the data given a code: 'auto' picks by the data, or " + ", ".join(likelihoods.LIKELIHOODS),
]
Level = Annotated[
    Any,
    Which(
        "a float of at least 0, or a pair (low, high) of such",
        lambda v: (
            Real(0).accepts(v)
            or (isinstance(v, (tuple, list)) and len(v) == 2 and all(Real(0).accepts(i) for i in v) and v[0] <= v[1])
        ),
    ),
    "noise level on the model's scale, or (low, high) to draw one for each example",
]


@register
def ae(
    schema: Schema,
    n_components: Components = 2,
    *,
    network: Network = "auto",
    hidden: Hidden = (1024, 512),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The plain autoencoder: each example through a few numbers, and back."""
    return assemble(schema, bottlenecks.Plain(n_components), network=network, hidden=hidden, likelihood=likelihood)


@register
def vae(
    schema: Schema,
    n_components: Components = 2,
    *,
    beta: Annotated[float, Real(0), "weight of the KL from the prior; 1 is the ELBO"] = 1.0,
    kl_warmup: Annotated[float, Real(0, 0.7), "share of the training over which the KL's weight grows from 0"] = 0.1,
    free_nats: Annotated[float, Real(0), "KL in nats for each component below which there is no pull"] = 0.0,
    conditional: Annotated[
        bool, FLAG, "whether the decoder is told each example's label: fit(X, y), then sample(n, y=label)"
    ] = False,
    label_weight: Annotated[
        float, Real(0), "of a nat of label beside one of reconstruction, where some of the labels are missing"
    ] = 10.0,
    network: Network = "auto",
    hidden: Hidden = (1024, 512),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The variational autoencoder: the code is a Gaussian near N(0, I), so codes can be drawn and dials turned."""
    weights = {"kl": beta, **({"free_nats": beta} if free_nats else {})}
    frequencies = labels_of(schema) if conditional else ()
    if guessing := bool(frequencies) and schema.unlabelled > 0:
        # the mean over a batch counts the examples without a label, too, which cost nothing
        weights |= {"kl_label": beta, "label": label_weight / (1 - schema.unlabelled)}
    return assemble(
        schema,
        bottlenecks.Gaussian(n_components, free_nats, n_beside=len(frequencies) if guessing else 0),
        WeightedCosts(weights, warmup=kl_warmup),
        frequencies=frequencies,
        guessing=guessing,
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register
def dae(
    schema: Schema,
    n_components: OptionalComponents = None,
    *,
    noise: Annotated[str, OneOf(tuple(corruptions.NOISES)), "kind of noise"] = "gaussian",
    level: Level = 0.3,
    network: Network = "auto",
    hidden: Hidden = (1024, 512),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The denoising autoencoder: shown a noisy example, it gives back the clean one."""
    return assemble(
        schema,
        bottlenecks.Plain(n_components or 0),
        corruption=corruptions.noise(noise, tuple(level) if isinstance(level, list) else level),
        network=network,
        hidden=hidden,
        likelihood=likelihood,
    )


@register
def sae(
    schema: Schema,
    n_components: Components = 256,
    *,
    sparsity: Annotated[str, OneOf(("topk", "l1", "kl")), "what keeps the code sparse"] = "topk",
    k: Annotated[Any, either(Integer(1), OneOf(("auto",))), "units that are active for one example (topk)"] = "auto",
    strength: Annotated[float, Real(0), "weight of the sparsity cost (l1, kl)"] = 1.0,
    rate: Annotated[float, Real(0, 1, open_low=True, open_high=True), "target mean activation of a unit (kl)"] = 0.05,
    network: Network = "auto",
    hidden: Hidden = (),
    likelihood: Likelihood = "auto",
) -> Parts:
    """The sparse autoencoder: many units, few of them active, each an expert on something."""
    bottleneck: bottlenecks.Sparse
    choices = []
    if k == "auto":
        k = max(1, min(16, n_components // 8))
        choices.append(Choice("k", str(k), f"for {n_components} units"))
    elif k > n_components:
        raise ValueError(f"The `k` parameter of SAE must be at most n_components, {n_components}. Got {k} instead.")
    if sparsity == "topk":
        bottleneck, weights = bottlenecks.TopK(n_components, k), {}
    elif sparsity == "l1":
        bottleneck, weights = bottlenecks.L1(n_components), {"l1": strength}
    else:
        bottleneck, weights = bottlenecks.KLRate(n_components, rate), {"kl_rate": strength}
    first, second = networks.pair(network)
    if isinstance(second, str) and second not in ("auto", first):
        raise ValueError(
            f"The decoder of SAE is a dictionary. Pass network=({first!r}, 'auto'), or a module of your own."
        )
    dictionary = networks.Dictionary(schema, n_components) if isinstance(second, str) else second
    parts = assemble(
        schema,
        bottleneck,
        WeightedCosts(weights),
        network=(first, dictionary),
        hidden=hidden,
        likelihood=likelihood,
    )
    if isinstance(dictionary, networks.Dictionary):
        dictionary.start_encoder(parts.model.encoder)
    return parts._replace(choices=(*choices, *parts.choices)) if sparsity == "topk" else parts


@register
def mapae(
    schema: Schema,
    n_components: Components = 2,
    *,
    n_neighbors: Annotated[
        Any, either(Integer(1), OneOf(("auto",))), "nearest rows that are to stay near on the map; 'auto' is 20"
    ] = "auto",
    metric: Annotated[
        str,
        OneOf(("auto", "euclidean", "cosine")),
        "by which those are found; 'auto' is 'cosine', of centred examples, for images, and else 'euclidean'",
    ] = "auto",
    attraction: Annotated[
        float, Real(0, open_low=True), "pull between neighbours; 1 is that of t-SNE, more gathers clusters as UMAP does"
    ] = 1.3,
    breadth: Annotated[
        float, Real(0, 1), "share of the pull towards the nearest of a batch, for the map at large; 0 is all detail"
    ] = 0.2,
    strength: Annotated[
        float, Real(0), "weight of a nat of the neighbours' cost beside a nat of the likelihood of each entry"
    ] = 20.0,
    network: Network = "auto",
    hidden: Hidden = (256,) * 6,
    likelihood: Likelihood = "auto",
) -> Parts:
    """The autoencoder as a map: what is near in the data is near in the code, and each place can be decoded.

    What a map does to its data is far from linear: its encoder is deep, and has layer norms, without which it is
    learned several times as slowly (docs/negative-results.md).
    """
    return assemble(
        schema,
        bottlenecks.Plain(n_components),
        WeightedCosts(
            {"neighbours": strength * schema.n_entries},
            neighbours=KeptNeighbours(
                None if n_neighbors == "auto" else n_neighbors,
                attraction,
                breadth,
                None if metric == "auto" else metric,
                counts=schema.support == "count",
            ),
        ),
        network=network,
        hidden=hidden,
        normalized=True,
        likelihood=likelihood,
    )


def labels_of(schema: Schema) -> tuple[float, ...]:
    """The frequencies of the classes that `schema` knows."""
    if not schema.frequencies:
        raise ValueError("A conditional model needs labels: fit(X, y), with one label for each example.")
    return schema.frequencies


def assemble(
    schema: Schema,
    bottleneck: bottlenecks.Bottleneck,
    objective: WeightedCosts | None = None,
    *,
    corruption: corruptions.Corruption | None = None,
    frequencies: Sequence[float] = (),
    guessing: bool = False,
    network: Any = "auto",
    hidden: Sequence[int] = (1024, 512),
    normalized: bool = False,
    likelihood: str = "auto",
) -> Parts:
    """Networks and a likelihood for `schema` around a bottleneck: what all recipes share.

    Where the bottleneck has no components the encoder is the identity, and the decoder cleans the example itself. With
    the `frequencies` of classes the decoder is told each example's label; `guessing`, it guesses those missing. An
    encoder that is an MLP has layer norms if it is to be `normalized`.
    """
    p_x, reason = likelihoods.choose(likelihood, schema)
    choices = [Choice("likelihood", p_x.name, reason)]
    first, second = networks.pair(network)
    for name in (first, second):
        if isinstance(name, str):
            networks.choose(name, schema)  # refuses unknown names, also where the other one decides
    encoder: nn.Module
    if bottleneck.n_components == 0:
        if isinstance(first, nn.Module) and first is not network:
            raise ValueError(
                "The `network` parameter must be one module where n_components=None, because there is no encoder. Got "
                f"a pair with {type(first).__name__} as its encoder instead."
            )
        second = first if first is network else second
        encoder = nn.Identity()
    elif isinstance(first, nn.Module):
        encoder = networks.OwnEncoder(first, schema, bottleneck.n_inputs)
    else:
        first, why = networks.choose(first, schema)
        choices.append(Choice("network", first, why))
        encoder = networks.encoder(first, schema, bottleneck.n_inputs, hidden, normalized)

    n_told = bottleneck.n_components + len(frequencies)
    decoder: nn.Module
    if isinstance(second, networks.Decoder):
        decoder = second
    elif isinstance(second, nn.Module):
        input_shape = (n_told,) if bottleneck.n_components else schema.shape
        decoder = networks.OwnDecoder(second, schema, input_shape)
    else:
        if bottleneck.n_components == 0 and second == "auto":
            name, why = ("conv" if schema.kind == "image" else "mlp"), "a denoiser without a code keeps every detail"
        else:
            name, why = networks.choose(second, schema)
        if bottleneck.n_components == 0:
            choices.append(Choice("network", name, why))
            decoder = networks.cleaner(name, schema, hidden)
        else:
            decoder = networks.decoder(name, schema, n_told, hidden)
    if isinstance(decoder, networks.Decoder):
        mean = torch.tensor(schema.mean, dtype=torch.float64)
        decoder.start_at(p_x.unmean(mean.expm1() if schema.support == "count" else mean).float())
    guess = bottlenecks.Guess(bottleneck.n_inputs, frequencies) if guessing else None
    model = Autoencoder(corruption or corruptions.Nothing(), encoder, bottleneck, decoder, p_x, frequencies, guess)
    return Parts(model, objective or WeightedCosts(), tuple(choices))
