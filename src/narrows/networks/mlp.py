"""Multilayer perceptrons for vectors and small images, and the dictionary of sparse codes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.data import Scaling, Schema, scale_rows, weigh_rows
from narrows.networks.base import (
    WIDE,
    Decoder,
    Encoder,
    LinearDecoder,
    PreciseLinear,
    Standardize,
    set_to_zero,
    zero_linear,
)
from narrows.networks.sparse import compute_lengths, layer_lengths, sum_of_directions
from narrows.types import DeferredLinear, SparseCode, UnitBlock


def layers(sizes: Sequence[int], activate_last: bool = False, normalized: bool = False) -> nn.Sequential:
    """Return linear layers between `sizes`, with a GELU after each but the last; with `activate_last` after all.

    With `normalized` there is a layer norm before each GELU (Ba, Kiros and Hinton, 2016,
    https://arxiv.org/abs/1607.06450), and the last layer is `PreciseLinear`.

    >>> layers([4, 3, 2])
    Sequential(
      (0): Linear(in_features=4, out_features=3, bias=True)
      (1): GELU(approximate='none')
      (2): Linear(in_features=3, out_features=2, bias=True)
    )
    """
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        modules += [nn.Linear(n_in, n_out), *([nn.LayerNorm(n_out)] if normalized else []), nn.GELU()]
    if not activate_last:
        modules = modules[: -2 if normalized else -1]
        if normalized:
            modules[-1] = PreciseLinear(sizes[-2], sizes[-1])
    return nn.Sequential(*modules)


def last_linear(modules: nn.Sequential) -> nn.Linear:
    """Return the last layer of an MLP."""
    last = modules[-1]
    assert isinstance(last, nn.Linear)
    return last


class MLPEncoder(Encoder):
    """d -> hidden -> n_outputs.

    Parameters
    ----------
    schema : description of the examples; images are flattened.
    n_outputs : number of outputs for each example.
    hidden : widths of the hidden layers; () makes the encoder linear.
    normalized : True for layer norms between the layers, and `PreciseLinear` as the last layer.
    has_linear : True for a linear path beside the network.
    """

    def __init__(
        self,
        schema: Schema,
        n_outputs: int,
        hidden: Sequence[int],
        normalized: bool = False,
        has_linear: bool = False,
    ) -> None:
        super().__init__(schema, n_outputs, has_linear)
        self.layers = layers([self.standardize.n_features, *hidden, n_outputs], normalized=normalized)
        self.n_widest = n_outputs if n_outputs > WIDE else 0  # of common networks no layer is wide
        if has_linear:
            set_to_zero(last_linear(self.layers))

    def run(self, features: Tensor) -> Tensor:
        """B x features -> B x n_outputs."""
        return self.layers(features.flatten(1))

    def defer(self, x: Tensor) -> DeferredLinear | None:
        """Return the last layer and its input for examples x (B x shape), so that it is not computed yet.

        None if another part of the encoder follows it, its weights are split over processes, or a compiler traces.
        """
        last = last_linear(self.layers)
        is_plain = type(last) is nn.Linear and type(last.weight) is nn.Parameter
        if self.linear_path is not None or not is_plain or torch.compiler.is_compiling():
            return None
        features = self.layers[:-1](self.standardize(x).flatten(1))
        return DeferredLinear(features, last.weight, last.bias)


class MLPDecoder(Decoder):
    """n_inputs -> hidden reversed -> shape, the mirror image of the encoder.

    Parameters
    ----------
    shape : shape of the output for one example.
    n_inputs : number of inputs.
    hidden : widths of the hidden layers of the encoder.
    linear : linear path, whose output is added; None for none.
    """

    def __init__(
        self, shape: tuple[int, ...], n_inputs: int, hidden: Sequence[int], linear: LinearDecoder | None = None
    ) -> None:
        super().__init__(linear)
        self.shape = shape
        self.layers = layers([n_inputs, *reversed(hidden), math.prod(shape)])
        if linear is not None:
            set_to_zero(last_linear(self.layers))

    @property
    def output_bias(self) -> Tensor:
        """Bias of the last layer."""
        return last_linear(self.layers).bias

    def forward(self, z: Tensor) -> Tensor:
        """B x n_inputs -> B x shape."""
        out = self.layers(z).unflatten(1, self.shape)
        return out if self.linear_path is None else out + self.linear_path(z)


class Dictionary(Decoder):
    """o = bias + sum_j z_j d_j / |d_j|: one direction of unit length for each unit, so that z_j has a scale.

    The direction of a unit can be shown as an example: the unit adds it to the output.

    The directions of a crosscoder go through several layers, and the length |d_j| is the sum of their lengths in the
    layers. So z_j is the activation times the sum of the decoder's norms, by which a crosscoder counts and selects
    units: one that lives in a single layer is cheaper than one of the same Euclidean length in all of them.

    Parameters
    ----------
    shape : shape of the output for one example.
    n_inputs : number of units.
    n_layers : number of layers of which an example has activations.
    n_entries : number of entries of an example, where the output has several numbers for each; None for one.
    scaling : how the encoder scales each example, one of `narrows.data.SCALINGS`; the output is scaled back.
    """

    takes_sparse = takes_units = takes_constant = True

    def __init__(
        self,
        shape: tuple[int, ...],
        n_inputs: int,
        n_layers: int = 1,
        n_entries: int | None = None,
        scaling: Scaling = "none",
    ) -> None:
        super().__init__()
        self.scaling, self.undoes_scaling = scaling, scaling != "none"
        self.shape, n_outputs = shape, math.prod(shape)
        self.parts = (n_layers, (n_outputs if n_layers == 1 or n_entries is None else n_entries) // n_layers)
        # of unit length from the start: an optimizer step of a given size turns a longer direction less
        self.directions = nn.Parameter(F.normalize(torch.randn(n_inputs, n_outputs), dim=1))
        self.bias = nn.Parameter(torch.zeros(n_outputs))

    def undo_scaling(self, out: Tensor, x: Tensor) -> Tensor:
        """Return the output (B x shape) on the scale of the examples x (B x shape)."""
        return scale_rows(torch.nan_to_num(x, nan=0.0), self.scaling).undo(out)

    def weigh_examples(self, x: Tensor) -> Tensor | None:
        """Return weights by which all examples x (B x shape) count as if they were scaled; None if they are not."""
        return weigh_rows(torch.nan_to_num(x, nan=0.0), self.scaling)

    def layer_shares(self) -> Tensor:
        """Return the share of each layer in the length of each direction: n_inputs x n_layers, rows that sum to 1."""
        lengths = layer_lengths(self.directions, *self.parts)
        return lengths / lengths.sum(1, keepdim=True)

    @property
    def output_bias(self) -> Tensor:
        """Bias of the dictionary."""
        return self.bias

    def start_encoder(self, encoder: nn.Module, n_shared: int) -> None:
        """Set a linear encoder's weights to the dictionary's transpose, so that each unit responds to what it adds.

        Without it the same few units win for all examples, and the others die (Gao et al., 2024, section A.1,
        https://arxiv.org/abs/2406.04093).

        Parameters
        ----------
        encoder : network with one linear layer from at least `n_shared` features; any other network is not changed.
        n_shared : number of the first features that correspond to the first outputs of the dictionary. The weights of
            the other features become 0.
        """
        linear = [m for m in encoder.modules() if isinstance(m, nn.Linear)]
        means = self.directions[:, :n_shared]
        if len(linear) == 1 and linear[0].out_features == len(means) and linear[0].in_features >= means.shape[1]:
            with torch.no_grad():
                linear[0].weight.zero_()
                linear[0].weight[:, :n_shared] = means / means.norm(dim=1, keepdim=True)
                linear[0].bias.zero_()

    def forward(self, z: Tensor | SparseCode | UnitBlock, *, constant: bool = False) -> Tensor:
        """B x n_inputs, or the same as a `SparseCode` -> B x shape; a `UnitBlock` -> what its units add, B x shape."""
        directions, bias = (p.detach() if constant else p for p in (self.directions, self.bias))
        if isinstance(z, UnitBlock):
            directions = directions.index_select(0, z.units)
            return (z.values / compute_lengths(directions, *self.parts) @ directions).unflatten(1, self.shape)
        if isinstance(z, SparseCode):
            return (sum_of_directions(z, directions, *self.parts) + bias).unflatten(1, self.shape)
        # scaling the code instead of the dictionary gives the same product without a second copy of the dictionary
        return (z / compute_lengths(directions, *self.parts) @ directions + bias).unflatten(1, self.shape)

    def sum_prefixes(self, code: SparseCode, sizes: Sequence[int]) -> Tensor:
        """Return the outputs for the first units alone: B x len(sizes) x shape.

        Parameters
        ----------
        code : a code whose units are in order in each row.
        sizes : G numbers of first units, increasing.
        """
        summed = sum_of_directions(code.split_rows(sizes), self.directions, *self.parts)
        summed = summed.unflatten(0, (code.n_rows, len(sizes)))
        return (summed.cumsum(1) + self.bias).unflatten(2, self.shape)


class LinearSkip(nn.Module):
    """W f(x) for examples x, added to the output of a dictionary: what is linear needs no units. W starts at 0.

    Paulo, Shabalin and Belrose, Transcoders beat sparse autoencoders for interpretability (2025),
    https://arxiv.org/abs/2501.18823.

    Parameters
    ----------
    schema : description of the inputs; f are their features.
    shape : shape of the output for one example.
    """

    def __init__(self, schema: Schema, shape: tuple[int, ...]) -> None:
        super().__init__()
        self.shape, self.standardize = shape, Standardize(schema)
        self.map = zero_linear(self.standardize.n_features, math.prod(shape))

    def forward(self, x: Tensor) -> Tensor:
        """B x schema.shape -> B x shape."""
        return self.map(self.standardize(x).flatten(1)).unflatten(1, self.shape)


class ResidualMLP(Decoder):
    """x -> x W + MLP(x): a denoiser of vectors without a narrow code, which keeps every detail."""

    def __init__(self, schema: Schema, shape: tuple[int, ...], hidden: Sequence[int]) -> None:
        super().__init__()
        self.shape, n_outputs = shape, math.prod(shape)
        self.standardize = Standardize(schema)
        n_features = self.standardize.n_features
        self.direct = nn.Linear(n_features, n_outputs, bias=False)
        self.layers = layers([n_features, *hidden, n_outputs])

    @property
    def output_bias(self) -> Tensor:
        """Bias of the last layer."""
        return last_linear(self.layers).bias

    def forward(self, x: Tensor) -> Tensor:
        """B x schema.shape -> B x shape."""
        x = self.standardize(x).flatten(1)
        return (self.direct(x) + self.layers(x)).unflatten(1, self.shape)
