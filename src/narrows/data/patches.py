"""Square pieces of images, drawn anew for each batch, for networks that clean images of any size.

Example i is a piece of a certain image. Its place and one of eight orientations are drawn each time. Larger images have
more examples. The draws come from `narrows.rng`, which the training seeds and saves in its checkpoints.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from narrows import rng
from narrows.data.schema import Schema
from narrows.types import Batch

_MIN_EXAMPLES = 64  # smallest number of examples, for a few small images
_RECORRUPTION = (0.2, 1.0)  # range of a, see `Patches`


class Patches:
    """Pieces of images as examples.

    Parameters
    ----------
    images : arrays C x H x W of bytes, 16-bit integers or floats, with sides of at least `size`; memory maps stay
        on disk.
    size : side of a piece in pixels.
    targets : clean versions of `images`, of the same shapes; None if each image is its own target.
    levels : noise level of each image on the [0, 1] scale, to learn from noisy images alone by recorruption (Pang et
        al., 2021, https://arxiv.org/abs/2106.14346). For a piece y with Gaussian noise of level s, and a draw
        eps ~ N(0, I), the noises of the input y + a s eps and of the target y - s eps / a are uncorrelated, and so
        independent: the best prediction of the target is the clean piece. Here a is drawn for each piece. The weight
        of a piece is the inverse variance of its target's noise, 1 / (1 + 1 / a^2) in units of 1 / s^2.
    """

    has_neighbors = False
    resident = False  # pieces are cut on the CPU, and a CUDA graph cannot record that

    def __init__(
        self,
        images: Sequence[np.ndarray],
        size: int,
        targets: Sequence[np.ndarray] | None = None,
        levels: Sequence[float] | None = None,
    ) -> None:
        self.images, self.size, self.targets = images, size, targets
        self.levels = None if levels is None else torch.tensor(levels)
        self.device, self.dtype = torch.device("cpu"), torch.float32
        numbers = [max(1, image.shape[1] * image.shape[2] // size**2) for image in images]
        image_of = np.repeat(np.arange(len(images)), numbers)
        self.image_of = np.tile(image_of, -(-_MIN_EXAMPLES // len(image_of)))
        self.schema = schema(len(images[0]), size)

    def on(self, device: torch.device, dtype: torch.dtype) -> Patches:
        """Return the same examples, with batches on `device` and in `dtype`."""
        self.device, self.dtype = device, dtype
        return self

    def __len__(self) -> int:
        return len(self.image_of)

    def find_neighbors(self, k: int, among: Tensor, metric: str = "euclidean") -> None:
        """Raise TypeError: pieces are drawn anew each time, so they have no fixed neighbours."""
        raise TypeError("Pieces of images have no neighbours: they are cut anew each time.")

    def batch(self, index: Tensor) -> Batch:
        """Return a piece for each example in `index` (B integers): B x C x size x size."""
        numbers = self.image_of[index.cpu().numpy()]
        places, turns = rng.rand((len(numbers), 2)).numpy(), rng.randint(8, (len(numbers),)).tolist()
        x = self._cut(self.images, numbers, places, turns)
        if self.targets is not None:
            return Batch(x, self._cut(self.targets, numbers, places, turns))
        if self.levels is None:
            return Batch(x, x)
        share = rng.uniform(*_RECORRUPTION, (len(numbers), 1, 1, 1)).to(x)
        noise = self.levels[torch.from_numpy(numbers)].view(-1, 1, 1, 1).to(x) * rng.randn(x.shape).to(x)
        return Batch(x + share * noise, x - noise / share, weight=(share**2 / (1 + share**2)).expand_as(x))

    def _cut(self, images: Sequence[np.ndarray], numbers: np.ndarray, places: np.ndarray, turns: list[int]) -> Tensor:
        pieces = np.empty((len(numbers), *self.schema.shape), np.float32)
        for piece, number, place, turn in zip(pieces, numbers, places, turns, strict=True):
            image = images[number]
            top, left = (place * (np.array(image.shape[1:]) - self.size + 1)).astype(int)
            cut = image[:, top : top + self.size, left : left + self.size]
            cut = np.rot90(cut, turn % 4, axes=(1, 2))
            np.divide(cut[:, :, ::-1] if turn >= 4 else cut, white(image.dtype), out=piece, casting="unsafe")
        return torch.from_numpy(pieces).to(self.device, self.dtype)


def schema(channels: int, size: int) -> Schema:
    """Return the schema of pieces. They are on the scale [0, 1], but their support is "real": noise has no bounds."""
    zero, one = (0.0,), (1.0,)
    return Schema("image", (channels, size, size), "chw", "float32", "real", zero, one, channels * zero, channels * one)


def white(dtype: np.dtype) -> float:
    """Return the value of white in images of `dtype`: 255, 65535, or 1 for floats."""
    return float(np.iinfo(dtype).max) if dtype.kind == "u" else 1.0
