"""The variational code: a Gaussian posterior for each example, pulled to a standard normal prior.

    h = (mean, s)    log_std = 1 - softplus(1 - s), at least -7    z = mean + exp(log_std) * eps,  eps ~ N(0, I)
    KL(q(z|x) || N(0, I)) = sum_j (mean_j^2 + std_j^2 - 1) / 2 - log_std_j        nats

Kingma and Welling, Auto-encoding variational Bayes (2014), https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Independent, Normal

from narrows import rng
from narrows.bottlenecks.base import Bottleneck
from narrows.shards import batch_mean
from narrows.types import Code

_NARROWEST = -7.0  # exp(-7) is 1e-3: a posterior narrower than that is one in name only
_WIDEST = 1.0  # a posterior wider than the prior says nothing, and its KL grows as the square of its width


class Gaussian(Bottleneck):
    """z ~ N(mean, std^2) with the reparametrisation trick.

    Parameters
    ----------
    n_components : L.
    free_nats : KL, in nats for each component averaged over the batch, below which there is no pull towards the prior
        (Kingma et al., Improving variational inference with inverse autoregressive flow, 2016,
        https://arxiv.org/abs/1606.04934). Against components that are given up too early.
    n_beside : numbers that the encoder gives beside those of the posterior, for what else there is to know of x.

    >>> import torch
    >>> code = Gaussian(3)(torch.zeros(2, 6))
    >>> code.z.shape, code.costs["kl"].shape
    (torch.Size([2, 3]), torch.Size([2]))
    """

    costs = ("kl", "free_nats")

    def __init__(self, n_components: int, free_nats: float = 0.0, n_beside: int = 0) -> None:
        super().__init__()
        self.n_components, self.n_inputs = n_components, 2 * n_components + n_beside
        self.free_nats = free_nats

    def split(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation (B x L each), in at least single precision.

        The log standard deviation is bent smoothly to stay under `_WIDEST`: without that, one strange example can
        cost thousands of nats, and the step that answers it undoes an epoch.
        """
        own = h[..., : 2 * self.n_components]
        mean, log_std = own.to(torch.promote_types(h.dtype, torch.float32)).chunk(2, dim=-1)
        return mean, (_WIDEST - F.softplus(_WIDEST - log_std)).clamp(min=_NARROWEST)

    def posterior(self, h: Tensor) -> Independent:
        """q(z | x)."""
        mean, log_std = self.split(h)
        return Independent(Normal(mean, log_std.exp()), 1)

    def prior(self, like: Tensor) -> Independent:
        """N(0, I) over L components, with the dtype and the device of `like`."""
        zero = torch.zeros(self.n_components, dtype=like.dtype, device=like.device)
        return Independent(Normal(zero, torch.ones_like(zero)), 1)

    def kl(self, h: Tensor) -> Tensor:
        """KL from the prior, in nats for each example and component: B x L."""
        mean, log_std = self.split(h)
        return _kl(mean, log_std, log_std.exp())

    def forward(self, h: Tensor) -> Code:
        """Draw z, and state what it costs."""
        mean, log_std = self.split(h)
        std = log_std.exp()
        z = torch.addcmul(mean, std, rng.randn_like(mean))
        kl = _kl(mean, log_std, std)
        costs = {"kl": kl.sum(1)}
        if self.free_nats > 0:
            # max(a, b) = a + relu(b - a): added to the true KL, it takes the pull away and leaves the KL as it is
            costs["free_nats"] = (self.free_nats - batch_mean(kl.mean(0))).relu().sum().expand(len(z))
        return Code(z, costs)

    def encode(self, h: Tensor) -> Tensor:
        """The posterior mean."""
        return self.split(h)[0]


def _kl(mean: Tensor, log_std: Tensor, std: Tensor) -> Tensor:
    return 0.5 * (mean.square() + std.square() - 1) - log_std
