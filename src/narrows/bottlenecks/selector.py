"""A code that is some of the input's columns.

    z_i = sum_j w_ij x_j,   w_i = softmax((log a_i + g_i) / T),   g ~ Gumbel(0, 1)        in training
    z_i = x_j(i),           j(i) = argmax_j log a_ij                                      afterwards

The temperature T falls from 10 to 0.01 in the training, so that each w_i becomes a choice of one column. Abid, Balin
and Zou, Concrete autoencoders: Differentiable feature selection and reconstruction (2019),
https://arxiv.org/abs/1901.09346; relaxed choices: Maddison, Mnih and Teh (2017), https://arxiv.org/abs/1611.00712.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from narrows import rng
from narrows.batch_sharding import draw_without_rows
from narrows.bottlenecks.base import Bottleneck
from narrows.types import Code

_FIRST, _LAST = 10.0, 0.01  # temperatures
_SPREAD = 30.0  # logits per unit of the parameter, which moves by about the learning rate in a step


class Selector(Bottleneck):
    """Each component is one of the encoder's outputs.

    Parameters
    ----------
    n_components : L.
    n_columns : number of columns to choose from.
    """

    is_separable = True
    no_decay = ("raw_logits",)
    temperature: Tensor

    def __init__(self, n_components: int, n_columns: int) -> None:
        super().__init__()
        self.n_components, self.n_inputs = n_components, n_columns
        self.raw_logits = nn.Parameter(torch.randn(n_components, n_columns) * (0.1 / _SPREAD))
        # a tensor, so that a change does not compile the step again
        self.register_buffer("temperature", torch.tensor(_FIRST), persistent=False)

    @property
    def logits(self) -> Tensor:
        """Logits log a: L x n_columns."""
        return _SPREAD * self.raw_logits

    @property
    def selected(self) -> Tensor:
        """The chosen column of each component: L integers."""
        return self.logits.argmax(1)

    def forward(self, h: Tensor) -> Code:
        """Return a random mixture of columns in training, and the chosen columns otherwise (B x L)."""
        if not self.training:
            return Code(self.encode(h), {})
        logits = self.logits
        with draw_without_rows():  # L may be the length of the batch
            noise = rng.exponential_like(logits.detach())
        gumbel = -noise.clamp(min=torch.finfo(noise.dtype).tiny).log()
        weights = ((logits + gumbel) / self.temperature).softmax(1)
        return Code(h.to(weights.dtype) @ weights.T, {})

    def encode(self, h: Tensor) -> Tensor:
        """Return the chosen columns (B x L)."""
        return h.index_select(1, self.selected)

    def advance(self, progress: float) -> None:
        """Lower the temperature."""
        self.temperature.fill_(_FIRST * (_LAST / _FIRST) ** progress)
