"""Text that a spreadsheet would run as a formula, in files of delimited text.

A spreadsheet runs a cell such as =HYPERLINK(...) when the file is opened, and what is written may come from data of
others: https://owasp.org/www-community/attacks/CSV_Injection. So text that begins like a formula gets an apostrophe in
front, as OWASP advises. It is text only: -1.5 stays a number. Text that begins with apostrophes and then like a formula
gets one more: so `with_formula` undoes `without_formula` for every text, and reading a file gives what was written.
"""

from __future__ import annotations

import re
from typing import Any

# the first characters with which spreadsheets take a text for a formula; the last four are those of East Asian fonts
_FORMULA = re.compile("'*[=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")


def is_formula(cell: Any) -> bool:
    """Return True for text that a spreadsheet would take for a formula: it begins like one and is no number.

    >>> [is_formula(cell) for cell in ("=1+1", "-1.5", "-", "'=1+1", -1.5)]
    [True, False, False, True, False]
    """
    if not isinstance(cell, str) or _FORMULA.match(cell) is None:
        return False
    text = cell.lstrip("'")
    try:
        float(text)
    except ValueError:
        return len(text) > 1
    return False


def without_formula(cell: Any) -> Any:
    """Return a cell, with an apostrophe in front if a spreadsheet would take it for a formula."""
    return f"'{cell}" if is_formula(cell) else cell


def with_formula(cell: str) -> str:
    """Return a cell without the apostrophe that `without_formula` put in front of it."""
    return cell[1:] if cell.startswith("'") and is_formula(cell) else cell
