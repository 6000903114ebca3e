"""Images that are brought: looked at before they are decoded, and fitted to a model's size."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageOps

from narrows.data import Schema
from narrows.studio import pictures

_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # the only decoders of Pillow that are let near what comes in
MOST_PIXELS = 64 << 20  # of one image, decoded


class BadFile(ValueError):
    """What was brought is of no kind that is read, or damaged."""


class TooLarge(ValueError):
    """What was brought is too large once unpacked."""


def opened(content: bytes, name: str = "The image") -> Image.Image:
    """An image, its size known to be bearable; its pixels are not decoded yet.

    Raises
    ------
    BadFile
        If it is damaged or none.
    TooLarge
        If it has more than `MOST_PIXELS`.
    """
    try:
        image = Image.open(io.BytesIO(content), formats=_FORMATS)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise TooLarge(f"{name} is too large: {error}") from error
    except Exception as error:  # Pillow's decoders raise nearly anything at bytes they did not expect
        raise BadFile(f"{name} is a damaged image, or none.") from error
    if image.width * image.height > MOST_PIXELS:
        raise TooLarge(f"{name} has {image.width} x {image.height} pixels; at most {MOST_PIXELS:,} are read.")
    return image


def decoded(image: Image.Image, mode: str, size: tuple[int, int], name: str = "The image") -> np.ndarray:
    """The first frame as bytes in `mode` ("L" or "RGB"), cropped and resized to `size` (width, height)."""
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode.startswith("I;16") or upright.mode in ("I", "F"):
            deep = np.asarray(upright, dtype=np.float64)
            upright = Image.fromarray(np.clip(deep / (257 if deep.max() > 255 else 1), 0, 255).astype(np.uint8))
        if upright.has_transparency_data:
            white = Image.new("RGBA", upright.size, (255,) * 4)
            upright = Image.alpha_composite(white, upright.convert("RGBA"))
        plain = upright.convert(mode)
        return np.asarray(plain if plain.size == size else ImageOps.fit(plain, size))
    except Exception as error:
        raise BadFile(f"{name} is damaged.") from error


def fitted_image(content: bytes, schema: Schema) -> np.ndarray:
    """An image file as one example (1 x `schema.user_shape`) in the units of the data that a model was fitted on.

    Raises
    ------
    BadFile, TooLarge
        As `opened` does.
    """
    h, w, c = pictures.display_shape(schema)
    pixels = decoded(opened(content), "L" if c == 1 else "RGB", (w, h)).reshape(1, h, w, c)
    low, high = schema.limits or _usual(schema)
    values = low + (high - low) * pixels.astype(np.float64) / 255
    if schema.support == "binary":
        values = (values >= (low + high) / 2).astype(np.float64)
    if schema.shape[0] > c:  # what has no colour in the file is taken as its first one
        values = np.concatenate([values, *[values[..., :1]] * (schema.shape[0] - c)], axis=-1)
    layouts = {"hw": values[..., 0], "hwc": values, "chw": np.moveaxis(values, -1, 1)}
    dtype = np.dtype(schema.dtype)
    array = layouts[schema.layout]
    return (
        np.rint(array).astype(dtype) if dtype.kind in "ui" else array.astype(dtype if dtype.kind == "f" else np.float32)
    )


def _usual(schema: Schema) -> tuple[float, float]:
    """Where most values lie of images without bounds."""
    centre, spread = schema.offset[0], 2 * schema.scale[0]
    return centre - spread, centre + spread
