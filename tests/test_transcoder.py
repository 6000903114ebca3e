"""Transcoders: an SAE that learns an array from another; and a `y` of several columns elsewhere."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import norm

import narrows
from narrows import AE, SAE, VAE, TableAE
from narrows.data import infer, read_schema, target_of, write_schema
from narrows.data.paired import PairedRows, PairSchema

RNG = np.random.default_rng(0)
Z = (RNG.random((700, 16)) < 0.2) * RNG.uniform(1, 2, (700, 16))
X, Y = Z @ RNG.normal(size=(16, 10)), Z @ RNG.normal(size=(16, 6)) * 100 + 7


def fitted(**parameters: object) -> SAE:
    values = {"n_components": 32, "k": 4, "max_epochs": 40, "random_state": 0, "device": "cpu", "verbose": 0}
    return SAE(**{**values, "compile": False, "precision": "float32", **parameters})


@pytest.fixture(scope="module")
def transcoder() -> SAE:
    return fitted().fit(X[:600], Y[:600])


def test_targets_are_predicted_in_their_own_units(transcoder):
    made = transcoder.reconstruct(X[600:])
    assert made.shape == (100, 6)
    explained = 1 - ((made - Y[600:]) ** 2).sum() / ((Y[600:] - Y[600:].mean(0)) ** 2).sum()
    assert explained > 0.5
    finding = transcoder.findings_[0]
    assert finding.name == "targets"
    assert finding.is_well
    np.testing.assert_array_equal(transcoder.inverse_transform(transcoder.transform(X[600:])), made)
    assert transcoder.active_units(X).count.max() <= 4
    assert transcoder.transform(X).shape == (700, 32)


def test_the_score_is_the_log_likelihood_of_the_targets(transcoder):
    made, target = transcoder.reconstruct(X[600:]), target_of(transcoder.schema_)
    scale = float(transcoder.model_.likelihood.variance.sqrt()) * np.array(target.scale)
    expected = norm(made, scale).logpdf(Y[600:]).sum(1).mean()
    assert transcoder.score(X[600:], Y[600:]) == pytest.approx(expected, rel=1e-4)
    assert transcoder.score(X[600:], Y[600:][::-1]) < expected


def test_a_transcoder_is_saved(transcoder, tmp_path):
    transcoder.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(again.reconstruct(X), transcoder.reconstruct(X))
    assert again.score(X, Y) == transcoder.score(X, Y)
    assert again.schema_ == transcoder.schema_


@pytest.mark.parametrize("sparsity", ["batchtopk", "jumprelu", "gated", "matryoshka", "l1"])
def test_every_sparsity_learns_targets(sparsity):
    model = fitted(sparsity=sparsity, max_epochs=5).fit(X[:600], Y[:600])
    assert np.isfinite(model.reconstruct(X[600:])).all()


@pytest.mark.parametrize("sparsity", ["topk", "matryoshka"])
def test_a_skip_learns_what_is_linear(sparsity, tmp_path):
    """Few units cannot give a linear map of dense inputs; the skip can."""
    inputs = RNG.normal(size=(300, 10))
    targets = inputs @ RNG.normal(size=(10, 6))
    parameters = {"n_components": 16, "k": 1, "max_epochs": 60, "learning_rate": 2e-2, "sparsity": sparsity}
    plain, skipping = (fitted(skip=skip, **parameters).fit(inputs, targets) for skip in (False, True))
    errors = [np.mean((model.reconstruct(inputs) - targets) ** 2) for model in (plain, skipping)]
    assert errors[1] < 0.2 * errors[0]
    skipping.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(again.reconstruct(inputs), skipping.reconstruct(inputs))


def test_a_skip_needs_targets():
    with pytest.raises(ValueError, match="skip=True of SAE needs targets"):
        fitted(skip=True).fit(X)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_targets_of_a_second_pass_and_gaps_in_them():
    gaps = Y.copy()
    gaps[::7, 2] = np.nan
    model = fitted().partial_fit(X, gaps)
    before = model.score(X, gaps)
    for _ in range(5):
        model.partial_fit(X, gaps)
    assert model.score(X, gaps) > before
    with pytest.raises(ValueError, match="was fitted with targets: pass y with 6 columns"):
        model.partial_fit(X)


def test_another_fit_forgets_the_targets(transcoder):
    model = fitted(max_epochs=2).fit(X, Y)
    model.fit(X)
    assert model.reconstruct(X).shape == X.shape
    assert np.isfinite(model.score_samples(X)).all()
    with pytest.raises(ValueError, match="was fitted without targets"):
        model.partial_fit(X, Y)


@pytest.mark.parametrize(
    "call",
    [
        lambda model: model.score_samples(X),
        lambda model: model.predict(X),
        lambda model: model.score_entries(X),
        lambda model: narrows.evaluate(model, X),
        lambda model: model.plot.reconstructions(X),
    ],
)
def test_what_needs_reconstructions_of_the_inputs_says_so(transcoder, call):
    with pytest.raises(ValueError, match="needs a model of X alone"):
        call(transcoder)


@pytest.mark.parametrize("y", [Y, Y[:, :2].tolist(), np.zeros((700, 2, 3))], ids=["array", "list", "three axes"])
@pytest.mark.parametrize(
    "make", [AE, VAE, lambda: VAE(conditional=True), TableAE], ids=["ae", "vae", "labels", "table"]
)
def test_other_models_refuse_a_y_of_several_columns(make, y):
    for method in ("fit", "partial_fit"):
        with pytest.raises(ValueError, match=r"`y` of \w+ must be labels.*only SAE learns targets"):
            getattr(make(), method)(X, y)


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (Y[:5], "one row of numbers for each of the 700 examples"),
        (np.zeros((700, 2, 3)), "one row of numbers"),
        (np.full((700, 2), np.inf), "inf"),
    ],
)
def test_wrong_targets_are_refused(y, message):
    with pytest.raises(ValueError, match=message):
        fitted(max_epochs=1).fit(X, y)


@pytest.mark.parametrize("y", [np.arange(700.0), np.arange(700.0)[:, None], ["a"] * 700])
def test_labels_are_ignored(y):
    model = fitted(max_epochs=1).fit(X, y)
    assert model.reconstruct(X).shape == X.shape


def test_a_schema_of_pairs_is_written_and_read():
    pairs = PairSchema.of(infer(X, "test"), infer(Y, "test"))
    assert read_schema(write_schema(pairs)) == pairs
    assert target_of(pairs) == infer(Y, "test")
    plain = infer(X, "test")
    assert write_schema(plain) == plain.to_dict()
    assert target_of(plain) is plain


def test_pairs_are_on_the_scales_of_both():
    schema = PairSchema.of(infer(X, "test"), infer(Y, "test"))
    batch = PairedRows(X, Y, schema).on(torch.device("cpu"), torch.float64).batch(torch.tensor([3, 5]))
    torch.testing.assert_close(batch.x, schema.prepare(torch.from_numpy(X[[3, 5]]), torch.float64))
    torch.testing.assert_close(batch.target, target_of(schema).prepare(torch.from_numpy(Y[[3, 5]]), torch.float64))
