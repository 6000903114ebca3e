"""Reads uploaded files within limits, by the same reader as the command line.

Of the name of a file only its suffix becomes part of a path. Nothing is decoded before its size is known.
"""

from __future__ import annotations

import gzip
import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import Schema, as_rows, infer, infer_table, is_frame, open_frame, spaced_indices, subsample_evenly
from narrows.data.files import Dataset, read
from narrows.data.files.archives import Limits, check_unpacked, count_sheet_cells, is_gzipped, read_zip
from narrows.data.images import Options, TooLarge, class_names
from narrows.data.parquet import count_values, is_parquet
from narrows.studio import pictures
from narrows.studio.cells import kind_of
from narrows.studio.data import Colour
from narrows.studio.images import MAX_PIXELS, BadFile
from narrows.studio.upload_columns import UploadColumn, summarize

SIDE = 64  # default limit of the longer side of an image, in pixels
_UNPACK_FACTOR = 4  # limit of the unpacked size, as a multiple of the limit of an upload
_MAX_CELLS = 1 << 26
# sheets are read at 100,000 cells a second; those of spreadsheet programs have less than a cell a byte
_MAX_SHEET_CELLS, _FREE_SHEET_CELLS, _SHEET_CELLS_PER_BYTE = 5_000_000, 200_000, 2
_MAX_COLUMNS = 20_000
_MAX_IMAGES = 100_000
_MAX_PIXELS = 4 << 30  # of all images, before they are reduced
_MAX_NAME_LENGTH = 100  # characters
_SAMPLE_ROWS = 20_000  # from which a schema is inferred
_MAX_CLASSES = 50  # different values of a column that is suggested as the label
_LABEL_NAMES = ("label", "labels", "class", "target", "y", "species", "category", "type")
_SHEETS = (".xlsx", ".xlsm")
_TEXTS = (".csv", ".tsv", ".tab", ".txt", ".dat", ".data")


@dataclass(frozen=True)
class Upload:
    """An uploaded data set.

    Attributes
    ----------
    name : display name of the file.
    size : size of the file, in bytes.
    X : n images, n x d numbers, or a data frame.
    columns : columns of a table or of n x d numbers; None for images.
    schema : schema of the columns that are used by default; None if no column is.
    labels : label of each example, or None.
    files : display name of each image, or None.
    notes : messages about decisions that were made.
    """

    name: str
    size: int
    X: Any
    columns: tuple[UploadColumn, ...] | None
    schema: Schema | None
    labels: Colour | None = None
    files: tuple[str, ...] | None = None
    notes: tuple[str, ...] = field(default=())

    def __len__(self) -> int:
        return len(self.X)

    @property
    def is_image(self) -> bool:
        """True if the examples are images, or series, which the model sees as images."""
        return self.schema is not None and self.schema.kind == "image"

    def select_examples(
        self,
        names: Sequence[str] | None = None,
        label: str | None = None,
        kinds: Mapping[str, str] | None = None,
    ) -> tuple[Any, list[str] | None, dict[Any, str]]:
        """Return the examples to train on, the names of their columns, and the kinds to name to the estimator.

        Parameters
        ----------
        names : columns to train on; None for all that a model uses by default, but `label`.
        label : column of labels, or None.
        kinds : kinds of columns that the user chose, by name.

        Raises
        ------
        ValueError
            If a column does not exist or cannot be used, or if no column is left.
        """
        if self.columns is None:
            return _as_examples(self.X, self.name), None, {}
        positions = {column.name: i for i, column in enumerate(self.columns)}
        kinds = kinds or {}
        unknown = [name for name in [*(names or ()), *kinds] if name not in positions]
        if unknown:
            raise ValueError(f"{self.name} has no column {unknown[0][:100]!r}.")
        if names is None:
            names = [c.name for c in self.columns if (c.is_used or c.name in kinds) and c.name != label]
        if not names:
            raise ValueError(f"{self.name} has no column to learn from.")
        chosen = {name: self.columns[positions[name]].choose_kind(kinds.get(name)) for name in names}
        kept = [positions[name] for name in chosen]
        if is_frame(self.X):
            X: Any = self.X.iloc[:, kept]
            return X, list(chosen), {name: kind for name, kind in chosen.items() if kind}
        return as_rows(self.X[:, kept], self.name), list(chosen), {j: k for j, k in enumerate(chosen.values()) if k}

    def get_column(self, name: str) -> Colour:
        """Return the values of a column, by which a map can be coloured.

        Raises
        ------
        ValueError
            If the column does not exist, or holds objects that are no cells.
        """
        positions = [column.name for column in self.columns or ()]
        if name not in positions:
            raise ValueError(f"{self.name} has no column {name[:100]!r}.")
        frame = open_frame(self.X, self.name)
        try:
            return Colour.from_cells(frame.cells(frame.names[positions.index(name)]))
        except TypeError as error:
            raise ValueError(f"The column {name[:100]!r} of {self.name} cannot be used: {error}.") from None

    def list_unused_columns(self, used: Sequence[str] | None) -> dict[str, Colour]:
        """Return the columns that are not trained on, by name. The map can be coloured by them."""
        rest = [c.name for c in self.columns or () if c.name not in (used or ()) and c.distinct]
        return {name: self.get_column(name) for name in rest[:100]}


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
    files = tuple(dataset.files) if dataset.files else None
    colour = None if labels is None else Colour.from_column(labels)
    return _make_upload(name, size, dataset.X, dataset.columns, colour, files, dataset.notes)


def wrap_examples(name: str, X: np.ndarray, y: np.ndarray | None) -> Upload:
    """Make an upload of examples in memory, such as those of a named data set."""
    return _make_upload(name, X.nbytes, X, None, None if y is None else Colour.from_column(y))


def _make_upload(
    name: str,
    size: int,
    X: Any,
    names: Sequence[str] | None,
    labels: Colour | None,
    files: tuple[str, ...] | None = None,
    notes: tuple[str, ...] = (),
) -> Upload:
    """Look at the columns of examples that have some, and infer their schema."""
    if not is_frame(X) and X.ndim != 2:
        return Upload(name, size, X, None, infer_schema(X, name), labels, files, notes)
    names = _make_unique(names or [f"column {i + 1}" for i in range(X.shape[1])])
    X = X.set_axis(names, axis=1) if is_frame(X) else X
    columns = tuple(summarize(open_frame(X, name), names, name))
    upload = Upload(name, size, X, columns, None, labels, files, notes)
    if len(X) < 2:
        raise BadFile(f"{name} must have at least two rows to learn from. It has {len(X)}.")
    if not any(column.kinds for column in columns):
        problem = next((column.problem for column in columns if column.problem), "No column varies.")
        raise BadFile(f"{name} has no column to learn from. {problem}")
    if not any(column.is_used for column in columns):
        return upload  # the user may choose another kind
    used, _, _ = upload.select_examples()
    return replace(upload, schema=infer_schema(used, name))


def to_display_name(name: str) -> str:
    """Return the last part of a file's name, without unprintable characters, 100 characters at most."""
    return to_printable(name.replace("\\", "/").rsplit("/", 1)[-1])[-_MAX_NAME_LENGTH:] or "upload"


def to_printable(text: str) -> str:
    """Return a text without unprintable characters, and without spaces at its ends."""
    return "".join(c for c in text if c.isprintable()).strip()


def draw_preview(upload: Upload) -> str | None:
    """Return the first 32 images as the data URI of one picture, 8 in a row; None without images."""
    if upload.schema is None or kind_of(upload.schema) != "image":
        return None
    images = pictures.to_display(_as_examples(upload.X[:32], upload.name), upload.schema)
    return pictures.to_data_uri(pictures.make_sheet(images, 8))


def suggest_label(upload: Upload) -> str | None:
    """Return the name of the column that most likely holds labels, or None."""
    columns = [c for c in upload.columns or () if 1 < c.distinct <= _MAX_CLASSES]
    return next((c.name for c in columns if c.name.lower() in _LABEL_NAMES), None)


def _read_dataset(path: Path, limit: int, side: int) -> Dataset:
    """Read a file within the limits of an upload."""
    options = Options(on_bad="skip", longest=side)
    limits = Limits(_UNPACK_FACTOR * limit, _MAX_PIXELS, MAX_PIXELS, _MAX_IMAGES)
    if path.suffix.lower() == ".zip":
        return read_zip(path, options, lambda member: _read_file(member, limit), limits)
    return _read_file(path, limit)


def _read_file(path: Path, limit: int) -> Dataset:
    """Read a file that is no archive of images. Its form is checked before it is decoded, as far as possible."""
    if is_gzipped(path):
        return _read_gzipped(path, limit)
    check_unpacked(path, _UNPACK_FACTOR * limit)
    suffix = path.suffix.lower()
    if suffix in _TEXTS:
        _check_cells(path, _count_cells(path))
    elif is_parquet(path):
        _check_cells(path, count_values(path))
    elif suffix in _SHEETS:
        most = min(_MAX_SHEET_CELLS, _FREE_SHEET_CELLS + _SHEET_CELLS_PER_BYTE * path.stat().st_size)
        _check_cells(path, count_sheet_cells(path), most, "Save the sheet as a .csv, which is read faster.")
    dataset = read(path)
    shape = dataset.X.shape
    if len(shape) == 2 and shape[1] > _MAX_COLUMNS:
        raise TooLarge(f"{path} has {shape[1]:,} columns; at most {_MAX_COLUMNS:,} are read.")
    if dataset.columns is not None:
        _check_cells(path, shape[0] * shape[1])
    # into memory: the file is deleted
    return dataset._replace(X=np.array(dataset.X)) if isinstance(dataset.X, np.memmap) else dataset


def _read_gzipped(path: Path, limit: int) -> Dataset:
    """Unpack a gzipped file beside itself and read it: so its contents are checked, too."""
    check_unpacked(path, _UNPACK_FACTOR * limit)
    unpacked = path.with_suffix("") if path.suffix.lower() == ".gz" else path.with_name(f"unpacked{path.suffix}")
    with gzip.open(path) as source, open(unpacked, "wb") as target:
        shutil.copyfileobj(source, target)
    if is_gzipped(unpacked):
        raise ValueError(f"{path} is packed twice. Unpack it once.")
    try:
        return _read_file(unpacked, limit)
    except ValueError as error:
        kind = TooLarge if isinstance(error, TooLarge) else ValueError
        raise kind(str(error).replace(str(unpacked), str(path))) from error


def _count_cells(path: Path) -> int:
    """Return the largest number of cells that a table of text can have."""
    counts: Counter[bytes] = Counter()
    with open(path, "rb") as stream:
        while block := stream.read(1 << 20):
            counts.update({sign: block.count(sign) for sign in (b",", b";", b"\t", b"\n")})
    return max(counts[delimiter] for delimiter in (b",", b";", b"\t")) + counts[b"\n"] + 1


def _check_cells(
    path: Path, n_cells: int, most: int | None = None, hint: str = "Train on it with `narrows fit`."
) -> None:
    most = _MAX_CELLS if most is None else most
    if n_cells > most:
        raise TooLarge(f"{path} has about {n_cells:,} cells; at most {most:,} are read. {hint}")


def _make_unique(names: Sequence[str]) -> list[str]:
    """Return printable names that differ from each other."""
    unique: dict[str, None] = {}
    for i, name in enumerate(names):
        printable = to_printable(str(name))[:200] or f"column {i + 1}"
        candidate, k = printable, 2
        while candidate in unique:
            candidate, k = f"{printable} ({k})", k + 1
        unique[candidate] = None
    return list(unique)


def _as_examples(X: np.ndarray, name: str) -> np.ndarray:
    """Return X as `as_rows` does, but leave images of 16 bits as they are: `fit` knows them by their dtype."""
    return X if X.dtype == np.uint16 and X.ndim > 2 else as_rows(X, name)


def infer_schema(X: Any, name: str) -> Schema:
    """Return the schema of examples, inferred from evenly spaced ones."""
    if is_frame(X):
        sample = X.iloc[spaced_indices(len(X), _SAMPLE_ROWS)]
        return infer_table(open_frame(sample, name), name)[1]
    return infer(as_rows(subsample_evenly(X, _SAMPLE_ROWS), name), name, dtype=X.dtype, allow_nan=True)
