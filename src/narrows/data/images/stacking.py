"""Many images as one array: of one size and one depth."""

from __future__ import annotations

import contextlib
import functools
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from narrows.data.images.files import Header, ImageFile, TooLarge, class_names, open_image, read_header
from narrows.params import counted

if TYPE_CHECKING:
    from PIL.Image import Image

_SMALLEST_SIDE = 8  # of images that `longest` reduces
_DEPTHS = {"8": "8 bits per channel", "16": "16 bits", "int32": "32-bit integers", "float32": "32-bit floats"}

OnBad = Literal["error", "skip"]
Resize = int | tuple[int, int] | None


class Images(NamedTuple):
    """Images of the same size.

    Attributes
    ----------
    X : n x height x width, or n x height x width x 3, of uint8; grey images with more bits as uint16, int32 or float32.
    y : n integers, the index of each image's folder in sorted order; None without folders.
    files : n names, with forward slashes.
    notes : sentences about what was changed or left out.
    """

    X: np.ndarray
    y: np.ndarray | None
    files: list[str]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Options:
    """Choices for images that cannot be read, or have unlike sizes.

    Attributes
    ----------
    on_bad : "error" or "skip", for images that cannot be read.
    resize : height and width to which all images are cropped and resized; None to require one size.
    longest : largest number of pixels of the longer side. Images of unlike sizes then get the most common one. None for
        no such limit.
    """

    on_bad: OnBad = "error"
    resize: tuple[int, int] | None = None
    longest: int | None = None

    @classmethod
    def of(cls, on_bad: OnBad, resize: Resize) -> Options:
        """Return the options for the parameters of `narrows.data.files.read`.

        Raises
        ------
        ValueError
            If `on_bad` is unknown, or `resize` is not one or two positive integers.
        """
        if on_bad not in ("error", "skip"):
            raise ValueError(f'The `on_bad` parameter of read must be "error" or "skip". Got {on_bad!r} instead.')
        sides = (resize, resize) if isinstance(resize, int) else resize
        if sides is not None and not (
            isinstance(sides, Sequence)
            and len(sides) == 2
            and all(isinstance(side, int) and not isinstance(side, bool) and side > 0 for side in sides)
        ):
            raise ValueError(
                f"The `resize` parameter of read must be a number of pixels, or height and width. Got {resize!r}."
            )
        return cls(on_bad, None if sides is None else (sides[0], sides[1]))


DEFAULT = Options()


def read_images(files: Sequence[ImageFile], options: Options = DEFAULT) -> Images:
    """Read images of the same size. They are turned upright, as their EXIF data say.

    The array is grey if all images are. Grey images with 16 bits are kept as uint16, 32-bit integers as int32, and
    floats as float32. Where some images have colour, all become uint8. Transparent parts are laid on white.

    Raises
    ------
    ValueError
        If an image is damaged or has several frames (unless these are skipped), if sizes differ and none is asked for,
        or if images with 32 bits are among others.
    """
    return Scan(files, options).decode()


class Scan:
    """The headers of many images, from which they are then decoded.

    Parameters
    ----------
    files : the images.
    options : choices for images that cannot be read, or have unlike sizes.

    Attributes
    ----------
    headers : the header of each image that can be read.
    faults : what is wrong with each of the others, by its name.

    Raises
    ------
    ValueError
        If an image cannot be read, unless these are skipped.
    """

    def __init__(self, files: Sequence[ImageFile], options: Options = DEFAULT) -> None:
        self.options, self.n_files = options, len(files)
        self.headers: list[Header] = []
        self.faults: dict[str, str] = {}
        for file in files:
            with self._skipping(file):
                self.headers.append(read_header(file))

    @functools.cached_property
    def _size(self) -> tuple[int, int]:
        return self._choose_size()

    @functools.cached_property
    def _target(self) -> _Target:
        return _Target.of(self.headers, self._size)

    @property
    def n_bytes(self) -> int:
        """Size of the array that `decode` makes. Raises ValueError as `decode` does for unlike sizes and depths."""
        return len(self.headers) * math.prod(self._target.shape) * self._target.dtype.itemsize

    def decode(self) -> Images:
        """Decode the images; `read_images` documents the result and the errors."""
        target, notes = self._target, self._note_sizes()
        n_transparent = 0
        kept: list[Header] = []
        X = np.empty((len(self.headers), *target.shape), target.dtype)
        for header in self.headers:
            with self._skipping(header.file):
                with open_image(header.file) as image:
                    X[len(kept)], is_transparent = target.pixels(image, header)
                kept.append(header)
                n_transparent += is_transparent
        X = X[: len(kept)]
        self._check_any(kept)
        files = [header.file.name for header in kept]
        folders = class_names(files)
        classes = sorted(set(folders))
        y = np.array([classes.index(folder) for folder in folders]) if all(folders) else None
        notes += _note_depths(kept, X)
        if n_transparent:
            notes.append(f"{_count(n_transparent, 'has', 'have')} transparent parts, which are laid on white.")
        return Images(X, y, files, (*notes, *self._note_faults()))

    @contextlib.contextmanager
    def _skipping(self, file: ImageFile) -> Iterator[None]:
        """Note a fault of a file if such files are skipped. Otherwise say how to skip them."""
        try:
            yield
        except TooLarge:
            raise
        except ValueError as error:
            if self.options.on_bad == "error":
                if self.n_files == 1:
                    raise
                raise ValueError(f'{error} Or leave out such files: on_bad="skip" (--on-bad skip).') from error
            self.faults[file.name] = str(error)

    def _check_any(self, headers: Sequence[Header]) -> None:
        if not headers:
            raise ValueError(
                f"None of {counted(self.n_files, 'image')} can be read: {next(iter(self.faults.values()))}"
            )

    def _note_faults(self) -> list[str]:
        if not self.faults:
            return []
        shown = ", ".join(list(self.faults)[:5]) + (", ..." if len(self.faults) > 5 else "")
        return [f"Images that cannot be read are left out, {len(self.faults):,} of {self.n_files:,}: {shown}."]

    def _choose_size(self) -> tuple[int, int]:
        """Return the width and the height of the array. Raises ValueError if sizes differ and none is asked for."""
        self._check_any(self.headers)
        sizes = Counter(header.size for header in self.headers)
        first, options = self.headers[0], self.options
        (width, height), usual = first.size, sizes.most_common(1)[0][0]
        if options.resize is not None:
            height, width = options.resize
        elif options.longest is not None:
            factor = min(1.0, options.longest / max(usual))
            width, height = (max(_SMALLEST_SIDE, round(n * factor)) for n in usual) if factor < 1 else usual
        elif len(sizes) > 1:
            other = next(header for header in self.headers if header.size != first.size)
            raise ValueError(
                f"All images must have the same size. {first.file.label} is {width} x {height}, {other.file.label} is "
                f"{other.size[0]} x {other.size[1]} (width x height). Crop and resize all to one "
                f"height and width: resize=({height}, {width}) (--resize {height}x{width})."
            )
        return width, height

    def _note_sizes(self) -> list[str]:
        sizes = Counter(header.size for header in self.headers)
        usual, notes = sizes.most_common(1)[0][0], []
        if len(sizes) > 1:
            notes.append(f"The images have {len(sizes):,} sizes; all are cropped and resized to one.")
        if usual != self._size:
            before, after = (f"{width} x {height}" for width, height in (usual, self._size))
            notes.append(f"The images are resized from {before} to {after} pixels (width x height).")
        return notes


@dataclass(frozen=True)
class _Target:
    """Form of the images in the array.

    Attributes
    ----------
    size : width and height.
    dtype : dtype of the array.
    is_grey : False if the images become RGB.
    shift : number of bits by which grey images with 16 bits are reduced, where others have colour.
    """

    size: tuple[int, int]
    dtype: np.dtype
    is_grey: bool
    shift: int = 0

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one image in the array."""
        return (self.size[1], self.size[0]) if self.is_grey else (self.size[1], self.size[0], 3)

    @classmethod
    def of(cls, headers: Sequence[Header], size: tuple[int, int]) -> _Target:
        """Return the form that keeps all grey levels. Raises ValueError for 32 bits among other depths."""
        wide = next((header for header in headers if header.depth in ("int32", "float32")), None)
        if wide is not None:
            other = next((header for header in headers if header.depth != wide.depth), None)
            if other is not None:
                raise ValueError(
                    f"All images must have the same depth if some have 32 bits. {wide.file.label} has "
                    f"{_DEPTHS[wide.depth]}, {other.file.label} has {_DEPTHS[other.depth]}. Save them alike."
                )
            return cls(size, np.dtype(wide.depth), True)
        is_grey, deep = all(header.is_grey for header in headers), [h for h in headers if h.depth == "16"]
        if is_grey and deep:
            return cls(size, np.dtype(np.uint16), True)
        shift = max(0, _count_bits(deep) - 8)
        return cls(size, np.dtype(np.uint8), is_grey, shift)

    def pixels(self, image: Image, header: Header) -> tuple[np.ndarray, bool]:
        """Return the pixels in this form, and True if parts of the image are transparent."""
        from PIL import Image as pillow
        from PIL import ImageOps

        upright = ImageOps.exif_transpose(image)
        if upright.size != header.size == self.size:  # EXIF after the pixels of a PNG, where a header does not reach
            raise ValueError(f"its size is {upright.size[0]} x {upright.size[1]} once it is upright")
        if header.depth != "8" and self.dtype.itemsize > 1:
            return _fit_deep(np.asarray(upright), self.size).astype(self.dtype), False
        if header.depth != "8":
            upright = pillow.fromarray((np.asarray(upright) >> self.shift).astype(np.uint8))
        flat, is_transparent = _on_white(upright)
        converted = flat.convert("L" if self.is_grey else "RGB")
        fitted = np.asarray(converted if converted.size == self.size else ImageOps.fit(converted, self.size))
        return fitted.astype(self.dtype) * 257 if self.dtype == np.uint16 else fitted, is_transparent


def _count_bits(headers: Sequence[Header]) -> int:
    """Return the number of bits that the largest value of these images needs; 0 without images."""
    highest = 0
    for header in headers:
        with contextlib.suppress(ValueError), open_image(header.file) as image:  # `decode` reports damage
            highest = max(highest, int(np.asarray(image).max()))
    return highest.bit_length()


def _fit_deep(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Return grey pixels (h, w) of any depth, cropped and resized to `size` (width, height), within their own range."""
    from PIL import Image, ImageOps

    if pixels.shape == size[::-1]:
        return pixels
    fitted = np.asarray(ImageOps.fit(Image.fromarray(pixels.astype(np.float32)), size))
    within = np.clip(fitted, np.fmin.reduce(pixels, axis=None), np.fmax.reduce(pixels, axis=None))
    return np.rint(within) if pixels.dtype.kind in "ui" else within


def _on_white(image: Image) -> tuple[Image, bool]:
    """Return the image with its transparent parts on white, and True if it has some."""
    from PIL import Image as pillow

    if not image.has_transparency_data:
        return image, False
    clear = (image.convert("LA") if image.mode == "La" else image).convert("RGBA")
    if clear.getchannel("A").getextrema()[0] == 255:
        return clear, False
    return pillow.alpha_composite(pillow.new("RGBA", clear.size, (255,) * 4), clear), True


def _count(n: int, singular: str, plural: str) -> str:
    return f"{counted(n, 'image')} {singular if n == 1 else plural}"


def _note_depths(headers: Sequence[Header], X: np.ndarray) -> list[str]:
    """Return notes about images with 16 bits a channel."""
    n_deep, n_cut = sum(h.depth == "16" for h in headers), sum(h.is_cut for h in headers)
    notes = []
    if n_deep and X.dtype == np.uint16:
        rest = " The others have 8 bits and are multiplied by 257." if n_deep < len(headers) else ""
        notes.append(f"{_count(n_deep, 'has', 'have')} 16 bits; the largest value is {int(X.max()):,}.{rest}")
    elif n_deep:
        notes.append(f"{_count(n_deep, 'is', 'are')} grey with 16 bits, reduced to 8, because others have colour.")
    if n_cut:
        notes.append(f"{_count(n_cut, 'has', 'have')} 16 bits a channel, of which only the upper 8 are read.")
    return notes
