"""Reads the files that people have into arrays, and writes arrays so that no crash leaves half a file.

Nothing here unpickles: a pickle can run any code when it is read.
"""

from __future__ import annotations

import contextlib
import csv
import difflib
import gzip
import io
import math
import os
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from narrows.data import images, parquet, sinks
from narrows.data.atomic import atomic_path
from narrows.data.sinks import DELIMITERS

_PICKLE_SUFFIXES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".ckpt")
_DATA_KEYS = ("X", "x", "images", "data", "counts", "arr_0")
_LABEL_KEYS = ("y", "labels")
# http://yann.lecun.com/exdb/mnist/ describes IDX: 0, 0, type, number of axes, one uint32 an axis, the values.
_IDX_TYPES = {0x08: "u1", 0x09: "i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
_GZIP_MAGIC, _ZIP_MAGIC, _NPY_MAGIC = b"\x1f\x8b", b"PK", b"\x93NUMPY"
_DEFLATE_MAX_RATIO = 1032  # no deflate stream grows by more (zlib's technical details)
_FORMATS = (
    ".npy, .npz, .csv, .csv.gz, .tsv, .parquet, IDX (plain or gzipped), images "
    f"({', '.join(images.SUFFIXES)}) and folders"
)


class Loaded(NamedTuple):
    """What a file, a folder or a named data set holds.

    Attributes
    ----------
    X : the examples, one along the first axis: numbers or booleans, in the dtype they were stored in.
    y : one label an example, or None.
    columns : the names of the columns, if a table has a header.
    name : short, for people: the file without its suffix, the folder, or the named data set.
    files : for images, the file of every example, relative to the folder, with forward slashes. In a folder of
        classes `y` numbers the sorted sub-folders, which are what stands before the slash.
    """

    X: np.ndarray
    y: np.ndarray | None
    columns: list[str] | None
    name: str
    files: list[str] | None

    def ordered(self, names: Sequence[str | int] | None) -> Loaded:
        """The rows with the columns of those `names`, wherever they stand; as they are where a side has no names.

        Raises
        ------
        ValueError
            If one of the columns is not there.
        """
        wanted = [str(name) for name in names or ()]
        if not wanted or self.columns is None or wanted == self.columns:
            return self
        return self._replace(X=self.X[:, places(wanted, self.columns, self.name)], columns=wanted)


def places(wanted: Sequence[str], names: Sequence[str], owner: str) -> list[int]:
    """Where each of the `wanted` columns stands among the `names` of those that `owner` has.

    Raises
    ------
    ValueError
        If one of them is not there.
    """
    missing = [name for name in wanted if name not in names]
    if missing:
        raise ValueError(
            f"{owner} must have the columns that the model was fitted on. It lacks "
            f"{', '.join(map(repr, missing))}; it has {', '.join(map(repr, names))}."
        )
    return [names.index(name) for name in wanted]


def read(path: str | os.PathLike[str]) -> Loaded:
    """Read a file or a folder of images; what it is follows from its first bytes, then from its suffix.

    - `.npy`: mapped into memory (read-only), so a file larger than memory can be used.
    - `.npz`: the array named X, x, images, data, counts or arr_0, or the only one; labels from y or labels.
    - `.csv`, `.tsv`, also gzipped: numbers only, as float64 of shape (rows, columns). The first line is a header
      if none of its cells is a number, or if it counts 0, 1, 2, ... as pandas does for columns without names.
    - IDX, also gzipped, under any name: the format of MNIST.
    - `.parquet`, or a folder of such: numbers only, one example a row, or lists of numbers in a single column.
      Needs the extra `tables`.
    - An image: uint8 of shape (1, height, width), or (1, height, width, 3) if it is in colour. Of 16-bit grey the
      high byte is kept; transparency is dropped.
    - A folder of images: all of one size; uint8 of shape (n, height, width), or (n, height, width, 3) if any is
      in colour. Sub-folders are classes, one level deep. Hidden files and files of other kinds are passed over.

    Raises
    ------
    FileNotFoundError
        If there is nothing at `path`; the message lists near names.
    ValueError
        If what is there is damaged, empty, not numbers, a pickle, or of no kind that is read. The message says
        what was found, where, and what to do.
    OSError
        If the system refuses to read it.
    """
    path = Path(path).expanduser()
    if parquet.is_parquet(path) and path.exists():
        return _read_parquet(path)
    if path.is_dir():
        X, y, names = images.read_folder(path)
        return Loaded(X, y, None, path.resolve().name, names)
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
                f"{path} is a pickle, or named like one. narrows reads no pickle, because that can run any code. "
                "If you trust it, load it yourself and save the array with np.save('X.npy', X)."
            )
        if head.startswith(_NPY_MAGIC) and not gzipped:
            return _read_npy(path)
        if suffix == ".npz" and head.startswith(_ZIP_MAGIC):
            return _read_npz(path)
        if head[:2] == b"\0\0" and len(head) >= 4 and head[2] in _IDX_TYPES:
            return _read_idx(path, gzipped)
        if suffix in DELIMITERS and not gzipped:
            return _read_table(path, DELIMITERS[suffix], gzipped)
        if suffix == ".gz" and inner_suffix in DELIMITERS:
            return _read_table(path, DELIMITERS[inner_suffix], gzipped)
        if suffix in images.SUFFIXES and not gzipped:
            return Loaded(images.read_images([path]), None, None, path.stem, [path.name])
    if suffix in (".npy", ".npz"):
        raise ValueError(
            f"{path} is named {suffix}, but begins with {head!r}, as no {suffix} file does. "
            "Save the array again, with np.save('X.npy', X)."
        )
    raise ValueError(
        f"{path} is of no kind that narrows reads: {_FORMATS}. It begins with {head!r}. Unpack an archive first; "
        "read anything else in Python and save it with np.save('X.npy', X)."
    )


def write_array(path: str | os.PathLike[str], array: np.ndarray, columns: Sequence[str] | None = None) -> None:
    """Write an array as `.npy`, `.parquet`, `.csv` or `.tsv`, whole or not at all.

    Parameters
    ----------
    path : where to; the suffix chooses the format. A file that is there is replaced once the new one is complete.
    array : numbers or booleans. A table has one or two axes; its numbers read back as the same values.
    columns : the header of a table, one name a column. A `.npy` file has no place for names and gets none.

    Raises
    ------
    ValueError
        For another suffix, an array that does not hold numbers, or one that does not fit a table or `columns`.
    ImportError
        For `.parquet` without the extra `tables`.
    OSError
        If the system refuses, for example because the disk is full; the old file is untouched.
    """
    path = sinks.check_path(path)
    array = np.asarray(array)
    if array.dtype.kind not in "biuf":
        raise ValueError(f"Cannot write {path}: the array must hold numbers. Got dtype {array.dtype} instead.")
    if path.suffix.lower() == ".npy":
        with atomic_path(path) as temporary, open(temporary, "wb") as stream:
            np.save(stream, array, allow_pickle=False)
        return
    with sinks.opened(path, len(array), columns) as sink:
        sink.write(array)
        sink.finish()


# Arrays


def _read_npy(path: Path) -> Loaded:
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except ValueError as error:
        raise _no_array(path, error) from error
    return Loaded(_checked_numbers(X, path), None, None, path.stem, None)


def _read_npz(path: Path) -> Loaded:
    try:
        # Of a damaged zip that it opens by name, np.load leaves the file open.
        with open(path, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            keys = archive.files
            if {"indices", "indptr", "shape"} <= set(keys):
                raise ValueError("it holds a scipy.sparse matrix M; save it dense, as np.savez('X.npz', X=M.toarray())")
            label_key = next((key for key in _LABEL_KEYS if key in keys), None)
            data_keys = [key for key in _DATA_KEYS if key in keys] or [key for key in keys if key != label_key]
            if not data_keys or (data_keys[0] not in _DATA_KEYS and len(data_keys) > 1):
                raise ValueError(f"name the examples 'X' (and labels 'y'); its arrays are {', '.join(keys) or 'none'}")
            X = archive[data_keys[0]]
            y = None if label_key is None else np.asarray(archive[label_key])
    except ValueError as error:
        raise _no_array(path, error) from error
    X = _checked_numbers(X, path)
    if y is not None and y.shape[:1] != X.shape[:1]:
        raise ValueError(
            f"{path} must hold one label an example. Got {label_key!r} of shape {y.shape} "
            f"for {data_keys[0]!r} of shape {X.shape}."
        )
    return Loaded(X, y, None, path.stem, None)


def _no_array(path: Path, error: ValueError) -> ValueError:
    """The error for a file in NumPy's own formats that NumPy, or we, will not take as an array."""
    if "object" in str(error).lower():
        return ValueError(
            f"{path} holds Python objects (dtype object), which NumPy stores as a pickle. narrows reads no pickle, "
            "because reading one can run any code. Save numbers: np.save('X.npy', np.asarray(X, dtype=np.float32))."
        )
    return ValueError(f"{path} cannot be read as an array: {error}. Save it again with np.save or np.savez.")


def _checked_numbers(X: np.ndarray, path: Path) -> np.ndarray:
    X = np.asanyarray(X)  # np.load gives bytes for a member that is no array
    if X.dtype.kind not in "biuf":
        raise ValueError(f"{path} must hold numbers. Got an array of dtype {X.dtype}. Encode it as numbers first.")
    if X.ndim == 0 or X.size == 0:
        raise ValueError(f"{path} must hold at least one example. Got an array of shape {X.shape}.")
    return X


def _read_idx(path: Path, gzipped: bool) -> Loaded:
    room = path.stat().st_size * (_DEFLATE_MAX_RATIO if gzipped else 1)
    with _open(path, gzipped) as stream:
        _, _, code, n_axes = stream.read(4)
        lengths = stream.read(4 * n_axes)
        if len(lengths) < 4 * n_axes:
            raise EOFError("the IDX header is cut off")
        shape = tuple(int(length) for length in np.frombuffer(lengths, dtype=">u4"))
        dtype = np.dtype(_IDX_TYPES[code])
        if math.prod(shape) * dtype.itemsize > room:  # before the memory for it is asked for
            raise EOFError(f"the IDX header announces an array of shape {shape}, for which the file is too small")
        X = np.empty(shape, dtype)
        _fill(X, stream)
        if stream.read(1):
            raise ValueError(f"{path} holds more data than the array of shape {shape} that its IDX header announces.")
    X = X.astype(dtype.newbyteorder("="), copy=False)
    return Loaded(_checked_numbers(X, path), None, None, _short_name(path), None)


def _fill(X: np.ndarray, stream: gzip.GzipFile | io.BufferedReader) -> None:
    """Read the bytes of `X` in blocks, since gzip's own `readinto` would hold a second copy of everything."""
    left = X.reshape(-1).view(np.uint8).data
    while left:
        block = stream.read(min(len(left), 1 << 20))
        if not block:
            raise EOFError(f"the last {len(left):,} of {X.nbytes:,} bytes are missing")
        left[: len(block)] = block
        left = left[len(block) :]


# Tables


def _read_parquet(path: Path) -> Loaded:
    table = parquet.table(path)
    X = sinks.Memory(table.n)
    for batch in table.batches(4096):
        X.write(batch)
    return Loaded(X.finish(), None, table.names if table.width is None else None, path.resolve().stem, None)


def _read_table(path: Path, delimiter: str, gzipped: bool) -> Loaded:
    columns, n_skipped = _header(path, delimiter, gzipped)
    try:
        with _open_text(path, gzipped) as stream:
            X = np.loadtxt(stream, delimiter=delimiter, skiprows=n_skipped, comments=None, quotechar='"', ndmin=2)
        if columns is not None and X.shape[1] != len(columns):
            raise ValueError("the header has another number of cells than the rows")
    except ValueError as error:
        fault = _first_fault(path, delimiter, gzipped, columns, n_skipped) or f"cannot be read as numbers: {error}"
        raise ValueError(f"{path} {fault}") from error
    return Loaded(X, None, columns, _short_name(path), None)


def _header(path: Path, delimiter: str, gzipped: bool) -> tuple[list[str] | None, int]:
    """The names of the columns, or None, and how many lines to skip to get to the numbers."""
    with _open_text(path, gzipped) as stream:
        filled = ((number, line) for number, line in enumerate(stream, 1) if line.strip())
        number, first = next(filled, (0, ""))
        if not first:
            raise ValueError(f"{path} holds blank lines only. Write or download it again.")
        cells = _cells(first.lstrip("# "), delimiter)  # np.savetxt begins its header with "# "
        counts = len(cells) > 2 and cells == [str(i) for i in range(len(cells))]
        if not counts and (any(map(_is_number, cells)) or not any(cells)):
            return None, 0
        if next(filled, None) is None:
            raise ValueError(f"{path} holds a header ({first.strip()}) and no rows. Write or download it again.")
    if not all(cells):
        raise ValueError(
            f"{path} must name every column in its header. Column {cells.index('') + 1} has no name: if it holds row "
            "numbers that pandas wrote, write the file again with to_csv(..., index=False)."
        )
    return cells, number


def _first_fault(path: Path, delimiter: str, gzipped: bool, columns: list[str] | None, n_skipped: int) -> str | None:
    """Say where a table stops being numbers. Slow, so it runs only once np.loadtxt has failed."""
    width = None if columns is None else len(columns)
    with _open_text(path, gzipped) as stream:
        for line_number, line in enumerate(stream, 1):
            if line_number <= n_skipped or not line.strip():
                continue
            cells = _cells(line, delimiter)
            width = width or len(cells)
            if len(cells) != width:
                return (
                    f"must have the same number of cells in every line. Line {line_number} has {len(cells)}, the lines "
                    f"before it have {width}. Repair or remove the line; cells are separated by {delimiter!r}."
                )
            for index, cell in enumerate(cells):
                # "id,2019,2020" is taken for data, since a header is known by having no numbers.
                note = " A header may hold no numbers." if columns is None and line_number == 1 else ""
                where = f"Line {line_number}, column {index + 1}" + (f" ({columns[index]!r})" if columns else "")
                if not cell:
                    return f"must have a number in every cell. {where} is empty. Fill it or drop the line."
                if not _is_number(cell):
                    return (
                        f"must have a number in every cell. {where} holds {cell!r}.{note} Drop the column, or "
                        "turn its words into numbers first (sklearn.preprocessing.OneHotEncoder or OrdinalEncoder)."
                    )
    return None


def _cells(line: str, delimiter: str) -> list[str]:
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


# Files and paths


def _open(path: Path, gzipped: bool) -> gzip.GzipFile | io.BufferedReader:
    return gzip.open(path, "rb") if gzipped else open(path, "rb")


def _open_text(path: Path, gzipped: bool) -> io.TextIOWrapper:
    return io.TextIOWrapper(_open(path, gzipped), encoding="utf-8-sig")  # Excel begins UTF-8 with a mark


def _is_pickle(head: bytes) -> bool:
    return head[:1] == b"\x80" and head[1:2] in (b"\2", b"\3", b"\4", b"\5")


def _short_name(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).stem


@contextlib.contextmanager
def _damage_reported(path: Path) -> Iterator[None]:
    """Turn what the standard library raises for damaged bytes into a ValueError that names the file."""
    try:
        yield
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} must be UTF-8 text ({error}). Save it again as UTF-8.") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, csv.Error) as error:
        raise ValueError(f"{path} is damaged or cut off ({error}). Write or download it again.") from error


def _missing(path: Path) -> str:
    """Say that there is nothing at `path`, and which names are near."""
    from narrows.data.named import NAMES  # not above: `named` stands on this file, and is wanted for this hint only

    if not path.parent.is_dir():
        return f"There is no file or folder {path}: the folder {path.parent} does not exist."
    siblings = {entry.name.lower(): str(entry) for entry in path.parent.iterdir()}
    near = {**siblings, **{name: f"{name} (a named data set)" for name in NAMES}}
    matches = [near[match] for match in difflib.get_close_matches(path.name.lower(), near)]
    hint = f"Did you mean {' or '.join(matches)}?" if matches else "Nothing there has a name like it."
    return f"There is no file or folder {path}. {hint} The named data sets are {', '.join(NAMES)}."
