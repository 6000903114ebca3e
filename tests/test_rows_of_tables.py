"""Examples from models of tables: dials, paths, attributes, and streams to and from frames and files."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from table_cases import fit, people

from narrows import VAE
from narrows.data import files, sinks

TABLE, TEST = people(), people(40, seed=1)
LEARNED = [name for name in TABLE.columns if name != "person"]


@pytest.fixture(scope="module")
def model() -> Any:
    return fit("AE", TABLE)


def check_types(frame: pd.DataFrame) -> None:
    assert list(frame.columns) == LEARNED
    assert dict(frame.dtypes) == {name: TABLE[name].dtype for name in LEARNED}
    assert set(frame["job"].dropna()) <= set(TABLE["job"].dropna())
    assert frame.notna().all().all()


def test_dials_and_paths_are_frames(model: Any):
    turned = model.traverse(TEST, n_steps=5)
    assert len(turned) == 2
    for frame in [*turned, *model.traverse(n_steps=3, components=[1])]:
        check_types(frame)
    path = model.interpolate(TEST.iloc[0], TEST.iloc[1], n_steps=4)
    check_types(path)
    ends = model.reconstruct(TEST.iloc[:2])[LEARNED]
    pd.testing.assert_frame_equal(path.iloc[[0, -1]].reset_index(drop=True), ends.reset_index(drop=True))


def test_one_row_in_any_form(model: Any):
    row, other = TEST.iloc[0], TEST.iloc[1]
    expected = model.interpolate(TEST.iloc[:1], TEST.iloc[1:2], n_steps=3)
    for a, b in ((row, other), (row.to_dict(), other.to_dict())):
        pd.testing.assert_frame_equal(model.interpolate(a, b, n_steps=3), expected)
    with pytest.warns(UserWarning, match="feature names"):
        pd.testing.assert_frame_equal(model.interpolate(row.tolist(), other.tolist(), n_steps=3), expected)
    for start in (TEST, row, row.to_dict(), [row.to_dict()]):
        pd.testing.assert_frame_equal(model.traverse(start, n_steps=2)[0], model.traverse(TEST[:1], n_steps=2)[0])
    with pytest.raises(ValueError, match="must be one row"):
        model.interpolate(TEST, TEST)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_rows_of_other_libraries(library: str):
    pytest.importorskip(library)
    X = as_library(TABLE, library)
    fitted = fit("AE", X)
    frames = fitted.traverse(X, n_steps=2)
    path = fitted.interpolate(as_library(TEST[:1], library), as_library(TEST[1:2], library), n_steps=3)
    for frame in (*frames, path, fitted.stream(iter([X, X]), method="reconstruct")):
        assert type(frame) is type(X)
        assert (frame.columns if library == "polars" else frame.column_names) == LEARNED


def as_library(frame: pd.DataFrame, library: str) -> Any:
    if library == "polars":
        import polars

        return polars.from_pandas(frame)
    import pyarrow

    return pyarrow.Table.from_pandas(frame, preserve_index=False)


def test_an_attribute_moves_rows(model: Any):
    attribute = model.attribute(TABLE, TABLE["old"] == "yes")
    moved = model.move(TEST, attribute, 1.0)
    assert list(moved.index) == list(TEST.index)
    assert (moved["person"] == TEST["person"]).all()
    share = (moved["old"] == "yes").mean()
    assert share >= (model.move(TEST, attribute, -1.0)["old"] == "yes").mean()


def test_a_frame_of_real_columns_gives_frames(digits: np.ndarray):
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 3)), columns=["a", "b", "c"])
    fitted = fit("AE", X)
    turned = fitted.traverse(X, n_steps=4)
    array = fit("AE", X.to_numpy())
    np.testing.assert_array_equal(np.stack(turned), array.traverse(X.to_numpy(), n_steps=4))
    path = fitted.interpolate(X.iloc[0], X.iloc[1], n_steps=3)
    assert list(path.columns) == ["a", "b", "c"]
    np.testing.assert_array_equal(path, array.interpolate(X.to_numpy()[0], X.to_numpy()[1], n_steps=3))


def test_samplers_and_labels_of_tables():
    y = np.where(TABLE["age"] > 50, "old", "young")
    fitted = fit("VAE", TABLE).fit_sampler(TABLE, y=y)
    check_types(fitted.sample(5, y="old", random_state=0))
    conditional = VAE(2, conditional=True, hidden=(8,), max_epochs=2, random_state=0).fit(TABLE, y)
    check_types(conditional.sample(3, y="old", random_state=0))
    check_types(conditional.traverse(TEST.iloc[0], n_steps=2)[0])
    assert set(conditional.infer_labels(TEST)) <= {"old", "young"}
    assert list(conditional.reconstruct(TEST).index) == list(TEST.index)
    with pytest.raises(ValueError, match="infinity"):
        fitted.fit_sampler(TABLE.assign(age=np.inf))


def test_denoise_gives_a_frame():
    fitted = fit("DAE", TABLE)
    clean = fitted.denoise(TEST)
    assert list(clean.columns) == list(TEST.columns)
    assert list(clean.index) == list(TEST.index)
    assert clean["job"].notna().all()
    pd.testing.assert_frame_equal(fitted.stream(TEST, method="denoise"), clean)


# ------------------------------------------------------------------------------------------------ streams


def test_streams_of_frames(model: Any):
    pd.testing.assert_frame_equal(model.stream(TEST, method="reconstruct"), model.reconstruct(TEST))
    expected = model.reconstruct(TEST)[LEARNED].reset_index(drop=True)
    pieces = [TEST[:7], TEST[7:8], TEST[8:]]
    pd.testing.assert_frame_equal(model.stream(iter(pieces), method="reconstruct"), expected)
    for method in ("transform", "score_samples"):
        np.testing.assert_allclose(
            model.stream(iter(pieces), method=method), getattr(model, method)(TEST), rtol=1e-5, atol=1e-5
        )


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".parquet"])
def test_streams_of_files(model: Any, tmp_path: Any, suffix: str):
    pytest.importorskip("pyarrow")
    source, target = tmp_path / "in.csv", tmp_path / f"out{suffix}"
    TEST.to_csv(source, index=False)
    assert model.stream(source, target, "reconstruct") == target
    expected = model.reconstruct(TEST)[LEARNED].reset_index(drop=True)
    if suffix == ".parquet":
        written = pd.read_parquet(target)
        pd.testing.assert_frame_equal(written, expected, check_dtype=False)
        assert written["since"].dtype.kind == "M"
        assert written["age"].dtype == np.int64
        pd.testing.assert_frame_equal(model.stream(target, method="reconstruct"), model.reconstruct(written))
        return
    assert "'=nurse" in target.read_text() or "=nurse" not in set(expected["job"])
    written = pd.read_csv(target, sep="," if suffix == ".csv" else "\t", parse_dates=["since"])
    written["job"] = written["job"].str.removeprefix("'")
    pd.testing.assert_frame_equal(written, expected, check_dtype=False)


def test_numbers_only_cannot_hold_words(model: Any, tmp_path: Any):
    for target in (tmp_path / "out.npy", np.empty((40, 7))):
        with pytest.raises(ValueError, match="Rows of a table"):
            model.stream(TEST, target, "reconstruct")
    assert not (tmp_path / "out.npy").exists()
    assert np.load(model.stream(TEST, tmp_path / "codes.npy")).shape == (40, 2)


def test_infinity_in_a_stream_is_refused(model: Any):
    with pytest.raises(ValueError, match="infinity"):
        model.stream(iter([TEST, TEST.assign(height=np.inf)]), method="reconstruct")


# ------------------------------------------------------------------------------------------------ sinks


FRAME = pd.DataFrame(
    {
        "=name": ["=1+1", "-2", "+x", None, "@cell", "plain, with comma"],
        "whole": pd.array([1, 2, None, 4, 5, 6], dtype="Int64"),
        "single": np.array([0.1, np.nan, 3, 1e-30, -2.5, 0], np.float32),
        "day": pd.to_datetime(
            ["2020-01-02", None, "2021-01-01", "2021-01-01", "2021-01-01", "2021-01-01 12:30"], format="ISO8601"
        ),
        "flag": [True, False, True, True, False, True],
    }
)


def test_text_of_frames(tmp_path: Any):
    path = tmp_path / "frame.csv"
    with sinks.open_sink(path) as sink:
        sink.write(FRAME[:4])
        sink.write(FRAME[4:])
        sink.finish()
    assert path.read_text().splitlines() == [
        "'=name,whole,single,day,flag",
        "'=1+1,1,0.1,2020-01-02 00:00:00,True",
        "-2,2,,,False",
        "'+x,,3.0,2021-01-01 00:00:00,True",
        ",4,1e-30,2021-01-01 00:00:00,True",
        "'@cell,5,-2.5,2021-01-01 00:00:00,False",
        '"plain, with comma",6,0.0,2021-01-01 12:30:00,True',
    ]


def test_parquet_of_frames_keeps_types(tmp_path: Any):
    pytest.importorskip("pyarrow")
    path = tmp_path / "frame.parquet"
    typed = FRAME.assign(size=pd.Categorical(["s", "l", "s", None, "l", "l"], ["s", "m", "l"], ordered=True))
    with sinks.open_sink(path) as sink:
        sink.write(typed[3:4])  # its only word is missing
        sink.write(typed)
        sink.finish()
    back = pd.read_parquet(path)
    pd.testing.assert_frame_equal(back, pd.concat([typed[3:4], typed], ignore_index=True), check_dtype=False)
    assert back["size"].cat.ordered
    assert back["single"].dtype == np.float32
    assert files.read(path).X["whole"].dtype == "Int64"


def test_names_of_numbers_are_no_formulas(tmp_path: Any):
    path = tmp_path / "numbers.csv"
    with sinks.open_sink(path, columns=["=cmd()", "-1", "x"]) as sink:
        sink.write(np.ones((1, 3)))
        sink.finish()
    assert path.read_text().splitlines() == ["'=cmd(),-1,x", "1.0,1.0,1.0"]
