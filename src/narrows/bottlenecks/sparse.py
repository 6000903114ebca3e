"""Sparse codes: many units, few of which are active for one example.

    l1      z = relu(h)               cost sum_j z_j
    kl      z = sigmoid(h)            cost sum_j KL(rate || mean over the batch of z_j)
    topk    z = the k largest of relu(h), the others 0

A unit that has fired for none of the last `patience` examples is dead. The largest dead units, as if they had fired,
are an auxiliary code (`aux_code`), which learns the part of the target that the other units do not explain: AuxK of Gao
et al. (2024), https://arxiv.org/abs/2406.04093, for any decoder and likelihood.
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from narrows.batch_sharding import batch_any, batch_length, batch_mean
from narrows.bottlenecks.base import Bottleneck
from narrows.types import Code


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
    idle: Tensor
    floor = 0.0  # an activation above this counts as firing

    def __init__(self, n_components: int, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components
        self.patience, self.n_aux = patience, min(n_aux, n_components)
        self.register_buffer("idle", torch.zeros(n_components))

    @abstractmethod
    def activate(self, h: Tensor) -> Tensor:
        """Return the activations (B x L), which are at least 0."""

    @abstractmethod
    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return the costs of the activations z (B x L) by name, one value for each example (B)."""

    def forward(self, h: Tensor) -> Code:
        """Return the activations (B x L). In training, also update the counts, and add the auxiliary code."""
        h = h.to(torch.promote_types(h.dtype, torch.float32))
        z = self.activate(h)
        if not self.training:
            return Code(z, self.cost(z))
        with torch.no_grad():
            fired = batch_any(self.fires(z).any(0))
            self.idle.add_(batch_length(len(z))).masked_fill_(fired, 0)
        return Code(z, self.cost(z), self._aux_code(h) if self.aux_active else None)

    def encode(self, h: Tensor) -> Tensor:
        """Return the activations (B x L)."""
        return self.activate(h)

    def update_dead_units(self) -> None:
        """Switch the auxiliary code on if there are dead units, and off if there are none."""
        self.aux_active = bool(self.dead().any())

    def dead(self) -> Tensor:
        """Return True for each dead unit: L booleans."""
        return self.idle > self.patience

    def fires(self, z: Tensor) -> Tensor:
        """Return True for each unit that is active in the codes z (n x L): n x L booleans."""
        return z > self.floor

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `l0`, the mean number of active units, and `dead_fraction`, the share of units that never are."""
        fires = self.fires(self.encode(h))
        # in single precision: Apple's GPUs have no double precision
        l0, dead = batch_mean(fires.sum(1).float().mean()), (~batch_any(fires.any(0))).float().mean()
        return {"l0": float(l0), "dead_fraction": float(dead)}

    def project(self, z: Tensor) -> Tensor:
        """Return max(z, 0) (n x L): no activation is below 0."""
        return z.clamp(min=0)

    def _aux_code(self, h: Tensor) -> Tensor:
        """Return the largest pre-activations of dead units, moved above 0, and 0 elsewhere (B x L)."""
        dead = self.dead()
        masked = torch.where(dead, h, torch.full_like(h, -torch.inf))
        values, index = masked.topk(self.n_aux, dim=1)
        values = torch.where(torch.isfinite(values), torch.nn.functional.softplus(values), torch.zeros_like(values))
        return torch.zeros_like(h).scatter(1, index, values)


class TopK(Sparse):
    """The `k` largest activations, exactly; Makhzani and Frey (2014), https://arxiv.org/abs/1312.5663.

    >>> import torch
    >>> TopK(4, k=2).encode(torch.tensor([[3.0, -1.0, 1.0, 2.0]])).tolist()
    [[3.0, 0.0, 0.0, 2.0]]
    """

    def __init__(self, n_components: int, k: int = 16, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__(n_components, patience, n_aux)
        self.k = min(k, n_components)

    def activate(self, h: Tensor) -> Tensor:
        """Return the k largest numbers of each row of h where they are above 0, and 0 elsewhere (B x L)."""
        values, index = h.topk(self.k, dim=1, sorted=False)
        return torch.zeros_like(h).scatter(1, index, values.relu())

    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return no cost: the number of active units is fixed."""
        return {}


class L1(Sparse):
    """relu(h), with its sum as a cost. The decoder's columns must have unit length: longer ones would evade the cost.

    Bricken et al., Towards monosemanticity (2023), https://transformer-circuits.pub/2023/monosemantic-features.
    """

    costs = ("l1",)

    def activate(self, h: Tensor) -> Tensor:
        """Return relu(h) (B x L)."""
        return h.relu()

    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return the L1 norm of each code (B), in the units of the activations."""
        return {"l1": z.sum(1)}


class KLRate(Sparse):
    """sigmoid(h), pulled towards a mean activation of `rate` over the batch for each unit.

    Ng, Sparse autoencoder, CS294A lecture notes (2011), https://web.stanford.edu/class/cs294a/sparseAutoencoder.pdf.
    """

    costs = ("kl_rate",)
    floor = 0.5  # a sigmoid is never 0

    def __init__(self, n_components: int, rate: float = 0.05, patience: int = 5_000, n_aux: int = 256) -> None:
        super().__init__(n_components, patience, n_aux)
        self.rate = rate

    def activate(self, h: Tensor) -> Tensor:
        """Return sigmoid(h) (B x L)."""
        return h.sigmoid()

    def cost(self, z: Tensor) -> dict[str, Tensor]:
        """Return the sum over units of KL(rate || mean of z) in nats, one value repeated for each example (B)."""
        mean, rate = batch_mean(z.mean(0)).clamp(1e-6, 1 - 1e-6), self.rate
        kl = rate * (rate / mean).log() + (1 - rate) * ((1 - rate) / (1 - mean)).log()
        return {"kl_rate": kl.sum().expand(len(z))}
