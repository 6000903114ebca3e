"""Map files of one array into memory: .npy, .npz and .safetensors. Nothing is read until rows are taken.

All three hold the numbers of an array as they lie in memory, behind a header that says their dtype, shape and place:

    .npy            https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
    .npz            a zip of such files; their numbers can be mapped if the zip does not compress them
    .safetensors    8 bytes with the length of the header, JSON, the numbers; https://github.com/huggingface/safetensors
"""

from __future__ import annotations

import errno
import itertools
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Literal, NamedTuple

import numpy as np

from narrows.data import images
from narrows.params import enumerate_names

MANIFEST = "manifest.json"  # of a folder that holds a folder of files for each layer
SUFFIXES = (".npy", ".npz", ".safetensors")
_KEYS = ("X", "x", "activations", "embeddings", "data", "arr_0")  # names of the examples among several arrays
_BFLOAT16 = ("bfloat16", "V2")  # in safetensors, and as NumPy names the dtype of the package ml_dtypes
_TENSOR_DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "BOOL": "?"},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"},
}


class MappedFile(NamedTuple):
    """An array on disk.

    Attributes
    ----------
    path : the file.
    array : memory map, read-only; the bits of bfloat16 as uint16.
    is_bfloat16 : True if the numbers are bfloat16.
    """

    path: Path
    array: np.memmap[Any, Any]
    is_bfloat16: bool

    @property
    def dtype(self) -> str:
        """The name of the dtype of the numbers."""
        return "bfloat16" if self.is_bfloat16 else str(self.array.dtype)


class _Place(NamedTuple):
    """The dtype, the shape, the first byte and the order of the axes of an array in a file."""

    dtype: str
    shape: tuple[int, ...]
    start: int
    order: Literal["C", "F"] = "C"


def map_file(path: Path) -> MappedFile:
    """Map the array of a file.

    Raises
    ------
    ValueError
        If the file is truncated or damaged, does not hold numbers, holds several arrays of which none is named X, or is
        compressed. The message names the file.
    OSError
        If the file cannot be opened, or if too many are open.
    """
    place = _READERS[path.suffix.lower()](path)
    is_bfloat16 = place.dtype in _BFLOAT16
    dtype = np.dtype("<u2" if is_bfloat16 else place.dtype)
    if dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold numbers. Got an array of dtype {dtype}. Save it as float32 or float16.")
    if len(place.shape) < 2 or 0 in place.shape:
        raise ValueError(
            f"{path} must hold rows (n, width), with at least one row. Got an array of shape {place.shape}."
        )
    n_bytes, n_there = int(np.prod(place.shape)) * dtype.itemsize, path.stat().st_size - place.start
    if n_there < n_bytes:
        raise ValueError(
            f"{path} is truncated: its header announces an array of shape {place.shape} and dtype {place.dtype}, "
            f"{n_bytes:,} bytes, and {max(0, n_there):,} are there. Write it again, or move it out of the folder."
        )
    try:
        return MappedFile(path, np.memmap(path, dtype, "r", place.start, place.shape, place.order), is_bfloat16)
    except OSError as error:
        if error.errno != errno.EMFILE:
            raise
        raise OSError(
            error.errno,
            "Too many files are open. Raise the limit with `ulimit -n 65536`, or save more rows in each file",
            str(path),
        ) from error


def _find_in_npy(path: Path) -> _Place:
    with open(path, "rb") as stream:
        return _read_npy_header(stream, path)


def _read_npy_header(stream: IO[bytes], path: Path) -> _Place:
    """Return the place of the array whose header begins at the position of `stream`."""
    try:
        version = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, is_fortran, dtype = read(stream)
    except Exception as error:  # numpy reads the header with Python's own parser, which may raise any error
        raise ValueError(f"{path} is no .npy file, or damaged ({error}). Save it again with np.save.") from error
    if dtype.hasobject:
        raise ValueError(f"{path} holds Python objects, a pickle, which narrows does not read. Save numbers.")
    if is_fortran and len(shape) > 2:
        raise ValueError(
            f"{path} holds its last axis first (Fortran order), so that its rows cannot be read alone. Save "
            "np.ascontiguousarray(X)."
        )
    name = "V2" if dtype.kind == "V" and dtype.itemsize == 2 and dtype.names is None else dtype.str
    return _Place(name, tuple(shape), stream.tell(), "F" if is_fortran else "C")


def _find_in_npz(path: Path) -> _Place:
    try:
        with zipfile.ZipFile(path) as archive:
            members = {Path(info.filename).stem: info for info in archive.infolist()}
    except zipfile.BadZipFile as error:
        raise ValueError(f"{path} is truncated or damaged ({error}). Write it again.") from error
    info = members[_select(list(members), path)]
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(
            f"{path} is compressed, so that its rows cannot be read alone. Save it with np.savez or np.save instead."
        )
    with open(path, "rb") as stream:
        stream.seek(info.header_offset + 26)  # of the two lengths in the local header
        stream.seek(sum(struct.unpack("<HH", stream.read(4))), 1)
        return _read_npy_header(stream, path)


def _find_in_safetensors(path: Path) -> _Place:
    try:
        with open(path, "rb") as stream:
            (length,) = struct.unpack("<Q", stream.read(8))
            if length > path.stat().st_size:
                raise ValueError(f"{path} is damaged: its header is longer than the file. Write it again.")
            header = json.loads(stream.read(length))
        header.pop("__metadata__", None)
        fields = header[_select(list(header), path)]
        code, shape, (start, _) = fields["dtype"], fields["shape"], fields["data_offsets"]
    except (struct.error, KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is truncated or damaged ({error}). Write it again.") from error
    if code not in _TENSOR_DTYPES:
        raise ValueError(f"{path} holds numbers of dtype {code}. Save them as float16, bfloat16 or float32.")
    return _Place("bfloat16" if code == "BF16" else _TENSOR_DTYPES[code], tuple(shape), 8 + length + start)


def _select(names: list[str], path: Path) -> str:
    """Return the name of the array that holds the rows."""
    if len(names) == 1:
        return names[0]
    for key in _KEYS:
        if key in names:
            return key
    raise ValueError(f"{path} must hold one array, or one named 'X'. Got {enumerate_names(names) or 'none'}.")


_READERS = {".npy": _find_in_npy, ".npz": _find_in_npz, ".safetensors": _find_in_safetensors}


def list_files(folder: Path) -> Iterator[Path]:
    """Yield the files of `folder` that can be mapped, in the order of their names; hidden ones are left out."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in SUFFIXES and not path.name.startswith(".") and path.is_file():
            yield path


def find_mapped(path: Path) -> list[Path]:
    """Return the files to map at `path`: itself, or those in a folder of them; none if it is of another kind.

    Raises
    ------
    FileNotFoundError, ValueError
        If the folder holds a folder for each layer (`HookedModel.save`), or is one of these and lacks files or rows.
    """
    if not path.is_dir():
        return [path] if path.suffix.lower() in (".npy", ".safetensors") and path.exists() else []
    paths = list(list_files(path))
    check_saved(path)
    if not paths and (path / MANIFEST).exists():
        layers = sorted(entry.name for entry in path.iterdir() if entry.is_dir())
        raise ValueError(f"{path} holds a folder for each layer: {', '.join(layers)}. Pass one of these.")
    return [] if paths and _has_pictures(path) else paths


def check_saved(folder: Path) -> None:
    """Check that the folder of a layer, if `HookedModel.save` wrote it, holds the files and rows of its manifest.

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If the files hold another number of rows, or one is damaged.
    """
    path = folder.resolve().parent / MANIFEST
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
        names, n = [str(name) for name in manifest["files"]], int(manifest["n_rows"][folder.resolve().name])
    except (OSError, ValueError, KeyError, TypeError):
        return  # of another program, or none: the files are what there is
    again = f"Copy it again, or delete {path.parent} and save the activations again."
    for name in names:
        if not (folder / name).is_file():
            raise FileNotFoundError(f"There is no file {folder / name}, which {path} lists. {again}")
    shapes = [_READERS[(folder / name).suffix.lower()](folder / name).shape for name in names]
    if (n_there := sum(shape[0] for shape in shapes)) != n:
        raise ValueError(f"The files in {folder} hold {n_there:,} rows, and {path} says {n:,}. {again}")


def _has_pictures(folder: Path) -> bool:
    """Return True if a folder holds images, or folders of images of a class: what lies beside them is not read."""
    entries = [entry for entry in folder.iterdir() if not entry.name.startswith(".")]
    folders = [entry for entry in entries if entry.is_dir()]
    return any(
        entry.suffix.lower() in images.SUFFIXES
        for entry in itertools.chain(entries, *(inner.iterdir() for inner in folders))
    )
