"""From examples in the user's units to what a browser shows: bytes, PNG files, data URIs."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

from narrows.data import Schema
from narrows.plots.sheets import as_bytes

MEDIA = "image/png"


def display_shape(schema: Schema) -> tuple[int, int, int]:
    """Height, width and channels (1 or 3) of an example as it is shown."""
    c, h, w = schema.shape
    return h, w, 3 if c >= 3 else 1


def displayed(examples: np.ndarray, schema: Schema) -> np.ndarray:
    """Images of any layout and units as bytes, n x `display_shape`."""
    images = schema.channels_last(examples)
    if schema.layout == "hw":
        images = images[..., None]
    channels = display_shape(schema)[2]
    return np.ascontiguousarray(as_bytes(images[..., :channels], schema.limits))


def sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Images (n, h, w, c) as one, in rows of `columns`, without gaps; what is left over is white.

    >>> sheet(np.zeros((3, 8, 8, 1), np.uint8), 2).shape
    (16, 16, 1)
    """
    n, h, w, c = images.shape
    rows = math.ceil(n / columns)
    whole = np.full((rows * columns, h, w, c), 255, np.uint8)
    whole[:n] = images
    return whole.reshape(rows, columns, h, w, c).swapaxes(1, 2).reshape(rows * h, columns * w, c)


def png(image: np.ndarray, scale: int = 1) -> bytes:
    """An image (h, w, 1 to 4 channels) of bytes as a PNG file, each pixel as a square of `scale` pixels."""
    if image.shape[-1] == 1:
        image = image[..., 0]
    picture = Image.fromarray(image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def uri(image: np.ndarray) -> str:
    """An image of bytes as a data URI."""
    return f"data:{MEDIA};base64,{base64.b64encode(png(image)).decode('ascii')}"


def heat(excess: np.ndarray) -> np.ndarray:
    """What is above 0 in `excess` (h, w) as red on nothing, as strong as the largest allows: (h, w, 4) bytes."""
    share = np.clip(np.nan_to_num(excess, posinf=0.0, neginf=0.0), 0, None)
    share = share / max(float(share.max()), 1e-12)
    colour = np.broadcast_to(np.array([214, 39, 40], np.uint8), (*share.shape, 3))
    return np.concatenate([colour, np.rint(255 * share)[..., None].astype(np.uint8)], axis=-1)
