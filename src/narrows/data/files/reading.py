"""Read any file or folder. The first bytes and the suffix tell the format."""

from __future__ import annotations

import contextlib
import csv
import difflib
import functools
import gzip
import os
import shutil
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, cast

from narrows.data import images, parquet
from narrows.data.files import archives, arrays, mapping, tables, text
from narrows.data.files.dataset import Dataset, short_name
from narrows.data.files.dialect import Opener
from narrows.data.named_sets import NAMES
from narrows.data.sinks import DELIMITERS

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")
TEXTS = {**DELIMITERS, ".tab": "\t", ".txt": ",", ".dat": ",", ".data": ","}  # with the usual delimiter
_ARROWS = (".feather", ".arrow", ".ipc", ".arrows")
_SHEETS = (".xlsx", ".xlsm")
_STATISTICS = (".dta", ".sav", ".zsav", ".sas7bdat", ".xpt")
_BINARY = (parquet.SUFFIX, *_ARROWS, *_SHEETS, *_STATISTICS)
_GZIP_MAGIC, _ZIP_MAGIC, _NPY_MAGIC = b"\x1f\x8b", b"PK", b"\x93NUMPY"
_DAMAGES = (
    *(EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, csv.Error),
    *(OverflowError, NotImplementedError),  # of dates, and of methods of compression
)
_PARQUET_MAGIC, _ARROW_MAGICS = b"PAR1", (b"ARROW1", b"FEA1")
_FORMATS = (
    f".npy, .npz, text ({', '.join(TEXTS)}), tables ({', '.join(_BINARY)}), these also in .gz or .zip, .safetensors, "
    f"folders of .npy or .safetensors, IDX (plain or gzipped), images ({', '.join(images.SUFFIXES)}), folders of "
    "images, and .zip of images"
)


def read(
    path: str | os.PathLike[str],
    *,
    header: bool | None = None,
    on_bad: images.OnBad = "error",
    resize: images.Resize = None,
) -> Dataset:
    """Read a file or a folder of images. The first bytes tell the format, then the suffix.

    - `.npy`: mapped into memory (read-only), so a file larger than memory can be used.
    - `.safetensors`, or a folder of such files and of `.npy`: rows that stay on disk (`MappedRows`), in the order of
      the files' names; half precision is kept. Floats with three axes are activations, of which each token is a row.
    - `.npz`: the array named X, x, images, data, counts or arr_0, or the only array; labels are named y or labels.
    - Text (`.csv`, `.tsv`, `.tab`, `.txt`, `.dat`, `.data`), in any encoding, with any of `, ; |`, tab or blanks
      between cells, and a decimal point or comma. Cells such as `NA`, `?` or none are missing. ISO dates become time
      stamps, True and False truth values. Numbers that begin with a needless zero (zip codes) stay words.
    - `.parquet`, or a folder of such files; Feather and Arrow (`.feather`, `.arrow`, `.ipc`); the first sheet of
      `.xlsx`; Stata (`.dta`), SPSS (`.sav`), SAS (`.sas7bdat`, `.xpt`), whose labelled values become categories.
    - IDX, also gzipped, under any name: the format of MNIST.
    - An image: uint8 of shape (1, height, width), or (1, height, width, 3) if it is in colour. EXIF data turn it
      upright. Grey images with 16 bits are uint16, 32-bit integers int32 and floats float32. Transparent parts are laid
      on white.
    - A folder of images, all of the same size: (n, height, width), or uint8 of shape (n, height, width, 3) if any
      is in colour. Each sub-folder is a class. Hidden files and files of other formats are ignored.
    - A `.zip` of images in one folder, or in one for each class; or of one other file.

    Tables are data frames (see `Dataset`), unless text holds numbers without a header. They need the extra `tables`;
    text of numbers is read without it, too. A table may be in a `.gz`. `Dataset.notes` says what was decided,
    changed or left out.

    Parameters
    ----------
    path : file or folder.
    header : for text and sheets, True if the first line names the columns, False if it is data. By default it is
        found out.
    on_bad : "error" raises for an image that cannot be read; "skip" leaves it out, and names it in the notes.
    resize : height and width, or one number for both: all images are cropped around the middle to this aspect, and
        resized. None requires images of one size.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`; the message lists similar names.
    ValueError
        If the file is damaged, empty, a pickle, in an unknown format, or has ragged rows or columns without or with
        equal names. The message says where, and what to do.
    ImportError
        If a table is to be read without the packages of the extra `tables`.
    OSError
        If the file cannot be opened.
    """
    options = images.Options.of(on_bad, resize)
    path = Path(path).expanduser()
    if header is not None and not {".zip", *TEXTS, *_SHEETS} & {suffix.lower() for suffix in path.suffixes[-2:]}:
        raise ValueError(f"The `header` parameter of read is for text and sheets. {path} is neither; leave it out.")
    if path.is_dir() and parquet.is_parquet(path):
        return tables.read_parquet(path)
    if (path.is_dir() or path.suffix.lower() == ".safetensors") and (paths := mapping.find_mapped(path)):
        from narrows.data.files.mapped import open_mapped  # with torch

        return Dataset(cast(Any, open_mapped(paths)), None, None, path.resolve().stem, None)
    if path.is_dir():
        return _to_dataset(images.read_folder(path, options), path.resolve().name)
    if not path.exists():
        raise FileNotFoundError(_missing(path))
    suffix = path.suffix.lower()
    with _damage_reported(path):
        with open(path, "rb") as stream:
            head = stream.read(8)
        gzipped = head.startswith(_GZIP_MAGIC)
        if gzipped:
            with gzip.open(path) as stream:
                head = stream.read(8)
        if not head:
            raise ValueError(f"{path} is empty (0 bytes). Write or download it again.")
        if suffix in _PICKLE_SUFFIXES or _is_pickle(head):
            raise ValueError(
                f"{path} is a pickle, or named like one. narrows does not read pickles: a pickle can run any code. "
                "If you trust it, load it yourself and save the array with np.save('X.npy', X)."
            )
        if head.startswith(_NPY_MAGIC) and not gzipped:
            return arrays.read_npy(path)
        if suffix == ".npz" and head.startswith(_ZIP_MAGIC):
            return arrays.read_npz(path)
        if arrays.is_idx(head):
            return arrays.read_idx(path, gzipped)
        table = _read_gzip(path, header) if gzipped else _read_table(path, head, suffix, header)
        if table is not None:
            return table
        if suffix in images.SUFFIXES and not gzipped:
            return _to_dataset(images.read_images([images.image_file(path)], options), path.stem)
        if suffix == ".zip" and head.startswith(_ZIP_MAGIC):
            return archives.read_zip(path, options, functools.partial(read, header=header))
    raise _unknown(path, suffix, head)


def _unknown(path: Path, suffix: str, head: bytes) -> ValueError:
    """Return the error for a file in no format that is read."""
    if suffix == parquet.SUFFIX:
        return ValueError(f"{path} is damaged or not a Parquet file: it begins with {head!r}. Write it again.")
    if suffix in (".npy", ".npz"):
        return ValueError(
            f"{path} is named {suffix}, but does not begin as a {suffix} file does. It begins with {head!r}. "
            "Save the array again, with np.save('X.npy', X)."
        )
    return ValueError(
        f"{path} is in none of the formats that narrows reads: {_FORMATS}. It begins with {head!r}. Unpack an archive "
        "first; read anything else in Python and save it with np.save('X.npy', X)."
    )


def _to_dataset(loaded: images.Images, name: str) -> Dataset:
    return Dataset(loaded.X, loaded.y, None, name, loaded.files, notes=loaded.notes)


def _open_gzip(path: Path) -> IO[bytes]:
    return cast("IO[bytes]", gzip.open(path))


def _read_gzip(path: Path, header: bool | None) -> Dataset | None:
    """Read a table that is gzipped; None if the file is no table."""
    suffix, inner_suffix = path.suffix.lower(), Path(path.stem).suffix.lower()
    usual = TEXTS.get(suffix, TEXTS.get(inner_suffix))
    if usual is not None:
        return text.read_text(path, lambda: _open_gzip(path), usual, header)
    return _read_unpacked(path, lambda: _open_gzip(path), path.stem, header) if inner_suffix in _BINARY else None


def _read_table(path: Path, head: bytes, suffix: str, header: bool | None) -> Dataset | None:
    """Read a table that is not packed; None if the file is no table."""
    if head.startswith(_PARQUET_MAGIC):
        return tables.read_parquet(path)
    if head.startswith(_ARROW_MAGICS) or suffix in _ARROWS:
        return tables.read_arrow(path)
    if suffix in _SHEETS:
        return tables.read_excel(path, header)
    if suffix in _STATISTICS:
        return tables.read_statistics(path)
    return text.read_text(path, lambda: open(path, "rb"), TEXTS[suffix], header) if suffix in TEXTS else None


def _read_unpacked(path: Path, opener: Opener, name: str, header: bool | None) -> Dataset:
    """Read a packed table whose format needs a file of its own."""
    with tempfile.TemporaryDirectory() as folder:
        unpacked = Path(folder) / name
        with opener() as source, open(unpacked, "wb") as target:
            shutil.copyfileobj(source, target)
        try:
            return read(unpacked, header=header)._replace(name=short_name(path))
        except ValueError as error:
            raise ValueError(str(error).replace(str(unpacked), str(path))) from error


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")


@contextlib.contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Turn errors of other libraries about damaged bytes into a ValueError that names the file."""
    try:
        yield
    except (*_DAMAGES, ValueError) as error:
        if str(path) in str(error) and isinstance(error, ValueError):
            raise
        raise ValueError(f"{path} is damaged or truncated ({error}). Write or download it again.") from error


def _missing(path: Path) -> str:
    """Return a message that nothing is at `path`, with similar names."""
    if not path.parent.is_dir():
        return f"There is no file or folder {path}: the folder {path.parent} does not exist."
    siblings = {entry.name.lower(): str(entry) for entry in path.parent.iterdir()}
    names = {**siblings, **{name: f"{name} (a named data set)" for name in NAMES}}
    matches = [names[match] for match in difflib.get_close_matches(path.name.lower(), names)]
    hint = f"Did you mean {' or '.join(matches)}?" if matches else "No similar name exists there."
    return f"There is no file or folder {path}. {hint} The named data sets are {', '.join(NAMES)}."
