"""Tables: kinds of columns, levels, named kinds, rows as dicts, and bad input."""

import datetime
import json
import time
import warnings

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from narrows import AE
from narrows.data import infer_table, open_frame
from narrows.data.schema import Schema
from narrows.data.table import Table
from narrows.data.training_table import look_at_table

FAST = {"hidden": (8,), "max_epochs": 1, "random_state": 0, "device": "cpu"}
N = 400
rng = np.random.default_rng(0)
REAL = rng.normal(size=N)
DAYS = pd.date_range("2020-01-01", periods=N, freq="D")
COLUMNS = {
    "height": (REAL, "real", "real numbers"),
    "price": (np.exp(3 * REAL), "heavy_tailed", "some values are far from the others"),
    "age": (rng.integers(17, 90, N), "integer", "whole numbers"),
    "visits": (rng.poisson(2, N), "count", "whole numbers from 0, the median is 2"),
    "sex": (rng.choice(["f", "m"], N), "binary", "two values"),
    "flag": (REAL > 0, "binary", "two values"),
    "dose": (np.where(REAL > 0, 5.0, 10.0), "binary", "two values"),
    "city": (rng.choice(["a", "b", "c"], N), "categorical", "words"),
    "grade": (pd.Categorical(rng.choice(["low", "mid", "top"], N), ordered=True), "ordered", "categories"),
    "group": (pd.Categorical(rng.integers(0, 5, N)), "categorical", "categories"),
    "born": (DAYS[rng.permutation(N)], "datetime", "dates"),
    "seen": (DAYS[rng.permutation(N)].strftime("%Y-%m-%d"), "datetime", "text with dates (%Y-%m-%d)"),
    "stay": (pd.to_timedelta(rng.integers(1, 99, N), unit="h"), "duration", "durations"),
    "source": (["x"] * N, "constant", "it has one value"),
    "nothing": ([np.nan] * N, "constant", "it has no value"),
    "name": ([f"n{i}" for i in range(N)], "identifier", "100% of the cells differ"),
    "row": (np.arange(N), "identifier", "row numbers"),
    "user_id": (rng.permutation(10 * N)[:N], "identifier", "a number of its own for each row"),
    "review": (
        [f"this is the text number {i}" for i in range(N)],
        "text",
        "6 words in a cell, 100% of the cells differ",
    ),
}
FRAME = pd.DataFrame({name: values for name, (values, _, _) in COLUMNS.items()})


def look(frame: object, kinds: object = None, **settings: object) -> Table:
    return look_at_table(open_frame(frame, "test"), "test", kinds, **settings)[0]


@pytest.fixture(scope="module")
def small() -> pd.DataFrame:
    frame = FRAME[["height", "age", "city", "born", "flag"]].copy()
    frame.loc[::9, "height"] = np.nan
    frame.loc[::11, "city"] = None
    return frame


@pytest.fixture(scope="module")
def table(small: pd.DataFrame) -> Table:
    return look(small)


@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas, pa.Table.from_pandas])
def test_each_column_has_a_kind_and_its_reason(convert):
    columns = look(convert(FRAME)).columns
    expected = [(name, kind, reason) for name, (_, kind, reason) in COLUMNS.items()]
    if convert is pl.from_pandas:  # an Enum does not say if it is an order, and categories of numbers become numbers
        expected[8:10] = [("grade", "categorical", "categories"), ("group", *COLUMNS["visits"][1:])]
    assert [(column.name, column.kind, column.reason) for column in columns] == expected


def test_kinds_are_said_to_people():
    lines = {column.name: column.describe() for column in look(FRAME).columns}
    assert lines["sex"] == "binary, 2 levels (m, f)" or lines["sex"] == "binary, 2 levels (f, m)"
    assert lines["grade"] == "ordered, 3 levels (low, mid, top)"
    assert lines["born"] == "datetime, 2020-01-01 to 2021-02-03"
    assert lines["source"] == "constant, always 'x'"
    assert lines["nothing"] == "constant, without a value, 100.0% missing"


def test_a_table_is_json_that_a_person_can_read(small):
    rows, schema = infer_table(open_frame(small, "test"), "test")
    written = json.dumps(schema.to_dict())
    restored = Schema.from_dict(json.loads(written))
    assert restored == schema
    assert schema.to_dict()["version"] == 2
    city = next(c for c in json.loads(written)["table"]["columns"] if c["name"] == "city")
    assert city["kind"] == "categorical"
    assert sorted(city["levels"]) == ["a", "b", "c"]
    assert sum(city["frequencies"]) == pytest.approx(1)
    np.testing.assert_array_equal(restored.table.encode(small, "test"), rows)


def test_a_schema_of_version_1_loads():
    rows, schema = infer_table(open_frame(pd.DataFrame({"a": REAL, "b": REAL**2 - 1}), "test"), "test")
    old = {k: v for k, v in schema.to_dict().items() if k not in ("version", "table", "gaps", "constant")}
    restored = Schema.from_dict(json.loads(json.dumps(old)))
    assert restored.columns == ("a", "b")
    frame = restored.as_frame(np.asarray(rows))
    pd.testing.assert_frame_equal(frame, pd.DataFrame(np.asarray(rows), columns=["a", "b"]))
    with pytest.raises(ValueError, match="has the version 3; this narrows reads versions up to 2"):
        Schema.from_dict({**schema.to_dict(), "version": 3})


# ------------------------------------------------------------------------------------------------ one row


def test_a_row_as_a_dict_has_the_numbers_of_the_frame(small, table):
    expected = table.encode(small[:5], "test")
    for i, row in enumerate(small[:5].to_dict("records")):
        np.testing.assert_array_equal(table.encode(row, "test"), expected[i : i + 1])
    np.testing.assert_array_equal(table.encode(small[:5].to_dict("records"), "test"), expected)


def test_a_date_of_a_dict_may_be_text_or_an_object(table):
    row = {"height": 1, "age": 3, "city": "a", "flag": True}
    stamps = ["2020-03-01", datetime.date(2020, 3, 1), datetime.datetime(2020, 3, 1), pd.Timestamp("2020-03-01")]
    for stamp in [*stamps, np.datetime64("2020-03-01"), np.datetime64("2020-03-01", "ns")]:
        for rows in ({**row, "born": stamp}, [{**row, "born": stamp}]):
            assert table.encode(rows, "test")[0, 3] == pd.Timestamp("2020-03-01").timestamp()


def test_a_missing_key_is_a_missing_cell_and_an_unknown_key_an_error(table):
    for rows in ({"height": 1.5, "city": "b"}, [{"height": 1.5}, {"city": "b"}]):
        encoded = table.encode(rows, "test")
        assert encoded[0, 0] == 1.5
        assert np.isnan(encoded[:, [1, 3, 4]]).all()
    for rows in ({"height": 1.5, "town": "b"}, [{"height": 1.5, "town": "b"}], {"a": 1}, [{"a": 1}]):
        with pytest.raises(ValueError, match=r"It lacks .*'city'"):
            table.encode(rows, "test")
    everything = {"height": 1.0, "age": 2, "city": "a", "born": None, "flag": False}
    np.testing.assert_array_equal(table.encode({**everything, "more": 1}, "test"), table.encode(everything, "test"))


def test_one_row_is_encoded_in_under_two_milliseconds(table):
    row = {"height": 1.0, "age": 2, "city": "a", "born": "2020-03-01", "flag": False}
    table.encode(row, "test")
    start = time.perf_counter()
    for _ in range(100):
        table.encode(row, "test")
    assert (time.perf_counter() - start) / 100 < 2e-3


# ------------------------------------------------------------------------------------------------ levels


def test_an_unseen_value_has_a_slot_of_its_own_and_one_warning(small, table):
    changed = small.copy()
    changed.loc[[3, 5], "city"] = ["new", "newer"]
    with pytest.warns(UserWarning, match=r"not seen in training, in 'city' \('new', 'newer'\)") as caught:
        encoded = table.encode(changed, "test")
    assert len(caught) == 1
    assert encoded[[3, 5], 2].tolist() == [3, 3]
    with pytest.warns(UserWarning, match=r"in 'city' \('new'\)"):
        assert table.encode({"height": 0.0, "city": "new"}, "test")[0, 2] == 3
    assert table.decode(np.asarray(encoded))["city"][[3, 5]].isna().all()


def test_rare_values_are_other_and_come_back_missing():
    words = [f"w{i}" for i in range(10) for _ in range(10 - i)] * 4
    frame = pd.DataFrame({"w": words, "r": np.arange(len(words)) / 7})
    table = look(frame, max_levels=3)
    column = table.columns[0]
    assert (column.levels, column.n_rare, column.n_levels) == (("w0", "w1", "w2"), 7, 4)
    np.testing.assert_allclose(column.frequencies, [10 / 55, 9 / 55, 8 / 55, 28 / 55])
    assert "7 rarer ones (50.9%) as `other`" in column.describe()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        encoded = table.encode(frame.assign(w=["w0", "w9", "new", *words[3:]]), "test")
    assert encoded[:3, 0].tolist() == [0, 3, 3]
    decoded = table.decode(np.asarray(encoded))["w"]
    assert decoded[0] == "w0"
    assert decoded[1:3].isna().all()
    whole = look(frame, max_levels=None).columns[0]
    assert (len(whole.levels), whole.n_rare) == (10, 0)


def test_max_levels_of_none_keeps_all_levels():
    words = rng.integers(0, 300, 3000).astype(str)
    frame = pd.DataFrame({"w": words, "r": rng.normal(size=3000)})
    assert look(frame, {"w": "categorical"}).columns[0].n_levels == 257
    assert look(frame, {"w": "categorical"}, max_levels=None).columns[0].n_levels == len(set(words))


def test_numbers_that_are_named_a_category():
    frame = pd.DataFrame({"zip": rng.integers(10_000, 10_009, N), "r": REAL})
    assert look(frame).columns[0].kind == "integer"
    column = look(frame, {"zip": "categorical"}).columns[0]
    assert column.levels == tuple(range(10_000, 10_009))
    assert column.reason == "as asked"
    encoded = look(frame, {"zip": "categorical"}).encode({"zip": "10003", "r": 1.0}, "test")
    assert encoded[0, 0] == 3


@pytest.mark.parametrize(
    ("kinds", "message"),
    [
        (
            {"height": "categoric"},
            "must name kinds of columns. Got 'categoric' for 'height'. Did you mean 'categorical'",
        ),
        ({"hight": "real"}, "names a column that X does not have: 'hight'. Did you mean 'height'"),
        ({"height": "count"}, "'height' cannot be 'count': it holds fractions"),
        ({"city": "real"}, "'city' cannot be 'real': it holds text such as '[abc]'"),
        ({"city": "binary"}, "'city' cannot be 'binary': it holds 3 different values"),
        ({"city": "datetime"}, "'city' cannot be 'datetime': it holds text such as"),
        ({"age": "datetime"}, "'age' cannot be 'datetime': it holds numbers"),
    ],
)
def test_kinds_that_do_not_fit(kinds, message):
    with pytest.raises(ValueError, match=message):
        look(FRAME, kinds)


def test_identifiers_and_text_are_used_when_asked_for():
    table = look(FRAME, {"name": "categorical", "row": "integer", "age": "identifier"}, max_levels=None)
    kinds = {column.name: column.kind for column in table.columns}
    assert (kinds["name"], kinds["row"], kinds["age"]) == ("categorical", "integer", "identifier")
    assert "age" not in [column.name for column in table.used]


def test_arrays_of_numbers_keep_all_columns_as_numbers():
    X = np.c_[np.arange(N), np.full(N, 4.0), REAL > 0, rng.integers(0, 3, N), REAL]
    plain, objects = (AE(1, **FAST).fit(array) for array in (X, X.astype(object)))
    assert objects.schema_ == plain.schema_
    assert objects.schema_.table is None
    np.testing.assert_array_equal(objects.reconstruct(X.astype(object)), plain.reconstruct(X))
    named = AE(1, columns={3: "categorical"}, **FAST).fit(X).schema_
    assert [column.kind for column in named.table.columns] == ["real", "constant", "real", "categorical", "real"]
    assert AE(1, columns={3: "categorical"}, **FAST).fit(X).reconstruct(X).shape == X.shape


def test_arrays_and_lists_with_words_are_tables():
    rows = [[1.5, None, datetime.date(2020, 1, 1)], [2.5, "b", datetime.date(2020, 1, 3)], [1.0, "a", None]] * 9
    for X in (rows, np.array(rows, dtype=object)):
        model = AE(1, **FAST).fit(X)
        assert [column.kind for column in model.schema_.table.columns] == ["real", "binary", "datetime"]
        result = model.reconstruct(X)
        assert {type(cell) for cell in result[:, 2]} == {datetime.date}
        assert set(result[:, 1]) <= {"a", "b"}


# ------------------------------------------------------------------------------------------------ the columns of X


def test_columns_are_found_by_name(small, table):
    expected = table.encode(small, "test")
    moved = small[small.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(table.encode(moved, "test"), expected)
    with pytest.raises(ValueError, match=r"It lacks 'age', 'city'; it has 'height', 'born', 'flag'"):
        table.encode(small.drop(columns=["age", "city"]), "test")
    np.testing.assert_array_equal(table.encode(small.to_numpy(), "test"), expected)
    with pytest.raises(ValueError, match="has 4 columns without names, but the model was fitted on a table of 5"):
        table.encode(small.to_numpy()[:, 1:], "test")


def test_identifiers_are_copied_through():
    names = ["name", "height", "review", "city"]
    model = AE(1, **FAST).fit(FRAME[names])
    for frame in (FRAME[names], pl.from_pandas(FRAME[names]), pa.Table.from_pandas(FRAME[names])):
        result = model.reconstruct(frame)
        assert type(result) is type(frame)
        assert list(getattr(result, "column_names", result.columns)) == names
        assert list(map(str, result["name"])) == FRAME["name"].tolist()
        assert list(map(str, result["review"])) == FRAME["review"].tolist()
    assert list(model.sample(2).columns) == ["height", "city"]


def test_constants_are_given_back(small):
    frame = small.assign(source="x", nothing=np.nan)
    model = AE(1, **FAST).fit(frame)
    for result in (model.reconstruct(frame), model.sample(3), model.inverse_transform([[0.5]])):
        assert list(result.columns) == list(frame.columns)
        assert result["source"].eq("x").all()
        assert result["nothing"].isna().all()
        assert result.dtypes.equals(frame.dtypes)


# ------------------------------------------------------------------------------------------------ bad input


def test_infinity_is_named_by_its_column_and_row(small, table):
    bad = small.copy()
    bad.loc[7, "height"] = -np.inf
    with pytest.raises(ValueError, match="column 'height' holds infinity"):
        look(bad)
    with pytest.raises(ValueError, match=r"column 'height' of X passed to test holds infinity \(first in row 7\)"):
        table.encode(bad, "test")
    with pytest.raises(ValueError, match="column 'height' of X passed to test holds infinity"):
        table.encode({"height": np.inf, "city": "a"}, "test")


@pytest.mark.parametrize("cell", [{}, [1, 2], 1j, object(), np.zeros(2)], ids=lambda cell: type(cell).__name__)
def test_objects_that_are_no_cells(small, table, cell):
    frame = small.assign(height=pd.Series([cell] * N, dtype=object))
    for call in (look, lambda X: table.encode(X, "test")):
        with pytest.raises((TypeError, ValueError), match="column 'height' of X passed to test"):
            call(frame)
    with pytest.raises(TypeError, match=r"column 'height' .*( objects such as| complex)"):
        look(frame)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("height", ["1.5", "tall"] * (N // 2), "must hold numbers, as in training. Got 'tall' in row 1"),
        ("born", ["2020-01-01", "May"] * (N // 2), "must hold datetimes, as in training. Got '2020-01-01'|Got 'May'"),
        ("born", [1.5] * N, r"must hold dates, as in training. It holds numbers \(float64\)"),
        ("born", ["5"] * N, "must hold datetimes, as in training. Got '5' in row 0"),
        ("height", list(DAYS), "must hold numbers, as in training. It holds dates"),
    ],
)
def test_cells_of_another_type_than_in_training(small, table, name, values, message):
    with pytest.raises(ValueError, match=f"column '{name}' of X passed to test {message}"):
        table.encode(small.assign(**{name: values}), "test")


def test_numbers_as_text_are_read_where_training_had_numbers(small, table):
    text = small.assign(age=small["age"].astype(str), height=small["height"].astype(str).replace("nan", None))
    np.testing.assert_array_equal(table.encode(text, "test"), table.encode(small, "test"))


def test_a_column_of_several_types_is_named():
    frame = pd.DataFrame({"a": pd.Series([1, "x", 2.5, "y"] * 10, dtype=object), "r": range(40)})
    with pytest.raises(ValueError, match=r"'a' holds values of several types \(float, int, str\).*columns=\{'a': "):
        look(frame)
    column = look(frame, {"a": "categorical"}).columns[0]
    assert set(column.levels) == {1, "x", 2.5, "y"}
    flags = pd.DataFrame({"a": pd.Series([True, 1, False] * 10, dtype=object), "r": range(30)})
    assert len(look(flags, {"a": "categorical"}).columns[0].levels) == 3


@pytest.mark.parametrize("convert", [lambda frame: frame, pa.Table.from_pandas])
def test_columns_of_one_name_are_refused(convert):
    frame = pd.DataFrame(np.c_[REAL, REAL, REAL], columns=["a", "b", "a"])
    if convert is pa.Table.from_pandas:
        frame = pa.Table.from_arrays([pa.array(REAL)] * 3, names=["a", "b", "a"])
    with pytest.raises(ValueError, match=r"must have one name for each column\. 'a' stands above several columns"):
        look(frame)


def test_frames_without_something_to_learn():
    frame = FRAME[["height", "city"]]
    for empty, message in (
        (frame[:0], r"0 sample\(s\)"),
        (frame[[]], r"0 feature\(s\)"),
        (frame[:1], r"1 sample\(s\).* a minimum of 2"),
        (FRAME[["name", "row"]], r"no column to learn from: 'name' is identifier \(100% .*columns=\{'name': 'categ"),
        (FRAME[["source", "nothing"]], "no column to learn from: 'source' is constant .* Pass columns that vary"),
    ):
        with pytest.raises(ValueError, match=message):
            AE(1, **FAST).fit(empty)


@pytest.mark.parametrize("n", [200_000, 2_000_000])
def test_too_many_columns_are_refused_at_once(n):
    frame = pd.DataFrame(np.zeros((2, n), dtype=np.float32))
    start = time.perf_counter()
    with pytest.raises(ValueError, match=rf"is a table of {n:,} columns; at most 100,000 .*X.to_numpy\(\)"):
        AE(1, **FAST).fit(frame)
    assert time.perf_counter() - start < 10
    doubled = frame.set_axis(np.arange(n) % (n - 1), axis=1)
    with pytest.raises(ValueError, match="'0' stands above several columns"):
        AE(1, **FAST).fit(doubled)
    assert time.perf_counter() - start < 20
