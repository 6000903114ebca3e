"""Find the encoding, the delimiter and the header of a text table, from its bytes and its first rows."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import IO, NamedTuple

from narrows.data.files.header import GAPS, decide, is_value
from narrows.data.formulas import with_formula

Opener = Callable[[], IO[bytes]]  # opens the bytes of a table at their start

SPACES = " "  # any number of blanks
_DELIMITERS = ("\t", ";", "|", ",")
_NAMES = {"\t": "tabs", ";": "';'", "|": "'|'", ",": "','", SPACES: "blanks"}
_SEP_LINE = re.compile(r'"?sep=([\t;|,:^~ ])"?(\r\n|\n|\r)', re.IGNORECASE)  # for Excel
_BLOCK = 1 << 22
_SAMPLE = 1 << 20  # characters of the sample
_SAMPLE_ROWS = 1000
_MIN_LINES = 20
_BOMS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))
_ENCODING_NAMES = {"utf-16": "UTF-16", "utf-16-le": "UTF-16", "utf-16-be": "UTF-16", "cp1252": "Windows-1252"}


class Dialect(NamedTuple):
    """Form of a text table.

    Attributes
    ----------
    encoding : name of the codec.
    delimiter : character between cells; a blank stands for any number of blanks.
    header : cells of the header; None without a header.
    n_skipped : number of physical lines before the first row of data.
    width : number of cells in a row.
    quotes : "none" if there is no quotation mark, "plain", or "after blanks" if a blank precedes some of them.
    n_characters : length of the sample that was looked at, which holds several rows.
    notes : what was decided, a line each.
    """

    encoding: str
    delimiter: str
    header: list[str] | None
    n_skipped: int
    width: int
    quotes: str
    n_characters: int
    notes: tuple[str, ...]


def find_dialect(path: Path, opener: Opener, usual: str, has_header: bool | None) -> Dialect:
    """Find the form of the table in `path`.

    Parameters
    ----------
    opener : function that opens its bytes.
    usual : delimiter that belongs to its suffix.
    has_header : True or False if the user said so.

    Raises
    ------
    ValueError
        If the file is no text, is empty, or holds a header only.
    """
    encoding, has_quotes = _scan(path, opener)
    notes = []
    if encoding in _ENCODING_NAMES:
        notes.append(f"The text is in {_ENCODING_NAMES[encoding]}.")
    text = _read_sample(opener, encoding)
    sep_line = _SEP_LINE.match(text)
    n_sep = 0 if sep_line is None else 1
    if sep_line is not None:
        delimiter = sep_line[1]
        name = _NAMES.get(delimiter, repr(delimiter))
        notes.append(f"The first line is left out: it says that cells are separated by {name}.")
    else:
        delimiter = _find_delimiter(text, usual)
        if delimiter != usual:
            notes.append(f"Cells are separated by {_NAMES[delimiter]}.")
    rows = text if sep_line is None else text[sep_line.end() :]
    records = split_records(rows, delimiter, _SAMPLE_ROWS)
    if not records:
        raise ValueError(f"{path} holds blank lines only. Write or download it again.")
    (first, n_lines), body = records[0], [cells for cells, _ in records[1:]]
    if first[0].startswith("# "):  # np.savetxt begins its header so
        first = [first[0].removeprefix("# ").lstrip(), *first[1:]]
    is_header, note = decide(first, body, has_header)
    if is_header and not body:
        raise ValueError(f"{path} holds a header ({delimiter.join(first)}) but no rows. Write or download it again.")
    if note is not None:
        notes.append(note)
    width = len(first)
    if is_header and width > 1 and len(body) > 1 and all(len(cells) == width + 1 for cells in body):
        width += 1
        is_trailing = all(not cells[-1] for cells in body)  # a delimiter ends every row
        first = [*first, ""] if is_trailing else ["", *first]  # R names no column of row names
    quotes = "none" if not has_quotes else "after blanks" if f'{delimiter} "' in text else "plain"
    header, n_skipped = [with_formula(cell) for cell in first] if is_header else None, n_sep + n_lines * is_header
    return Dialect(encoding, delimiter, header, n_skipped, width, quotes, len(text), tuple(notes))


def split_records(text: str, delimiter: str, n_max: int | None = None) -> list[tuple[list[str], int]]:
    """Return the rows of `text` that are not blank: their stripped cells, and the number of lines up to their end."""
    if delimiter == SPACES:
        rows = ((line.split(), number) for number, line in enumerate(text.splitlines(), 1))
    else:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
        rows = (([cell.strip() for cell in cells], reader.line_num) for cells in reader)
    records = []
    for cells, number in rows:
        if len(cells) > 1 or (cells and cells[0]):
            records.append((cells, number))
        if len(records) == n_max:
            break
    return records


def read_records(opener: Opener, dialect: Dialect) -> list[tuple[list[str], int]]:
    """Return the rows of data, as `split_records` does."""
    text = _read_characters(opener, dialect.encoding)
    return [record for record in split_records(text, dialect.delimiter) if record[1] > dialect.n_skipped]


def _read_sample(opener: Opener, encoding: str) -> str:
    """Return the first lines: enough characters, and a few lines at least."""
    with opener() as stream, io.TextIOWrapper(stream, encoding=encoding, newline="") as reader:
        text = reader.read(_SAMPLE)
        while text.count("\n") < _MIN_LINES and (more := reader.read(len(text) + 1)):
            text += more
        is_whole = not reader.read(1)
    return text if is_whole else text[: text.rfind("\n") + 1] or text


def _read_characters(opener: Opener, encoding: str) -> str:
    with opener() as stream, io.TextIOWrapper(stream, encoding=encoding, newline="") as reader:
        return reader.read()


def find_ragged(opener: Opener, dialect: Dialect) -> str | None:
    """Describe the first row of another length. It is slow, so it is only called after an error."""
    for cells, number in read_records(opener, dialect):
        if len(cells) != dialect.width:
            hint = "" if dialect.quotes == "none" else " A quotation mark may not be closed."
            return (
                f"must have the same number of cells in every line. Line {number} has {len(cells)}, the lines before "
                f"it have {dialect.width}. Repair or remove the line; cells are separated by "
                f"{dialect.delimiter!r}.{hint}"
            )
    return None


def _scan(path: Path, opener: Opener) -> tuple[str, bool]:
    """Return the encoding of the bytes, and True if there is a quotation mark among them."""
    with opener() as stream:
        head = stream.read(_BLOCK)
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), None)
    if encoding is None and len(head) > 1 and b"\0" in head[:200]:
        halves = [head[i:200:2].count(0) / len(head[i:200:2]) for i in (0, 1)]
        encoding = "utf-16-be" if halves[0] > 0.6 > halves[1] else "utf-16-le" if halves[1] > 0.6 > halves[0] else None
    candidates = ("utf-8", "cp1252", "latin-1") if encoding is None else (encoding,)
    for name in candidates:
        decoder, has_quotes = codecs.getincrementaldecoder(name)(), False
        with opener() as stream:
            try:
                while block := stream.read(_BLOCK):
                    if b"\0" in block and not name.startswith("utf-16"):
                        raise ValueError(
                            f"{path} must hold text. It holds NUL bytes; is it damaged or of another format?"
                        )
                    has_quotes = has_quotes or b'"' in block
                    if decoder.getstate()[0] or not block.isascii() or name.startswith("utf-16"):
                        decoder.decode(block)
                decoder.decode(b"", final=True)
            except UnicodeDecodeError:
                continue
        return name, has_quotes
    raise ValueError(f"{path} must hold text. It is not valid {encoding}. Save it again as UTF-8.")


def _find_delimiter(text: str, usual: str) -> str:
    """Return the delimiter that splits the rows into the same number of cells, at least two; else the usual one."""
    best, best_share = None, 0.0
    for delimiter in (usual if usual != "," else "\t", *_DELIMITERS):
        if delimiter not in text:
            continue
        counts = [len(cells) for cells, _ in split_records(text, delimiter, _SAMPLE_ROWS)]
        common = Counter(count for count in counts if count > 1).most_common(1)
        share = common[0][1] / len(counts) if common else 0.0
        if share > best_share:
            best, best_share = delimiter, share
    if best is not None:
        return best
    rows = split_records(text, SPACES, _SAMPLE_ROWS)
    counts = [len(cells) for cells, _ in rows]
    if rows and max(counts) > 1 and len(set(counts[1:] or counts)) == 1:
        cells = [cell for row, _ in rows[1:] or rows for cell in row]
        if all(is_value(cell) or cell in GAPS for cell in cells):
            return SPACES
    return usual
