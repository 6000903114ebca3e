"""One scale of all columns, none, and the geometric median as center."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import narrows
from narrows import SAE
from narrows.data import infer, normalize
from narrows.data.normalizing import geometric_median

RNG = np.random.default_rng(0)
X = RNG.normal(size=(500, 6)) * [1, 1, 1, 1, 2, 30] + RNG.normal(size=6) * 5
X[:25] += 200  # outliers move the mean, and hardly the median


@pytest.mark.parametrize("scale", ["column", "all", "none"])
@pytest.mark.parametrize("center", ["mean", "median"])
def test_rows_are_moved_and_divided_as_asked(scale, center):
    schema = normalize(infer(X, "test"), X, scale, center, "test")
    x = schema.prepare(torch.from_numpy(X), torch.float64).numpy()
    point = X.mean(0) if center == "mean" else geometric_median(X)
    factor = {"column": X.std(0), "all": np.sqrt((X.std(0) ** 2).mean()), "none": 1.0}[scale]
    np.testing.assert_allclose(x, (X - point) / factor, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(schema.restore(torch.from_numpy(x)), X, rtol=1e-6)
    np.testing.assert_allclose(schema.mean, x.mean(0), atol=1e-4)
    np.testing.assert_allclose(schema.std, x.std(0), rtol=1e-4)
    assert schema.log_scale(X) == pytest.approx(np.log(np.broadcast_to(factor, 6)).sum(), rel=1e-6)


def test_the_default_changes_nothing():
    schema = infer(X, "test")
    assert normalize(schema, X, "column", "mean", "test") is schema


def test_a_geometric_median_is_a_minimum():
    point = geometric_median(X)

    def distance(p):
        return np.linalg.norm(X - p, axis=1).sum()

    assert all(distance(point) <= distance(point + step) for step in 0.05 * RNG.normal(size=(50, 6)))
    assert distance(point) < distance(np.median(X, 0))


def test_constant_columns_and_gaps_stay():
    rows = X.copy()
    rows[:, 1] = 4.0
    rows[::5, 0] = np.nan
    schema = normalize(infer(rows, "test", allow_nan=True), rows, "all", "median", "test")
    x = schema.prepare(torch.from_numpy(rows)).numpy()
    np.testing.assert_array_equal(np.isnan(x), np.isnan(rows))
    assert (x[:, 1] == 0).all()
    np.testing.assert_allclose(schema.restore(torch.from_numpy(x)), rows, rtol=1e-5)


@pytest.mark.parametrize("kind", ["of 0 and 1", "counts", "images"])
def test_other_data_are_refused(kind):
    rows = {
        "of 0 and 1": RNG.integers(0, 2, (60, 6)).astype(float),
        "counts": RNG.poisson(0.5, (60, 6)),
        "images": RNG.random((60, 8, 8)),
    }[kind]
    for parameters in ({"scale": "all"}, {"center": "median"}):
        with pytest.raises(ValueError, match=r"`(scale|center)` parameter of SAE can be .* real numbers only"):
            SAE(8, max_epochs=1, device="cpu", **parameters).fit(rows)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_dictionary_with_one_scale_is_saved_and_explains_the_large_column(tmp_path):
    parameters = {"n_components": 24, "k": 2, "max_epochs": 30, "random_state": 0, "device": "cpu", "verbose": 0}
    errors = {}
    for scale in ("column", "all"):
        model = SAE(scale=scale, center="median", **parameters).fit(X)
        errors[scale] = ((model.reconstruct(X) - X) ** 2).mean(0)
        assert np.isfinite(model.score_samples(X)).all()
    assert errors["all"][5] < errors["column"][5]
    model.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model", device="cpu")
    assert again.schema_ == model.schema_
    np.testing.assert_array_equal(again.reconstruct(X), model.reconstruct(X))
