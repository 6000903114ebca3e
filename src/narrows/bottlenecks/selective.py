"""Sparse codes that select the active units of each example, so that only these compute, and only these learn.

    topk    the k largest of relu(h)

A code selects entries of h (B x L). It is a `SparseCode` where the encoder's last layer is linear and the decoder takes
one: then no other B x L array than h is made, and h has no gradient but in the selected entries. Elsewhere the same
code is dense.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from narrows.bottlenecks.sparse import Sparse
from narrows.networks.sparse import chosen_outputs, largest_units
from narrows.types import Code, DeferredLinear, SparseCode


class Entries:
    """Entries of h that a code looks at: all of them, or those that it has chosen.

    Parameters
    ----------
    h : their values: B x L, or N.
    units, rows : unit and row of each of N entries; None for all entries.
    n_rows : B.
    """

    def __init__(self, h: Tensor, n_rows: int, units: Tensor | None = None, rows: Tensor | None = None) -> None:
        self.h, self.n_rows, self.units, self.rows = h, n_rows, units, rows

    def of_units(self, parameter: Tensor) -> Tensor:
        """Return a parameter of each unit (L) in a shape that goes with `h`."""
        return parameter if self.units is None else parameter.index_select(0, self.units)

    def sum_rows(self, values: Tensor) -> Tensor:
        """Return the sums over the rows of values for each entry: B."""
        if self.rows is None:
            return values.sum(1)
        return values.new_zeros(self.n_rows).index_add(0, self.rows, values)


class Selective(Sparse):
    """Abstract: a code that selects entries of h. A subclass says which, and what their activations are."""

    @abstractmethod
    def mask(self, h: Tensor) -> Tensor:
        """Return True for each entry of h (B x L, without a gradient) whose activation may differ from 0."""

    def choose(self, h: Tensor) -> Tensor:
        """Return the entries for which `mask` is True as row * L + unit: N integers, in order."""
        return self.mask(h).reshape(-1).nonzero().squeeze(1)

    @abstractmethod
    def activate(self, entries: Entries) -> Tensor:
        """Return the activations of entries that are selected, in the shape of `entries.h`."""

    def cost(self, entries: Entries) -> dict[str, Tensor]:
        """Return the costs of the selected entries by name, one value for each example (B)."""
        return {}

    def takes_deferred(self, device: torch.device) -> bool:
        """True if `forward` takes a `DeferredLinear` on `device`."""
        return device.type == "cpu"

    def forward(self, h: Tensor | DeferredLinear) -> Code:
        """Return the code. In training, also update the counts, and add the auxiliary code."""
        if isinstance(h, DeferredLinear):
            return self._forward_sparse(h)
        h = h.to(torch.promote_types(h.dtype, torch.float32))
        mask, entries = self.mask(h.detach()), Entries(h, len(h))
        z = self.activate(entries) * mask
        code = Code(z, self.cost(entries))
        return self._in_training(code, h, len(z), self.fires(z.detach()).any(0)) if self.training else code

    def encode(self, h: Tensor) -> Tensor:
        """Return the activations (B x L)."""
        return self.activate(Entries(h, len(h))) * self.mask(h.detach())

    def _forward_sparse(self, linear: DeferredLinear) -> Code:
        with torch.no_grad():
            h = linear.compute()
            flat = self.choose(h)
        n_rows, n_units = h.shape
        rows, units = flat // n_units, flat % n_units
        entries = Entries(chosen_outputs(linear, h, flat), n_rows, units, rows)
        del h
        z = self.activate(entries)
        starts = torch.searchsorted(rows, torch.arange(n_rows + 1, device=rows.device))
        code = Code(None, self.cost(entries), sparse=SparseCode(z, units, starts, n_units))
        if not self.training:
            return code
        # a sum instead of an index by a mask, for whose length the CPU would wait
        fired = torch.zeros_like(self.idle).index_add(0, units, (z.detach() > self.floor).to(self.idle.dtype)) > 0
        return self._in_training(code, linear, n_rows, fired)


class TopK(Selective):
    """The `k` largest activations, exactly; Makhzani and Frey (2014), https://arxiv.org/abs/1312.5663.

    >>> import torch
    >>> TopK(4, k=2).encode(torch.tensor([[3.0, -1.0, 1.0, 2.0]])).tolist()
    [[3.0, 0.0, 0.0, 2.0]]
    """

    def __init__(self, n_components: int, k: int = 16, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__(n_components, patience, n_aux)
        self.k = min(k, n_components)

    def takes_deferred(self, device: torch.device) -> bool:
        """True on CPUs and on CUDA devices, where the number of entries is known without a wait."""
        return device.type in ("cpu", "cuda")

    def mask(self, h: Tensor) -> Tensor:
        """Return True for the k largest numbers of each row (B x L)."""
        return torch.zeros_like(h, dtype=torch.bool).scatter(1, h.topk(self.k, dim=1, sorted=False).indices, True)

    def choose(self, h: Tensor) -> Tensor:
        """Return the k largest entries of each row, row after row."""
        units = largest_units(h, self.k)
        return (units + torch.arange(len(h), device=h.device)[:, None] * h.shape[1]).reshape(-1)

    def activate(self, entries: Entries) -> Tensor:
        """Return relu(h)."""
        return entries.h.relu()
