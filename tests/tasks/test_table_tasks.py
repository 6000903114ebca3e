"""Tasks on tables with words, dates and gaps, and on arrays with missing entries."""

import json
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from table_cases import SMALL, fit, people

from narrows import AE, VAE, MapAE, cluster
from narrows.data import count_entries, row_labels, take_rows
from narrows.likelihoods import Mixed
from narrows.tasks import Classifier, Index, Regressor
from narrows.tasks.sweep import sweep

TABLE, TEST = people(), people(40, seed=1)
OLD = np.where(TABLE["age"] > 50, "old", "young")


# ------------------------------------------------------------------------------------------------ labels


@pytest.mark.parametrize("method", ["probe", "spread", "fine-tune", "joint"])
def test_classes_of_rows(method: str):
    y = OLD.astype(object)
    if method != "probe":
        y[::2] = None
    encoder = (VAE if method == "joint" else AE)(3, max_time=1, **SMALL)
    model = Classifier(encoder, method=method, random_state=0).fit(TABLE, y)
    probabilities = model.predict_proba(TEST)
    assert np.isfinite(probabilities).all()
    assert probabilities.sum(1) == pytest.approx(1, abs=1e-5)
    assert set(model.predict(TEST)) <= {"old", "young"}
    assert list(model.feature_names_in_) == list(TABLE.columns)
    shuffled = TEST[TEST.columns[::-1]].assign(more=1)
    np.testing.assert_array_equal(model.predict(shuffled), model.predict(TEST))


def test_numbers_of_rows():
    y = TABLE["age"].to_numpy() * 2.0
    y[:100] = np.nan
    for method in ("spread", "fine-tune"):
        model = Regressor(AE(4, max_time=2, **{**SMALL, "max_epochs": 30}), method=method, random_state=0).fit(TABLE, y)
        predicted = model.predict(TEST)
        assert np.isfinite(predicted).all()
        assert np.corrcoef(predicted, TEST["age"])[0, 1] > 0.5


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_in_the_tools_of_scikit_learn(library: str):
    X: Any = TABLE
    if library == "polars":
        X = pytest.importorskip("polars").from_pandas(TABLE)
    classifier = Classifier(AE(2, **SMALL), random_state=0)
    assert np.isfinite(cross_val_score(classifier, X, OLD, cv=2, error_score="raise")).all()
    search = GridSearchCV(
        make_pipeline(classifier), {"classifier__encoder__n_components": [2, 3]}, cv=2, error_score="raise"
    )
    assert set(search.fit(X, OLD).predict(X)) <= {"old", "young"}
    frozen = Classifier(FrozenEstimator(fit("AE", X)))
    assert np.isfinite(cross_val_score(frozen, X, OLD, cv=2, error_score="raise")).all()


def test_default_size_of_the_code():
    records = TABLE.to_dict("records")
    assert count_entries(TABLE) == count_entries(records) == count_entries(TABLE.to_numpy()) == 9
    assert count_entries(np.zeros((2, 3, 4))) == 12
    model = Classifier(AE(2, **SMALL)).fit(records, OLD)
    assert set(model.predict(records)) <= {"old", "young"}


def test_classifier_and_infinity():
    tags = Classifier().__sklearn_tags__().input_tags
    assert tags.allow_nan
    assert tags.categorical
    bad = TABLE.assign(age=np.inf)
    for task in (Classifier(AE(2, **SMALL)), Regressor(AE(2, **SMALL))):
        y = OLD if isinstance(task, Classifier) else np.arange(len(OLD), dtype=float)
        with pytest.raises(ValueError, match="infinity"):
            task.fit(bad, y)
        with pytest.raises(ValueError, match="infinity"):
            task.fit(TABLE, y).predict(bad)


def test_classes_of_arrays_with_gaps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 4)) + np.repeat([[0.0], [4.0]], 50, axis=0)
    X[rng.random(X.shape) < 0.1] = np.nan
    model = Classifier(AE(2, **{**SMALL, "max_epochs": 20}), random_state=0).fit(X, np.repeat([0, 1], 50))
    assert model.score(X, np.repeat([0, 1], 50)) > 0.8


# ------------------------------------------------------------------------------------------------ search


def test_search_by_a_row(tmp_path: Any):
    model = fit("AE", TABLE)
    index = Index(model, metric="euclidean").add(TABLE, OLD)
    matches = index.search(TABLE[3:5], k=2)
    assert matches.rows[:, 0].tolist() == [3, 4]
    assert matches.keys is not None
    assert matches.keys[:, 0].tolist() == ["row3", "row4"]
    row = TABLE.iloc[3]
    for query in (row, row.to_dict(), [row.to_dict()], TABLE[3:4]):
        assert index.search(query, k=1).rows.tolist() == [[3]]
    index.save(tmp_path / "index")
    loaded = Index.load(tmp_path / "index", model).search(row, k=1)
    assert loaded.keys is not None
    assert loaded.keys.tolist() == [["row3"]]
    assert 0 <= index.evaluate(TEST, OLD[:40]).accuracy <= 1
    with pytest.raises(ValueError, match="infinity"):
        index.add(TEST.assign(age=np.inf))


def test_labels_of_rows():
    model = fit("AE", TABLE)
    plain = TABLE.reset_index(drop=True)
    assert row_labels(TABLE, model.schema_) == list(TABLE.index)
    assert row_labels(plain, model.schema_) == TABLE["person"].tolist()
    assert row_labels(plain.drop(columns="person"), model.schema_) is None
    assert row_labels(plain[1:].drop(columns="person"), model.schema_) == [str(i) for i in range(1, 160)]
    mixed = Index(model).add(TABLE).add(plain.drop(columns="person")[:2])
    assert mixed.keys is not None
    assert mixed.keys[-2:] == ["160", "161"]
    unnamed = Index(model).add(plain.drop(columns="person")).add(TABLE)
    assert unnamed.keys is None
    assert Index(model).add(plain, keys=[f"k{i}" for i in range(160)]).keys[0] == "k0"


# ------------------------------------------------------------------------------------------------ maps


def test_trust_in_rows_with_gaps():
    model = MapAE(**SMALL).fit(TABLE)
    assert np.isfinite(model.trust(TEST)).all()
    X = np.random.default_rng(0).normal(size=(100, 4))
    whole = MapAE(**SMALL).fit(X)
    X[0, 0] = np.nan
    with pytest.warns(UserWarning, match="missing"):
        trust = whole.trust(X)
    assert np.isfinite(trust).all()


# ------------------------------------------------------------------------------------------------ sweep


@pytest.mark.parametrize("model", [AE(**SMALL), VAE(**SMALL)])
def test_sweep_of_a_table(model: Any, tmp_path: Any):
    result = sweep(model, TABLE, sizes=(1, 4), test=TEST, folder=tmp_path / "sweep")
    assert result.mode == "warm"
    values = [value for r in result.results for value in (r["value"], r["low"], r["high"], r["mse"], r["pca_mse"])]
    assert np.isfinite(values).all()
    assert np.isfinite(result.baseline)
    assert result.results[1]["pca_mse"] < result.results[0]["pca_mse"]
    again = sweep(model, TABLE.copy(), sizes=(1, 4), test=TEST.copy(), folder=tmp_path / "sweep")
    assert again.results == result.results  # nothing was trained again
    other = TABLE.assign(job=TABLE["job"].replace("clerk", "smith"))
    with pytest.raises(ValueError, match="another sweep"):
        sweep(model, other, sizes=(1, 4), test=other[:40], folder=tmp_path / "sweep")
    with pytest.raises(ValueError, match="infinity"):
        sweep(model, TABLE, sizes=(1, 4), test=TEST.assign(age=np.inf))
    json.dumps(result.to_dict())


def test_baselines_of_a_table():
    model = fit("VAE", TABLE)
    rows = model.prepare(TABLE)
    likelihood = model.model_.likelihood
    assert isinstance(likelihood, Mixed)
    wide = likelihood.without_code(rows)
    age = [c.name for c in model.schema_.used_columns].index("age")
    gain = [c.name for c in model.schema_.used_columns].index("gain")
    numeric = likelihood.numeric.tolist()
    assert float(wide.variance[numeric.index(age)]) == pytest.approx(float(rows[:, age].var(correction=0)), rel=1e-4)
    amounts = rows[TABLE["gain"].to_numpy() != 0, gain]  # without the atom
    assert float(wide.variance[numeric.index(gain)]) == pytest.approx(float(amounts.var(correction=0)), rel=1e-3)
    assert float(likelihood.variance[numeric.index(age)]) != float(wide.variance[numeric.index(age)])


def test_sweep_of_an_array_with_gaps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6))
    X[rng.random(X.shape) < 0.05] = np.nan
    for model in (AE(**SMALL), VAE(**SMALL)):
        result = sweep(model, X, sizes=(1, 2))
        assert np.isfinite([r["value"] for r in result.results] + [r["pca_mse"] for r in result.results]).all()
        assert np.isfinite(result.baseline)


# ------------------------------------------------------------------------------------------------ Ray's worker


def test_batches_of_columns(tmp_path: Any):
    model = fit("AE", TABLE)
    model.save(tmp_path / "model")
    batch = {name: TEST[name].to_numpy() for name in TEST.columns}
    codes = cluster.Apply(tmp_path / "model", "transform")(batch)
    np.testing.assert_allclose(codes["code"], model.transform(TEST), atol=1e-5)
    result = cluster.Apply(tmp_path / "model", "reconstruct", keep=["person"])(batch)
    expected = model.reconstruct(TEST)
    assert list(result)[:2] == ["person", "reconstruction age"]
    assert result["reconstruction job"].tolist() == expected["job"].tolist()


def test_rows_of_arrow_tables():
    pyarrow = pytest.importorskip("pyarrow")
    table = pyarrow.Table.from_pandas(TABLE, preserve_index=False)
    for index in ([3, 1], np.array([3, 1]), slice(1, 4)):
        expected = TABLE.iloc[index]["age"].tolist()
        assert take_rows(table, index)["age"].to_pylist() == expected
    assert isinstance(take_rows(TABLE, [0]), pd.DataFrame)
