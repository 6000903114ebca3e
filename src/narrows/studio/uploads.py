"""Reads uploaded files within limits: tables, arrays and zips of images.

The name of a file is for display only: it never becomes a path. Nothing is unpacked to disk, and nothing is decoded
before its size is known.
"""

from __future__ import annotations

import csv
import io
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from narrows.data import Schema, as_rows, infer, subsample_evenly
from narrows.data.files import read
from narrows.data.images import SUFFIXES
from narrows.studio import pictures
from narrows.studio.data import Colour
from narrows.studio.images import BadFile, TooLarge, decode_image, open_image

SIDE = 64  # default limit of the longer side of an image, in pixels
_UNPACK_FACTOR = 4  # limit of the unpacked size, as a multiple of the limit of an upload
_MAX_CELLS = 1 << 26
_MAX_COLUMNS = 20_000
_MAX_IMAGES = 100_000
_MAX_NAME_LENGTH = 100  # characters
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
_LABEL_NAMES = ("label", "labels", "class", "target", "y", "species", "category", "type")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Column:
    """A column of a table: float64 numbers with NaN for gaps, or strings with None for gaps."""

    name: str
    kind: Literal["number", "category", "empty"]
    values: Any

    @property
    def missing(self) -> int:
        """Number of gaps."""
        if self.kind == "number":
            return int(np.isnan(self.values).sum())
        return sum(value is None for value in self.values)


@dataclass(frozen=True)
class Upload:
    """An uploaded data set.

    Attributes
    ----------
    name : display name of the file.
    size : size of the file, in bytes.
    X : n images, or n x d numbers without column names; None for a table.
    columns : columns of a table, or None.
    schema : schema of the columns that are used by default.
    labels : label of each example, or None.
    files : display name of each image, or None.
    notes : messages about decisions that were made.
    """

    name: str
    size: int
    X: np.ndarray | None
    columns: tuple[Column, ...] | None
    schema: Schema
    labels: Colour | None = None
    files: tuple[str, ...] | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.X) if self.X is not None else len(self.columns[0].values) if self.columns else 0

    def select_examples(
        self, names: Sequence[str] | None = None, label: str | None = None
    ) -> tuple[np.ndarray, list[str] | None, list[str]]:
        """Return the examples to train on, the names of their columns, and notes about filled gaps.

        Parameters
        ----------
        names : columns to train on; None for all columns of numbers but `label`.
        label : column of labels, or None.

        Raises
        ------
        ValueError
            If a column does not exist or holds no numbers, or if no column is left.
        """
        if self.X is not None:
            if names is None or self.X.ndim != 2:
                return as_rows(self.X, self.name), None, []
            indices = [_parse_column_name(name, self.X.shape[1]) for name in names]
            return as_rows(self.X[:, indices], self.name), list(names), []
        columns = {column.name: column for column in self.columns or ()}
        if names is None:
            names = [column.name for column in columns.values() if column.kind == "number" and column.name != label]
        unknown = [name for name in names if name not in columns]
        if unknown:
            raise ValueError(f"{self.name} has no column {unknown[0][:100]!r}.")
        not_numbers = [name for name in names if columns[name].kind != "number"]
        if not_numbers:
            raise ValueError(
                f"The column {not_numbers[0][:100]!r} holds no numbers, and the model learns from numbers."
            )
        if not names:
            raise ValueError(f"{self.name} has no column of numbers to learn from.")
        notes, arrays = [], []
        for name in names:
            values, gaps = columns[name].values, columns[name].missing
            if gaps:
                median = float(np.nanmedian(values))
                values = np.where(np.isnan(values), median, values)
                notes.append(f"{gaps:,} gaps in {name!r} are filled with its median, {median:.6g}.")
            arrays.append(values)
        return np.stack(arrays, axis=1), list(names), notes

    def list_unused_columns(self, used: Sequence[str] | None) -> dict[str, Colour]:
        """Return the columns that are not trained on, by name. The map can be coloured by them."""
        rest = [c for c in self.columns or () if c.name not in (used or ()) and c.kind != "empty"]
        return {column.name: Colour.from_column(column.values) for column in rest[:100]}


def read_upload(path: Path, name: str, limit: int, side: int = SIDE) -> Upload:
    """Read an uploaded file: .npy, .csv, .tsv, or a .zip of images.

    Parameters
    ----------
    path : the uploaded file.
    name : its name on the user's machine.
    limit : largest size of an upload, in bytes; an archive may unpack to four times this size.
    side : limit of the longer side of an image, in pixels.

    Raises
    ------
    BadFile
        If the file is damaged or of a type that is not supported.
    TooLarge
        If it holds too many cells, columns, images or pixels.
    ValueError
        If no model can be trained on it.
    """
    name, size = to_display_name(name), path.stat().st_size
    suffix = Path(name).suffix.lower()
    with open(path, "rb") as stream:
        head = stream.read(8)
    if not head:
        raise BadFile(f"{name} is empty (0 bytes).")
    if head.startswith(b"\x93NUMPY"):
        return _read_array(path, name, size)
    if head.startswith(b"PK"):
        return _read_zip(path, name, size, limit, side)
    if suffix in _DELIMITERS:
        return _read_table(path, name, size, _DELIMITERS[suffix])
    raise BadFile(f"{name} is not a file that the studio reads: pass a .csv, .tsv, .npy, or a .zip of images.")


def wrap_examples(name: str, X: np.ndarray, y: np.ndarray | None) -> Upload:
    """Make an upload of examples in memory, such as those of a named data set."""
    return Upload(name, X.nbytes, X, None, _infer_schema(X, name), None if y is None else Colour.from_column(y))


def to_display_name(name: str) -> str:
    """Return the last part of a file's name, without unprintable characters, 100 characters at most."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[-_MAX_NAME_LENGTH:] or "upload"


def draw_preview(upload: Upload) -> str | None:
    """Return the first 32 images as the data URI of one picture, 8 in a row; None without images."""
    if upload.X is None or upload.schema.kind != "image":
        return None
    images = pictures.to_display(as_rows(upload.X[:32], upload.name), upload.schema)
    return pictures.to_data_uri(pictures.make_sheet(images, 8))


def suggest_label(upload: Upload) -> str | None:
    """Return the name of the column that most likely holds labels, or None."""
    columns = [c for c in upload.columns or () if c.kind != "empty"]
    by_name = [c.name for c in columns if c.name.lower() in _LABEL_NAMES]
    by_values = [c.name for c in columns if c.kind == "category" and len(set(c.values)) <= 50]
    return next(iter([*by_name, *by_values]), None)


# One function for each file format


def _read_array(path: Path, name: str, size: int) -> Upload:
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy reads the header with Python's own parser, which may raise any error
        raise BadFile(f"{name} cannot be read as an array of numbers. Save it with np.save('X.npy', X).") from error
    if X.dtype.kind not in "biuf" or X.ndim not in (2, 3, 4) or X.size == 0 or X.nbytes > size:
        raise BadFile(
            f"{name} must hold numbers: vectors (n, d), or images (n, h, w) or (n, h, w, c). It holds {X.dtype} of "
            f"shape {X.shape}."
        )
    if X.ndim == 2 and X.shape[1] > _MAX_COLUMNS:
        raise TooLarge(f"{name} has {X.shape[1]:,} columns; at most {_MAX_COLUMNS:,} are read.")
    X = np.array(X)  # into memory: the file is deleted
    return Upload(name, size, X, None, _infer_schema(as_rows(X, name), name))


def _read_zip(path: Path, name: str, size: int, limit: int, side: int) -> Upload:
    try:
        with zipfile.ZipFile(path) as archive:
            return _read_images(archive, name, size, _UNPACK_FACTOR * limit, side)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, KeyError) as error:
        raise BadFile(f"{name} is a damaged zip, or one with a password.") from error


def _read_images(archive: zipfile.ZipFile, name: str, size: int, limit: int, side: int) -> Upload:
    members = [m for m in archive.infolist() if _is_image(m)]
    if len(members) < 2:
        raise BadFile(f"{name} must hold at least two images ({', '.join(SUFFIXES)}). It holds {len(members)}.")
    if len(members) > _MAX_IMAGES:
        raise TooLarge(f"{name} holds {len(members):,} images; at most {_MAX_IMAGES:,} are read.")
    unpacked = sum(m.file_size for m in members)  # zipfile never unpacks more than this
    if unpacked > limit:
        raise TooLarge(f"{name} unpacks to {unpacked:,} bytes; at most {limit:,} are read.")
    members.sort(key=lambda m: m.filename)
    sizes: Counter[tuple[int, int]] = Counter()
    is_grey = True
    for label, content in _read_members(archive, members):
        image = open_image(content, label)
        sizes[image.size] += 1
        is_grey = is_grey and image.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L")
    notes = []
    width, height = sizes.most_common(1)[0][0]
    if len(sizes) > 1:
        notes.append(f"The images have {len(sizes):,} sizes; all are cropped and resized to one.")
    if max(width, height) > side:
        factor = side / max(width, height)
        reduced = max(8, round(width * factor)), max(8, round(height * factor))
        notes.append(
            f"The images are reduced from {width} x {height} to {reduced[0]} x {reduced[1]} pixels, to train faster."
        )
        width, height = reduced
    shape = (len(members), height, width) if is_grey else (len(members), height, width, 3)
    if int(np.prod(shape)) > limit:
        raise TooLarge(f"{name} decodes to {int(np.prod(shape)):,} bytes; at most {limit:,} are allowed.")
    X = np.empty(shape, np.uint8)
    for i, (label, content) in enumerate(_read_members(archive, members)):
        X[i] = decode_image(open_image(content, label), "L" if is_grey else "RGB", (width, height), label)
    folders = [_folder_label(m.filename) for m in members]
    labels = Colour.from_column(folders) if len(set(folders)) > 1 else None
    files = tuple(to_display_name(m.filename) for m in members)
    return Upload(name, size, X, None, _infer_schema(X, name), labels, files, tuple(notes))


def _is_image(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.replace("\\", "/").split("/")
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part not in (".", ".."))
    return not member.is_dir() and not hidden and parts[-1].lower().endswith(SUFFIXES)


def _read_members(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[str, bytes]]:
    for member in members:
        yield to_display_name(member.filename), archive.read(member)


def _folder_label(filename: str) -> str:
    """Return the name of an image's folder, which serves as its label."""
    parts = filename.replace("\\", "/").split("/")
    return to_display_name(parts[-2]) if len(parts) > 1 else ""


def _read_table(path: Path, name: str, size: int, delimiter: str) -> Upload:
    content = path.read_bytes()
    n_cells = content.count(delimiter.encode()) + content.count(b"\n") + 1
    if n_cells > _MAX_CELLS:
        raise TooLarge(f"{name} has about {n_cells:,} cells; at most {_MAX_CELLS:,} are read.")
    renamed = path.with_name("table" + {",": ".csv", "\t": ".tsv"}[delimiter])
    path.rename(renamed)
    try:
        table = read(renamed)  # fast, but reads numbers only
    except (ValueError, OSError):
        columns = _parse_table(content, name, delimiter)
    else:
        names = table.columns or [f"column {i + 1}" for i in range(table.X.shape[1])]
        columns = [_parse_column(n, table.X[:, i]) for i, n in enumerate(_make_unique(names))]
    if len(columns) > _MAX_COLUMNS:
        raise TooLarge(f"{name} has {len(columns):,} columns; at most {_MAX_COLUMNS:,} are read.")
    upload = Upload(name, size, None, tuple(columns), _infer_schema(np.zeros((2, 1)), name))
    X, _, notes = upload.select_examples()
    return Upload(name, size, None, tuple(columns), _infer_schema(X, name), notes=tuple(notes))


def _parse_table(content: bytes, name: str, delimiter: str) -> list[Column]:
    """Return the columns of a table that holds strings or gaps."""
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        rows = [row for row in csv.reader(text, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{name} is not a table of UTF-8 text.") from error
    if len(rows) < 3:
        raise BadFile(f"{name} must have a line of names and at least two rows.")
    width = len(rows[0])
    uneven = next((i for i, row in enumerate(rows) if len(row) != width), None)
    if uneven is not None:
        raise BadFile(
            f"{name} must have the same number of cells in every row. Row {uneven + 1} has {len(rows[uneven])}, the "
            f"first has {width}."
        )
    if width > _MAX_COLUMNS:
        raise TooLarge(f"{name} has {width:,} columns; at most {_MAX_COLUMNS:,} are read.")
    has_header = not any(_parse_number(cell) is not None for cell in rows[0])
    names = rows[0] if has_header else [f"column {i + 1}" for i in range(width)]
    body = rows[1:] if has_header else rows
    return [_parse_column(n, [row[i] for row in body]) for i, n in enumerate(_make_unique(names))]


def _parse_column(name: str, cells: Any) -> Column:
    if isinstance(cells, np.ndarray):
        values = np.where(np.isfinite(cells), cells, np.nan).astype(np.float64)
        return Column(name, "empty" if np.isnan(values).all() else "number", values)
    texts = [cell.strip() for cell in cells]
    gaps = [text.lower() in _MISSING for text in texts]
    if all(gaps):
        return Column(name, "empty", [None] * len(texts))
    numbers = [None if gap else _parse_number(text) for text, gap in zip(texts, gaps, strict=True)]
    if all(gap or number is not None for gap, number in zip(gaps, numbers, strict=True)):
        return Column(name, "number", np.array([np.nan if v is None else v for v in numbers], np.float64))
    return Column(name, "category", [None if gap else text[:200] for text, gap in zip(texts, gaps, strict=True)])


def _parse_number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _make_unique(names: Sequence[str]) -> list[str]:
    """Return printable names that differ from each other."""
    unique: dict[str, None] = {}
    for i, name in enumerate(names):
        printable = "".join(c for c in str(name) if c.isprintable()).strip()[:200] or f"column {i + 1}"
        candidate, k = printable, 2
        while candidate in unique:
            candidate, k = f"{printable} ({k})", k + 1
        unique[candidate] = None
    return list(unique)


def _parse_column_name(name: str, width: int) -> int:
    """Return the index of a column of an array by its name: 2 for 'column 3'."""
    number = name.removeprefix("column ")
    if not number.isdecimal() or len(number) > 9 or not 1 <= int(number) <= width:
        raise ValueError(f"There is no column {name[:100]!r}: they are called 'column 1' to 'column {width}'.")
    return int(number) - 1


def _infer_schema(X: np.ndarray, name: str) -> Schema:
    return infer(subsample_evenly(as_rows(X, name), 20_000), name)
