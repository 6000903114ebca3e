"""Sparse dictionaries of rows that are scaled one by one (scale="layer_norm"), by closed forms and invariances."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

import narrows
from narrows import SAE
from narrows.data import scale_rows, weigh_rows
from narrows.dictionaries import read_dictionary
from narrows.objectives.weighted import DeadUnitRevival
from narrows.types import Batch

N, WIDTH, N_UNITS = 600, 12, 24


def rows() -> np.ndarray:
    """Sparse sums of 16 directions, each row with a scale and a level of its own, over two orders of magnitude."""
    rng = np.random.default_rng(0)
    sums = (rng.random((N, 16)) * (rng.random((N, 16)) < 0.2)) @ rng.normal(size=(16, WIDTH))
    sums += 0.1 * rng.normal(size=(N, WIDTH))
    return (sums * 10 ** rng.uniform(0, 2, (N, 1)) + rng.normal(size=(N, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def fitted() -> SAE:
    settings = {"max_epochs": 20, "batch_size": 64, "learning_rate": 1e-2, "random_state": 0, "verbose": 0}
    return SAE(N_UNITS, k=4, scale="layer_norm", patience=500, **settings).fit(rows())


def test_codes_do_not_depend_on_the_scale_of_a_row_and_reconstructions_do(fitted):
    X = rows()
    factor, level = np.geomspace(1, 50, N).astype(np.float32)[:, None], np.float32(7)
    np.testing.assert_allclose(fitted.transform(factor * X + level), fitted.transform(X), atol=2e-3)
    moved, expected = fitted.reconstruct(50 * X + level), 50 * fitted.reconstruct(X) + level
    assert np.abs(moved - expected).max() < 1e-3 * np.abs(expected).max()


def test_all_rows_are_explained_alike_in_their_own_units(fitted):
    X = rows()
    deviation = X.std(1, keepdims=True)
    errors = ((X - fitted.reconstruct(X)) / deviation) ** 2
    small, large = deviation[:, 0] < 3, deviation[:, 0] > 10
    assert errors[small].mean() < 0.15
    assert errors[large].mean() < 0.15
    explained = narrows.evaluate(fitted, X)["explained_variance"]
    raw = 1 - ((X - fitted.reconstruct(X)) ** 2).sum() / ((X - X.mean(0)) ** 2).sum()
    assert explained == pytest.approx(raw, abs=0.01)


def test_weighted_errors_are_those_of_the_scaled_rows():
    x = torch.from_numpy(rows()).double()[:50]
    x[3] = 5.0  # such as padding
    scaled, output = scale_rows(x, "layer_norm"), torch.randn(50, WIDTH, dtype=torch.float64)
    weight = weigh_rows(x, "layer_norm")
    raw, own = (scaled.undo(output) - x) ** 2 * weight, (output - scaled.rows) ** 2
    varies = torch.arange(50) != 3
    ratio = raw[varies].sum(1) / own[varies].sum(1)
    torch.testing.assert_close(ratio, ratio.mean().expand(49), rtol=1e-3, atol=0)
    assert (weight[3] == 0).all()
    torch.testing.assert_close(weight[:, 0].mean(), torch.tensor(1.0, dtype=torch.float64))
    assert weigh_rows(x, "none") is None


def test_what_dead_units_add_is_scaled_back_without_the_mean_of_the_row(fitted):
    model, x = fitted.module(), torch.from_numpy(rows()[:30])
    try:
        model.train()
        model.bottleneck.idle[::2] = 1e6
        model.bottleneck.update_dead_units()
        output = model(Batch(x, x))
        assert output.code.aux_code is not None
        losses = []
        for takes_units in (True, False):  # added to the output, or decoded with the other units
            model.decoder.takes_units = takes_units
            losses.append(DeadUnitRevival(1.0)(model, Batch(x, x), output).not_validated)
        torch.testing.assert_close(*losses, rtol=1e-4, atol=1e-4)
    finally:
        del model.decoder.takes_units
        model.bottleneck.idle.zero_()
        model.eval()


@pytest.mark.parametrize("sparsity", ["topk", "batchtopk", "gated"])
def test_it_is_exported_with_the_scaling_that_saelens_has(sparsity, tmp_path):
    X = rows()
    model = SAE(N_UNITS, k=4, sparsity=sparsity, scale="layer_norm", max_epochs=3, random_state=0).fit(X)
    narrows.save_dictionary(model, tmp_path)
    assert json.loads((tmp_path / "cfg.json").read_text())["normalize_activations"] == "layer_norm"
    again, x = read_dictionary(tmp_path), torch.from_numpy(X)
    z = again.encode(x)
    np.testing.assert_allclose(z.numpy(), model.transform(X), atol=1e-4)
    np.testing.assert_allclose(again.decode(z, x).numpy(), model.reconstruct(X), rtol=1e-4, atol=1e-3)


def test_it_is_saved_and_loaded(fitted, tmp_path):
    fitted.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model")
    np.testing.assert_array_equal(again.reconstruct(rows()), fitted.reconstruct(rows()))
    assert not again.model_.encoder.shift.requires_grad


def test_the_center_is_that_of_the_scaled_rows():
    X = rows()
    for center in ("mean", "median"):
        model = SAE(4, k=1, scale="layer_norm", center=center, max_epochs=1).fit(X)
        scaled = scale_rows(torch.from_numpy(X).double(), "layer_norm").rows
        if center == "mean":
            torch.testing.assert_close(model.model_.encoder.shift.detach().double(), scaled.mean(0), atol=1e-5, rtol=0)
        else:
            assert not torch.allclose(model.model_.encoder.shift.detach().double(), scaled.mean(0), atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hidden": (8,)}, "needs a linear encoder"),
        ({"likelihood": "heteroscedastic"}, "one number for each entry"),
        ({"gaps": True}, "rows have gaps"),
        ({"targets": True}, "no targets"),
        ({"one": True}, "a single column has no deviation"),
        ({"layers": True}, "rows have several layers: pass scale='layer'"),
        ({"binary": True}, "vectors of real numbers only"),
    ],
)
def test_what_cannot_be_scaled_row_by_row_is_refused(change, message):
    X, Y = rows(), None
    if change.pop("gaps", False):
        X[3, 2] = np.nan
    if change.pop("one", False):
        X = X[:, :1]
    if change.pop("binary", False):
        X = (X > 0).astype(np.float32)
    if change.pop("targets", False):
        Y = X[:, :3]
    make = narrows.estimator("crosscoder") if change.pop("layers", False) else SAE
    X = X.reshape(N, 2, -1) if make is not SAE else X
    with pytest.raises(ValueError, match=message):
        make(4, scale="layer_norm", max_epochs=1, **change).fit(X, Y)
