"""Likelihoods: log p(x | z), given what the decoder says of each entry.

Every one is normalised over its support, in nats for one entry; `score` sums over the entries of an example. The
decoder gives unbounded numbers for each entry (`n_params`, most often one), from which the likelihood makes its
parameters.

Symbols: o, the decoder's output (B x params_shape); m, the mean; x, the observed entry.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import batch_mean, batch_sum
from narrows.data import Schema, Support
from narrows.params import did_you_mean
from narrows.renamed import Renamed, take_old_names

_LOG_2PI = math.log(2 * math.pi)
_LARGEST_LOG_COUNT = 20.0  # e^20 is half a billion; beyond, single precision has no counts
_SMALLEST_SCALE = 1e-3  # of a Gaussian: data that a model reproduces exactly must not send the likelihood to infinity
_LOG_FLOOR = math.log(_SMALLEST_SCALE)


class Likelihood(nn.Module, ABC):
    """Abstract: a distribution for each entry.

    Attributes
    ----------
    name : as users say it.
    support : what it can score, in words.
    required_support : the support that the data must keep for it ("unit" or "count"); None where any scale will do.
    n_params : numbers that the decoder gives for each entry.
    mean_function : name of the function from the decoder's number to the mean, for scripts that decode without torch:
        "identity", "sigmoid", "exp" or "continuous_bernoulli"; None where it is none of these.
    """

    name: str
    support: str
    required_support: Support | None = None
    n_params: int = 1
    mean_function: str | None = None

    def params_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Shape of the decoder's output for examples of `shape`: one parameter after the other along the first axis."""
        return (self.n_params * shape[0], *shape[1:])

    unmean = Renamed("inverse_mean")
    needs = Renamed("required_support")
    observe = Renamed("update_scale")

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        take_old_names(cls, Likelihood)

    @abstractmethod
    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """Nats for each entry or column: B x ..."""

    @abstractmethod
    def mean(self, o: Tensor) -> Tensor:
        """The expectation of each entry, on the scale of `x`."""

    @abstractmethod
    def sample(self, o: Tensor) -> Tensor:
        """A draw of each entry."""

    @abstractmethod
    def inverse_mean(self, m: Tensor) -> Tensor:
        """The `o` whose mean is `m` (one number a column or channel, kept off the ends of the range).

        It has `n_params` numbers for each, one parameter after the other: a decoder starts from there.
        """

    @abstractmethod
    def contains(self, x: Tensor) -> Tensor:
        """A mask of the entries that lie in the support."""

    def update_scale(self, o: Tensor, x: Tensor, weight: Tensor | None = None) -> None:
        """Look at a training batch before it is scored, where a parameter does not follow the gradient."""
        return

    def score(self, o: Tensor, x: Tensor, weight: Tensor | None = None) -> Tensor:
        """log p(x | z) in nats, one value for each example (B), summed over its observed entries."""
        nats = self.log_prob(o.to(torch.promote_types(o.dtype, torch.float32)), x)
        if weight is not None:
            nats = nats * weight
        return nats.sum(tuple(range(1, nats.dim())))  # not flattened: images may lie channels-last


class _Unit(Likelihood):
    """Abstract: for entries in [0, 1]."""

    support = "[0, 1]"
    required_support = "unit"

    def contains(self, x: Tensor) -> Tensor:
        """From 0 to 1."""
        return (x >= 0) & (x <= 1)


class _Counts(Likelihood):
    """Abstract: for counts, whose mean is exp(o)."""

    support = "0, 1, 2, ..."
    required_support = "count"
    mean_function = "exp"

    def mean(self, o: Tensor) -> Tensor:
        """exp(o), up to a count of e^20."""
        return o.clamp(max=_LARGEST_LOG_COUNT).exp()

    def inverse_mean(self, m: Tensor) -> Tensor:
        """log m."""
        return m.clamp(min=1e-3).log()

    def contains(self, x: Tensor) -> Tensor:
        """Whole numbers from 0."""
        return (x >= 0) & (x == x.round())


class Bernoulli(_Unit):
    """p(x = 1) = sigmoid(o). For values between 0 and 1 this is the usual cross-entropy, and no normalised density.

    >>> import torch
    >>> round(float(Bernoulli().log_prob(torch.tensor(0.0), torch.tensor(1.0)).exp()), 3)
    0.5
    """

    name = "bernoulli"
    mean_function = "sigmoid"

    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """x log sigmoid(o) + (1 - x) log sigmoid(-o)."""
        return -F.binary_cross_entropy_with_logits(o, x, reduction="none")

    def mean(self, o: Tensor) -> Tensor:
        """sigmoid(o)."""
        return torch.sigmoid(o)

    def sample(self, o: Tensor) -> Tensor:
        """0 or 1."""
        return rng.bernoulli(torch.sigmoid(o))

    def inverse_mean(self, m: Tensor) -> Tensor:
        """The logit."""
        return torch.logit(m.clamp(0.005, 0.995))


class ContinuousBernoulli(_Unit):
    """p(x) = C(o) sigmoid(o)^x sigmoid(-o)^(1 - x), a density on [0, 1].

    Loaiza-Ganem and Cunningham, The continuous Bernoulli (2019), https://arxiv.org/abs/1907.06845. In the natural
    parameter o, with s(o) = sinh(o/2) / (o/2): log p(x) = o (x - 1/2) - log s(o).
    """

    name = "continuous_bernoulli"
    mean_function = "continuous_bernoulli"

    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """o (x - 1/2) - log(sinh(o/2) / (o/2))."""
        return o * (x - 0.5) - _log_sinhc(o)

    def mean(self, o: Tensor) -> Tensor:
        """1 / (1 - exp(-o)) - 1/o, with its series near 0, where both terms diverge."""
        near = o.abs() < 0.1
        safe = torch.where(near, torch.ones_like(o), o)
        far = 1 / (-torch.expm1(-safe.abs())) - 1 / safe.abs()
        far = torch.where(safe > 0, far, 1 - far)
        return torch.where(near, 0.5 + o / 12 - o**3 / 720, far)

    def sample(self, o: Tensor) -> Tensor:
        """The inverse of the distribution function at a uniform draw: log(1 + u (exp(o) - 1)) / o."""
        u = rng.rand_like(o)
        near = o.abs() < 1e-3
        safe = torch.where(near, torch.ones_like(o), o).abs()
        # for o > 0, factor exp(o) out so that it cannot overflow; for o < 0, mirror x -> 1 - x
        draw = 1 + torch.log(u + (1 - u) * torch.exp(-safe)) / safe
        return torch.where(near, u, torch.where(o > 0, draw, 1 - draw)).clamp(0, 1)

    def inverse_mean(self, m: Tensor) -> Tensor:
        """By bisection, which has no trouble anywhere in the range."""
        m = m.clamp(0.005, 0.995)
        low, high = torch.full_like(m, -250.0), torch.full_like(m, 250.0)
        for _ in range(60):
            middle = (low + high) / 2
            below = self.mean(middle) < m
            low, high = torch.where(below, middle, low), torch.where(below, high, middle)
        return (low + high) / 2


class Gaussian(Likelihood):
    """N(m, scale^2), one scale for all entries, learned; m = o, or sigmoid(o) where the data lie in [0, 1].

    The scale is the maximum-likelihood one: the root of a running mean of the squared error (Rybkin et al., Simple and
    effective VAE training with calibrated decoders, 2021, https://arxiv.org/abs/2006.13202). So the gradient with
    respect to the mean is that of a squared error, and its weight against the other costs needs no tuning.

    Parameters
    ----------
    bounded : whether m passes through a sigmoid.
    each : None, or the smallest scale there is where each example is scored with a scale of its own, the likeliest.
        That maximises the mean of their peak signal-to-noise ratios; for examples that are not equally hard.
    """

    name = "gaussian"
    support = "(-inf, inf)"
    variance: Tensor
    seen: Tensor

    def __init__(self, bounded: bool = False, each: float | None = None) -> None:
        super().__init__()
        self.bounded, self.each = bounded, each
        self.mean_function = "sigmoid" if bounded else "identity"
        self.register_buffer("variance", torch.tensor(1.0))
        self.register_buffer("seen", torch.tensor(0.0))

    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """-((x - m) / scale)^2 / 2 - log scale - log(2 pi) / 2."""
        error = (x - self.mean(o)).square()
        if self.each is None:
            variance = self.variance.clamp(min=_SMALLEST_SCALE**2)
        else:  # the likeliest scale has no gradient
            variance = error.detach().mean(tuple(range(1, error.dim())), keepdim=True) + self.each**2
        return -0.5 * (error / variance + variance.log() + _LOG_2PI)

    @torch.no_grad()
    def update_scale(self, o: Tensor, x: Tensor, weight: Tensor | None = None) -> None:
        """Take a training batch's squared error into the running mean."""
        error = (x - self.mean(o)).square()
        if weight is None:
            error = batch_mean(error.mean())
        else:
            total, observed = batch_sum(torch.stack([(error * weight).sum(), weight.sum()]))
            error = total / observed.clamp(min=1)
        # an average of all batches at first, then of about the last hundred
        self.seen.add_(1)
        self.variance.lerp_(error.to(self.variance.dtype), (1 / self.seen).clamp(min=0.01))

    def mean(self, o: Tensor) -> Tensor:
        """o or sigmoid(o)."""
        return torch.sigmoid(o) if self.bounded else o

    def sample(self, o: Tensor) -> Tensor:
        """m + scale * eps, brought back into [0, 1] where m is bounded."""
        x = self.mean(o) + self.variance.sqrt().clamp(min=_SMALLEST_SCALE) * rng.randn_like(o)
        return x.clamp(0, 1) if self.bounded else x

    def inverse_mean(self, m: Tensor) -> Tensor:
        """m or its logit."""
        return torch.logit(m.clamp(0.005, 0.995)) if self.bounded else m

    def contains(self, x: Tensor) -> Tensor:
        """Everything finite."""
        return torch.isfinite(x)


class HeteroscedasticGaussian(Likelihood):
    """N(m, s^2), mean and scale of each entry given by the decoder.

        o = (o_1, o_2)    m = o_1, or sigmoid(o_1) where the data lie in [0, 1]    log s = c + softplus(o_2 - c)

    c is the log of the smallest scale, so that data that a model reproduces exactly do not send the likelihood to
    infinity. Nix and Weigend, Estimating the mean and variance of the target probability distribution (1994),
    https://doi.org/10.1109/ICNN.1994.374138.

    Parameters
    ----------
    bounded : whether m passes through a sigmoid.

    >>> import torch
    >>> HeteroscedasticGaussian().params_shape((3, 8, 8))
    (6, 8, 8)
    """

    name = "heteroscedastic"
    support = "(-inf, inf)"
    n_params = 2

    def __init__(self, bounded: bool = False) -> None:
        super().__init__()
        self.bounded = bounded

    def split(self, o: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log scale, B x shape each."""
        m, s = o.chunk(2, 1)
        return torch.sigmoid(m) if self.bounded else m, _LOG_FLOOR + F.softplus(s - _LOG_FLOOR)

    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """-((x - m) / s)^2 / 2 - log s - log(2 pi) / 2."""
        m, log_s = self.split(o)
        return -0.5 * ((x - m) * (-log_s).exp()).square() - log_s - 0.5 * _LOG_2PI

    def mean(self, o: Tensor) -> Tensor:
        """m."""
        return self.split(o)[0]

    def sample(self, o: Tensor) -> Tensor:
        """m + s * eps, brought back into [0, 1] where m is bounded."""
        m, log_s = self.split(o)
        x = m + log_s.exp() * rng.randn_like(m)
        return x.clamp(0, 1) if self.bounded else x

    def inverse_mean(self, m: Tensor) -> Tensor:
        """m or its logit, and a scale of about 1."""
        return torch.cat([torch.logit(m.clamp(0.005, 0.995)) if self.bounded else m, torch.zeros_like(m)])

    def contains(self, x: Tensor) -> Tensor:
        """Everything finite."""
        return torch.isfinite(x)


class Poisson(_Counts):
    """Counts with rate exp(o): log p(x) = x o - exp(o) - log x!."""

    name = "poisson"

    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """x o - exp(o) - log x!."""
        o = o.clamp(max=_LARGEST_LOG_COUNT)
        return x * o - o.exp() - torch.lgamma(x + 1)

    def sample(self, o: Tensor) -> Tensor:
        """A count."""
        return rng.poisson(self.mean(o))


class NegativeBinomial(_Counts):
    """Counts of mean m = exp(o) and variance m + m^2 / r, with one learned dispersion r for all entries.

    As in scVI, Lopez et al. (2018), https://doi.org/10.1038/s41592-018-0229-2:
    log p(x) = log G(x + r) - log G(r) - log x! + r log(r / (r + m)) + x log(m / (r + m)).
    """

    name = "negative_binomial"

    def __init__(self) -> None:
        super().__init__()
        self.log_dispersion = nn.Parameter(torch.tensor(0.0))

    def log_prob(self, o: Tensor, x: Tensor) -> Tensor:
        """The formula above, in logarithms throughout."""
        o = o.clamp(max=_LARGEST_LOG_COUNT)
        log_r = self.log_dispersion.clamp(-10, 10).to(o.dtype)
        r = log_r.exp()
        total = torch.logaddexp(log_r, o)
        nats = r * (log_r - total) + x * (o - total)
        return nats + torch.lgamma(x + r) - torch.lgamma(r) - torch.lgamma(x + 1)

    def sample(self, o: Tensor) -> Tensor:
        """Poisson with a gamma-distributed rate."""
        r = self.log_dispersion.clamp(-10, 10).exp().expand_as(o)
        return rng.poisson(rng.gamma(r, r / self.mean(o)))


LIKELIHOODS: dict[str, type[Likelihood]] = {
    c.name: c for c in (Bernoulli, ContinuousBernoulli, Gaussian, HeteroscedasticGaussian, Poisson, NegativeBinomial)
}


def choose(name: str, schema: Schema) -> tuple[Likelihood, str]:
    """The likelihood called `name`, or for "auto" the one that fits the data, and the reason.

    Parameters
    ----------
    name : a key of `LIKELIHOODS`, or "auto".
    schema : what the data look like.
    """
    if name != "auto":
        if name not in LIKELIHOODS:
            raise ValueError(f"Unknown likelihood {name!r}. {did_you_mean(name, [*LIKELIHOODS, 'auto'])}")
        return _build(name, schema), "as asked"
    if schema.support == "binary":
        return _build("bernoulli", schema), "the values are 0 and 1"
    if schema.support == "count":
        return _build("negative_binomial", schema), "the values are counts, at least half of them 0"
    if schema.support == "real":
        return _build("gaussian", schema), "the values are real numbers"
    return _build("gaussian", schema), "the values lie in [0, 1], to which the mean is bound; minimises squared error"


def _build(name: str, schema: Schema) -> Likelihood:
    bounded = schema.support in ("unit", "binary")
    if name == "gaussian":
        return Gaussian(bounded)
    return HeteroscedasticGaussian(bounded) if name == "heteroscedastic" else LIKELIHOODS[name]()


def _log_sinhc(o: Tensor) -> Tensor:
    """log(sinh(o/2) / (o/2)), by its series o^2/24 - o^4/2880 near 0."""
    near = o.abs() < 0.1
    a = torch.where(near, torch.ones_like(o), o).abs()
    far = a / 2 + torch.log(-torch.expm1(-a)) - torch.log(a)
    return torch.where(near, o**2 / 24 - o**4 / 2880, far)
