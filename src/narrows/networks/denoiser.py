"""A residual U-Net that cleans photos of any size. It works on blocks of 2 x 2 pixels, and its output is added to x.

    h = blocks(x)   4 C x H/2 x W/2        out = x + unblocks(U-Net(h))

Blocks cut the work to a quarter (Zhang et al., FFDNet, 2018, https://arxiv.org/abs/1710.04026). Residual blocks without
normalisation on each level, joined by addition, are as in DRUNet (Zhang et al., 2021,
https://arxiv.org/abs/2008.13751). No part depends on the image's size.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from narrows.networks.base import Decoder


class PhotoUNet(Decoder):
    """A network from noisy to clean images, of any height and width that `step` divides.

    Parameters
    ----------
    channels : C, the number of channels of an image.
    widths : number of channels of each level; each level after the first is half as large as the one before.
    blocks : number of residual blocks on each level, on the way down and again on the way up.

    Attributes
    ----------
    step : heights and widths must be multiples of this number of pixels.
    reach : greatest distance, in pixels, at which one pixel can influence another. A multiple of `step`.

    Examples
    --------
    >>> import torch
    >>> PhotoUNet(1, widths=(8, 16), blocks=1)(torch.rand(1, 1, 16, 24)).shape
    torch.Size([1, 1, 16, 24])
    """

    def __init__(self, channels: int, widths: Sequence[int] = (64, 128, 256), blocks: int = 2) -> None:
        super().__init__()
        pairs = list(pairwise(widths))
        self.stem = _convolution(4 * channels, widths[0])
        self.before = nn.ModuleList(_residuals(width, blocks) for width in widths[:-1])
        self.shrink = nn.ModuleList(nn.Conv2d(narrow, wide, 2, stride=2) for narrow, wide in pairs)
        self.lowest = _residuals(widths[-1], blocks)
        self.enlarge = nn.ModuleList(nn.ConvTranspose2d(wide, narrow, 2, stride=2) for narrow, wide in reversed(pairs))
        self.after = nn.ModuleList(_residuals(width, blocks) for width in reversed(widths[:-1]))
        self.head = _convolution(widths[0], 4 * channels)
        nn.init.zeros_(self.head.weight)
        self.step = 2 ** len(widths)
        # two convolutions per block, each of which sees one place on all sides; a place is 2, 4, 8, ... pixels wide
        places = [2 * blocks * (1 if level == len(pairs) else 2) for level in range(len(widths))]
        radius = sum(2 ** (level + 1) * n for level, n in enumerate(places)) + 2 * 2 + self.step
        self.reach = -(-radius // self.step) * self.step

    @property
    def output_bias(self) -> None:
        """None: an untrained network returns its input."""
        return

    def forward(self, x: Tensor) -> Tensor:
        """B x C x H x W -> the same shape."""
        h = self.stem(F.pixel_unshuffle(x, 2).contiguous(memory_format=torch.channels_last))
        details = []
        for residuals, shrink in zip(self.before, self.shrink, strict=True):
            details.append(residuals(h))
            h = shrink(details[-1])
        h = self.lowest(h)
        for enlarge, residuals in zip(self.enlarge, self.after, strict=True):
            h = residuals(details.pop() + enlarge(h))
        return x + F.pixel_shuffle(self.head(h).to(x.dtype).contiguous(), 2)


class _Residual(nn.Module):
    """x + conv(relu(conv(x))), the second convolution starting at 0."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(width, width), _convolution(width, width)
        nn.init.zeros_(self.second.weight)

    def forward(self, x: Tensor) -> Tensor:
        """B x width x h x w -> the same shape."""
        return x + self.second(F.relu(self.first(x), inplace=True))


def _residuals(width: int, n: int) -> nn.Sequential:
    return nn.Sequential(*(_Residual(width) for _ in range(n)))


def _convolution(n_in: int, n_out: int) -> nn.Conv2d:
    convolution = nn.Conv2d(n_in, n_out, 3, padding=1)
    nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
    assert convolution.bias is not None
    nn.init.zeros_(convolution.bias)
    return convolution
