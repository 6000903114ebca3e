"""Converts examples to what a browser shows: bytes, PNG files, data URIs."""

from __future__ import annotations

import base64
import io
import math

import numpy as np
from PIL import Image

from narrows.data import Schema
from narrows.plots.sheets import as_bytes

MEDIA_TYPE = "image/png"


def display_shape(schema: Schema) -> tuple[int, int, int]:
    """Return height, width and channels (1 or 3) of a displayed example."""
    c, h, w = schema.shape
    return h, w, 3 if c >= 3 else 1


def to_display(examples: np.ndarray, schema: Schema) -> np.ndarray:
    """Convert images in the layout and units of the data to bytes, n x `display_shape`."""
    images = schema.channels_last(examples)
    if len(schema.user_shape) == 2:
        images = images[..., None]
    channels = display_shape(schema)[2]
    return np.ascontiguousarray(as_bytes(images[..., :channels], schema.limits))


def make_sheet(images: np.ndarray, columns: int) -> np.ndarray:
    """Join images (n, h, w, c) to one, `columns` in a row, without gaps. Places without an image are white.

    >>> make_sheet(np.zeros((3, 8, 8, 1), np.uint8), 2).shape
    (16, 16, 1)
    """
    n, h, w, c = images.shape
    rows = math.ceil(n / columns)
    padded = np.full((rows * columns, h, w, c), 255, np.uint8)
    padded[:n] = images
    return padded.reshape(rows, columns, h, w, c).swapaxes(1, 2).reshape(rows * h, columns * w, c)


def encode_png(image: np.ndarray, scale: int = 1) -> bytes:
    """Encode an image of bytes (h, w, 1 to 4 channels) as a PNG file. Each pixel becomes a square of `scale` pixels."""
    if image.shape[-1] == 1:
        image = image[..., 0]
    picture = Image.fromarray(image)
    if scale > 1:
        picture = picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)
    stream = io.BytesIO()
    picture.save(stream, "PNG", compress_level=3)
    return stream.getvalue()


def to_data_uri(image: np.ndarray) -> str:
    """Encode an image of bytes (h, w, 1 to 4 channels) as a data URI of a PNG."""
    return f"data:{MEDIA_TYPE};base64,{base64.b64encode(encode_png(image)).decode('ascii')}"


def draw_heat(excess: np.ndarray) -> np.ndarray:
    """Draw positive values of `excess` (h, w) in red on a transparent ground: (h, w, 4) bytes, the largest opaque."""
    alpha = np.clip(np.nan_to_num(excess, posinf=0.0, neginf=0.0), 0, None)
    alpha = alpha / max(float(alpha.max()), 1e-12)
    colour = np.broadcast_to(np.array([214, 39, 40], np.uint8), (*alpha.shape, 3))
    return np.concatenate([colour, np.rint(255 * alpha)[..., None].astype(np.uint8)], axis=-1)
