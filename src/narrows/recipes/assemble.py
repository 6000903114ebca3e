"""Build a model around a bottleneck. All recipes choose networks and likelihood here, in the same way."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import nn

from narrows import accelerate, bottlenecks, corruptions, likelihoods, networks
from narrows.data import Schema, n_features
from narrows.model import Autoencoder
from narrows.objectives import Objective, WeightedObjective
from narrows.recipes.registry import Parts
from narrows.recipes.sizes import decide_sizes
from narrows.training import Choice


def labels_of(schema: Schema) -> tuple[float, ...]:
    """Return the frequencies of the classes in `schema`, C numbers above 0.

    Raises
    ------
    ValueError
        If `schema` has no classes. `fit` reads labels only if the recipe has a parameter `conditional` that is True.
    """
    if not schema.frequencies:
        raise ValueError(
            "A conditional model needs labels: fit(X, y), with one label for each example, of an estimator "
            "whose `conditional` parameter is True."
        )
    return schema.frequencies


def label_terms(
    schema: Schema, conditional: bool, label_weight: float, kl_weight: float = 0.0
) -> tuple[tuple[float, ...], dict[str, float]]:
    """Return the frequencies of the classes for `assemble`, and the weights of the costs that labels add.

    Parameters
    ----------
    schema : description of the input; with missing labels the model learns to infer them, which has two costs.
    conditional : False for a model without labels: then there are neither frequencies nor weights.
    label_weight : weight of the label's loss.
    kl_weight : weight of the divergence of the inferred labels from their frequencies.

    Raises
    ------
    ValueError
        If `schema` has no classes.
    """
    frequencies = labels_of(schema) if conditional else ()
    if not frequencies or schema.unlabelled == 0:
        return frequencies, {}
    # the mean over a batch includes the examples without a label, and their cost is 0
    return frequencies, {"kl_label": kl_weight, "label": label_weight / (1 - schema.unlabelled)}


def assemble(
    schema: Schema,
    bottleneck: bottlenecks.Bottleneck,
    objective: Objective | None = None,
    *,
    target: Schema | None = None,
    corruption: corruptions.Corruption | None = None,
    frequencies: Sequence[float] = (),
    network: Any = "auto",
    hidden: Sequence[int] | Literal["auto"] = "auto",
    normalized: bool = False,
    likelihood: str = "auto",
    start: str = "random",
) -> Parts:
    """Build networks and a likelihood for `schema` around a bottleneck.

    If the bottleneck has no components, the encoder is the identity, and the decoder is a denoiser.

    Parameters
    ----------
    schema : description of the input.
    bottleneck : the part that makes the code.
    objective : the loss; None for the negative log-likelihood alone.
    target : schema of the target, if it is another array than the input; None if it is the input.
    corruption : change of the input in training; None for none.
    frequencies : frequencies of the classes (`labels_of(schema)`) for a conditional model, whose decoder gets the label
        of each example. If labels are missing (`schema.unlabelled`), the model learns to infer them.
    network : "auto", "mlp" or "conv", or a module as the encoder, or a pair (encoder, decoder) of these.
    hidden : widths of the hidden layers of an MLP encoder; an MLP decoder has them in reverse order. "auto" is for a
        recipe that is called by itself: `Recipe.build` gives widths for it.
    normalized : True for layer norms in an MLP encoder.
    likelihood : a key of `narrows.likelihoods.LIKELIHOODS`, or "auto".
    start : "pca" to give encoder and decoder a linear path beside the network, which the training starts at PCA, where
        both are built by name, the code can be linear and there are no labels; "random" for none.

    Raises
    ------
    ValueError
        If the code is longer than an example and not overcomplete, or has a cost "kl" but no prior, or
        a network or a likelihood is unknown or does not fit the data.
    TypeError
        If the bottleneck lacks an attribute such as `n_components`.
    """
    _check_bottleneck(bottleneck, schema)
    widths = decide_sizes(schema, {"hidden": hidden}, None, None)[0]["hidden"] if isinstance(hidden, str) else hidden
    target = schema if target is None else target
    p_x, reason = likelihoods.choose(likelihood, target)
    choices = [Choice("likelihood", p_x.name, reason)]
    first, second = networks.split_pair(network)
    for name, data in ((first, schema), (second, target)):
        if isinstance(name, str):
            networks.choose(name, data)  # raises for unknown names, also for the one that is not used
    n_inferred = len(frequencies) if schema.unlabelled > 0 else 0
    n_inputs = bottleneck.n_inputs + n_inferred
    if bottleneck.n_components == 0 and first is network:
        second = first
    shape = p_x.params_shape(target.shape)
    has_names = target is schema and isinstance(first, str) and isinstance(second, str)
    # principal components hold the class, too, which the code of a conditional model should leave to its label
    link = _link(bottleneck, schema, p_x) if start == "pca" and has_names and not frequencies else None
    encoder, encoder_choices = _encoder(
        first, network, schema, bottleneck.n_components, n_inputs, widths, normalized, link is not None
    )
    linear = None
    if link is not None and isinstance(encoder, networks.Encoder):
        linear = networks.LinearDecoder(bottleneck.n_components, encoder.standardize.n_shared, link)
    decoder, decoder_choices = _decoder(
        second, schema, target, shape, bottleneck.n_components, len(frequencies), widths, linear
    )
    choices += encoder_choices + decoder_choices
    if isinstance(decoder, networks.Decoder):
        mean = torch.tensor(target.mean, dtype=torch.float64)
        is_count = torch.tensor([column.kind == "count" for column in target.used_columns])
        if target.kind != "table":
            is_count = torch.full((len(mean),), target.support == "count")
        decoder.start_at(p_x.inverse_mean(torch.where(is_count, mean.expm1(), mean)).float())
    bottleneck.condition(encoder)
    if frequencies:
        head = bottlenecks.LabelHead(n_inputs, frequencies) if n_inferred else None
        bottleneck = bottlenecks.Joint(bottleneck, bottlenecks.Label(frequencies, head))
    if corruption is not None and schema.kind == "table":
        corruption = corruptions.TableCorruption(corruption, schema)
    model = Autoencoder(corruption or corruptions.Nothing(), encoder, bottleneck, decoder, p_x)
    accelerate.prepare_model(model)
    return Parts(model, objective or WeightedObjective(), tuple(choices))


def _link(bottleneck: bottlenecks.Bottleneck, schema: Schema, p_x: likelihoods.Likelihood) -> nn.Module | None:
    """Return the link at the end of a linear path; None if the code or the likelihood has no such path."""
    n = bottleneck.n_components
    if n == 0 or bottleneck.linear_start(torch.ones(n), 0.5, 1.0) is None:
        return None
    return p_x.link(schema)


def _check_bottleneck(bottleneck: bottlenecks.Bottleneck, schema: Schema) -> None:
    """Raise if the bottleneck lacks an attribute, has a KL but no prior, or has too many components."""
    owner = type(bottleneck).__name__
    noise = ("n_noise", "n_prior_noise") if bottleneck.is_stochastic else ()
    for name in ("n_components", "n_inputs", *noise):
        if not isinstance(getattr(bottleneck, name, None), numbers.Integral):
            raise TypeError(f"The bottleneck {owner} must set its attribute `{name}` to an int in its constructor.")
    if "kl" in bottleneck.costs and not bottleneck.is_stochastic:
        raise ValueError(
            f'The bottleneck {owner} states the cost "kl", so it must be a narrows.bottlenecks.Stochastic, which has '
            "the prior that scores and samples need. Derive it from Stochastic, or rename its cost."
        )
    if bottleneck.n_components > n_features(schema) and not bottleneck.is_overcomplete:
        raise ValueError(
            f"The `n_components` parameter must be at most {n_features(schema)}, the numbers in one example "
            f"(n_features={n_features(schema)}), because a longer code compresses nothing. SAE takes more. Got "
            f"{bottleneck.n_components} instead."
        )


def _encoder(
    network: Any,
    parameter: Any,
    schema: Schema,
    n_components: int,
    n_outputs: int,
    hidden: Sequence[int],
    normalized: bool,
    has_linear: bool,
) -> tuple[nn.Module, list[Choice]]:
    """Return the encoder, built by name or from a user's module, and the choices.

    `network` is the encoder's part of the parameter `network`, and `parameter` is all of it.
    """
    if n_components == 0:
        if isinstance(network, nn.Module) and network is not parameter:
            raise ValueError(
                "The `network` parameter must be one module if n_components=None, because there is no encoder. Got "
                f"a pair with {type(network).__name__} as its encoder instead."
            )
        return nn.Identity(), []
    if isinstance(network, (networks.Columns, networks.GridEncoder, networks.PatchEncoder)):
        return network, []
    if isinstance(network, networks.UnitEncoder):
        network.check(schema.n_entries, n_outputs)
        return network, []
    if isinstance(network, nn.Module):
        return networks.OwnEncoder(network, schema, n_outputs), []
    name, reason = networks.choose(network, schema)
    encoder = networks.build_encoder(name, schema, n_outputs, hidden, normalized, has_linear)
    return encoder, [Choice("network", name, reason)]


def _decoder(
    network: Any,
    schema: Schema,
    target: Schema,
    shape: tuple[int, ...],
    n_components: int,
    n_classes: int,
    hidden: Sequence[int],
    linear: networks.LinearDecoder | None,
) -> tuple[nn.Module, list[Choice]]:
    """Return the decoder with outputs of `shape`, built by name or from a user's module, and the choices."""
    if isinstance(network, networks.Decoder):
        return network, []
    if isinstance(network, nn.Module):
        input_shape = (n_components + n_classes,) if n_components else schema.shape
        return networks.OwnDecoder(network, shape, input_shape), []
    if n_components:
        name, _ = networks.choose(network, target)
        return networks.build_decoder(name, shape, n_components + n_classes, hidden, linear), []
    if network == "auto":
        name = "conv" if schema.kind == "image" else "mlp"
        reason = "a denoiser without a code keeps every detail"
    else:
        name, reason = networks.choose(network, schema)
    return networks.build_denoiser(name, schema, shape, hidden), [Choice("network", name, reason)]
