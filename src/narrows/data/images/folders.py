"""Folders of images, with or without classes."""

from __future__ import annotations

from pathlib import Path

from narrows.data.images.files import SUFFIXES, image_file
from narrows.data.images.stacking import DEFAULT, Images, Options, read_images


def read_folder(folder: Path, options: Options = DEFAULT) -> Images:
    """Read the images of a folder, or of its sub-folders, which are then the classes.

    Raises
    ------
    ValueError
        If there are no images, or images both in the folder and in sub-folders, or if `read_images` raises it.
    """
    images = _images_in(folder)
    class_folders = [entry for entry in _visible(folder) if entry.is_dir()]
    classes = [paths for entry in class_folders if (paths := _images_in(entry))]
    if images and classes:
        raise mixed_folders(str(folder), images[0].name, classes[0][0].relative_to(folder).as_posix())
    if not images and not classes:
        others = ", ".join(entry.name for entry in _visible(folder)[:5]) or "nothing"
        raise ValueError(
            f"{folder} must hold images ({', '.join(SUFFIXES)}), directly or in one sub-folder for each class, "
            f"one level deep. It holds {others}. Give the path of an image, or of the folder with the images."
        )
    paths = images or [path for paths in classes for path in paths]
    return read_images([image_file(path, path.relative_to(folder).as_posix()) for path in paths], options)


def mixed_folders(owner: str, direct: str, nested: str) -> ValueError:
    """Return the error for images both in the folder `owner` and in its sub-folders."""
    return ValueError(
        f"{owner} must hold its images either directly or in one sub-folder for each class. It has {direct} and "
        f"{nested}. Move the first into a sub-folder, or read a single sub-folder."
    )


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))


def _images_in(folder: Path) -> list[Path]:
    return [entry for entry in _visible(folder) if entry.suffix.lower() in SUFFIXES and entry.is_file()]
