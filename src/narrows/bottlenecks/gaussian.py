"""The variational code: a Gaussian posterior for each example, pulled to a prior.

    h = (mean, s)    log_std = 1 - softplus(1 - s), at least -7    z = mean + exp(log_std) * eps,  eps ~ N(0, I)
    kl = KL(q(z | x) || p(z))        nats; in closed form for a standard normal prior, otherwise log q(z | x) - log p(z)

Kingma and Welling, Auto-encoding variational Bayes (2014), https://arxiv.org/abs/1312.6114.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.batch_sharding import batch_mean
from narrows.bottlenecks.base import LinearStart, Sample, Stochastic
from narrows.params import counted
from narrows.priors import Prior, StandardNormal
from narrows.types import Code

_NARROWEST = -7.0  # a posterior narrower than exp(-7), 1e-3, is nearly a point
_WIDEST = 1.0  # a posterior wider than the prior carries no information, and its KL grows as the square of its width
_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)


class Gaussian(Stochastic):
    """z ~ N(mean, std^2) with the reparametrisation trick.

    Parameters
    ----------
    n_components : L.
    free_nats : KL of each component, in nats averaged over the batch, below which there is no pull towards the prior
        (Kingma et al., Improving variational inference with inverse autoregressive flow, 2016,
        https://arxiv.org/abs/1606.04934). It keeps components from collapsing early, and needs a prior that gives the
        KL of each component.
    prior : p(z) over L components; None for N(0, I).

    Raises
    ------
    ValueError
        If `prior` has another number of components, or gives no KL for `free_nats`.

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
                f"The `prior` parameter of Gaussian must be over {counted(n_components, 'component')}. Got one over "
                f"{self.prior.n_components}."
            )
        if free_nats > 0 and not self.prior.is_separable:
            raise ValueError(
                f"The `free_nats` parameter of Gaussian must be 0 with a {type(self.prior).__name__} prior, which "
                f"gives no KL of each component. Got {free_nats:g} instead."
            )

    def condition(self, encoder: nn.Module) -> None:
        """Pass the encoder to the prior."""
        self.prior.condition(encoder, split_mean_and_log_scale)

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

    def split(self, h: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean and the log standard deviation (B x L each), in at least single precision."""
        return split_mean_and_log_scale(h)

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Return mean + exp(log_std) * eps (B x L), with its log densities."""
        mean, log_std = self.split(h)
        eps = eps.to(mean.dtype)
        z = torch.addcmul(mean, log_std.exp(), eps)
        log_q = -(0.5 * eps.square() + log_std).sum(-1) - self.n_components * _HALF_LOG_2PI
        return Sample(z, log_q, self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw from the prior (n x L)."""
        return self.prior.from_noise(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log density of the prior (B)."""
        return self.prior.log_prob(z)

    def kl_per_component(self, h: Tensor) -> Tensor | None:
        """Return the KL from the prior in closed form (B x L); None if the prior has none."""
        mean, log_std = self.split(h)
        return self.prior.kl_from_gaussian(mean, log_std, log_std.exp())

    @property
    def prior_std(self) -> Tensor | None:
        """Standard deviation of the prior (L), or None."""
        return self.prior.std

    def code(self, h: Tensor, eps: Tensor) -> Code:
        """Return z (B x L) and its costs; the standard deviation is computed once."""
        mean, log_std = self.split(h)
        std = log_std.exp()
        kl = self.prior.kl_from_gaussian(mean, log_std, std)
        if kl is None:
            z, log_q, log_p = self.sample(h, eps)
            return Code(z, {"kl": log_q - log_p})
        costs = {"kl": kl.sum(1)}
        if self.free_nats > 0:
            # max(a, b) = a + relu(b - a): "kl" stays the true KL, and below b this cost cancels its gradient
            costs["free_nats"] = (self.free_nats - batch_mean(kl.mean(0))).relu().sum().expand(len(kl))
        return Code(torch.addcmul(mean, std, eps), costs)

    def encode(self, h: Tensor) -> Tensor:
        """Return the posterior mean (B x L)."""
        return self.split(h)[0]

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart:
        """Return probabilistic PCA, whose posterior is Gaussian: see `probabilistic_pca`."""
        return probabilistic_pca(variances, noise, weight)


def probabilistic_pca(variances: Tensor, noise: float, weight: float) -> LinearStart:
    """Return probabilistic PCA for components of the given variances (L), as means and log scales of a posterior.

    With the noise variance n of a feature, and the weight b of the KL, the likeliest linear model is

        decode: v_j sqrt(l_j - b n)    mean_j = sqrt(l_j - b n) / l_j s_j    variance_j = b n / l_j

    Its evidence lower bound is the exact log-likelihood if b = 1. A component with l_j <= b n carries nothing. Tipping
    and Bishop, Probabilistic principal component analysis (1999), https://doi.org/10.1111/1467-9868.00196; Lucas et
    al., Don't blame the ELBO! (2019), https://arxiv.org/abs/1911.02469.
    """
    variances = variances.cpu().double()  # Apple's GPUs have no double precision
    floor = 1e-6 * variances.max().clamp(min=1e-6)
    n = torch.minimum(variances, weight * torch.clamp(torch.as_tensor(noise), min=floor)).clamp(min=floor)
    signal = (variances - n).clamp(min=0).sqrt()
    log_scale = (0.5 * (n / variances.clamp(min=floor)).log()).clamp(_NARROWEST + 1, 0)
    raw = raw_log_scale(log_scale)
    encode = torch.diag(signal / variances.clamp(min=floor))
    zeros = torch.zeros_like(signal)
    return LinearStart(torch.cat([encode, torch.zeros_like(encode)]), torch.cat([zeros, raw]), signal)


def split_mean_and_log_scale(h: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means and log scales (B x L each) that the encoder gives as h (B x 2 L), in at least single precision.

    A softplus keeps the log scale below `_WIDEST`: without it, one strange example can cost thousands of nats, and
    one step on it can undo an epoch of training.
    """
    mean, log_scale = h.to(torch.promote_types(h.dtype, torch.float32)).chunk(2, dim=-1)
    return mean, (_WIDEST - F.softplus(_WIDEST - log_scale)).clamp(min=_NARROWEST)


def raw_log_scale(log_scale: Tensor) -> Tensor:
    """Return the encoder's output for a log scale above -7 and below 1: the inverse of `split_mean_and_log_scale`."""
    return _WIDEST - (_WIDEST - log_scale).expm1().log()
