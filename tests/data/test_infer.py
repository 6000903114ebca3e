"""Schemas of arrays: each column has a scale and a kind of its own, and no row is overlooked."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits

from narrows import AE, DAE, SAE, VAE
from narrows.data import Schema, as_floats, infer, min_max

SMALL = {"hidden": (32,), "random_state": 0, "device": "cpu", "precision": "float32"}
UMI = Path(__file__).parents[3] / "shared" / "data" / "umi_counts.npz"


def tables(n: int, seed: int = 0) -> np.ndarray:
    """n x 6 real numbers of which two components explain nearly all."""
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(n, 6))


def explained(X: np.ndarray, like: np.ndarray) -> np.ndarray:
    """R2 of each entry of the last axis."""
    axes = tuple(range(X.ndim - 1))
    return 1 - np.square(X - like).mean(axes) / X.var(axes)


def describe(X: np.ndarray) -> str:
    return infer(as_floats(np.asarray(X)), "test").describe()


# ----------------------------------------------------------------------------------------------- columns far from 0


def test_a_time_stamp_is_no_constant_and_drowns_no_other_column():
    stamps = 1.7e12 + 100.0 * np.arange(600)
    for dtype in ("int64", "float64"):
        assert infer(as_floats(stamps[:, None].astype(dtype)), "test").scale == pytest.approx((17320.4839,))
    X = np.c_[tables(600), stamps]
    model = AE(3, max_epochs=60, **SMALL).fit(X)
    assert model.schema_.scale[-1] == pytest.approx(stamps.std())
    assert model.schema_.constant == ()
    assert (explained(X, model.reconstruct(X)) > 0.99).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rounding_errors_of_a_constant_are_no_variation(dtype):
    rng = np.random.default_rng(0)
    noisy = rng.random((500, 20)).astype(dtype)
    sums = (noisy / noisy.sum(1, keepdims=True)).sum(1)  # 1 but for rounding
    X = np.c_[tables(500).astype(dtype), sums, np.full(500, 0.1, dtype), 1e3 + 1e-2 * rng.normal(size=500)].astype(
        dtype
    )
    schema = infer(X, "test", columns=[*"abcdef", "sum", "tenth", "near"])
    assert schema.constant == (6, 7)
    assert schema.scale[8] == pytest.approx(1e-2, rel=0.1)
    assert schema.offset[7] == X[0, 7]
    assert schema.list_facts()[1:] == ["columns held constant, because they do not vary: 'sum', 'tenth'"]
    prepared = schema.prepare(torch.from_numpy(X))
    assert float(prepared[:, 6:8].abs().max()) < 0.5
    assert (prepared[:, 7] == 0).all()


def test_the_report_names_constant_columns():
    X = np.c_[tables(100), np.full(100, 5.0)]
    assert "columns held constant, because they do not vary: 6" in AE(2, max_epochs=1, **SMALL).fit(X).report_
    assert infer(tables(20), "test").list_facts() == ["vectors of 6 columns of real values"]
    many = infer(np.c_[tables(20), np.ones((20, 13))], "test").list_facts()[1:]
    assert many == ["columns held constant, because they do not vary: 6, 7, 8, 9, 10, 11, 12, 13 and 5 more"]


@pytest.mark.parametrize(("cls", "dtype"), [(AE, "float32"), (AE, "float64"), (VAE, "float64")])
def test_a_change_of_a_constant_is_an_outlier_in_any_units(cls, dtype):
    X = np.c_[tables(300), np.full(300, 0.001), np.zeros(300)]
    changed = X[:5].copy()
    changed[0, 6] = 0.05
    changed[1, 6] = 0.00101
    changed[2, 7] = 0.05
    changed[3, 6] *= 1 + 4 * np.finfo(dtype).eps  # rounding
    codes = []
    for unit in (1, 1e4):
        model = cls(2, max_epochs=10, **SMALL).fit((X * unit).astype(dtype))
        rows, before = (changed * unit).astype(dtype), (X[:5] * unit).astype(dtype)
        assert model.predict(rows)[:3].tolist() == [-1, -1, -1]
        assert model.decision_function(rows)[0] < model.decision_function(rows)[1] < -10
        np.testing.assert_allclose(model.score_samples(rows)[3:], model.score_samples(before)[3:], atol=0.1)
        # constants are given back exactly, and the code does not depend on them
        np.testing.assert_array_equal(model.reconstruct(rows)[:, 6:], before[:, 6:])
        np.testing.assert_array_equal(model.inverse_transform(model.transform(rows))[:, 6:], before[:, 6:])
        np.testing.assert_array_equal(model.transform(rows), model.transform(before))
        if cls is VAE:
            np.testing.assert_array_equal(model.sample(5)[:, 6:], before[:, 6:])
        codes.append(model.transform(before))
    np.testing.assert_allclose(codes[0], codes[1], atol=1e-3)


def test_a_later_batch_may_change_a_constant():
    X = np.c_[tables(200), np.zeros(200), np.full(200, 7.0)]
    other = X.copy()
    other[:, 6:] = np.random.default_rng(1).normal(size=(200, 2))
    model = AE(2, **SMALL).partial_fit(X).partial_fit(other)
    assert np.isfinite(model.score_samples(other)).all()
    assert np.isfinite(model.history_[-1]["loss"])


def test_memory_of_the_user_is_not_written_to():
    X = np.zeros((10, 1), np.float32)
    schema = infer(X, "test")
    other = torch.ones(10, 1)
    assert (schema.prepare(other) > 10).all()
    assert (other == 1).all()


# ------------------------------------------------------------------------------------------------- all rows


def rows_beside_the_sample(n: int) -> np.ndarray:
    return np.setdiff1d(np.arange(n), np.linspace(0, n - 1, 20_000).astype(int))


def test_spikes_that_a_sample_misses_have_their_scale():
    X = np.c_[tables(25_000), np.zeros(25_000)]
    X[np.random.default_rng(0).choice(rows_beside_the_sample(25_000), 40, replace=False), 6] = 1e5
    model = AE(3, start="random", max_epochs=4, **SMALL).fit(X)
    assert model.schema_.scale[6] == pytest.approx(X[:, 6].std())
    assert (explained(X, model.reconstruct(X)) > 0.98).all()


@pytest.mark.parametrize("shape", [(25_000, 5), (25_000, 8, 8, 2)])
def test_means_and_deviations_are_those_of_all_rows(shape):
    X = 1e6 + np.random.default_rng(0).normal(size=shape) * np.arange(1, shape[-1] + 1)
    X[rows_beside_the_sample(25_000)] += 50
    schema, axes = infer(X, "test"), tuple(range(X.ndim - 1))
    np.testing.assert_allclose(schema.offset, X.mean(axes), rtol=1e-12)
    np.testing.assert_allclose(schema.scale, X.std(axes), rtol=1e-6)


def test_one_fraction_outside_the_sample_makes_reals():
    row = rows_beside_the_sample(25_000)[3]
    for X, whole, fraction in (
        (np.random.default_rng(0).poisson(0.2, (25_000, 8)).astype(float), "counts", "real values"),
        (np.random.default_rng(0).integers(0, 2, (25_000, 8)).astype(float), "of 0 and 1", "in [0, 1]"),
    ):
        assert describe(X).endswith(whole)
        X[row, 2] = 0.5
        assert describe(X).endswith(fraction)


def test_gaps_are_left_out_of_the_statistics_where_they_are_allowed():
    rng = np.random.default_rng(0)
    full = 1e5 * np.arange(1, 5) + rng.normal(size=(3000, 4))
    X = full.copy()
    X[rng.random(X.shape) < 0.3] = np.nan
    with pytest.raises(ValueError, match="contains NaN"):
        infer(X, "test")
    X[:, 3] = np.nan
    with pytest.raises(ValueError, match=r"has columns without any value: 3\. Drop them"):
        infer(X, "test", allow_nan=True)
    assert min_max(X[:, 3:], "test", allow_nan=True) == (np.inf, -np.inf)
    X[:, 3] = 7.0
    schema = infer(X, "test", allow_nan=True)
    np.testing.assert_allclose(schema.offset, np.nanmean(X, 0), rtol=1e-12)
    np.testing.assert_allclose(schema.scale[:3], np.nanstd(X[:, :3], 0), rtol=1e-6)
    assert schema.constant == (3,)
    np.testing.assert_allclose(schema.gaps, np.isnan(X).mean(0))
    assert infer(full, "test", allow_nan=True).gaps == ()
    assert infer(X.reshape(-1, 20, 20), "test", allow_nan=True).gaps == pytest.approx((np.isnan(X).mean(),))
    assert np.isfinite([*schema.mean, *schema.std, *schema.offset]).all()
    assert min_max(X, "test", allow_nan=True) == (np.nanmin(X), np.nanmax(X))
    assert min_max(np.full((3, 2), np.nan), "test", allow_nan=True) == (np.inf, -np.inf)
    X[7, 1] = -np.inf
    with pytest.raises(ValueError, match=r"contains infinity \(first in row 7, column 'b'\).*replace it"):
        infer(X, "test", columns=[*"abcd"], allow_nan=True)


# ------------------------------------------------------------------------------------- kinds of whole numbers


def table_of_dummies(n: int) -> np.ndarray:
    """Ages and prices, an amount that is mostly 0, and 20 indicators of 6 categories."""
    rng = np.random.default_rng(0)
    group = rng.integers(0, 4, n)
    age, price = 20 + 10 * group + rng.integers(0, 5, n), 1000 * (1 + group) + rng.integers(0, 300, n)
    debt = np.where(rng.random(n) < 0.8, 0, rng.integers(100, 5000, n))
    dummies = [np.eye(4, dtype=int)[(group + k) % 4] for k in range(5)]
    return np.column_stack([age, price, debt, *dummies])


@pytest.mark.parametrize("n", [60, 1000])
def test_a_table_with_indicators_is_neither_counts_nor_pixels(n):
    X = table_of_dummies(n)
    assert (X == 0).mean() > 0.5
    schema = infer(as_floats(X), "test")
    assert schema.support == "real"
    np.testing.assert_allclose(schema.scale, X.std(0))
    small = X.copy()
    small[:, 1:3] %= 200
    assert infer(small.astype(np.uint8), "test").support == "real"
    wide = np.column_stack([small] * 3)
    assert infer(as_floats(wide), "test").support == "real"


def test_the_columns_of_a_table_with_indicators_are_all_explained():
    X = table_of_dummies(3000)
    model = VAE(8, max_epochs=20, **SMALL).fit(X[:2000])
    r2 = explained(X[2000:], model.reconstruct(X[2000:]))
    assert r2[0] > 0.85
    assert r2[1] > 0.9
    assert (r2[3:] > 0.95).all()


@pytest.mark.parametrize("dtype", ["int64", "float32", "float64", "uint8"])
@pytest.mark.parametrize("n", [40, 1000])
def test_counts_with_one_large_value_are_counts(dtype, n):
    X = np.random.default_rng(0).poisson(0.2, (n, 100))
    X[3, 4] = 150
    assert describe(X.astype(dtype)) == "vectors of 100 columns of counts"
    model = AE(2, max_epochs=1, **SMALL).fit(X.astype(dtype))
    assert model.model_.likelihood.name == "negative_binomial"
    usual = np.random.default_rng(1).poisson(0.2, (5, 100)).clip(max=1)
    assert np.isfinite(model.score_samples(usual.astype(float))).all()


@pytest.mark.skipif(not UMI.exists(), reason="the counts of single cells are not here")
@pytest.mark.parametrize("n", [50, 10_000])
def test_molecules_of_cells_are_counts(n):
    counts = np.load(UMI)["counts"][:n]
    for X in (counts, np.minimum(counts, 255).astype(np.uint8)):
        assert describe(X) == "vectors of 1,000 columns of counts"


def test_flattened_pictures_are_pixels():
    digits = load_digits().data  # 0 to 16
    assert describe(digits) == "vectors of 64 columns of real values"
    pixels = np.where(digits > 7, digits * 15, 0)  # three of five are 0
    for dtype in ("uint8", "float32", "int64"):
        assert describe(pixels.astype(dtype)) == "vectors of 64 columns in [0, 1], from values of 0 to 255"


def test_a_named_gaussian_rescales_counts():
    X = np.random.default_rng(0).poisson(0.2, (500, 20)) * 40
    assert describe(X).endswith("counts")
    for name in ("gaussian", "heteroscedastic"):
        schema = AE(2, likelihood=name, max_epochs=1, **SMALL).fit(X).schema_
        assert schema.support == "real"
        np.testing.assert_allclose(schema.scale, X.std(0))
    assert AE(2, likelihood="poisson", max_epochs=1, **SMALL).fit(X).schema_.scale == (1.0,)
    pixels = np.random.default_rng(0).integers(0, 256, (50, 9, 9)).astype(np.uint8)
    assert AE(2, likelihood="gaussian", max_epochs=1, **SMALL).fit(pixels).schema_.scale == (255.0,)


# ------------------------------------------------------------------------------------------- channels and series


def waves(n: int = 200) -> np.ndarray:
    """n series of 32 steps x 9 channels: eight waves, and a pressure in pascal."""
    phase = np.random.default_rng(0).uniform(0, 6, (n, 1)) + np.linspace(0, 6, 32)
    return np.stack([np.sin(phase)] * 8 + [101325 + 800 * np.cos(phase)], -1)


@pytest.mark.parametrize("layout", ["tc", "ct"])
def test_channels_of_a_series_have_their_own_scales(layout):
    X = waves()
    given = X if layout == "tc" else np.ascontiguousarray(X.swapaxes(1, 2))
    model = AE(3, max_epochs=100, **SMALL).fit(given)
    again = model.reconstruct(given)
    assert again.shape == given.shape
    assert (explained(X, again if layout == "tc" else again.swapaxes(1, 2)) > 0.99).all()
    assert model.report_[0] == "series of 32 steps x 9 channels of real values"
    assert model.schema_.layout == layout
    assert np.isfinite(model.score_samples(given)).all()
    saved = json.loads(json.dumps(model.schema_.to_dict()))
    assert Schema.from_dict(saved) == model.schema_
    np.testing.assert_allclose(model.schema_.scale[0], np.sqrt(0.5), rtol=0.1)
    np.testing.assert_allclose(model.schema_.scale[8], 800 * np.sqrt(0.5), rtol=0.1)


def test_waves_of_unlike_heights_are_a_series_and_pictures_are_none():
    assert describe(waves()[..., :8] * np.logspace(0, 3, 8)) == "series of 32 steps x 8 channels of real values"
    assert describe(waves()[..., :8]) == "32 x 8 grey images of real values"
    rng = np.random.default_rng(0)
    bright = rng.normal(size=(100, 20, 12)) * np.outer(np.hanning(22)[1:-1], np.hanning(14)[1:-1]) ** 3
    assert describe(bright) == "20 x 12 grey images of real values"


@pytest.mark.parametrize("layout", ["hwc", "chw"])
def test_channels_of_real_images_have_their_own_scales(layout):
    rng = np.random.default_rng(0)
    base = np.sin(rng.uniform(0, 6, (300, 1, 1, 1)) + np.linspace(0, 3, 100).reshape(1, 10, 10, 1))
    X = base * [1.0, 1000.0] + [0, 1e5]
    given = X if layout == "hwc" else np.ascontiguousarray(np.moveaxis(X, -1, 1))
    model = AE(3, max_epochs=60, **SMALL).fit(given)
    again = model.reconstruct(given)
    assert (explained(X, again if layout == "hwc" else np.moveaxis(again, 1, -1)) > 0.98).all()
    np.testing.assert_allclose(model.schema_.scale, X.std((0, 1, 2)))


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ((20, 13, 32, 32), "32 x 32 13-channel images in [0, 1]"),
        ((20, 13, 32, 48), "32 x 48 13-channel images in [0, 1]"),
        ((20, 32, 32, 13), "32 x 32 13-channel images in [0, 1]"),
        ((20, 32, 48, 13), "32 x 48 13-channel images in [0, 1]"),
        ((20, 24, 24, 60), "24 x 24 60-channel images in [0, 1]"),
        ((20, 3, 16, 12), "16 x 12 colour images in [0, 1]"),
        ((20, 16, 12, 3), "16 x 12 colour images in [0, 1]"),
        ((20, 60, 32, 32), "32 x 32 60-channel images in [0, 1]"),
        ((20, 60, 50, 90), "60 x 50 90-channel images in [0, 1]"),
    ],
)
def test_the_axis_of_channels(shape, text):
    X = np.random.default_rng(0).random(shape)
    assert describe(X) == text
    schema = infer(X, "test")
    prepared = schema.prepare(torch.from_numpy(X))
    assert prepared.shape == (20, *schema.shape)
    np.testing.assert_allclose(schema.restore(prepared), X, atol=1e-6)


def test_an_axis_of_channels_that_is_not_clear_is_refused():
    X = np.random.default_rng(0).random((5, 50, 60, 90))
    with pytest.raises(ValueError, match=r"60 x 90 pixels with 50 channels or images of 50 x 60 pixels with 90 chan"):
        infer(X, "test")
    assert describe(np.moveaxis(X, 1, -1)) == "60 x 90 50-channel images in [0, 1]"  # both remedies work
    assert describe(X.swapaxes(1, 2)) == "60 x 50 90-channel images in [0, 1]"


# ------------------------------------------------------------------------------------------------- far values


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("cls", [AE, VAE, DAE, SAE])
def test_a_finite_value_has_a_finite_score_and_a_larger_one_a_lower_one(cls, dtype):
    X = tables(300)
    model = cls(2, max_epochs=20, **SMALL).fit(X)
    values = [10.0, 1e3, 1e9, 1e20, 1e38, *([1e39, 1e100, 1e300] if dtype == "float64" else [])]
    for sign in (1, -1):
        rows = np.repeat(X[:1], len(values), 0).astype(dtype)
        rows[:, 3] = sign * np.array(values)
        scores = model.score_samples(rows)
        assert np.isfinite(scores).all()
        assert (np.diff(scores) < 0).all()
        assert (model.predict(rows) == -1).all()
        assert np.isfinite(model.transform(rows)).all()


def test_a_far_value_does_not_touch_other_values():
    X = tables(50)
    schema = infer(X, "test")
    far = X.copy()
    far[3, 2] = 1e39
    prepared, usual = schema.prepare(torch.from_numpy(far)), schema.prepare(torch.from_numpy(X))
    assert prepared.isfinite().all()
    prepared[3, 2] = usual[3, 2]
    torch.testing.assert_close(prepared, usual)


def test_a_huge_count_has_a_finite_score():
    X = np.random.default_rng(0).poisson(0.2, (200, 10)).astype(float)
    model = AE(2, max_epochs=1, **SMALL).fit(X)
    rows = X[:3].copy()
    rows[:, 0] = 1e3, 1e20, 1e60
    scores = model.score_samples(rows)
    assert np.isfinite(scores).all()
    assert scores[0] > scores[1] > scores[2]


# ----------------------------------------------------------------------------------------------------- one row


@pytest.mark.parametrize("cls", [AE, VAE, DAE, SAE])
def test_one_row_is_enough_for_a_further_pass(cls):
    X = tables(100)
    model = cls(2, max_epochs=2, **SMALL).fit(X)
    before, offset, spread = model.reconstruct(X), model.offset_, model.code_std_
    model.partial_fit(X[:1])
    assert not np.array_equal(model.reconstruct(X), before)
    assert model.offset_ == offset  # one row has no quantile and no deviation
    np.testing.assert_array_equal(model.code_std_, spread)
    with pytest.raises(ValueError, match="minimum of 2"):
        cls(2, **SMALL).partial_fit(X[:1])
