"""Read images as arrays: single files, folders, and folders with one sub-folder for each class.

The headers of all images are read first. They tell the size and the depth of the array, which is then allocated once.
"""

from narrows.data.images.files import (
    SUFFIXES,
    ImageFile,
    TooLarge,
    as_rgb,
    class_names,
    decode_image,
    describe_fault,
    image_file,
    is_16_bit,
    is_16_bit_colour,
    open_image,
)
from narrows.data.images.folders import mixed_folders, read_folder
from narrows.data.images.stacking import Images, OnBad, Options, Resize, Scan, read_images

__all__ = [
    "SUFFIXES",
    "ImageFile",
    "Images",
    "OnBad",
    "Options",
    "Resize",
    "Scan",
    "TooLarge",
    "as_rgb",
    "class_names",
    "decode_image",
    "describe_fault",
    "image_file",
    "is_16_bit",
    "is_16_bit_colour",
    "mixed_folders",
    "open_image",
    "read_folder",
    "read_images",
]
