"""Evaluation of tables with words, dates and gaps, and of arrays with missing entries."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from table_cases import fit, people

import narrows
from narrows.evaluation.cells import (
    as_linear,
    as_points,
    cell_errors,
    effects_on_columns,
    example_errors,
    from_linear,
    has_gaps,
)
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.scores import usual_costs

TABLE, TEST = people(), people(60, seed=1)


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    return {kind: fit(kind, TABLE) for kind in ("AE", "VAE", "SAE", "DAE")}


@pytest.mark.parametrize("kind", ["AE", "VAE", "SAE", "DAE"])
def test_every_measure_of_a_table_is_a_number(models: dict[str, Any], kind: str):
    table = narrows.evaluate(models[kind], TEST, np.arange(60) % 2, train=TABLE, beside=models["AE"], verbose=0)
    assert {"mse", "rmse", "accuracy", "rmse_age", "accuracy_job", "flagged"} <= set(table.values)
    assert not [name for name, value in table.to_dict().items() if not math.isfinite(value)]
    assert set(table.missing) & {"psnr", "ssim"} == {"psnr", "ssim"}
    if kind != "DAE":  # it has no codes to compare with those of PCA
        assert {"pca_mse", "pca_rmse_age", "pca_accuracy_job", "pca_trustworthiness"} <= set(table.to_dict())
    assert table.rows["flagged"].pca is None  # words have no density


def test_rmse_and_accuracy_are_those_of_the_reconstructed_frame(models: dict[str, Any]):
    model = models["AE"]
    table = narrows.evaluate(model, TEST, measures=["rmse", "accuracy", "mse"], verbose=0)
    frame = model.reconstruct(TEST)
    is_seen = TEST["job"].notna()
    assert table["accuracy_job"] == pytest.approx(float((frame["job"] == TEST["job"])[is_seen].mean()))
    std = TABLE["height"].std(ddof=0)
    expected = float(np.sqrt(np.nanmean((frame["height"] - TEST["height"]) ** 2))) / std
    assert table["rmse_height"] == pytest.approx(expected, rel=1e-4)
    assert table.interval("rmse")[0] < table["rmse"] < table.interval("rmse")[1]
    assert "standard deviations" in table.explained["rmse"]
    assert "1 for a wrong level" in table.explained["mse"]


def test_errors_of_cells_by_hand(models: dict[str, Any]):
    schema = models["AE"].schema_
    names = [column.name for column in schema.used_columns]
    rows = models["AE"].prepare(TEST)
    changed = rows.clone()
    age, job, children = (names.index(name) for name in ("age", "job", "children"))
    changed[:, age] += 2 * schema.std[age]
    changed[:, job] = (rows[:, job] + 1) % 3
    changed[:, children] = 2 * rows[:, children] + 1  # log(1 + x) grows by log 2
    errors = cell_errors(changed, rows, schema)
    assert errors[:, age] == pytest.approx(4, rel=1e-4)
    assert errors[:, children] == pytest.approx((math.log(2) / schema.std[children]) ** 2, rel=1e-4)
    torch.testing.assert_close(errors[:, job], torch.where(torch.isnan(rows[:, job]), math.nan, 1.0), equal_nan=True)
    assert torch.equal(torch.isnan(errors), torch.isnan(rows))
    one_missing = rows.clone()
    one_missing[0] = math.nan
    means = example_errors(changed, one_missing, schema)
    assert means[0] == 0
    assert np.isfinite(means).all()


def test_rows_survive_the_features_of_pca(models: dict[str, Any]):
    schema = models["AE"].schema_
    rows = models["AE"].prepare(TEST)
    vectors = as_linear(rows, schema)
    assert np.isfinite(vectors).all()
    observed = ~torch.isnan(rows)
    torch.testing.assert_close(from_linear(vectors, schema)[observed], rows[observed], atol=1e-4, rtol=1e-4)


def test_training_rows_do_not_shift_against_themselves(models: dict[str, Any]):
    # their atoms lose no rounding error on the way to the model and back
    table = narrows.evaluate(models["VAE"], TABLE, train=TABLE, measures=["score_shift", "nll", "elbo"], verbose=0)
    assert table["score_shift"] < 0.02
    assert table["nll"] <= -table["elbo"] + 0.2


def test_new_examples_like_the_real_ones_look_alike():
    class Resampler:
        """Rows of the training table in place of drawn ones."""

        def __init__(self, model: Any) -> None:
            self.model = model

        def sample(self, n: int, **_: Any) -> Any:
            filled = TABLE.fillna({"height": 170.0, "job": "clerk"}).drop(columns="person")
            return filled.iloc[np.arange(n) % len(filled)]

        def __getattr__(self, name: str) -> Any:
            return getattr(self.model, name)

    model = fit("VAE", TABLE)
    drawn: Any = Resampler(model)
    X = people(160, seed=2)
    inspected = narrows.evaluation.measures.evaluate_inspection(
        Inspection(drawn, X), measures=["c2st", "frechet"], verbose=0
    )
    real = narrows.evaluate(model, X, measures=["frechet"], verbose=0)
    assert abs(inspected["c2st"] - 0.5) < 0.1  # gaps of the real rows do not give new ones away
    assert inspected["frechet"] < real["frechet"] + 10


def test_models_of_other_rows_or_columns_beside(models: dict[str, Any]):
    # other frequencies give the levels other numbers
    others = TABLE.assign(job=TABLE["job"].map({"clerk": "=nurse", "cook": "clerk", "=nurse": "cook"}))
    other = fit("AE", others)
    assert other.schema_.used_columns != models["AE"].schema_.used_columns
    beside = narrows.evaluate(models["AE"], TEST, beside=other, measures=["accuracy", "rmse"], verbose=0)
    alone = narrows.evaluate(other, TEST, measures=["accuracy"], verbose=0)
    assert beside["other_accuracy_job"] == pytest.approx(alone["accuracy_job"])
    fewer = fit("AE", TABLE.drop(columns="age"))
    table = narrows.evaluate(models["AE"], TEST, beside=fewer, measures=["mse", "distortion"], verbose=0)
    assert table.rows["mse"].other is None
    assert table.rows["distortion"].other is not None


def test_levels_that_share_other_are_not_gaps_of_new_rows():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"code": [f"c{int(i)}" for i in rng.geometric(0.2, 200)], "x": rng.normal(size=200)})
    model = fit("VAE", frame, max_levels=3)
    column = model.schema_.used_columns[0]
    assert column.n_rare > 0
    table = narrows.evaluate(model, frame, measures=["c2st"], features=lambda X: np.asarray(X[["x"]]), verbose=0)
    assert math.isfinite(table["c2st"])
    comparison = narrows.evaluation.subjects.Comparison(Inspection(model, frame))
    drawn = narrows.evaluation.subjects.ModelSubject(comparison.inspection, comparison).draw(200)
    assert not has_gaps(drawn)
    assert (drawn[:, 0] == len(column.levels)).any()


def test_reasons_of_examples_with_gaps(models: dict[str, Any]):
    inspection = Inspection(models["AE"], TEST)
    is_missing = torch.isnan(inspection.rows).numpy()
    assert is_missing.any()
    for values in (inspection.relative_errors, inspection.excess_costs):
        assert np.isfinite(values).all()
        assert (values[is_missing] == 0).all()
    costs = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, np.nan]])
    np.testing.assert_array_equal(usual_costs(costs), [2.0, np.nan])


def test_effects_of_units_on_columns(models: dict[str, Any]):
    model = models["SAE"]
    directions = Inspection(model).unit_directions
    assert directions.shape == (8, len(model.schema_.used_columns))
    sizes = model.model_.likelihood.sizes
    added = torch.zeros(1, sum(sizes))
    added[0, sum(sizes[:3]) + 1] = 3.0  # a logit of the first column with levels
    effects = effects_on_columns(added, model.schema_)[0]
    column = next(j for j, c in enumerate(model.schema_.used_columns) if c.has_levels)
    n = model.schema_.used_columns[column].n_levels
    assert float(effects[column]) == pytest.approx(3 * (1 - 1 / n))
    assert float(effects.abs().sum()) == pytest.approx(3 * (1 - 1 / n))


# ------------------------------------------------------------------------------------------------ arrays with gaps


@pytest.mark.parametrize("kind", ["AE", "VAE"])
def test_arrays_with_missing_entries(kind: str):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 6)) + 5
    X[rng.random(X.shape) < 0.1] = np.nan
    model = fit(kind, X)
    table = narrows.evaluate(model, X, np.arange(200) % 2, train=X, verbose=0)
    assert not [name for name, value in table.to_dict().items() if not math.isfinite(value)]
    error = (model.reconstruct(X) - X) / np.asarray(model.schema_.scale)
    assert table["mse"] == pytest.approx(float(np.nanmean(error**2, axis=1).mean()), rel=1e-4)
    assert "pca_mse" in table.to_dict()
    assert table.rows["flagged"].pca is None  # an exact density needs all entries


def test_images_with_missing_pixels_have_no_windows():
    rng = np.random.default_rng(0)
    X = rng.random((80, 8, 8))
    X[0, 0, 0] = np.nan
    model = fit("AE", X, network="mlp")
    table = narrows.evaluate(model, X, verbose=0)
    assert "some pixels are missing" in table.missing["ssim"]
    assert math.isfinite(table["psnr"])


def test_counts_have_the_mean_of_their_logarithm_in_place_of_gaps():
    rng = np.random.default_rng(0)
    X = rng.poisson(4, size=(100, 3)).astype(float)
    model = fit("AE", X, likelihood="poisson")
    assert model.schema_.support == "count"
    rows = model.prepare(X)
    rows[0, 1] = math.nan
    expected = math.expm1(float(np.log1p(X[:, 1]).mean()))
    assert float(as_points(rows, model.schema_)[0, 1]) == pytest.approx(expected, rel=1e-3)
    gaps = replace(model.schema_, gaps=(0.0, 0.1, 0.0))
    assert float(narrows.data.as_features(rows, gaps)[0, 1]) == pytest.approx(expected, rel=1e-3)


def test_features_of_the_user_must_be_finite(models: dict[str, Any]):
    with pytest.raises(ValueError, match="must return finite numbers"):
        narrows.evaluate(models["VAE"], TEST, measures=["c2st"], features=lambda X: X[["height"]], verbose=0)


@pytest.mark.parametrize("X", [TEST.assign(age=np.inf), TEST.assign(height=-np.inf)])
def test_infinity_is_refused(models: dict[str, Any], X: pd.DataFrame):
    with pytest.raises(ValueError, match="infinity"):
        narrows.evaluate(models["AE"], X, verbose=0)


@pytest.mark.parametrize("library", ["polars", "pyarrow"])
def test_frames_of_other_libraries(models: dict[str, Any], library: str):
    pytest.importorskip(library)
    if library == "polars":
        import polars

        X = polars.from_pandas(TEST)
    else:
        import pyarrow

        X = pyarrow.Table.from_pandas(TEST, preserve_index=False)
    names = ["mse", "rmse", "trustworthiness"]
    table = narrows.evaluate(models["AE"], X, measures=names, verbose=0)
    expected = narrows.evaluate(models["AE"], TEST, measures=names, verbose=0)
    assert table.values == pytest.approx(expected.values)
