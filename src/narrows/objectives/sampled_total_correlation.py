"""The total correlation of a code, from the posteriors of the examples of a batch.

    TC = KL(q(z) || prod_j q(z_j))        nats
    q(z) = 1/N q(z | x) + (N - 1)/N mean over the other examples of the batch of q(z | x')        z ~ q(z | x)

and likewise for each component. N is the number of training examples. The estimate of q(z) is unbiased over random
batches: it is stratified sampling, averaged over which of the other examples gets the remaining weight. Chen, Li,
Grosse and Duvenaud, Isolating sources of disentanglement in variational autoencoders (2018),
https://arxiv.org/abs/1802.04942. There is no network to train beside the model, but a batch must be large enough to
cover the codes.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from narrows.batch_sharding import batch_rows, row_numbers
from narrows.bottlenecks import gaussian_posterior
from narrows.model import Autoencoder
from narrows.objectives.base import Cost, CostValue
from narrows.types import Batch, Output

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class SampledTotalCorrelation(Cost):
    """The total correlation of a Gaussian code, estimated from the batch.

    Attributes
    ----------
    n_examples : N; None for the size of the batch.
    """

    name = "tc"

    def __init__(self) -> None:
        super().__init__()
        self.n_examples: int | None = None

    def start(self, n_examples: int) -> None:
        """Receive N."""
        self.n_examples = n_examples

    def forward(self, model: Autoencoder, batch: Batch, output: Output) -> CostValue:
        """Return log q(z) - sum_j log q(z_j) of each example's drawn code, in nats (B)."""
        mean, log_std = gaussian_posterior(model.bottleneck, output.dense_h)
        return CostValue(self.of_codes(output.code.free.to(mean.dtype), mean, log_std))

    def of_codes(self, z: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
        """Return the estimate in nats (B) for codes z drawn from N(mean, exp(log_std)^2); all are B x L."""
        mean, log_std, own = batch_rows(mean), batch_rows(log_std), row_numbers(z)
        # B x n x L: each code under the posterior of each example of the batch
        log_q = -0.5 * ((z[:, None] - mean) * (-log_std).exp()).square() - log_std - _HALF_LOG_2PI
        n = len(mean)
        is_own = own[:, None] == torch.arange(n, device=z.device)
        log_weight = self._log_weight(is_own.to(z.dtype))
        joint = (log_q.sum(2) + log_weight).logsumexp(1)
        components = (log_q + log_weight[:, :, None]).logsumexp(1)
        return joint - components.sum(1)

    def _log_weight(self, is_own: Tensor) -> Tensor:
        """Return the log weight of each example of the batch in the estimate for each code: B x n, as `is_own`."""
        n = is_own.shape[1]
        if n == 1:
            return torch.zeros_like(is_own)
        n_examples = n if self.n_examples is None else max(self.n_examples, n)
        own, others = -math.log(n_examples), math.log((n_examples - 1) / n_examples / (n - 1))
        return others + (own - others) * is_own
