"""Images, alone and in folders of classes, as arrays of bytes."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # the only decoders of Pillow that are let near a file


def read_folder(folder: Path) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """The images of a folder, the number of the class of each (None without sub-folders), and the file of each."""
    images = _images_in(folder)
    class_folders = [entry for entry in _visible(folder) if entry.is_dir()]
    classes = [(entry, found) for entry in class_folders if (found := _images_in(entry))]
    if images and classes:
        raise ValueError(
            f"{folder} must hold its images either itself or in one sub-folder a class. It has {images[0].name} and "
            f"{classes[0][1][0].relative_to(folder)}. Move the former into a sub-folder, or read a sub-folder alone."
        )
    if images:
        return read_images(images), None, [image.name for image in images]
    if not classes:
        others = ", ".join(entry.name for entry in _visible(folder)[:5]) or "nothing"
        raise ValueError(
            f"{folder} must hold images ({', '.join(SUFFIXES)}), itself or in one sub-folder a class, one level "
            f"deep. It holds {others}. Give the path of a file or of the folder that has the images."
        )
    X = read_images([image for _, found in classes for image in found])
    y = np.repeat(np.arange(len(classes)), [len(found) for _, found in classes])
    files = [f"{entry.name}/{image.name}" for entry, found in classes for image in found]
    return X, y, files


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _images_in(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.suffix.lower() in SUFFIXES and entry.is_file()]


def read_images(paths: list[Path]) -> np.ndarray:
    """Read images of one size into uint8 of shape (n, height, width), or (n, height, width, 3) if any has colour.

    The headers are read first, so that the array can be made once and an odd image is found before the long work.
    """
    size, grey = None, True
    for path in paths:
        with opened(path) as image:
            size, grey = size or image.size, grey and (image.mode in ("1", "L", "LA") or is_16_bit(image))
            found, fault = image.size, unfit(path, image)
        if fault:
            raise ValueError(fault)
        if found != size:
            raise ValueError(
                f"All images must have one size. {paths[0]} is {size[0]} x {size[1]}, {path} is {found[0]} x "
                f"{found[1]} (width x height). Crop or resize them first, for example with "
                f"PIL.ImageOps.fit(image, {size})."
            )
    assert size is not None
    width, height = size
    X = np.empty((len(paths), height, width) if grey else (len(paths), height, width, 3), np.uint8)
    for i, path in enumerate(paths):
        with opened(path) as image:
            X[i] = np.asarray(_as_8_bit(image).convert("L" if grey else "RGB"))
    return X


def decoded(path: Path) -> np.ndarray:
    """An image of any size: bytes or uint16 (h, w) if it is grey, else bytes (h, w, 3). Transparency is left out."""
    with opened(path) as image:
        fault = unfit(path, image)
        if not fault:
            if is_16_bit(image):
                return np.asarray(image).astype(np.uint16)
            return np.asarray(image.convert("L") if image.mode in ("1", "L", "LA") else opaque(image))
    raise ValueError(fault)


def opaque(image: Image) -> Image:
    """An image as RGB, whatever of it is transparent."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]  # Pillow warns that it is lost
    return image.convert("RGB")


def unfit(path: Path, image: Image) -> str | None:
    """Why an image cannot be taken as one of 8 or 16 bits, which is no damage to the file; None if it can."""
    if image.mode in ("I", "F") and not is_16_bit(image):
        return (
            f"{path} must have 8 or 16 bits a channel. It has 32. Save it with fewer, or save the pixels with "
            "np.save('X.npy', X)."
        )
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1 and image.format != "MPO":  # a JPEG of a telephone, with a preview as a second frame
        return f"{path} must hold one image. It holds {n_frames}. Save each in a file of its own."
    return None


def is_16_bit(image: Image) -> bool:
    """Whether an image is grey with 16 bits."""
    # Older Pillow opens a PNG with 16 bits as mode I, which otherwise means 32 bits.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def _as_8_bit(image: Image) -> Image:
    """Keep the high byte of 16-bit grey; Pillow's own `convert` would clip everything above 255 to white."""
    import PIL.Image

    return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if is_16_bit(image) else image


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Image]:
    """Open an image; whatever Pillow raises for a damaged one becomes a ValueError that names the file."""
    import PIL.Image

    with open(path, "rb") as stream:  # outside the try: a permission error is no damage
        try:
            with PIL.Image.open(stream, formats=_FORMATS) as image:
                yield image
        # Pillow's decoders raise nearly anything at bytes they did not expect; only the work on `image` is in here.
        except Exception as error:
            raise ValueError(f"{path} is a damaged image, or none ({error}). Replace or remove it.") from error
