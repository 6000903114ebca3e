"""The outlier detector on tables of words, dates and gaps."""

import warnings

import numpy as np
import pandas as pd
import pytest

from narrows import AE
from narrows.tasks import OutlierDetector
from narrows.tasks.outliers import reasons


def make_frame(n: int = 400, seed: int = 0) -> pd.DataFrame:
    """People whose income follows from their age, and whose plan follows from their age, too."""
    rng = np.random.default_rng(seed)
    age = rng.integers(20, 70, n)
    income = 100.0 * age + rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "person": [f"id-{i:05d}" for i in range(n)],
            "age": age,
            "income": np.where(rng.random(n) < 0.05, np.nan, income),
            "plan": np.where(age < 40, "young", np.where(age < 55, "middle", "old")),
            "since": pd.Timestamp("2021-01-01") + pd.to_timedelta(rng.integers(0, 500, n), unit="D"),
            "country": "DE",
        }
    )
    return frame.set_index(pd.Index([f"row {i}" for i in range(n)], name="key"))


@pytest.fixture(scope="module")
def detector() -> OutlierDetector:
    return OutlierDetector(max_iter=300, random_state=0).fit(make_frame())


def test_the_explanation_is_a_frame_of_the_user_that_sums_to_the_score(detector):
    frame = make_frame(50, seed=1)
    nats = detector.explain(frame)
    assert list(nats.columns) == ["age", "income", "plan", "since", "country"]
    assert nats.index.equals(frame.index)
    np.testing.assert_allclose(nats.sum(axis=1), detector.score_samples(frame), rtol=1e-6)
    polars = pytest.importorskip("polars")
    other = detector.explain(polars.from_pandas(frame.reset_index(drop=True)))
    assert isinstance(other, polars.DataFrame)
    np.testing.assert_allclose(other.to_numpy(), nats, rtol=1e-6, atol=1e-9)


def test_reasons_name_the_column_the_value_found_and_the_value_expected(detector):
    frame = make_frame(50, seed=1)
    strange = frame.iloc[:3].copy()
    strange["age"] = [25, 60, 30]
    strange["income"] = [2500.0, 1000.0, 3000.0]
    strange["plan"] = ["old", "old", "young"]
    result = reasons(detector, strange, 1)
    assert result.score[2] > max(result.score[:2])
    assert list(result.outlier[:2]) == [True, True]
    assert result.names[1, 0] in ("income", "age")
    by_name = reasons(detector, strange.iloc[:1], 5)
    k = list(by_name.names[0]).index("plan")
    assert (by_name.found[0, k], by_name.expected[0, k]) == ("old", "young")


def test_a_new_value_in_a_column_of_one_value_or_of_words_is_strange(detector):
    usual = make_frame(20, seed=2)
    for column, value in (("country", "FR"), ("plan", "never seen")):
        bad = usual.assign(**{column: value})
        with pytest.warns(UserWarning, match=f"not seen in training, in '{column}'"):
            scores = detector.score_samples(bad)
        assert (scores < detector.score_samples(usual)).all()
        assert (detector.predict(usual) == 1).mean() > 0.7
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            assert (detector.explain(bad).idxmin(axis=1) == column).mean() > 0.9


def test_it_is_saved_with_its_table(detector, tmp_path):
    frame = make_frame(30, seed=3)
    detector.save(tmp_path / "d")
    loaded = OutlierDetector.load(tmp_path / "d")
    np.testing.assert_array_equal(loaded.score_samples(frame), detector.score_samples(frame))
    assert list(loaded.feature_names_in_) == list(frame.columns)
    pd.testing.assert_frame_equal(loaded.explain(frame), detector.explain(frame))
    pd.testing.assert_frame_equal(loaded.reconstruct(frame), detector.reconstruct(frame))


def test_columns_are_taken_by_name_and_others_ignored(detector):
    frame = make_frame(30, seed=4)
    moved = frame[["since", "plan", "country", "income", "age"]].assign(other=1)
    np.testing.assert_array_equal(detector.score_samples(moved), detector.score_samples(frame))
    with pytest.raises(ValueError, match="lacks 'plan'"):
        detector.score_samples(frame.drop(columns="plan"))
    with pytest.raises(ValueError, match=r"'income'.* infinity"):
        detector.score_samples(frame.assign(income=np.inf))


def test_an_array_with_gaps():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4))
    X[:, 3] = X[:, 0]
    X[rng.random(X.shape) < 0.05] = np.nan
    detector = OutlierDetector(max_iter=200, random_state=0).fit(X)
    scores = detector.score_samples(X)
    assert np.isfinite(scores).all()
    assert detector.explain(X).shape == X.shape
    far = np.array([[9.0, 0.0, np.nan, -9.0]])
    assert detector.predict(far) == -1
    with pytest.raises(ValueError, match="infinity"):
        detector.score_samples(np.array([[np.inf, 0, 0, 0]]))


def test_reasons_of_an_autoencoder_for_a_table():
    frame = make_frame()
    model = AE(3, hidden=(32,), max_epochs=30, random_state=0).fit(frame)
    strange = frame.iloc[:4].copy()
    strange.loc[strange.index[0], "plan"] = "old" if strange["plan"].iloc[0] == "young" else "young"
    result = reasons(model, strange, 2)
    assert result.names.shape == (4, 2)
    assert set(result.names.ravel()) <= {"age", "income", "plan", "since"}
    assert np.isfinite(result.nats).all()


def test_a_gap_makes_no_row_strange(detector):
    frame = make_frame(200, seed=5)
    full = frame[frame["income"].notna()]
    usual = detector.score_samples(full)
    for column in ("income", "plan"):
        without = detector.score_samples(full.assign(**{column: None}))
        assert np.isfinite(without).all()
        assert (without < detector.offset_).mean() < 0.2
        assert np.median(without) > np.median(usual) - 1


def test_numbers_are_taken_by_name_from_any_container():
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 3)), columns=list("abc"))
    detector = OutlierDetector(max_iter=10, random_state=0).fit(frame)
    usual = detector.score_samples(frame)
    np.testing.assert_allclose(detector.score_samples(frame[list("cba")].assign(word="w")), usual)
    np.testing.assert_allclose(detector.score_samples(frame.iloc[3].to_dict()), usual[3:4], atol=1e-6)
    with pytest.raises(ValueError, match="It lacks 'b'; it has 'a', 'c'"):
        detector.score_samples(frame[["a", "c"]])


def test_masked_entries_are_gaps():
    X = np.random.default_rng(0).normal(size=(100, 3))
    masked = np.ma.masked_array(X, mask=X > 1.5)
    first, second = (OutlierDetector(max_iter=10, random_state=0).fit(data) for data in (masked, masked.filled(np.nan)))
    np.testing.assert_array_equal(first.score_samples(masked), second.score_samples(masked.filled(np.nan)))
