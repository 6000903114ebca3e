"""Convolutional networks between images and grids of vectors: one grid for each level, from coarse to fine.

    encoder     image -> halved images -> a 1 x 1 convolution at the size of each grid -> vectors, coarsest grid first
    decoder     the vectors of the coarsest grid -> enlarged, plus those of the next -> ... -> enlarged to the image
    FinerGrid   the vectors of a grid -> what they tell of the next, finer grid

The decoder of Razavi, van den Oord and Vinyals, Generating diverse high-fidelity images with VQ-VAE-2 (2019),
https://arxiv.org/abs/1906.00446, also adds the grids up in this way.

B is the batch, C x H x W the shape of an image, D the length of a vector, L = D P the length of a code of P places.
"""

from __future__ import annotations

import itertools
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.data import Schema
from narrows.networks.base import Decoder, Encoder
from narrows.networks.conv import Residual, UpsampleConv, halved_sizes, level_widths

Size = tuple[int, int]


class Grids:
    """The places of a code: grids of vectors, the coarsest first. The next has twice the rows and columns, or one less.

    In a code, the vectors of the coarsest grid come first, row by row.

    Parameters
    ----------
    sizes : (rows, columns) of each grid.
    length : D.

    >>> grids = Grids([(2, 2), (4, 4)], 3)
    >>> grids.n_places, grids.n_components
    ([4, 16], 60)
    """

    def __init__(self, sizes: list[Size], length: int) -> None:
        self.sizes, self.length = sizes, length

    @property
    def n_places(self) -> list[int]:
        """Number of places of each grid."""
        return [math.prod(size) for size in self.sizes]

    @property
    def n_components(self) -> int:
        """L."""
        return self.length * sum(self.n_places)

    def split(self, z: Tensor) -> tuple[Tensor, ...]:
        """Return the part of each grid, B x (D places), of codes (B x L)."""
        return z.split([self.length * n for n in self.n_places], 1)

    def to_image(self, part: Tensor, level: int) -> Tensor:
        """Return the vectors of a grid, B x (D places), as B x D x rows x columns."""
        rows, columns = self.sizes[level]
        return part.unflatten(1, (rows, columns, self.length)).permute(0, 3, 1, 2)

    def __str__(self) -> str:
        return " and ".join(f"{rows} x {columns}" for rows, columns in self.sizes)


def find_grids(height: int, width: int, n_levels: int) -> list[list[Size]]:
    """Return all runs of `n_levels` sizes of a halved image, each with the coarsest first; the finest run comes first.

    >>> find_grids(7, 7, 2)
    [[(4, 4), (7, 7)], [(2, 2), (4, 4)], [(1, 1), (2, 2)]]
    """
    sizes = halved_sizes(height, width, smallest=1)
    return [sizes[i : i + n_levels][::-1] for i in range(len(sizes) - n_levels + 1)]


class GridEncoder(Encoder):
    """Residual blocks that halve the image down to the coarsest grid; a 1 x 1 convolution gives each grid's vectors.

    Parameters
    ----------
    schema : description of the images.
    grids : places of the code; their sizes are among those of the halved image.
    width : number of channels at full size.
    """

    def __init__(self, schema: Schema, grids: Grids, width: int = 16) -> None:
        super().__init__(schema, grids.n_components, has_linear=False)
        channels, height, image_width = self.standardize.shape
        n = _n_sizes(height, image_width, grids)
        widths = level_widths(n, width)
        self.n_widest, self.n_above = widths[0] * height * image_width, n - len(grids.sizes)
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        self.halve = nn.ModuleList(nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in itertools.pairwise(widths))
        self.residuals = nn.ModuleList(Residual(wide) for wide in widths[1:])
        self.heads = nn.ModuleList(nn.Conv2d(wide, grids.length, 1) for wide in widths[self.n_above :])

    def run(self, features: Tensor) -> Tensor:
        """B x channels x H x W -> B x L."""
        h = self.stem(features.contiguous(memory_format=torch.channels_last))
        images = [h]
        for halve, residual in zip(self.halve, self.residuals, strict=True):
            h = residual(halve(F.gelu(h)))
            images.append(h)
        parts = [head(F.gelu(image)) for head, image in zip(self.heads, images[self.n_above :], strict=True)]
        return torch.cat([part.permute(0, 2, 3, 1).flatten(1) for part in reversed(parts)], 1)


class GridDecoder(Decoder):
    """The mirror image of the encoder: each grid's vectors are added where the image has its size.

    Parameters
    ----------
    shape : C x H x W of the output.
    grids : places of the code; their sizes are among those of the halved image.
    width : number of channels at full size.
    """

    slower_compiled = True  # as for ConvDecoder

    def __init__(self, shape: tuple[int, ...], grids: Grids, width: int = 16) -> None:
        super().__init__()
        channels, height, image_width = shape
        n = _n_sizes(height, image_width, grids)
        widths = level_widths(n, width)[::-1]
        self.grids, self.sizes = grids, halved_sizes(height, image_width, smallest=1)[:n][::-1]
        self.n_widest = widths[-1] * height * image_width
        self.lift = nn.ModuleList(nn.Conv2d(grids.length, wide, 3, padding=1) for wide in widths[: len(grids.sizes)])
        self.residuals = nn.ModuleList(Residual(wide) for wide in widths[:-1])
        self.enlarge = nn.ModuleList(UpsampleConv(wide, narrow) for wide, narrow in itertools.pairwise(widths))
        self.head = nn.Conv2d(widths[-1], channels, 3, padding=1)

    @property
    def output_bias(self) -> Tensor | None:
        """Bias of the last layer."""
        return self.head.bias

    def forward(self, z: Tensor) -> Tensor:
        """B x L -> B x C x H x W."""
        parts = [
            lift(self.grids.to_image(part, level).contiguous(memory_format=torch.channels_last))
            for level, (lift, part) in enumerate(zip(self.lift, self.grids.split(z), strict=True))
        ]
        h = parts[0]
        for level, (residual, enlarge) in enumerate(zip(self.residuals, self.enlarge, strict=True), start=1):
            h = enlarge(F.gelu(residual(h)), self.sizes[level])
            if level < len(parts):
                h = h + parts[level]
        return self.head(F.gelu(h))


class FinerGrid(nn.Module):
    """Convolutions and an enlargement from the vectors of a grid to what they tell of the next, finer one.

    Parameters
    ----------
    grids : places of the code.
    level : number of the finer grid, from 1.
    width : number of channels between.
    """

    def __init__(self, grids: Grids, level: int, width: int = 32) -> None:
        super().__init__()
        self.grids, self.level = grids, level
        self.first, self.residual = nn.Conv2d(grids.length, width, 3, padding=1), Residual(width)
        self.enlarge = UpsampleConv(width, grids.length)

    def forward(self, part: Tensor) -> Tensor:
        """B x (D places of the coarser grid) -> B x (D places of the finer one)."""
        h = self.residual(self.first(self.grids.to_image(part, self.level - 1)))
        return self.enlarge(F.gelu(h), self.grids.sizes[self.level]).permute(0, 2, 3, 1).flatten(1)


def _n_sizes(height: int, width: int, grids: Grids) -> int:
    """Return the number of sizes from the image to the coarsest grid."""
    return 1 + halved_sizes(height, width, smallest=1).index(grids.sizes[0])
