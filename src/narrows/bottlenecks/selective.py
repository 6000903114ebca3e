"""Sparse codes that select the active units of each example, so that only these compute, and only these learn.

    topk        z = relu(h)         the k largest entries of each row
    batchtopk   z = relu(h)         the k B largest entries of a batch; at inference those above a learned threshold
    jumprelu    z = h               entries above a learned threshold of each unit
    gated       z = relu(e^r h + c) entries above 0

A code selects entries of h (B x L). It is a `SparseCode` where the encoder's last layer is linear and the decoder takes
one: then no other B x L array than h is made, and h has no gradient but in the selected entries. Elsewhere the same
code is dense.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from narrows.batch_sharding import batch_length, batch_mean, batch_rows, is_shared
from narrows.bottlenecks.sparse import Sparse
from narrows.networks.sparse import chosen_outputs, largest_units
from narrows.types import Code, DeferredLinear, SparseCode

_WIDE = 256  # units; a compiled step of fewer is the faster one
_SHORT = (0.1, 0.3)  # lengths at the start, where only the order of the h matters: a step turns what is short by more


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
        """Return True for each entry of h (B x L, without a gradient) whose activation may differ from 0.

        An entry depends on its own row only.
        """

    def training_mask(self, h: Tensor) -> Tensor:
        """Return the mask in a training step, where it may differ from `mask`."""
        return self.mask(h)

    def choose(self, h: Tensor) -> Tensor:
        """Return the entries that `training_mask` or `mask` selects as row * L + unit: N integers, row after row."""
        mask = self.training_mask(h) if self.training else self.mask(h)
        return mask.reshape(-1).nonzero().squeeze(1)

    @abstractmethod
    def activate(self, entries: Entries) -> Tensor:
        """Return the activations of entries that are selected, in the shape of `entries.h`."""

    def cost(self, entries: Entries) -> dict[str, Tensor]:
        """Return the costs of the selected entries by name, one value for each example (B)."""
        return {}

    def gate(self, entries: Entries) -> Tensor | None:
        """Return the gate of each selected entry, in the shape of `entries.h`; None for a code without gates."""
        return None

    @property
    def slower_compiled(self) -> bool:
        """True if a training step on a CPU is slower when compiled: a compiler makes the dense code."""
        return self.n_components >= _WIDE

    def takes_deferred(self, device: torch.device) -> bool:
        """True on CPUs; on other devices the number of entries would be waited for."""
        return device.type == "cpu"

    def forward(self, h: Tensor | DeferredLinear) -> Code:
        """Return the code. In training, also update the counts, and add the auxiliary code."""
        if isinstance(h, DeferredLinear):
            return self._forward_sparse(h)
        h = h.to(torch.promote_types(h.dtype, torch.float32))
        mask, entries = self.training_mask(h.detach()) if self.training else self.mask(h.detach()), Entries(h, len(h))
        z = self.activate(entries) * mask
        code = Code(z, self.cost(entries), gate_code=self.gate(entries))
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
        sparse, gate = SparseCode(z, units, starts, n_units), self.gate(entries)
        code = Code(
            None, self.cost(entries), sparse=sparse, gate_code=None if gate is None else sparse.with_values(gate)
        )
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

    start_lengths = _SHORT

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


class BatchTopK(Selective):
    """The k B largest activations of a batch of B, so that difficult examples get more units.

        in training     t = the (k B)th largest of h        theta <- running mean of t
        at inference    t = theta, so that a code does not depend on the batch
        z = relu(h) where h >= t

    Bussmann, Leask and Nanda, BatchTopK sparse autoencoders (2024), https://arxiv.org/abs/2412.06410. Entries equal to
    t are all active.
    """

    threshold: Tensor
    seen: Tensor
    decay = 0.02  # weight of a batch in the running mean, once so many were seen
    start_lengths = _SHORT

    def __init__(self, n_components: int, k: int = 16, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__(n_components, patience, n_aux)
        self.k = min(k, n_components)
        self.register_buffer("threshold", torch.tensor(0.0))
        self.register_buffer("seen", torch.tensor(0.0))

    def mask(self, h: Tensor) -> Tensor:
        """Return True for entries of at least the learned threshold, and above 0 (B x L)."""
        return (h >= self.threshold) & (h > 0)

    def training_mask(self, h: Tensor) -> Tensor:
        """Return True for the k B largest entries of the batch that are above 0 (B x L), and learn the threshold."""
        cutoff = self._learn(self._nth_largest(h))
        return (h >= cutoff) & (h > 0)

    def choose(self, h: Tensor) -> Tensor:
        """Return the entries that are selected; in training from those near the threshold and above it, if enough."""
        if self.training and not is_shared() and h.device.type == "cpu":
            flat, n = h.reshape(-1), self.k * len(h)
            near = (flat > 0.8 * self.threshold).nonzero().squeeze(1)
            if len(near) >= n:
                values = flat.index_select(0, near)
                cutoff = self._learn(values.topk(n, sorted=False).values.min())
                return near[values >= cutoff]
        return super().choose(h)

    def activate(self, entries: Entries) -> Tensor:
        """Return relu(h)."""
        return entries.h.relu()

    def _learn(self, nth_largest: Tensor) -> Tensor:
        """Move the threshold towards the smallest active number of the batch, and return that."""
        cutoff = nth_largest.clamp(min=0)
        self.seen.add_(1)
        weight = (1 / self.seen).clamp(min=self.decay)
        self.threshold.lerp_(cutoff.to(self.threshold.dtype), weight.to(self.threshold.dtype))
        return cutoff

    def _nth_largest(self, h: Tensor) -> Tensor:
        """Return the (k B)th largest number of the whole batch, a scalar."""
        n = self.k * batch_length(len(h))
        if is_shared():  # a row hardly has more than eight times its share
            h = batch_rows(h.topk(min(8 * self.k, h.shape[1]), dim=1).values)
        return h.reshape(-1).topk(n, sorted=False).values.min()


class JumpReLU(Selective):
    """z = h where h > theta, with a learned threshold theta of each unit, and a cost of the number of active units.

        d z / d theta = - theta / w  where |h - theta| < w / 2, else 0        the same for H(h - theta) with - 1 / w
        l0 = (mean over the batch of sum_j H(h_j - theta_j) / k  -  1)^2

    H is the step function; its derivatives are those of a rectangular window of width w. Rajamanoharan et al., Jumping
    ahead (2024), https://arxiv.org/abs/2407.14435.

    Parameters
    ----------
    k : number of active units that the cost asks for.
    window : w, in units of h. The thresholds start at 0.
    """

    costs = ("l0",)

    def __init__(
        self, n_components: int, k: int = 16, patience: int = 5_000, n_aux: int = 256, window: float = 0.2
    ) -> None:
        super().__init__(n_components, patience, n_aux)
        self.k, self.window = min(k, n_components), window
        self.threshold = nn.Parameter(torch.zeros(n_components))

    @torch.no_grad()
    def start_at(self, threshold: float) -> float:
        """Set all thresholds to `threshold`; return 0."""
        self.threshold.fill_(threshold)
        return 0.0

    def advance(self, progress: float) -> None:
        """Keep the thresholds at 0 or above."""
        with torch.no_grad():
            self.threshold.clamp_(min=0)

    def mask(self, h: Tensor) -> Tensor:
        """Return True for entries above their threshold (B x L)."""
        return h > self._own_threshold()

    def training_mask(self, h: Tensor) -> Tensor:
        """Return True for entries above the window around their threshold, or in it (B x L)."""
        return h > (self._own_threshold().detach() - self.window / 2)

    def activate(self, entries: Entries) -> Tensor:
        """Return h where it is above the threshold, else 0."""
        jumped: Tensor = _Jump.apply(entries.h, entries.of_units(self._own_threshold()), self.window)
        return jumped

    def cost(self, entries: Entries) -> dict[str, Tensor]:
        """Return the squared relative distance of the mean number of active units from k, repeated (B)."""
        steps = _Step.apply(entries.h.detach(), entries.of_units(self._own_threshold()), self.window)
        share = batch_mean(entries.sum_rows(steps).mean()) / self.k
        return {"l0": (share - 1).square().expand(entries.n_rows)}

    def _own_threshold(self) -> Tensor:
        """Return the thresholds, none below 0: after the last optimizer step `advance` does not follow."""
        return self.threshold.clamp(min=0)


class Gated(Selective):
    """z = relu(e^r h + c) where the gate h is above 0: which units are active is learned apart from how much.

    h = W x + b is the gate; e^r h + c is the magnitude, with the same W. The cost "l1" is the sum of relu(h), and
    `objectives.GateReconstruction` asks relu(h) to reconstruct the target with a constant decoder. Rajamanoharan et
    al., Improving dictionary learning with gated sparse autoencoders (2024), https://arxiv.org/abs/2404.16014.
    """

    costs = ("l1",)

    def __init__(self, n_components: int, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__(n_components, patience, n_aux)
        self.log_scale = nn.Parameter(torch.zeros(n_components))
        self.shift = nn.Parameter(torch.zeros(n_components))

    @torch.no_grad()
    def start_at(self, threshold: float) -> float:
        """Return the bias with which gates open above `threshold`; without it the magnitudes stay as they are."""
        self.shift.fill_(threshold)
        return -threshold

    def mask(self, h: Tensor) -> Tensor:
        """Return True for open gates (B x L)."""
        return h > 0

    def activate(self, entries: Entries) -> Tensor:
        """Return the magnitudes where the gate is open, else 0."""
        scale, shift = entries.of_units(self.log_scale).exp(), entries.of_units(self.shift)
        return (entries.h * scale + shift).relu() * (entries.h > 0)

    def gate(self, entries: Entries) -> Tensor:
        """Return relu(h)."""
        return entries.h.relu()

    def cost(self, entries: Entries) -> dict[str, Tensor]:
        """Return the sum of the gates of each example (B)."""
        return {"l1": entries.sum_rows(entries.h.relu())}


def normal_threshold(k: int, n: int) -> float:
    """Return the number that k of n standard normal numbers exceed on average; 0 if that is most of them."""
    share = max(0.0, 1 - 2 * k / n)  # erf(t / sqrt(2)) is the share within -t and t
    return math.sqrt(2) * float(torch.erfinv(torch.tensor(share, dtype=torch.float64)))


class _Jump(torch.autograd.Function):
    """h where h > theta, else 0."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, theta: Tensor, window: float) -> Tensor:
        ctx.save_for_backward(h, theta)
        ctx.window = window
        return h * (h > theta)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        h, theta = ctx.saved_tensors
        is_near = (h - theta).abs() < ctx.window / 2
        return gradient * (h > theta), _to_shape(-theta / ctx.window * is_near * gradient, theta), None


class _Step(torch.autograd.Function):
    """1 where h > theta, else 0."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, theta: Tensor, window: float) -> Tensor:
        ctx.save_for_backward(h, theta)
        ctx.window = window
        return (h > theta).to(h.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        h, theta = ctx.saved_tensors
        is_near = (h - theta).abs() < ctx.window / 2
        return None, _to_shape(is_near * gradient / -ctx.window, theta), None


def _to_shape(gradient: Tensor, like: Tensor) -> Tensor:
    return gradient if gradient.shape == like.shape else gradient.sum(0)
