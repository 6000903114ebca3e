"""A network for images of any size, applied to one image by tiles, so that memory does not grow with the image.

A tile is read with a margin as wide as the network's reach, and its middle is kept: what comes out is what the whole
image at once would give, but for rounding. Only the image's own edges have no margin.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from narrows.data.patches import white
from narrows.model import Autoencoder
from narrows.networks import PhotoUNet
from narrows.tasks.photos.images import check_scale

TILE = 768  # pixels of a side, without margins


class Tiles:
    """Cleans one photo after another.

    Parameters
    ----------
    model : Autoencoder around a `PhotoUNet`.
    channels : of the photos that it knows. It cleans those with another number channel by channel.
    ensemble : whether to average over eight flips and turns.
    size : pixels of a tile's side, without margins; a multiple of the network's `step`.
    """

    def __init__(self, model: Autoencoder, channels: int, ensemble: bool, size: int = TILE) -> None:
        assert isinstance(model.decoder, PhotoUNet)
        self.model, self.channels, self.ensemble = model, channels, ensemble
        self.step, self.margin = model.decoder.step, model.decoder.reach
        self.size = -(-size // self.step) * self.step

    def clean(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """The clean photo, (h, w) or (h, w, c), in the dtype of `image`; into `out`, if there is one."""
        if out is None:
            out = np.empty(image.shape, image.dtype)
        elif out.shape != image.shape or out.dtype != image.dtype:
            raise ValueError(
                f"The `out` parameter of denoise must be an array of {image.dtype} of shape {image.shape}. Got "
                f"{out.dtype} of shape {out.shape}."
            )
        elif np.shares_memory(image, out) or (_file(out) is not None and _file(image) == _file(out)):
            raise ValueError(
                "The `out` parameter of denoise must lie elsewhere than the photo: a tile is cleaned by what stands "
                "around it, which would be clean already."
            )
        for read, kept, written in self._places(*image.shape[:2]):
            out[written] = as_dtype(self._tile(image[read])[kept], out.dtype)
        return out

    def _places(self, height: int, width: int) -> Iterator[tuple[tuple[slice, slice], ...]]:
        """For each tile: what to read of the image, which part of that to keep, and where to write it."""
        for top in range(0, height, self.size):
            for left in range(0, width, self.size):
                pairs = [_span(top, height, self.size, self.margin), _span(left, width, self.size, self.margin)]
                rows, columns = pairs
                yield (rows[0], columns[0]), (rows[1], columns[1]), (rows[2], columns[2])

    def _tile(self, image: np.ndarray) -> np.ndarray:
        """A part of a photo, cleaned: h x w x c, floats in [0, 1] but for noise, if the part is such."""
        part = np.asarray(image, np.float32).reshape(*image.shape[:2], -1) / white(image.dtype)
        if image.dtype.kind == "f":
            check_scale(float(np.abs(part).max()), "denoise")
        height, width = part.shape[:2]
        missing = [(0, -side % self.step) for side in (height, width)]
        x = torch.from_numpy(np.moveaxis(np.pad(part, [*missing, (0, 0)], mode="symmetric"), -1, 0).copy())
        single = len(x) != self.channels
        x = x[:, None].expand(-1, self.channels, -1, -1) if single else x[None]
        like = next(self.model.parameters())
        cleaned = self._cleaned(x.to(like.device, like.dtype)).cpu()
        found = cleaned.mean(1) if single else cleaned[0]
        return np.moveaxis(found[:, :height, :width].numpy(), 0, -1).reshape(image.shape)

    @torch.inference_mode()
    def _cleaned(self, x: Tensor) -> Tensor:
        """B x C x H x W, the same out."""
        if not self.ensemble:
            return torch.cat([self.model.reconstruct(each) for each in x.split(1)])
        turned = (self.model.reconstruct(_turn(each, turn)) for each in x.split(1) for turn in range(8))
        total = torch.zeros_like(x)
        for number, result in enumerate(turned):
            total[number // 8] += _turn(result, number % 8, back=True)[0] / 8
        return total


def as_dtype(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Floats in [0, 1] in `dtype`: whole numbers up to white, or floats as they are."""
    if dtype.kind == "f":
        return image.astype(dtype)
    return np.rint(image.clip(0, 1) * white(dtype)).astype(dtype)


def _file(array: np.ndarray) -> Any:
    """The file that a memory map is of, None for other arrays."""
    return getattr(array, "filename", None)


def _span(start: int, length: int, size: int, margin: int) -> tuple[slice, slice, slice]:
    first, last = max(0, start - margin), min(length, start + size + margin)
    stop = min(length, start + size)
    return slice(first, last), slice(start - first, stop - first), slice(start, stop)


def _turn(x: Tensor, turn: int, back: bool = False) -> Tensor:
    """One of the eight symmetries of a square; `back` for its inverse."""
    if back:
        x = torch.rot90(x, -(turn % 4), (-2, -1))
        return x.flip(-1) if turn >= 4 else x
    return torch.rot90(x.flip(-1) if turn >= 4 else x, turn % 4, (-2, -1))
