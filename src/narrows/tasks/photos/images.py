"""Photos in memory: whatever a user passes, as a list of arrays (h, w) or (h, w, 3)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from narrows.data import as_array, min_max
from narrows.data.images import SUFFIXES, decoded
from narrows.data.patches import white

_SMALLEST = 8  # pixels of a side to learn from
_SQUARE = 8  # blocks of a square's side, of which a noise level is estimated
_LOOKED_AT = 1 << 22  # values looked at to estimate it, at most
_BRIGHTEST = 4.0  # of white, that noise may bring a float to; beyond it must be on another scale


def read(X: Any, owner: str) -> list[np.ndarray]:
    """The photos of a folder, a list or an array.

    Raises
    ------
    ValueError, TypeError, OSError
        If there are none, or one is not what it must be.
    """
    if isinstance(X, (str, os.PathLike)):
        found = [decoded(path) for path in paths(Path(X).expanduser())]
    elif isinstance(X, (list, tuple)):
        found = [as_array(image, owner) for image in X]
    else:
        array = as_array(X, owner)
        found = [array] if is_one(array) or array.ndim == 0 else list(array)
    if not found:
        raise ValueError(f"X passed to {owner} holds no photos.")
    for image in found:
        check(image, owner)
        if channels(image) not in (1, 3):
            raise ValueError(
                f"{owner} takes photos of 1 channel or 3 to learn from. Got {channels(image)}: leave transparency out."
            )
        if min(image.shape[:2]) < _SMALLEST:
            raise ValueError(
                f"X passed to {owner} holds a photo of {image.shape[0]} x {image.shape[1]} pixels, and at least "
                f"{_SMALLEST} x {_SMALLEST} are needed to learn from. Leave it out."
            )
        if image.dtype.kind == "f":
            low, high = min_max(image, owner)
            check_scale(max(-low, high), owner)
    return found


def paths(path: Path) -> list[Path]:
    """The photo at `path`, or those in that folder and its sub-folders, in order of their names.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is nothing, or no photo.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_file():
        return [path]
    found = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not found:
        raise ValueError(f"{path} must hold photos ({', '.join(SUFFIXES)}), itself or in sub-folders. It holds none.")
    return found


def is_one(X: np.ndarray) -> bool:
    """Whether an array is one photo, (h, w) or (h, w, c) with up to four channels, and not several."""
    return X.ndim == 2 or (X.ndim == 3 and X.shape[-1] <= 4)


def channels(image: np.ndarray) -> int:
    """1 or more."""
    return 1 if image.ndim == 2 else image.shape[2]


def check(image: Any, owner: str) -> None:
    """Raise unless `image` is a photo."""
    if isinstance(image, Tensor):
        raise TypeError(f"{owner} takes photos as arrays. Got a tensor: pass image.numpy().")
    if not isinstance(image, np.ndarray):
        files = " Files are cleaned by `denoise_files`." if isinstance(image, (str, os.PathLike)) else ""
        raise TypeError(f"{owner} takes photos as arrays (h, w) or (h, w, c). Got {type(image).__name__}.{files}")
    if not is_one(image) or image.size == 0:
        raise ValueError(
            f"{owner} takes photos as arrays (h, w) or (h, w, c), with c up to 4. Got shape {image.shape}."
        )
    if image.dtype.kind != "f" and image.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{owner} takes photos of bytes, 16-bit integers (uint16), or floats in [0, 1]. Got dtype {image.dtype}."
        )


def check_scale(brightest: float, owner: str) -> None:
    """Raise for floats that are on another scale than [0, 1]."""
    if not brightest <= _BRIGHTEST:
        what = f"values up to {brightest:.4g}" if np.isfinite(brightest) else "NaN or infinity"
        raise ValueError(
            f"{owner} takes floats as being in [0, 1], but for noise. Got {what}. Divide them by what white is "
            "(255, say), or pass bytes."
        )


def check_partners(shown: list[np.ndarray], partners: list[np.ndarray] | None, owner: str) -> None:
    """Raise unless there is a partner of the same size for each photo."""
    if partners is None:
        return
    if len(partners) != len(shown):
        raise ValueError(
            f"y passed to {owner} must hold a partner for each of {len(shown)} photos, not {len(partners)}."
        )
    for number, (image, partner) in enumerate(zip(shown, partners, strict=True)):
        if image.shape[:2] != partner.shape[:2]:
            raise ValueError(
                f"y passed to {owner} must hold partners of the same size. Photo {number} is {image.shape[:2]}, its "
                f"partner {partner.shape[:2]}."
            )


def prepared(image: np.ndarray, n_channels: int, size: int) -> np.ndarray:
    """A photo to learn from as C x H x W, of at least `size` pixels a side: a view where that is possible."""
    found = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    missing = [(0, 0), *((0, max(0, size - side)) for side in found.shape[1:])]
    if any(after for _, after in missing):
        found = np.pad(found, missing, mode="symmetric")
    return np.broadcast_to(found, (n_channels, *found.shape[1:])) if len(found) == 1 else found


def noise_level(image: np.ndarray) -> float:
    """The standard deviation of a photo's noise on the [0, 1] scale, where the photo is flattest.

    In each 2 x 2 block a b c d, the diagonal (a - b - c + d) / 2 holds the noise and what is finest in the photo, and
    is independent of the noise in the mean of the block. Squares of 8 x 8 blocks are ordered by how much those means
    vary, and the root mean square of the diagonals is taken over the flattest. Texture makes it too large, by 1 % on
    average at a level of 25/255 on the twelve photos of Set12, by 2 % at 15/255 and by 16 % at 5/255.
    """
    side = 2 * _SQUARE if min(image.shape[:2]) >= 2 * _SQUARE else 2
    height, width = (length // side * side for length in image.shape[:2])
    bands = image[:height].reshape(height // side, side, image.shape[1], -1)  # of a memory map, not yet read
    some = np.linspace(0, len(bands) - 1, max(1, min(len(bands), _LOOKED_AT // bands[0].size))).astype(int)
    pixels = bands[np.unique(some), :, :width].astype(np.float32) / white(image.dtype)
    # the bands' squares, of side / 2 times side / 2 blocks: n x blocks along each side x 2 x 2
    squares = np.moveaxis(
        pixels.reshape(-1, side // 2, 2, width // side, side // 2, 2, pixels.shape[-1]), (3, 6), (1, 2)
    )
    squares = squares.reshape(-1, side // 2, 2, side // 2, 2)
    a, b, c, d = squares[:, :, 0, :, 0], squares[:, :, 0, :, 1], squares[:, :, 1, :, 0], squares[:, :, 1, :, 1]
    flattest = (a + b + c + d).var((1, 2)).argsort()[: -(-len(squares) * 3 // 10)]
    return float(np.sqrt(np.square((a - b - c + d)[flattest] / 2).mean()))
