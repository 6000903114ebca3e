"""Known features: their distribution, and a dictionary that has them all."""

import numpy as np
import pytest
import torch
from scipy import stats

import narrows
from narrows.dictionaries.parts import to_estimator
from narrows.dictionaries.record import SparseDictionary
from narrows.evaluation import match_features, synthetic_features


def test_rows_are_what_the_formula_says():
    truth = synthetic_features(20_000, d=32, n_features=64, l0=3, noise=0, correlation=0.3)
    np.testing.assert_allclose(truth.X, truth.activations @ truth.directions, atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(truth.directions, axis=1), 1, rtol=1e-5)
    is_on = truth.activations > 0
    assert truth.probability.sum() == pytest.approx(3)
    error = np.sqrt(truth.probability * (1 - truth.probability) / 20_000)
    assert (np.abs(is_on.mean(0) - truth.probability) < 4.5 * error).all()
    logs = np.log(truth.activations[is_on])
    assert logs.mean() == pytest.approx(-(0.5**2) / 2, abs=0.01)
    assert logs.std() == pytest.approx(0.5, rel=0.02)
    slope = stats.linregress(np.log(np.arange(64) + 1), np.log(truth.probability)).slope
    assert slope == pytest.approx(-0.7, abs=1e-6)


def test_features_are_correlated_only_if_asked():
    def strength(correlation):
        on = synthetic_features(20_000, d=8, n_features=16, l0=4, correlation=correlation).activations > 0
        return np.abs(np.corrcoef(on.T)[np.triu_indices(16, 1)]).max()

    assert strength(0.0) < 4.5 / np.sqrt(20_000)
    assert strength(0.5) > 0.1


def test_the_seed_gives_the_same_rows():
    a, b, c = (synthetic_features(50, random_state=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(a.X, b.X)
    assert not np.array_equal(a.X, c.X)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"n": 0}, "`n` parameter of synthetic_features"),
        ({"l0": 100}, "at most n_features / 4 = 64"),
        ({"correlation": 1.5}, "`correlation` parameter of synthetic_features must be at most 1"),
        ({"noise": -1}, "`noise` parameter of synthetic_features"),
    ],
)
def test_wrong_parameters(wrong, message):
    with pytest.raises(ValueError, match=message):
        synthetic_features(**{"n": 10, **wrong})


@pytest.fixture(scope="module")
def truth():
    """Orthogonal features with activations of 1, which a linear encoder can read exactly."""
    made = synthetic_features(2_000, d=12, n_features=12, l0=2, tail=0.1, noise=0)
    basis = np.linalg.qr(np.random.default_rng(3).normal(size=(12, 12)))[0].astype(np.float32)
    return made._replace(directions=basis, X=made.activations @ basis)


def planted(truth, order, scale=1.0):
    """An SAE that holds the true directions in another order, loaded in the form of SAELens."""
    D = torch.tensor(truth.directions[order])
    record = SparseDictionary(
        W_enc=D.T.contiguous() * scale,
        b_enc=torch.full((len(order),), -0.2),
        W_dec=D / scale,
        b_dec=torch.zeros(12),
        activation="relu",
    )
    return to_estimator(record, "cpu")


def test_a_dictionary_of_the_truth_is_perfect(truth):
    order = np.random.default_rng(0).permutation(12)
    match = match_features(planted(truth, order, 2.0), truth)
    np.testing.assert_array_equal(order[match.unit], np.arange(12))
    np.testing.assert_allclose(match.cosine, 1, atol=1e-5)
    np.testing.assert_allclose(match.f1, 1)
    assert match.share_found() == match.mean_f1 == 1
    assert match.by_chance < 0.9


def test_half_a_dictionary_finds_half(truth):
    match = match_features(planted(truth, np.arange(6)), truth)
    assert match.share_found() == 0.5
    assert (match.unit[6:] == -1).all()
    assert match.mean_f1 == pytest.approx(0.5)
    assert match.mean_max_cosine == pytest.approx(0.5, abs=1e-5)
    assert "50.0% of 12 features found" in repr(match)


def test_directions_are_those_in_the_units_of_x(truth):
    X = truth.X * np.geomspace(0.1, 10, 12).astype(np.float32) + 50  # which the model standardises
    sae = narrows.SAE(16, k=2, max_epochs=2, random_state=0).fit(X)
    match = match_features(sae, truth._replace(X=X))
    directions = sae.inverse_transform(np.eye(16)).astype(np.float64) - sae.inverse_transform(np.zeros((1, 16)))
    cosines = truth.directions @ (directions / np.linalg.norm(directions, axis=1, keepdims=True)).T
    np.testing.assert_allclose(match.max_cosine, cosines.max(1), atol=1e-4)
    np.testing.assert_allclose(match.cosine, cosines[np.arange(12), match.unit], atol=1e-4)


@pytest.mark.slow
def test_a_training_finds_features_that_random_directions_do_not():
    truth = synthetic_features(4_000, d=32, n_features=40, l0=2, correlation=0, power=0, noise=0)
    sae = narrows.SAE(40, k=2, max_epochs=60, learning_rate=1e-2, random_state=0).fit(truth.X)
    match = match_features(sae, truth)
    assert match.mean_max_cosine > match.by_chance + 0.2
    assert match.by_chance == pytest.approx(0.39, abs=0.05)  # the largest of 40 cosines with deviation 32^-1/2


def test_only_for_sparse_codes(truth):
    model = narrows.AE(2, hidden=(), max_epochs=1, random_state=0).fit(truth.X)
    with pytest.raises(ValueError, match="match_features needs a fitted SAE: the code is not sparse"):
        match_features(model, truth)
