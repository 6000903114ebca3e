"""A discrete code of several grids of vectors, from coarse to fine: each is encoded given the one before it.

    h = (h_1, h_2, ...), a part for each grid    z_1 = quantise_1(h_1)    z_q = quantise_q(h_q + f_q(z_(q-1)))
    quantise_q: the vector at each place of grid q becomes the nearest of K learned ones, which all places share
    commitment = sum_q |h_q + f_q(z_(q-1)) - sg(z_q)|^2

sg stops gradients; those of z_q go to the inputs of its grid unchanged (straight through). f_q are convolutions and an
enlargement. So a finer grid need not say again what the coarser one has said.

Razavi, van den Oord and Vinyals, Generating diverse high-fidelity images with VQ-VAE-2 (2019),
https://arxiv.org/abs/1906.00446.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from narrows import networks
from narrows.bottlenecks.discrete import Discrete
from narrows.bottlenecks.quantized import VectorQuantizer
from narrows.types import Code


class GridQuantizer(Discrete):
    """A code of one vector at each place of each grid, each of them one of `n_codes` vectors that its grid has.

    The indices of the coarsest grid come first.

    Parameters
    ----------
    grids : the places, and the length D of a vector.
    n_codes : K, the number of learned vectors of each grid.

    >>> import torch
    >>> quantizer = GridQuantizer(networks.Grids([(1, 1), (2, 2)], 3), n_codes=8).eval()
    >>> quantizer.indices(torch.randn(6, 15)).shape
    torch.Size([6, 5])
    """

    costs = ("commitment",)

    def __init__(self, grids: networks.Grids, n_codes: int = 256) -> None:
        super().__init__()
        self.grids = grids
        self.n_components = self.n_inputs = grids.n_components
        self.n_values = (n_codes,) * sum(grids.n_places)
        self.quantizers = nn.ModuleList(
            VectorQuantizer(grids.length * n, n_codes, grids.length, is_shared=True) for n in grids.n_places
        )
        self.finer = nn.ModuleList(networks.FinerGrid(grids, level) for level in range(1, len(grids.sizes)))

    def forward(self, h: Tensor) -> Code:
        """Return the nearest vectors (B x L), and the squared distances to them, added up, as a cost."""
        codes: list[Code] = []

        def quantize(quantizer: VectorQuantizer, part: Tensor) -> Tensor:
            codes.append(quantizer(part))
            return codes[-1].z

        z = self._quantize(h, quantize)
        return Code(z, {"commitment": torch.stack([code.costs["commitment"] for code in codes]).sum(0)})

    def encode(self, h: Tensor) -> Tensor:
        """Return the nearest vectors (B x L)."""
        return self._quantize(h, VectorQuantizer.encode)

    def indices(self, z: Tensor) -> Tensor:
        """Return the numbers of the vectors nearest to z (B x L): one integer from 0 to K - 1 for each place."""
        parts = zip(self._quantizers, self.grids.split(z), strict=True)
        return torch.cat([quantizer.indices(part) for quantizer, part in parts], 1)

    def from_indices(self, index: Tensor) -> Tensor:
        """Return the vectors (n x L) of their numbers (n x places)."""
        parts = zip(self._quantizers, index.split(self.grids.n_places, 1), strict=True)
        return torch.cat([quantizer.from_indices(part) for quantizer, part in parts], 1)

    @property
    def _quantizers(self) -> list[VectorQuantizer]:
        return list(self.quantizers)  # type: ignore[arg-type]  # nn.ModuleList has no item type

    def _quantize(self, h: Tensor, quantize: Callable[[VectorQuantizer, Tensor], Tensor]) -> Tensor:
        """Return the vectors (B x L), for which `quantize` is called grid by grid."""
        z: list[Tensor] = []
        for quantizer, finer, part in zip(self._quantizers, [None, *self.finer], self.grids.split(h), strict=True):
            z.append(quantize(quantizer, part if finer is None else part + finer(z[-1])))
        return torch.cat(z, 1)
