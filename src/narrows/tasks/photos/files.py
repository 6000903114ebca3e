"""Denoising of photo files, which keep their names, formats, modes and metadata.

Only the pixels change. Grey stays grey, with 8 or 16 bits. A palette stays the same palette. CMYK is denoised band by
band. Transparency is copied. EXIF, ICC profile, resolution, comments and similar metadata are copied, and so is the
subsampling of a JPEG.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.data import images
from narrows.data.atomic import atomic_path
from narrows.params import counted
from narrows.tasks.photos.images import is_single_photo, photo_paths

if TYPE_CHECKING:
    from PIL.Image import Image

Denoise = Callable[..., np.ndarray]  # `PhotoDenoiser.denoise`

_QUALITY = 95  # of JPEG and WebP: above it files grow without a visible gain
_METADATA = ("icc_profile", "exif", "xmp", "dpi", "comment", "gamma", "transparency")  # names in Pillow's `info`
_DENOISED_AS = {"1": "L", "YCbCr": "RGB", "HSV": "RGB"}  # converted to this mode, and back afterwards
_TRANSPARENT = ("LA", "RGBA", "La", "RGBa")
_MODES = ("L", "P", "RGB", "CMYK", *_DENOISED_AS, *_TRANSPARENT)


def clean_files(denoise: Denoise, source: Path, out: Path, *, ensemble: bool = False) -> list[Path]:
    """Denoise the photo or the folder of photos `source` into `out` and return the files written.

    `PhotoDenoiser.denoise_files` documents the parameters and the errors.
    """
    if out.suffix.lower() == ".npy":
        clean_array(denoise, source, out, ensemble=ensemble)
        return [out]
    if out.suffix and not out.is_dir():
        raise ValueError(f"Cannot write photos to {out}: name a folder (no suffix), or a .npy file for a .npy file.")
    photos = photo_paths(source)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"Cannot write photos to {out}: it is a file. Name a folder.")
    root = source if source.is_dir() else source.parent
    if out.resolve() == root.resolve():
        raise ValueError(f"Cannot write to {out}: it is the folder of the noisy photos. Name another folder.")
    written, faults = [], []
    for path in photos:
        target = out / path.relative_to(root)
        try:
            clean_file(denoise, path, target, ensemble=ensemble)
            written.append(target)
        except ValueError as fault:  # one bad photo does not stop the others
            faults.append(str(fault))
    if faults:
        more = f" {len(faults) - 1} more could not be cleaned, either." if len(faults) > 1 else ""
        raise ValueError(f"{faults[0]}{more} Of {counted(len(photos), 'photo')} {len(written)} were written to {out}.")
    return written


def clean_array(denoise: Denoise, path: Path, target: Path, *, ensemble: bool = False) -> None:
    """Denoise the photo (h, w) or (h, w, c) in a .npy file, which may be larger than memory, into another .npy file.

    Raises
    ------
    ValueError
        If the file at `path` is damaged or does not hold one photo.
    """
    try:
        image = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is not a complete .npy file ({error}). Save the photo again with np.save.") from error
    if not isinstance(image, np.ndarray) or not is_single_photo(image):
        raise ValueError(f"{path} must hold one photo, (h, w) or (h, w, c). Pass several as a folder of photos.")
    with atomic_path(target) as temporary:
        cleaned = np.lib.format.open_memmap(temporary, "w+", image.dtype, image.shape)
        denoise(image, ensemble=ensemble, out=cleaned)
        cleaned.flush()


def clean_file(denoise: Denoise, path: Path, target: Path, *, ensemble: bool = False) -> None:
    """Denoise the photo at `path` into the file `target`, and make its folder.

    Raises
    ------
    ValueError
        If the photo cannot be read, or cannot be saved in its own format.
    """
    with images.open_image(path) as image:
        fault = images.describe_fault(path, image) or _unsupported_reason(path, image)
        if not fault:
            image.load()
            options = _save_options(image)
    if fault:
        raise ValueError(fault)
    cleaned = _denoise_image(denoise, image, ensemble)
    target.parent.mkdir(parents=True, exist_ok=True)
    file_format = "JPEG" if image.format == "MPO" else image.format
    with atomic_path(target) as temporary:
        cleaned.save(temporary, file_format, **options)


def _denoise_image(denoise: Denoise, image: Image, ensemble: bool) -> Image:
    """Return the denoised photo in the mode of `image`."""
    from PIL import Image as pillow

    if images.is_16_bit(image):
        return pillow.fromarray(denoise(np.asarray(image).astype(np.uint16), ensemble=ensemble))
    if image.mode == "P":
        cleaned = pillow.fromarray(denoise(np.asarray(images.as_rgb(image)), ensemble=ensemble))
        return _to_palette(cleaned, image)
    converted = image.convert(_DENOISED_AS[image.mode]) if image.mode in _DENOISED_AS else image
    bands = list(converted.split())
    alpha = [bands.pop()] if image.mode in _TRANSPARENT else []
    pixels = np.stack([np.asarray(band) for band in bands], -1)
    pixels = denoise(pixels if len(bands) > 1 else pixels[..., 0], ensemble=ensemble)
    bands = [pillow.fromarray(band) for band in np.moveaxis(np.atleast_3d(pixels), -1, 0)]
    cleaned = pillow.merge(converted.mode, [*bands, *alpha])
    return cleaned if converted is image else cleaned.convert(image.mode, dither=pillow.Dither.NONE)


def _to_palette(cleaned: Image, image: Image) -> Image:
    """Return each pixel as the nearest colour in the palette of `image`; transparent pixels stay as they were."""
    from PIL import Image as pillow

    result = cleaned.quantize(palette=image, dither=pillow.Dither.NONE)
    before, after = np.asarray(image), np.array(result)
    transparency = image.info.get("transparency")
    if isinstance(transparency, int):
        transparency = bytes(0 if i == transparency else 255 for i in range(256))
    if isinstance(transparency, bytes):
        opacity = np.frombuffer(transparency.ljust(256, b"\xff"), np.uint8)
        # a colour may be in the palette twice, once transparent: no pixel changes its opacity
        is_changed = opacity[before] != opacity[after]
        after[is_changed] = before[is_changed]
    result.frombytes(after.tobytes())
    result.info["transparency"] = image.info.get("transparency")
    return result


def _save_options(image: Image) -> dict[str, Any]:
    """Return the options of Pillow's `save` that keep the metadata of a photo."""
    options = {name: image.info[name] for name in _METADATA if image.info.get(name) is not None}
    if image.format in ("JPEG", "MPO"):
        from PIL.JpegImagePlugin import get_sampling

        sampling = get_sampling(image)
        options["quality"] = _QUALITY
        if sampling >= 0:
            options["subsampling"] = sampling
    elif image.format == "WEBP":
        options["quality"] = _QUALITY
    elif image.format == "TIFF":
        compression = image.info.get("compression")
        # a lossy codec, or one for two colours, is replaced by a lossless one
        options["compression"] = compression if compression in ("raw", "tiff_lzw", "packbits") else "tiff_adobe_deflate"
        options["tiffinfo"] = _tiff_tags(image)
    elif image.format == "PNG":
        options["pnginfo"] = _png_texts(image)
    return options


def _png_texts(image: Image) -> Any:
    from PIL.PngImagePlugin import PngInfo

    texts = PngInfo()
    for name, text in getattr(image, "text", {}).items():
        texts.add_text(name, text)
    return texts


def _tiff_tags(image: Image) -> Any:
    """Return the tags of a TIFF, except those that describe the layout of its pixels in the file."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    layout = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339}
    tags = ImageFileDirectory_v2()
    for tag, value in image.tag_v2.items():  # type: ignore[attr-defined]
        if tag not in layout:
            tags[tag] = value
            tags.tagtype[tag] = image.tag_v2.tagtype[tag]  # type: ignore[attr-defined]
    return tags


def _unsupported_reason(path: Path, image: Image) -> str | None:
    """Return the reason why a photo cannot be saved in its own mode, or None if it can."""
    if images.is_16_bit_colour(image):
        return (
            f"{path} has colour or transparency of 16 bits a channel, but Pillow reads only the upper 8. Read it "
            "with another library, and pass the array (uint16) to `denoise`."
        )
    if image.mode not in _MODES and not images.is_16_bit(image):
        return f"{path} has the mode {image.mode}. Convert it to RGB, or pass its pixels as an array to `denoise`."
    return None
