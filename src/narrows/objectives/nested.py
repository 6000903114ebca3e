"""The cost of components that are not ordered: any first components alone must reconstruct, too.

    nested = - log p(target | z_1, ..., z_b, 0, ..., 0),   b uniform in 1, ..., L - 1        nats per example

b is drawn for each example. So the first component learns what helps most, and each further one what the ones before it
leave over. Of a linear model the components become the principal components, and not only their subspace. A smaller
code is a prefix of a larger one. Rippel, Gelbart and Adams, Learning ordered representations with nested dropout
(2014), https://arxiv.org/abs/1402.0915, which leaves out the negative log-likelihood of the whole code.
"""

from __future__ import annotations

import torch

from narrows import rng
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output


class NestedDropout(Cost):
    """The negative log-likelihood of each example given a random number of its first components."""

    name = "nested"

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue | None:
        """Return the cost in nats (B); None for codes of one component."""
        z, n = output.code.z, output.code.free.shape[1]
        if n == 1:
            return None
        component = torch.arange(z.shape[1], device=z.device)
        n_kept = 1 + ((n - 1) * rng.rand_like(z[:, 0].float())).floor()
        is_kept = (component < n_kept[:, None]) | (component >= n)  # the columns of a label stay
        params = model.complete(model.decoder(z * is_kept), batch.x, output.skipped)
        return CostValue(-model.likelihood.score(params, batch.target, output.weight))
