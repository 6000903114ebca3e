"""Photos in files: cleaned under their names, in their formats and modes, with their metadata.

The pixels are what changes. Grey stays grey, with 8 or 16 bits; a palette stays that palette; CMYK is cleaned band by
band; transparency is copied; EXIF, ICC profile, resolution, comments and the like go over as they are, and so does a
JPEG's subsampling.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from narrows.data import images
from narrows.data.atomic import atomic_path
from narrows.tasks.photos.images import is_one, paths

if TYPE_CHECKING:
    from PIL.Image import Image

    from narrows.tasks.photos.denoiser import PhotoDenoiser

_QUALITY = 95  # of JPEG and WebP: above it files grow and nothing is seen
_KEPT = ("icc_profile", "exif", "xmp", "dpi", "comment", "gamma", "transparency")  # of what Pillow reads and writes
_THROUGH = {"1": "L", "YCbCr": "RGB", "HSV": "RGB"}  # cleaned as such, and put back
_TRANSPARENT = ("LA", "RGBA", "La", "RGBa")
_MODES = ("L", "P", "RGB", "CMYK", *_THROUGH, *_TRANSPARENT)


def clean_files(model: PhotoDenoiser, source: Path, out: Path, *, ensemble: bool = False) -> list[Path]:
    """Clean the photo, or those of the folder, at `source` into `out`: see `PhotoDenoiser.denoise_files`."""
    if out.suffix.lower() == ".npy":
        clean_array(model, source, out, ensemble=ensemble)
        return [out]
    if out.suffix and not out.is_dir():
        raise ValueError(f"Cannot write photos to {out}: name a folder (no suffix), or a .npy file for a .npy file.")
    found = paths(source)
    if out.exists() and not out.is_dir():
        raise FileExistsError(f"Cannot write photos to {out}: it is a file. Name a folder.")
    root = source if source.is_dir() else source.parent
    if out.resolve() == root.resolve():
        raise ValueError(f"Cannot write to {out}: the photos that are cleaned lie there. Name another folder.")
    written, faults = [], []
    for path in found:
        target = out / path.relative_to(root)
        try:
            clean_file(model, path, target, ensemble=ensemble)
            written.append(target)
        except ValueError as fault:  # one bad photo is no reason not to clean the others
            faults.append(str(fault))
    if faults:
        more = f" So it is with {len(faults) - 1} more." if len(faults) > 1 else ""
        raise ValueError(f"{faults[0]}{more} Of {len(found)} photos {len(written)} were written to {out}.")
    return written


def clean_array(model: PhotoDenoiser, path: Path, target: Path, *, ensemble: bool = False) -> None:
    """Clean the photo (h, w) or (h, w, c) in a .npy file, which may be larger than memory, into another such file."""
    try:
        image = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path} is no whole .npy file ({error}). Save the photo again, by np.save.") from error
    if not isinstance(image, np.ndarray) or not is_one(image):
        raise ValueError(f"{path} must hold one photo, (h, w) or (h, w, c). Pass several as a folder of photos.")
    with atomic_path(target) as temporary:
        cleaned = np.lib.format.open_memmap(temporary, "w+", image.dtype, image.shape)
        model.denoise(image, ensemble=ensemble, out=cleaned)
        cleaned.flush()


def clean_file(model: PhotoDenoiser, path: Path, target: Path, *, ensemble: bool = False) -> None:
    """Clean the photo at `path` into the file `target`, whose folder is made.

    Raises
    ------
    ValueError
        If it cannot be read, or not be kept as it is.
    """
    with images.open_image(path) as image:
        fault = images.describe_fault(path, image) or _lost(path, image)
        if not fault:
            image.load()
            options = _options(image)
    if fault:
        raise ValueError(fault)
    cleaned = _cleaned(model, image, ensemble)
    target.parent.mkdir(parents=True, exist_ok=True)
    kind = "JPEG" if image.format == "MPO" else image.format
    with atomic_path(target) as temporary:
        cleaned.save(temporary, kind, **options)


def _cleaned(model: PhotoDenoiser, image: Image, ensemble: bool) -> Image:
    """The photo in its own mode."""
    from PIL import Image as pillow

    if images.is_16_bit(image):
        return pillow.fromarray(model.denoise(np.asarray(image).astype(np.uint16), ensemble=ensemble))
    if image.mode == "P":
        cleaned = pillow.fromarray(model.denoise(np.asarray(images.as_rgb(image)), ensemble=ensemble))
        return _in_palette(cleaned, image)
    through = image.convert(_THROUGH[image.mode]) if image.mode in _THROUGH else image
    bands = list(through.split())
    alpha = [bands.pop()] if image.mode in _TRANSPARENT else []
    pixels = np.stack([np.asarray(band) for band in bands], -1)
    found = model.denoise(pixels if len(bands) > 1 else pixels[..., 0], ensemble=ensemble)
    clean = [pillow.fromarray(band) for band in np.moveaxis(np.atleast_3d(found), -1, 0)]
    cleaned = pillow.merge(through.mode, [*clean, *alpha])
    return cleaned if through is image else cleaned.convert(image.mode, dither=pillow.Dither.NONE)


def _in_palette(cleaned: Image, image: Image) -> Image:
    """Each pixel as the nearest colour of the palette of `image`; transparent ones as they were."""
    from PIL import Image as pillow

    found = cleaned.quantize(palette=image, dither=pillow.Dither.NONE)
    before, after = np.asarray(image), np.array(found)
    clear = image.info.get("transparency")
    if isinstance(clear, int):
        clear = bytes(0 if i == clear else 255 for i in range(256))
    if isinstance(clear, bytes):
        opacity = np.frombuffer(clear.ljust(256, b"\xff"), np.uint8)
        # a colour that is in the palette twice, once clear, must not make a hole or fill one
        keep = opacity[before] != opacity[after]
        after[keep] = before[keep]
    found.frombytes(after.tobytes())
    found.info["transparency"] = image.info.get("transparency")
    return found


def _options(image: Image) -> dict[str, Any]:
    """What `save` must be told to keep of a photo what is not pixels."""
    options = {name: image.info[name] for name in _KEPT if image.info.get(name) is not None}
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
        # what a lossy codec or one for two colours made is kept without loss
        options["compression"] = compression if compression in ("raw", "tiff_lzw", "packbits") else "tiff_adobe_deflate"
        options["tiffinfo"] = _tags(image)
    elif image.format == "PNG":
        options["pnginfo"] = _texts(image)
    return options


def _texts(image: Image) -> Any:
    from PIL.PngImagePlugin import PngInfo

    found = PngInfo()
    for name, text in getattr(image, "text", {}).items():
        found.add_text(name, text)
    return found


def _tags(image: Image) -> Any:
    """The tags of a TIFF but those that say how its pixels lie in the file."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    layout = {256, 257, 258, 259, 262, 273, 277, 278, 279, 284, 317, 320, 322, 323, 324, 325, 338, 339}
    found = ImageFileDirectory_v2()
    for tag, value in image.tag_v2.items():  # type: ignore[attr-defined]
        if tag not in layout:
            found[tag] = value
            found.tagtype[tag] = image.tag_v2.tagtype[tag]  # type: ignore[attr-defined]
    return found


def _lost(path: Path, image: Image) -> str | None:
    """Why a photo could not be kept as it is; None if it can."""
    if image.mode in ("RGB", "RGBA", "LA") and any(";16" in str(part[3]) for part in getattr(image, "tile", ())):
        return (
            f"{path} has colour or transparency of 16 bits a channel, of which Pillow reads the upper 8 alone. Read it "
            "with another library, and pass the array (uint16) to `denoise`."
        )
    if image.mode not in _MODES and not images.is_16_bit(image):
        return f"{path} has the mode {image.mode}. Convert it to RGB, or pass its pixels as an array to `denoise`."
    return None
