"""Data that people bring: read within bounds, and looked at as narrows sees it.

A file's name is for people only: it never becomes a path. Nothing is unpacked to disk, and nothing is decoded before
its size is known.
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
from narrows.studio.images import BadFile, TooLarge, decoded, opened

SIDE = 64  # pixels that the longer side of images keeps, if nothing else is asked
_UNPACKED = 4  # times the bytes of an upload that may be unpacked from it
_MOST_CELLS = 1 << 26
_MOST_COLUMNS = 20_000
_MOST_IMAGES = 100_000
_MOST_NAME = 100
_MISSING = ("", "na", "n/a", "nan", "null", "none", "?")
_LABELS = ("label", "labels", "class", "target", "y", "species", "category", "type")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}


@dataclass(frozen=True)
class Column:
    """A column of a table: float64 numbers with NaN for gaps, or words with None for gaps."""

    name: str
    kind: Literal["number", "category", "empty"]
    values: Any

    @property
    def missing(self) -> int:
        """How many cells are gaps."""
        if self.kind == "number":
            return int(np.isnan(self.values).sum())
        return sum(value is None for value in self.values)


@dataclass(frozen=True)
class Brought:
    """What an upload holds.

    Attributes
    ----------
    name : for people.
    size : bytes.
    X : images, or vectors without names; None for a table.
    columns : of a table, or None.
    labels : what each example is, or None.
    files : the name of each image, for people, or None.
    notes : what was decided.
    schema : what narrows sees of the columns that are used.
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

    def examples(
        self, names: Sequence[str] | None = None, label: str | None = None
    ) -> tuple[np.ndarray, list[str] | None, list[str]]:
        """The examples to learn from, the names of their columns, and what was decided.

        Parameters
        ----------
        names : of the columns to learn from; None for all that are numbers, but for `label`.

        Raises
        ------
        ValueError
            If there is no such column, or it is none of numbers.
        """
        if self.X is not None:
            if names is None or self.X.ndim != 2:
                return as_rows(self.X, self.name), None, []
            return as_rows(self.X[:, [_number(name, self.X.shape[1]) for name in names]], self.name), list(names), []
        columns = {column.name: column for column in self.columns or ()}
        if names is None:
            names = [column.name for column in columns.values() if column.kind == "number" and column.name != label]
        unknown = [name for name in names if name not in columns]
        if unknown:
            raise ValueError(f"{self.name} has no column {unknown[0][:100]!r}.")
        words = [name for name in names if columns[name].kind != "number"]
        if words:
            raise ValueError(f"The column {words[0][:100]!r} holds no numbers, and the model learns from numbers.")
        if not names:
            raise ValueError(f"{self.name} has no column of numbers to learn from.")
        notes, arrays = [], []
        for name in names:
            values, gaps = columns[name].values, columns[name].missing
            if gaps:
                middle = float(np.nanmedian(values))
                values = np.where(np.isnan(values), middle, values)
                notes.append(f"{gaps:,} gaps in {name!r} are filled with its median, {middle:.6g}.")
            arrays.append(values)
        return np.stack(arrays, axis=1), list(names), notes

    def further(self, used: Sequence[str] | None) -> dict[str, Colour]:
        """The columns that are not learned from, by which the map can be coloured."""
        chosen = set(used or ())
        rest = [c for c in self.columns or () if c.name not in chosen and c.kind != "empty"]
        return {column.name: Colour.of(column.values) for column in rest[:100]}


def bring(path: Path, name: str, limit: int, side: int = SIDE) -> Brought:
    """Read what was brought to `path` under `name`: .npy, .csv, .tsv, or a .zip of images.

    Parameters
    ----------
    limit : bytes of an upload; a few times as many may come out of it.
    side : pixels that the longer side of images keeps, at most.

    Raises
    ------
    BadFile, TooLarge, ValueError
        If it is of no kind that is read, too large once unpacked, or not what a model can learn from.
    """
    name, size = shown_name(name), path.stat().st_size
    suffix = Path(name).suffix.lower()
    with open(path, "rb") as stream:
        head = stream.read(8)
    if not head:
        raise BadFile(f"{name} is empty (0 bytes).")
    if head.startswith(b"\x93NUMPY"):
        return _array(path, name, size)
    if head.startswith(b"PK"):
        return _images(path, name, size, limit, side)
    if suffix in _DELIMITERS:
        return _table(path, name, size, _DELIMITERS[suffix])
    raise BadFile(f"{name} is of no kind that the studio reads: .csv, .tsv, .npy, or a .zip of images.")


def of_examples(name: str, X: np.ndarray, y: np.ndarray | None) -> Brought:
    """Examples that are read already, such as those of a named data set."""
    return Brought(name, X.nbytes, X, None, _schema(X, name), None if y is None else Colour.of(y))


def shown_name(name: str) -> str:
    """The last part of a file's name, for people: printable, and not long."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable()).strip()[-_MOST_NAME:] or "upload"


def sheet(brought: Brought) -> str | None:
    """The first examples as one picture, 8 in a row."""
    if brought.X is None or brought.schema.kind != "image":
        return None
    images = pictures.displayed(as_rows(brought.X[:32], brought.name), brought.schema)
    return pictures.uri(pictures.sheet(images, 8))


def suggested_label(brought: Brought) -> str | None:
    """The column that most likely says what each row is."""
    columns = [c for c in brought.columns or () if c.kind != "empty"]
    named = [c.name for c in columns if c.name.lower() in _LABELS]
    words = [c.name for c in columns if c.kind == "category" and len(set(c.values)) <= 50]
    return next(iter([*named, *words]), None)


# Kinds


def _array(path: Path, name: str, size: int) -> Brought:
    try:
        X = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy reads the header with Python's own parser, which raises anything
        raise BadFile(f"{name} cannot be read as an array of numbers. Save it with np.save('X.npy', X).") from error
    if X.dtype.kind not in "biuf" or X.ndim not in (2, 3, 4) or X.size == 0 or X.nbytes > size:
        raise BadFile(
            f"{name} must hold numbers: vectors (n, d), or images (n, h, w) or (n, h, w, c). It holds {X.dtype} of "
            f"shape {X.shape}."
        )
    if X.ndim == 2 and X.shape[1] > _MOST_COLUMNS:
        raise TooLarge(f"{name} has {X.shape[1]:,} columns; at most {_MOST_COLUMNS:,} are read.")
    X = np.array(X)  # the file goes
    return Brought(name, size, X, None, _schema(as_rows(X, name), name))


def _images(path: Path, name: str, size: int, limit: int, side: int) -> Brought:
    try:
        with zipfile.ZipFile(path) as archive:
            return _images_of(archive, name, size, _UNPACKED * limit, side)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, NotImplementedError, KeyError) as error:
        raise BadFile(f"{name} is a damaged zip, or one with a password.") from error


def _images_of(archive: zipfile.ZipFile, name: str, size: int, limit: int, side: int) -> Brought:
    members = [m for m in archive.infolist() if _is_image(m)]
    if len(members) < 2:
        raise BadFile(f"{name} must hold at least two images ({', '.join(SUFFIXES)}). It holds {len(members)}.")
    if len(members) > _MOST_IMAGES:
        raise TooLarge(f"{name} holds {len(members):,} images; at most {_MOST_IMAGES:,} are read.")
    unpacked = sum(m.file_size for m in members)  # zipfile gives no more than it says here
    if unpacked > limit:
        raise TooLarge(f"{name} unpacks to {unpacked:,} bytes; at most {limit:,} are read.")
    members.sort(key=lambda m: m.filename)
    sizes: Counter[tuple[int, int]] = Counter()
    grey = True
    for label, content in _contents(archive, members):
        image = opened(content, label)
        sizes[image.size] += 1
        grey = grey and image.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B", "I;16L")
    notes = []
    width, height = sizes.most_common(1)[0][0]
    if len(sizes) > 1:
        notes.append(f"The images have {len(sizes):,} sizes; all are cropped and resized to one.")
    if max(width, height) > side:
        factor = side / max(width, height)
        fitted = max(8, round(width * factor)), max(8, round(height * factor))
        notes.append(f"Reduced from {width} x {height} to {fitted[0]} x {fitted[1]} pixels, to train in little time.")
        width, height = fitted
    shape = (len(members), height, width) if grey else (len(members), height, width, 3)
    if int(np.prod(shape)) > limit:
        raise TooLarge(f"{name} decodes to {int(np.prod(shape)):,} bytes; at most {limit:,} are held.")
    X = np.empty(shape, np.uint8)
    for i, (label, content) in enumerate(_contents(archive, members)):
        X[i] = decoded(opened(content, label), "L" if grey else "RGB", (width, height), label)
    folders = [_folder(m.filename) for m in members]
    labels = Colour.of(folders) if len(set(folders)) > 1 else None
    files = tuple(shown_name(m.filename) for m in members)
    return Brought(name, size, X, None, _schema(X, name), labels, files, tuple(notes))


def _is_image(member: zipfile.ZipInfo) -> bool:
    parts = member.filename.replace("\\", "/").split("/")
    hidden = any(part.startswith((".", "__MACOSX")) for part in parts if part not in (".", ".."))
    return not member.is_dir() and not hidden and parts[-1].lower().endswith(SUFFIXES)


def _contents(archive: zipfile.ZipFile, members: Sequence[zipfile.ZipInfo]) -> Iterator[tuple[str, bytes]]:
    for member in members:
        yield shown_name(member.filename), archive.read(member)


def _folder(filename: str) -> str:
    """The folder that an image lies in, as a label."""
    parts = filename.replace("\\", "/").split("/")
    return shown_name(parts[-2]) if len(parts) > 1 else ""


def _table(path: Path, name: str, size: int, delimiter: str) -> Brought:
    content = path.read_bytes()
    n_cells = content.count(delimiter.encode()) + content.count(b"\n") + 1
    if n_cells > _MOST_CELLS:
        raise TooLarge(f"{name} has about {n_cells:,} cells; at most {_MOST_CELLS:,} are read.")
    numbers = path.with_name("table" + {",": ".csv", "\t": ".tsv"}[delimiter])
    path.rename(numbers)
    try:
        found = read(numbers)  # numbers only, and quick
    except (ValueError, OSError):
        columns = _columns(content, name, delimiter)
    else:
        names = found.columns or [f"column {i + 1}" for i in range(found.X.shape[1])]
        columns = [_column(n, found.X[:, i]) for i, n in enumerate(_unlike(names))]
    if len(columns) > _MOST_COLUMNS:
        raise TooLarge(f"{name} has {len(columns):,} columns; at most {_MOST_COLUMNS:,} are read.")
    table = Brought(name, size, None, tuple(columns), _schema(np.zeros((2, 1)), name))
    X, _, notes = table.examples()
    return Brought(name, size, None, tuple(columns), _schema(X, name), notes=tuple(notes))


def _columns(content: bytes, name: str, delimiter: str) -> list[Column]:
    """The columns of a table that holds words or gaps."""
    try:
        text = io.StringIO(content.decode("utf-8-sig"), newline="")
        rows = [row for row in csv.reader(text, delimiter=delimiter) if any(cell.strip() for cell in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise BadFile(f"{name} is no table of UTF-8 text.") from error
    if len(rows) < 3:
        raise BadFile(f"{name} must have a line of names and at least two rows.")
    width = len(rows[0])
    odd = next((i for i, row in enumerate(rows) if len(row) != width), None)
    if odd is not None:
        raise BadFile(
            f"{name} must have the same number of cells in every row. Row {odd + 1} has {len(rows[odd])}, the first "
            f"has {width}."
        )
    if width > _MOST_COLUMNS:
        raise TooLarge(f"{name} has {width:,} columns; at most {_MOST_COLUMNS:,} are read.")
    headed = not any(_as_number(cell) is not None for cell in rows[0])
    names = rows[0] if headed else [f"column {i + 1}" for i in range(width)]
    body = rows[1:] if headed else rows
    return [_column(n, [row[i] for row in body]) for i, n in enumerate(_unlike(names))]


def _column(name: str, cells: Any) -> Column:
    if isinstance(cells, np.ndarray):
        values = np.where(np.isfinite(cells), cells, np.nan).astype(np.float64)
        return Column(name, "empty" if np.isnan(values).all() else "number", values)
    words = [cell.strip() for cell in cells]
    gaps = [word.lower() in _MISSING for word in words]
    if all(gaps):
        return Column(name, "empty", [None] * len(words))
    numbers = [None if gap else _as_number(word) for word, gap in zip(words, gaps, strict=True)]
    if all(gap or number is not None for gap, number in zip(gaps, numbers, strict=True)):
        return Column(name, "number", np.array([np.nan if v is None else v for v in numbers], np.float64))
    return Column(name, "category", [None if gap else word[:200] for word, gap in zip(words, gaps, strict=True)])


def _as_number(cell: str) -> float | None:
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def _unlike(names: Sequence[str]) -> list[str]:
    """Names for columns, each once, printable."""
    found: list[str] = []
    taken: set[str] = set()
    for i, name in enumerate(names):
        plain = "".join(c for c in str(name) if c.isprintable()).strip()[:200] or f"column {i + 1}"
        unlike, k = plain, 2
        while unlike in taken:
            unlike, k = f"{plain} ({k})", k + 1
        taken.add(unlike)
        found.append(unlike)
    return found


def _number(name: str, width: int) -> int:
    """The place of 'column 3'."""
    word = name.removeprefix("column ")
    if not word.isdecimal() or len(word) > 9 or not 1 <= int(word) <= width:
        raise ValueError(f"There is no column {name[:100]!r}: they are called 'column 1' to 'column {width}'.")
    return int(word) - 1


def _schema(X: np.ndarray, name: str) -> Schema:
    return infer(subsample_evenly(as_rows(X, name), 20_000), name)
