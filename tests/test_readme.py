"""The Python code of the README runs, from the first block to the last, in an empty folder."""

import re
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
BLOCK = re.compile(r"^```python[^\n]*\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[int, str]]:
    """Return (line number, code) of every Python block."""
    if not README.exists():
        return []
    text = README.read_text(encoding="utf-8")
    return [(text.count("\n", 0, match.start(1)) + 1, match.group(1)) for match in BLOCK.finditer(text)]


@pytest.mark.skipif(not blocks(), reason="README.md has no Python code yet")
def test_the_readmes_code_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, code in blocks():
        # leading blank lines make the line numbers of a traceback those of the README
        exec(compile("\n" * (line - 1) + code, str(README), "exec"), names)
