"""Reading, checking and preparing photos, and estimating their noise level."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor

from narrows.data import as_array, min_max
from narrows.data.images import SUFFIXES, decode_image
from narrows.data.patches import white

MIN_SIDE = 8  # smallest side of a training photo, in pixels
_SQUARE = 8  # side of a square for the noise level, in blocks
_MAX_SAMPLED = 1 << 22  # values used for the noise level
_MAX_FLOAT = 4.0  # a float may be brighter than white (1) because of noise; above this the scale is wrong


def read_photos(X: Any, owner: str) -> list[np.ndarray]:
    """Return the training photos of a folder, a list or an array: arrays (h, w) or (h, w, 3).

    Raises
    ------
    ValueError
        If there are none, or one has a wrong shape, dtype or scale.
    TypeError
        If a photo is not an array.
    OSError
        If a file cannot be read.
    """
    if isinstance(X, (str, os.PathLike)):
        photos = [decode_image(path) for path in photo_paths(Path(X).expanduser())]
    elif isinstance(X, (list, tuple)):
        photos = [as_array(image, owner) for image in X]
    else:
        array = as_array(X, owner)
        photos = [array] if is_single_photo(array) or array.ndim == 0 else list(array)
    if not photos:
        raise ValueError(f"X passed to {owner} holds no photos.")
    for image in photos:
        check_photo(image, owner)
        channels = count_channels(image)
        if channels not in (1, 3):
            raise ValueError(
                f"{owner} takes photos of 1 channel or 3 to learn from. Got {channels}: leave transparency out."
            )
        if min(image.shape[:2]) < MIN_SIDE:
            raise ValueError(
                f"X passed to {owner} holds a photo of {image.shape[0]} x {image.shape[1]} pixels, and at least "
                f"{MIN_SIDE} x {MIN_SIDE} are needed to learn from. Leave it out."
            )
        if image.dtype.kind == "f":
            low, high = min_max(image, owner)
            check_scale(max(-low, high), owner)
    return photos


def photo_paths(path: Path) -> list[Path]:
    """Return `path` itself if it is a file, or the photos in that folder and its sub-folders, in order of their names.

    Raises
    ------
    FileNotFoundError
        If `path` does not exist.
    ValueError
        If the folder holds no photo.
    """
    if not path.exists():
        raise FileNotFoundError(f"There is no file or folder {path}.")
    if path.is_file():
        return [path]
    files = sorted(
        file
        for file in path.rglob("*")
        if file.suffix.lower() in SUFFIXES
        and file.is_file()
        and not any(part.startswith(".") for part in file.relative_to(path).parts)
    )
    if not files:
        raise ValueError(f"{path} must hold photos ({', '.join(SUFFIXES)}), directly or in sub-folders. It holds none.")
    return files


def is_single_photo(X: np.ndarray) -> bool:
    """Return True for one photo, (h, w) or (h, w, c) with c up to 4, and False for several."""
    return X.ndim == 2 or (X.ndim == 3 and X.shape[-1] <= 4)


def count_channels(image: np.ndarray) -> int:
    """Return the number of channels of a photo (h, w) or (h, w, c)."""
    return 1 if image.ndim == 2 else image.shape[2]


def check_photo(image: Any, owner: str) -> None:
    """Raise TypeError or ValueError unless `image` is an array (h, w) or (h, w, c) of a dtype for photos."""
    if isinstance(image, Tensor):
        raise TypeError(f"{owner} takes photos as arrays. Got a tensor: pass image.numpy().")
    if not isinstance(image, np.ndarray):
        files = " Files are cleaned by `denoise_files`." if isinstance(image, (str, os.PathLike)) else ""
        raise TypeError(f"{owner} takes photos as arrays (h, w) or (h, w, c). Got {type(image).__name__}.{files}")
    if not is_single_photo(image) or image.size == 0:
        raise ValueError(
            f"{owner} takes photos as arrays (h, w) or (h, w, c), with c up to 4. Got shape {image.shape}."
        )
    if image.dtype.kind != "f" and image.dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"{owner} takes photos of bytes, 16-bit integers (uint16), or floats in [0, 1]. Got dtype {image.dtype}."
        )


def check_scale(brightest: float, owner: str) -> None:
    """Raise ValueError if the `brightest` float of a photo shows that its scale is not [0, 1]."""
    if not brightest <= _MAX_FLOAT:
        values = f"values up to {brightest:.4g}" if np.isfinite(brightest) else "NaN or infinity"
        raise ValueError(
            f"{owner} takes floats in [0, 1], apart from noise. Got {values}. Divide them by the value of white, such "
            "as 255, or pass bytes."
        )


def check_partners(photos: list[np.ndarray], partners: list[np.ndarray] | None, owner: str) -> None:
    """Raise ValueError unless `partners` is None or has a partner of the same size for each photo."""
    if partners is None:
        return
    if len(partners) != len(photos):
        raise ValueError(
            f"y passed to {owner} must hold a partner for each of {len(photos)} photos, not {len(partners)}."
        )
    for number, (image, partner) in enumerate(zip(photos, partners, strict=True)):
        if image.shape[:2] != partner.shape[:2]:
            raise ValueError(
                f"y passed to {owner} must hold partners of the same size. Photo {number} is {image.shape[:2]}, its "
                f"partner {partner.shape[:2]}."
            )


def prepare_photo(image: np.ndarray, n_channels: int, size: int) -> np.ndarray:
    """Return a training photo as C x H x W with sides of at least `size` pixels: a view if possible."""
    photo = image[None] if image.ndim == 2 else np.moveaxis(image, -1, 0)
    padding = [(0, 0), *((0, max(0, size - side)) for side in photo.shape[1:])]
    if any(after for _, after in padding):
        photo = np.pad(photo, padding, mode="symmetric")
    return np.broadcast_to(photo, (n_channels, *photo.shape[1:])) if len(photo) == 1 else photo


def estimate_noise_level(image: np.ndarray) -> float:
    """Estimate the standard deviation of a photo's noise on the [0, 1] scale.

    In each 2 x 2 block a b c d, the diagonal (a - b - c + d) / 2 holds the noise and the finest detail. It is
    independent of the noise in the mean of the block. The estimate is the root mean square of the diagonals over the
    flattest 30 % of all squares of 8 x 8 blocks, those whose block means vary least. Texture makes it too large: on
    average over the twelve photos of Set12 by 1 % at a level of 25/255, by 2 % at 15/255 and by 16 % at 5/255.
    """
    side = 2 * _SQUARE if min(image.shape[:2]) >= 2 * _SQUARE else 2
    height, width = (length // side * side for length in image.shape[:2])
    bands = image[:height].reshape(height // side, side, image.shape[1], -1)  # a view: a memory map is not read yet
    sample = np.linspace(0, len(bands) - 1, max(1, min(len(bands), _MAX_SAMPLED // bands[0].size))).astype(int)
    pixels = bands[np.unique(sample), :, :width].astype(np.float32) / white(image.dtype)
    # the squares of the bands: n x side / 2 x 2 x side / 2 x 2, with 2 x 2 pixels in a block
    squares = np.moveaxis(
        pixels.reshape(-1, side // 2, 2, width // side, side // 2, 2, pixels.shape[-1]), (3, 6), (1, 2)
    )
    squares = squares.reshape(-1, side // 2, 2, side // 2, 2)
    a, b, c, d = squares[:, :, 0, :, 0], squares[:, :, 0, :, 1], squares[:, :, 1, :, 0], squares[:, :, 1, :, 1]
    flattest = (a + b + c + d).var((1, 2)).argsort()[: -(-len(squares) * 3 // 10)]
    return float(np.sqrt(np.square((a - b - c + d)[flattest] / 2).mean()))
