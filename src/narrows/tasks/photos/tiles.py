"""Denoising tile by tile, so that memory does not grow with the photo.

A tile is read with a margin as wide as the network's reach, and only its middle is kept. So the result equals that
of the whole photo at once, except for rounding. The edges of the photo have no margin.
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

TILE_SIZE = 768  # side in pixels, without margins


class TiledDenoiser:
    """Denoiser of photos of any size with a trained network.

    Parameters
    ----------
    model : Autoencoder around a `PhotoUNet`.
    channels : number of channels of the training photos. Photos with another number are denoised channel by channel.
    ensemble : True to average over the eight flips and rotations of a photo.
    size : side of a tile in pixels, without margins; it is rounded up to a multiple of the network's `step`.
    """

    def __init__(self, model: Autoencoder, channels: int, ensemble: bool, size: int = TILE_SIZE) -> None:
        assert isinstance(model.decoder, PhotoUNet)
        self.model, self.channels, self.ensemble = model, channels, ensemble
        self.step, self.margin = model.decoder.step, model.decoder.reach
        self.size = -(-size // self.step) * self.step

    def clean(self, image: np.ndarray, out: np.ndarray | None = None) -> np.ndarray:
        """Return the clean photo, (h, w) or (h, w, c), in the dtype of `image`, written into `out` if that is not None.

        Raises
        ------
        ValueError
            If `out` has another shape or dtype, or shares memory or a file with `image`.
        """
        if out is None:
            out = np.empty(image.shape, image.dtype)
        elif out.shape != image.shape or out.dtype != image.dtype:
            raise ValueError(
                f"The `out` parameter of denoise must be an array of {image.dtype} of shape {image.shape}. Got "
                f"{out.dtype} of shape {out.shape}."
            )
        elif np.shares_memory(image, out) or (_filename(out) is not None and _filename(image) == _filename(out)):
            raise ValueError(
                "The `out` parameter of denoise must not share memory or a file with the photo: each tile needs the "
                "noisy pixels around it, which would be overwritten."
            )
        for read, keep, write in self._tile_slices(*image.shape[:2]):
            out[write] = convert_dtype(self._clean_tile(image[read])[keep], out.dtype)
        return out

    def _tile_slices(self, height: int, width: int) -> Iterator[tuple[tuple[slice, slice], ...]]:
        """Yield for each tile the part of the image to read, the part of that to keep, and the part to write."""
        for top in range(0, height, self.size):
            for left in range(0, width, self.size):
                rows = _slices(top, height, self.size, self.margin)
                columns = _slices(left, width, self.size, self.margin)
                yield (rows[0], columns[0]), (rows[1], columns[1]), (rows[2], columns[2])

    def _clean_tile(self, image: np.ndarray) -> np.ndarray:
        """Return a part of a photo, denoised: like `image`, floats on the [0, 1] scale."""
        part = np.asarray(image, np.float32).reshape(*image.shape[:2], -1) / white(image.dtype)
        if image.dtype.kind == "f":
            check_scale(float(np.abs(part).max()), "denoise")
        height, width = part.shape[:2]
        padding = [(0, -side % self.step) for side in (height, width)]
        x = torch.from_numpy(np.moveaxis(np.pad(part, [*padding, (0, 0)], mode="symmetric"), -1, 0).copy())
        is_by_channel = len(x) != self.channels
        x = x[:, None].expand(-1, self.channels, -1, -1) if is_by_channel else x[None]
        parameter = next(self.model.parameters())
        cleaned = self._reconstruct(x.to(parameter.device, parameter.dtype)).cpu()
        cleaned = cleaned.mean(1) if is_by_channel else cleaned[0]
        return np.moveaxis(cleaned[:, :height, :width].numpy(), 0, -1).reshape(image.shape)

    @torch.inference_mode()
    def _reconstruct(self, x: Tensor) -> Tensor:
        """Return x (B x C x H x W) denoised, of the same shape."""
        if not self.ensemble:
            return torch.cat([self.model.reconstruct(each) for each in x.split(1)])
        results = (self.model.reconstruct(_transform(each, i)) for each in x.split(1) for i in range(8))
        total = torch.zeros_like(x)
        for number, result in enumerate(results):
            total[number // 8] += _transform(result, number % 8, inverse=True)[0] / 8
        return total


def convert_dtype(image: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return floats in [0, 1] in `dtype`: integers from 0 to white, or floats as they are."""
    if dtype.kind == "f":
        return image.astype(dtype)
    return np.rint(image.clip(0, 1) * white(dtype)).astype(dtype)


def _filename(array: np.ndarray) -> Any:
    """Return the file of a memory map, None for other arrays."""
    return getattr(array, "filename", None)


def _slices(start: int, length: int, size: int, margin: int) -> tuple[slice, slice, slice]:
    """Return the slices to read, to keep of that, and to write, along one side of the image."""
    first, last = max(0, start - margin), min(length, start + size + margin)
    stop = min(length, start + size)
    return slice(first, last), slice(start - first, stop - first), slice(start, stop)


def _transform(x: Tensor, number: int, inverse: bool = False) -> Tensor:
    """Apply symmetry `number` (0 to 7) of a square to the last two axes, or its inverse."""
    if inverse:
        x = torch.rot90(x, -(number % 4), (-2, -1))
        return x.flip(-1) if number >= 4 else x
    return torch.rot90(x.flip(-1) if number >= 4 else x, number % 4, (-2, -1))
