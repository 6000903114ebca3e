"""Read delimited text, in any dialect and encoding, with pyarrow."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from narrows.data.files import arrow
from narrows.data.files.column_types import Typed, settle, type_column
from narrows.data.files.dataset import Dataset
from narrows.data.files.dialect import SPACES, Dialect, Opener, find_dialect, find_ragged, read_records
from narrows.data.files.numbers import read_numbers
from narrows.data.formulas import with_formula
from narrows.data.parquet import check_names
from narrows.params import enumerate_names

_BLOCK = 1 << 22  # bytes that pyarrow parses at once; a row must fit
_MOST_COLUMNS = 100_000  # of a frame; wider tables are arrays of numbers


def read_text(path: Path, opener: Opener, usual: str, has_header: bool | None = None) -> Dataset:
    """Read a table of text: numbers, words, dates, truth values, and missing cells.

    Parameters
    ----------
    opener : function that opens the bytes of the table.
    usual : delimiter that belongs to the suffix.
    has_header : True or False if the user said so.

    Raises
    ------
    ValueError
        If the file is no text, is empty, has rows of unlike lengths, or columns without or with equal names.
    ImportError
        If pandas or pyarrow is not installed and the table does not hold numbers only.
    """
    dialect = find_dialect(path, opener, usual, has_header)
    if arrow.find_missing("pandas", "pyarrow"):
        try:
            return read_numbers(path, opener, dialect)
        except ValueError as error:
            raise ImportError(
                f"{error} Tables of all kinds are read with pandas and pyarrow: pip install 'narrows[tables]'."
            ) from error
    if dialect.width > _MOST_COLUMNS:
        return read_numbers(path, opener, dialect)
    check_names([name for name in dialect.header or () if name], path)
    cells = [_with_formulas(column) for column in _read_cells(path, opener, dialect)]
    columns, notes = type_columns(cells, dialect.delimiter)
    return as_typed_dataset(path, columns, dialect.header, (*dialect.notes, *notes))


def as_typed_dataset(path: Path, columns: list[Typed], names: list[str] | None, notes: tuple[str, ...]) -> Dataset:
    """Return typed columns as a data set. The first column without a name gives the ids.

    Raises
    ------
    ValueError
        If another column has no name.
    """
    import pyarrow as pa

    labels = [str(i) for i in range(len(columns))] if names is None else list(names)
    if labels[0] == "Unnamed: 0":  # what pandas makes of an index that it did not expect
        labels[0] = ""
    kept, ids = [], None
    for i, (name, column) in enumerate(zip(labels, columns, strict=True)):
        is_empty = column.values.null_count == len(column.values)
        if is_empty and (not name or (names is None and i == len(columns) - 1 > 0 and set(column.gaps) == {""})):
            notes = (*notes, f"Column {i + 1} has no name and no values and is left out.")
        elif name:
            kept.append(i)
        elif i == 0:
            ids = column.values.to_pandas().to_numpy()
            notes = (*notes, "The first column has no name: its values are the ids of the rows.")
        else:
            raise ValueError(
                f"{path} must name every column in its header. Column {i + 1} has no name. Name it, remove it, or pass "
                "header=False if the first line is no header."
            )
    if not kept:
        raise ValueError(f"{path} must hold at least one column with a name. It has none.")
    kept_columns = {labels[i]: columns[i] for i in kept}
    notes = (*notes, *_describe_columns(kept_columns))
    is_numeric = all(_is_number(column.values.type) for column in kept_columns.values())
    table = pa.table({name: column.values for name, column in kept_columns.items()})
    columns.clear()
    kept_columns.clear()
    dataset = arrow.as_dataset(table, path, notes)
    if names is None and is_numeric:
        return dataset.as_numbers()._replace(columns=None)
    if ids is not None:
        frame: Any = dataset.X
        frame.index = ids
        dataset = dataset._replace(ids=ids)
    return dataset


def type_columns(cells: list[Any], delimiter: str) -> tuple[list[Typed], tuple[str, ...]]:
    """Return text cells, an Arrow array a column, in their types, and a note about decimal commas. Empties `cells`."""
    has_points = delimiter != ","
    cells.reverse()
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:  # Arrow works without Python's lock
        futures = []
        while cells:  # so that each column's text is freed once it has its type
            futures.append(pool.submit(type_column, cells.pop(), has_points))
        columns = []
        futures.reverse()
        while futures:
            columns.append(futures.pop().result())
    columns, has_commas = settle(columns, delimiter)
    return columns, ("Numbers have a decimal comma: 1,5 is read as 1.5.",) if has_commas else ()


def _read_cells(path: Path, opener: Opener, dialect: Dialect) -> list[Any]:
    """Return the cells as text, one Arrow array for each column."""
    import pyarrow as pa
    from pyarrow import csv as arrow_csv

    names = [str(i) for i in range(dialect.width)]
    if dialect.delimiter == SPACES or dialect.quotes == "after blanks":
        return _read_slowly(path, opener, dialect)

    def handle(row: Any) -> str:
        return "error" if row.text.strip() else "skip"  # a line of blanks

    has_quotes = dialect.quotes != "none"
    options = {
        "read_options": arrow_csv.ReadOptions(
            column_names=names,
            skip_rows=dialect.n_skipped,
            block_size=max(_BLOCK, dialect.n_characters),
            encoding="utf8" if dialect.encoding.startswith("utf-8") else dialect.encoding,
        ),
        "parse_options": arrow_csv.ParseOptions(
            delimiter=dialect.delimiter,
            quote_char='"' if has_quotes else False,
            newlines_in_values=has_quotes,
            invalid_row_handler=handle,
        ),
        "convert_options": arrow_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=False
        ),
    }
    try:
        with opener() as stream:
            table = arrow_csv.read_csv(stream, **options)
    except pa.ArrowInvalid as error:
        fault = find_ragged(opener, dialect)
        if fault is None:  # such as a blank before a quotation mark, after the sample
            return _read_slowly(path, opener, dialect)
        raise ValueError(f"{path} {fault}") from error
    return list(table.columns)


def _with_formulas(column: Any) -> Any:
    """Return the cells without the apostrophes that `sinks` puts before what a spreadsheet would take for a formula."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pc.any(pc.starts_with(column, "'")).as_py():
        return column
    chunks = []
    for chunk in column.chunks:
        encoded = chunk.dictionary_encode()
        words = pa.array([None if word is None else with_formula(word) for word in encoded.dictionary.to_pylist()])
        chunks.append(words.cast(pa.string()).take(encoded.indices))
    return pa.chunked_array(chunks, pa.string())


def _read_slowly(path: Path, opener: Opener, dialect: Dialect) -> list[Any]:
    """Return the cells as text, one Arrow array for each column, for blanks between cells or before quotes."""
    import pyarrow as pa

    ragged = find_ragged(opener, dialect)
    if ragged is not None:
        raise ValueError(f"{path} {ragged}")
    rows = [cells for cells, _ in read_records(opener, dialect)]
    return [pa.chunked_array([pa.array(column, pa.string())]) for column in zip(*rows, strict=True)]


# Notes

_REASONS = {  # by `Typed.form`
    "zeros": "numbers in them begin with 0",
    "digits": "numbers in them are too long",
    "dates": "their dates are not written as 2020-12-31",
    "zones": "some of their dates do not exist, or have a time zone and others have none",
    "unlike": "their numbers are written in unlike ways, such as 10% and 11, or 1,5 and 1.5",
    "money": "their numbers have a currency sign",
}


def _describe_columns(columns: dict[str, Typed]) -> list[str]:
    """Return what was decided about the columns, a line for each decision."""
    notes = []
    if any(column.is_trimmed for column in columns.values()):
        notes.append("Blanks around cells are removed.")
    gaps: dict[str, int] = {}
    for column in columns.values():
        for word, count in column.gaps.items():
            gaps[word] = gaps.get(word, 0) + count
    if gaps:
        written = [f"{count:,} " + (f"written {word!r}" if word else "empty") for word, count in gaps.items()]
        notes.append(f"Missing cells: {', '.join(written)}.")
    named = [("with a decimal point", [name for name, column in columns.items() if column.is_point])]
    for example in sorted({column.thousands for column in columns.values()} - {""}):
        grouped = [name for name, column in columns.items() if column.thousands == example]
        named.append((f"with thousands: {example} is read as 1234", grouped))
    named.append(
        ("that hold per cent: 21% is read as 21", [name for name, column in columns.items() if column.is_percent])
    )
    for form, reason in _REASONS.items():
        kept = [name for name, column in columns.items() if column.form == form]
        named.append((f"that keep their words, because {reason}", kept))
    notes += [f"Columns {text}: {enumerate_names(list(map(repr, names)))}." for text, names in named if names]
    for name, column in columns.items():
        count, cell = column.odd
        if count:
            cells = "1 cell is" if count == 1 else f"{count:,} cells are"
            notes.append(f"Column {name!r} is read as words: {cells} {column.form}, such as {cell!r}.")
    return notes


def _is_number(kind: Any) -> bool:
    import pyarrow as pa

    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind))
