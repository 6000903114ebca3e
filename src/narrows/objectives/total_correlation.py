"""The total correlation of a code: how far its components are from being independent of each other.

    TC = KL(q(z) || prod_j q(z_j)) = E_q(z) [log D(z) - log (1 - D(z))]        nats

D(z) is the probability, as a discriminator has it, that z is a code of an example rather than one whose components come
from several examples each. The model lowers TC while the discriminator, with an optimizer of its own, learns to tell
the two apart: Kim and Mnih, Disentangling by factorising (2018), https://arxiv.org/abs/1802.05983.
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import nn

from narrows import rng
from narrows.batch_sharding import batch_rows
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue, frozen
from narrows.types import Batch, Output


class TotalCorrelation(Cost):
    """The estimate of the total correlation by a discriminator.

    Parameters
    ----------
    n_components : L.
    width, depth : of the discriminator's hidden layers (the paper has 1,000 and 5; a smaller one does as well for codes
        of few components, and leaves the time to the model).
    """

    name = "tc"

    def __init__(self, n_components: int, width: int = 256, depth: int = 3) -> None:
        sizes = [n_components, *[width] * depth]
        hidden = [layer for n_in, n_out in pairwise(sizes) for layer in (nn.Linear(n_in, n_out), nn.LeakyReLU(0.2))]
        super().__init__(nn.Sequential(*hidden, nn.Linear(width, 2)))

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """log D(z) - log (1 - D(z)) of each example (B), and the discriminator's cross-entropy, not validated."""
        assert self.opponent is not None
        z = output.code.free.to(torch.promote_types(output.code.z.dtype, torch.float32))
        logits = frozen(self.opponent, z).to(z.dtype)  # a mean of numbers in bfloat16 would be one
        together = batch_rows(z).detach()
        apart = together.gather(0, rng.rand_like(together).argsort(0))  # each component of another example
        answers = torch.arange(2, device=z.device).repeat_interleave(len(together))
        loss = F.cross_entropy(self.opponent(torch.cat([together, apart])).to(z.dtype), answers)
        return CostValue(logits[:, 0] - logits[:, 1], loss)
