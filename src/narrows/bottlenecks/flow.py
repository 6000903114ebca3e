"""Posteriors of any shape: a flow transforms the draws of a Gaussian.

    h = (mean, s, context)    z_0 = mean + exp(log_std) * eps,  eps ~ N(0, I)    z = f(z_0; context)
    log q(z|x) = log N(eps; 0, I) - sum_j log_std_j - log |det df / dz_0|        nats

Rezende and Mohamed, Variational inference with normalizing flows (2015), https://arxiv.org/abs/1505.05770.
"""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.bottlenecks.base import LinearStart, Sample, Stochastic
from narrows.bottlenecks.gaussian import probabilistic_pca, split_mean_and_log_scale
from narrows.priors import Prior, StandardNormal

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
_LOG_E_LESS_1 = math.log(math.e - 1)
_SMALLEST = 1e-6


class TransformedGaussian(Stochastic):
    """Abstract: z = f(mean + std * eps; context).

    Parameters
    ----------
    n_components : L.
    n_context : number of the encoder's outputs that f takes for each example.
    prior : p(z) over L components; None for N(0, I).
    """

    def __init__(self, n_components: int, n_context: int, prior: Prior | None = None) -> None:
        super().__init__()
        self.n_components, self.n_noise = n_components, n_components
        self.n_inputs = 2 * n_components + n_context
        self.prior = StandardNormal(n_components) if prior is None else prior
        self.n_prior_noise, self.n_unscaled_noise = self.prior.n_noise, self.prior.n_unscaled_noise

    @abstractmethod
    def transform(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Return f(z; context) (B x L), and log |det df / dz| in nats (B)."""

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw from the Gaussian (B x L), and transform the draws."""
        n_gaussian = 2 * self.n_components
        mean, log_std = split_mean_and_log_scale(h[..., :n_gaussian])
        eps = eps.to(mean.dtype)
        log_q = -(0.5 * eps.square() + log_std).sum(-1) - self.n_components * _HALF_LOG_2PI
        with torch.autocast(h.device.type, enabled=False):  # bfloat16 would lose digits of the determinants
            z, log_determinant = self.transform(mean + log_std.exp() * eps, h[..., n_gaussian:].to(mean.dtype))
        return Sample(z, log_q - log_determinant, self.log_prior(z))

    @property
    def n_start_rows(self) -> int:
        """Number of training rows from which the prior starts."""
        return self.prior.n_start_rows

    def start_prior(self, x: Tensor, h: Tensor) -> None:
        """Start the prior at training rows (n x shape) and draws of their codes, which have the posterior's scale."""
        self.prior.start(x, self.sample(h, self.noise(h)).z)

    @property
    def n_modes(self) -> int:
        """Number of modes of the prior; 0 if it is not a mixture."""
        return self.prior.n_modes

    def mode_probs(self, z: Tensor) -> Tensor | None:
        """Return p(k | z) of each mode of the prior (B x K), or None."""
        return self.prior.mode_probs(z)

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


class FlowPosterior(TransformedGaussian):
    """An inverse autoregressive flow: each number of f(z_0) depends on the ones before it, by a masked network.

    So the determinant is a product, and a draw takes one pass: Kingma et al., Improving variational inference with
    inverse autoregressive flow (2016), https://arxiv.org/abs/1606.04934. The flow is zuko's (extra `flows`).

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
        super().__init__(n_components, n_context, prior)
        try:
            import zuko
        except ImportError as error:
            raise ImportError(
                "A flow as posterior (posterior='flow') needs zuko: pip install 'narrows[flows]'."
            ) from error
        flow = zuko.flows.MAF(n_components, n_context, transforms=transforms, hidden_features=hidden)
        self.transforms = nn.ModuleList(flow.transform.transforms)
        for transform in self.transforms:  # each starts as the identity
            *_, weight, bias = transform.parameters()  # of the last layer of its network
            nn.init.zeros_(weight)
            nn.init.zeros_(bias)

    def transform(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Apply one transform after the other."""
        dtype = next(self.transforms.parameters()).dtype
        z, context = z.to(dtype), context.to(dtype)
        total = torch.zeros_like(z[..., 0])
        for transform in self.transforms:
            z, log_determinant = transform(context).call_and_ladj(z)
            total = total + log_determinant
        return z, total

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart:
        """Return probabilistic PCA, without a context."""
        gaussian = probabilistic_pca(variances, noise, weight)
        n_context = self.n_inputs - 2 * self.n_components
        return LinearStart(
            F.pad(gaussian.encode, (0, 0, 0, n_context)), F.pad(gaussian.bias, (0, n_context)), gaussian.scale
        )


class PlanarPosterior(TransformedGaussian):
    """Planar steps, each of which stretches space along one direction: a linear normalising flow.

        f(z) = z + v tanh(w.z + b),    v = u + (m(w.u) - w.u) w / |w|^2,    m(a) = log(1 + (e - 1) e^a) - 1 > -1
        log |det df / dz| = log(1 + (1 - tanh^2(w.z + b)) m(w.u))

    The encoder gives u, w and b of each step for each example. m keeps w.v above -1, so that f can be inverted; it is 0
    at 0, so that f is the identity for u = 0 (the paper's m is not).

    Parameters
    ----------
    n_components : L.
    prior : p(z) over L components; None for N(0, I).
    n_steps : number of planar steps.
    """

    def __init__(self, n_components: int, prior: Prior | None = None, n_steps: int = 8) -> None:
        super().__init__(n_components, n_steps * (2 * n_components + 1), prior)
        self.n_steps = n_steps

    def transform(self, z: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
        """Apply one step after the other."""
        total = torch.zeros_like(z[..., 0])
        for step in context.unflatten(-1, (self.n_steps, -1)).unbind(-2):
            u, w, b = step.split([self.n_components, self.n_components, 1], -1)
            product = (w * u).sum(-1, keepdim=True)
            m = F.softplus(product + _LOG_E_LESS_1) - 1
            v = u + (m - product) * w / w.square().sum(-1, keepdim=True).clamp(min=_SMALLEST)
            t = ((w * z).sum(-1, keepdim=True) + b).tanh()
            z = z + v * t
            total = total + ((1 - t.square()) * m).clamp(min=_SMALLEST - 1).log1p().squeeze(-1)
        return z, total

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart:
        """Return probabilistic PCA: u = 0, so that all steps are the identity, and w along the components in turn."""
        gaussian = probabilistic_pca(variances, noise, weight)
        encode = F.pad(gaussian.encode, (0, 0, 0, self.n_inputs - 2 * self.n_components))
        w = torch.eye(self.n_components)[torch.arange(self.n_steps) % self.n_components]
        steps = torch.cat([torch.zeros_like(w), w, torch.zeros(self.n_steps, 1)], 1).flatten()
        return LinearStart(encode, torch.cat([gaussian.bias, steps.to(gaussian.bias)]), gaussian.scale)
