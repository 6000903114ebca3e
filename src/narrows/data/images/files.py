"""Single images: opened safely, with what their headers tell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Literal, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # the only decoders of Pillow that are used
_ORIENTATION, _FIRST_TURNED = 0x0112, 5  # tag of EXIF and TIFF; from this value on width and height are exchanged
_TIFF_SIZE = 256, 257  # tags of TIFF: width and height of the pixels in the file

Depth = Literal["8", "16", "int32", "float32"]


class TooLarge(ValueError):
    """A file is too large once it is unpacked or decoded."""


class ImageFile(NamedTuple):
    """An image on disk or in an archive.

    Attributes
    ----------
    name : path within the folder or the archive, with forward slashes.
    label : name in messages.
    open : function that opens the file for reading bytes.
    """

    name: str
    label: str
    open: Callable[[], IO[bytes]]


class Header(NamedTuple):
    """Facts about an image that are known without decoding it.

    Attributes
    ----------
    file : the file.
    size : width and height of the upright image.
    depth : bits of a channel.
    is_grey : True without colour.
    is_cut : True for colour or transparency of 16 bits a channel, of which Pillow reads the upper 8.
    """

    file: ImageFile
    size: tuple[int, int]
    depth: Depth
    is_grey: bool
    is_cut: bool


def image_file(path: Path, name: str | None = None) -> ImageFile:
    """Return the image at `path` under `name`, or else under the last part of the path."""
    return ImageFile(name or path.name, str(path), lambda: open(path, "rb"))


def class_names(files: Iterable[str]) -> list[str]:
    """Return the class of each file, the name of its folder; "" without a folder.

    >>> class_names(["train/cat/1.png", "2.png"])
    ['cat', '']
    """
    return [PurePosixPath(file).parent.name for file in files]


@contextlib.contextmanager
def open_image(file: Path | ImageFile) -> Iterator[Image]:
    """Open an image for the code in the block.

    Raises
    ------
    TooLarge
        If the image has so many pixels that Pillow does not decode it.
    ValueError
        If Pillow raises any error, also in the block: the file is damaged or not an image.
    OSError
        If the file cannot be opened.
    """
    import PIL.Image

    file = file if isinstance(file, ImageFile) else image_file(file)
    with file.open() as stream:  # outside the try: an error such as missing permission does not mean damage
        try:
            with PIL.Image.open(stream, formats=_FORMATS) as image:
                yield image
        except (PIL.Image.DecompressionBombError, PIL.Image.DecompressionBombWarning) as error:
            raise TooLarge(f"{file.label} is too large: {error}") from error
        except PIL.UnidentifiedImageError as error:  # its text is the name of a Python object
            raise ValueError(f"{file.label} is damaged or not an image. Replace or remove it.") from error
        # Pillow's decoders raise nearly any error for unexpected bytes. The block contains only work on `image`.
        except Exception as error:
            raise ValueError(f"{file.label} is damaged or not an image ({error}). Replace or remove it.") from error


def read_header(file: ImageFile) -> Header:
    """Read the header of an image.

    Raises
    ------
    ValueError
        If the image is damaged or has several frames.
    """
    with open_image(file) as image:
        fault = _describe_frames(file.label, image)
        header = Header(file, _upright_size(image), depth_of(image), _is_grey(image), is_16_bit_colour(image))
    if fault:
        raise ValueError(fault)
    return header


def decode_image(path: Path) -> np.ndarray:
    """Read an image, upright and without transparency: uint8 or uint16 (h, w) if it is grey, else uint8 (h, w, 3).

    Raises
    ------
    ValueError
        If the image is damaged, or has 32 bits per channel or several frames.
    """
    from PIL import ImageOps

    with open_image(path) as image:
        fault = describe_fault(path, image)
        if not fault:
            upright = ImageOps.exif_transpose(image)
            if is_16_bit(image):
                return np.asarray(upright).astype(np.uint16)
            return np.asarray(upright.convert("L") if image.mode in ("1", "L", "LA") else as_rgb(upright))
    raise ValueError(fault)


def as_rgb(image: Image) -> Image:
    """Return an image as RGB, without its transparency."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]  # otherwise Pillow warns that it is dropped
    return image.convert("RGB")


def describe_fault(path: Path, image: Image) -> str | None:
    """Return the reason why an undamaged image is no photo (32 bits, several frames), or None."""
    if depth_of(image) in ("int32", "float32"):
        return (
            f"{path} must have 8 or 16 bits per channel. It has 32. Save it with fewer, or save the pixels with "
            "np.save('X.npy', X)."
        )
    return _describe_frames(str(path), image)


def _describe_frames(label: str, image: Image) -> str | None:
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1 and image.format != "MPO":  # MPO: a JPEG with a preview as a second frame
        return f"{label} must hold one image. It holds {n_frames}. Save each in its own file."
    return None


def depth_of(image: Image) -> Depth:
    """Return the bits of a channel as they are decoded."""
    # Older Pillow opens a PNG with 16 bits as mode I, which otherwise means 32 bits.
    if image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG"):
        return "16"
    return "int32" if image.mode == "I" else "float32" if image.mode == "F" else "8"


def is_16_bit(image: Image) -> bool:
    """Return True for a grey image with 16 bits."""
    return depth_of(image) == "16"


def is_16_bit_colour(image: Image) -> bool:
    """Return True for colour or transparency of 16 bits a channel, of which Pillow reads the upper 8.

    The image must not be loaded yet.
    """
    return image.mode in ("RGB", "RGBA", "LA") and any(";16" in str(part[3]) for part in getattr(image, "tile", ()))


def _is_grey(image: Image) -> bool:
    return image.mode in ("1", "L", "LA", "La") or depth_of(image) != "8"


def _upright_size(image: Image) -> tuple[int, int]:
    """Return width and height after PIL.ImageOps.exif_transpose, without decoding the image."""
    if image.format == "PNG" and "exif" not in image.info:
        return image.size  # `getexif` would decode the image
    is_turned = image.getexif().get(_ORIENTATION, 1) >= _FIRST_TURNED
    width, height = image.size
    if image.format == "TIFF":  # versions of Pillow differ in whether `size` is that of the upright image
        width, height = (image.tag_v2[tag] for tag in _TIFF_SIZE)  # type: ignore[attr-defined]
    return (height, width) if is_turned else (width, height)
