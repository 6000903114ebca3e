"""The code of a VAE as categories: G groups of K columns, with a 1 in the column of each group's value.

    h = logits of q(k_g | x)    p(k_g) = 1/K    kl = sum_g sum_k q_g(k) log(K q_g(k))        nats
    in training   z_g = softmax((log q_g + gumbel) / t),  gumbel = - log(- log u),  u = Phi(eps) ~ U(0, 1)
    otherwise     z_g = one_hot(argmax(log q_g + gumbel)), an exact draw from q_g

The draws of a training are relaxed, so that gradients pass. The temperature t falls from `_FIRST` to `_LAST`, which
makes them ever more like exact ones. Scores, samples and codes are those of the discrete model.

Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax (2017), https://arxiv.org/abs/1611.01144;
Maddison, Mnih and Teh, The concrete distribution (2017), https://arxiv.org/abs/1611.00712.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows.bottlenecks.base import Sample, Stochastic, active_components
from narrows.bottlenecks.discrete import Discrete

_FIRST, _LAST = 1.0, 0.5  # temperatures of the relaxed draws


class Categorical(Stochastic, Discrete):
    """A draw of one of K values for each of G groups, as G K columns of which G are 1. The prior is uniform.

    In training `log_q` is that of the relaxed draw, sum_k z_k log q(k), which is exact for a draw that is not relaxed.

    Parameters
    ----------
    n_components : L = G K.
    n_categories : K, which must divide L.

    Raises
    ------
    ValueError
        If `n_categories` does not divide L.

    >>> import torch
    >>> Categorical(6, n_categories=3).encode(torch.tensor([[0.0, 2.0, 1.0, 0.5, 0.0, 0.0]])).tolist()
    [[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]]
    """

    has_categories = True
    is_overcomplete = True  # a column is less than a number: K of them are log2 K bits
    temperature: Tensor

    def __init__(self, n_components: int, n_categories: int = 10) -> None:
        super().__init__()
        if n_components % n_categories:
            raise ValueError(
                f"The `n_categories` parameter of Categorical must divide n_components, {n_components}. Got "
                f"{n_categories} instead."
            )
        self.n_components = self.n_inputs = self.n_noise = self.n_prior_noise = n_components
        self.n_unscaled_noise = n_components  # no category is more usual than another under the prior
        self.n_categories, self.n_values = n_categories, (n_categories,) * (n_components // n_categories)
        self.register_buffer("temperature", torch.tensor(_FIRST))

    def advance(self, progress: float) -> None:
        """Lower the temperature from `_FIRST` to `_LAST`, by the same factor in each part of the training."""
        self.temperature.fill_(_FIRST * (_LAST / _FIRST) ** progress)

    def log_probs(self, h: Tensor) -> Tensor:
        """Return log q(k | x) in nats (B x G x K), in at least single precision."""
        return self._groups(h.to(torch.promote_types(h.dtype, torch.float32))).log_softmax(2)

    def sample(self, h: Tensor, eps: Tensor) -> Sample:
        """Draw the columns (B x L): relaxed ones in training, otherwise exact ones."""
        log_q = self.log_probs(h)
        scores = log_q + _gumbel(self._groups(eps.to(log_q.dtype)))
        z = (scores / self.temperature).softmax(2) if self.training else self._one_hot(scores.argmax(2), log_q.dtype)
        z = z.flatten(1)
        return Sample(z, (z * log_q.flatten(1)).sum(1), self.log_prior(z))

    def from_prior(self, eps: Tensor) -> Tensor:
        """Draw the columns (n x L) with equal probabilities."""
        return self._one_hot(_gumbel(self._groups(eps)).argmax(2), eps.dtype).flatten(1)

    def log_prior(self, z: Tensor) -> Tensor:
        """Return - G log K (B)."""
        return z.new_full((len(z),), -self.most_nats)

    @property
    def most_nats(self) -> float:
        """The largest KL: G log K nats."""
        return len(self.n_values) * math.log(self.n_categories)

    def kl_per_component(self, h: Tensor) -> Tensor:
        """Return the KL of each group, in equal parts for its columns (B x L)."""
        log_q = self.log_probs(h)
        kl = (log_q.exp() * (log_q + math.log(self.n_categories))).mean(2, keepdim=True)
        return kl.expand_as(log_q).flatten(1)

    @property
    def prior_std(self) -> Tensor:
        """Standard deviation of a column that is 1 with probability 1/K (L)."""
        p = 1 / self.n_categories
        return torch.full((self.n_components,), math.sqrt(p * (1 - p)))

    @property
    def n_modes(self) -> int:
        """K, if there is one category; otherwise 0."""
        return self.n_categories if len(self.n_values) == 1 else 0

    def mode_probs(self, z: Tensor) -> Tensor | None:
        """Return the columns (B x K) of one category: 1 for its value."""
        return z if self.n_modes else None

    def encode(self, h: Tensor) -> Tensor:
        """Return the columns of the likeliest values (B x L)."""
        h = h.to(torch.promote_types(h.dtype, torch.float32))
        return self._one_hot(self.indices(h), h.dtype).flatten(1)

    def indices(self, z: Tensor) -> Tensor:
        """Return the column with the largest number in each group: n x G."""
        return self._groups(z).argmax(2)

    def from_indices(self, index: Tensor) -> Tensor:
        """Return the columns (n x L) of the values (n x G)."""
        return self._one_hot(index, self.temperature.dtype).flatten(1)

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `active_components`, the number of columns that differ between examples, and the use of values."""
        return {"active_components": float(active_components(self.encode(h)).sum()), **Discrete.health(self, h)}

    def interpolate(self, first: Tensor, last: Tensor, t: Tensor) -> Tensor:
        """Return codes (n x L) that change from `first` to `last` one group after the other."""
        a, b = self.indices(first[None]), self.indices(last[None])
        differs = a != b
        # the j-th of the m groups that differ changes at t = (j - 1/2) / m
        when = (differs.cumsum(1) - 0.5) / differs.sum().clamp(min=1)
        return self.from_indices(torch.where(t < when, a, b)).to(first.dtype)

    def _groups(self, z: Tensor) -> Tensor:
        """Return z as B x G x K."""
        return z.unflatten(1, (len(self.n_values), self.n_categories))

    def _one_hot(self, index: Tensor, dtype: torch.dtype) -> Tensor:
        """Return the columns (B x G x K) of the values `index` (B x G)."""
        return F.one_hot(index, self.n_categories).to(dtype)


def _gumbel(eps: Tensor) -> Tensor:
    """Return - log(- log Phi(eps)) for eps ~ N(0, 1): a draw from the Gumbel distribution."""
    nats = -torch.special.log_ndtr(eps)
    return -nats.clamp(min=torch.finfo(nats.dtype).tiny).log()
