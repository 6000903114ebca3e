"""Read any file or folder. The first bytes and the suffix tell the format."""

from __future__ import annotations

import contextlib
import csv
import difflib
import gzip
import os
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from narrows.data import images, parquet
from narrows.data.files import archives, arrays, tables
from narrows.data.files.dataset import Dataset
from narrows.data.named_sets import NAMES
from narrows.data.sinks import DELIMITERS

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")
_GZIP_MAGIC, _ZIP_MAGIC, _NPY_MAGIC = b"\x1f\x8b", b"PK", b"\x93NUMPY"
_FORMATS = (
    ".npy, .npz, .csv, .csv.gz, .tsv, .parquet, IDX (plain or gzipped), images "
    f"({', '.join(images.SUFFIXES)}), folders of images, and .zip"
)


def read(path: str | os.PathLike[str], *, on_bad: images.OnBad = "error", resize: images.Resize = None) -> Dataset:
    """Read a file or a folder of images. The first bytes tell the format, then the suffix.

    - `.npy`: mapped into memory (read-only), so a file larger than memory can be used.
    - `.npz`: the array named X, x, images, data, counts or arr_0, or the only array; labels are named y or labels.
    - `.csv`, `.tsv`, also gzipped: numbers only, as float64 of shape (rows, columns). The first line is a header
      if no cell is a number, or if its cells are 0, 1, 2, ..., which pandas writes for columns without names.
    - IDX, also gzipped, under any name: the format of MNIST.
    - `.parquet`, or a folder of such files: numbers only, one example in each row, or one column of lists. Needs the
      extra `tables`.
    - An image: uint8 of shape (1, height, width), or (1, height, width, 3) if it is in colour. EXIF data turn it
      upright. Grey images with 16 bits are uint16, 32-bit integers int32 and floats float32. Transparent parts are laid
      on white.
    - A folder of images, all of the same size: (n, height, width), or uint8 of shape (n, height, width, 3) if any
      is in colour. Each sub-folder is a class. Hidden files and files of other formats are ignored.
    - A `.zip` of images in one folder, or in one for each class; or of one other file.

    `Dataset.notes` says what was changed or left out.

    Parameters
    ----------
    path : file or folder.
    on_bad : "error" raises for an image that cannot be read; "skip" leaves it out, and names it in the notes.
    resize : height and width, or one number for both: all images are cropped around the middle to this aspect, and
        resized. None requires images of one size.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`; the message lists similar names.
    ValueError
        If the file is damaged, empty, a pickle, in an unknown format, or does not hold numbers. The message says
        where, and what to do.
    ImportError
        If a Parquet file is to be read without pyarrow.
    OSError
        If the file cannot be opened.
    """
    options = images.Options.of(on_bad, resize)
    path = Path(path).expanduser()
    if parquet.is_parquet(path) and path.exists():
        return tables.read_parquet(path)
    if path.is_dir():
        return _to_dataset(images.read_folder(path, options), path.resolve().name)
    if not path.exists():
        raise FileNotFoundError(_missing(path))
    suffix, inner_suffix = path.suffix.lower(), Path(path.stem).suffix.lower()
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
        if suffix in DELIMITERS and not gzipped:
            return tables.read_table(path, DELIMITERS[suffix], gzipped)
        if suffix == ".gz" and inner_suffix in DELIMITERS:
            return tables.read_table(path, DELIMITERS[inner_suffix], gzipped)
        if suffix in images.SUFFIXES and not gzipped:
            return _to_dataset(images.read_images([images.image_file(path)], options), path.stem)
        if suffix == ".zip" and head.startswith(_ZIP_MAGIC):
            return archives.read_zip(path, options, read)
    if suffix in (".npy", ".npz"):
        raise ValueError(
            f"{path} is named {suffix}, but does not begin as a {suffix} file does. It begins with {head!r}. "
            "Save the array again, with np.save('X.npy', X)."
        )
    raise ValueError(
        f"{path} is in none of the formats that narrows reads: {_FORMATS}. It begins with {head!r}. Unpack an archive "
        "first; read anything else in Python and save it with np.save('X.npy', X)."
    )


def _to_dataset(loaded: images.Images, name: str) -> Dataset:
    return Dataset(loaded.X, loaded.y, None, name, loaded.files, notes=loaded.notes)


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")


@contextlib.contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Turn errors of the standard library about damaged bytes into a ValueError that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be UTF-8 text ({error}). Save it again as UTF-8.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, csv.Error) as error:
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
