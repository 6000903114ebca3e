"""Priors p(z) of stochastic codes: their log density, and draws from noise.

L is the number of components. All densities are in nats, summed over the components.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

_HALF_LOG_2PI = 0.5 * math.log(2 * math.pi)
Split = Callable[[Tensor], tuple[Tensor, Tensor]]  # from an encoder's output to means and log scales
_MOST_START_ROWS = 2_000  # from which the clusters of the first codes are found
_LEAST_SPREAD = 0.1  # of a cluster's standard deviations beside those of all codes
_SEED = 1_000_037
_FARTHEST_UNIFORM = 1e-6  # least distance from 0 and 1 of the number that picks a part of a mixture


class Prior(nn.Module, ABC):
    """Abstract: a distribution of codes.

    Attributes
    ----------
    n_components : L.
    n_noise : number of noise values for one draw.
    n_unscaled_noise : number of those values, the first ones, that a temperature does not scale, because they pick a
        part of a mixture.
    is_separable : True if the components are independent of each other and have a KL each.
    n_start_rows : number of training rows that `start` takes; 0 if the prior has no such start.
    n_modes : K, the number of modes of a mixture; 0 for other priors.
    """

    n_components: int
    n_noise: int
    n_unscaled_noise: int = 0
    is_separable: bool = False
    n_start_rows: int = 0
    n_modes: int = 0

    def condition(self, encoder: nn.Module, split: Split) -> None:
        """Receive the encoder of the model, and the function from its output to means and log scales."""
        return

    def start(self, x: Tensor, z: Tensor) -> None:
        """Receive training rows (n x shape) and the codes that they have before the training (n x L)."""
        return

    def mode_probs(self, z: Tensor) -> Tensor | None:
        """Return p(k | z) of each mode (B x K) at codes z (B x L); None if the prior is not a mixture."""
        return None

    @abstractmethod
    def log_prob(self, z: Tensor) -> Tensor:
        """Return the log density of the codes z (B x L) in nats (B)."""

    @abstractmethod
    def from_noise(self, eps: Tensor) -> Tensor:
        """Turn noise eps ~ N(0, I) (n x n_noise) into draws (n x L)."""

    @abstractmethod
    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> Tensor | None:
        """Return KL(N(mean, std^2) || p) of each component in nats (B x L); None without a closed form."""

    @property
    @abstractmethod
    def std(self) -> Tensor | None:
        """Standard deviation of each component (L); None where it is not known."""


class StandardNormal(Prior):
    """N(0, I).

        KL(N(mean, std^2) || N(0, I)) = sum_j (mean_j^2 + std_j^2 - 1) / 2 - log std_j

    >>> import torch
    >>> StandardNormal(2).log_prob(torch.zeros(1, 2)).round(decimals=3).tolist()
    [-1.838]
    """

    is_separable = True

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = self.n_noise = n_components

    def log_prob(self, z: Tensor) -> Tensor:
        """Return - |z|^2 / 2 - L log(2 pi) / 2 (B)."""
        return -0.5 * z.square().sum(-1) - self.n_components * _HALF_LOG_2PI

    def from_noise(self, eps: Tensor) -> Tensor:
        """Return the noise itself (n x L)."""
        return eps

    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> Tensor:
        """Return the terms of the KL above, before the sum (B x L)."""
        return 0.5 * (mean.square() + std.square() - 1) - log_std

    @property
    def std(self) -> Tensor:
        """Standard deviation 1 of each component (L)."""
        return torch.ones(self.n_components)


class Mixture(Prior):
    """Abstract: a mixture of K Gaussians with diagonal covariances and equal weights.

    p(z) = 1/K sum_k N(z; mean_k, std_k^2)
    """

    n_unscaled_noise = 1

    def __init__(self, n_components: int, n_modes: int) -> None:
        super().__init__()
        self.n_components, self.n_noise, self.n_modes = n_components, n_components + 1, n_modes

    @abstractmethod
    def modes(self) -> tuple[Tensor, Tensor]:
        """Return the means and the log standard deviations of the modes (K x L each)."""

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log p(z) by the formula above (B)."""
        nats = self._log_densities(z)
        return nats.logsumexp(-1) - math.log(nats.shape[-1])

    def mode_probs(self, z: Tensor) -> Tensor:
        """Return p(k | z) of each mode (B x K)."""
        return self._log_densities(z).softmax(-1)

    def _log_densities(self, z: Tensor) -> Tensor:
        """Return log N(z; mean_k, std_k^2) (B x K)."""
        means, log_stds = (value.to(z.dtype) for value in self.modes())
        distances = ((z[..., None, :] - means) * (-log_stds).exp()).square().sum(-1)
        return -0.5 * distances - log_stds.sum(-1) - self.n_components * _HALF_LOG_2PI

    def from_noise(self, eps: Tensor) -> Tensor:
        """Return mean_k + std_k * eps (n x L), where the first number of the noise picks k."""
        means, log_stds = (value.to(eps.dtype) for value in self.modes())
        uniform = torch.special.ndtr(eps[:, 0]).clamp(_FARTHEST_UNIFORM, 1 - _FARTHEST_UNIFORM)
        k = (uniform * len(means)).long()
        return means[k] + log_stds[k].exp() * eps[:, 1:]

    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> None:
        """Return None: there is no closed form."""
        return

    @property
    def std(self) -> Tensor:
        """Standard deviation sqrt(mean of std_k^2 + variance of mean_k) (L), by the law of total variance."""
        with torch.no_grad():
            means, log_stds = self.modes()
            return (log_stds.exp().square().mean(0) + means.var(0, correction=0)).sqrt()


class NormalMixture(Mixture):
    """A learned mixture of K Gaussians.

    Its means start at random. The training moves them to the centres of clusters of the first codes (`start`), so that
    each mode has codes of its own to begin with.

    Dilokthanakul et al., Deep unsupervised clustering with Gaussian mixture variational autoencoders (2016),
    https://arxiv.org/abs/1611.02648.

    Parameters
    ----------
    n_components : L.
    n_modes : K.
    """

    no_decay = ("means", "log_stds")

    def __init__(self, n_components: int, n_modes: int = 10) -> None:
        super().__init__(n_components, n_modes)
        self.means = nn.Parameter(torch.randn(n_modes, n_components))
        self.log_stds = nn.Parameter(torch.zeros(n_modes, n_components))
        self.n_start_rows = _MOST_START_ROWS
        self.register_load_state_dict_post_hook(_mark_started)

    def start(self, x: Tensor, z: Tensor) -> None:
        """Start the modes at the clusters of the codes z, by k-means."""
        means, stds = find_clusters(z, len(self.means))
        with torch.no_grad():
            self.means.copy_(means)
            self.log_stds.copy_(stds.log())
        self.n_start_rows = 0

    def modes(self) -> tuple[Tensor, Tensor]:
        """Return the parameters."""
        return self.means, self.log_stds


def find_clusters(z: Tensor, n_clusters: int, n_steps: int = 50) -> tuple[Tensor, Tensor]:
    """Return the means and standard deviations of the clusters of codes z (n x L) by k-means: K x L each.

    The first means are far from each other: each is drawn with the squared distance from the nearest one before it as
    its weight. Arthur and Vassilvitskii, k-means++ (2007), https://dl.acm.org/doi/10.5555/1283383.1283494. Deviations
    are at least 0.1 of those of all codes, and those where a cluster is small.
    """
    wide = z.detach().cpu().double()
    generator = torch.Generator().manual_seed(_SEED)
    spread = wide.std(0, correction=0).clamp(min=1e-3)
    means = wide[:1]
    for _ in range(n_clusters - 1):
        distances = torch.cdist(wide, means).square().amin(1)
        means = torch.cat([means, wide[torch.multinomial(distances + 1e-9, 1, generator=generator)]])
    for _ in range(n_steps):
        member = (torch.cdist(wide, means).argmin(1)[:, None] == torch.arange(n_clusters)).double()
        counts = member.sum(0)[:, None]
        means = torch.where(counts > 0, member.T @ wide / counts.clamp(min=1), means)
    variances = (member.T @ wide.square() / counts.clamp(min=1) - means.square()).clamp(min=0)
    stds = torch.where(counts > 1, variances.sqrt(), spread).maximum(_LEAST_SPREAD * spread)
    return means, stds


def _mark_started(prior: nn.Module, _keys: object) -> None:
    """Leave a prior as it is that was loaded: it is not new."""
    prior.n_start_rows = 0  # type: ignore[assignment]


class VampPrior(Mixture):
    """The mixture of the posteriors of K learned examples, the pseudo-inputs u_k.

        p(z) = 1/K sum_k q(z | u_k)

    It is near the mean of all posteriors, which is the best prior. `condition` must be called before any other method,
    with the encoder of the model. The pseudo-inputs start at training rows (`start`).

    Tomczak and Welling, VAE with a VampPrior (2018), https://arxiv.org/abs/1705.07120.

    Parameters
    ----------
    n_components : L.
    n_modes : K.
    mean, std : of the examples, on the model's scale: numbers that broadcast to their shape. The pseudo-inputs are
        drawn from N(mean, std^2) until they start at rows.
    shape : shape of an example.
    """

    no_decay = ("pseudo_inputs",)

    def __init__(self, n_components: int, n_modes: int, mean: Tensor, std: Tensor, shape: Sequence[int]) -> None:
        super().__init__(n_components, n_modes)
        self.pseudo_inputs = nn.Parameter(mean + std * torch.randn(n_modes, *shape))
        self.n_start_rows = n_modes
        self.register_load_state_dict_post_hook(_mark_started)
        # in a tuple, so that the encoder is not a part of this module, too
        self._posterior: tuple[nn.Module, Split] | None = None

    def condition(self, encoder: nn.Module, split: Split) -> None:
        """Take the encoder of the pseudo-inputs, and the means and log scales of its output."""
        self._posterior = encoder, split

    def start(self, x: Tensor, z: Tensor) -> None:
        """Start the pseudo-inputs at the rows x."""
        with torch.no_grad():
            rows = x[torch.arange(len(self.pseudo_inputs), device=x.device) % len(x)]
            self.pseudo_inputs.copy_(torch.nan_to_num(rows))
        self.n_start_rows = 0

    def modes(self) -> tuple[Tensor, Tensor]:
        """Return the posteriors of the pseudo-inputs."""
        assert self._posterior is not None
        encoder, split = self._posterior
        # not called, so that hooks which collect the outputs for examples do not see these; without what labels need
        return split(encoder.forward(self.pseudo_inputs)[..., : 2 * self.n_components])


class FlowPrior(Prior):
    """A flow f that makes codes normal: p(z) = N(f(z); 0, I) |det df / dz|.

    Each number of f(z) is a rational quadratic spline of one number of z, whose knots a masked network computes from
    the numbers before it: Durkan et al., Neural spline flows (2019), https://arxiv.org/abs/1906.04032. A density takes
    one pass, a draw one for each component. Chen et al., Variational lossy autoencoder (2017),
    https://arxiv.org/abs/1611.02731, use a flow as prior. The flow is zuko's (extra `flows`).

    Parameters
    ----------
    n_components : L.
    transforms : number of steps; between two of them the order of the components is reversed.
    hidden : widths of the hidden layers of the masked networks.

    Raises
    ------
    ImportError
        If zuko is not installed.
    """

    def __init__(self, n_components: int, transforms: int = 2, hidden: tuple[int, ...] = (64,)) -> None:
        super().__init__()
        try:
            import zuko
        except ImportError as error:
            raise ImportError("A flow as prior (prior='flow') needs zuko: pip install 'narrows[flows]'.") from error
        self.n_components = self.n_noise = n_components
        flow = zuko.flows.NSF(n_components, transforms=transforms, hidden_features=hidden)
        self.transforms = nn.ModuleList(flow.transform.transforms)

    def log_prob(self, z: Tensor) -> Tensor:
        """Return log N(f(z); 0, I) + log |det df / dz| (B)."""
        z = z.to(next(self.transforms.parameters()).dtype)
        total = z.new_zeros(z.shape[:-1])
        with torch.autocast(z.device.type, enabled=False):  # bfloat16 would lose digits of the determinants
            for transform in self.transforms:
                z, log_determinant = transform().call_and_ladj(z)
                total = total + log_determinant
        return total - 0.5 * z.square().sum(-1) - self.n_components * _HALF_LOG_2PI

    def from_noise(self, eps: Tensor) -> Tensor:
        """Return the code whose image is the noise (n x L)."""
        eps = eps.to(next(self.transforms.parameters()).dtype)
        with torch.autocast(eps.device.type, enabled=False):
            for transform in reversed(self.transforms):
                eps = transform().inv(eps)
        return eps

    def kl_from_gaussian(self, mean: Tensor, log_std: Tensor, std: Tensor) -> None:
        """Return None: there is no closed form."""
        return

    @property
    def std(self) -> None:
        """None: it is not known."""
        return
