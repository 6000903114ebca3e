"""The code on a sphere: a von Mises-Fisher posterior for each example, pulled to the uniform distribution.

    h = (m, s)    mu = m / |m|    log_scale = 1 - softplus(1 - s), at least -7    k = L exp(-2 log_scale)
    q(z | x) = exp(k (mu.z - 1)) / (A_(L-1) Z(k)),  |z| = 1    Z(k) = int_0^pi exp(k (cos a - 1)) sin(a)^(L-2) da
    kl = k E(cos a - 1) - log Z(k) + log Z(0)        nats, by quadrature

a is the angle between z and mu, k the concentration, and A_n the area of the unit sphere in R^n. Densities are with
respect to the area. With this k, a draw is about as far from mu, relative to the sphere, as a draw of N(mean,
exp(2 log_scale) I) is from its mean, relative to the usual length sqrt(L) of draws from N(0, I).

Davidson, Falorsi, De Cao, Kipf and Tomczak, Hyperspherical variational auto-encoders (2018),
https://arxiv.org/abs/1804.00891. They draw the angle by rejection. Here it is a function of the noise: eps in R^(L-1)
gives the direction from mu by eps / |eps|, and the angle by F(a) = P(chi_(L-1) < |eps|). So all of the noise is used,
no draw is rejected, and the gradient is exact (`_draw_angle`).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from narrows.bottlenecks.base import Sample, Stochastic, active_components
from narrows.bottlenecks.gaussian import split_mean_and_log_scale
from narrows.types import Code

_CELLS, _NODES = 32, 4  # of the quadrature: at most 0.6 standard deviations a cell, so its error is near 1e-9
_SPAN = 9.0  # standard deviations of the angle on both sides of its mode, outside of which there is no probability
_NEWTON_STEPS = 5
_FARTHEST = 1e-6  # probability of longer noise, which gives the same angle: single precision cannot tell its angles


class VonMisesFisher(Stochastic):
    """z on the unit sphere of R^L, drawn without rejection.

    Parameters
    ----------
    n_components : L, at least 2.

    Raises
    ------
    ValueError
        If `n_components` is below 2: the sphere of R^1 is two points.

    >>> import torch
    >>> code = VonMisesFisher(3)(torch.ones(2, 4))
    >>> code.z.norm(dim=1).round(decimals=5).tolist()
    [1.0, 1.0]
    """

    def __init__(self, n_components: int) -> None:
        super().__init__()
        if n_components < 2:
            raise ValueError(
                f"The `n_components` parameter of {type(self).__name__} must be at least 2, because the sphere of one "
                f"number is two points. Got {n_components} instead."
            )
        self.n_components, self.n_inputs = n_components, n_components + 1
        self.n_noise, self.n_prior_noise = n_components - 1, n_components
        nodes, weights = np.polynomial.legendre.leggauss(_NODES)
        self._nodes, self._weights = [float(x + 1) / 2 for x in nodes], [float(w) / 2 for w in weights]
        self._longest = _longest_noise(self.n_noise)

    def split(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean direction (B x L, of length 1) and the concentration (B), in at least single precision."""
        s, log_scale = split_mean_and_log_scale(h[:, -1:].expand(-1, 2))
        return self.project(h[:, :-1].to(s.dtype)), self.n_components * (-2 * log_scale[:, 0]).exp()

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw the angle from the length of the noise (B x L - 1), and the direction from its direction."""
        mean, concentration = self.split(h)
        return self._draw(mean, self._tabulate(concentration), eps.to(mean.dtype))

    def _draw(self, mean: Tensor, law: _AngleLaw, eps: Tensor) -> Sample:
        length = safe_norm(eps)
        angle = self._draw_angle(law, length[:, 0])
        at_pole = torch.cat([angle.cos()[:, None], angle.sin()[:, None] * eps / length], 1)
        log_q = -2 * law.concentration * (angle / 2).sin().square() - self._log_area(self.n_noise) - law.log_total
        z = _turn_pole(at_pole, mean)
        return Sample(z, log_q, self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Return eps / |eps| (n x L), which is uniform on the sphere."""
        return self.project(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return minus the log of the sphere's area (B)."""
        return z.new_full((len(z),), -self._log_area(self.n_components))

    def kl_per_component(self, h: Tensor) -> None:
        """Return None: the components of a direction have no KL each."""
        return

    def kl(self, h: Tensor) -> Tensor:
        """Return the KL above (B)."""
        return self._kl(self._tabulate(self.split(h)[1]))

    def code(self, h: Tensor, eps: Tensor) -> Code:
        """Return z (B x L) and its cost; the distribution of the angle is computed once."""
        mean, concentration = self.split(h)
        law = self._tabulate(concentration)
        return Code(self._draw(mean, law, eps.to(mean.dtype)).z, {"kl": self._kl(law)})

    @property
    def prior_std(self) -> Tensor:
        """Standard deviation 1 / sqrt(L) of each component (L)."""
        return torch.full((self.n_components,), self.n_components**-0.5)

    def encode(self, h: Tensor) -> Tensor:
        """Return the mean direction (B x L)."""
        return self.split(h)[0]

    def project(self, z: Tensor) -> Tensor:
        """Return z / |z| (n x L); the first pole for z = 0."""
        length = safe_norm(z)
        pole = torch.zeros_like(z[:1])
        pole[:, 0] = 1
        return torch.where(length > 1e-12, z / length, pole)

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `active_components`, measured on the sphere of radius sqrt(L), whose components have variance 1."""
        return {"active_components": float(active_components(self.encode(h) * self.n_components**0.5).sum())}

    # ------------------------------------------------------------------------------------------ the law of the angle

    def _log_density(self, angle: Tensor, concentration: Tensor) -> Tensor:
        """Return log(exp(k (cos a - 1)) sin(a)^(L-2)); cos a - 1 = -2 sin(a/2)^2 keeps its digits near 0."""
        rise = (angle / 2).sin().square()
        energy = -2 * concentration * rise
        if self.n_components == 2:
            return energy
        # sin(a)^2 = 4 sin(a/2)^2 (1 - sin(a/2)^2)
        return energy + (self.n_components / 2 - 1) * (4 * rise * (1 - rise)).clamp(min=1e-30).log()

    def _tabulate(self, k: Tensor) -> _AngleLaw:
        """Return the distribution of the angle in cells, for concentrations k (B)."""
        with torch.no_grad():
            # the mode: k sin(a)^2 = (L - 2) cos(a)
            n = self.n_components - 2
            cosine = 2 / (n / k + (n**2 / k.square() + 4).sqrt())
            mode = cosine.clamp(max=1).acos()
            spread = (k * cosine + n / (1 - cosine.square()).clamp(min=1e-12)).rsqrt() if n else k.rsqrt()
            low, high = (mode - _SPAN * spread).clamp(min=0), mode + _SPAN * spread
            high = torch.where(high > math.pi / 2, math.pi, high)  # the logarithm of the density is not concave there
            width = (high - low) / _CELLS
            cells = torch.arange(_CELLS, device=k.device, dtype=k.dtype)
            edges = low[:, None] + width[:, None] * cells
            peak = self._log_density(mode.clamp(min=1e-6), k)
        nodes = edges[..., None] + width[:, None, None] * k.new_tensor(self._nodes)
        density = (self._log_density(nodes, k[:, None, None]) - peak[:, None, None]).exp()
        mass = width[:, None, None] * k.new_tensor(self._weights) * density
        cumulative = mass.sum(2).cumsum(1)
        drop = (mass * -2 * (nodes / 2).sin().square()).sum((1, 2)) / cumulative[:, -1]
        return _AngleLaw(k, edges, width, peak, cumulative, cumulative[:, -1].log() + peak, drop)

    def _draw_angle(self, law: _AngleLaw, length: Tensor) -> Tensor:
        """Return the angle a (B) with F(a) = P(chi_(L-1) < length), by Newton's method in a cell of the table.

        The last step has the gradient of the equation, so the gradient of the angle is the implicit one:
        da = (dP - dF) / f(a).
        """
        half = torch.full_like(length, self.n_noise / 2)
        mass = torch.special.gammainc(half, length.clamp(max=self._longest).square() / 2) * law.cumulative[:, -1]
        cell = (law.cumulative[:, :-1] <= mass[:, None]).sum(1, keepdim=True)
        before = torch.cat([torch.zeros_like(law.cumulative[:, :1]), law.cumulative], 1).gather(1, cell)[:, 0]
        edge = law.edges.gather(1, cell)[:, 0]

        def step(angle: Tensor) -> Tensor:
            nodes = edge[:, None] + (angle - edge)[:, None] * angle.new_tensor(self._nodes)
            density = (self._log_density(nodes, law.concentration[:, None]) - law.peak[:, None]).exp()
            below = before + (angle - edge) * (density * angle.new_tensor(self._weights)).sum(1)
            slope = (self._log_density(angle, law.concentration) - law.peak).exp().detach()
            return (mass - below) / slope.clamp(min=1e-30)

        upper = edge + law.width
        with torch.no_grad():
            angle = edge + law.width / 2
            for _ in range(_NEWTON_STEPS):
                angle = torch.clamp(angle + step(angle), min=edge, max=upper)
        return torch.clamp(angle + step(angle), min=edge, max=upper)

    def _kl(self, law: _AngleLaw) -> Tensor:
        log_uniform = self._log_area(self.n_components) - self._log_area(self.n_noise)
        return (law.concentration * law.drop - law.log_total + log_uniform).clamp(min=0)

    @staticmethod
    def _log_area(n: int) -> float:
        """Return the log area of the unit sphere of R^n."""
        return math.log(2) + n / 2 * math.log(math.pi) - math.lgamma(n / 2)


class _AngleLaw(NamedTuple):
    """The distribution of the angle for each concentration (B), in C cells.

    Attributes
    ----------
    concentration : B.
    edges : lower edge of each cell, B x C.
    width : width of the cells, B.
    peak : log density at the mode, which densities are relative to (B).
    cumulative : probability up to the upper edge of each cell, relative to exp(peak), B x C.
    log_total : log Z(k), B.
    drop : E(cos a - 1), B.
    """

    concentration: Tensor
    edges: Tensor
    width: Tensor
    peak: Tensor
    cumulative: Tensor
    log_total: Tensor
    drop: Tensor


def _longest_noise(n: int) -> float:
    """Return the length that noise from N(0, I) in R^n exceeds with the probability `_FARTHEST`, by bisection."""
    low, high, half = 0.0, n + 100.0, torch.tensor(n / 2, dtype=torch.float64)
    for _ in range(60):
        middle = (low + high) / 2
        is_below = float(torch.special.gammaincc(half, torch.tensor(middle**2 / 2, dtype=torch.float64))) > _FARTHEST
        low, high = (middle, high) if is_below else (low, middle)
    return (low + high) / 2


def safe_norm(x: Tensor) -> Tensor:
    """Return the length of each row (n x 1), above 0, with a finite gradient everywhere."""
    return (x.square().sum(-1, keepdim=True) + 1e-30).sqrt()


def _turn_pole(z: Tensor, mean: Tensor) -> Tensor:
    """Return z (B x L), turned by the orthogonal map that takes the first pole e to `mean`.

    It is minus or plus the reflection along mean + e or mean - e, of which the longer one is taken, so that no digits
    cancel. The law of the directions around the mean is symmetric, so it does not matter that the map jumps.
    """
    sign = torch.where(mean[:, :1] >= 0, 1.0, -1.0).to(z.dtype)
    axis = torch.cat([mean[:, :1] + sign, mean[:, 1:]], 1)
    # |mean + sign e|^2 = 2 (1 + |mean_1|)
    reflected = z - axis * ((axis * z).sum(1, keepdim=True) / (1 + mean[:, :1].abs()))
    return -sign * reflected
