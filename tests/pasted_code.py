"""The code on a page, for tests that run it as a reader would paste it: one piece after the other, from the top."""

import html
import re
from pathlib import Path

LISTING = re.compile(r'<code class="language-(\w+)">(.*?)</code>', re.DOTALL)


def pieces(page: Path, language: str = "python") -> list[str]:
    """Return the pieces of code on a page in one language."""
    found = LISTING.findall(page.read_text(encoding="utf-8"))
    assert {kind for kind, _ in found} <= {"python", "shell"}
    return [html.unescape(code) for kind, code in found if kind == language]


def run_pieces(page: Path, **names: object) -> dict[str, object]:
    """Run the Python on a page in a namespace with nothing but `names`, and return what is in it then."""
    code = pieces(page)
    assert len(code) > 3
    for number, piece in enumerate(code):
        exec(compile(piece, f"piece {number} of {page.name}", "exec"), names)
    return names
