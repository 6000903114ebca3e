"""Reads uploaded images: checks their size before decoding, and fits them to the size of a model."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from narrows.data import Schema
from narrows.data.images import TooLarge
from narrows.studio import pictures

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # no other decoder of Pillow sees untrusted bytes
MAX_PIXELS = 64 << 20  # pixels of one decoded image


class BadFile(ValueError):
    """An uploaded file is damaged or of a type that is not supported."""


def open_image(content: bytes, name: str = "The image") -> Image.Image:
    """Open an image and check its size, without decoding its pixels.

    Raises
    ------
    BadFile
        If the bytes are not an image, or a damaged one.
    TooLarge
        If the image has more than `MAX_PIXELS`.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(f"{name} is too large: {error}") from error
    except Exception as error:  # Pillow's decoders raise many types of errors for unexpected bytes
        raise BadFile(f"{name} is a damaged image, or not an image.") from error
    if image.width * image.height > MAX_PIXELS:
        raise TooLarge(f"{name} has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read.")
    return image


def decode_image(image: Image.Image, mode: str, size: tuple[int, int], name: str = "The image") -> np.ndarray:
    """Decode the first frame in `mode` ("L" or "RGB"), cropped and resized to `size` (width, height).

    Returns bytes, h x w or h x w x 3.

    Raises
    ------
    BadFile
        If the image is damaged.
    """
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
            deep = np.asarray(upright, dtype=np.float64)
            upright = Image.fromarray(np.clip(deep / (257 if deep.max() > 255 else 1), 0, 255).astype(np.uint8))
        if upright.has_transparency_data:
            white = Image.new("RGBA", upright.size, (255,) * 4)
            upright = Image.alpha_composite(white, upright.convert("RGBA"))
        converted = upright.convert(mode)
        return np.asarray(converted if converted.size == size else ImageOps.fit(converted, size))
    except Exception as error:
        raise BadFile(f"{name} is damaged.") from error


def fit_image(content: bytes, schema: Schema) -> np.ndarray:
    """Convert an image file to one example (1 x `schema.user_shape`) in the units of the data of a model.

    Raises
    ------
    BadFile, TooLarge
        As `open_image` and `decode_image` raise them.
    """
    h, w, c = pictures.display_shape(schema)
    pixels = decode_image(open_image(content), "L" if c == 1 else "RGB", (w, h)).reshape(1, h, w, c)
    low, high = schema.limits or _usual_range(schema)
    values = low + (high - low) * pixels.astype(np.float64) / 255
    if schema.support == "binary":
        values = (values >= (low + high) / 2).astype(np.float64)
    if schema.shape[0] > c:  # channels that the file lacks are copies of its first one
        values = np.concatenate([values, *[values[..., :1]] * (schema.shape[0] - c)], axis=-1)
    layouts = {"hw": values[..., 0], "hwc": values, "chw": np.moveaxis(values, -1, 1)}
    dtype = np.dtype(schema.dtype)
    array = layouts[schema.layout]
    return (
        np.rint(array).astype(dtype) if dtype.kind in "ui" else array.astype(dtype if dtype.kind == "f" else np.float32)
    )


def _usual_range(schema: Schema) -> tuple[float, float]:
    """Return the range of most values of unbounded images: the mean plus and minus two standard deviations."""
    centre, spread = schema.offset[0], 2 * schema.scale[0]
    return centre - spread, centre + spread
