"""TableImputer in the tools of scikit-learn: form of the result, pipelines, searches, and saved folders."""

import pickle
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.utils.estimator_checks import parametrize_with_checks
from table_cases import people

import narrows
from narrows import AE, TableAE
from narrows.tasks import TableImputer, imputation

TABLE, TEST = people(), people(40, seed=1)
USED = [name for name in TABLE.columns if name not in ("person", "country")]
OLD = np.where(TABLE["age"] > 50, "old", "young")


def tiny(n_components: int = 16) -> TableAE:
    return TableAE(n_components, max_epochs=2, random_state=0, device="cpu")


@pytest.fixture(scope="module")
def imputer() -> TableImputer:
    return TableImputer(tiny()).fit(TABLE)


@pytest.mark.slow
@parametrize_with_checks([TableImputer(TableAE(8, max_epochs=1, random_state=0))])
def test_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


def test_gaps_are_filled_and_all_else_stays(imputer: TableImputer):
    filled = imputer.transform(TEST)
    assert not filled[USED].isna().any().any()
    pd.testing.assert_frame_equal(filled.where(TEST.notna()), TEST)
    assert filled.dtypes.equals(TEST.dtypes)
    assert imputer.get_feature_names_out().tolist() == list(TABLE.columns) == imputer.feature_names_in_.tolist()
    pd.testing.assert_frame_equal(filled, imputer.estimator_.impute(TEST))
    assert narrows.tasks.TableImputer is imputation.TableImputer


def test_columns_come_in_the_order_of_the_training(imputer: TableImputer):
    moved = TEST[TEST.columns[::-1]].assign(more=1)
    pd.testing.assert_frame_equal(imputer.transform(moved), imputer.transform(TEST))
    with pytest.raises(ValueError, match=r"must have the columns that it was fitted on. It lacks 'job'"):
        imputer.transform(TEST.drop(columns="job"))


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries(library: str):
    frames = pytest.importorskip(library)
    X = frames.from_pandas(TABLE) if library == "polars" else frames.Table.from_pandas(TABLE, preserve_index=False)
    filled = TableImputer(tiny()).fit_transform(X)
    assert type(filled) is type(X)
    assert filled.shape == X.shape
    back = filled.to_pandas()
    assert not back[USED].isna().any().any()
    if library == "polars":
        empty = X.with_columns(job=frames.lit(None))
    else:
        empty = X.set_column(X.column_names.index("job"), "job", frames.nulls(len(TABLE)))
    jobs = TableImputer(tiny()).fit(X).transform(empty)["job"]
    assert set(jobs.to_list() if library == "polars" else jobs.to_pylist()) <= {"clerk", "cook", "=nurse"}


def test_a_column_without_a_value_and_a_category_that_is_absent(imputer: TableImputer):
    filled = imputer.transform(TEST.assign(job=np.nan, since=np.nan, height=np.nan))
    assert set(filled["job"]) <= {"clerk", "cook", "=nurse"}
    assert filled["since"].dtype.kind == "M"
    assert filled[USED].notna().all().all()
    only_cooks = TEST["job"].where(TEST["job"] == "cook").astype("category")
    filled = imputer.transform(TEST.assign(job=only_cooks))
    assert filled["job"].notna().all()
    assert set(filled["job"].dtype.categories) > {"cook"}
    assert (filled["job"][only_cooks.notna()] == "cook").all()


def test_rows_without_gaps_are_enough_to_learn_from():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        imputer = TableImputer(tiny()).fit(TABLE.dropna())
        assert imputer.transform(TEST)[USED].notna().all().all()
    array = TABLE[["age", "children"]].to_numpy(float)
    holes = np.where(np.random.default_rng(0).random(array.shape) < 0.2, np.nan, array)
    filled = TableImputer(tiny()).fit(array).transform(holes)
    assert type(filled) is np.ndarray
    np.testing.assert_array_equal(filled[~np.isnan(holes)], array[~np.isnan(holes)])
    assert not np.isnan(filled).any()


def test_pipelines_and_searches():
    X = TABLE.drop(columns=["person", "since", "old"]).astype({"job": "category", "country": "category"})
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", max_iter=10, random_state=0)
    pipeline = Pipeline([("impute", TableImputer(tiny())), ("model", model)])
    assert cross_val_score(pipeline, X, OLD, cv=2, error_score="raise").mean() > 0.9  # it sees the age
    grid = {"impute__estimator__n_components": [8, 16], "impute__statistic": ["mode"]}
    search = GridSearchCV(pipeline, grid, cv=2, error_score="raise").fit(X, OLD)
    assert set(search.predict(X)) == {"old", "young"}
    alone = GridSearchCV(TableImputer(tiny()), {"estimator__n_components": [8, 16]}, cv=2, error_score="raise").fit(X)
    assert alone.best_estimator_.score(X) == pytest.approx(alone.best_estimator_.estimator_.score(X))


def test_set_output():
    array = TABLE[["age", "height"]].to_numpy(float)
    filled = TableImputer(tiny()).set_output(transform="pandas").fit_transform(array)
    assert list(filled.columns) == ["x0", "x1"]
    assert filled.notna().all().all()
    again = clone(TableImputer(tiny(), statistic="mean")).set_output(transform="pandas").fit_transform(TABLE)
    assert again.index.equals(TABLE.index)
    assert again.dtypes.equals(TABLE.dtypes)


def test_saved_and_loaded(imputer: TableImputer, tmp_path):
    other = TableImputer(imputer.estimator_, statistic="mean").fit(TABLE)
    assert other.estimator_ is imputer.estimator_  # a fitted one is used as it is
    assert TableImputer(FrozenEstimator(imputer.estimator_)).fit(TABLE).estimator_ is imputer.estimator_
    other.save(tmp_path / "m")
    expected = other.transform(TEST)
    for loaded in (narrows.load(tmp_path / "m"), TableImputer.load(tmp_path / "m"), pickle.loads(pickle.dumps(other))):
        assert (type(loaded), loaded.statistic) == (TableImputer, "mean")
        pd.testing.assert_frame_equal(loaded.transform(TEST), expected)
        assert loaded.feature_names_in_.tolist() == list(TABLE.columns)
    assert clone(TableImputer.load(tmp_path / "m")).fit(TABLE).transform(TEST).shape == TEST.shape
    imputer.estimator_.save(tmp_path / "t")
    assert TableImputer.load(tmp_path / "t").statistic == "median"
    assert "TableImputer" in (tmp_path / "m" / "README.md").read_text()
    AE(2, hidden=(8,), max_epochs=1).fit(TABLE).save(tmp_path / "ae")
    with pytest.raises(ValueError, match=r"Only a TableAE fills gaps. .* recipe 'ae'"):
        TableImputer.load(tmp_path / "ae")


def test_wrong_arguments():
    with pytest.raises(TypeError, match=r"must be a TableAE, fitted or not, or None: .* Got AE instead"):
        TableImputer(AE(2)).fit(TABLE)
    with pytest.raises(ValueError, match=r"`statistic` parameter of TableImputer must be one of"):
        TableImputer(tiny(), statistic="average").fit(TABLE)
    with pytest.raises(NotFittedError):
        TableImputer().transform(TABLE)


def test_a_wrong_name_among_given_cells(imputer: TableImputer):
    with pytest.raises(ValueError, match=r"does not predict the column 'jobb'. Did you mean 'job'"):
        imputer.estimator_.sample(2, given={"jobb": "cook"})
    assert set(imputer.estimator_.sample(2, given={"job": "cook"})["job"]) == {"cook"}
