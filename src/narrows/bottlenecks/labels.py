"""Labels as a part of the code: the decoder gets them in addition to z, and a head infers missing ones.

    z        = (free code, label_probs)     B x (L + C)
    q(y | x) = softmax(W h + b)             h: the encoder's output
    label    = - log q(y | x)               where the label is known, otherwise 0; nats
    kl_label = KL(q(y | x) || p(y))         where it is missing, otherwise 0; nats
    label_probs = y where it is known, otherwise softmax((log q(y | x) + g) / t),  g ~ Gumbel(0, 1)

The last line is a draw from q(y | x), relaxed so that gradients pass.

Kingma, Rezende, Mohamed and Welling, Semi-supervised learning with deep generative models (2014: their model M2),
https://arxiv.org/abs/1406.5298; Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax (2017),
https://arxiv.org/abs/1611.01144.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.bottlenecks.base import Bottleneck, PriorCode, Sample, Stochastic, as_prior_code, as_stochastic
from narrows.bottlenecks.discrete import Discrete
from narrows.bottlenecks.gaussian import Gaussian
from narrows.bottlenecks.sparse import Sparse
from narrows.types import Code

UNKNOWN = -1  # the number that stands for a missing label


class LabelOutput(NamedTuple):
    """Columns of the label after a code (B x C, rows sum to 1), and the costs by name: nats of each example (B)."""

    label_probs: Tensor
    costs: dict[str, Tensor]


class LabelHead(nn.Module):
    """q(y | x), the class of an example, inferred from the encoder's output.

    Parameters
    ----------
    n_inputs : number of outputs of the encoder for each example.
    frequencies : p(y) of the C classes, above 0.
    temperature : t of the relaxed draw, above 0; the default is the value of Jang et al. for this use.

    >>> import torch
    >>> head = LabelHead(3, [0.5, 0.5])
    >>> label_probs, costs = head(torch.zeros(2, 3), torch.tensor([1, UNKNOWN]))
    >>> label_probs.sum(1).tolist(), bool(costs["label"][0] > 0), float(costs["label"][1].detach())
    ([1.0, 1.0], True, 0.0)
    """

    costs = ("label", "kl_label")

    log_frequencies: Tensor

    def __init__(self, n_inputs: int, frequencies: Sequence[float], temperature: float = 2 / 3) -> None:
        super().__init__()
        self.temperature = temperature
        self.logits = nn.Linear(n_inputs, len(frequencies))
        self.register_buffer("log_frequencies", torch.tensor(frequencies).log())

    def forward(self, h: Tensor, label: Tensor) -> LabelOutput:
        """Return columns and costs for h (B x n_inputs) and `label` (B integers, `UNKNOWN` where it is missing)."""
        log_q = self.log_probs(h)
        known = label != UNKNOWN
        columns = one_hot(label, log_q.shape[1], log_q.dtype)
        nats = torch.where(known, -(log_q * columns).sum(1), 0.0)
        kl = torch.where(known, 0.0, (log_q.exp() * (log_q - self.log_frequencies)).sum(1))
        gumbel = -rng.exponential_like(log_q).clamp(min=1e-20).log()
        draw = ((log_q + gumbel) / self.temperature).softmax(1)
        return LabelOutput(torch.where(known[:, None], columns, draw), {"label": nats, "kl_label": kl})

    def log_probs(self, h: Tensor) -> Tensor:
        """Return log q(y | x) in nats (B x C), in at least single precision."""
        return self.logits(h).to(torch.promote_types(h.dtype, torch.float32)).log_softmax(1)


class RegressionHead(nn.Module):
    """N(y | w h + b, 1), a number inferred from the encoder's output.

        label = (y - (w h + b))^2 / 2     nats, up to a constant

    Parameters
    ----------
    n_inputs : number of outputs of the encoder for each example.

    >>> import torch
    >>> RegressionHead(3)(torch.zeros(2, 3), torch.tensor([0.0, 2.0])).costs["label"].tolist()
    [0.0, 2.0]
    """

    costs = ("label",)

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.mean = nn.Linear(n_inputs, 1)
        nn.init.zeros_(self.mean.bias)

    def forward(self, h: Tensor, label: Tensor) -> LabelOutput:
        """Return the estimates (B x 1) and their cost for h (B x n_inputs); `label` is B floats."""
        estimates = self.estimates(h)
        return LabelOutput(estimates[:, None], {"label": 0.5 * (label.to(estimates.dtype) - estimates).square()})

    def estimates(self, h: Tensor) -> Tensor:
        """Return the estimates of y (B), in at least single precision."""
        return self.mean(h).to(torch.promote_types(h.dtype, torch.float32)).squeeze(1)


class Label(nn.Module):
    """The columns of the label after a code.

    Parameters
    ----------
    frequencies : p(y) of the C classes, above 0.
    head : q(y | x) for labels that are missing; None where every example has one.
    """

    log_frequencies: Tensor

    def __init__(self, frequencies: Sequence[float], head: LabelHead | None = None) -> None:
        super().__init__()
        self.n_classes, self.head = len(frequencies), head
        self.costs: tuple[str, ...] = () if head is None else head.costs
        self.register_buffer("log_frequencies", torch.tensor(frequencies).log())

    def forward(self, h: Tensor, label: Tensor) -> LabelOutput:
        """Return the columns (B x C) and their costs; `label` is B integers, `UNKNOWN` where the head infers it."""
        return LabelOutput(self.one_hot(label, h), {}) if self.head is None else self.head(h, label)

    def one_hot(self, label: Tensor, like: Tensor) -> Tensor:
        """Return B class numbers as B x C with a 1 in the class's column, in the dtype of `like`."""
        return one_hot(label, self.n_classes, like.dtype)


def one_hot(label: Tensor, n_classes: int, dtype: torch.dtype) -> Tensor:
    """Return B class numbers as B x C with a 1 in the class's column; a row of 0 for `UNKNOWN`."""
    return (label[:, None] == torch.arange(n_classes, device=label.device)).to(dtype)


class Joint(Stochastic):
    """A code followed by the columns of its label. It makes any code conditional.

    The costs, the prior, the dials and `encode` come from the free part, `Code.free`. The encoder sees only the
    example, q(z | x), so that codes need no label. The code is stochastic, or sparse, if its free part is.

    Parameters
    ----------
    free : bottleneck of the free part.
    label : columns of the label. If it has a head, the encoder gives C more numbers than `free` needs, and the head
        reads all of them.
    """

    def __init__(self, free: Bottleneck, label: Label) -> None:
        super().__init__()
        self.free, self.label = free, label
        self.n_components, self.n_classes = free.n_components, label.n_classes
        self.n_inputs = free.n_inputs + (0 if label.head is None else label.n_classes)
        self.costs = (*free.costs, *label.costs)
        self.is_stochastic, self.has_prior, self.is_sparse = free.is_stochastic, free.has_prior, free.is_sparse
        self.is_overcomplete, self.needs_gradient = free.is_overcomplete, free.needs_gradient
        self.default_sampler, self.weight_decay = free.default_sampler, free.weight_decay
        stochastic, prior_code = as_stochastic(free), as_prior_code(free)
        self.n_noise = 0 if stochastic is None else stochastic.n_noise
        self.n_prior_noise = 0 if prior_code is None else prior_code.n_prior_noise
        self.n_unscaled_noise = 0 if prior_code is None else prior_code.n_unscaled_noise
        self.has_categories = stochastic is not None and stochastic.has_categories
        self.uses_likelihood = stochastic is not None and stochastic.uses_likelihood

    @property
    def aux_active(self) -> int:
        """Number of dead units from which the free part makes an auxiliary code."""
        return self.free.aux_active

    @aux_active.setter
    def aux_active(self, aux_active: int) -> None:
        self.free.aux_active = aux_active

    def forward(self, h: Tensor, label: Tensor | None = None) -> Code:
        """Return the code with its label's columns; without `label` (B integers) the free part alone."""
        code = self.free(self._free_inputs(h))
        if label is None:
            return code
        label_probs, costs = self.label(h, label)
        z = code.z
        joined = torch.cat([z, label_probs.to(z.dtype)], 1)
        gates = code.gate_code
        if gates is not None:
            assert isinstance(gates, Tensor)  # the free part gets a dense h
            gates = torch.cat([gates, label_probs.to(gates.dtype)], 1)
        costs = {**code.costs, **costs}
        return Code(joined, costs, code.aux_code, n_classes=self.n_classes, gate_code=gates)

    def encode(self, h: Tensor) -> Tensor:
        """Return the code of the free part (B x L)."""
        return self.free.encode(self._free_inputs(h))

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw the free part (B x L) from its posterior."""
        return self._stochastic.sample(self._free_inputs(h), eps)

    def sample_given(self, h: Tensor, eps: Tensor, log_likelihood: Callable[[Tensor], Tensor]) -> Sample:
        """Draw the free part (B x L) from its posterior, given log p(x | z) as a function of the free part."""
        return self._stochastic.sample_given(self._free_inputs(h), eps, log_likelihood)

    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw the free part (n x L) from its prior."""
        return self._prior_code.from_prior(eps)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return the log density of the free part under its prior (B)."""
        return self._prior_code.log_prior(z)

    def kl_per_component(self, h: Tensor) -> Tensor | None:
        """Return the KL of each component of the free part (B x L), or None."""
        return self._stochastic.kl_per_component(self._free_inputs(h))

    def kl(self, h: Tensor) -> Tensor | None:
        """Return the KL of the free part (B), or None."""
        return self._stochastic.kl(self._free_inputs(h))

    @property
    def prior_std(self) -> Tensor | None:
        """Standard deviation of the free part under its prior (L), or None."""
        return self._stochastic.prior_std

    @property
    def n_start_rows(self) -> int:
        """Number of training rows from which the prior of the free part starts."""
        return self.free.n_start_rows

    def start_prior(self, x: Tensor, h: Tensor) -> None:
        """Start the prior of the free part."""
        self.free.start_prior(x, self._free_inputs(h))

    @property
    def n_modes(self) -> int:
        """Number of modes of the prior; 0 if it is not a mixture."""
        return self._stochastic.n_modes

    def mode_probs(self, z: Tensor) -> Tensor | None:
        """Return p(k | z) of each mode of the free part's prior (B x K), or None."""
        return self._stochastic.mode_probs(z)

    def update_dead_units(self) -> None:
        """Update the state of the free part."""
        self.free.update_dead_units()

    def advance(self, progress: float) -> None:
        """Pass the progress of the training to the free part."""
        self.free.advance(progress)

    def health(self, h: Tensor) -> dict[str, float]:
        """Return the health of the free part."""
        return self.free.health(self._free_inputs(h))

    def project(self, z: Tensor) -> Tensor:
        """Return the nearest codes that the free part can give (n x L)."""
        return self.free.project(z)

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes on the path that the free part takes (n x L)."""
        return self.free.interpolate(first, last, t)

    @property
    def _stochastic(self) -> Stochastic:
        stochastic = as_stochastic(self.free)
        assert stochastic is not None
        return stochastic

    @property
    def _prior_code(self) -> PriorCode:
        prior_code = as_prior_code(self.free)
        assert prior_code is not None
        return prior_code

    def _free_inputs(self, h: Tensor) -> Tensor:
        """Return the numbers of h that the free part reads."""
        return h[..., : self.free.n_inputs]


def as_sparse(bottleneck: Bottleneck) -> Sparse | None:
    """Return the sparse bottleneck (the free part of a code with labels), or None for other codes."""
    if isinstance(bottleneck, Joint):
        return as_sparse(bottleneck.free)
    return bottleneck if isinstance(bottleneck, Sparse) else None


def as_discrete(bottleneck: Bottleneck) -> Discrete | None:
    """Return the discrete bottleneck (the free part of a code with labels), or None for other codes."""
    if isinstance(bottleneck, Joint):
        return as_discrete(bottleneck.free)
    return bottleneck if isinstance(bottleneck, Discrete) else None


def label_of(bottleneck: Bottleneck) -> Label | None:
    """Return the part that holds the labels, or None for a code without labels."""
    return bottleneck.label if isinstance(bottleneck, Joint) else None


def gaussian_posterior(bottleneck: Bottleneck, h: Tensor) -> tuple[Tensor, Tensor]:
    """Return the means and log standard deviations (B x L each) of a Gaussian code, from h (B x n_inputs).

    Raises
    ------
    ValueError
        If the posterior is not Gaussian.
    """
    free = bottleneck.free if isinstance(bottleneck, Joint) else bottleneck
    if not isinstance(free, Gaussian):
        raise ValueError(
            f"This cost needs the means and standard deviations of a Gaussian code. Got {type(free).__name__} instead."
        )
    return free.split(h[..., : free.n_inputs])
