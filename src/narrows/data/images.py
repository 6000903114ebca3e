"""Read images as arrays: single files, folders, and folders with one sub-folder for each class."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")  # the only decoders of Pillow that are used


def read_folder(folder: Path) -> tuple[np.ndarray, np.ndarray | None, list[str]]:
    """Read the images of a folder.

    Returns
    -------
    X : uint8, n x height x width or n x height x width x 3.
    y : n integers, the index of each image's sub-folder in sorted order; None without sub-folders.
    files : n paths relative to the folder, with forward slashes.

    Raises
    ------
    ValueError
        If there are no images, or images both in the folder and in sub-folders, or if `read_images` raises it.
    """
    images = _images_in(folder)
    class_folders = [entry for entry in _visible(folder) if entry.is_dir()]
    classes = [(entry, paths) for entry in class_folders if (paths := _images_in(entry))]
    if images and classes:
        raise ValueError(
            f"{folder} must hold its images either directly or in one sub-folder for each class. It has "
            f"{images[0].name} and {classes[0][1][0].relative_to(folder)}. Move the first into a sub-folder, or read a "
            "single sub-folder."
        )
    if images:
        return read_images(images), None, [image.name for image in images]
    if not classes:
        others = ", ".join(entry.name for entry in _visible(folder)[:5]) or "nothing"
        raise ValueError(
            f"{folder} must hold images ({', '.join(SUFFIXES)}), directly or in one sub-folder for each class, "
            f"one level deep. It holds {others}. Give the path of an image, or of the folder with the images."
        )
    X = read_images([image for _, paths in classes for image in paths])
    y = np.repeat(np.arange(len(classes)), [len(paths) for _, paths in classes])
    files = [f"{entry.name}/{image.name}" for entry, paths in classes for image in paths]
    return X, y, files


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _images_in(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.suffix.lower() in SUFFIXES and entry.is_file()]


def read_images(paths: list[Path]) -> np.ndarray:
    """Read images of the same size as uint8: (n, height, width), or (n, height, width, 3) if any has colour.

    All headers are read first, so that the array is allocated once, and an image of another size is detected early.

    Raises
    ------
    ValueError
        If an image is damaged, has 32 bits per channel or several frames, or not the size of the first image.
    """
    size, grey = None, True
    for path in paths:
        with open_image(path) as image:
            size, grey = size or image.size, grey and (image.mode in ("1", "L", "LA") or is_16_bit(image))
            current, fault = image.size, describe_fault(path, image)
        if fault:
            raise ValueError(fault)
        if current != size:
            raise ValueError(
                f"All images must have the same size. {paths[0]} is {size[0]} x {size[1]}, {path} is {current[0]} x "
                f"{current[1]} (width x height). Crop or resize them first, for example with "
                f"PIL.ImageOps.fit(image, {size})."
            )
    assert size is not None
    width, height = size
    X = np.empty((len(paths), height, width) if grey else (len(paths), height, width, 3), np.uint8)
    for i, path in enumerate(paths):
        with open_image(path) as image:
            X[i] = np.asarray(_as_8_bit(image).convert("L" if grey else "RGB"))
    return X


def decode_image(path: Path) -> np.ndarray:
    """Read an image as uint8 or uint16 (h, w) if it is grey, else as uint8 (h, w, 3). Transparency is dropped.

    Raises
    ------
    ValueError
        If the image is damaged, or has 32 bits per channel or several frames.
    """
    with open_image(path) as image:
        fault = describe_fault(path, image)
        if not fault:
            if is_16_bit(image):
                return np.asarray(image).astype(np.uint16)
            return np.asarray(image.convert("L") if image.mode in ("1", "L", "LA") else as_rgb(image))
    raise ValueError(fault)


def as_rgb(image: Image) -> Image:
    """Return an image as RGB, without its transparency."""
    if image.mode == "P" and "transparency" in image.info:
        image = image.copy()
        del image.info["transparency"]  # otherwise Pillow warns that it is dropped
    return image.convert("RGB")


def describe_fault(path: Path, image: Image) -> str | None:
    """Return the reason why an undamaged image cannot be read (32 bits, several frames), or None."""
    if image.mode in ("I", "F") and not is_16_bit(image):
        return (
            f"{path} must have 8 or 16 bits per channel. It has 32. Save it with fewer, or save the pixels with "
            "np.save('X.npy', X)."
        )
    n_frames = getattr(image, "n_frames", 1)
    if n_frames > 1 and image.format != "MPO":  # MPO: a JPEG with a preview as a second frame
        return f"{path} must hold one image. It holds {n_frames}. Save each in its own file."
    return None


def is_16_bit(image: Image) -> bool:
    """Return True for a grey image with 16 bits."""
    # Older Pillow opens a PNG with 16 bits as mode I, which otherwise means 32 bits.
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format == "PNG")


def _as_8_bit(image: Image) -> Image:
    """Keep the high byte of 16-bit grey: Pillow's `convert` would clip everything above 255 to white."""
    import PIL.Image

    return PIL.Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)) if is_16_bit(image) else image


@contextlib.contextmanager
def open_image(path: Path) -> Iterator[Image]:
    """Open an image for the code in the block.

    Raises
    ------
    ValueError
        If Pillow raises any error, also in the block: the file is damaged or not an image.
    OSError
        If the file cannot be opened.
    """
    import PIL.Image

    with open(path, "rb") as stream:  # outside the try: an error such as missing permission does not mean damage
        try:
            with PIL.Image.open(stream, formats=_FORMATS) as image:
                yield image
        # Pillow's decoders raise nearly any error for unexpected bytes. The block contains only work on `image`.
        except Exception as error:
            raise ValueError(f"{path} is damaged or not an image ({error}). Replace or remove it.") from error
