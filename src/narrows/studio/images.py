"""Fits an uploaded image to the size and the units of a model. Its size is checked before it is decoded."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from narrows.data import Schema, white_level
from narrows.data.images import ImageFile, Options, Scan, TooLarge
from narrows.studio import pictures

MAX_PIXELS = 64 << 20  # pixels of one decoded image


class BadFile(ValueError):
    """An uploaded file is damaged or of a type that is not supported."""


def fit_image(content: bytes, schema: Schema) -> np.ndarray:
    """Convert an image file to one example (1 x `schema.user_shape`) in the units of the data of a model.

    Raises
    ------
    BadFile
        If the bytes are not an image, or a damaged one.
    TooLarge
        If the image has more than `MAX_PIXELS`.
    """
    h, w, c = pictures.display_shape(schema)
    pixels = _to_channels(_decode(content, (h, w)), c).reshape(1, h, w, c)
    values = _to_units(pixels, schema)
    if schema.shape[0] > c:  # channels that the file lacks are copies of its first one
        values = np.concatenate([values, *[values[..., :1]] * (schema.shape[0] - c)], axis=-1)
    layouts = {"hwc": values, "chw": np.moveaxis(values, -1, 1)}
    dtype = np.dtype(schema.dtype)
    array = layouts.get(schema.layout, values[..., 0])
    return (
        np.rint(array).astype(dtype) if dtype.kind in "ui" else array.astype(dtype if dtype.kind == "f" else np.float32)
    )


def _decode(content: bytes, size: tuple[int, int]) -> np.ndarray:
    """Return the pixels as the reader of files gives them, cropped and resized to `size` (height, width)."""
    file = ImageFile("image", "The image", lambda: io.BytesIO(content))
    try:
        scan = Scan([file], Options(resize=size))
        width, height = scan.headers[0].size
        if width * height > MAX_PIXELS:
            raise TooLarge(f"The image has {width} x {height} pixels; at most {MAX_PIXELS:,} are read.")
        return scan.decode().X[0]
    except TooLarge:
        raise
    except ValueError as error:
        raise BadFile(str(error)) from error


def _to_channels(pixels: np.ndarray, channels: int) -> np.ndarray:
    """Return pixels (h, w) or (h, w, 3) with 1 channel or 3."""
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], channels, -1)
    return pixels if channels == 3 else np.asarray(Image.fromarray(pixels).convert("L"))


def _to_units(pixels: np.ndarray, schema: Schema) -> np.ndarray:
    """Return pixels of any depth in the units of a model's data, float64."""
    if pixels.dtype.kind == "f" and schema.limits is None:
        return pixels.astype(np.float64)
    low, high = schema.limits or _usual_range(schema)
    if pixels.dtype == np.uint16 and schema.dtype == "uint16":
        values = np.clip(pixels.astype(np.float64), low, high)
    else:
        white = 1.0 if pixels.dtype.kind == "f" and pixels.max() <= 1 else white_level(float(pixels.max()))
        values = low + (high - low) * np.clip(pixels.astype(np.float64) / white, 0, 1)
    return (values >= (low + high) / 2).astype(np.float64) if schema.support == "binary" else values


def _usual_range(schema: Schema) -> tuple[np.ndarray, np.ndarray]:
    """Return the range of most values of unbounded images: the mean plus and minus two standard deviations.

    It is that of each channel that the page shows, or one range for all channels of a series.
    """
    centre, spread = np.asarray(schema.offset), 2 * np.asarray(schema.scale)
    if schema.is_series:
        centre, spread = centre.mean(keepdims=True), spread.max(keepdims=True)
    n_shown = pictures.display_shape(schema)[2]
    return (centre - spread)[:n_shown], (centre + spread)[:n_shown]
