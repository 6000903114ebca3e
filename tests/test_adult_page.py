"""The code of docs/adult.md runs, from the first block to the last, and shows what the page says."""

import os
import re
import warnings
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[1] / "docs/adult.md"
TABLE = Path(os.environ.get("NARROWS_DATA", "")) / "adult.csv.gz"


@pytest.mark.slow
@pytest.mark.skipif(
    not TABLE.is_file(), reason="adult.csv.gz is not on this machine; set NARROWS_DATA to a folder that has it"
)
def test_the_walk_through_adult(tmp_path, monkeypatch, capsys):
    (tmp_path / TABLE.name).symlink_to(TABLE.resolve())
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL))
    names = {"__name__": "__main__"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X passed to .* holds values that were not seen in training", UserWarning)
        exec(compile(code, str(PAGE), "exec"), names)
    shown = capsys.readouterr().out
    assert re.search(r"missing cells before and after: \d+ 0$", shown, re.MULTILINE)
    for line in re.findall(r"^row \d+: (.*)$", shown, re.MULTILINE):
        assert line.split()[0] in ("sex", "relationship")
    assert names["measured"]["utility"] > 0.85
    rates = re.findall(r"^(?:complete rows|a fifth missing): .* AUC (0\.\d+)$", shown, re.MULTILINE)
    assert len(rates) == 2
    assert min(map(float, rates)) > 0.85
