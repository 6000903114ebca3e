"""Records that the parts pass to each other. B is the batch, L the number of components, C the number of labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.renamed import warn


class Batch(NamedTuple):
    """A batch of examples, the input of a model and its loss.

    Attributes
    ----------
    x : B x ... input of the model, in the model's units (see `narrows.data.Schema.prepare`).
    target : B x ... data that the likelihood scores; the same tensor as `x` unless a task pairs each input with
        another target, which may have another shape.
    observed : B x ... mask of `target`, or None where nothing is missing. 1 marks an observed entry, 0 a missing one.
    weight : B x ... weight of each entry of `target` in the loss, or None for 1 everywhere.
    label : B integers, the index of each example's class in `Schema.classes`; None without labels.
    neighbor : B x ... for each example, one that is near it in the data; None if no cost needs it.
    """

    x: Tensor
    target: Tensor
    observed: Tensor | None = None
    weight: Tensor | None = None
    label: Tensor | None = None
    neighbor: Tensor | None = None

    def to(self, device: torch.device) -> Batch:
        """Return the batch on `device`."""
        return Batch._make(None if part is None else part.to(device) for part in self)

    @property
    def near(self) -> Tensor | None:
        """Deprecated name of `neighbor`."""
        warn("Batch", "near", "neighbor", stacklevel=3)
        return self.neighbor


class Corrupted(NamedTuple):
    """Result of a corruption.

    Attributes
    ----------
    x : B x ... input of the encoder.
    scored : B x ... mask of the entries that the loss counts; None for all.
    """

    x: Tensor
    scored: Tensor | None = None


class SparseCode(NamedTuple):
    """A code as the list of its active components, row after row (compressed sparse rows, CSR).

    Row i has the entries `starts[i]` to `starts[i + 1]`, in any order.

    Attributes
    ----------
    values : N activations.
    indices : N integers, the components of these activations; no component twice in a row.
    starts : B + 1 integers that do not fall, from 0 to N.
    n_components : L.
    """

    values: Tensor
    indices: Tensor
    starts: Tensor
    n_components: int

    @classmethod
    def of_rows(cls, values: Tensor, indices: Tensor, n_components: int) -> SparseCode:
        """Return the code with k entries in each row, from activations and their components (B x k each)."""
        n, k = values.shape
        starts = torch.arange(n + 1, device=values.device) * k
        return cls(values.reshape(-1), indices.reshape(-1), starts, n_components)

    @property
    def n_rows(self) -> int:
        """B, the number of rows."""
        return len(self.starts) - 1

    @property
    def rows(self) -> Tensor:
        """Number of the row of each entry (N integers)."""
        numbers = torch.arange(self.n_rows, device=self.starts.device)
        return numbers.repeat_interleave(self.starts.diff(), output_size=len(self.values))

    def split_rows(self, sizes: Sequence[int]) -> SparseCode:
        """Return the code with each row split into G rows: the units below sizes[0], those from there to sizes[1], ...

        Units from sizes[-1] on are left out. The code must have its units in order in each row.
        """
        n, place = self.n_components, self.rows * self.n_components + self.indices
        firsts = (
            torch.tensor([0, *sizes[:-1]], device=place.device)
            + torch.arange(self.n_rows, device=place.device)[:, None] * n
        )
        kept = self.indices < sizes[-1]
        place, values, indices = place[kept], self.values[kept], self.indices[kept]
        end = torch.tensor([self.n_rows * n], device=place.device)
        starts = torch.searchsorted(place, torch.cat([firsts.reshape(-1), end]))
        return SparseCode(values, indices, starts, n)

    def with_values(self, values: Tensor) -> SparseCode:
        """Return the code with other values (N) of the same entries."""
        return self._replace(values=values)

    def to_dense(self) -> Tensor:
        """Return the same code as B x L numbers."""
        zeros = self.values.new_zeros(self.n_rows * self.n_components)
        return zeros.index_add(0, self.rows * self.n_components + self.indices, self.values).view(self.n_rows, -1)


class UnitBlock(NamedTuple):
    """A code that is 0 outside of a few components, which are the same for all rows.

    Attributes
    ----------
    values : B x M.
    units : M integers, the components; none twice.
    n_components : L.
    """

    values: Tensor
    units: Tensor
    n_components: int

    def to_dense(self) -> Tensor:
        """Return the same code as B x L numbers."""
        zeros = self.values.new_zeros(len(self.values), self.n_components)
        return zeros.index_copy(1, self.units, self.values)


class DeferredLinear(NamedTuple):
    """The outputs h = x W^T + b of a linear layer that are not computed yet, so that only a few may get a gradient.

    Attributes
    ----------
    features : x, B x d.
    weight : W, L x d.
    bias : b, L.
    """

    features: Tensor
    weight: Tensor
    bias: Tensor

    def compute(self) -> Tensor:
        """Return h (B x L), with its gradient."""
        return F.linear(self.features, self.weight, self.bias)

    def columns(self, units: Tensor) -> Tensor:
        """Return the columns `units` (M integers) of h, with their gradient: B x M."""
        return F.linear(self.features, self.weight.index_select(0, units), self.bias.index_select(0, units))


class Code(NamedTuple):
    """Output of a bottleneck.

    Attributes
    ----------
    dense : B x (L + C), the code followed by the columns of its label; C = 0 without labels. None if the code is in
        `sparse`; read `z`, which is dense in both cases.
    costs : one value per example (B) for each named cost, in nats where it is a divergence.
    aux_code : a code on dead units only, which an objective may use to revive them: B x L, the same as a `UnitBlock`,
        or None. The columns of a label are not in it.
    sparse : the code as a `SparseCode`, for decoders that take one (`Dictionary`); None if it is in `dense`.
    n_classes : C, the number of label columns.
    gate_code : for a code with gates, a code of the gates in their place: B x L, or a `SparseCode`; None for others.
    """

    dense: Tensor | None
    costs: dict[str, Tensor]
    aux_code: Tensor | UnitBlock | None = None
    sparse: SparseCode | None = None
    n_classes: int = 0
    gate_code: Tensor | SparseCode | None = None

    @property
    def spare(self) -> Tensor | UnitBlock | None:
        """Deprecated name of `aux_code`."""
        warn("Code", "spare", "aux_code", stacklevel=3)
        return self.aux_code

    @property
    def z(self) -> Tensor:
        """Input of the decoder: B x (L + C)."""
        if self.dense is not None:
            return self.dense
        assert self.sparse is not None
        return self.sparse.to_dense()

    @property
    def free(self) -> Tensor:
        """The code without the columns of its label: B x L."""
        return self.z[:, : -self.n_classes] if self.n_classes else self.z


class Output(NamedTuple):
    """Results of a pass through a model.

    Attributes
    ----------
    code : output of the bottleneck.
    params : B x params_shape, output of the decoder, from which the likelihood makes its parameters.
    weight : B x ... weight of each entry of the target in the loss (0 where it is missing or hidden), or None for 1.
    h : B x n_inputs, output of the encoder; a `DeferredLinear` if the bottleneck takes one (`dense_h` computes it).
    scored : weight of each entry by the corruption alone, also where the target is missing; None for 1.
    skipped : B x params_shape, the part of `params` that does not come from the code; None for 0.
    """

    code: Code
    params: Tensor
    weight: Tensor | None
    h: Tensor | DeferredLinear
    scored: Tensor | None = None
    skipped: Tensor | None = None

    @property
    def dense_h(self) -> Tensor:
        """Output of the encoder as B x n_inputs, with its gradient."""
        return self.h.compute() if isinstance(self.h, DeferredLinear) else self.h


class Loss(NamedTuple):
    """Result of an objective.

    Attributes
    ----------
    total : the scalar to minimise, nats per example.
    terms : all terms by name (scalars, nats per example), for the history.
    not_validated : the part of `total` that early stopping leaves out, because it does not measure the model: losses
        of opponents, the revival of dead units. A scalar, or None.
    """

    total: Tensor
    terms: dict[str, Tensor]
    not_validated: Tensor | None = None

    @property
    def validated(self) -> Tensor:
        """The scalar by which early stopping compares models."""
        return self.total if self.not_validated is None else self.total - self.not_validated


class Finding(NamedTuple):
    """A finding about a fitted model.

    Attributes
    ----------
    name : stable key of the finding, such as "pca" or "overfitting".
    is_well : True if nothing needs to change.
    message : one or two sentences with the numbers.
    change : values of the estimator's parameters that mend it, by name; empty if no parameter does. A finding that is
        well may have one that would make the model better still.
    """

    name: str
    is_well: bool
    message: str
    change: dict[str, Any]

    @property
    def setting(self) -> str:
        """The change as it is written in Python, such as 'beta=0.25'; empty if there is none."""
        return ", ".join(f"{name}={value!r}" for name, value in self.change.items())


def split_missing(x: Tensor) -> tuple[Tensor, Tensor | None]:
    """Return x (B x ...) with 0 in place of NaN, and a mask of its observed entries; x itself and None without NaN."""
    is_missing = torch.isnan(x)
    if not bool(is_missing.any()):
        return x, None
    return x.masked_fill(is_missing, 0.0), (~is_missing).to(x.dtype)


def product(*weights: Tensor | None) -> Tensor | None:
    """Return the product of the weights (of one shape) that are not None, or None if all are."""
    result: Tensor | None = None
    for weight in weights:
        if weight is not None:
            result = weight if result is None else result * weight
    return result
