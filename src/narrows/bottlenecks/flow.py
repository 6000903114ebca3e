"""A posterior of any shape: an inverse autoregressive flow transforms the draws of a Gaussian.

    h = (mean, s, context)    z_0 = mean + exp(log_std) * eps,  eps ~ N(0, I)    z = f(z_0; context)
    log q(z|x) = log N(eps; 0, I) - sum_j log_std_j - log |det df / dz_0|        nats

A masked network lets each number of f(z_0) depend only on the ones before it, so the determinant is a product:
Kingma et al., Improving variational inference with inverse autoregressive flow (2016),
https://arxiv.org/abs/1606.04934. The flow is zuko's (extra `flows`).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from narrows.bottlenecks.base import Sample, Stochastic
from narrows.bottlenecks.gaussian import split_mean_and_log_scale
from narrows.priors import Prior, StandardNormal

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class FlowPosterior(Stochastic):
    """z = f(mean + std * eps; context).

    Parameters
    ----------
    n_components : L.
    prior : p(z) over L components; None for N(0, I).
    transforms : number of steps of the flow; between two of them the order of the components is reversed.
    n_context : number of the encoder's outputs that the flow takes for each example.
    hidden : widths of the hidden layers of the masked networks.

    Raises
    ------
    ImportError
        If zuko is not installed.
    """

    def __init__(
        self,
        n_components: int,
        prior: Prior | None = None,
        transforms: int = 2,
        n_context: int = 16,
        hidden: tuple[int, ...] = (64,),
    ) -> None:
        super().__init__()
        try:
            import zuko
        except ImportError as error:
            raise ImportError(
                "A flow as posterior (posterior='flow') needs zuko: pip install 'narrows[flows]'."
            ) from error
        self.n_components, self.n_noise = n_components, n_components
        self.n_inputs = 2 * n_components + n_context
        self.prior = StandardNormal(n_components) if prior is None else prior
        self.n_prior_noise, self.n_unscaled_noise = self.prior.n_noise, self.prior.n_unscaled_noise
        flow = zuko.flows.MAF(n_components, n_context, transforms=transforms, hidden_features=hidden)
        self.transforms = nn.ModuleList(flow.transform.transforms)

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw from the Gaussian (B x L), and apply one transform after the other."""
        h = h.to(next(self.transforms.parameters()).dtype)
        n_gaussian = 2 * self.n_components
        mean, log_std = split_mean_and_log_scale(h[..., :n_gaussian])
        eps = eps.to(mean.dtype)
        z = mean + log_std.exp() * eps
        log_q = -(0.5 * eps.square() + log_std).sum(-1) - self.n_components * _HALF_LOG_2PI
        with torch.autocast(h.device.type, enabled=False):  # bfloat16 would lose digits of the determinants
            for transform in self.transforms:
                z, log_determinant = transform(h[..., n_gaussian:]).call_and_ladj(z)
                log_q = log_q - log_determinant
        return Sample(z, log_q, self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw from the prior (n x L)."""
        return self.prior.from_noise(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log density of the prior (B)."""
        return self.prior.log_prob(z)

    def kl_per_component(self, h: Tensor) -> None:
        """Return None: there is no closed form."""
        return

    @property
    def prior_std(self) -> Tensor | None:
        """Standard deviation of the prior (L), or None."""
        return self.prior.std

    def encode(self, h: Tensor) -> Tensor:
        """Return the Gaussian's mean, transformed by the flow (B x L)."""
        return self.sample(h, h.new_zeros(len(h), self.n_noise)).z
