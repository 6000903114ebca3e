"""Read .zip files of images, or of one other file. Nothing is unpacked before its size is known."""

from __future__ import annotations

import contextlib
import errno
import gzip
import io
import re
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NamedTuple

import numpy as np

from narrows.data.files.dataset import Dataset
from narrows.data.images import SUFFIXES, ImageFile, Options, Scan, TooLarge, class_names, mixed_folders

_DAMAGE = (zipfile.BadZipFile, gzip.BadGzipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, KeyError)
_FREE, _PER_BYTE = 1 << 30, 100  # bytes: an archive may unpack to the first, plus so many times its own size
_FREE_PIXELS, _PIXELS_PER_BYTE = 64 << 20, 256  # the same for the pixels of its images
_MAX_IMAGE_PIXELS = 256 << 20
_CELL = re.compile(rb"<(?:\w+:)?(?:c|row|si)[\s/>]")  # a cell, a row or a word of a sheet
_MAX_NAME_LENGTH = 100  # characters of a temporary file


@dataclass(frozen=True)
class Limits:
    """Limits of what an archive may hold. None stands for a generous multiple of the size of the archive.

    Attributes
    ----------
    unpacked : bytes of all files that are read, and of the array of images.
    pixels : pixels of all images before they are resized.
    image_pixels : pixels of one image.
    n_images : number of images.
    """

    unpacked: int | None = None
    pixels: int | None = None
    image_pixels: int = _MAX_IMAGE_PIXELS
    n_images: int = 10_000_000


class _Member(NamedTuple):
    """A file in an archive; `name` is a relative path without '..', so that it is safe as the name of an output."""

    name: str
    info: zipfile.ZipInfo


def read_zip(path: Path, options: Options, read_file: Callable[[Path], Dataset], limits: Limits = Limits()) -> Dataset:
    """Read a .zip of images, or of one other file.

    Images are all in one folder, or in one for each class, at any depth. Other files beside images are ignored.

    Parameters
    ----------
    path : the archive.
    options : choices for images that cannot be read, or have unlike sizes.
    read_file : function that reads the other file, from a temporary folder.
    limits : limits of the contents.

    Raises
    ------
    TooLarge
        If the archive holds more than `limits` allow.
    ValueError
        If it is damaged or has a password, or holds neither images nor one file that can be read.
    """
    with _open(path) as archive:
        members = [_Member(name, info) for info in archive.infolist() if (name := _safe_name(info))]
        pictures, others = (
            [member for member in members if member.name.lower().endswith(SUFFIXES) is is_image]
            for is_image in (True, False)
        )
        limit = limits.unpacked or _FREE + _PER_BYTE * path.stat().st_size
        if len(pictures) > limits.n_images:
            raise TooLarge(f"{path} holds {len(pictures):,} images; at most {limits.n_images:,} are read.")
        _check_sizes(path, (member.info for member in pictures or members), limit)
        if pictures:
            loaded = _read_pictures(path, archive, pictures, options, limits, limit)
            if others:
                note = f"Files that are no images are ignored, {len(others):,} of {len(members):,}: {_list(others)}."
                loaded = loaded._replace(notes=(*loaded.notes, note))
            return loaded
        if len(members) != 1 or members[0].name.lower().endswith(".zip"):  # an archive may hold itself
            raise ValueError(
                f"{path} must hold images ({', '.join(SUFFIXES)}), or one table or array. It holds "
                f"{_list(members) or 'nothing'}. Unpack it, and give the path of one file."
            )
        return _read_member(path, archive, members[0], read_file)


def check_unpacked(path: Path, limit: int) -> None:
    """Check the size to which a file unpacks, if it is gzipped or a zip, as .npz and .xlsx are.

    Raises
    ------
    TooLarge
        If it unpacks to more than `limit` bytes.
    ValueError
        If it is damaged.
    """
    if is_gzipped(path):
        with _damage_reported(str(path)), gzip.open(path) as unpacked:
            if unpacked.seek(limit + 1) > limit:
                raise TooLarge(f"{path} unpacks to more than {limit:,} bytes, which is the most that is read.")
    elif zipfile.is_zipfile(path):
        with _open(path) as archive:
            _check_sizes(path, archive.infolist(), limit)


def is_gzipped(path: Path) -> bool:
    """Return True if a file is compressed by gzip."""
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def count_sheet_cells(path: Path) -> int:
    """Return the number of cells in the sheets of an Excel file, with rows and words, counted without a parser.

    Raises
    ------
    ValueError
        If it is damaged.
    """
    n = 0
    with _open(path) as archive, _damage_reported(str(path)):
        for info in archive.infolist():
            tail = b""
            with archive.open(info) as stream:
                while block := stream.read(1 << 20):
                    n += len(_CELL.findall(tail + block))
                    tail = block[-2:]  # shorter than a match, so that none is counted twice
    return n


def _open(path: Path) -> zipfile.ZipFile:
    with _damage_reported(str(path)):
        return zipfile.ZipFile(path)


@contextlib.contextmanager
def _damage_reported(label: str) -> Iterator[None]:
    """Turn errors about damaged bytes into a ValueError that names the file."""
    try:
        yield
    except (*_DAMAGE, OSError) as error:
        if not isinstance(error, _DAMAGE) and error.errno != errno.EINVAL:  # which comes from a wrong offset
            raise
        raise ValueError(f"{label} is damaged or has a password ({error}). Pack it again, without one.") from error


def _safe_name(info: zipfile.ZipInfo) -> str:
    """Return the path of a file in its archive, without '..', drives and roots; "" for folders and hidden files."""
    if info.is_dir():
        return ""
    parts = [part for part in info.filename.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    parts = parts[1:] if parts and parts[0].endswith(":") else parts
    if any(part.startswith((".", "__MACOSX")) for part in parts):
        return ""
    return "/".join("".join(c for c in part if c.isprintable()) for part in parts)


def _list(members: Sequence[_Member]) -> str:
    return ", ".join(member.name for member in members[:5]) + (", ..." if len(members) > 5 else "")


def _check_sizes(path: Path, infos: Iterable[zipfile.ZipInfo], limit: int) -> None:
    unpacked = sum(info.file_size for info in infos)  # zipfile never unpacks more than this
    if unpacked > limit:
        raise TooLarge(f"{path} unpacks to {unpacked:,} bytes; at most {limit:,} are read.")


def _read_pictures(
    path: Path, archive: zipfile.ZipFile, members: Sequence[_Member], options: Options, limits: Limits, limit: int
) -> Dataset:
    scan = Scan([_image_file(path, archive, *member) for member in _without_root(path, members)], options)
    n_pixels = 0
    for header in scan.headers:
        width, height = header.size
        if width * height > limits.image_pixels:
            raise TooLarge(
                f"{header.file.label} has {width} x {height} pixels; at most {limits.image_pixels:,} are read."
            )
        n_pixels += width * height
    most = min(limits.pixels or n_pixels, _FREE_PIXELS + _PIXELS_PER_BYTE * path.stat().st_size)
    if n_pixels > most:
        raise TooLarge(f"The images in {path} have {n_pixels:,} pixels; at most {most:,} are decoded.")
    if (n_bytes := scan.n_bytes) > limit:
        raise TooLarge(f"{path} decodes to {n_bytes:,} bytes; at most {limit:,} are allowed.")
    images = scan.decode()
    return Dataset(images.X, images.y, None, path.stem, images.files, notes=images.notes)


def _without_root(path: Path, members: Sequence[_Member]) -> list[_Member]:
    """Return the members by name, without the folders that all have in common. Names that are taken get a number."""
    folders = [member.name.split("/")[:-1] for member in members]
    n_common = 0
    while all(len(folder) > n_common and folder[n_common] == folders[0][n_common] for folder in folders):
        n_common += 1
    named: dict[str, _Member] = {}
    for member in sorted(members, key=lambda member: member.name):
        name = "/".join(member.name.split("/")[n_common:])
        stem, dot, suffix = name.rpartition(".")
        k = 1
        while name in named:
            k += 1
            name = f"{stem} ({k}){dot}{suffix}"
        named[name] = member._replace(name=name)
    classes = class_names(named)
    if any(classes) and not all(classes):
        direct, nested = (
            next(n for n, c in zip(named, classes, strict=True) if bool(c) is has) for has in (False, True)
        )
        raise mixed_folders(str(path), direct, nested)
    return list(named.values())


def _image_file(path: Path, archive: zipfile.ZipFile, name: str, info: zipfile.ZipInfo) -> ImageFile:
    label = f"{path}/{name}"

    def read_member() -> IO[bytes]:
        with _damage_reported(label):
            return io.BytesIO(archive.read(info))  # decoders move back and forth, which is slow in a zip

    return ImageFile(name, label, read_member)


def _read_member(
    path: Path, archive: zipfile.ZipFile, member: _Member, read_file: Callable[[Path], Dataset]
) -> Dataset:
    """Read the only file of an archive, from a temporary folder."""
    name = member.name.rpartition("/")[2][-_MAX_NAME_LENGTH:]
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / name
        with _damage_reported(f"{path}/{name}"), archive.open(member.info) as source, open(target, "wb") as stream:
            shutil.copyfileobj(source, stream)
        try:
            loaded = read_file(target)
        except ValueError as error:
            raise ValueError(str(error).replace(str(target), f"{path}/{name}")) from error
        X = np.array(loaded.X) if isinstance(loaded.X, np.memmap) else loaded.X  # the file is deleted
        return loaded._replace(X=X, name=path.stem)
