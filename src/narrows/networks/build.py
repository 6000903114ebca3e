"""Networks for any schema, by name or from a user's module."""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from torch import Tensor, nn

from narrows.data import Schema
from narrows.networks.base import Decoder, Encoder, LinearDecoder, Standardize
from narrows.networks.conv import ConvDecoder, ConvEncoder, UNet
from narrows.networks.mlp import MLPDecoder, MLPEncoder, ResidualMLP
from narrows.params import did_you_mean

Name = Literal["auto", "mlp", "conv"]
NAMES = get_args(Name)
_MLP_PIXELS = 32 * 32  # most numbers in an image for which an MLP is chosen


def choose(name: str, schema: Schema) -> tuple[str, str]:
    """Return the network's name, chosen by the data where `name` is "auto", and the reason.

    Raises
    ------
    ValueError
        If `name` is unknown, or "conv" for vectors.
    """
    if name not in NAMES:
        raise ValueError(f"Unknown network {name!r}. {did_you_mean(name, NAMES)}")
    if name == "conv" and schema.kind != "image":
        raise ValueError(
            f'network="conv" needs images, (n, h, w) or (n, h, w, c). Got {schema.describe()}: reshape them, or pass '
            'network="mlp".'
        )
    if name != "auto":
        return name, "as asked"
    if schema.kind != "image":
        return "mlp", f"the examples are {'vectors' if schema.kind == 'vector' else 'rows of a table'}"
    if schema.is_series:
        return "mlp", "the examples are series, whose channels are no neighbours"
    if schema.n_entries <= _MLP_PIXELS:
        return (
            "mlp",
            f"images of {schema.n_entries} numbers: in the same time, an MLP reaches a lower loss than convolutions",
        )
    return "conv", f"images of {schema.n_entries} numbers: convolutions use the same weights at every place"


def build_encoder(
    name: str,
    schema: Schema,
    n_outputs: int,
    hidden: Sequence[int],
    normalized: bool = False,
    has_linear: bool = False,
) -> Encoder:
    """Return an encoder B x shape -> B x n_outputs; `name` is "mlp" or "conv".

    With `normalized` an MLP has layer norms, and the last layer of both networks is `PreciseLinear`. With `has_linear`
    a linear path is added to the network.
    """
    if name == "mlp":
        return MLPEncoder(schema, n_outputs, hidden, normalized, has_linear)
    return ConvEncoder(schema, n_outputs, precise=normalized, has_linear=has_linear)


def build_decoder(
    name: str, shape: tuple[int, ...], n_inputs: int, hidden: Sequence[int], linear: LinearDecoder | None = None
) -> Decoder:
    """Return a decoder B x n_inputs -> B x shape, the likelihood's `params_shape`; `name` is "mlp" or "conv"."""
    if name == "mlp":
        return MLPDecoder(shape, n_inputs, hidden, linear)
    return ConvDecoder(shape, n_inputs, linear=linear)


def build_denoiser(name: str, schema: Schema, shape: tuple[int, ...], hidden: Sequence[int]) -> Decoder:
    """Return a network B x schema.shape -> B x shape without a narrow code; `name` is "mlp" or "conv"."""
    return ResidualMLP(schema, shape, hidden) if name == "mlp" else UNet(schema, shape)


class FilledGaps(nn.Module):
    """The identity for data without gaps. Later gaps become 0, which is the mean of a standardised column."""

    def forward(self, x: Tensor) -> Tensor:
        """B x ... -> the same shape."""
        return x if self.training else torch.nan_to_num(x, nan=0.0)


class OwnEncoder(nn.Module):
    """A user's module as an encoder, followed by a linear layer if it gives another number of features.

    The module gets the prepared examples. For a table, or data with gaps, it gets the features of `Standardize`.

    Raises
    ------
    ValueError
        If the module does not take a batch of examples.
    """

    def __init__(self, module: nn.Module, schema: Schema, n_outputs: int) -> None:
        super().__init__()
        needs_features = schema.kind == "table" or schema.has_gaps
        self.standardize = Standardize(schema) if needs_features else FilledGaps()
        self.module, x = copy.deepcopy(module), torch.zeros(2, *getattr(self.standardize, "shape", schema.shape))
        features = _probe(self.module, x, "encoder").flatten(1).shape[1]
        self.layout = _choose_layout(self.module, x)
        self.head = nn.Identity() if features == n_outputs else nn.Linear(features, n_outputs)

    def forward(self, x: Tensor) -> Tensor:
        """B x shape -> B x n_outputs."""
        return self.encode_features(self.standardize(x))

    def encode_features(self, features: Tensor) -> Tensor:
        """Return the output (B x n_outputs) for what `standardize` gives."""
        return self.head(self.module(_to_layout(features, self.layout)).flatten(1))


class OwnDecoder(Decoder):
    """A user's module as a decoder. It must give as many numbers as the likelihood needs.

    Parameters
    ----------
    shape : shape of the output for one example, the likelihood's `params_shape`.
    input_shape : shape of one input: (n_components,), or an example's shape for a denoiser without a code.

    Raises
    ------
    ValueError
        If the module does not take such inputs, or gives another number of outputs.
    """

    def __init__(self, module: nn.Module, shape: tuple[int, ...], input_shape: tuple[int, ...]) -> None:
        super().__init__()
        self.module, self.shape, z = copy.deepcopy(module), shape, torch.zeros(2, *input_shape)
        n_outputs = _probe(self.module, z, "decoder").flatten(1).shape[1]
        if n_outputs != math.prod(shape):
            raise ValueError(
                f"The decoder module {type(module).__name__} must give {math.prod(shape)} numbers per example "
                f"(shape {shape}) for inputs of shape {input_shape}. It gave {n_outputs}. Change the last layer of "
                "that part of `network`."
            )
        self.layout = _choose_layout(self.module, z)

    @property
    def output_bias(self) -> None:
        """None: a user's module keeps its initial weights."""
        return

    def forward(self, z: Tensor) -> Tensor:
        """B x input_shape -> B x shape."""
        return self.module(_to_layout(z, self.layout)).flatten(1).unflatten(1, self.shape)


def has_own_parts(model: nn.Module) -> bool:
    """Return True if a part of `model` is a user's module, which may contain any Python code."""
    return any(isinstance(module, (OwnEncoder, OwnDecoder)) for module in model.modules())


def split_pair(network: Any) -> tuple[Any, Any]:
    """Split the `network` parameter into encoder and decoder, names or modules. A single module is the encoder."""
    if isinstance(network, (tuple, list)):
        first, second = network
        return first, second
    if isinstance(network, nn.Module):
        return network, "auto"
    return network, network


def is_network(network: Any) -> bool:
    """Return True if `network` is a name, a module, or a pair of these."""
    parts = network if isinstance(network, (tuple, list)) else (network, network)
    return len(parts) == 2 and all(isinstance(p, (str, nn.Module)) for p in parts)


def _choose_layout(module: nn.Module, x: Tensor) -> torch.memory_format:
    """Return channels last, in which convolutions are faster, or contiguous if the module fails with it."""
    try:
        module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        _probe(module, _to_layout(x, torch.channels_last), "user's")
    except (RuntimeError, ValueError):  # a kernel with three dimensions, or a call of `view`
        module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]
        return torch.contiguous_format
    return torch.channels_last


def _to_layout(x: Tensor, layout: torch.memory_format) -> Tensor:
    return x.contiguous(memory_format=layout) if x.dim() == 4 else x


def _probe(module: nn.Module, x: Tensor, role: str) -> Tensor:
    was_training = module.training
    module.eval()
    try:
        with torch.no_grad():
            parameter = next(module.parameters(), x)
            out = module(x.to(dtype=parameter.dtype, device=parameter.device))
    except Exception as error:
        raise ValueError(
            f"The {role} module {type(module).__name__} could not take an input of shape {tuple(x.shape)} "
            f"(batch first): {error}"
        ) from error
    finally:
        module.train(was_training)
    if not isinstance(out, Tensor) or len(out) != len(x):
        raise ValueError(f"The {role} module {type(module).__name__} must return one tensor, batch first.")
    return out.float().cpu()
