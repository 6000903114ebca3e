"""Sheets of pictures: many small images, enlarged, in one image. Needs NumPy and Pillow only.

An image is h x w, or h x w x channels. One or two channels are shown as grey, three or more as red, green and blue.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

_SIDE = 64  # approximate pixels of an image's longer side on a sheet
_GAP = 3  # pixels between images
_FONT = 14  # pixels
_PAPER, _INK = 255, (60, 60, 60)


def draw_sheet(
    images: np.ndarray,
    labels: Sequence[str] | None = None,
    *,
    scale: int | None = None,
    limits: tuple[float, float] | None = None,
) -> Image.Image:
    """Draw images in rows and columns on one white sheet.

    Parameters
    ----------
    images : (rows, columns, h, w) or (rows, columns, h, w, channels).
    labels : a label for each row, written to its left.
    scale : width on the sheet of one pixel of an image, in pixels; None enlarges small images to about 64 pixels.
    limits : values that become black and white, see `as_bytes`.

    Returns
    -------
    An image of Pillow.

    Raises
    ------
    ValueError
        If `images` does not have four or five axes, or if `labels` does not hold one label for each row.

    Examples
    --------
    >>> draw_sheet(np.zeros((2, 3, 8, 8)), ["first", "second"], scale=2).mode
    'RGB'
    """
    if images.ndim not in (4, 5):
        raise ValueError(
            f"`images` must be (rows, columns, h, w) or (rows, columns, h, w, channels). Got {images.shape}."
        )
    n_rows, n_columns, height, width = images.shape[:4]
    if labels is not None and len(labels) != n_rows:
        raise ValueError(f"`labels` must name each of the {n_rows} rows. Got {len(labels)}.")
    scale = scale or max(1, round(_SIDE / max(height, width)))
    cells = as_rgb(as_bytes(images, limits), 2).repeat(scale, axis=2).repeat(scale, axis=3)
    height, width = height * scale, width * scale
    font = _font()
    margin = math.ceil(max(font.getlength(label) for label in labels)) + 3 * _GAP if labels else 0
    size = (margin + n_columns * (width + _GAP) + _GAP, n_rows * (height + _GAP) + _GAP)
    canvas = Image.new("RGB", size, (_PAPER,) * 3)
    for i, row in enumerate(cells):
        top = _GAP + i * (height + _GAP)
        for j, cell in enumerate(row):
            canvas.paste(Image.fromarray(cell), (margin + _GAP + j * (width + _GAP), top))
        if labels:
            middle = top + height // 2 - _FONT // 2 - 2
            ImageDraw.Draw(canvas).text((2 * _GAP, middle), labels[i], fill=_INK, font=font)
    return canvas


def arrange_grid(
    images: np.ndarray, n_columns: int | None = None, limits: tuple[float, float] | None = None
) -> np.ndarray:
    """Arrange images (n, h, w[, channels]) in rows and columns; the last row is filled up with white.

    None for `n_columns` makes about as many rows as columns.

    >>> arrange_grid(np.zeros((5, 8, 8))).shape
    (2, 3, 8, 8)
    """
    images = as_bytes(images, limits)
    n_columns = n_columns or max(1, math.ceil(math.sqrt(len(images))))
    n_rows = max(1, math.ceil(len(images) / n_columns))
    filling = np.full((n_rows * n_columns - len(images), *images.shape[1:]), _PAPER, np.uint8)
    return np.concatenate([images, filling]).reshape(n_rows, n_columns, *images.shape[1:])


def arrange_rows(
    kinds: dict[str, np.ndarray], n_columns: int = 12, limits: tuple[float, float] | None = None
) -> tuple[np.ndarray, list[str]]:
    """Arrange kinds of images in rows: each example is in one column, below it the same example of the next kind.

    Returns the images and a label for each row.

    >>> images, labels = arrange_rows({"noisy": np.zeros((20, 8, 8)), "clean": np.zeros((20, 8, 8))})
    >>> images.shape, labels
    ((4, 12, 8, 8), ['noisy', 'clean', 'noisy', 'clean'])
    """
    n_columns = min(n_columns, max(len(images) for images in kinds.values()))
    grids = [arrange_grid(images, n_columns, limits) for images in kinds.values()]
    rows = np.stack(grids, axis=1)
    return rows.reshape(-1, *rows.shape[2:]), [*kinds] * len(grids[0])


def as_bytes(images: np.ndarray, limits: tuple[float, float] | None = None) -> np.ndarray:
    """Convert images to uint8.

    Parameters
    ----------
    images : array of any shape and any real dtype; uint8 is returned unchanged.
    limits : values that become black and white; values beyond them are clipped. None takes 0 and 1 if all values lie
        between these, otherwise the smallest and the largest value.

    Examples
    --------
    >>> as_bytes(np.array([0.0, 0.5, 1.0])).tolist()
    [0, 128, 255]
    >>> as_bytes(np.array([-3.0, 7.0])).tolist()
    [0, 255]
    """
    if images.dtype == np.uint8:
        return images
    values = np.nan_to_num(np.asarray(images, dtype=np.float64), nan=0.0, posinf=np.inf, neginf=-np.inf)
    if limits is None:
        finite = values[np.isfinite(values)]
        limits = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
        if 0 <= limits[0] and limits[1] <= 1:
            limits = (0.0, 1.0)
    low, high = limits
    unit = (np.clip(values, low, high) - low) / ((high - low) or 1.0)
    return np.rint(unit * 255).astype(np.uint8)


def as_rgb(images: np.ndarray, n_axes: int = 1) -> np.ndarray:
    """Return images as (..., h, w, 3), whatever their channels were; `n_axes` is the number of axes before h."""
    if images.ndim == n_axes + 2:
        images = images[..., None]
    channels = images.shape[-1]
    return images[..., :3] if channels >= 3 else images[..., :1].repeat(3, axis=-1)


def _font() -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(_FONT)
