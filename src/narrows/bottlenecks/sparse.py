"""Sparse codes: many units, few of which are active for one example.

    l1      z = relu(h)               cost sum_j z_j
    kl      z = sigmoid(h)            cost sum_j KL(rate || mean over the batch of z_j)

Codes that select units are in `selective.py`. A unit that has fired for none of the last `patience` examples is dead.
The largest dead units, as if they had fired, are an auxiliary code (`aux_code`), which learns the part of the target
that the other units do not explain: AuxK of Gao et al. (2024), https://arxiv.org/abs/2406.04093, for any decoder and
likelihood.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from narrows.batch_sharding import batch_any, batch_length, batch_mean
from narrows.bottlenecks.base import Bottleneck
from narrows.types import Code, DeferredLinear, SparseCode, UnitBlock

_FEWEST_CANDIDATES, _MOST_CANDIDATES = 16, 512  # dead units from which the auxiliary code of a step is chosen


class Sparse(Bottleneck):
    """Abstract: a sparse code. It counts the examples for which each unit was silent, and gives the auxiliary code.

    Parameters
    ----------
    n_components : L, the number of units; it may exceed the entries of an example.
    patience : number of examples for which a unit may be silent before it counts as dead.
    n_aux : largest number of units in the auxiliary code of one example.
    """

    is_sparse = True
    is_overcomplete = True
    default_sampler = None
    weight_decay = (0.1, "a sparse code: with more decay, units die")
    start_lengths = (1.0, 1.0)  # of the dictionary's directions, and of the rows of a linear encoder
    idle: Tensor
    floor = 0.0  # an activation above this counts as firing

    def __init__(self, n_components: int, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components
        self.patience, self.n_aux = patience, min(n_aux, n_components)
        self.register_buffer("idle", torch.zeros(n_components))

    def start_at(self, threshold: float) -> float:
        """Start with units that are active above `threshold`, if the code learns that; return the encoder's bias."""
        return 0.0

    def update_dead_units(self) -> None:
        """Switch the auxiliary code on if there are dead units, and off if there are none."""
        n_dead = int(self.dead().sum())
        # a power of two, so that a compiled or recorded step is made anew for few numbers only
        size = min(max(1 << max(n_dead - 1, 0).bit_length(), _FEWEST_CANDIDATES), max(self.n_aux, _MOST_CANDIDATES))
        self.aux_active = min(size, self.n_components) if n_dead else 0

    def dead(self) -> Tensor:
        """Return True for each dead unit: L booleans."""
        return self.idle > self.patience

    def fires(self, z: Tensor) -> Tensor:
        """Return True for each unit that is active in the codes z (n x L): n x L booleans."""
        return z > self.floor

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `l0`, the mean number of active units, and `dead_fraction`, the share of units that never are."""
        fires = self.fires(self.encode(h))
        return self._health(fires.sum(1).float().mean(), fires.any(0))

    def health_of_codes(self, codes: Sequence[SparseCode]) -> dict[str, float]:
        """Return what `health` does, for all rows of some codes."""
        n_rows, units = sum(code.n_rows for code in codes), torch.cat([self._firing_units(code) for code in codes])
        fired = torch.zeros(self.n_components, device=units.device).index_fill(0, units, 1.0) > 0
        return self._health(torch.tensor(len(units) / max(1, n_rows), device=units.device), fired)

    def project(self, z: Tensor) -> Tensor:
        """Return max(z, 0) (n x L): no activation is below 0."""
        return z.clamp(min=0)

    def _firing_units(self, code: SparseCode) -> Tensor:
        return code.indices[code.values > self.floor]

    @staticmethod
    def _health(l0: Tensor, fired: Tensor) -> dict[str, float]:
        # in single precision: Apple's GPUs have no double precision
        return {"l0": float(batch_mean(l0)), "dead_fraction": float((~batch_any(fired)).float().mean())}

    def _in_training(self, code: Code, h: Tensor | DeferredLinear, n_rows: int, fired: Tensor) -> Code:
        """Update the counts by the units that have fired (L booleans), and add the auxiliary code."""
        with torch.no_grad():
            self.idle.add_(batch_length(n_rows)).masked_fill_(batch_any(fired), 0)
        return code._replace(aux_code=self._aux_code(h)) if self.aux_active else code

    def _aux_code(self, h: Tensor | DeferredLinear) -> UnitBlock:
        """Return the largest pre-activations of some dead units where they are above 0, and 0 elsewhere.

        The gradient passes through all of the largest, so that units with none above 0 learn as well. There are
        `aux_active` candidates. If more units are dead, those of a step are drawn by the digits of a product, so that
        each gets its turn.
        """
        unit = torch.arange(self.n_components, device=self.idle.device)
        turn = (unit * 40_503 + self.idle.long() * 25_717) % 65_521 + 1
        priority, units = torch.where(self.dead(), turn, 0).topk(int(self.aux_active), sorted=False)
        values = h.columns(units) if isinstance(h, DeferredLinear) else h.index_select(1, units)
        values = values.to(torch.promote_types(values.dtype, torch.float32))
        is_kept = (priority > 0).expand_as(values)
        if len(units) > self.n_aux:
            largest = torch.where(is_kept, values.detach(), -torch.inf).topk(self.n_aux, dim=1, sorted=False).indices
            is_kept = is_kept & torch.zeros_like(is_kept).scatter(1, largest, True)
        positive = values + (values.relu() - values).detach()
        return UnitBlock(torch.where(is_kept, positive, 0.0), units, self.n_components)


class Penalized(Sparse):
    """Abstract: a code of which all units may be active, and a cost keeps most of them near 0."""

    @abstractmethod
    def encode(self, h: Tensor) -> Tensor:
        """Return the activations (B x L)."""

    @abstractmethod
    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return the costs of the activations z (B x L) by name, one value for each example (B)."""

    def forward(self, h: Tensor) -> Code:
        """Return the activations (B x L). In training, also update the counts, and add the auxiliary code."""
        h = h.to(torch.promote_types(h.dtype, torch.float32))
        z = self.encode(h)
        code = Code(z, self.cost(z))
        return self._in_training(code, h, len(z), self.fires(z.detach()).any(0)) if self.training else code


class L1(Penalized):
    """relu(h), with its sum as a cost. The decoder's columns must have unit length: longer ones would evade the cost.

    Bricken et al., Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features.
    """

    costs = ("l1",)

    def encode(self, h: Tensor) -> Tensor:
        """Return relu(h) (B x L)."""
        return h.relu()

    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return the L1 norm of each code (B), in the units of the activations."""
        return {"l1": z.sum(1)}


class KLRate(Penalized):
    """sigmoid(h), pulled towards a mean activation of `rate` over the batch for each unit.

    Ng, Sparse autoencoder, CS294A lecture notes (2011), https://web.stanford.edu/class/cs294a/sparseAutoencoder.pdf.
    """

    costs = ("kl_rate",)
    floor = 0.5  # a sigmoid is never 0

    def __init__(self, n_components: int, rate: float = 0.05, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__(n_components, patience, n_aux)
        self.rate = rate

    def encode(self, h: Tensor) -> Tensor:
        """Return sigmoid(h) (B x L)."""
        return h.sigmoid()

    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return the sum over units of KL(rate || mean of z) in nats, one value repeated for each example (B)."""
        mean, rate = batch_mean(z.mean(0)).clamp(1e-6, 1 - 1e-6), self.rate
        kl = rate * (rate / mean).log() + (1 - rate) * ((1 - rate) / (1 - mean)).log()
        return {"kl_rate": kl.sum().expand(len(z))}
