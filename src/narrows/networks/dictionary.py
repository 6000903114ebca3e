"""Networks of dictionaries that other programs have trained: directions of any length, rows that are scaled one by one.

    u = n(x) - a                    n, the scaling of a row; a, a shift
    h = W u + b                     UnitEncoder, before the bottleneck that makes the code z
    o = n_x^-1(z D + c)             FreeDictionary

n is one of `SCALINGS`: the identity; `layer_norm`, (x - mean(x)) / (std(x) + 1e-5) with the mean and the standard
deviation (of n - 1) over the entries of one example, as in Gao et al. (2024), https://arxiv.org/abs/2406.04093; or
`constant_norm`, x sqrt(d) / |x|. n_x^-1 undoes it with the mean and the deviation or the norm of the same x.
"""

from __future__ import annotations

import math
from typing import Any, Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.networks.base import WIDE, Decoder
from narrows.networks.sparse import sum_rows
from narrows.types import DeferredLinear, SparseCode

Scaling = Literal["none", "layer_norm", "constant_norm"]
SCALINGS = ("none", "layer_norm", "constant_norm")
_EPS = 1e-5  # added to the standard deviation of a layer norm


class ScaledRows(NamedTuple):
    """Rows that were scaled one by one: x = rows * scale + shift.

    Attributes
    ----------
    rows : B x d.
    scale, shift : B x 1, or None for 1 and 0.
    """

    rows: Tensor
    scale: Tensor | None
    shift: Tensor | None

    def undo(self, y: Tensor) -> Tensor:
        """Return y (B x m) on the scale that the rows had."""
        y = y if self.scale is None else y * self.scale
        return y if self.shift is None else y + self.shift


def scale_rows(x: Tensor, scaling: str) -> ScaledRows:
    """Scale each row of x (B x d) by `scaling`, one of `SCALINGS`.

    >>> scale_rows(torch.tensor([[3.0, 4.0]]), "constant_norm").rows
    tensor([[0.8485, 1.1314]])
    """
    if scaling == "none":
        return ScaledRows(x, None, None)
    if scaling == "constant_norm":
        # a row of zeros has no direction, and stays as it is
        norm = x.norm(dim=1, keepdim=True)
        scale = torch.where(norm > 0, norm / math.sqrt(x.shape[1]), torch.ones_like(norm))
        return ScaledRows(x / scale, scale, None)
    assert scaling == "layer_norm", scaling
    mean = x.mean(1, keepdim=True)
    centred = x - mean
    std = centred.std(1, keepdim=True)
    return ScaledRows(centred / (std + _EPS), std, mean)


class UnitEncoder(nn.Module):
    """h = W (n(x) - a) + b: one row of W for each output. It takes the examples as they are, without a standardisation.

    Parameters
    ----------
    n_features : d, the number of entries of an example.
    n_outputs : number of outputs.
    scaling : how each example is scaled, one of `SCALINGS`.
    has_shift : True if a shift a is subtracted.
    """

    def __init__(self, n_features: int, n_outputs: int, *, scaling: Scaling = "none", has_shift: bool = False) -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "n_features": n_features,
            "n_outputs": n_outputs,
            "scaling": scaling,
            "has_shift": has_shift,
        }
        self.scaling = scaling
        self.linear = nn.Linear(n_features, n_outputs)
        self.shift = nn.Parameter(torch.zeros(n_features)) if has_shift else None
        self.n_widest = n_outputs if n_outputs > WIDE else 0

    def check(self, n_features: int, n_outputs: int) -> None:
        """Raise ValueError if the examples or the code have other sizes."""
        if (n_features, n_outputs) != (self.linear.in_features, self.linear.out_features):
            raise ValueError(
                f"This UnitEncoder takes {self.linear.in_features} entries and gives {self.linear.out_features} "
                f"outputs. The examples have {n_features} entries, and the code needs {n_outputs} outputs."
            )

    def forward(self, x: Tensor) -> Tensor:
        """B x d -> B x n_outputs. Missing entries (NaN) become 0 first."""
        return self.linear(self._shifted(x))

    def defer(self, x: Tensor) -> DeferredLinear | None:
        """Return the layer and its input for x (B x d), so that it is not computed yet; None if a compiler traces."""
        is_plain = type(self.linear.weight) is nn.Parameter and not torch.compiler.is_compiling()
        return DeferredLinear(self._shifted(x), self.linear.weight, self.linear.bias) if is_plain else None

    def _shifted(self, x: Tensor) -> Tensor:
        u = scale_rows(torch.nan_to_num(x, nan=0.0), self.scaling).rows
        return u if self.shift is None else u - self.shift


class FreeDictionary(Decoder):
    """o = n_x^-1(z D + c): directions of any length, where those of `Dictionary` have unit length.

    A code alone decodes to z D + c.

    Parameters
    ----------
    n_entries : number of entries of the output.
    n_inputs : number of units.
    scaling : how the encoder scales each example, one of `SCALINGS`; the output is scaled back.
    """

    takes_sparse = takes_constant = True

    def __init__(self, n_entries: int, n_inputs: int, *, scaling: Scaling = "none") -> None:
        super().__init__()
        self.arguments: dict[str, Any] = {
            "n_entries": n_entries,
            "n_inputs": n_inputs,
            "scaling": scaling,
        }
        self.scaling = scaling
        self.directions = nn.Parameter(F.normalize(torch.randn(n_inputs, n_entries), dim=1))
        self.bias = nn.Parameter(torch.zeros(n_entries))
        self.undoes_scaling = scaling != "none"

    @property
    def output_bias(self) -> Tensor:
        """Bias of the dictionary."""
        return self.bias

    def undo_scaling(self, out: Tensor, x: Tensor) -> Tensor:
        """Return the output (B x n_entries) on the scale of the examples x (B x d)."""
        return scale_rows(torch.nan_to_num(x, nan=0.0), self.scaling).undo(out)

    def forward(self, z: Tensor | SparseCode, *, constant: bool = False) -> Tensor:
        """B x n_inputs, or the same as a `SparseCode` -> B x n_entries."""
        directions, bias = (p.detach() if constant else p for p in (self.directions, self.bias))
        if isinstance(z, SparseCode):
            return sum_rows(directions, z.indices, z.values.to(directions.dtype), z.starts) + bias
        return z @ directions + bias


REBUILT: dict[str, type[nn.Module]] = {cls.__name__: cls for cls in (UnitEncoder, FreeDictionary)}
"""Modules of narrows that may be the parameter `network`, by name. They are saved with their `arguments`, and `load`
builds them again without help."""
