"""Measures of new rows of a table: known answers for copies, for independent rows, and for shuffled columns."""

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score
from table_cases import fit, people

import narrows
from narrows.evaluation import Evaluation
from narrows.evaluation.intervals import Resamples
from narrows.evaluation.new_rows import auc
from narrows.evaluation.row_sets import RealRows, closest


def draw(n: int, seed: int) -> pd.DataFrame:
    """Return n rows of numbers, words, dates and gaps; all columns follow one hidden number."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "key": [f"k{i:06d}x{seed}" for i in range(n)],
            "height": 170 + 10 * z + rng.normal(size=n),
            "gain": np.where(z > 0, 0.0, np.exp(5 - z + rng.normal(size=n)).round(2)),
            "job": np.array(["clerk", "cook", "nurse"])[np.digitize(z + 0.3 * rng.normal(size=n), [-0.5, 0.5])],
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta((1e7 * z).round(), "s"),
            "rich": np.where(z + 0.5 * rng.normal(size=n) > 0, "yes", "no"),
        }
    )
    frame.loc[rng.random(n) < 0.1, "height"] = np.nan
    return frame


TRAIN, TEST = draw(800, 0), draw(800, 1)


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return frame.apply(lambda column: column.to_numpy()[rng.permutation(len(frame))])


@pytest.fixture(scope="module")
def measured() -> dict[str, Evaluation]:
    rows = {"copied": TRAIN, "independent": draw(800, 2), "shuffled": shuffled(draw(800, 2))}
    return {name: narrows.evaluate_rows(frame, TEST, train=TRAIN) for name, frame in rows.items()}


def test_training_rows_are_copies_of_themselves(measured: dict[str, Evaluation]):
    table = measured["copied"]
    assert table["copies"] == table["closer"] == 1
    assert table["copies_real"] == 0
    assert table["dcr_train"] == table["dcr_train_5"] == 0 < table["dcr_held_out_5"] < table["dcr_held_out"]
    assert table["utility"] == table["utility_real"] > 0.8
    for name in ("marginals", "pairs"):
        assert table[name] == table[f"{name}_real"]
    assert abs(table["c2st_auc"] - 0.5) < 0.06  # they are real rows


def test_independent_rows_are_neither_told_nor_copies(measured: dict[str, Evaluation]):
    table = measured["independent"]
    low, high = table.interval("closer")
    assert 0.42 < low < table["closer"] < high < 0.58
    assert abs(table["c2st_auc"] - 0.5) < 0.06
    assert table["copies"] == 0
    assert abs(table["utility"] - table["utility_real"]) < 0.03
    assert table["pairs"] < 1.3 * table["pairs_real"]
    assert table["dcr_train"] == pytest.approx(table["dcr_held_out"], rel=0.15)


def test_shuffled_columns_keep_marginals_and_lose_pairs(measured: dict[str, Evaluation]):
    table, independent = measured["shuffled"], measured["independent"]
    assert table["marginals"] == pytest.approx(independent["marginals"])  # the same cells in another order
    assert table["pairs"] > 3 * table["pairs_real"]
    assert table["c2st_auc"] > 0.9
    assert table["utility"] < table["utility_real"] - 0.1


def test_the_table_is_like_that_of_evaluate(measured: dict[str, Evaluation]):
    table = measured["independent"]
    assert not table.missing
    assert list(table.rows)[:2] == ["n", "utility"]
    assert table.rows["utility"].better == 1
    assert "AUC of 'rich' in 800 real rows" in table.explained["utility"]
    assert f"{table['utility_real']:.3g}" in table.explained["utility"]
    for name in ("utility", "c2st_auc", "closer", "copies"):
        low, high = table.interval(name)
        assert low <= table[name] <= high
    alone = narrows.evaluate_rows(draw(800, 2), TEST)
    assert set(alone.missing) == {"utility", "closer", "dcr", "copies"}
    assert alone["pairs"] == pytest.approx(table["pairs"], abs=0.03)


def test_the_target_is_a_column_of_any_kind():
    for target, kind in (("height", "R2"), ("job", "accuracy"), ("rich", "AUC"), ("since", "R2")):
        table = narrows.evaluate_rows(TRAIN, TEST, train=TRAIN, target=target, measures=["utility"])
        assert f"{kind} of '{target}'" in table.explained["utility"]
        assert 0.5 < table["utility"] <= 1
    numbers = TRAIN[["height", "gain"]]
    table = narrows.evaluate_rows(numbers, TEST[["height", "gain"]], train=numbers, measures=["utility"])
    assert "R2 of 'gain'" in table.explained["utility"]  # without levels the last column
    same = TRAIN.assign(rich="yes")
    table = narrows.evaluate_rows(same, TEST, train=TRAIN, measures=["utility"])
    assert table["utility"] == 0.5  # one class says nothing about two


def test_gaps_and_unseen_levels_tell_new_rows():
    for changed in (TRAIN.fillna({"height": 170.0}), TRAIN.assign(job=TRAIN["job"].replace("cook", "Cook"))):
        table = narrows.evaluate_rows(changed, TEST, train=TRAIN)
        assert table["c2st_auc"] > 0.53
        assert table["marginals"] > 1.2 * table["marginals_real"]
        assert table["copies"] < 1
    filled = narrows.evaluate_rows(TRAIN.fillna({"height": 170.0}), TEST, measures=["c2st_auc"])
    assert "of the new ones 0.0%" in filled.explained["c2st_auc"]


def test_total_variation_by_hand():
    old = pd.DataFrame({"a": ["x"] * 50 + ["y"] * 50, "b": [1.0, 2.0] * 50})
    new = pd.DataFrame({"a": ["x"] * 75 + ["y"] * 25, "b": [1.0, None] * 50})
    table = narrows.evaluate_rows(new, old, measures=["marginals", "pairs"])
    assert table["marginals"] == pytest.approx((0.25 + 0.5) / 2)
    # (x, 1): .38 of .25; (x, gap) .37; (y, 1) .12 of .25; (y, gap) .13; (x, 2) and (y, 2) .25 each of the old ones
    assert table["pairs"] == pytest.approx((0.13 + 0.37 + 0.13 + 0.13 + 0.25 + 0.25) / 2)


def test_quantile_bins_and_common_values_of_a_number():
    table = narrows.evaluate_rows(pd.DataFrame({"a": np.arange(1000.0)}), pd.DataFrame({"a": np.arange(1000.0) + 100}))
    assert table["marginals"] == pytest.approx(0.1, abs=0.002)  # one bin of ten, of either side
    atoms = np.where(np.arange(1000) < 500, 0.0, np.arange(1000.0))
    beside = np.where(np.arange(1000) < 500, 0.01, np.arange(1000.0))
    table = narrows.evaluate_rows(pd.DataFrame({"a": beside}), pd.DataFrame({"a": atoms}))
    assert table["marginals"] == pytest.approx(0.5)  # what half of the rows share has a bin of its own
    assert "one column" in table.missing["pairs"]


def test_distances_by_hand():
    a = np.array([[1.0, 0.0, np.nan], [2.0, 1.0, 5.0]])
    b = np.array([[1.0, 1.0, np.nan], [4.0, 1.0, 5.0]])
    levels = np.array([False, True, False])
    found = closest(a, b, levels, np.array([0.0, 0.0, 5.0]), np.array([2.0, 1.0, 1.0]))
    # another level; and of the second row: half a unit and a gap (at the mean) from the first, one unit from the second
    assert found == pytest.approx([1.0, 1.0])
    assert closest(b, b, levels, np.zeros(3), np.ones(3)) == pytest.approx([0, 0], abs=0)


def test_auc_agrees_with_scikit_learn(rng: np.random.Generator):
    truth, score = rng.random(200) < 0.3, rng.normal(size=200).round(1)
    assert auc(truth, score) == pytest.approx(roc_auc_score(truth, score))
    assert math.isnan(auc(np.ones(5, bool), score[:5]))


def test_rare_levels_are_told_apart_up_to_a_number():
    rng = np.random.default_rng(0)
    words = pd.DataFrame({"w": [f"w{int(i)}" for i in rng.geometric(0.01, 4000)], "x": rng.normal(size=4000)})
    assert words["w"].nunique() > 300
    table, _ = narrows.data.look_at_table(narrows.data.open_frame(words, "test"), "test", max_levels=None)
    real = RealRows(table, words, None, "w", Resamples(0), owner="test")
    sets = real.beside(words, draws_gaps=True)
    cells, mask = sets.as_categories(sets.new)
    assert mask.tolist() == [True, False]
    assert cells[:, 0].max() == 250
    assert sets.bins[1].tolist() == [52, 11]
    counts = words["w"].value_counts()
    assert (cells[:, 0] == 0).sum() == counts.iloc[0]
    found = narrows.evaluate_rows(words.iloc[:2000], words.iloc[2000:], train=words.iloc[:2000], target="w")
    assert np.isfinite(list(found.values.values())).all()


@pytest.mark.parametrize("library", ["polars", "pyarrow", "dicts", "array"])
def test_rows_of_other_libraries(library: str):
    new, real = TRAIN.drop(columns=["key"]), TEST.drop(columns=["key"])
    names = ["marginals", "copies"]
    expected = narrows.evaluate_rows(new, real, train=new, measures=names)
    if library == "polars":
        convert: Any = pytest.importorskip("polars").from_pandas
    elif library == "pyarrow":
        convert = pytest.importorskip("pyarrow").Table.from_pandas
    elif library == "dicts":
        convert = lambda frame: frame.to_dict("records")  # noqa: E731
    else:
        convert = lambda frame: frame.to_numpy(dtype=object)  # noqa: E731
    table = narrows.evaluate_rows(convert(new), convert(real), train=convert(new), measures=names)
    assert table["copies"] == 1
    assert table["marginals"] == pytest.approx(expected["marginals"], abs=0.01)


def test_bad_rows_are_refused():
    with pytest.raises(TypeError, match="`synthetic` parameter of evaluate_rows must be a data frame"):
        narrows.evaluate_rows("rows.csv", TEST)
    with pytest.raises(ValueError, match=r"`synthetic` parameter .* must have the columns .* lacks 'job'"):
        narrows.evaluate_rows(TRAIN.drop(columns="job"), TEST)
    with pytest.raises(ValueError, match="at least 2 rows"):
        narrows.evaluate_rows(TRAIN, TEST.iloc[:1])
    with pytest.raises(ValueError, match=r"`target` parameter of evaluate_rows must be a column.*Got 'key'"):
        narrows.evaluate_rows(TRAIN, TEST, target="key")
    with pytest.raises(ValueError, match="Unknown measure of rows 'copy'"):
        narrows.evaluate_rows(TRAIN, TEST, measures=["copy"])
    with pytest.raises(TypeError, match="sequence of names"):
        narrows.evaluate_rows(TRAIN, TEST, measures="copies")
    with pytest.raises(ValueError, match="have no copies: the training examples were not given"):
        narrows.evaluate_rows(TRAIN, TEST, measures=["copies"])
    wide = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 501)))
    with pytest.raises(ValueError, match="at most 500 columns"):
        narrows.evaluate_rows(wide, wide)
    few = narrows.evaluate_rows(TRAIN.iloc[:10], TEST.iloc[:10], train=TRAIN.iloc[:10])
    assert "at least 20 rows" in few.missing["c2st_auc"]
    assert "at least 20 rows" in few.missing["utility"]


# ------------------------------------------------------------------------------------------------ of models


class Rows:
    """A fitted model that draws the first rows of a table in place of its own."""

    def __init__(self, model: Any, rows: pd.DataFrame) -> None:
        self.model, self.rows = model, rows

    def sample(self, n: int, **_: Any) -> Any:
        return self.rows.iloc[np.arange(n) % len(self.rows)]

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)


@pytest.mark.parametrize("kind", ["VAE", "AE"])
def test_a_model_is_measured_by_its_own_rows(kind: str):
    train, test = people(160), people(120, seed=1)
    model = fit(kind, train)
    table = narrows.evaluate(model, test, train=train, target="old", verbose=0)
    names = {"utility", "utility_real", "c2st_auc", "marginals", "pairs", "closer", "dcr_train", "copies"}
    assert names <= set(table.values)
    assert table.rows["c2st_auc"].pca is not None
    assert "AUC of 'old'" in table.explained["utility"]
    alone = narrows.evaluate_rows(model.sample(5000, random_state=0), test, train=train, target="old")
    assert table["copies"] == alone["copies"]
    assert table["closer"] == pytest.approx(alone["closer"], abs=0.02)
    assert table["marginals"] == pytest.approx(alone["marginals"], abs=0.02)


def test_a_model_that_draws_training_rows_draws_copies():
    train, test = people(160), people(120, seed=1)
    inspection = narrows.evaluation.inspection.Inspection(Rows(fit("VAE", train), train), test)
    table = narrows.evaluation.measures.evaluate_inspection(
        inspection, train=train, measures=["copies", "closer", "dcr"], verbose=0
    )
    assert table["copies"] == 1
    assert table["copies_real"] == 0
    assert table["dcr_train_5"] == 0


def test_a_frame_of_numbers_is_a_table_and_an_array_is_none(vectors: np.ndarray):
    frame = pd.DataFrame(vectors, columns=list("abcdef"))
    model = fit("VAE", frame)
    assert model.schema_.kind == "vector"
    table = narrows.evaluate(model, frame.iloc[:100], train=frame.iloc[100:], verbose=0)
    assert "R2 of 'f'" in table.explained["utility"]
    assert math.isfinite(table["c2st_auc"])
    array = narrows.evaluate(fit("VAE", vectors), vectors, verbose=0)
    assert "only rows of data frames" in array.missing["c2st_auc"]
    sparse = narrows.evaluate(fit("SAE", frame), frame, train=frame, verbose=0)
    assert "no distribution to draw from" in sparse.missing["copies"]
    with pytest.raises(ValueError, match="`target` parameter of evaluate must be a column"):
        narrows.evaluate(model, frame, target="g", verbose=0)
    with pytest.raises(ValueError, match="`target` parameter of evaluate must be a column"):
        narrows.evaluate(fit("VAE", vectors), vectors, target="a", verbose=0)


def test_a_level_of_rare_values_is_no_gap_of_new_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"code": [f"c{int(i)}" for i in rng.geometric(0.2, 400)], "x": rng.normal(size=400)})
    model = fit("VAE", frame, max_levels=3)
    table = narrows.evaluate(model, frame, measures=["c2st_auc", "marginals"], verbose=0)
    assert "missing" not in table.explained["c2st_auc"]


def test_gaps_of_a_model_that_draws_gaps_stay_gaps():
    frame = pd.DataFrame({"code": ["a"] * 50 + ["b"] * 30 + ["c"] * 10 + ["d"] * 10, "x": np.arange(100) % 7})
    table, _ = narrows.data.look_at_table(narrows.data.open_frame(frame, "test"), "test", max_levels=2)
    assert table.used[0].n_rare == 2
    real, drawn = RealRows(table, frame, None, None, Resamples(0), owner="test"), frame.assign(code=None)
    assert (real.beside(drawn, draws_gaps=False).new[:, 0] == 2).all()
    assert np.isnan(real.beside(drawn, draws_gaps=True).new[:, 0]).all()
