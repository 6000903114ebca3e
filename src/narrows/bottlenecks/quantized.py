"""Discrete codes of learned vectors: each group of components is the nearest of K.

    h = (h_1, ..., h_G), D numbers each    z_g = e_g[k],  k = argmin_k |h_g - e_g[k]|
    commitment = sum_g |h_g - sg(z_g)|^2

sg stops gradients; the gradients of z go to h unchanged (straight through). Each vector follows the mean of the h that
are nearest to it, as an exponential moving average. A vector that was nearest to none for a long time moves to a row of
the batch.

van den Oord, Vinyals and Kavukcuoglu, Neural discrete representation learning (2017), appendix A.1,
https://arxiv.org/abs/1711.00937; dead vectors: Dhariwal et al., Jukebox (2020), https://arxiv.org/abs/2005.00341.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from narrows import rng
from narrows.batch_sharding import batch_rows, batch_sum
from narrows.bottlenecks.discrete import Discrete
from narrows.types import Code

_DECAY = 0.99  # of the moving averages, in one step
_DEAD = 0.03  # a vector with fewer examples than this per step, on average, is dead
_EPS = 1e-5
DISTANCES = 1 << 24  # distances in memory at once: at inference there may be many rows


class Codebooks(Discrete):
    """Abstract: each index is the number of a vector in a codebook, which follows the vectors it stands for.

    Parameters
    ----------
    n_indices : G.
    n_codes : K, the number of vectors of each codebook.
    size : D, the length of a vector.
    is_shared : True if all indices have the same codebook; False if each has its own.
    """

    costs = ("commitment",)
    codebook: Tensor
    counts: Tensor
    sums: Tensor

    def __init__(self, n_indices: int, n_codes: int, size: int, is_shared: bool = False) -> None:
        super().__init__()
        self.n_codes, self.n_values, self.is_shared = n_codes, (n_codes,) * n_indices, is_shared
        n_codebooks = 1 if is_shared else n_indices
        vectors = torch.randn(n_codebooks, n_codes, size)
        self.register_buffer("codebook", vectors)
        self.register_buffer("counts", torch.ones(n_codebooks, n_codes))
        self.register_buffer("sums", vectors.clone())

    def look_up(self, index: Tensor) -> Tensor:
        """Return the vectors (B x g x D) of the numbers `index` (B x g) of the first g indices."""
        return self.each_codebook()[torch.arange(index.shape[1], device=index.device), index]

    def each_codebook(self) -> Tensor:
        """Return the codebook of each index, G x K x D."""
        return self.codebook.expand(len(self.n_values), -1, -1)

    @torch.no_grad()
    def update(self, groups: Tensor, index: Tensor) -> None:
        """Move vectors towards the groups (B x G x D) that chose them, and dead ones to rows of the batch."""
        counts, sums = self._sum_by_code(groups, index)
        if self.is_shared:
            counts, sums = counts.sum(0, keepdim=True), sums.sum(0, keepdim=True)
        counts, sums = batch_sum(counts), batch_sum(sums)
        self.counts.lerp_(counts.to(self.counts.dtype), 1 - _DECAY)
        self.sums.lerp_(sums.to(self.sums.dtype), 1 - _DECAY)
        all_groups = batch_rows(groups).to(self.sums.dtype)
        if self.is_shared:
            all_groups = all_groups.flatten(0, 1)[:, None]
        # a different row for each vector, if there are enough rows; drawn for all rows of a batch that processes share
        order = rng.rand_like(all_groups[:, 0, 0]).argsort()
        rows = order[torch.arange(self.n_codes, device=order.device) % len(order)]
        dead = (self.counts < _DEAD)[..., None]
        self.sums.copy_(torch.where(dead, all_groups[rows].transpose(0, 1), self.sums))
        self.counts.copy_(torch.where(dead[..., 0], torch.ones_like(self.counts), self.counts))
        self.codebook.copy_(self.sums / self.counts.clamp(min=_EPS)[..., None])

    def _sum_by_code(self, groups: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
        """Return how many groups (B x G x D) chose each vector, G x K, and their sums, G x K x D."""
        n_groups, size = groups.shape[1:]
        if groups.is_cuda:  # `index_add_` has no fixed order of sums there
            one_hot = F.one_hot(index, self.n_codes).to(groups.dtype)
            with torch.autocast("cuda", enabled=False):
                return one_hot.sum(0), torch.einsum("bgk,bgd->gkd", one_hot, groups)
        places = (index + self.n_codes * torch.arange(n_groups, device=index.device)).flatten()
        n_places = n_groups * self.n_codes
        sums = groups.new_zeros(n_places, size).index_add_(0, places, groups.flatten(0, 1))
        counts = groups.new_zeros(n_places).index_add_(0, places, torch.ones_like(places, dtype=groups.dtype))
        return counts.unflatten(0, (n_groups, self.n_codes)), sums.unflatten(0, (n_groups, self.n_codes))


class VectorQuantizer(Codebooks):
    """A code of `n_components` numbers in groups, each of which is one of `n_codes` learned vectors.

    Parameters
    ----------
    n_components : L = G D.
    n_codes : K, the number of learned vectors of each group.
    group_size : D, the number of components in a group; L must be a multiple of it.
    is_shared : True if all groups have the same vectors to choose from; False if each has its own.

    Raises
    ------
    ValueError
        If L is not a multiple of `group_size`.

    >>> import torch
    >>> quantizer = VectorQuantizer(4, n_codes=8, group_size=2).eval()
    >>> z = quantizer.encode(torch.randn(5, 4))
    >>> bool((quantizer.project(z) == z).all())
    True
    """

    def __init__(self, n_components: int, n_codes: int = 256, group_size: int = 1, *, is_shared: bool = False) -> None:
        if n_components % group_size:
            raise ValueError(
                f"The `group_size` parameter of VectorQuantizer must divide n_components, {n_components}. Got "
                f"{group_size} instead."
            )
        super().__init__(n_components // group_size, n_codes, group_size, is_shared)
        self.n_components = self.n_inputs = n_components
        self.n_groups, self.group_size = n_components // group_size, group_size

    def forward(self, h: Tensor) -> Code:
        """Return the nearest vectors (B x L), and the squared distance to them as a cost."""
        groups = self._groups(h)
        index = self.indices(h)
        vectors = self.look_up(index)
        if self.training:
            self.update(groups.detach(), index)
        z = groups + (vectors - groups).detach()
        return Code(z.flatten(1), {"commitment": (groups - vectors).square().sum((1, 2))})

    def encode(self, h: Tensor) -> Tensor:
        """Return the nearest vectors (B x L)."""
        return self.from_indices(self.indices(h))

    def from_indices(self, index: Tensor) -> Tensor:
        """Return the vectors (n x L) of their numbers (n x G)."""
        return self.look_up(index).flatten(1)

    def indices(self, z: Tensor) -> Tensor:
        """Return the numbers of the vectors nearest to z (B x L): B x G integers from 0 to K - 1."""
        groups = self._groups(z)
        codebook = self.each_codebook().to(groups.dtype)
        rows = max(1, DISTANCES // (self.n_groups * self.n_codes))
        with torch.autocast(z.device.type, enabled=False):  # bfloat16 cannot tell near vectors apart
            # |h - e|^2 = |h|^2 - 2 h.e + |e|^2, and |h| is the same for all e
            lengths, vectors = codebook.square().sum(2)[:, None], codebook.mT
            parts = [
                torch.baddbmm(lengths, part.transpose(0, 1), vectors, alpha=-2).argmin(2).t()
                for part in groups.split(rows)
            ]
        return parts[0] if len(parts) == 1 else torch.cat(parts)

    def _groups(self, h: Tensor) -> Tensor:
        """Return h as B x G x D, in at least single precision."""
        return h.to(torch.promote_types(h.dtype, torch.float32)).unflatten(1, (self.n_groups, self.group_size))
