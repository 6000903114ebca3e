"""Residual convolutional networks for images of 8 x 8 pixels and more, and a U-Net that keeps every detail.

There is no batch normalisation, so the result for an example does not depend on the rest of its batch; each residual
branch starts at 0 instead (Zhang et al., Fixup initialization, 2019, https://arxiv.org/abs/1901.09321).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.data import Schema
from narrows.networks.base import (
    Decoder,
    Encoder,
    LinearDecoder,
    PreciseLinear,
    Standardize,
    set_to_zero,
)

_SMALLEST = 4  # pixels of a side at which halving stops
_WIDEST = 256  # channels at which doubling stops


def halved_sizes(height: int, width: int, smallest: int = _SMALLEST) -> list[tuple[int, int]]:
    """Return the sizes of an image that is halved (rounded up) as long as no side falls below `smallest`, or to 1 x 1.

    >>> halved_sizes(28, 28)
    [(28, 28), (14, 14), (7, 7), (4, 4)]
    """
    levels = [(height, width)]
    while max(levels[-1]) > 1 and min((side + 1) // 2 for side in levels[-1]) >= smallest:
        levels.append(((levels[-1][0] + 1) // 2, (levels[-1][1] + 1) // 2))
    return levels


class Residual(nn.Module):
    """x + conv(gelu(conv(gelu(x)))), the second convolution starting at 0."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """B x channels x h x w -> the same shape."""
        return x + self.second(F.gelu(self.first(F.gelu(x))))


class UpsampleConv(nn.Conv2d):
    """An enlargement by nearest neighbours, followed by a 3 x 3 convolution."""

    def __init__(self, n_in: int, n_out: int) -> None:
        super().__init__(n_in, n_out, 3, padding=1)

    def forward(self, h: Tensor, size: Sequence[int]) -> Tensor:  # type: ignore[override]
        """B x n_in x h x w -> B x n_out x `size`, which is twice h and w, or one less."""
        if tuple(size) != (2 * h.shape[2], 2 * h.shape[3]):
            return super().forward(_enlarge(h, size))
        # Both together are one transposed convolution of stride 2. Its kernel is the sum of four copies of the flipped
        # one, a pixel apart: this takes less than half of the products, and no large image of many channels in between.
        kernel = self.weight.transpose(0, 1).flip(2, 3)
        kernel = F.pad(kernel, (0, 1)) + F.pad(kernel, (1, 0))
        kernel = F.pad(kernel, (0, 0, 0, 1)) + F.pad(kernel, (0, 0, 1, 0))
        return F.conv_transpose2d(h, kernel, self.bias, stride=2, padding=1)


def _enlarge(h: Tensor, size: Sequence[int]) -> Tensor:
    """Return the images h (B x channels x h x w), enlarged to `size` by nearest neighbours."""
    if not torch.compiler.is_compiling():
        return F.interpolate(h, size=tuple(size), mode="nearest")
    # when compiled, F.interpolate's gradient is ten times as slow as the gradient of this code
    h = h.permute(0, 2, 3, 1)[:, :, None, :, None].expand(-1, -1, 2, -1, 2, -1)
    return h.flatten(1, 2).flatten(2, 3)[:, : size[0], : size[1]].permute(0, 3, 1, 2)


def level_widths(n_levels: int, width: int) -> list[int]:
    """Return the numbers of channels at each size, which double with each halving, up to 256."""
    return [min(width * 2**level, max(width, _WIDEST)) for level in range(n_levels)]


class ConvEncoder(Encoder):
    """Residual blocks that halve the image and double the channels, then one linear layer.

    Parameters
    ----------
    schema : description of the images.
    n_outputs : number of outputs for each image.
    width : number of channels at full size.
    precise : True to make the linear layer a `PreciseLinear`.
    has_linear : True for a linear path beside the network.
    """

    def __init__(
        self, schema: Schema, n_outputs: int, width: int = 16, precise: bool = False, has_linear: bool = False
    ) -> None:
        super().__init__(schema, n_outputs, has_linear)
        channels, height, image_width = self.standardize.shape
        levels = halved_sizes(height, image_width)
        widths = level_widths(len(levels), width)
        blocks: list[nn.Module] = [nn.Conv2d(channels, widths[0], 3, padding=1)]
        for narrow, wide in pairwise(widths):
            blocks += [nn.Conv2d(narrow, wide, 3, stride=2, padding=1), Residual(wide)]
        self.n_widest = widths[0] * height * image_width
        self.blocks = nn.Sequential(*blocks)
        self.head = (PreciseLinear if precise else nn.Linear)(widths[-1] * levels[-1][0] * levels[-1][1], n_outputs)
        if has_linear:
            set_to_zero(self.head)

    def run(self, features: Tensor) -> Tensor:
        """B x channels x h x w -> B x n_outputs."""
        h = self.blocks(features.contiguous(memory_format=torch.channels_last))
        return self.head(F.gelu(h).flatten(1))


class ConvDecoder(Decoder):
    """The mirror image of the encoder: a linear layer, then enlargements by nearest neighbours and convolutions.

    Parameters
    ----------
    shape : (channels, height, width) of the output.
    n_inputs : number of components of a code, plus the columns of labels.
    width : number of channels at full size.
    linear : linear path, whose output is added; None for none.
    """

    slower_compiled = True  # on a CPU; at best not faster: docs/negative-results.md

    def __init__(
        self, shape: tuple[int, ...], n_inputs: int, width: int = 16, linear: LinearDecoder | None = None
    ) -> None:
        super().__init__(linear)
        channels, height, image_width = shape
        self.levels = halved_sizes(height, image_width)
        widths = level_widths(len(self.levels), width)
        self.n_widest = widths[0] * height * image_width
        self.start = (widths[-1], *self.levels[-1])
        self.stem = nn.Linear(n_inputs, widths[-1] * self.levels[-1][0] * self.levels[-1][1])
        self.residuals = nn.ModuleList(Residual(wide) for wide in reversed(widths[1:]))
        pairs = list(pairwise(widths))
        self.enlarge = nn.ModuleList(UpsampleConv(wide, narrow) for narrow, wide in reversed(pairs))
        self.head = nn.Conv2d(widths[0], channels, 3, padding=1)
        if linear is not None:
            set_to_zero(self.head)

    @property
    def output_bias(self) -> Tensor | None:
        """Bias of the last layer."""
        return self.head.bias

    def forward(self, z: Tensor) -> Tensor:
        """B x n_inputs -> B x channels x h x w."""
        h = self.stem(z).unflatten(1, self.start).contiguous(memory_format=torch.channels_last)
        for residual, enlarge, size in zip(self.residuals, self.enlarge, reversed(self.levels[:-1]), strict=True):
            h = enlarge(F.gelu(residual(h)), size)
        out = self.head(F.gelu(h))
        return out if self.linear_path is None else out + self.linear_path(z)


class UNet(Decoder):
    """A network from noisy to clean images without a narrow code: each level passes its details across.

    Ronneberger et al., U-Net (2015), https://arxiv.org/abs/1505.04597.

    Parameters
    ----------
    schema : description of the images.
    shape : (channels, height, width) of the output.
    width : number of channels at full size.
    depth : largest number of times that the image is halved.
    """

    slower_compiled = True  # as for ConvDecoder

    def __init__(self, schema: Schema, shape: tuple[int, ...], width: int = 16, depth: int = 2) -> None:
        super().__init__()
        self.standardize = Standardize(schema)
        channels, height, image_width = self.standardize.shape
        self.levels = halved_sizes(height, image_width)[: depth + 1]
        widths = level_widths(len(self.levels), width)
        self.n_widest = widths[0] * height * image_width
        self.stem = nn.Conv2d(channels, widths[0], 3, padding=1)
        pairs = list(pairwise(widths))
        self.down = nn.ModuleList(nn.Conv2d(narrow, wide, 3, stride=2, padding=1) for narrow, wide in pairs)
        self.across = nn.ModuleList(Residual(wide) for wide in widths)
        self.up = nn.ModuleList(UpsampleConv(wide, narrow) for narrow, wide in reversed(pairs))
        self.finish = nn.ModuleList(Residual(narrow) for narrow, _ in reversed(pairs))
        self.head = nn.Conv2d(widths[0] + channels, shape[0], 3, padding=1)

    @property
    def output_bias(self) -> Tensor | None:
        """Bias of the last layer."""
        return self.head.bias

    def forward(self, x: Tensor) -> Tensor:
        """B x schema.shape -> B x shape."""
        x = self.standardize(x).contiguous(memory_format=torch.channels_last)
        h = self.across[0](self.stem(x))
        details = []
        for halve, residual in zip(self.down, list(self.across)[1:], strict=True):
            details.append(h)
            h = residual(halve(F.gelu(h)))
        for enlarge, residual in zip(self.up, self.finish, strict=True):
            detail = details.pop()
            h = residual(detail + enlarge(F.gelu(h), detail.shape[-2:]))
        return self.head(torch.cat([F.gelu(h), x.to(h.dtype)], dim=1))
