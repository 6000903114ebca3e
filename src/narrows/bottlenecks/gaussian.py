"""The variational code: a Gaussian posterior for each example, pulled to a prior.

    h = (mean, s)    log_std = 1 - softplus(1 - s), at least -7    z = mean + exp(log_std) * eps,  eps ~ N(0, I)
    kl = KL(q(z | x) || p(z))        nats; in closed form for a standard normal prior, otherwise log q(z | x) - log p(z)

Kingma and Welling, Auto-encoding variational Bayes (2014), https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.batch_sharding import batch_mean
from narrows.bottlenecks.base import Sample, Stochastic
from narrows.priors import Prior, StandardNormal
from narrows.types import Code

_NARROWEST = -7.0  # exp(-7) is 1e-3: a posterior narrower than that is one in name only
_WIDEST = 1.0  # a posterior wider than the prior says nothing, and its KL grows as the square of its width
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian(Stochastic):
    """z ~ N(mean, std^2) with the reparametrisation trick.

    Parameters
    ----------
    n_components : L.
    free_nats : KL, in nats for each component averaged over the batch, below which there is no pull towards the prior
        (Kingma et al., Improving variational inference with inverse autoregressive flow, 2016,
        https://arxiv.org/abs/1606.04934). Against components that are given up too early. Only with a prior that gives
        the KL component by component.
    prior : p(z) over L components; None for N(0, I).

    Raises
    ------
    ValueError
        If `prior` is of another number of components, or gives no KL for `free_nats`.

    >>> import torch
    >>> code = Gaussian(3)(torch.zeros(2, 6))
    >>> code.z.shape, code.costs["kl"].shape
    (torch.Size([2, 3]), torch.Size([2]))
    """

    costs = ("kl", "free_nats")

    def __init__(self, n_components: int, free_nats: float = 0.0, prior: Prior | None = None) -> None:
        super().__init__()
        self.n_components, self.n_inputs, self.n_noise = n_components, 2 * n_components, n_components
        self.free_nats = free_nats
        self.prior = StandardNormal(n_components) if prior is None else prior
        self.n_prior_noise, self.is_separable = self.prior.n_noise, self.prior.is_separable
        self.n_unscaled_noise = self.prior.n_unscaled_noise
        if self.prior.n_components != n_components:
            raise ValueError(
                f"The `prior` parameter of Gaussian must be over {n_components} components. Got one over "
                f"{self.prior.n_components}."
            )
        if free_nats > 0 and not self.prior.is_separable:
            raise ValueError(
                f"The `free_nats` parameter of Gaussian must be 0 with a {type(self.prior).__name__} prior, which "
                f"gives no KL component by component. Got {free_nats:g} instead."
            )

    def split(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log standard deviation (B x L each), in at least single precision."""
        return split_mean_and_log_scale(h)

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """mean + exp(log_std) * eps."""
        mean, log_std = self.split(h)
        eps = eps.to(mean.dtype)
        z = torch.addcmul(mean, log_std.exp(), eps)
        log_q = -(0.5 * eps.square() + log_std).sum(-1) - self.n_components * _HALF_LOG_2PI
        return Sample(z, log_q, self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """A draw from the prior."""
        return self.prior.from_noise(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """The prior's log density."""
        return self.prior.log_prob(z)

    def kl_per_component(self, h: Tensor) -> Tensor | None:
        """The prior's closed form."""
        mean, log_std = self.split(h)
        return self.prior.kl_from_gaussian(mean, log_std, log_std.exp())

    @property
    def prior_std(self) -> Tensor | None:
        """The prior's own."""
        return self.prior.std

    def code(self, h: Tensor, eps: Tensor) -> Code:
        """z and its costs, computing the spread once."""
        mean, log_std = self.split(h)
        std = log_std.exp()
        kl = self.prior.kl_from_gaussian(mean, log_std, std)
        if kl is None:
            z, log_q, log_p = self.sample(h, eps)
            return Code(z, {"kl": log_q - log_p})
        costs = {"kl": kl.sum(1)}
        if self.free_nats > 0:
            # max(a, b) = a + relu(b - a): added to the true KL, it takes the pull away and leaves the KL as it is
            costs["free_nats"] = (self.free_nats - batch_mean(kl.mean(0))).relu().sum().expand(len(kl))
        return Code(torch.addcmul(mean, std, eps), costs)

    def encode(self, h: Tensor) -> Tensor:
        """The posterior mean."""
        return self.split(h)[0]


def split_mean_and_log_scale(h: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means and log scales (B x L each) that the encoder gives as h (B x 2 L), in at least single precision.

    The log scale is bent smoothly to stay under `_WIDEST`: without that, one strange example can cost thousands of
    nats, and the step that answers it undoes an epoch.
    """
    mean, log_scale = h.to(torch.promote_types(h.dtype, torch.float32)).chunk(2, dim=-1)
    return mean, (_WIDEST - F.softplus(_WIDEST - log_scale)).clamp(min=_NARROWEST)
