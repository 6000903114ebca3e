"""The total correlation of a code, a measure of the dependence between its components.

    TC = KL(q(z) || prod_j q(z_j)) = E_q(z) [log D(z) - log (1 - D(z))]        nats

D(z) is a discriminator's probability that all components of z come from one example, not from several. The
model lowers TC while the discriminator, with an optimizer of its own, learns to tell the two apart: Kim and Mnih,
Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F

from narrows import rng
from narrows.batch_sharding import batch_rows
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue, frozen
from narrows.objectives.opponents import discriminator
from narrows.types import Batch, Output


class TotalCorrelation(Cost):
    """The total correlation, estimated by a discriminator.

    Parameters
    ----------
    n_components : L.
    width : number of units in each hidden layer of the discriminator. The paper uses 1,000.
    depth : number of hidden layers. The paper uses 5; a smaller discriminator is as good for codes of few components,
        and faster.
    """

    name = "tc"

    def __init__(self, n_components: int, width: int = 256, depth: int = 3) -> None:
        super().__init__(discriminator(n_components, 2, width, depth))

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return log D(z) - log (1 - D(z)) of each example (B), and the discriminator's loss (not validated)."""
        assert self.opponent is not None
        z = output.code.free.to(torch.promote_types(output.code.z.dtype, torch.float32))
        logits = frozen(self.opponent, z).to(z.dtype)  # a mean in bfloat16 is too coarse
        codes = batch_rows(z).detach()
        shuffled = codes.gather(0, rng.rand_like(codes).argsort(0))  # each component from another example
        classes = torch.arange(2, device=z.device).repeat_interleave(len(codes))
        loss = F.cross_entropy(self.opponent(torch.cat([codes, shuffled])).to(z.dtype), classes)
        return CostValue(logits[:, 0] - logits[:, 1], loss)
