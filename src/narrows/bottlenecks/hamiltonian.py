"""A posterior that moves its draws towards the true one: steps of Hamiltonian dynamics on log p(x, z).

    z_0 ~ N(mean, std^2)    r_0 = g / sqrt(b_0),  g ~ N(0, I)    U(z) = - log p(x | z) - log p(z)
    leapfrog k = 1 .. K:    r' = r - e/2 std dU(z)    z <- z + std e r'    r'' = r' - e/2 std dU(z)
    tempering:              r <- r'' sqrt(b_(k-1) / b_k),    b_k^(-1/2) = (1 - b_0^(-1/2)) k^2 / K^2 + b_0^(-1/2)
    log q(z, r | x) = log N(z_0; mean, std^2) + log N(g; 0, I)        nats; log p(x, z) + log N(r; 0, I) is its target

The leapfrog keeps volumes, and the tempering multiplies them by b_0^(L/2), which the density of r_0 has already. So the
bound on log p(x) is exact, and the draws of z come nearer to p(z | x) with each step. The steps e (one for each
component) and b_0 are learned. Steps are in units of std, the scale of the encoder's posterior, so that they suit
every example; in the paper they have one unit for all.

Caterini, Doucet and Sejdinovic, Hamiltonian variational auto-encoder (2018), https://arxiv.org/abs/1805.11328.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from narrows.bottlenecks.base import Sample, Stochastic
from narrows.bottlenecks.gaussian import Gaussian
from narrows.priors import StandardNormal

_LARGEST_STEP = 1.0  # leapfrog steps of a Gaussian are unstable from 2 standard deviations on
_FIRST_STEP, _FIRST_TEMPERATURE = 0.1, 0.7  # of e and of b_0 before the training


class Hamiltonian(Stochastic):
    """z moved by K leapfrog steps from a draw of a Gaussian posterior.

    `sample` draws from the Gaussian alone; `sample_given` also takes log p(x | z) and moves the draw. The code of
    `encode` is the Gaussian's mean.

    Parameters
    ----------
    n_components : L.
    n_steps : K, at least 1. Each takes a pass through the decoder and back.
    """

    needs_gradient = True
    uses_likelihood = True

    def __init__(self, n_components: int, n_steps: int = 3) -> None:
        super().__init__()
        self.n_components, self.n_steps = n_components, n_steps
        self.start, self.momentum = Gaussian(n_components), StandardNormal(n_components)
        self.n_inputs, self.n_prior_noise = self.start.n_inputs, self.start.n_prior_noise
        self.n_noise = 2 * n_components
        step, temperature = torch.tensor(_FIRST_STEP / _LARGEST_STEP), torch.tensor(_FIRST_TEMPERATURE)
        self.raw_steps = nn.Parameter(step.logit().expand(n_components).clone())
        self.raw_temperature = nn.Parameter(temperature.logit())

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw from the Gaussian (B x L); the noise of the momentum is not used."""
        return self.start.sample(h, eps[:, : self.n_components])

    def sample_given(self, h: Tensor, eps: Tensor, log_likelihood: Callable[[Tensor], Tensor]) -> Sample:
        """Draw from the Gaussian, and move the draw; log_q is log q(z, r | x) - log N(r; 0, I)."""
        z, log_q, _ = self.sample(h, eps)
        noise = eps[:, self.n_components :].to(z.dtype)
        std = self.start.split(h)[1].exp()
        step = _LARGEST_STEP * torch.sigmoid(self.raw_steps).to(z.dtype)
        first = torch.sigmoid(self.raw_temperature).to(z.dtype).rsqrt()  # 1 / sqrt(b_0)
        inverse_roots = [(1 - first) * (k / self.n_steps) ** 2 + first for k in range(self.n_steps + 1)]
        momentum = noise * first
        with torch.enable_grad():
            slope = self._slope(z, log_likelihood)
            for k in range(self.n_steps):
                momentum = momentum + step / 2 * std * slope
                z = z + std * step * momentum
                slope = self._slope(z, log_likelihood)
                momentum = (momentum + step / 2 * std * slope) * (inverse_roots[k + 1] / inverse_roots[k])
        log_q = log_q + self.momentum.log_prob(noise) - self.momentum.log_prob(momentum)
        return Sample(z, log_q, self.log_prior(z))

    def _slope(self, z: Tensor, log_likelihood: Callable[[Tensor], Tensor]) -> Tensor:
        """Return the gradient of log p(x, z) at z (B x L), itself with a gradient in training."""
        at = z if z.requires_grad else z.detach().requires_grad_()
        total = (log_likelihood(at) + self.log_prior(at)).sum()
        (slope,) = torch.autograd.grad(total, at, create_graph=self.training)
        return slope

    def from_prior(self, eps: Tensor) -> Tensor:
        """Return the noise itself (n x L)."""
        return self.start.from_prior(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log density of N(0, I) (B)."""
        return self.start.log_prior(z)

    def kl_per_component(self, h: Tensor) -> None:
        """Return None: there is no closed form."""
        return

    @property
    def prior_std(self) -> Tensor | None:
        """Standard deviation 1 of each component (L)."""
        return self.start.prior_std

    def encode(self, h: Tensor) -> Tensor:
        """Return the Gaussian's mean (B x L)."""
        return self.start.encode(h)
