"""What label an example has, as far as the encoder can tell: the parts that let a model learn from few labels.

    q(y | x) = softmax(W h + b)             h: what the encoder gives
    label    = - log q(y | x)               where the label is known, otherwise 0
    kl_label = KL(q(y | x) || p(y))         where it is not, otherwise 0; nats
    told     = y where it is known, otherwise softmax((log q(y | x) + g) / t),  g ~ Gumbel(0, 1)

`told` is what the decoder is given for the label: a draw from q(y | x), relaxed so that gradients pass.

Kingma, Rezende, Mohamed and Welling, Semi-supervised learning with deep generative models (2014: their model M2),
https://arxiv.org/abs/1406.5298; Jang, Gu and Poole, Categorical reparameterization with Gumbel-softmax (2017),
https://arxiv.org/abs/1611.01144.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows import rng

UNKNOWN = -1  # the number that stands for a label that is not known


class Guessed(NamedTuple):
    """What a decoder is told (B x C, rows sum to 1), and the costs: one value for each example (B), nats."""

    told: Tensor
    costs: dict[str, Tensor]


class Guess(nn.Module):
    """q(y | x).

    Parameters
    ----------
    n_inputs : the numbers that the encoder gives for each example.
    frequencies : p(y) of the C classes, above 0.
    temperature : t of the relaxed draw, above 0; that of Jang et al. for this use.

    >>> import torch
    >>> guess = Guess(3, [0.5, 0.5])
    >>> told, costs = guess(torch.zeros(2, 3), torch.tensor([1, UNKNOWN]))
    >>> told.sum(1).tolist(), bool(costs["label"][0] > 0), float(costs["label"][1].detach())
    ([1.0, 1.0], True, 0.0)
    """

    costs = ("label", "kl_label")

    log_frequencies: Tensor

    def __init__(self, n_inputs: int, frequencies: Sequence[float], temperature: float = 2 / 3) -> None:
        super().__init__()
        self.temperature = temperature
        self.logits = nn.Linear(n_inputs, len(frequencies))
        self.register_buffer("log_frequencies", torch.tensor(frequencies).log())

    def forward(self, h: Tensor, label: Tensor) -> Guessed:
        """What to tell the decoder, and what it costs; `label` is B integers, `UNKNOWN` where there is none."""
        log_q = self.log_probabilities(h)
        known = label != UNKNOWN
        told = F.one_hot(label.clamp(min=0), log_q.shape[1]).to(log_q.dtype)
        missed = torch.where(known, -(log_q * told).sum(1), 0.0)
        kl = torch.where(known, 0.0, (log_q.exp() * (log_q - self.log_frequencies)).sum(1))
        gumbel = -rng.exponential_like(log_q).clamp(min=1e-20).log()
        drawn = ((log_q + gumbel) / self.temperature).softmax(1)
        return Guessed(torch.where(known[:, None], told, drawn), {"label": missed, "kl_label": kl})

    def log_probabilities(self, h: Tensor) -> Tensor:
        """log q(y | x): B x C, nats, in at least single precision."""
        return self.logits(h).to(torch.promote_types(h.dtype, torch.float32)).log_softmax(1)


class Estimate(nn.Module):
    """The number that belongs to an example: N(y | w h + b, 1).

        label = (y - (w h + b))^2 / 2     nats, but for a constant

    Parameters
    ----------
    n_inputs : the numbers that the encoder gives for each example.

    >>> import torch
    >>> Estimate(3)(torch.zeros(2, 3), torch.tensor([0.0, 2.0])).costs["label"].tolist()
    [0.0, 2.0]
    """

    costs = ("label",)

    def __init__(self, n_inputs: int) -> None:
        super().__init__()
        self.mean = nn.Linear(n_inputs, 1)
        nn.init.zeros_(self.mean.bias)

    def forward(self, h: Tensor, label: Tensor) -> Guessed:
        """What it costs to estimate `label` (B floats); there is no decoder to be told."""
        found = self.estimates(h)
        return Guessed(found[:, None], {"label": 0.5 * (label.to(found.dtype) - found).square()})

    def estimates(self, h: Tensor) -> Tensor:
        """B, in at least single precision."""
        return self.mean(h).to(torch.promote_types(h.dtype, torch.float32)).squeeze(1)
