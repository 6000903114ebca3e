"""Networks of dictionaries that other programs have trained: directions of any length, rows that are scaled one by one.

    u = n(x) - a                    n, the scaling of a row; a, a shift
    h = W u + b                     UnitEncoder, before the bottleneck that makes the code z
    o = n_x^-1(z D + c)             FreeDictionary

n is one of `narrows.data.SCALINGS`. n_x^-1 undoes it with the mean and the deviation or the norm of the same x.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.data.row_scaling import Scaling, scale_rows, weigh_rows
from narrows.networks.base import WIDE, Decoder
from narrows.networks.sparse import sum_rows
from narrows.types import DeferredLinear, SparseCode


class UnitEncoder(nn.Module):
    """h = W (n(x) - a) + b: one row of W for each output. It takes the examples as they are, without a standardisation.

    Parameters
    ----------
    n_features : d, the number of entries of an example.
    n_outputs : number of outputs.
    scaling : how each example is scaled, one of `narrows.data.SCALINGS`.
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
    scaling : how the encoder scales each example, one of `narrows.data.SCALINGS`; the output is scaled back.
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

    def weigh_examples(self, x: Tensor) -> Tensor | None:
        """Return weights by which all examples x (B x d) count as if they were scaled; None if they are not."""
        return weigh_rows(torch.nan_to_num(x, nan=0.0), self.scaling)

    def forward(self, z: Tensor | SparseCode, *, constant: bool = False) -> Tensor:
        """B x n_inputs, or the same as a `SparseCode` -> B x n_entries."""
        directions, bias = (p.detach() if constant else p for p in (self.directions, self.bias))
        if isinstance(z, SparseCode):
            return sum_rows(directions, z.indices, z.values.to(directions.dtype), z.starts) + bias
        return z @ directions + bias


REBUILT: dict[str, type[nn.Module]] = {cls.__name__: cls for cls in (UnitEncoder, FreeDictionary)}
"""Modules of narrows that may be the parameter `network`, by name. They are saved with their `arguments`, and `load`
builds them again without help."""
