"""Tables in files: any dialect and encoding of text, and the formats of other programs, as data frames."""

from __future__ import annotations

import gzip
import sys
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from narrows.data import streams
from narrows.data.files import Dataset, read, write_array

MIXED = pd.DataFrame(
    {
        "age": [31, 25, 40, 18],
        "income": [1.5, np.nan, 2.25, -3.0],
        "town": ["Ulm", "Bonn", None, "Ulm"],
        "moved": pd.to_datetime(["2020-01-01", "2021-05-03", "2022-02-02", None]),
        "owner": [True, False, True, True],
    }
)


def written(folder: Path, text: str | bytes, name: str = "a.csv") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def dtypes(dataset: Dataset) -> list[str]:
    return [str(dtype) for dtype in dataset.X.dtypes]


def assert_mixed(dataset: Dataset) -> None:
    """The columns of MIXED, whatever the resolution of their dates."""
    assert dataset.columns == list(MIXED.columns)
    pd.testing.assert_frame_equal(dataset.X, MIXED, check_dtype=False)
    assert [dtype.kind for dtype in dataset.X.dtypes] == ["i", "f", "O", "M", "b"]


# Text: dialects


@pytest.mark.parametrize(
    ("text", "X"),
    [
        ("a;b\n1,5;2\n2,25;3\n", [[1.5, 2], [2.25, 3]]),
        ("1,5;2,5\n3,5;4,5\n", [[1.5, 2.5], [3.5, 4.5]]),
        ("a\tb\n1\t2\n3\t4", [[1, 2], [3, 4]]),
        ("a|b\n1|2\n3|4\n", [[1, 2], [3, 4]]),
        ("a b\n1   2\n3 4\n", [[1, 2], [3, 4]]),
        ("a;b\n1.234;2,5\n5.678;3,5\n", [[1234, 2.5], [5678, 3.5]]),
        ("a;b\n1.234;2.5\n5.678;3.5\n", [[1.234, 2.5], [5.678, 3.5]]),
        ("a;b\n1,234;2.5\n5,678;3.5\n", [[1234, 2.5], [5678, 3.5]]),
        ("a;b\n1,234;2\n5,678;3\n", [[1.234, 2], [5.678, 3]]),
        ('a,b\n"1,234",2\n"5,678,000",3\n', [[1234, 2], [5678000, 3]]),
        ('a,b\n"1,234",2\n5,3\n', [[1234, 2], [5, 3]]),
        ("a,b\n21%,2\n3.5 %,3\n", [[21, 2], [3.5, 3]]),
        ("a;b\n21,5%;2\n3%;3\n", [[21.5, 2], [3, 3]]),
        ("a,b\r\n+1, 2\r\n-3,inf\r\n", [[1, 2], [-3, np.inf]]),
        ("a,b\n1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a,b,\n1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("1,2,\n3,4,\n", [[1, 2], [3, 4]]),
        ("a,b\n 1,\n   \nNA,4\n", [[1, np.nan], [np.nan, 4]]),
        ("a,b\n1,2\n-,3\n4,none\n5,6\n", [[1, 2], [np.nan, 3], [4, np.nan], [5, 6]]),
    ],
)
def test_dialects(tmp_path, text, X):
    for name in ("a.csv", "a.txt", "a.tsv"):
        numbers = read(written(tmp_path, text, name)).as_numbers()
        np.testing.assert_array_equal(numbers.X, X)
        assert numbers.columns in (None, ["a", "b"])


def test_what_was_decided_is_said(tmp_path):
    text = "plz;rate;n;x;t\n01234;21%; 1,5;?;NA\n99999;3,5%;2;5;foo\n1;1%;1;4;1\n2;2%;1;1;2\n".encode("utf-16")
    dataset = read(written(tmp_path, text))
    assert dataset.notes == (
        "The text is in UTF-16.",
        "Cells are separated by ';'.",
        "Numbers have a decimal comma: 1,5 is read as 1.5.",
        "Blanks around cells are removed.",
        "Missing cells: 1 written '?', 1 written 'NA'.",
        "Columns that hold per cent: 21% is read as 21: 'rate'.",
        "Columns that keep their words, because numbers in them begin with 0: 'plz'.",
        "Column 't' is read as words: 1 cell is no number, such as 'foo'.",
    )
    assert dtypes(dataset) == ["str", "float64", "float64", "Int64", "str"]
    assert dataset.X["t"].tolist()[1:] == ["foo", "1", "2"]
    assert read(written(tmp_path, "a,b\n1,x\n")).notes == ()


DECIMAL_COMMA = "Numbers have a decimal comma: 1,5 is read as 1.5."


@pytest.mark.parametrize(
    ("text", "X", "notes"),
    [
        (  # no thousands begin with 0
            "a;b;w\n0.126;1,5;x\n1.250;2,5;y\n-0.001;3,25;z\n",
            {"a": [0.126, 1.25, -0.001], "b": [1.5, 2.5, 3.25]},
            [DECIMAL_COMMA, "Columns with a decimal point: 'a'."],
        ),
        (
            'a,b,w\n"0,126",1.5,x\n"1,250",2.5,y\n"0,001",3.25,z\n',
            {"a": [0.126, 1.25, 0.001], "b": [1.5, 2.5, 3.25]},
            [DECIMAL_COMMA, "Columns with a decimal point: 'b'."],
        ),
        (
            "a;b;w\n1.250;1,5;x\n2.500;2,5;y\n",
            {"a": [1250, 2500], "b": [1.5, 2.5]},
            [DECIMAL_COMMA, "Columns with thousands: 1.234 is read as 1234: 'a'."],
        ),
        (  # each column is read by its own cells, if they fit one form only
            "a;b;w\n0,126;1,234.5;x\n0,2;2,345;y\n",
            {"a": [0.126, 0.2], "b": [1234.5, 2345]},
            [
                DECIMAL_COMMA,
                "Columns with a decimal point: 'b'.",
                "Columns with thousands: 1,234 is read as 1234: 'b'.",
            ],
        ),
        (
            "a;b;w\n0.126;1,234;x\n1.250;5,678;y\n",
            {"a": [0.126, 1.25], "b": [1234, 5678]},
            ["Columns with thousands: 1,234 is read as 1234: 'b'."],
        ),
        (
            "a;b;c;w\n1.234,5;5;1%;x\n2;6;2.5%;y\n",
            {"a": [1234.5, 2], "b": [5, 6], "c": [1, 2.5]},
            [
                DECIMAL_COMMA,
                "Columns with a decimal point: 'c'.",
                "Columns with thousands: 1.234 is read as 1234: 'a'.",
                "Columns that hold per cent: 21% is read as 21: 'c'.",
            ],
        ),
        (
            "a;b;c;w\n1\u00a0234,50;1 234;1'234;x\n-3\u202f456;12;1\u2019234\u2019567.5;y\n",
            {"a": [1234.5, -3456], "b": [1234, 12], "c": [1234, 1234567.5]},
            [
                DECIMAL_COMMA,
                "Columns with a decimal point: 'c'.",
                "Columns with thousands: 1 234 is read as 1234: 'a', 'b'.",
                "Columns with thousands: 1'234 is read as 1234: 'c'.",
            ],
        ),
    ],
)
def test_columns_whose_numbers_are_written_in_another_way_are_said(tmp_path, text, X, notes):
    dataset = read(written(tmp_path, text))
    assert dataset.X.drop(columns="w").to_dict("list") == X
    assert [note for note in dataset.notes if not note.startswith("Cells are separated")] == notes


def test_groups_of_other_digits_stay_words(tmp_path):
    for cells in (
        ["12 34", "1 234"],
        ["0 123", "1 234"],
        ["1 2345", "1 234"],
        ["1'234", "x'yz"],
        ["10.0.0.1", "1.2.3"],
    ):
        dataset = read(written(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells)))
        assert dataset.X["a"].tolist() == cells
        assert not any("thousands" in note or "unlike" in note for note in dataset.notes)


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (["$1.50", "$2", "-$3.25"], "Columns that keep their words, because their numbers have a currency sign: 'a'."),
        (["1,50 €", "2€", "3"], "Columns that keep their words, because their numbers have a currency sign: 'a'."),
        (
            ["10%", "11", "12%"],
            "Columns that keep their words, because their numbers are written in unlike ways, such as 10% and 11, or "
            "1,5 and 1.5: 'a'.",
        ),
        (["2020-01-01", "2020-01-02", "foo"], "Column 'a' is read as words: 1 cell is no date, such as 'foo'."),
        (["2020-01-01", "2020-01-02", "5"], "Column 'a' is read as words: 1 cell is no date, such as '5'."),
        (["4", "2020-01-02", "5"], "Column 'a' is read as words: 1 cell is no number, such as '2020-01-02'."),
        (
            ["2020-01-01", "2020-02-30", "2020-01-02"],
            "Columns that keep their words, because some of their dates do not exist, or have a time zone and others "
            "have none: 'a'.",
        ),
    ],
)
def test_why_cells_like_numbers_or_dates_stay_words_is_said(tmp_path, cells, note):
    dataset = read(written(tmp_path, "a;b\n" + "".join(f"{cell};1\n" for cell in cells)))
    assert dataset.X["a"].tolist() == cells
    assert dataset.notes == ("Cells are separated by ';'.", note)


def test_a_decimal_comma_may_come_late(tmp_path):
    dataset = read(written(tmp_path, "a;b\n" + "1;x\n" * 1500 + "1,5;x\n"))
    assert dataset.X["a"].iloc[-1] == 1.5


def test_numbers_with_blanks_are_no_header(tmp_path):
    np.testing.assert_array_equal(read(written(tmp_path, "1 234;2\n5 678;3\n")).X, [[1234, 2], [5678, 3]])


@pytest.mark.parametrize(
    ("text", "X", "columns"),
    [
        ("sep=;\na;b\n1;2\n3;4\n", [[1, 2], [3, 4]], ["a", "b"]),
        ("sep=;\n1;2\n1,5;4\n", [[1, 2], [1.5, 4]], None),
        ('"SEP=|"\r\na|b\r\n1|2\r\n3|4\r\n', [[1, 2], [3, 4]], ["a", "b"]),
        ('\ufeffsep=,\na,b\n1, "2"\n3,4\n', [[1, 2], [3, 4]], ["a", "b"]),
        ("sep=\t\n\na\tb\n1\t2\n", [[1, 2]], ["a", "b"]),
    ],
)
def test_a_first_line_that_names_the_delimiter(tmp_path, monkeypatch, text, X, columns):
    path = written(tmp_path, text)
    dataset = read(path)
    np.testing.assert_array_equal(dataset.X, X)
    assert dataset.columns == columns
    name = {"\t": "tabs"}.get(delimiter := text[text.index("=") + 1], repr(delimiter))
    assert dataset.notes[0] == f"The first line is left out: it says that cells are separated by {name}."
    if "1,5" not in text and ', "' not in text:
        monkeypatch.setitem(sys.modules, "pandas", None)
        np.testing.assert_array_equal(read(path).X, X)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252", "latin-1"])
@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.zip"])
def test_encodings(tmp_path, encoding, name):
    data = "Größe,Maß\n1,ä\n2,ö\n".encode(encoding)
    path = tmp_path / name
    if name.endswith(".gz"):
        path.write_bytes(gzip.compress(data))
    elif name.endswith(".zip"):
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("folder/b.csv", data)
    else:
        path.write_bytes(data)
    dataset = read(path)
    assert dataset.columns == ["Größe", "Maß"]
    assert dataset.X.to_dict("list") == {"Größe": [1, 2], "Maß": ["ä", "ö"]}
    assert dataset.name == "a"


def test_a_byte_that_is_no_utf8_may_come_late(tmp_path):
    dataset = read(written(tmp_path, b"a,b\n" + b"1,x\n" * 300_000 + b"2,\xe4\n"))
    assert dataset.X["b"].iloc[-1] == "ä"
    assert dataset.notes == ("The text is in Windows-1252.",)
    assert len(dataset.X) == 300_001


def test_types_of_text(tmp_path):
    text = (
        "n,k,x,flag,seen,day,at,there,word,none\n"
        "1,1,1.5,True,true,2020-01-01,2020-01-01T12:30:00+02:00,2020-01-01 10:00:00Z,a,\n"
        "2,,2,False,,2020-06-01,2020-06-01T12:30:00+02:00,,b c,\n"
    )
    dataset = read(written(tmp_path, text))
    assert [dtype.split("[")[0] for dtype in dtypes(dataset)] == [
        *("int64", "Int64", "float64", "bool", "boolean", "datetime64", "datetime64", "datetime64", "str", "float64")
    ]
    row = dataset.X.iloc[0]
    assert row["at"] == pd.Timestamp("2020-01-01 12:30", tz="+02:00")
    assert row["at"].utcoffset() == pd.Timedelta("2h")
    assert str(dataset.X["there"].dt.tz) == "UTC"
    assert dataset.X["day"].tolist() == [pd.Timestamp("2020-01-01"), pd.Timestamp("2020-06-01")]
    assert dataset.X["none"].isna().all()


@pytest.mark.parametrize("cells", [["01234", "99999"], ["007", "1.5"], ["0x1A", "2"], ["12345678901234567890", "5"]])
def test_digits_that_numbers_would_lose_stay_words(tmp_path, cells):
    dataset = read(written(tmp_path, "id,b\n" + "".join(f"{cell},1\n" for cell in cells)))
    assert dataset.X["id"].tolist() == cells
    assert "'id'" in dataset.notes[-1]


def test_decimals_that_begin_with_zero_are_numbers(tmp_path):
    dataset = read(written(tmp_path, "a,b\n0,0.5\n-0.25,0\n"))
    np.testing.assert_array_equal(dataset.X, [[0, 0.5], [-0.25, 0]])


def test_quoted_cells(tmp_path):
    dataset = read(written(tmp_path, 'a,b\n"x, ""y""\nz",1\nw,"2"\n'))
    assert dataset.X.to_dict("list") == {"a": ['x, "y"\nz', "w"], "b": [1, 2]}
    dataset = read(written(tmp_path, 'a, b\n"x, y", 1\nz, "2"\n'))
    assert dataset.X.to_dict("list") == {"a": ["x, y", "z"], "b": [1, 2]}


def test_a_blank_before_a_quotation_mark_may_come_late(tmp_path):
    dataset = read(written(tmp_path, 'a,b\n1,"x"\n' + f"2,{'y' * 900}\n" * 2000 + '3, "u, v"\n'))
    assert dataset.X["b"].iloc[-1] == "u, v"
    assert len(dataset.X) == 2002


def test_lines_end_in_any_way(tmp_path):
    for end in ("\n", "\r\n", "\r"):
        dataset = read(written(tmp_path, end.join(["", "a,b", "", "1,x", "2,y"])))
        assert dataset.X.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_dates_of_other_forms_stay_words_and_are_said(tmp_path):
    dataset = read(written(tmp_path, "day,n\n31/12/2020,1\n1.2.2021,2\n"))
    assert dataset.X["day"].tolist() == ["31/12/2020", "1.2.2021"]
    assert dataset.notes == (
        "Columns that keep their words, because their dates are not written as 2020-12-31: 'day'.",
    )


def test_wide_tables(tmp_path, monkeypatch):
    X = np.random.default_rng(0).normal(size=(3, 3000))
    path, names = tmp_path / "a.csv", [f"gene {i}" * 60 for i in range(3000)]  # the header is larger than the sample
    write_array(path, X, names)
    dataset = read(path)
    np.testing.assert_array_equal(dataset.X, X)
    assert dataset.columns == names
    monkeypatch.setattr("narrows.data.files.text._MOST_COLUMNS", 1000)
    dataset = read(path)
    assert isinstance(dataset.X, np.ndarray)
    np.testing.assert_array_equal(dataset.X, X)
    with pytest.raises(ValueError, match=r"Line 2, column 1001 \('x'\) holds 'word'"):
        read(written(tmp_path, ",".join(f"c{i}" for i in range(1000)) + ",x\n" + "1," * 1000 + "word\n"))


def test_gaps_of_words(tmp_path):
    dataset = read(written(tmp_path, "a,b\nx, ?\nn/a,none\nnone,\n"))
    assert dataset.X["a"].isna().tolist() == [False, True, False]
    assert dataset.X["b"].isna().tolist() == [True, False, True]
    assert dataset.X["a"].iloc[2] == "none"


# Text: headers


def test_a_header_of_numbers(tmp_path):
    X = np.random.default_rng(0).normal(size=(300, 12))
    for columns in (range(400, 412), 400 + 2.5 * np.arange(12), np.sort(np.random.default_rng(1).uniform(3, 9, 12))):
        pd.DataFrame(X, columns=columns).to_csv(tmp_path / "a.csv", index=False)
        dataset = read(tmp_path / "a.csv")
        np.testing.assert_allclose(dataset.X, X)
        assert dataset.columns == [str(column) for column in columns]
        assert "is taken as the names of the columns; header=False reads it as data" in dataset.notes[0]
        assert read(tmp_path / "a.csv", header=False).X.shape == (301, 12)
        pd.DataFrame(X, columns=columns).to_csv(tmp_path / "a.csv")  # with an index
        dataset = read(tmp_path / "a.csv")
        np.testing.assert_allclose(dataset.X, X)
        np.testing.assert_array_equal(dataset.ids, np.arange(300))


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("country,2019,2020\nFrance,1.5,2.5\nSpain,2,3\n", ["country", "2019", "2020"]),
        ("2019,2020,2021\n1.5,2.5,3\n4,5,6\n", ["2019", "2020", "2021"]),
        ("0,1,2\n5,6,7\n", ["0", "1", "2"]),
        ("1,2,3\n4,5,6\n7,8,9\n", None),
        ("1,2,3,4,5,6\n4,5,6,7,8,9\n7,8,9,10,11,12\n", None),
        ("1.5,2.5,9\n4,5,6\n", None),
        ("5.1,3.5,1.4,0.2,Iris-setosa\n4.9,3.0,1.4,0.2,Iris-setosa\n", list("01234")),
        ("39, State-gov,77516\n50, Private,83311\n38, Private,215646\n", list("012")),
        ("1,red\n2,blue\n", ["0", "1"]),
        ("p,x,s\ne,x,y\np,y,s\n", ["0", "1", "2"]),
        ("red,green\nblue,grey\n", ["red", "green"]),
        ("2020-01-01,5\n2020-01-02,6\n", ["0", "1"]),
        ("day,5\n2020-01-01,5\n2020-01-02,6\n", ["0", "1"]),
    ],
)
def test_headers(tmp_path, text, columns):
    path = written(tmp_path, text)
    dataset, n = read(path), text.count("\n")
    assert dataset.columns == columns
    is_header = columns is not None and columns[0] == text.split(",")[0]
    assert len(dataset.X) == n - is_header
    assert len(read(path, header=True).X) == n - 1
    assert len(read(path, header=False).X) == n
    if not is_header:
        assert "header=True takes it as names" in dataset.notes[0]


def test_header_is_for_text(tmp_path):
    write_array(tmp_path / "a.npy", np.zeros((2, 2)))
    with pytest.raises(ValueError, match=r"`header` parameter of read is for text and sheets. .*a.npy is neither"):
        read(tmp_path / "a.npy", header=True)


def test_an_index_gives_ids(tmp_path):
    for index in (["r1", "r2"], [0, 1], [1, 2]):
        pd.DataFrame({"x": [1, 2], "y": ["a", "b"]}, index=index).to_csv(tmp_path / "a.csv")
        dataset = read(tmp_path / "a.csv")
        assert dataset.columns == ["x", "y"]
        assert dataset.ids.tolist() == dataset.X.index.tolist() == index
        assert "its values are the ids of the rows" in dataset.notes[-1]
    dataset = read(written(tmp_path, "Unnamed: 0,x\n0,5\n1,6\n"))  # an index that pandas read as a column
    assert (dataset.columns, dataset.ids.tolist()) == (["x"], [0, 1])
    # R names no column of row names
    dataset = read(written(tmp_path, "x,y\nr1,1,2\nr2,3,4\n"))
    assert (dataset.columns, dataset.ids.tolist()) == (["x", "y"], ["r1", "r2"])


# The formats of other programs


def test_parquet_of_mixed_columns(tmp_path):
    MIXED.to_parquet(tmp_path / "a.parquet")
    assert_mixed(read(tmp_path / "a.parquet"))
    MIXED.iloc[:2].to_parquet(tmp_path / "0.parquet")
    (tmp_path / "parts").mkdir()
    for i in range(2):
        MIXED.iloc[2 * i : 2 * i + 2].to_parquet(tmp_path / "parts" / f"{i}.parquet", index=False)
    assert_mixed(read(tmp_path / "parts"))
    with gzip.open(tmp_path / "b.parquet.gz", "wb") as stream:
        stream.write((tmp_path / "a.parquet").read_bytes())
    dataset = read(tmp_path / "b.parquet.gz")
    assert_mixed(dataset)
    assert dataset.name == "b"


@pytest.mark.parametrize("suffix", ["parquet", "feather"])
def test_frames_come_back_as_they_were(tmp_path, suffix):
    frame = pd.DataFrame(
        {
            "kind": pd.Categorical(["b", "a", None], ["c", "b", "a"]),
            "size": pd.Categorical(["s", "l", "m"], ["s", "m", "l"], ordered=True),
            "at": pd.to_datetime(["2020-01-01", None, "2021-01-01"]).tz_localize("Europe/Berlin"),
            "took": pd.to_timedelta([1, 2, None], unit="s"),
            "n": pd.array([1, None, 2**60 + 1], "Int64"),
            "small": pd.array([1, 2, 3], "uint8"),
            "single": np.float32([1.5, 2.5, np.nan]),
            "flag": pd.array([True, None, False], "boolean"),
        }
    )
    getattr(frame, f"to_{suffix}")(tmp_path / f"a.{suffix}")
    dataset = read(tmp_path / f"a.{suffix}")
    pd.testing.assert_frame_equal(dataset.X, frame)
    assert dataset.notes == ()
    assert dataset.ids is None


def test_an_index_of_parquet_gives_ids(tmp_path):
    frame = pd.DataFrame({"a": [1, 2, 3], "b": list("xyz")}, index=pd.Index(["p", "q", "r"], name="who"))
    frame.to_parquet(tmp_path / "a.parquet")
    dataset = read(tmp_path / "a.parquet")
    pd.testing.assert_frame_equal(dataset.X, frame)
    assert dataset.ids.tolist() == ["p", "q", "r"]


def test_an_index_of_parquet_is_not_streamed(tmp_path):
    frame = pd.DataFrame({"a": [1.0, 2.0, 3.0]}, index=[7, 8, 9])
    frame.to_parquet(tmp_path / "a.parquet")
    source = streams.open_source(tmp_path / "a.parquet", "AE")
    assert source.columns == ["a"]
    np.testing.assert_array_equal(np.concatenate(list(source.blocks(10))), [[1], [2], [3]])


def test_one_column_of_categories_is_no_column_of_lists(tmp_path):
    pd.DataFrame({"a": pd.Categorical(["x", "y"])}).to_parquet(tmp_path / "a.parquet")
    assert read(tmp_path / "a.parquet").X["a"].tolist() == ["x", "y"]
    with pytest.raises(ValueError, match="Column 'a' holds dictionary"):
        streams.open_source(tmp_path / "a.parquet", "AE")


def test_integers_with_gaps_stay_integers(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    table = pa.table(
        {
            "n": pa.array([2**60 + 1, None]),
            "flag": pa.array([True, None]),
            "day": pa.array([18000, None], pa.date32()),
            "price": pa.array([1, None], pa.decimal128(9, 2)),
            "where": pa.array([[1.0, 2.0], [3.0]]),
            "nothing": pa.nulls(2),
        }
    )
    pq.write_table(table, tmp_path / "a.parquet")
    dataset = read(tmp_path / "a.parquet")
    assert dataset.columns == ["n", "flag", "day", "price", "nothing"]
    assert dtypes(dataset)[:2] == ["Int64", "boolean"]
    assert dataset.X["n"][0] == 2**60 + 1
    assert dataset.X["day"][0] == pd.Timestamp("2019-04-14")
    assert dataset.X["price"].dtype == np.float64
    assert dataset.notes == (
        "Left out, because they hold neither numbers nor words nor dates: 'where' (list<element: double>).",
    )


def test_damaged_tables_are_refused_by_name(tmp_path):
    MIXED.to_parquet(tmp_path / "a.parquet")
    MIXED.to_feather(tmp_path / "a.feather")
    MIXED.to_excel(tmp_path / "a.xlsx")
    MIXED.drop(columns=["moved", "town"]).to_stata(tmp_path / "a.dta")
    for path in list(tmp_path.iterdir()):
        whole = path.read_bytes()
        for share in (0.02, 0.5, 0.95):
            path.write_bytes(whole[: int(len(whole) * share)])
            with pytest.raises(ValueError, match=path.name):
                read(path)


def test_changed_bytes_of_tables_raise_nothing_but_value_errors(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    MIXED.to_parquet(tmp_path / "a.parquet")
    MIXED.to_feather(tmp_path / "a.feather")
    MIXED.to_excel(tmp_path / "a.xlsx")
    MIXED.to_csv(tmp_path / "a.csv.gz", sep=";", decimal=",")
    (tmp_path / "b.csv").write_bytes(MIXED.to_csv().encode("utf-16"))
    pyreadstat.write_dta(MIXED[["age", "income", "moved"]], str(tmp_path / "a.dta"))
    pyreadstat.write_sav(MIXED[["age", "income", "moved"]], str(tmp_path / "a.sav"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.write(tmp_path / "b.csv", "b.csv")
    rng = np.random.default_rng(0)
    for path in list(tmp_path.iterdir()):
        whole = path.read_bytes()
        for _ in range(40):
            changed = bytearray(whole)
            for position in rng.integers(0, len(whole), 3):
                changed[position] = rng.integers(256)
            path.write_bytes(changed)
            try:
                read(path)
            except ValueError as error:
                assert path.name in str(error)  # noqa: PT017 - that nothing is raised is fine, too


def test_empty_tables_are_refused(tmp_path):
    MIXED.iloc[:0].to_parquet(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"a.parquet must hold at least one example. Got 0 rows of 5 columns"):
        read(tmp_path / "a.parquet")
    pd.DataFrame().to_excel(tmp_path / "a.xlsx")
    with pytest.raises(ValueError, match=r"The sheet 'Sheet1' of .*a.xlsx must hold a table. It is empty"):
        read(tmp_path / "a.xlsx")
    MIXED.iloc[:0].to_excel(tmp_path / "b.xlsx", index=False)
    with pytest.raises(ValueError, match=r"b.xlsx holds a header \(age, .* but no rows"):
        read(tmp_path / "b.xlsx")


def test_columns_of_one_name_are_refused(tmp_path):
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    pq.write_table(pa.Table.from_arrays([pa.array([1.0]), pa.array([2.0])], names=["a", "a"]), tmp_path / "a.parquet")
    for use in (read, lambda path: streams.open_source(path, "AE", ["a"])):
        with pytest.raises(ValueError, match=r"a different name for each column. It has more than one 'a'"):
            use(tmp_path / "a.parquet")


def test_arrow_files_and_streams(tmp_path):
    pa = pytest.importorskip("pyarrow")
    table = pa.Table.from_pandas(MIXED)
    with pa.ipc.new_file(tmp_path / "a.arrow", table.schema) as writer:
        writer.write_table(table)
    with pa.ipc.new_stream(tmp_path / "b.arrows", table.schema) as writer:
        writer.write_table(table)
    assert_mixed(read(tmp_path / "a.arrow"))
    assert_mixed(read(tmp_path / "b.arrows"))


def test_excel(tmp_path):
    with pd.ExcelWriter(tmp_path / "a.xlsx") as writer:
        MIXED.assign(plz=["01234", "5", "6", "7"], rate=["21%", "NA", "3%", 4]).to_excel(writer, sheet_name="rows")
        MIXED.to_excel(writer, sheet_name="more")
    dataset = read(tmp_path / "a.xlsx")
    assert dataset.notes[0] == "The sheet 'rows' is read; 'more' are not."
    assert dataset.X["plz"].tolist() == ["01234", "5", "6", "7"]
    assert dataset.ids.tolist() == [0, 1, 2, 3]
    assert_mixed(dataset.select(drop=["plz", "rate"]))
    pd.DataFrame([[1.5, 2], [3, 4]]).to_excel(tmp_path / "b.xlsx", header=False, index=False)
    np.testing.assert_array_equal(read(tmp_path / "b.xlsx").X, [[1.5, 2], [3, 4]])


def test_labelled_values_become_categories(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    frame = pd.DataFrame(
        {
            "sex": [1.0, 2.0, np.nan],
            "mood": [3.0, 1.0, 2.0],
            "age": [30.0, 99.0, 41.0],
            "name": ["a", "", "c"],
            "x": [1.5, 2.0, np.nan],
            "n": [1.0, np.nan, 3.0],
        }
    )
    labels = {"sex": {1: "male", 2: "female", 3: "other"}, "mood": {1: "low", 2: "fair", 3: "high"}, "age": {99: "old"}}
    pyreadstat.write_sav(
        frame, str(tmp_path / "a.sav"), variable_value_labels=labels, variable_measure={"mood": "ordinal"}
    )
    pyreadstat.write_dta(frame, str(tmp_path / "a.dta"), variable_value_labels=labels)
    for suffix, is_ordered in (("sav", True), ("dta", False)):
        dataset = read(tmp_path / f"a.{suffix}")
        assert dataset.X["sex"].tolist()[:2] == ["male", "female"]
        assert dataset.X["sex"].isna().tolist() == [False, False, True]
        assert dataset.X["sex"].cat.categories.tolist() == ["male", "female", "other"]
        assert dataset.X["mood"].cat.categories.tolist() == ["low", "fair", "high"]
        assert dataset.X["mood"].cat.ordered == is_ordered
        assert dataset.X["age"].tolist() == [30, 99, 41]
        assert dataset.notes == ("Column 'age' keeps its numbers, because only some of them have labels.",)
        assert dataset.X["name"].isna().tolist() == [False, True, False]
        assert [str(dataset.X[name].dtype) for name in ("age", "x", "n")] == ["int64", "float64", "Int64"]


def test_dates_of_stata_spss_and_sas(tmp_path):
    pyreadstat = pytest.importorskip("pyreadstat")
    frame = pd.DataFrame({"x": [1.5, 2.5], "at": pd.to_datetime(["2020-01-01 10:00", "2021-05-05 11:30"])})
    pyreadstat.write_sav(frame, str(tmp_path / "a.sav"))
    pyreadstat.write_dta(frame, str(tmp_path / "a.dta"))
    pyreadstat.write_xport(frame.assign(word=["a", "b"]), str(tmp_path / "a.xpt"))
    for suffix in ("sav", "dta", "xpt"):
        dataset = read(tmp_path / f"a.{suffix}")
        assert dataset.X["x"].tolist() == [1.5, 2.5]
        assert pd.to_datetime(dataset.X["at"]).tolist() == frame["at"].tolist()
        assert dataset.X["at"].dtype.kind == "M"


def test_a_zip_of_more_than_a_table_is_not_guessed_at(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
        archive.writestr("b.csv", "a,b\n1,2\n")
    with pytest.raises(ValueError, match=r"a.zip must hold images .* or one table or array. It holds a.csv, b.csv"):
        read(tmp_path / "a.zip")
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        MIXED.to_parquet(tmp_path / "x.parquet")
        archive.write(tmp_path / "x.parquet", "x.parquet")
    assert_mixed(read(tmp_path / "b.zip"))


# Without pandas


def test_numbers_are_read_without_pandas(tmp_path, monkeypatch):
    path = written(tmp_path, "a;b\n1;2\n3;4\n")
    words = written(tmp_path, "a,b\n1,2\n3,red\n", "words.csv")
    gaps = written(tmp_path, "a,b\n1,2\n3,\n", "gaps.csv")
    MIXED.to_parquet(tmp_path / "a.parquet")
    monkeypatch.setitem(sys.modules, "pandas", None)
    dataset = read(path)
    assert isinstance(dataset.X, np.ndarray)
    np.testing.assert_array_equal(dataset.X, [[1, 2], [3, 4]])
    assert dataset.columns == ["a", "b"]
    for other, message in (
        (words, r"Line 3, column 2 \('b'\) holds 'red'"),
        (gaps, r"Line 3, column 2 \('b'\) is empty"),
    ):
        with pytest.raises(ImportError, match=message + r".*pip install 'narrows\[tables\]'"):
            read(other)
    with pytest.raises(ImportError, match=r"reading .parquet needs pandas: pip install 'narrows\[tables\]'"):
        read(tmp_path / "a.parquet")


# Records


@pytest.fixture
def dataset(tmp_path) -> Dataset:
    return read(written(tmp_path, "id,a,b,kind\nr1,1,2,x\nr2,3,4,y\n"))


def test_columns_are_selected_by_name(dataset):
    selected = dataset.select(label="kind", id="id")
    assert selected.columns == ["a", "b"]
    assert selected.y.tolist() == ["x", "y"]
    assert selected.ids.tolist() == selected.X.index.tolist() == ["r1", "r2"]
    assert dataset.select(["b", "a"]).X.to_numpy().tolist() == [[2, 1], [4, 3]]
    assert dataset.select(drop=["id", "kind"], label="b").columns == ["a"]
    assert dataset.select() is dataset
    numbers = Dataset(np.arange(6).reshape(2, 3), None, None, "numbers", None)
    selected = numbers.select(drop=[0], label="2")
    np.testing.assert_array_equal(selected.X, [[1], [4]])
    np.testing.assert_array_equal(selected.y, [2, 5])
    assert selected.columns is None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"drop": ["knid"]}, r"`drop` parameter of select must name columns of a. Got 'knid'. Did you mean 'kind'\?"),
        (
            {"label": "kind", "drop": ["kind"]},
            r"`label` parameter of select names the column 'kind', which `drop` names",
        ),
        ({"label": "kind", "id": "kind"}, r"`id` parameter of select names the column 'kind', which `label` names"),
        ({"columns": ["a", "kind"], "label": "kind"}, r"'kind', which `columns` names already"),
        ({"columns": ["a", "a"]}, r"'a', which `columns` names already"),
        ({"drop": ["id", "a", "b", "kind"]}, r"No column of a is left"),
        ({"columns": []}, r"No column of a is left"),
    ],
)
def test_selection_refused(dataset, options, message):
    with pytest.raises(ValueError, match=message):
        dataset.select(**options)


def test_images_have_no_columns():
    images = Dataset(np.zeros((2, 3, 3)), None, None, "images", None)
    with pytest.raises(ValueError, match=r"images holds examples of shape \(3, 3\), which have no columns"):
        images.select(drop=["a"])


def test_frames_are_ordered_by_name(dataset):
    ordered = dataset.ordered(["b", "a"])
    assert ordered.columns == list(ordered.X.columns) == ["b", "a"]
    with pytest.raises(ValueError, match=r"It lacks 'c'; it has 'id', 'a', 'b', 'kind'"):
        dataset.ordered(["a", "c"])


def test_frames_as_numbers(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"Row 1, column 'id' holds 'r1'. Leave the column out, or turn its words"):
        dataset.as_numbers()
    np.testing.assert_array_equal(dataset.select(["a", "b"]).as_numbers().X, [[1, 2], [3, 4]])
    MIXED.to_parquet(tmp_path / "a.parquet")
    mixed = read(tmp_path / "a.parquet")
    with pytest.raises(ValueError, match=r"Column 'moved' holds datetime64.*turn its dates into numbers"):
        mixed.select(["age", "moved"]).as_numbers()
    gaps = read(written(tmp_path, "n,flag\n1,True\n,\n")).as_numbers()
    np.testing.assert_array_equal(gaps.X, [[1, 1], [np.nan, np.nan]])


def test_pieces_of_frames_are_found_by_name():
    pl, pa = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"b": [2.0, 4.0], "more": ["x", "y"], "a": [1.0, 3.0]})
    pieces = [frame, pl.from_pandas(frame), pa.Table.from_pandas(frame), pa.RecordBatch.from_pandas(frame)]
    for piece in pieces:
        source = streams.open_source(iter([piece]), "AE", ["a", "b"])
        np.testing.assert_array_equal(np.concatenate(list(source.blocks(10))), [[1, 2], [3, 4]])
        with pytest.raises(ValueError, match="lacks 'c'; it has 'b', 'more', 'a'"):
            list(streams.open_source(iter([piece]), "AE", ["a", "c"]).blocks(10))


def test_columns_of_words_beside_those_of_a_model_do_not_matter(tmp_path):
    source = streams.open_source(written(tmp_path, "id,b,a\nr1,2,1\nr2,4,3\n"), "AE", ["a", "b"])
    np.testing.assert_array_equal(np.concatenate(list(source.blocks(10))), [[1, 2], [3, 4]])
    with pytest.raises(ValueError, match="Row 1, column 'id' holds 'r1'"):
        streams.open_source(tmp_path / "a.csv", "AE")
