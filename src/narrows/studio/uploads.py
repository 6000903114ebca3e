"""Reads uploaded files within limits, by the same reader as the command line.

Of the name of a file only its suffix becomes part of a path. Nothing is decoded before its size is known.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from narrows.data import Schema, as_rows, infer, subsample_evenly
from narrows.data.files import Dataset, read
from narrows.data.files.archives import Limits, check_unpacked, read_zip
from narrows.data.images import Options, TooLarge, class_names
from narrows.data.parquet import count_values, is_parquet
from narrows.studio import pictures
from narrows.studio.data import Colour
from narrows.studio.images import MAX_PIXELS, BadFile

SIDE = 64  # default limit of the longer side of an image, in pixels
_UNPACK_FACTOR = 4  # limit of the unpacked size, as a multiple of the limit of an upload
_MAX_CELLS = 1 << 26
_MAX_COLUMNS = 20_000
_MAX_IMAGES = 100_000
_MAX_PIXELS = 4 << 30  # of all images, before they are reduced
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
                return _as_examples(self.X, self.name), None, []
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
    """Read an uploaded file of any format that `narrows.data.files.read` reads.

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
    source = path.rename(path.with_name("data" + "".join(Path(name).suffixes[-2:])))  # suffixes tell the format
    try:
        dataset = _read_dataset(source, limit, side)
    except ValueError as error:
        kind = TooLarge if isinstance(error, TooLarge) else BadFile
        raise kind(str(error).replace(str(source), name)) from error
    labels: Any = dataset.y
    if dataset.files and labels is not None:
        labels = class_names(dataset.files)
    columns = _to_columns(dataset)
    upload = Upload(
        name=name,
        size=size,
        X=None if columns else dataset.X,
        columns=columns,
        schema=_infer_schema(np.zeros((2, 1)), name),
        labels=None if labels is None else Colour.from_column(labels),
        files=tuple(dataset.files) if dataset.files else None,
        notes=dataset.notes,
    )
    X, _, notes = upload.select_examples()
    return replace(upload, schema=_infer_schema(X, name), notes=(*upload.notes, *notes))


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
    images = pictures.to_display(_as_examples(upload.X[:32], upload.name), upload.schema)
    return pictures.to_data_uri(pictures.make_sheet(images, 8))


def suggest_label(upload: Upload) -> str | None:
    """Return the name of the column that most likely holds labels, or None."""
    columns = [c for c in upload.columns or () if c.kind != "empty"]
    by_name = [c.name for c in columns if c.name.lower() in _LABEL_NAMES]
    by_values = [c.name for c in columns if c.kind == "category" and len(set(c.values)) <= 50]
    return next(iter([*by_name, *by_values]), None)


def _read_dataset(path: Path, limit: int, side: int) -> Dataset:
    """Read a file within the limits of an upload."""
    options = Options(on_bad="skip", longest=side)
    limits = Limits(_UNPACK_FACTOR * limit, _MAX_PIXELS, MAX_PIXELS, _MAX_IMAGES)
    if path.suffix.lower() == ".zip":
        return read_zip(path, options, lambda member: _read_file(member, limit), limits)
    return _read_file(path, limit)


def _read_file(path: Path, limit: int) -> Dataset:
    """Read a file that is no archive of images. Its form is checked before it is decoded, as far as possible."""
    check_unpacked(path, _UNPACK_FACTOR * limit)
    suffix = path.suffix.lower()
    if suffix in _DELIMITERS:
        _check_cells(str(path), _count_cells(path))
    elif is_parquet(path):
        _check_cells(str(path), count_values(path))
    try:
        dataset = read(path)
    except (ValueError, OSError):
        if suffix not in _DELIMITERS:
            raise
        columns, rows = _parse_table(path.read_bytes(), str(path), _DELIMITERS[suffix])
        dataset = Dataset(np.array(rows, dtype=object), None, columns, path.stem, None)
    shape = dataset.X.shape
    if len(shape) == 2 and shape[1] > _MAX_COLUMNS:
        raise TooLarge(f"{path} has {shape[1]:,} columns; at most {_MAX_COLUMNS:,} are read.")
    if suffix in _DELIMITERS and dataset.columns is None:
        dataset = dataset._replace(columns=[f"column {i + 1}" for i in range(shape[1])])
    if dataset.columns is not None:
        _check_cells(str(path), shape[0] * shape[1])
    # into memory: the file is deleted
    return dataset._replace(X=np.array(dataset.X)) if isinstance(dataset.X, np.memmap) else dataset


def _count_cells(path: Path) -> int:
    """Return the largest number of cells that a table of text can have."""
    content = path.read_bytes()
    return max(content.count(delimiter) for delimiter in (b",", b";", b"\t")) + content.count(b"\n") + 1


def _check_cells(name: str, n_cells: int) -> None:
    if n_cells > _MAX_CELLS:
        raise TooLarge(f"{name} has about {n_cells:,} cells; at most {_MAX_CELLS:,} are read.")


def _to_columns(dataset: Dataset) -> tuple[Column, ...] | None:
    """Return the columns of a table, or None for an array."""
    if dataset.columns is None:
        return None
    X: Any = dataset.X
    cells = (_frame_cells(X.iloc[:, i]) if hasattr(X, "iloc") else X[:, i] for i in range(X.shape[1]))
    return tuple(_parse_column(name, c) for name, c in zip(_make_unique(dataset.columns), cells, strict=True))


def _frame_cells(column: Any) -> np.ndarray:
    """Return a column of a data frame as numbers with NaN for gaps, or as objects with None for gaps."""
    from pandas.api.types import is_numeric_dtype

    if is_numeric_dtype(column.dtype):
        return np.asarray(column.to_numpy(np.float64, na_value=np.nan))
    return np.asarray(column.astype(object).where(column.notna(), None), dtype=object)


def _parse_table(content: bytes, name: str, delimiter: str) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns, and the rows, of a table that holds strings or gaps."""
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
    return names, rows[1:] if has_header else rows


def _parse_column(name: str, cells: np.ndarray) -> Column:
    if cells.dtype.kind in "biuf":
        values = np.where(np.isfinite(cells), cells, np.nan).astype(np.float64)
        return Column(name, "empty" if np.isnan(values).all() else "number", values)
    texts = ["" if cell is None or cell != cell else str(cell).strip() for cell in cells.tolist()]
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


def _as_examples(X: np.ndarray, name: str) -> np.ndarray:
    """Return X as `as_rows` does, but leave images of 16 bits as they are: `fit` knows them by their dtype."""
    return X if X.dtype == np.uint16 and X.ndim > 2 else as_rows(X, name)


def _infer_schema(X: np.ndarray, name: str) -> Schema:
    return infer(as_rows(subsample_evenly(X, 20_000), name), name, dtype=X.dtype)
