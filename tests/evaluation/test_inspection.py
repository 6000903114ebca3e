"""The inspection of a model: every result once, and the same as from the model itself."""

from typing import Any

import numpy as np
import pytest
from sklearn.decomposition import PCA

from narrows.evaluation.absent import Absent
from narrows.evaluation.inspection import Inspection


def test_results_are_those_of_the_model(models: dict[str, Any], data: dict[str, Any]):
    model, X = models["vae"], data["X"][:60]
    inspection = Inspection(model, X)
    np.testing.assert_array_equal(inspection.codes, model.transform(X))
    np.testing.assert_array_equal(inspection.scores, model.score_samples(X))
    reconstructions = np.asarray(model.reconstruct(X))
    np.testing.assert_allclose(inspection.reconstructions.numpy().reshape(X.shape), reconstructions, atol=1e-6)
    np.testing.assert_allclose(inspection.errors, np.square(X - reconstructions).mean((1, 2)), rtol=1e-4)
    np.testing.assert_allclose(np.median(inspection.excess_costs, axis=0), 0, atol=1e-9)


def test_each_result_is_computed_once(models: dict[str, Any], data: dict[str, Any], monkeypatch: pytest.MonkeyPatch):
    inspection, calls = Inspection(models["sae"], data["X"][:40]), []
    compute = models["sae"].compute_sparse_codes
    monkeypatch.setattr(models["sae"], "compute_sparse_codes", lambda X: calls.append(1) or compute(X))
    for name in ("codes", "units", "plane", "axes", "codes"):
        getattr(inspection, name)
    inspection.top_rows(0, 3)
    assert len(calls) == 1


def test_known_results_are_not_computed_again(models: dict[str, Any], data: dict[str, Any]):
    scores, codes = np.arange(5.0), np.eye(5)
    inspection = Inspection(models["ae"], data["X"][:5], scores=scores, codes=codes)
    assert inspection.scores is scores
    assert inspection.codes is codes


def test_axes_are_those_of_pca(models: dict[str, Any], data: dict[str, Any]):
    codes = np.random.default_rng(0).normal(size=(80, 4)) @ np.diag([1.0, 5, 0.1, 3]) + 7
    mean, directions, share = Inspection(models["ae"], data["X"][:80], codes=codes).axes
    pca = PCA(2).fit(codes)
    np.testing.assert_allclose(mean, codes.mean(0))
    np.testing.assert_allclose(np.abs(directions), np.abs(pca.components_), atol=1e-9)
    np.testing.assert_allclose(share, pca.explained_variance_ratio_)
    assert (directions.sum(1) >= 0).all()


def test_one_component_has_one_axis(models: dict[str, Any], data: dict[str, Any]):
    _, directions, share = Inspection(models["ae"], data["X"][:9], codes=np.arange(9.0)[:, None]).axes
    assert directions.tolist() == [[1.0], [0.0]]
    assert share.tolist() == [1.0, 0.0]


def test_units_are_counted(models: dict[str, Any], data: dict[str, Any]):
    model, X = models["sae"], data["X"]
    codes = np.asarray(model.transform(X))
    units = Inspection(model, X).units
    np.testing.assert_array_equal(units.rate, (codes > 0).mean(0))
    strength = [codes[codes[:, i] > 0, i].mean() if (codes[:, i] > 0).any() else 0 for i in range(codes.shape[1])]
    np.testing.assert_allclose(units.strength, strength, rtol=1e-5)
    busiest = int(units.order[0])
    top = Inspection(model, X).top_rows(busiest, 4)
    assert codes[top, busiest].tolist() == sorted(codes[:, busiest].tolist(), reverse=True)[:4]


def test_what_is_absent_has_a_reason(models: dict[str, Any], data: dict[str, Any]):
    inspection = Inspection(models["ae"], data["X"][:5])
    with pytest.raises(Absent, match="a code of AE is a point, not a distribution"):
        _ = inspection.kl
    with pytest.raises(Absent, match="the code is not sparse"):
        _ = inspection.units
