"""A discrete code that becomes finer level by level: each level quantises what the levels before it leave over.

    r_1 = h    k_q = argmin_k |r_q - e_q[k]|    r_(q+1) = r_q - e_q[k_q]        z_q = e_1[k_1] + ... + e_q[k_q]
    commitment = sum_q |h - sg(z_q)|^2

sg stops gradients; the gradients of z = z_Q go to h unchanged (straight through). The best of all combinations of
vectors is not the greedy one, so a search keeps the `_PATHS` best sums from level to level.

Lee et al., Autoregressive image generation using residual quantization (2022), https://arxiv.org/abs/2203.01941;
prefixes in training: Zeghidour et al., SoundStream (2021), https://arxiv.org/abs/2107.03312.
"""

from __future__ import annotations

import torch
from torch import Tensor

from narrows import rng
from narrows.bottlenecks.quantized import DISTANCES, Codebooks
from narrows.types import Code

_PATHS = 8  # sums that the search keeps from one level to the next


class ResidualQuantizer(Codebooks):
    """A code of `n_components` numbers, the sum of one learned vector from each of `n_levels` codebooks.

    The sum of the first vectors alone is a coarser code: `from_indices(index[:, :q])` is z_q.

    Parameters
    ----------
    n_components : L, the length of the vectors.
    n_codes : K, the number of learned vectors of each level.
    n_levels : Q, the number of levels.
    prefix_share : share of the examples of a training batch of which only a random number of first levels is kept, so
        that the decoder learns coarser codes, too.

    >>> import torch
    >>> quantizer = ResidualQuantizer(4, n_codes=8, n_levels=3).eval()
    >>> index = quantizer.indices(torch.randn(5, 4))
    >>> index.shape, quantizer.from_indices(index[:, :1]).shape
    (torch.Size([5, 3]), torch.Size([5, 4]))
    """

    n_steps: Tensor

    def __init__(self, n_components: int, n_codes: int = 256, n_levels: int = 4, prefix_share: float = 0.0) -> None:
        super().__init__(n_levels, n_codes, n_components)
        self.n_components = self.n_inputs = n_components
        self.n_levels, self.prefix_share = n_levels, prefix_share
        self.register_buffer("n_steps", torch.zeros((), dtype=torch.int64))
        self.counts.zero_()
        self.sums.zero_()
        self.codebook[1:].zero_()

    def forward(self, h: Tensor) -> Code:
        """Return the sum of the vectors (B x L), and the squared distances to the sums of all levels as a cost."""
        h = _at_least_single(h)
        index = self.indices(h)
        vectors = self.look_up(index)
        sums = vectors.cumsum(1)
        if self.training:
            self.update(h.detach()[:, None] - (sums - vectors), index)
            self.n_steps.add_(1)
            self._await_levels()
        z = self._drop_levels(sums) if self.training and self.prefix_share > 0 else sums[:, -1]
        return Code(h + (z - h).detach(), {"commitment": (h[:, None] - sums).square().sum((1, 2))})

    def encode(self, h: Tensor) -> Tensor:
        """Return the sum of the vectors (B x L)."""
        return self.from_indices(self.indices(h))

    def from_indices(self, index: Tensor) -> Tensor:
        """Return the sums of the vectors (n x L) of their numbers: n x Q, or n x q for the first q levels."""
        return self.look_up(index).cumsum(1)[:, -1]

    def indices(self, z: Tensor) -> Tensor:
        """Return the numbers of the vectors whose sum is nearest to z (B x L): B x Q integers from 0 to K - 1."""
        z = _at_least_single(z)
        rows = max(1, DISTANCES // (_PATHS * self.n_codes))
        with torch.autocast(z.device.type, enabled=False):  # bfloat16 cannot tell near vectors apart
            parts = [self._search(part) for part in z.split(rows)]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _search(self, z: Tensor) -> Tensor:
        """Return the indices (B x Q) of the best sum that is found for z (B x L)."""
        residual = z[:, None]  # B x paths x L
        paths = torch.zeros(len(z), 1, 0, dtype=torch.int64, device=z.device)
        for vectors in self.codebook.to(z.dtype):
            # |r - e|^2 = |r|^2 - 2 r.e + |e|^2
            distances = residual.square().sum(2, keepdim=True) - 2 * residual @ vectors.t() + vectors.square().sum(1)
            n_paths = min(_PATHS, distances.shape[1] * self.n_codes)
            best = distances.flatten(1).topk(n_paths, largest=False).indices
            parent, k = best // self.n_codes, best % self.n_codes
            residual = _pick(residual, parent) - vectors[k]
            paths = torch.cat([_pick(paths, parent), k[..., None]], 2)
        return paths[:, 0]  # topk sorts

    @torch.no_grad()
    def _await_levels(self) -> None:
        """Start each level a step after the one before it: its vectors are 0 and dead until then.

        They then move to residuals, so that each level starts at the size of what it has to quantise.
        """
        awaits = torch.arange(self.n_levels, device=self.counts.device) >= self.n_steps
        self.counts.masked_fill_(awaits[:, None], 0)
        for vectors in (self.sums, self.codebook):
            vectors.masked_fill_(awaits[:, None, None], 0)

    def _drop_levels(self, sums: Tensor) -> Tensor:
        """Return, for a share of the rows, the sum of a random number of first levels, otherwise of all: B x L."""
        draw = rng.rand_like(sums[:, 0, 0]) / self.prefix_share
        n_kept = (1 + (draw * self.n_levels).long()).clamp(max=self.n_levels)
        return _pick(sums, n_kept[:, None] - 1)[:, 0]


def _pick(rows: Tensor, index: Tensor) -> Tensor:
    """Return rows[b, index[b, m]] for each b and m: rows are B x P x D, `index` is B x M, the result B x M x D."""
    return rows.gather(1, index[..., None].expand(-1, -1, rows.shape[2]))


def _at_least_single(h: Tensor) -> Tensor:
    return h.to(torch.promote_types(h.dtype, torch.float32))
