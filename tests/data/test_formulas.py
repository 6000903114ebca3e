"""Text that a spreadsheet would run: it gets an apostrophe in what is written, and loses it when it is read back."""

from pathlib import Path

import numpy as np
import pytest

from narrows.cli import outputs
from narrows.data import files, sinks
from narrows.data.formulas import is_formula, with_formula, without_formula

FORMULAS = [
    "=1+1",
    "+cmd",
    "-x",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\uff1dx",
    "--",
    "-10%",
    "'=1",
    "''@x",
    '=HYPERLINK("a,b")',
]
PLAIN = ["a=b", "-1.5", "+3", "-1e5", "-", "=", "'", "'-1.5", "it's", "'quoted'", "", " =x", "O'=x"]


@pytest.mark.parametrize("cell", FORMULAS)
def test_formulas_get_an_apostrophe(cell):
    assert is_formula(cell)
    assert without_formula(cell) == f"'{cell}"
    assert with_formula(without_formula(cell)) == cell


@pytest.mark.parametrize("cell", PLAIN)
def test_other_text_stays(cell):
    assert without_formula(cell) == cell
    assert with_formula(cell) == cell


def test_only_text_is_a_formula():
    assert [without_formula(value) for value in (-1.5, None, True)] == [-1.5, None, True]


@pytest.mark.parametrize("suffix", [".csv", ".tsv"])
@pytest.mark.parametrize("by", ["the library", "the command"])
def test_words_and_names_are_read_back(tmp_path: Path, suffix, by):
    pandas = pytest.importorskip("pandas", reason="needs the extra `tables`")
    words = [word for word in [*FORMULAS, *PLAIN] if word.strip() == word and word not in ("", "-")]  # no gaps
    frame = pandas.DataFrame({"=name": words, "@b": np.arange(len(words)) - 5.0})
    path = tmp_path / f"x{suffix}"
    if by == "the library":
        with sinks.open_sink(path) as sink:
            sink.write(frame)
            sink.finish()
    else:
        outputs.write_frame(path, frame)
    assert path.read_text().splitlines()[1].startswith("'=1+1")
    back = files.read(path)
    assert back.columns == ["=name", "@b"]
    assert back.X["=name"].tolist() == words
    np.testing.assert_array_equal(back.X["@b"], frame["@b"])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_columns_are_read_back_as_they_were_written(tmp_path, suffix):
    pytest.importorskip("pandas", reason="needs the extra `tables`")
    pytest.importorskip("pyarrow", reason="needs the extra `tables`")
    path = tmp_path / f"rows{suffix}"
    numbers = np.array([0.1, np.nan, -3e-9], np.float32)
    columns = {"row": np.arange(3), "=name": np.array(["=1+1", None, 'a,"b'], dtype=object), "z": numbers}
    files.write_columns(path, columns)
    frame = files.read(path).X
    assert list(frame.columns) == list(columns)
    assert frame["row"].tolist() == [0, 1, 2]
    assert [cell if isinstance(cell, str) else None for cell in frame["=name"]] == ["=1+1", None, 'a,"b']
    np.testing.assert_array_equal(frame["z"].to_numpy(np.float32), numbers)
    with pytest.raises(ValueError, match="as many entries each"):
        files.write_columns(path, {"a": np.arange(2), "b": np.arange(3)})
    with pytest.raises(ValueError, match="columns need a"):
        files.write_columns(tmp_path / "rows.npy", columns)
