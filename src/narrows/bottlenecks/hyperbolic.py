"""The code in hyperbolic space: a wrapped normal posterior in the Poincare ball, pulled to one at the origin.

    h = (m, s)    mu = exp_0(m)    log_std = 1 - softplus(1 - s), at least -7    u = exp(log_std) * eps,  eps ~ N(0, I)
    z = mu + exp_0(u), Moebius addition,  |z| < 1 / sqrt(c)        exp_0(v) = tanh(sqrt(c) |v| / 2) v / (sqrt(c) |v|)
    log q(z | x) = log N(u; 0, std^2) + (L - 1) log(sqrt(c) |u| / sinh(sqrt(c) |u|)) + L log(2 / (1 - c |z|^2))    nats

-c is the curvature, and |v| the hyperbolic distance of exp_0(v) from the origin. The prior is the same distribution
with mu = 0 and std = 1. The last term makes both a density of the numbers in z, as of all other codes; without it they
are densities with respect to the hyperbolic volume. A tree fits into hyperbolic space with little distortion, because
the volume of a ball there grows exponentially with its radius.

Mathieu, Le Lan, Maddison, Tomioka and Teh, Continuous hierarchical representations with Poincare variational
auto-encoders (2019), https://arxiv.org/abs/1901.06033. The axes of the scale are carried along the geodesic from the
origin: Nagano et al., A wrapped normal distribution on hyperbolic space (2019), https://arxiv.org/abs/1902.02992.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from narrows.bottlenecks.base import Sample, Stochastic, active_components
from narrows.bottlenecks.gaussian import split_mean_and_log_scale
from narrows.bottlenecks.spherical import safe_norm

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_FARTHEST_MEAN = 8.0  # largest sqrt(c) * distance of a mean from the origin
_MOST_CURVED = 16.0  # largest n_components * curvature: draws of the prior lie at sqrt(n_components * curvature)
_FARTHEST = 12.0  # and of a code: |z| sqrt(c) = 1 - 1.2e-5, which single precision still tells from 1


class WrappedNormal(Stochastic):
    """z in the Poincare ball of curvature -c.

    Parameters
    ----------
    n_components : L.
    curvature : c, above 0. Small values make the ball nearly flat.

    >>> import torch
    >>> code = WrappedNormal(3)(torch.ones(2, 6))
    >>> bool((code.z.norm(dim=1) < 1).all())
    True
    """

    def __init__(self, n_components: int, curvature: float = 1.0) -> None:
        super().__init__()
        if n_components * curvature > _MOST_CURVED:
            raise ValueError(
                f"The `curvature` parameter of WrappedNormal must be at most {_MOST_CURVED / n_components:g} with "
                f"{n_components} components: draws would leave single precision. Got {curvature:g} instead."
            )
        self.n_components, self.n_inputs = n_components, 2 * n_components
        self.n_noise = self.n_prior_noise = n_components
        self.root = math.sqrt(curvature)

    def split(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean in the ball and the log scale (B x L each), in at least single precision."""
        mean, log_std = split_mean_and_log_scale(h)
        limit = _FARTHEST_MEAN / self.root
        length = safe_norm(mean)
        return self._exp(mean * (limit * torch.tanh(length / limit) / length)), log_std

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Return mu + exp_0(std * eps) (B x L), with its log densities."""
        mean, log_std = self.split(h)
        eps = eps.to(mean.dtype)
        u = log_std.exp() * eps
        z = self.project(self._add(mean, self._exp(u)))
        log_normal = -(0.5 * eps.square() + log_std + _HALF_LOG_2PI).sum(-1)
        return Sample(z, log_normal + self._log_volume(safe_norm(u)[..., 0], z), self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Return exp_0(eps) (n x L)."""
        return self.project(self._exp(eps))

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log density of the numbers in z under the prior (B)."""
        distance = self.distance_from_origin(z)
        log_normal = -0.5 * distance.square() - self.n_components * _HALF_LOG_2PI
        return log_normal + self._log_volume(distance, z)

    def kl_per_component(self, h: Tensor) -> None:
        """Return None: there is no closed form."""
        return

    def encode(self, h: Tensor) -> Tensor:
        """Return the mean (B x L)."""
        return self.split(h)[0]

    def project(self, z: Tensor) -> Tensor:
        """Return z, shortened to the farthest distance that single precision can tell from infinity (n x L)."""
        farthest = math.tanh(_FARTHEST / 2) / self.root
        return z * (farthest / safe_norm(z)).clamp(max=1)

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes (n x L) on the geodesic between the two, at the fractions t of its length."""
        first, last = self.project(first[None]), self.project(last[None])
        way = self._add(-first, last)
        length = self.root * safe_norm(way)
        return self._add(first, torch.tanh(t * torch.atanh(length.clamp(max=1 - 1e-7))) / length * way)

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `active_components`, measured in the ball of radius sqrt(L / c)."""
        scale = self.root * self.n_components**0.5
        return {"active_components": float(active_components(self.encode(h) * scale).sum())}

    def distance_from_origin(self, z: Tensor) -> Tensor:
        """Return the hyperbolic distance of codes (B x L) from the origin (B)."""
        return 2 / self.root * torch.atanh(self.root * safe_norm(z)[..., 0])

    def distance(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the hyperbolic distance between codes a and b (B x L each): B."""
        return self.distance_from_origin(self.project(self._add(-a, b)))

    def _exp(self, v: Tensor) -> Tensor:
        """Return exp_0(v), the point in the direction of v at the distance |v| from the origin."""
        length = self.root * safe_norm(v)
        return torch.tanh(length / 2) / length * v

    def _add(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the Moebius sum of a and b (B x L each)."""
        c = self.root**2
        product = 2 * c * (a * b).sum(-1, keepdim=True)
        a2, b2 = c * a.square().sum(-1, keepdim=True), c * b.square().sum(-1, keepdim=True)
        return ((1 + product + b2) * a + (1 - a2) * b) / (1 + product + a2 * b2)

    def _log_volume(self, distance: Tensor, z: Tensor) -> Tensor:
        """Return log(du / dz) (B) for z at the given distance (B) from the centre of its distribution."""
        r = self.root * distance
        log_sinhc = r + torch.log(-torch.expm1(-2 * r)) - math.log(2) - r.log()
        flatness = 1 - self.root**2 * z.square().sum(-1)
        return self.n_components * (math.log(2) - flatness.log()) - (self.n_components - 1) * log_sinhc
