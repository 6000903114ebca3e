"""Filled tables in files: what stands in DATA stays as it is written there, and only the gaps change."""

from __future__ import annotations

import csv
import gzip
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from narrows.cli import outputs, reading
from narrows.cli.app import say
from narrows.cli.written import write_like
from narrows.params import counted

if TYPE_CHECKING:
    import numpy as np

    from narrows.data.files import Dataset

SUFFIXES = (".csv", ".tsv", ".parquet", ".xlsx", ".npy")
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_SHEETS = (".xlsx", ".xlsm")


class Filled(NamedTuple):
    """A table with all columns of DATA, whose gaps are filled.

    Attributes
    ----------
    loaded : what was read from DATA, with the gaps filled: a pandas frame, or an array (n, d).
    masks : for each column that was filled, by its position, (n,) booleans: True for the filled cells.
    """

    loaded: Dataset
    masks: dict[int, np.ndarray]

    @property
    def names(self) -> list[str]:
        """Names of the columns of the frame; their numbers for an array."""
        X: Any = self.loaded.X
        return [str(name) for name in X.columns] if hasattr(X, "iloc") else [str(i) for i in range(X.shape[1])]

    def column(self, position: int) -> Any:
        """Return a column as a pandas Series with the index 0, 1, 2, ..."""
        import pandas as pd

        X: Any = self.loaded.X
        return X.iloc[:, position].reset_index(drop=True) if hasattr(X, "iloc") else pd.Series(X[:, position])

    def count_cells(self) -> dict[str, int]:
        """Return the number of filled cells of each column that has some, most first."""
        counts = {self.names[i]: int(mask.sum()) for i, mask in self.masks.items()}
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def list_open(self) -> list[str]:
        """Return the names of the columns that still have gaps."""
        return [name for i, name in enumerate(self.names) if self.column(i).isna().any()]


def put_back(whole: Dataset, positions: Sequence[int], rows: Any, filled: Any) -> Filled:
    """Return the data `whole` with the columns `filled` in place of `rows`, which are its columns at `positions`."""
    import numpy as np
    import pandas as pd

    X: Any = whole.X.copy()
    masks = {}
    for k, position in enumerate(positions):
        if hasattr(X, "iloc"):
            was, now = rows.iloc[:, k], filled.iloc[:, k]
        else:
            was, now = pd.Series(np.asarray(rows)[:, k]), pd.Series(np.asarray(filled)[:, k])
        mask = (was.isna() & now.notna()).to_numpy(dtype=bool)
        if not mask.any():
            continue
        masks[position] = mask
        if hasattr(X, "iloc"):
            X.isetitem(position, now.array)
        else:
            X[mask, position] = now.to_numpy()[mask]
    return Filled(whole._replace(X=X), masks)


def write(out: Path, source: Path, filled: Filled) -> None:
    """Write a filled table to `out`. If it has the format of the file `source`, only cells that were gaps differ."""
    from narrows.data.files.reading import TEXTS

    suffix, form = out.suffix.lower(), _find_suffix(source)
    if suffix in _DELIMITERS and form in TEXTS and _write_text(out, source, filled, TEXTS[form]):
        return
    if suffix == ".xlsx" and form in _SHEETS and _write_sheet(out, source, filled):
        return
    if suffix == form == ".parquet" and source.is_file():
        _write_parquet(out, source, filled)
    elif suffix == ".xlsx":
        _write_new_sheet(out, filled)
    else:
        outputs.write_rows(out, filled.loaded.X, reading.row_names(filled.loaded), filled.loaded.columns)


def _find_suffix(source: Path) -> str:
    """Return the suffix of a file, without .gz."""
    suffixes = [suffix.lower() for suffix in source.suffixes if suffix.lower() != ".gz"]
    return suffixes[-1] if suffixes else ""


def _changes(filled: Filled, places: dict[int, int], cells: Any) -> list[dict[int, Any]]:
    """Return the new cells of each row: their values by the number of the column in the file.

    `places` are these numbers by the position in the table; `cells` gives the cells of a column as they are written.
    """
    changes: list[dict[int, Any]] = [{} for _ in range(len(filled.loaded.X))]
    for position, mask in filled.masks.items():
        for row, value in write_like(filled.column(position), mask, cells(places[position])).items():
            changes[row][places[position]] = value
    return changes


def _places(filled: Filled, header: Sequence[str] | None) -> dict[int, int]:
    """Return the number of each column in the file by its position in the table; a table without names has numbers."""
    if header is None:
        return {i: int(name) for i, name in enumerate(filled.names)}
    return {i: list(header).index(name) for i, name in enumerate(filled.names)}


# ------------------------------------------------------------------------------------------------ text


def _write_text(out: Path, source: Path, filled: Filled, usual: str) -> bool:
    """Write the text of `source` with its gaps filled. Return False if its rows are not those of the table.

    `usual` is the delimiter that belongs to its suffix.
    """
    from narrows.cli.reading_options import current
    from narrows.data.atomic import atomic_path
    from narrows.data.files.dialect import SPACES, find_dialect
    from narrows.data.formulas import without_formula

    def opener() -> Any:
        return gzip.open(source) if _is_gzipped(source) else open(source, "rb")

    dialect = find_dialect(source, opener, usual, current().header)
    with opener() as stream, io.TextIOWrapper(stream, encoding=dialect.encoding, newline="") as text:
        lines = list(text)
    head, body = lines[: dialect.n_skipped], lines[dialect.n_skipped :]
    records = list(_split(body, dialect.delimiter))
    rows = [cells for cells, _ in records if len(cells) > 1 or (cells and cells[0])]
    if len(rows) != len(filled.loaded.X) or any(len(row) != dialect.width for row in rows):
        return False
    changes = iter(_changes(filled, _places(filled, dialect.header), lambda j: [row[j] for row in rows]))
    is_same = out.suffix.lower() == _find_suffix(source)
    delimiter = dialect.delimiter if is_same else _DELIMITERS[out.suffix.lower()]
    result = io.StringIO(newline="")
    if is_same:
        result.write("".join(head))
    elif dialect.header is not None:
        _write_row(result, list(map(without_formula, dialect.header)), delimiter, "\n")
    for cells, lines_of_row in records:
        is_row = len(cells) > 1 or (cells and cells[0])
        change = next(changes) if is_row else {}
        if is_same and not change:
            result.write("".join(lines_of_row))
        elif is_row:
            end = "\r\n" if lines_of_row[-1].endswith("\r\n") else "\n"
            separator = " " if delimiter == SPACES else delimiter
            _write_row(result, [change.get(j, cell) for j, cell in enumerate(cells)], separator, end)
    with atomic_path(out) as temporary:
        temporary.write_bytes(_encode(out, result.getvalue(), dialect.encoding))
    say(f"{out}: {counted(len(rows), 'row')} of {counted(dialect.width, 'column')}")
    return True


def _is_gzipped(path: Path) -> bool:
    with open(path, "rb") as stream:
        return stream.read(2) == b"\x1f\x8b"


def _split(lines: list[str], delimiter: str) -> Iterator[tuple[list[str], list[str]]]:
    """Yield the stripped cells of each row, and the lines that they come from."""
    from narrows.data.files.dialect import SPACES

    if delimiter == SPACES:
        yield from ((line.split(), [line]) for line in lines)
        return
    start, reader = 0, csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    for cells in reader:
        yield [cell.strip() for cell in cells], lines[start : reader.line_num]
        start = reader.line_num


def _write_row(stream: io.StringIO, cells: Sequence[str], delimiter: str, end: str) -> None:
    csv.writer(stream, delimiter=delimiter, lineterminator=end).writerow(cells)


def _encode(out: Path, text: str, encoding: str) -> bytes:
    """Return text in the encoding of the source, or in UTF-8 if a filled cell needs a character that it lacks."""
    try:
        return text.encode(encoding)
    except UnicodeEncodeError:
        say(f"{out}: written as UTF-8, because {encoding} lacks a character of the filled cells")
        return text.encode("utf-8")


# ------------------------------------------------------------------------------------------------ sheets and Parquet


def _write_sheet(out: Path, source: Path, filled: Filled) -> bool:
    """Write the workbook `source` with the gaps of its first sheet filled. Return False if its rows do not fit."""
    import openpyxl
    from openpyxl.cell.cell import MergedCell

    from narrows.data.atomic import atomic_path
    from narrows.data.files.tables import as_word

    book = openpyxl.load_workbook(source)
    rows = [row for row in book[book.sheetnames[0]].iter_rows() if any(cell.value is not None for cell in row)]
    n_header = len(rows) - len(filled.loaded.X)
    if n_header not in (0, 1):
        return False
    header = ["" if cell.value is None else as_word(cell.value) for cell in rows[0]] if n_header else None
    body = rows[n_header:]
    changes = _changes(filled, _places(filled, header), lambda j: [row[j].value for row in body])
    cells = [(row[j], value) for row, change in zip(body, changes, strict=True) for j, value in change.items()]
    if any(isinstance(cell, MergedCell) for cell, _ in cells):
        return False
    for cell, value in cells:
        _set_cell(cell, value)
    with atomic_path(out) as temporary:
        book.save(temporary)
    say(f"{out}: {counted(len(body), 'row')} of {counted(len(filled.names), 'column')}")
    return True


def _set_cell(cell: Any, value: Any) -> None:
    cell.value = value
    if isinstance(value, str):
        cell.data_type = "s"  # "=1+1" is a word of the table, not a formula


def _write_new_sheet(out: Path, filled: Filled) -> None:
    """Write a workbook of one sheet. Times with a zone, which sheets do not have, become text."""
    import openpyxl

    from narrows.data.atomic import atomic_path

    book = openpyxl.Workbook()
    sheet = book.active
    names = reading.row_names(filled.loaded)
    columns = {} if names is None else {names.name: list(names.values)}
    for i, name in enumerate(filled.names):
        column = filled.column(i)
        is_zoned = getattr(column.dtype, "tz", None) is not None
        cells = (column.astype(str) if is_zoned else column).astype(object)
        columns[name] = cells.where(column.notna(), None).tolist()
    for j, (name, cells) in enumerate(columns.items(), 1):
        for i, value in enumerate([name, *cells], 1):
            if value is not None:
                _set_cell(sheet.cell(i, j), value.item() if hasattr(value, "item") else value)
    with atomic_path(out) as temporary:
        book.save(temporary)
    say(f"{out}: {counted(len(filled.loaded.X), 'row')} of {counted(len(columns), 'column')}")


def _write_parquet(out: Path, source: Path, filled: Filled) -> None:
    """Write the table of the Parquet file `source` with its gaps filled; all columns keep their types."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from narrows.data.atomic import atomic_path

    table = pq.read_table(source, partitioning=None)
    for position, mask in filled.masks.items():
        j = [str(name) for name in table.column_names].index(filled.names[position])
        column, values = table.column(j), pa.array(filled.column(position), from_pandas=True)
        if not pa.types.is_null(column.type) and not pa.types.is_dictionary(column.type):
            values = pc.if_else(pa.array(mask), values.cast(column.type, safe=False), column)
        table = table.set_column(j, table.field(j).with_type(values.type), values)
    with atomic_path(out) as temporary:
        pq.write_table(table, temporary)
    say(f"{out}: {counted(table.num_rows, 'row')} of {counted(table.num_columns, 'column')}")
