"""TableAE: fill gaps, draw rows, predict a column, find strange cells; and what it says about bad input."""

import contextlib
from typing import Any

import binned_table
import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import narrows
from narrows import TableAE
from narrows.data import is_missing

FAST: dict[str, Any] = {
    "n_components": 16,
    "n_blocks": 1,
    "max_epochs": 3,
    "batch_size": 50,
    "random_state": 0,
    "device": "cpu",
    "precision": "float32",
}
N = 150
VECTORS = np.random.default_rng(1).normal(size=(N, 3))
GAPS = np.where(np.random.default_rng(2).random((N, 3)) < 0.3, np.nan, VECTORS)
FRAME = binned_table.make_frame(N).assign(
    id=[f"row {i}" for i in range(N)],
    fixed=1.5,
    whole=pd.array(np.arange(N) % 7, dtype="Int64"),
    grade=pd.Categorical(np.array(["low", "mid"])[np.arange(N) % 2], ["low", "mid", "never"], ordered=True),
    span=pd.to_timedelta(np.arange(N) * 60, "s"),
)
FRAME.index = pd.Index(np.arange(N) * 3, name="key")
FRAME.loc[::5, ["whole", "grade", "span"]] = None


def fit(X: Any, **changes: Any) -> TableAE:
    return TableAE(**{**FAST, **changes}).fit(X)


@pytest.fixture(scope="module")
def model() -> TableAE:
    """A model of a frame with a column of each kind. Tests do not change it."""
    return fit(FRAME)


@pytest.fixture(scope="module")
def plain() -> TableAE:
    """A model of an array of numbers with gaps."""
    return fit(GAPS)


def assert_filled(X: pd.DataFrame, filled: pd.DataFrame) -> None:
    """All observed cells are as they were, and no cell of a column that the model sees is missing."""
    assert list(filled.columns) == list(X.columns)
    assert filled.index.equals(X.index)
    for name in X:
        known = X[name].notna()
        assert filled.loc[known, name].equals(X.loc[known, name]), name
        assert name == "id" or not filled[name].isna().any(), name


# ------------------------------------------------------------------------------------------------ fill gaps


@pytest.mark.parametrize("statistic", ["median", "mean", "mode"])
def test_a_frame_keeps_its_observed_cells_and_dtypes(model, statistic):
    gaps = FRAME.copy()
    gaps.loc[::4, "fixed"] = None
    before = gaps.copy()
    filled = model.impute(gaps, statistic=statistic)
    pd.testing.assert_frame_equal(gaps, before)
    assert_filled(gaps, filled)
    assert filled.dtypes.equals(gaps.dtypes)
    assert set(filled["city"]) == {"a", "b", "c"}
    assert (filled["fixed"] == 1.5).all()
    assert set(filled["whole"]) <= set(range(7))
    for name in ("real", "price", "gains", "day", "span"):
        low, high = FRAME[name].min(), FRAME[name].max()
        assert filled[name].between(low, high).all(), name
    full = FRAME.drop(columns="id").dropna()
    pd.testing.assert_frame_equal(model.impute(full), full)


@pytest.mark.parametrize(
    ("values", "dtype"),
    [
        ([1, 2, None, 3], "float64"),
        ([1, 2, None, 3], "Int64"),
        ([1, 2, None, 3], "Float32"),
        (["a", "b", None, "a"], "str"),
        (["a", "b", None, "a"], "object"),
        (["a", "b", None, "a"], "category"),
        ([True, False, None, True], "boolean"),
        ([True, False, None, True], "object"),
        (["2020-01-01", "2020-01-05", None, "2020-01-09"], "datetime64[ns]"),
        (["2020-01-01", "2020-01-05", None, "2020-01-09"], "datetime64[s, Europe/Berlin]"),
        (["1 days", "2 days", None, "4 days"], "timedelta64[us]"),
        ([1, 2, None, 3], "int64[pyarrow]"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
@pytest.mark.parametrize("n_draws", [None, 1])
def test_each_dtype_of_pandas(values, dtype, n_draws):
    column = pd.Series(values * 10)
    column = column.astype(dtype) if not dtype.startswith(("date", "time")) else column
    if dtype.startswith("date"):
        column = pd.to_datetime(column).dt.tz_localize("Europe/Berlin" if "Berlin" in dtype else None).astype(dtype)
    elif dtype.startswith("time"):
        column = pd.to_timedelta(column).astype(dtype)
    frame = pd.DataFrame({"a": column, "b": np.sin(np.arange(40))})
    model = fit(frame, max_epochs=1)
    filled = model.impute(frame, n_draws=n_draws)
    filled = filled if n_draws is None else filled[0]
    assert_filled(frame, filled)
    assert filled["a"].dtype == frame["a"].dtype
    known = {str(value) for value in column.dropna()}
    if dtype in ("str", "object", "category", "boolean"):
        assert {str(value) for value in filled["a"]} <= known
        assert {type(value) for value in filled["a"]} == {type(value) for value in column.dropna()}


def as_library(kind: str, frame: pd.DataFrame) -> Any:
    """The frame in another library or form."""
    if kind == "polars":
        return pytest.importorskip("polars").from_pandas(frame)
    if kind == "pyarrow":
        return pytest.importorskip("pyarrow").Table.from_pandas(frame, preserve_index=False)
    cells = frame.astype(object).where(frame.notna(), None)
    return cells.to_dict("records") if kind == "dicts" else cells.to_numpy()


def as_lists(X: Any) -> dict[str, list[Any]]:
    """The columns of a frame of any library, with None for missing cells."""
    if isinstance(X, list):
        columns = {name: [row[name] for row in X] for name in X[0]}
    elif isinstance(X, np.ndarray):
        columns = {str(j): X[:, j].tolist() for j in range(X.shape[1])}
    else:
        columns = X.to_pydict() if hasattr(X, "to_pydict") else X.to_dict(as_series=False)
    return {name: [None if is_missing(value) else value for value in column] for name, column in columns.items()}


@pytest.mark.parametrize("kind", ["polars", "pyarrow", "dicts", "objects"])
@pytest.mark.parametrize("fitted_on", ["itself", "pandas"])
def test_other_libraries_keep_their_observed_cells(kind, fitted_on):
    frame = FRAME[["real", "age", "day", "city"]].reset_index(drop=True)
    frame["flag"] = FRAME["flag"].astype(object).where(np.arange(N) != 3, None).to_numpy()
    X = as_library(kind, frame)
    model = fit(X if fitted_on == "itself" else frame, max_epochs=1)
    is_nameless = kind == "objects" and fitted_on == "pandas"
    with pytest.warns(UserWarning, match="feature names") if is_nameless else contextlib.nullcontext():
        filled = model.impute(X)
        (drawn,) = model.impute(X, n_draws=1, random_state=0)
    for result in (filled, drawn):
        assert type(result) is type(X)
        before, after = as_lists(X), as_lists(result)
        assert list(after) == list(before)
        for name, column in before.items():
            for old, new in zip(column, after[name], strict=True):
                assert new is not None
                assert old is None or (new == old and type(new) is type(old))
    if hasattr(X, "schema"):
        assert filled.schema == X.schema


@pytest.mark.parametrize("dtype", ["float32", "float64", ">f8", "float16", "object"])
def test_arrays_keep_their_dtype(dtype):
    X = GAPS.astype(dtype)
    model = fit(X, max_epochs=1)
    filled = model.impute(X)
    assert filled.dtype == X.dtype
    known = ~np.isnan(GAPS)
    np.testing.assert_array_equal(filled[known], X[known])
    assert np.isfinite(filled.astype(float)).all()


def test_arrays_of_words_numbers_and_whole_numbers():
    words = np.where(VECTORS[:, :1] > 0, "yes", "no").astype(object)
    X = np.concatenate([words, VECTORS[:, :1].astype(object)], 1)
    X[::4, 0], X[1::4, 1] = None, np.nan
    model = fit(X)
    filled = model.impute(X)
    assert not any(is_missing(cell) for cell in filled.flatten())
    assert set(filled[:, 0]) == {"yes", "no"}
    assert model.predict_proba(X, 0).shape == (N, 2)
    whole = np.rint(3 * VECTORS).astype(int)
    assert fit(whole).impute(whole).dtype == whole.dtype
    gaps = np.where(np.isnan(GAPS), np.nan, whole)
    np.testing.assert_array_equal(fit(whole).impute(gaps) % 1, 0)


def test_a_dict_a_list_and_a_tensor(model, plain):
    row = {"real": 8.0, "city": None, "flag": True, "id": "mine"}
    filled = model.impute(row)
    assert {**filled, "city": None} == {**filled, **row}
    assert filled["city"] in {"a", "b", "c"}
    assert set(filled) == set(FRAME)
    assert filled["fixed"] == 1.5
    assert type(filled["whole"]) is int
    assert type(model.impute({"real": 8.0})["flag"]) is bool
    assert "id" not in model.impute({"real": 8.0})
    for X in (GAPS.tolist(), torch.from_numpy(GAPS), np.ma.masked_invalid(GAPS)):
        np.testing.assert_allclose(plain.impute(X), plain.impute(GAPS))


def test_draws_differ_in_the_gaps_alone(model):
    draws = model.impute(FRAME, n_draws=3, random_state=0)
    assert len(draws) == 3
    for drawn in draws:
        assert_filled(FRAME, drawn)
        assert drawn.dtypes.equals(FRAME.dtypes)
    gaps = FRAME["real"].isna()
    assert not draws[0].loc[gaps, "real"].equals(draws[1].loc[gaps, "real"])
    for again, drawn in zip(model.impute(FRAME, n_draws=3, random_state=0), draws, strict=True):
        pd.testing.assert_frame_equal(again, drawn)
    other = model.impute(FRAME, n_draws=1, random_state=1)[0]
    assert not other.equals(draws[0])


def test_a_column_that_others_determine_is_filled_with_it():
    rng = np.random.default_rng(0)
    z = rng.normal(size=600)
    frame = pd.DataFrame({"z": z, "twice": 2 * z + 1, "sign": np.where(z > 0, "plus", "minus")})
    gaps = frame.mask(np.random.default_rng(1).random(frame.shape) < 0.25)
    model = TableAE(32, n_blocks=1, max_epochs=80, random_state=0, device="cpu").fit(gaps)
    is_gap = gaps["twice"].isna() & gaps["z"].notna()
    for statistic in ("median", "mean"):
        filled = model.impute(gaps, statistic=statistic)
        error = np.sqrt(np.mean((filled["twice"] - frame["twice"])[is_gap] ** 2))
        assert error < 0.3 * frame["twice"].std(), statistic
        hidden = gaps["sign"].isna() & gaps["z"].notna()
        assert (filled["sign"] == frame["sign"])[hidden].mean() > 0.9
    scrambled = frame.assign(sign=frame["sign"].where(np.arange(600) >= 20, np.where(z > 0, "minus", "plus")))
    surprise = model.surprise(scrambled)["sign"]
    assert surprise[:20].median() > surprise[20:].quantile(0.9)


# ------------------------------------------------------------------------------------------------ draw rows


def test_samples_have_the_form_of_the_training_table(model):
    drawn = model.sample(200, random_state=0)
    used = FRAME.drop(columns="id")
    assert drawn.dtypes.equals(used.dtypes)
    assert len(drawn) == 200
    assert set(drawn["city"].dropna()) <= {"a", "b", "c"}
    assert (drawn["fixed"] == 1.5).all()
    has_gaps = FRAME.drop(columns="id").isna().any()
    for name in drawn:
        assert has_gaps[name] or not drawn[name].isna().any(), name
        if name in ("real", "price", "gains", "age", "visits", "big", "day", "span"):
            assert drawn[name].dropna().between(FRAME[name].min(), FRAME[name].max()).all(), name
    assert drawn["real"].isna().any()
    pd.testing.assert_frame_equal(model.sample(200, random_state=0, noise=True), drawn)
    assert not model.sample(200, random_state=1).equals(drawn)
    colder = model.sample(400, temperature=0.1, random_state=0)
    assert colder["city"].value_counts(normalize=True).max() > drawn["city"].value_counts(normalize=True).max()


@pytest.mark.parametrize("kind", ["one value", "lists", "arrays", "one row", "frame", "dicts", "array"])
def test_given_cells_are_kept(model, kind):
    n = 4
    used = FRAME.drop(columns="id")[1:5].reset_index(drop=True)
    row = {"city": "b", "real": 9.5, "day": pd.Timestamp("2020-05-05"), "flag": True}
    columns = {"city": ["a", "b", None, "c"], "day": used["day"], "real": np.array([1.0, 2, np.nan, 4])}
    given: Any = {
        "one value": row,
        "lists": columns,
        "arrays": {name: np.asarray(value) for name, value in columns.items()},
        "one row": pd.DataFrame([row]),
        "frame": FRAME[1:5][["city", "real", "id"]],
        "dicts": [{"city": "a"}, {"city": "b", "real": 3.0}, {"city": None}, {"city": "c"}],
        "array": FRAME[1:5].to_numpy(),
    }[kind]
    drawn = model.sample(n, given=given, random_state=0)
    known = pd.DataFrame(given) if kind not in ("one value", "one row", "array") else pd.DataFrame([row] * n)
    if kind == "array":
        known = FRAME[1:5]
    assert len(drawn) == n
    for name in known.columns.drop("id", errors="ignore"):
        for old, new in zip(known[name], drawn[name], strict=True):
            assert is_missing(old) or old == new, name


def test_what_is_given_may_lie_outside_of_the_training_range(model):
    assert (model.sample(3, given={"real": 1e6}, random_state=0)["real"] == 1e6).all()


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"cty": "a"}, ValueError, "does not predict the column 'cty'. Did you mean 'city'?"),
        ({"city": "a", "id": "x"}, ValueError, "does not predict the column 'id'"),
        ({"city": "z"}, ValueError, r"`given` .* holds a value of 'city' that is none of its levels .* one of '[abc]'"),
        ({"grade": "never"}, ValueError, "holds a value of 'grade' that is none of its levels"),
        ({"city": ["a", "b"]}, ValueError, r"n_samples=3 values of the column 'city'. Got 2 instead"),
        ({"real": "tall"}, ValueError, "column 'real' .* must hold numbers, as in training. Got 'tall'"),
        ({"real": np.inf}, ValueError, "column 'real' .* holds infinity"),
        (FRAME[["city"]][1:3], ValueError, "must hold one row or n_samples=3. Got 2"),
        (FRAME[["city"]][1:4].assign(cty=1), ValueError, "column 'cty' that was not in the training table. Did you"),
        (FRAME.to_numpy()[:3, :4], ValueError, "4 columns without names"),
        ("city", TypeError, "`given` parameter of sample must be a dict or a table"),
        (["city"], TypeError, "`given` parameter of sample must be a dict or a table"),
        (7, TypeError, "`given` parameter of sample must be a dict or a table"),
    ],
    ids=str,
)
@pytest.mark.filterwarnings("error")  # an error alone tells what is wrong
def test_bad_given_cells(model, given, error, message):
    with pytest.raises(error, match="(?s)" + message):
        model.sample(3, given=given)


def test_rare_levels_are_drawn_only_if_asked():
    word = ["rare"] * 5 + ["a"] * 200 + ["b"] * 95
    frame = pd.DataFrame({"word": word, "real": np.sin(np.arange(300))})
    model = fit(frame)
    assert set(model.sample(3000, random_state=0)["word"]) == {"a", "b"}
    assert set(model.sample(3000, rare=True, random_state=0)["word"]) == {"a", "b", "rare"}
    assert set(model.sample(5, given={"word": "rare"}, random_state=0)["word"]) == {"rare"}
    levels = pd.DataFrame({"word": [f"w{i % 20}" for i in range(100)], "real": np.sin(np.arange(100))})
    assert len(set(fit(levels).sample(500, random_state=0)["word"])) > 10  # all are rare, so none is left out


def test_stamps_of_whole_hours_are_filled_and_drawn_in_whole_hours():
    hour = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.random.default_rng(0).integers(0, 9000, N), unit="h")
    frame = pd.DataFrame({"hour": hour, "real": VECTORS[:, 0]})
    model = fit(frame)
    gaps = frame.assign(hour=frame["hour"].where(frame.index % 2 == 0))
    for made in (model.impute(gaps), model.impute(gaps, n_draws=1)[0], model.sample(100, random_state=0)):
        assert (made["hour"] == made["hour"].dt.floor("h")).all()


def test_the_level_other_is_never_written():
    word = np.where(np.arange(400) % 2, "top", [f"w{i % 40}" for i in range(400)])
    frame = pd.DataFrame({"word": word, "real": np.sin(np.arange(400))})
    model = fit(frame, max_levels=5)
    gaps = frame.assign(word=frame["word"].where(np.arange(400) % 3 > 0))
    assert model.schema_.used_columns[0].n_rare > 0
    assert model.levels("word")[0] == "top"
    assert len(model.levels("word")) == 5
    for filled in (model.impute(gaps), *model.impute(gaps, n_draws=2, random_state=0)):
        assert_filled(gaps, filled)
        assert set(filled.loc[gaps["word"].isna(), "word"]) <= set(model.levels("word"))
    for drawn in (model.sample(300, random_state=0), model.sample(300, rare=True, random_state=0)):
        assert set(drawn["word"]) <= set(model.levels("word"))
    proba = model.predict_proba(frame, "word")
    assert proba.shape == (400, 5)
    np.testing.assert_allclose(proba.sum(1), 1)
    assert set(model.predict(frame, "word")) <= set(model.levels("word"))
    with pytest.raises(ValueError, match="none of its levels"):
        model.sample(2, given={"word": "w38"})


# ------------------------------------------------------------------------------------------------ predict


@pytest.mark.parametrize("name", ["city", "flag", "grade", "whole", "visits"])
def test_probabilities_are_in_the_order_of_the_levels(model, name):
    proba, levels = model.predict_proba(FRAME, name), model.levels(name)
    assert proba.shape == (N, len(levels))
    np.testing.assert_allclose(proba.sum(1), 1, rtol=1e-12)
    assert (proba >= 0).all()
    likeliest = [levels[k] for k in proba.argmax(1)]
    assert model.predict(FRAME, name, statistic="mode").tolist() == likeliest
    assert {type(value) for value in levels} == {type(value) for value in FRAME[name].dropna()} or name in (
        "whole",
        "visits",
    )


@pytest.mark.parametrize("name", ["city", "real", "day", "flag", "whole", "span", "price"])
def test_a_prediction_does_not_look_at_its_column(model, name):
    found = model.predict(FRAME, name)
    assert found.shape == (N,)
    np.testing.assert_array_equal(model.predict(FRAME.drop(columns=name), name), found)
    np.testing.assert_array_equal(model.predict(FRAME.assign(**{name: FRAME[name].iloc[::-1].to_numpy()}), name), found)
    kinds = {"day": "M", "span": "m", "flag": "b", "city": "U"}
    assert found.dtype.kind == kinds.get(name, "f")
    dtype = "boolean" if name == "flag" else FRAME[name].dtype
    filled = model.impute(FRAME.assign(**{name: pd.Series([None] * N, FRAME.index, dtype=dtype)}))[name]
    median = model.predict(FRAME, name, statistic="median")
    assert (filled.to_numpy() == median.astype(filled.to_numpy().dtype)).all()


def test_predict_without_a_column_finds_outliers(model, plain):
    assert set(model.predict(FRAME)) <= {-1, 1}
    np.testing.assert_array_equal(model.predict(FRAME), np.where(model.decision_function(FRAME) >= 0, 1, -1))
    for X in (GAPS.tolist(), torch.from_numpy(GAPS)):
        np.testing.assert_allclose(plain.predict(X, 0), plain.predict(GAPS, 0))
    assert model.predict({"real": 8.0}, "city").shape == (1,)


def test_dates_with_few_values_are_levels():
    day = pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(N) % 3, "D")
    model = fit(pd.DataFrame({"day": day, "real": VECTORS[:, 0]}))
    assert [str(level) for level in model.levels("day")] == [f"2020-01-0{k} 00:00:00" for k in (1, 2, 3)]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda model: model.predict(FRAME, "cty"), "TableAE does not predict the column 'cty'. Did you mean 'city'?"),
        (lambda model: model.predict(FRAME, "id"), "column 'id': it was left out of training as identifier \\("),
        (lambda model: model.predict(FRAME, "fixed"), r"left out of training as constant \(it has one value\)"),
        (
            lambda model: model.predict(FRAME, "real", statistic="max"),
            "`statistic` parameter of predict must be one of",
        ),
        (lambda model: model.predict(FRAME.drop(columns=["city", "real"]), "city"), "It lacks 'real'"),
        (
            lambda model: model.predict_proba(FRAME, "price"),
            "'price' has no levels: it holds heavy_tailed numbers in bins",
        ),
        (lambda model: model.levels("real"), r"no levels: it holds real numbers in bins. Use predict\(X, 'real'\)"),
        (lambda model: model.levels("cty"), "Did you mean 'city'"),
        (
            lambda model: model.impute(FRAME, statistic="best"),
            "`statistic` parameter of impute must be one of 'median'",
        ),
        (lambda model: model.impute(FRAME, n_draws=0), "`n_draws` parameter of impute must be an int in the range"),
        (lambda model: model.impute(FRAME.drop(columns="real")), "It lacks 'real'"),
        (lambda model: model.impute(FRAME[:0]), r"Found array with 0 sample\(s\)"),
        (lambda model: model.impute(FRAME.assign(real=np.inf)), "column 'real' .* holds infinity"),
        (lambda model: model.surprise(FRAME.assign(real=-np.inf)), "column 'real' .* holds infinity"),
        (lambda model: model.impute(np.zeros((3, 8, 8))), r"must be a table \(n, d\). Got shape \(3, 8, 8\)"),
        (
            lambda model: model.impute(pd.concat([FRAME, FRAME[["city"]]], axis=1)),
            "'city' stands above several columns",
        ),
        (lambda model: model.sample(0), "`n_samples` parameter of sample must be an int in the range"),
        (
            lambda model: model.sample(2, temperature=0),
            "`temperature` parameter of sample must be a float in the range",
        ),
        (lambda model: model.sample(2, noise=False), "`noise` parameter of sample must be None or True"),
        (lambda model: model.sample(2, last=["cty"]), "Did you mean 'city'"),
        (lambda model: model.stream(FRAME, method="impute"), "`method` parameter of stream must be one of"),
    ],
)
def test_bad_arguments(model, call, message):
    with pytest.raises(ValueError, match="(?s)" + message):
        call(model)


# ------------------------------------------------------------------------------------------------ strange cells, codes


def test_surprise_has_the_form_of_x_and_is_missing_where_cells_are(model, plain):
    found = model.surprise(FRAME)
    used = FRAME.drop(columns=["id", "fixed"])
    assert list(found.columns) == list(used.columns)
    assert found.index.equals(FRAME.index)
    assert found.isna().equals(used.isna())
    params = model.module().decode_own(model.prepare(FRAME)).detach()
    city = list(model.schema_.columns).index("city")
    p = model.model_.likelihood.level_probs(params, city).double().numpy()
    levels = model.levels("city")
    for i in np.flatnonzero(FRAME["city"].notna())[:9]:
        k = levels.index(FRAME["city"].iloc[i])
        share = (FRAME["city"] == levels[k]).sum() / FRAME["city"].notna().sum()
        odds = np.log(share) + np.log(1 - p[i, k]) - np.log(p[i, k])
        assert found["city"].iloc[i] == pytest.approx(odds, rel=1e-4, abs=1e-4)
    assert plain.surprise(GAPS).shape == GAPS.shape
    assert np.isnan(plain.surprise(GAPS)[np.isnan(GAPS)]).all()


def test_codes_cannot_be_decoded(model):
    assert model.transform(FRAME).shape == (N, 16)
    for name in ("inverse_transform", "traverse", "interpolate", "fit_sampler", "denoise"):
        assert not hasattr(model, name)
    assert not model.model_.decodes_codes
    assert TableAE.transform(model, FRAME[:1]).shape == (1, 16)


def test_a_reconstruction_is_the_prediction_of_each_column(model):
    result = model.reconstruct(FRAME)
    for name in ("city", "flag"):
        assert result[name].tolist() == model.predict(FRAME, name).tolist()
    np.testing.assert_allclose(result["real"], model.predict(FRAME, "real"), rtol=1e-6)


def test_the_score_is_the_sum_over_cells_in_the_users_units(model):
    entries = model.score_entries(FRAME)
    np.testing.assert_allclose(entries.sum(axis=1), model.score_samples(FRAME), rtol=1e-6)
    for name, probs in {
        "city": model.predict_proba(FRAME, "city"),
        "visits": model.predict_proba(FRAME, "visits"),
    }.items():
        levels = model.levels(name)
        known = np.flatnonzero(FRAME[name].notna())[:20]
        nats = [np.log(probs[i, levels.index(FRAME[name].iloc[i])]) for i in known]
        np.testing.assert_allclose(entries[name].iloc[known], nats, rtol=1e-3, atol=2e-4)


def test_new_rows_are_as_usual_as_held_out_ones():
    """5 % of new rows are outliers, as the threshold promises, also where each training row is a number of its own."""

    def make(n: int, seed: int) -> np.ndarray:
        rng = np.random.default_rng(seed)
        return rng.normal(size=(n, 1)) + 0.5 * rng.normal(size=(n, 4))

    model = TableAE(32, n_blocks=1, max_epochs=30, random_state=0, device="cpu").fit(make(1000, 0))
    new = make(2000, 1)
    assert np.mean(model.predict(new) == -1) < 0.1
    assert model.score(new) > model.score(make(1000, 0)) - 2
    new[:, 3] += 20
    assert (model.predict(new) == -1).all()


# ------------------------------------------------------------------------------------------------ small and odd tables


def check_all(model: TableAE, X: np.ndarray) -> None:
    """All methods give finite results on X and on a copy with gaps."""
    gaps = X.astype(float).copy()
    gaps[::2, 0] = np.nan
    assert np.isfinite(model.transform(X)).all()
    assert np.isfinite(model.score_samples(X)).all()
    assert np.isfinite(model.reconstruct(X)).all()
    assert np.isfinite(model.decision_function(gaps)).all()
    assert np.isfinite(model.impute(gaps)).all()
    assert np.isfinite(model.impute(gaps, n_draws=1, random_state=0)[0]).all()
    assert np.isfinite(model.sample(4, random_state=0)).all()
    assert np.isfinite(model.surprise(X)[:, [column.is_used for column in model.schema_.table.columns]]).all()


@pytest.mark.parametrize(
    "X",
    [
        VECTORS[:, :1],
        VECTORS[:2],
        VECTORS[:3],
        np.c_[np.full(N, 3.0), VECTORS],
        1e80 * VECTORS,
        1e-9 * VECTORS,
        1e12 + VECTORS,
        2**53 + np.rint(1000 * VECTORS).astype(np.int64),
        VECTORS > 0,
        np.rint(VECTORS).astype(np.int8),
        np.exp(20 * VECTORS),
        np.random.default_rng(0).normal(size=(30, 60)),
        pytest.param(np.random.default_rng(0).normal(size=(60, 300)), marks=pytest.mark.slow),
    ],
    ids=[
        "one column",
        "two rows",
        "three rows",
        "a constant column",
        "huge",
        "tiny",
        "far",
        "near 2 ** 53",
        "bool",
        "int8",
        "heavy-tailed",
        "60 columns",
        "300 columns",
    ],
)
def test_odd_tables(X):
    model = fit(X, max_epochs=1)
    check_all(model, X)
    scale = np.abs(X.astype(float)).max()
    assert np.abs(model.impute(np.full((1, X.shape[1]), np.nan))).max() <= scale  # within the training range
    filled = model.impute(X.astype(float))
    np.testing.assert_array_equal(filled, X.astype(float))


def test_tiny_numbers_are_not_rounded_away():
    model = fit(1e-9 * VECTORS, max_epochs=1)
    assert np.unique(model.sample(50, random_state=0)[:, 0]).size > 20
    assert all(column.step == 0 for column in model.schema_.used_columns)
    rounded = fit(np.round(VECTORS, 2), max_epochs=1).sample(50, random_state=0)
    np.testing.assert_array_equal(np.round(rounded, 2), rounded)


def test_a_column_with_one_or_two_values_and_gaps():
    one, two = (np.where(np.arange(N) < n, 1.5 + np.arange(N), np.nan) for n in (1, 2))
    constant = fit(np.c_[one, VECTORS])
    assert "0 (constant: it has one value)" in str(constant.report_)
    assert (constant.impute(np.c_[one, VECTORS])[:, 0] == 1.5).all()
    model = fit(np.c_[two, VECTORS])
    filled = model.impute(np.c_[two, VECTORS])[:, 0]
    assert ((filled >= 1.5) & (filled <= 2.5)).all()
    assert np.isfinite(model.score_samples(np.c_[two, VECTORS])).all()
    assert np.isnan(model.sample(100, random_state=0)[:, 0]).mean() > 0.5
    empty = fit(np.c_[np.full(N, np.nan), VECTORS])
    assert np.isnan(empty.impute(np.c_[one, VECTORS])[1:, 0]).all()  # nothing is known about it


def test_rows_without_any_value(plain):
    X = np.full((2, 3), np.nan)
    np.testing.assert_array_equal(plain.score_samples(X), 0)
    assert np.isfinite(plain.transform(X)).all()
    filled = plain.impute(X)
    assert np.isfinite(filled).all()
    np.testing.assert_array_equal(filled[0], filled[1])
    model = fit(np.r_[GAPS, X])
    assert np.isfinite(model.impute(X)).all()


def test_an_unseen_level_is_kept_and_has_a_score(model):
    new = FRAME.assign(city="new")
    with pytest.warns(UserWarning, match=r"not seen in training, in 'city' \('new'\)"):
        filled = model.impute(new)
    assert (filled["city"] == "new").all()
    with pytest.warns(UserWarning, match="not seen in training"):
        nats = model.score_entries(new)["city"]
    np.testing.assert_allclose(nats, np.log(1e-4), rtol=1e-5)


def test_other_columns_and_another_order_do_not_matter(plain, model):
    wide = FRAME.assign(more=1)
    order = list(reversed(wide.columns))
    expected = model.impute(FRAME)
    pd.testing.assert_frame_equal(model.impute(wide[order])[list(FRAME.columns)], expected)
    np.testing.assert_array_equal(plain.impute(np.asfortranarray(GAPS)), plain.impute(GAPS))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.zeros((20, 8, 8)), ValueError, r"must be a table, rows and columns \(n, d\), or a data frame. Got \(20, 8"),
        (np.zeros((20, 8, 8, 3)), ValueError, r"must be a table, rows and columns \(n, d\)"),
        (torch.zeros(20, 3, 8, 8), ValueError, r"must be a table, rows and columns \(n, d\)"),
        (VECTORS[:, 0], ValueError, "Reshape your data"),
        (VECTORS + 1j, ValueError, "Complex data not supported"),
        (VECTORS[:1], ValueError, r"1 sample\(s\) .* minimum of 2"),
        (VECTORS[:0], ValueError, r"0 sample\(s\)"),
        (VECTORS[:, :0], ValueError, r"0 feature\(s\)"),
        ([[1.0, 2.0], [3.0]], ValueError, "examples of 2 shapes"),
        (np.full((20, 3), 3.0), ValueError, "has no column to learn from: 0 is constant"),
        (np.full((20, 3), np.nan), ValueError, "has no column to learn from: 0 is constant"),
        (np.where(VECTORS > 2, np.inf, VECTORS), ValueError, "holds infinity"),
        (1e200 * VECTORS, ValueError, "whose squares are too large"),
        (pd.DataFrame(VECTORS, columns=["a", "b", "a"]), ValueError, "'a' stands above several columns"),
        (pd.DataFrame({"a": [1, "x", 2.5, None] * 10, "b": range(40)}), ValueError, "values of several types"),
        (pd.DataFrame({"a": [[1, 2]] * 10, "b": range(10)}), TypeError, "holds list objects"),
        (pd.Series([1.0, 2.0]), ValueError, "Reshape your data"),
    ],
)
def test_bad_tables(X, error, message):
    with pytest.raises(error, match="(?s)" + message):
        fit(X)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"n_components": 0}, "`n_components` parameter of TableAE must be an int in the range"),
        ({"n_components": None}, "`n_components` parameter of TableAE must be an int"),
        ({"n_bins": 1}, r"`n_bins` parameter of TableAE must be an int in the range \[2, 1000\]"),
        ({"n_blocks": -1}, "`n_blocks` parameter"),
        ({"dropout": 1.0}, r"`dropout` parameter of TableAE must be a float in the range \[0, 1\)"),
        ({"mask_rate": 0.5}, r"`mask_rate` parameter of TableAE must be 'auto' or a pair \(low, high\) of shares"),
        ({"mask_rate": (0.6, 0.2)}, "`mask_rate` parameter of TableAE"),
        ({"mask_rate": (0, 2)}, "`mask_rate` parameter of TableAE"),
        ({"mask_rate": "low"}, "`mask_rate` parameter of TableAE"),
    ],
)
def test_bad_parameters(parameters, message):
    with pytest.raises(ValueError, match=message):
        fit(VECTORS, **parameters)


@pytest.mark.parametrize(
    "parameters", [{"mask_rate": [0, 1]}, {"mask_rate": (0.0, 0.0)}, {"n_blocks": 0}, {"n_bins": 2}]
)
def test_ends_of_the_ranges_of_parameters(parameters):
    assert np.isfinite(fit(GAPS, max_epochs=1, **parameters).impute(GAPS)).all()


def test_an_unfitted_model_says_so():
    for call in (
        lambda model: model.impute(GAPS),
        lambda model: model.sample(),
        lambda model: model.predict(GAPS, 0),
        lambda model: model.predict_proba(GAPS, 0),
        lambda model: model.levels(0),
        lambda model: model.surprise(GAPS),
        lambda model: model.transform(GAPS),
    ):
        with pytest.raises(NotFittedError):
            call(TableAE())


# ------------------------------------------------------------------------------------------------ scikit-learn, folders


def test_tools_of_scikit_learn():
    search = GridSearchCV(TableAE(**FAST), {"n_components": [8, 16], "mask_rate": ["auto", (0, 1)]}, cv=2).fit(GAPS)
    assert set(search.best_params_) == {"n_components", "mask_rate"}
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    pipeline = make_pipeline(StandardScaler(), TableAE(**FAST)).fit(GAPS)
    assert pipeline.transform(GAPS).shape == (N, 16)
    assert pipeline.predict(GAPS, column=0).shape == (N,)
    frame = pd.DataFrame(GAPS, columns=["a", "b", "c"])
    model = clone(TableAE(**FAST)).set_output(transform="pandas").fit(frame)
    codes = model.transform(frame)
    assert list(codes.columns) == [f"tableae{i}" for i in range(16)]
    assert codes.index.equals(frame.index)
    assert list(model.feature_names_in_) == ["a", "b", "c"]


def test_a_saved_model_gives_the_same(model, tmp_path):
    model.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model", device="cpu")
    assert again.schema_ == model.schema_
    pd.testing.assert_frame_equal(again.impute(FRAME), model.impute(FRAME))
    pd.testing.assert_frame_equal(again.sample(9, random_state=0), model.sample(9, random_state=0))
    pd.testing.assert_frame_equal(again.surprise(FRAME), model.surprise(FRAME))
    np.testing.assert_array_equal(again.predict_proba(FRAME, "city"), model.predict_proba(FRAME, "city"))
    for one, two in zip(
        model.impute(FRAME, n_draws=2, random_state=5), again.impute(FRAME, n_draws=2, random_state=5), strict=True
    ):
        pd.testing.assert_frame_equal(one, two)


def test_no_warning_of_gaps_that_it_is_made_for():
    model = fit(VECTORS, max_epochs=1)
    assert np.isfinite(model.impute(GAPS)).all()  # a warning is an error in tests
    assert np.isfinite(model.transform(GAPS)).all()
