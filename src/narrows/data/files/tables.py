"""Read tables in binary formats: Parquet, Arrow, Excel, Stata, SPSS and SAS."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import parquet, sinks
from narrows.data.files import arrow
from narrows.data.files.dataset import Dataset, short_name
from narrows.data.files.header import decide
from narrows.data.files.text import as_typed_dataset, type_columns

_ARROW_MAGIC, _FEATHER_MAGIC = b"ARROW1", b"FEA1"
_FREE_CELLS, _CELLS_PER_FILLED = 1 << 20, 100  # a sheet may have the first, or so many for each that is filled
_HEADER_ROWS = 200  # rows of a sheet below its first that are looked at


def read_parquet(path: Path) -> Dataset:
    """Read a .parquet file, or a folder of .parquet files that form one table.

    Raises
    ------
    ValueError
        If a file is damaged or empty, or the files have unlike columns.
    ImportError
        If pandas or pyarrow is not installed.
    """
    pyarrow, pq = parquet.import_pyarrow("reading .parquet")
    parts = parquet.list_parts(path) if path.is_dir() else [path]
    schemas = [parquet.read_schema(part) for part in parts]
    for part, schema in zip(parts, schemas, strict=True):
        parquet.check_names(schema.names, part)
        missing = sorted(set(schemas[0].names) - set(schema.names)), sorted(set(schema.names) - set(schemas[0].names))
        if any(missing):
            verb, names = ("no", missing[0]) if missing[0] else ("another", missing[1])
            raise ValueError(f"{part} must have the columns of {parts[0]}. It has {verb} column {names[0]!r}.")
    names = parquet.list_columns(schemas[0])
    if len(names) == 1 and parquet.is_lists(schemas[0].field(names[0]).type):
        lists = parquet.open_table(path)
        X = sinks.Memory(lists.n)
        for batch in lists.batches(4096):
            X.write(batch)
        return Dataset(X.finish(), None, None, path.resolve().stem, None)
    _require_tables("reading .parquet")
    try:
        tables = [pq.read_table(part, partitioning=None, columns=schemas[0].names) for part in parts]
        table = pyarrow.concat_tables(tables, promote_options="permissive") if len(parts) > 1 else tables[0]
    except (pyarrow.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged, or its parts have columns of unlike types ({error}).") from error
    del tables
    return arrow.as_dataset(table, path)._replace(name=path.resolve().stem)


def read_arrow(path: Path) -> Dataset:
    """Read a table that Arrow wrote: Feather, or a file or stream of its IPC format.

    Raises
    ------
    ValueError
        If the file is damaged or empty.
    ImportError
        If pandas or pyarrow is not installed.
    """
    _require_tables(f"reading {path.suffix}")
    import pyarrow as pa
    from pyarrow import feather

    with open(path, "rb") as stream:
        head = stream.read(len(_ARROW_MAGIC))
    try:
        if head.startswith(_FEATHER_MAGIC):
            table = feather.read_table(path)
        elif head == _ARROW_MAGIC:
            with pa.ipc.open_file(pa.OSFile(str(path))) as reader:
                table = reader.read_all()
        else:
            with pa.ipc.open_stream(pa.OSFile(str(path))) as reader:
                table = reader.read_all()
    except (pa.ArrowException, OSError) as error:
        raise ValueError(f"{path} is damaged or not an Arrow file ({error}). Write it again.") from error
    return arrow.as_dataset(table, path)


def read_excel(path: Path, has_header: bool | None = None) -> Dataset:
    """Read the first sheet of an Excel file.

    Raises
    ------
    ValueError
        If the file is damaged, or the sheet is empty or has columns without or with equal names.
    ImportError
        If pandas, pyarrow or openpyxl is not installed.
    """
    _require_tables(f"reading {path.suffix}", "openpyxl")
    import openpyxl

    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (KeyError, ValueError, OSError, SyntaxError) as error:
        raise ValueError(f"{path} is damaged or not an Excel file ({error}). Save it again as .xlsx.") from error
    try:
        names = book.sheetnames
        sheet = book[names[0]]
        sheet.reset_dimensions()  # they may be those of a whole sheet, because of a format
        rows = [list(row) for row in sheet.iter_rows(values_only=True) if any(cell is not None for cell in row)]
    finally:
        book.close()
    if not rows:
        raise ValueError(f"The sheet {names[0]!r} of {path} must hold a table. It is empty.")
    width = max(i + 1 for row in rows for i, cell in enumerate(row) if cell is not None)
    n_filled = sum(cell is not None for row in rows for cell in row)
    if len(rows) * width > max(_FREE_CELLS, _CELLS_PER_FILLED * n_filled):
        raise ValueError(
            f"The sheet {names[0]!r} of {path} must hold one table. It has {len(rows):,} rows of {width:,} columns and "
            f"only {n_filled:,} filled cells: delete those that lie far away."
        )
    rows = [(row + [None] * width)[:width] for row in rows]
    notes = [] if len(names) == 1 else [f"The sheet {names[0]!r} is read; {', '.join(map(repr, names[1:]))} are not."]
    first, sample = _as_words(rows[0]), [_as_words(row) for row in rows[1 : _HEADER_ROWS + 1]]
    is_header, note = decide(first, sample, has_header)
    if is_header and len(rows) == 1:
        raise ValueError(f"{path} holds a header ({', '.join(first)}) but no rows.")
    body = rows[1:] if is_header else rows
    columns, more = type_columns([_as_text(column) for column in zip(*body, strict=True)], ",")
    notes += [] if note is None else [note.replace("first line", "first row")]
    return as_typed_dataset(path, columns, first if is_header else None, (*notes, *more))


def read_statistics(path: Path) -> Dataset:
    """Read a file of Stata (.dta), SPSS (.sav) or SAS (.sas7bdat, .xpt). Labelled values become categories.

    Raises
    ------
    ValueError
        If the file is damaged or empty.
    ImportError
        If pandas, pyarrow or pyreadstat is not installed.
    """
    suffix = path.suffix.lower()
    _require_tables(f"reading {suffix}", "pyreadstat")
    import pyreadstat

    readers: dict[str, Callable[..., Any]] = {
        ".dta": pyreadstat.read_dta,
        ".sav": pyreadstat.read_sav,
        ".zsav": pyreadstat.read_sav,
        ".sas7bdat": pyreadstat.read_sas7bdat,
        ".xpt": pyreadstat.read_xport,
    }
    try:
        frame, meta = readers[suffix](str(path))
    except (pyreadstat.ReadstatError, UnicodeDecodeError, IndexError) as error:
        raise ValueError(f"{path} is damaged or not a {suffix} file ({error}). Write it again.") from error
    if not len(frame) or not len(frame.columns):
        raise ValueError(
            f"{path} must hold at least one example. Got {len(frame)} rows of {len(frame.columns)} columns."
        )
    notes = []
    columns = {}
    for name in frame.columns:
        labels, values = meta.variable_value_labels.get(name), frame[name]
        if labels and set(values.dropna()) <= set(labels):
            is_ordered = meta.variable_measure.get(name) == "ordinal"
            values = _as_categories(values, labels, is_ordered)
        elif labels:
            notes.append(f"Column {name!r} keeps its numbers, because only some of them have labels.")
        columns[name] = _tidy(values)
    import pandas as pd

    tidy = pd.DataFrame(columns, copy=False)
    return Dataset(tidy, None, list(tidy.columns), short_name(path), None, notes=tuple(notes))


def _as_categories(values: Any, labels: dict[Any, str], is_ordered: bool) -> Any:
    """Return a column of codes as categories, in the order of the codes."""
    import pandas as pd

    ordered = sorted(labels.items(), key=lambda item: item[0])
    names = [str(label) for _, label in ordered]
    if len(set(names)) < len(names):  # two codes of one label
        names = [f"{label} ({code:g})" if names.count(str(label)) > 1 else str(label) for code, label in ordered]
    positions = {code: i for i, (code, _) in enumerate(ordered)}
    codes = values.map(positions).fillna(-1).to_numpy(np.int64)
    return pd.Series(pd.Categorical.from_codes(codes, names, ordered=is_ordered), index=values.index)


def _tidy(values: Any) -> Any:
    """Return a column with whole numbers as integers, dates as time stamps, and empty words as missing."""
    import pandas as pd

    if values.dtype.kind == "f" and values.notna().any():
        present = values.dropna()
        if (present == present.round()).all() and (present.abs() < 2**53).all():
            return values.astype("Int64" if values.isna().any() else "int64")
    if values.dtype == object:
        present = values.dropna()
        if len(present) and all(isinstance(value, datetime.date) for value in present):
            return pd.to_datetime(values)
        if len(present) and all(isinstance(value, datetime.time) for value in present):
            return values.map(str, na_action="ignore")
    if not isinstance(values.dtype, pd.CategoricalDtype) and values.dtype.kind == "O":
        values = values.mask(values == "").infer_objects()
    return values


def _as_words(row: Sequence[Any]) -> list[str]:
    return ["" if cell is None else as_word(cell) for cell in row]


def as_word(cell: Any) -> str:
    """Return a cell of a sheet as text would hold it."""
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    if isinstance(cell, datetime.datetime) and cell.time() == datetime.time():
        return cell.date().isoformat()
    return cell.isoformat(" ") if isinstance(cell, datetime.datetime) else str(cell).strip()


def _as_text(column: Sequence[Any]) -> Any:
    import pyarrow as pa

    return pa.chunked_array([pa.array(_as_words(column), pa.string())])


def _require_tables(what: str, *packages: str) -> None:
    """Raise an ImportError that names the extra if a package is not installed."""
    missing = arrow.find_missing("pandas", "pyarrow", *packages)
    if missing:
        raise ImportError(f"{what} needs {' and '.join(missing)}: pip install 'narrows[tables]'.")
