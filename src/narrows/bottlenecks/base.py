"""The interfaces of all bottlenecks, and of stochastic ones.

B is the batch, L the number of components. Code outside of this folder asks a bottleneck for its attributes, never for
its class.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import batch_mean
from narrows.bottlenecks.interpolation import lerp, slerp
from narrows.renamed import Renamed, take_old_names
from narrows.types import Code

ACTIVE_VARIANCE = 0.01  # of the posterior mean over examples: Burda et al. (2016), https://arxiv.org/abs/1509.00519


class LinearStart(NamedTuple):
    """Weights with which a linear model begins, for the principal components s (B x L) of the features.

        h = encode s + bias        features = sum_j scale_j z_j v_j + mean        v_j, the principal directions

    Attributes
    ----------
    encode : n_inputs x L.
    bias : n_inputs.
    scale : L.
    """

    encode: Tensor
    bias: Tensor
    scale: Tensor


class Bottleneck(nn.Module, ABC):
    """Abstract: the narrow place between encoder and decoder.

    A subclass implements `forward` and `encode`, and sets the attributes in which it differs. The other methods are
    hooks, whose defaults are right for a code of real numbers.

    Attributes
    ----------
    n_components : L, the number of components of a code.
    n_inputs : number of outputs of the encoder for each example.
    n_classes : C, the number of label columns that follow the code; 0 without labels.
    costs : names of the costs that `forward` gives, which an objective may weigh.
    needs_gradient : True if `encode` computes gradients itself, for example by torch.autograd.grad. Other models are
        applied in inference mode, where there are none. Any other part of a model may have this attribute, too.
    aux_active : number of dead units from which `forward` makes an auxiliary code; 0 if it makes none. It is part of a
        checkpoint, so that a resumed training gives the same results.
    is_stochastic : True if the code is drawn from a posterior and has a prior: then it is a `Stochastic`.
    has_prior : True if the code has a prior to draw from: then it is a `PriorCode`, as every stochastic code is.
    is_sparse : True if few components of a code are active, and each has a meaning of its own: then it is a `Sparse`.
    is_overcomplete : True if there may be more components than numbers in an example.
    default_sampler : name of the distribution from which `sample` draws codes: "prior", "gaussian", or None where
        codes have no distribution to draw from.
    is_separable : True if any subset of the components is a valid code, so that a smaller model can keep only some.
    weight_decay : weight decay of the optimizer that suits such a code, and the reason.
    """

    n_components: int
    n_inputs: int
    n_classes: int = 0
    costs: tuple[str, ...] = ()
    needs_gradient: bool = False
    aux_active: int = 0
    is_stochastic: bool = False
    has_prior: bool = False
    is_sparse: bool = False
    is_overcomplete: bool = False
    is_separable: bool = False
    default_sampler: str | None = "gaussian"
    weight_decay: tuple[float, str] = (0.3, "prevents over-fitting; set 0 to fit a small model exactly")

    attend = Renamed("update_dead_units")
    reviving = Renamed("aux_active")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        take_old_names(cls, Bottleneck)

    @abstractmethod
    def forward(self, h: Tensor) -> Code:
        """Return the code of a training step with its costs, from h (B x n_inputs). It may draw random numbers.

        A bottleneck with labels takes a second argument, `label`: B integers.
        """

    @abstractmethod
    def encode(self, h: Tensor) -> Tensor:
        """Return the code at inference (B x L) from h (B x n_inputs), without labels and random numbers."""

    def linear_start(self, variances: Tensor, noise: float, weight: float) -> LinearStart | None:
        """Return the weights of the best linear model; None if the code cannot be a linear one.

        Parameters
        ----------
        variances : variances of the first L principal components, largest first: L numbers of at least 0.
        noise : mean variance of the other components.
        weight : weight of the cost "kl", for a code that has it.
        """
        return None

    def condition(self, encoder: nn.Module) -> None:
        """Receive the encoder, when the model is built: a prior may need it."""
        return

    @property
    def n_start_rows(self) -> int:
        """Number of training rows that `start_prior` takes; 0 for none."""
        return 0

    def start_prior(self, x: Tensor, h: Tensor) -> None:
        """Receive training rows (n x shape) and the encoder's output for them (n x n_inputs) before the training."""
        return

    def update_dead_units(self) -> None:
        """Update state for which the CPU must wait for the device. Training calls it every 50 steps."""
        return

    def takes_deferred(self, device: torch.device) -> bool:
        """True if `forward` takes the encoder's last layer as a `DeferredLinear` on `device`."""
        return False

    def advance(self, progress: float) -> None:
        """Receive the progress of the training, in [0, 1], before each step, for example to lower a temperature."""
        return

    def health(self, h: Tensor) -> dict[str, float]:
        """Return measures of the code's health by name, from the encoder's output h (n x n_inputs) on held-out rows."""
        return {}

    def project(self, z: Tensor) -> Tensor:
        """Return, for each z (n x L), the nearest code that `encode` can give."""
        return z

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes (n x L) on the path between two codes (L numbers each), at fractions t (n x 1, in [0, 1])."""
        return lerp(first, last, t)


class Sample(NamedTuple):
    """A drawn code and its densities.

    Attributes
    ----------
    z : B x L.
    log_q : its log density under the posterior, nats (B).
    log_p : its log density under the prior, nats (B).
    """

    z: Tensor
    log_q: Tensor
    log_p: Tensor


class PriorCode(Bottleneck):
    """Abstract: a code with a prior p(z), from which `sample` draws.

    Attributes
    ----------
    n_prior_noise : number of noise values for one draw from the prior.
    n_unscaled_noise : number of the prior's noise values, the first ones, that a temperature does not scale.
    """

    has_prior = True
    default_sampler: str | None = "prior"
    n_prior_noise: int
    n_unscaled_noise: int = 0

    @abstractmethod
    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw n codes (n x L) from the prior with the noise eps (n x n_prior_noise)."""

    @abstractmethod
    def log_prior(self, z: Tensor) -> Tensor:
        """Return log p(z) of codes z (B x L) in nats (B)."""

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes (n x L) on the arc between the two: draws from a prior in many dimensions lie near a sphere."""
        return slerp(first, last, t)


class Stochastic(PriorCode):
    """Abstract: a code that is drawn from a posterior q(z | x), with a prior p(z).

        z = f(h, eps),  eps ~ N(0, I)

    The caller passes the noise: a training step draws the same in all processes, a score uses the same noise for every
    example, and `sample` scales it by a temperature. No other methods are needed for scores, bounds of several draws
    and new examples.

    Attributes
    ----------
    n_noise : number of noise values for one draw from the posterior.
    has_categories : True if groups of components stand for the values of a category. Then log q and log p hold
        probabilities, and a fitted model keeps the order of the components. Other components are sorted by their nats.
    uses_likelihood : True if draws depend on log p(x | z), so that `sample_given` must make them.
    """

    costs: tuple[str, ...] = ("kl",)
    is_stochastic = True
    weight_decay = (0.03, "the noise of a stochastic code already prevents over-fitting")
    n_noise: int
    has_categories: bool = False
    uses_likelihood: bool = False

    @abstractmethod
    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw from the posterior of each example: h is B x n_inputs, the noise eps B x n_noise."""

    def sample_given(self, h: Tensor, eps: Tensor, log_likelihood: Callable[[Tensor], Tensor]) -> Sample:
        """Draw from the posterior of each example, with log p(x | z) as a function from codes (B x L) to nats (B).

        It is the same as `sample` unless `uses_likelihood` is True. `log_q` may then be the log density of z and of
        other variables, less their target log density: E p(x, z) / q is p(x) in any case.
        """
        return self.sample(h, eps)

    @abstractmethod
    def kl_per_component(self, h: Tensor) -> Tensor | None:
        """Return KL(q(z | x) || p(z)) in nats for each example and component (B x L); None without a closed form."""

    def kl(self, h: Tensor) -> Tensor | None:
        """Return KL(q(z | x) || p(z)) in nats for each example (B); None if it must be estimated from draws."""
        kl = self.kl_per_component(h)
        return None if kl is None else kl.sum(1)

    @property
    def prior_std(self) -> Tensor | None:
        """Standard deviation of each component under the prior (L); None where it is not known."""
        return None

    @property
    def n_modes(self) -> int:
        """Number of modes of the prior, if it is a mixture; otherwise 0."""
        return 0

    def mode_probs(self, z: Tensor) -> Tensor | None:
        """Return p(k | z) of each mode of the prior (B x K) at codes z (B x L); None if it is not a mixture."""
        return None

    def forward(self, h: Tensor) -> Code:
        """Draw the code (B x L) with new noise, and compute its cost."""
        return self.code(h, self.noise(h))

    def noise(self, h: Tensor) -> Tensor:
        """Return noise for one draw for each row of h, in at least single precision: B x n_noise."""
        dtype = torch.promote_types(h.dtype, torch.float32)
        return rng.randn_like(h.new_empty(len(h), self.n_noise, dtype=dtype))

    def code(self, h: Tensor, eps: Tensor) -> Code:
        """Return the code drawn with eps (B x n_noise). Its cost "kl" is the closed form, or else log q - log p."""
        z, log_q, log_p = self.sample(h, eps)
        kl = self.kl(h)
        return Code(z, {"kl": log_q - log_p if kl is None else kl})

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `active_components`, the number of components that differ between examples."""
        return {"active_components": float(active_components(self.encode(h)).sum())}


def as_stochastic(bottleneck: Bottleneck) -> Stochastic | None:
    """Return the bottleneck if its code is drawn from a posterior, otherwise None."""
    return bottleneck if isinstance(bottleneck, Stochastic) and bottleneck.is_stochastic else None


def as_prior_code(bottleneck: Bottleneck) -> PriorCode | None:
    """Return the bottleneck if its code has a prior, otherwise None."""
    return bottleneck if isinstance(bottleneck, PriorCode) and bottleneck.has_prior else None


def active_components(means: Tensor) -> Tensor:
    """Return True for each component whose posterior means (n x L) vary between examples: L booleans."""
    mean = batch_mean(means.mean(0))
    return batch_mean((means - mean).square().mean(0)) > ACTIVE_VARIANCE
