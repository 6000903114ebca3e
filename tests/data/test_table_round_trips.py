"""Frames as numbers and back: values, dtypes, categories and their order, index and names come back as they were."""

import datetime
import decimal
import json
import uuid

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from polars.testing import assert_frame_equal

from narrows.data import open_frame
from narrows.data.table import Table
from narrows.data.training_table import look_at_table

N = 60
rng = np.random.default_rng(0)
GAP = np.arange(N) % 7 == 0
REAL = rng.normal(size=N)
WHOLE = rng.integers(-50, 1000, N)
SMALL = rng.integers(0, 100, N)
WORDS = rng.choice(["a", "b", "c"], N)
STAMPS = pd.Series(pd.to_datetime("2020-01-01") + pd.to_timedelta(rng.integers(0, 10**9, N), unit="s"))
ZONED = STAMPS.dt.tz_localize("UTC").dt.tz_convert("Europe/Berlin")
PYTHON_STAMPS = [stamp.to_pydatetime() for stamp in STAMPS]
DATES = [stamp.date() for stamp in STAMPS]
TIMES = [stamp.time() for stamp in STAMPS]
MINUTES = [datetime.timedelta(minutes=int(i)) for i in WHOLE]
CENTS = [decimal.Decimal(f"{i / 100:.2f}") for i in WHOLE]
YEARS = pd.to_datetime(STAMPS.dt.year.astype(str) + "-01-01")
CITY = uuid.uuid5(uuid.NAMESPACE_DNS, "a"), uuid.uuid5(uuid.NAMESPACE_DNS, "b")


def arrow(values: object, dtype: pa.DataType) -> pd.Series:
    return pd.Series(values, dtype=pd.ArrowDtype(dtype))


def objects(values: object) -> pd.Series:
    return pd.Series(values, dtype=object)


def gapped(series: object) -> pd.Series:
    series = pd.Series(series).copy()
    series[GAP] = np.nan if series.dtype == object else None
    return series


NUMBERS = {
    "float64": REAL,
    "float32": REAL.astype(np.float32),
    "float16": REAL.astype(np.float16),
    "int64": WHOLE,
    "int8": SMALL.astype(np.int8),
    "uint8": SMALL.astype(np.uint8),
    "uint64": SMALL.astype(np.uint64),
    "bool": REAL > 0,
    "two whole numbers": np.where(REAL > 0, 1, 2),
    "two floats": np.where(REAL > 0, 0.0, 5.5),
    "heavy tails": np.exp(4 * REAL),
    "Int64": pd.array(WHOLE, dtype="Int64"),
    "sparse": pd.arrays.SparseArray(np.where(GAP, WHOLE, 0)),
    "objects: int": objects(WHOLE.tolist()),
    "objects: float": objects(REAL.tolist()),
    "objects: int and float": objects([int(i) if i % 2 else i / 4 for i in WHOLE]),
    "objects: Decimal": objects(CENTS),
    "Arrow int64": arrow(WHOLE, pa.int64()),
    "Arrow float": arrow(REAL.astype(np.float32), pa.float32()),
    "Arrow decimal": arrow([decimal.Decimal(int(i)) for i in WHOLE], pa.decimal128(10, 2)),
    "float64 gaps": gapped(REAL),
    "Int64 gaps": gapped(pd.Series(WHOLE).astype("Int64")),
    "Float64 gaps": gapped(pd.Series(REAL).astype("Float64")),
    "boolean gaps": gapped(pd.Series(REAL > 0).astype("boolean")),
    "objects: bool gaps": gapped(objects(REAL > 0)),
    "objects: int gaps": gapped(objects(WHOLE.tolist())),
    "Arrow double gaps": gapped(arrow(REAL, pa.float64())),
    "Arrow bool gaps": gapped(arrow(REAL > 0, pa.bool_())),
}
LEVELS = {
    "object": objects(WORDS),
    "str": pd.Series(WORDS, dtype="str"),
    "string": pd.Series(WORDS, dtype="string"),
    "string[pyarrow]": pd.Series(WORDS, dtype="string[pyarrow]"),
    "Arrow string": arrow(WORDS, pa.string()),
    "Arrow large_string": arrow(WORDS, pa.large_string()),
    "Arrow dictionary": pd.Series(WORDS).astype(pd.ArrowDtype(pa.dictionary(pa.int32(), pa.string()))),
    "empty word": pd.Series(["", "a"] * (N // 2)),
    "bytes": objects([b"a", b"b"] * (N // 2)),
    "UUID": objects(list(CITY) * (N // 2)),
    "categories": pd.Categorical(WORDS, categories=["c", "b", "a", "unused"]),
    "ordered": pd.Categorical(WORDS, categories=["c", "b", "a"], ordered=True),
    "categories: int": pd.Categorical(SMALL % 3),
    "categories: float": pd.Categorical(SMALL % 3 / 2),
    "categories: bool": pd.Categorical(REAL > 0),
    "categories: intervals": pd.cut(REAL, 3),
    "categories: quantiles": pd.qcut(REAL, 4),
    "categories: dates": pd.Categorical(YEARS),
    "categories: zoned dates": pd.Categorical(YEARS.dt.tz_localize("Europe/Berlin")),
    "categories: periods": pd.Categorical(pd.PeriodIndex(YEARS, freq="Y")),
    "categories: mixed": pd.Categorical([1 if gap else "a" for gap in GAP]),
    "intervals": pd.Series(pd.cut(REAL, 3)).astype("interval"),
    "object gaps": gapped(objects(WORDS)),
    "str gaps": gapped(pd.Series(WORDS, dtype="str")),
    "string gaps": gapped(pd.Series(WORDS, dtype="string")),
    "ordered gaps": gapped(pd.Categorical(WORDS, categories=["c", "b", "a"], ordered=True)),
    "Arrow string gaps": gapped(arrow(WORDS, pa.string())),
}
TIMES_AND_DATES = {
    "us": STAMPS,
    "ns": STAMPS.astype("datetime64[ns]"),
    "ms": STAMPS.astype("datetime64[ms]"),
    "s": STAMPS.astype("datetime64[s]"),
    "zone": ZONED,
    "offset": STAMPS.dt.tz_localize("+02:00"),
    "month": pd.PeriodIndex(STAMPS, freq="M"),
    "text": STAMPS.dt.strftime("%Y-%m-%d"),
    "text with zone": STAMPS.dt.strftime("%Y-%m-%dT%H:%M:%SZ"),
    "objects: date": objects(DATES),
    "objects: datetime": objects(PYTHON_STAMPS),
    "objects: datetime, UTC": objects([stamp.replace(tzinfo=datetime.UTC) for stamp in PYTHON_STAMPS]),
    "objects: Timestamp": objects(list(STAMPS)),
    "objects: time": objects(TIMES),
    "objects: timedelta": objects(MINUTES),
    "objects: Timedelta": objects([pd.Timedelta(duration) for duration in MINUTES]),
    "timedelta": pd.Series(pd.to_timedelta(WHOLE, unit="m")),
    "timedelta, ns": pd.Series(pd.to_timedelta(WHOLE, unit="m")).astype("timedelta64[ns]"),
    "Arrow timestamp": STAMPS.astype(pd.ArrowDtype(pa.timestamp("us"))),
    "Arrow timestamp with zone": ZONED.astype(pd.ArrowDtype(pa.timestamp("ns", "Europe/Berlin"))),
    "Arrow date": arrow(DATES, pa.date32()),
    "Arrow time": arrow(TIMES, pa.time64("us")),
    "Arrow duration": arrow(MINUTES, pa.duration("us")),
    "us gaps": gapped(STAMPS),
    "zone gaps": gapped(ZONED),
    "day gaps": gapped(pd.Series(pd.PeriodIndex(STAMPS, freq="D"))),
    "text gaps": gapped(objects(STAMPS.dt.strftime("%Y-%m-%d"))),
    "objects: date gaps": gapped(objects(DATES)),
    "timedelta gaps": gapped(pd.Series(pd.to_timedelta(WHOLE, unit="m"))),
}
CONSTANTS = {
    "int": np.full(N, 3),
    "bool": np.full(N, True),
    "word": pd.Series(["x"] * N),
    "category": pd.Categorical(["a"] * N, categories=["a", "b"]),
    "date": pd.Series([STAMPS[0]] * N),
    "zone": pd.Series([ZONED[0]] * N),
    "period": pd.Series([pd.Period("2020-01")] * N),
    "timedelta": pd.Series([pd.Timedelta("1h")] * N),
    "text date": pd.Series(["2020-01-01"] * N),
    "objects: date": objects([DATES[0]] * N),
    "objects: Decimal": objects([decimal.Decimal("1.50")] * N),
    "float, missing": np.full(N, np.nan),
    "Int64, missing": pd.Series([pd.NA] * N, dtype="Int64"),
    "object, missing": objects([np.nan] * N),
    "date, missing": pd.Series([pd.NaT] * N),
    "category, missing": pd.Categorical([None] * N, categories=["a"]),
}
NAMES = [0, 400.5, ("a", "b"), pd.Timestamp("2020-01-01"), datetime.date(2020, 1, 1), True, None, "=1+1", "", "x,y\n"]


def make_table(frame: object, kinds: dict[object, str] | None = None) -> tuple[Table, np.ndarray]:
    """Look at a frame. The table takes a journey through JSON."""
    table, rows = look_at_table(open_frame(frame, "test"), "test", kinds)
    restored = Table.from_dict(json.loads(json.dumps(table.to_dict())))
    assert restored == table
    np.testing.assert_array_equal(restored.encode(frame, "test"), rows)
    return restored, np.asarray(rows)


def check_pandas(frame: pd.DataFrame) -> None:
    table, rows = make_table(frame)
    pd.testing.assert_frame_equal(table.decode(rows, frame), frame, check_freq=False, rtol=1e-12)
    anew = table.decode(rows)
    pd.testing.assert_series_equal(
        anew.iloc[:, 0], frame.iloc[:, 0], check_freq=False, check_names=False, check_index=False, rtol=1e-12
    )


@pytest.mark.parametrize("name", NUMBERS)
def test_numbers_of_pandas(name):
    check_pandas(pd.DataFrame({"x": NUMBERS[name], "r": REAL}))


@pytest.mark.parametrize("name", LEVELS)
def test_levels_of_pandas(name):
    check_pandas(pd.DataFrame({"x": LEVELS[name], "r": REAL}))


@pytest.mark.parametrize("name", TIMES_AND_DATES)
def test_times_and_dates_of_pandas(name):
    check_pandas(pd.DataFrame({"x": TIMES_AND_DATES[name], "r": REAL}))


@pytest.mark.parametrize("name", CONSTANTS)
def test_constants_of_pandas(name):
    frame = pd.DataFrame({"x": CONSTANTS[name], "r": REAL})
    check_pandas(frame)
    assert [column.kind for column in make_table(frame)[0].columns] == ["constant", "real"]


@pytest.mark.parametrize("name", NAMES, ids=repr)
def test_any_name_of_a_column(name):
    frame = pd.DataFrame({0: REAL, 1: WORDS})
    frame.columns = pd.Index([name, "z"], dtype=object, tupleize_cols=False)
    check_pandas(frame)


@pytest.mark.parametrize(
    "columns",
    [
        pd.RangeIndex(2),
        pd.Index([400.5, 401.0]),
        pd.Index(["a", "b"], name="wave"),
        pd.MultiIndex.from_tuples([("a", "x"), ("a", "y")], names=["u", "v"]),
        pd.to_datetime(["2020-01-01", "2020-01-02"]),
        pd.CategoricalIndex(["a", "b"]),
    ],
    ids=lambda columns: type(columns).__name__,
)
def test_names_of_all_columns(columns):
    check_pandas(pd.DataFrame(np.c_[REAL, WHOLE], columns=columns))


@pytest.mark.parametrize(
    "index",
    [
        pd.MultiIndex.from_product([range(6), list("abcdefghij")]),
        pd.date_range("2020", periods=N, freq="D", name="day"),
        pd.Index([7] * N),
    ],
    ids=lambda index: type(index).__name__,
)
def test_the_index_stays(index):
    frame = pd.DataFrame({"r": REAL, "id": [f"u{i}" for i in range(N)], "w": WORDS}, index=index)
    check_pandas(frame[["r", "w"]])
    table, rows = make_table(frame)
    pd.testing.assert_frame_equal(table.decode(rows, frame), frame, check_freq=False)


POLARS = {
    "Float64": pl.Series(REAL),
    "Float32": pl.Series(REAL.astype(np.float32)),
    "Int64": pl.Series(WHOLE),
    "Int8": pl.Series(SMALL.astype(np.int8)),
    "UInt16": pl.Series(SMALL.astype(np.uint16)),
    "Int128": pl.Series(WHOLE).cast(pl.Int128),
    "Boolean": pl.Series(REAL > 0),
    "Decimal": pl.Series(CENTS, dtype=pl.Decimal(10, 2)),
    "String": pl.Series(WORDS.tolist()),
    "Categorical": pl.Series(WORDS.tolist(), dtype=pl.Categorical),
    "Enum": pl.Series(WORDS.tolist(), dtype=pl.Enum(["c", "b", "a", "unused"])),
    "Datetime us": pl.Series(PYTHON_STAMPS, dtype=pl.Datetime("us")),
    "Datetime ns": pl.Series(PYTHON_STAMPS, dtype=pl.Datetime("ns")),
    "Datetime ms": pl.Series(PYTHON_STAMPS, dtype=pl.Datetime("ms")),
    "Datetime with zone": pl.Series(PYTHON_STAMPS).dt.replace_time_zone("UTC").dt.convert_time_zone("Europe/Berlin"),
    "Date": pl.Series(DATES),
    "Time": pl.Series(TIMES),
    "Duration us": pl.Series(MINUTES),
    "Duration ms": pl.Series(MINUTES, dtype=pl.Duration("ms")),
    "text": pl.Series(STAMPS.dt.strftime("%Y-%m-%d").tolist()),
    "identifier": pl.Series([f"u{i}" for i in range(N)]),
}
POLARS_CONSTANTS = {
    "Int64": pl.Series([3] * N),
    "String": pl.Series(["x"] * N),
    "Enum": pl.Series(["x"] * N, dtype=pl.Enum(["x", "y"])),
    "Date": pl.Series([DATES[0]] * N),
    "Datetime with zone": pl.Series([PYTHON_STAMPS[0]] * N).dt.replace_time_zone("UTC"),
    "Duration": pl.Series([MINUTES[0]] * N),
    "Time": pl.Series([TIMES[0]] * N),
    "Decimal": pl.Series([CENTS[0]] * N, dtype=pl.Decimal(10, 2)),
    "Boolean": pl.Series([True] * N),
    "Null": pl.Series([None] * N),
    "Date, missing": pl.Series([None] * N, dtype=pl.Date),
    "String, missing": pl.Series([None] * N, dtype=pl.String),
}


@pytest.mark.parametrize("has_gaps", [False, True])
@pytest.mark.parametrize("name", POLARS)
def test_columns_of_polars(name, has_gaps):
    column = pl.when(pl.Series(GAP)).then(None).otherwise(pl.col("x")) if has_gaps else pl.col("x")
    frame = pl.DataFrame({"x": POLARS[name], "r": REAL}).with_columns(column.alias("x"))
    table, rows = make_table(frame)
    assert_frame_equal(table.decode(rows, frame), frame, rel_tol=1e-12)


@pytest.mark.parametrize("name", POLARS_CONSTANTS)
def test_constants_of_polars(name):
    frame = pl.DataFrame({"x": POLARS_CONSTANTS[name], "r": REAL})
    table, rows = make_table(frame)
    assert_frame_equal(table.decode(rows, frame), frame)


ARROW = {
    "double": pa.array(REAL),
    "float": pa.array(REAL.astype(np.float32)),
    "halffloat": pa.array(REAL.astype(np.float16)),
    "int64": pa.array(WHOLE),
    "uint8": pa.array(SMALL.astype(np.uint8)),
    "bool": pa.array(REAL > 0),
    "decimal128": pa.array(CENTS, pa.decimal128(10, 2)),
    "decimal256": pa.array(CENTS, pa.decimal256(40, 2)),
    "string": pa.array(WORDS.tolist()),
    "large_string": pa.array(WORDS.tolist(), pa.large_string()),
    "string_view": pa.array(WORDS.tolist(), pa.string_view()),
    "dictionary": pa.array(WORDS.tolist()).dictionary_encode(),
    "dictionary of large_string": pa.array(WORDS.tolist(), pa.large_string()).dictionary_encode(),
    "dictionary of int64": pa.array(SMALL % 3).dictionary_encode(),
    "ordered": pa.DictionaryArray.from_arrays(
        pa.array((SMALL % 3).astype(np.int8)), pa.array(["low", "middle", "high"]), ordered=True
    ),
    "timestamp[us]": pa.array(PYTHON_STAMPS, pa.timestamp("us")),
    "timestamp[ns]": pa.array(PYTHON_STAMPS, pa.timestamp("ns")),
    "timestamp[s]": pa.array(PYTHON_STAMPS, pa.timestamp("s")),
    "timestamp with zone": pa.array(PYTHON_STAMPS, pa.timestamp("us", "Europe/Berlin")),
    "timestamp with offset": pa.array(PYTHON_STAMPS, pa.timestamp("ms", "+02:00")),
    "date32": pa.array(DATES),
    "date64": pa.array(DATES, pa.date64()),
    "time32": pa.array(TIMES, pa.time32("s")),
    "time64": pa.array(TIMES, pa.time64("us")),
    "duration[us]": pa.array(MINUTES),
    "duration[s]": pa.array(MINUTES, pa.duration("s")),
    "identifier": pa.array([f"u{i}" for i in range(N)]),
    "constant": pa.array(["x"] * N),
    "constant bool": pa.array([True] * N),
    "constant date": pa.array([DATES[0]] * N),
    "constant time": pa.array([TIMES[0]] * N),
    "constant duration": pa.array([MINUTES[0]] * N),
    "constant dictionary": pa.array(["x"] * N).dictionary_encode(),
    "null": pa.nulls(N),
    "timestamp, missing": pa.nulls(N, pa.timestamp("us")),
}


@pytest.mark.parametrize("has_gaps", [False, True])
@pytest.mark.parametrize("name", ARROW)
def test_columns_of_arrow(name, has_gaps):
    column = ARROW[name]
    if has_gaps and not name.startswith(("constant", "string_view")):
        column = column.take(pa.array([None if gap else i for i, gap in enumerate(GAP)], pa.int64()))
    frame = pa.table({"x": column, "r": REAL})
    table, rows = make_table(frame)
    decoded = table.decode(rows, frame)
    assert decoded.schema == frame.schema
    assert decoded.equals(frame)


def test_a_frame_of_another_library_comes_back_in_that_library():
    frame = pd.DataFrame({"d": DATES, "s": STAMPS, "w": pd.Categorical(WORDS), "i": WHOLE, "b": REAL > 0})
    table, rows = make_table(frame)
    for other in (pl.from_pandas(frame), pa.Table.from_pandas(frame, preserve_index=False)):
        np.testing.assert_array_equal(table.encode(other, "test"), rows)
        decoded = table.decode(rows, other)
        assert type(decoded) is type(other)
        assert decoded.equals(other)


def test_dicts_have_the_objects_that_they_had():
    frame = pd.DataFrame({"d": DATES, "w": WORDS, "i": WHOLE, "b": REAL > 0, "c": CENTS, "t": TIMES, "name": range(N)})
    dicts = frame.astype(object).to_dict("records")
    table, rows = make_table(dicts)
    assert [column.name for column in table.left_out] == ["name"]
    decoded = table.decode(rows, dicts)
    assert decoded == dicts
    for value, original in zip(decoded[0].values(), dicts[0].values(), strict=True):
        assert type(value) is type(original)
    assert [row["name"] for row in table.decode(rows)] == [None] * N


@pytest.mark.parametrize("dtype", [object, str])
def test_arrays_keep_all_their_columns(dtype):
    X = np.array([[w, f"{i + 0.125}", f"u{n}", "x"] for n, (w, i) in enumerate(zip(WORDS, WHOLE, strict=True))], dtype)
    if dtype is object:
        X[:, 1] = WHOLE + 0.125
    table, rows = make_table(X)
    assert [column.kind for column in table.columns] == ["categorical", "real", "identifier", "constant"]
    decoded = table.decode(rows, X)
    assert decoded.dtype == X.dtype
    np.testing.assert_array_equal(decoded, X)
    anew = table.decode(rows)
    np.testing.assert_array_equal(anew[:, [0, 1, 3]], X[:, [0, 1, 3]])
    assert anew[:, 2].tolist() == [None] * N


def test_named_kinds_give_back_the_dtype():
    frame = pd.DataFrame(
        {
            "text": WHOLE.astype(str),
            "category": pd.Categorical(SMALL % 5),
            "day": YEARS,
            "mixed": objects([1 if gap else "a" for gap in GAP]),
            "flag": objects([True if gap else 5 for gap in GAP]),
        }
    )
    kinds = {"text": "integer", "category": "real", "day": "categorical", "mixed": "categorical", "flag": "binary"}
    table, rows = make_table(frame, kinds)
    assert {column.name: column.kind for column in table.columns} == kinds
    np.testing.assert_array_equal(rows[:, :2], np.c_[WHOLE, SMALL % 5])
    decoded = table.decode(rows, frame)
    pd.testing.assert_frame_equal(decoded.drop(columns="category"), frame.drop(columns="category"))
    assert decoded["category"].tolist() == (SMALL % 5).tolist()


def test_numbers_between_those_of_the_dtype_are_rounded():
    frame = pd.DataFrame({"cents": CENTS, "i": SMALL.astype(np.uint8), "day": DATES, "text": DATES})
    frame["text"] = frame["text"].astype(str)
    table, rows = make_table(frame)
    rows = np.add(rows[:2], [0.004, 0.4, 30_000.0, 30_000.0])
    pd.testing.assert_frame_equal(table.decode(rows), frame[:2])
    far = table.decode(np.array([[1e9, 1e9, 1e15, 1e15], [-1e9, -1e9, -1e15, -1e15]]))
    assert far["i"].tolist() == [255, 0]
    assert far["day"].tolist() == [datetime.date.max, datetime.date.min]
    assert far["text"].tolist() == ["9999-12-31", "0001-01-01"]


@pytest.mark.parametrize(
    "kind", [pd.DataFrame, pl.DataFrame, lambda data: pa.Table.from_pandas(pd.DataFrame(data))], ids=["pd", "pl", "pa"]
)
def test_dicts_have_stamps_in_the_time_zone_of_the_training_frame(kind):
    table, numbers = look_at_table(open_frame(kind({"at": ZONED, "x": REAL}), "test"), "test")
    dicts = [{"x": float(x)} for x in REAL]
    for row, stamp in zip(table.decode(np.asarray(numbers), dicts), ZONED, strict=True):
        assert (row["at"], row["at"].utcoffset()) == (stamp, stamp.utcoffset())
