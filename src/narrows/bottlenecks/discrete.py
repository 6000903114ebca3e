"""The interface of discrete codes: each code is a list of G whole numbers, its indices.

z = f(k),  k = (k_1, ..., k_G),  k_g in {0, ..., K_g - 1}        sum_g log2 K_g bits
perplexity of k_g = exp(- sum_k p(k) log p(k)),  p: the frequencies of its values over examples
"""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from narrows.batch_sharding import batch_sum
from narrows.bottlenecks.base import Bottleneck


class Discrete(Bottleneck):
    """Abstract: a code that stands for whole numbers. It is a sum of what each index adds to it.

    Attributes
    ----------
    n_values : K_g, the number of values of each index: G numbers.
    """

    n_values: tuple[int, ...]

    @abstractmethod
    def indices(self, z: Tensor) -> Tensor:
        """Return the indices of the code nearest to each z (n x L): n x G integers."""

    @abstractmethod
    def from_indices(self, index: Tensor) -> Tensor:
        """Return the codes (n x L) of the indices (n x G integers)."""

    @property
    def bits(self) -> float:
        """Number of bits that store a code."""
        return float(torch.tensor(self.n_values, dtype=torch.float64).log2().sum())

    def project(self, z: Tensor) -> Tensor:
        """Return the code nearest to each z (n x L)."""
        return self.from_indices(self.indices(z)).to(z.dtype)

    def health(self, h: Tensor) -> dict[str, float]:
        """Return `codes_used`, the share of values that occur, and `perplexity`, both as means over the G indices."""
        counts = self.count_values(self.indices(self.encode(h))).split(self.n_values)
        shares = [count / count.sum().clamp(min=1) for count in counts]
        perplexities = [torch.special.entr(share).sum().exp() for share in shares]
        return {
            "codes_used": float(torch.stack([(count > 0).double().mean() for count in counts]).mean()),
            "perplexity": float(torch.stack(perplexities).mean()),
        }

    def count_values(self, index: Tensor) -> Tensor:
        """Return how many rows of `index` (n x G) have each value, one index after the other: sum_g K_g numbers."""
        sizes = torch.tensor(self.n_values, device=index.device)
        place = (index + sizes.cumsum(0) - sizes).flatten()
        counts = torch.zeros(sum(self.n_values), dtype=torch.float32, device=index.device)
        return batch_sum(counts.index_add(0, place, torch.ones_like(place, dtype=counts.dtype)))
