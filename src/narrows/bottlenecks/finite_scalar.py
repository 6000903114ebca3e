"""A discrete code without learned vectors: each component is bounded and rounded to one of a few values.

    b_j = tanh(h_j)    k_j = round((b_j + 1) (K_j - 1) / 2)    z_j = 2 k_j / (K_j - 1) - 1        in [-1, 1]

The gradients of z go to b unchanged (straight through). For an odd K these are the paper's values, up to a scale. For
an even K the paper shifts tanh so that 0 is a value; here the values stay symmetric, and 0 lies between two of them.

Mentzer et al., Finite scalar quantization: VQ-VAE made simple (2023), https://arxiv.org/abs/2309.15505.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from narrows.bottlenecks.discrete import Discrete
from narrows.types import Code


class FiniteScalar(Discrete):
    """A code of `n_components` numbers, each one of a few evenly spaced values in [-1, 1].

    Parameters
    ----------
    n_components : L.
    n_values : K, at least 2: the number of values of each component; one number for all, or L numbers.

    Raises
    ------
    ValueError
        If `n_values` does not hold L numbers.

    >>> import torch
    >>> FiniteScalar(3, n_values=(2, 3, 5)).encode(torch.tensor([[0.1, 0.1, -0.5]])).tolist()
    [[1.0, 0.0, -0.5]]
    """

    steps: Tensor

    def __init__(self, n_components: int, n_values: int | Sequence[int] = 8) -> None:
        super().__init__()
        values = (n_values,) * n_components if isinstance(n_values, int) else tuple(n_values)
        if len(values) != n_components:
            raise ValueError(
                f"The `n_values` parameter of FiniteScalar must be one int, or one for each of {n_components} "
                f"components. Got {len(values)} ints instead."
            )
        self.n_components = self.n_inputs = n_components
        self.n_values = values
        self.register_buffer("steps", torch.tensor(values, dtype=torch.float32) - 1, persistent=False)

    def forward(self, h: Tensor) -> Code:
        """Return the rounded components (B x L); there is no cost."""
        bounded = self._bound(h)
        return Code(bounded + (self.project(bounded) - bounded).detach(), {})

    def encode(self, h: Tensor) -> Tensor:
        """Return the rounded components (B x L)."""
        return self.project(self._bound(h))

    def indices(self, z: Tensor) -> Tensor:
        """Return the number of the value nearest to each component of z (n x L), from 0 to K - 1."""
        return (0.5 * (z.clamp(-1, 1) + 1) * self.steps.to(z.dtype)).round().long()

    def from_indices(self, index: Tensor) -> Tensor:
        """Return the values (n x L) of their numbers (n x L)."""
        return 2 * index / self.steps - 1

    def _bound(self, h: Tensor) -> Tensor:
        """Return tanh(h), in at least single precision."""
        return h.to(torch.promote_types(h.dtype, torch.float32)).tanh()
