"""The start of a training at PCA, against scikit-learn's PCA and the density of probabilistic PCA."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from narrows import AE, DAE, SAE, VAE
from narrows.bottlenecks.gaussian import split_mean_and_log_scale
from narrows.data import infer
from narrows.likelihoods import LIKELIHOODS, choose
from narrows.networks import Standardize
from narrows.training.linear_start import principal_components

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 3)) @ RNG.normal(size=(3, 7)) * [1, 9, 1, 1, 0.1, 1, 1] + RNG.normal(size=(400, 7)) + 5
NEW = RNG.normal(size=(200, 3)) @ RNG.normal(size=(3, 7)) + 5


def start_only(model, X):
    """Fit without learning: the best weights are those of the start."""
    return model.set_params(learning_rate=1e-12, max_epochs=1, random_state=0).fit(X)


ALL_ROWS = {"early_stopping": False}  # PCA sees every row


@pytest.mark.parametrize("n_components", [1, 3, 7])
def test_an_ae_starts_as_pca_of_the_standardised_columns(n_components):
    model = start_only(AE(n_components, **ALL_ROWS), X)
    mean, std = X.mean(0), X.std(0)
    pca = PCA(n_components).fit((X - mean) / std)
    expected = pca.inverse_transform(pca.transform((NEW - mean) / std)) * std + mean
    np.testing.assert_allclose(model.reconstruct(NEW), expected, rtol=1e-3, atol=1e-3)
    assert any(line.startswith("start = pca") for line in model.report_)


@pytest.mark.parametrize("shape", [(300, 40), (40, 300), (2000, 1800)])
def test_components_are_those_of_pca_whatever_the_shape(shape):
    n, d = shape
    x = np.random.default_rng(1).normal(size=(n, 5)) @ np.random.default_rng(2).normal(size=(5, d))
    x = (x + 0.01 * np.random.default_rng(3).normal(size=(n, d))).astype(np.float32)
    x -= x.mean(0)
    variances, directions = principal_components(torch.from_numpy(x), 4)
    pca = PCA(4, random_state=0).fit(x)
    np.testing.assert_allclose(variances, pca.explained_variance_ * (n - 1) / n, rtol=1e-3)
    np.testing.assert_allclose(np.abs((directions.numpy() * pca.components_).sum(1)), 1, atol=1e-3)


def test_more_components_than_the_data_have_are_zero():
    x = torch.randn(5, 1) @ torch.randn(1, 6)
    variances, directions = principal_components(x - x.mean(0), 8)
    assert variances.shape == (8,)
    assert directions.shape == (8, 6)
    assert (variances[1:] == 0).all()
    assert (directions[1:] == 0).all()


def test_a_vae_starts_with_the_likelihood_of_probabilistic_pca():
    model = start_only(VAE(3, **ALL_ROWS), X)
    mean, std = X.mean(0), X.std(0)
    expected = PCA(3).fit((X - mean) / std).score((NEW - mean) / std) - np.log(std).sum()
    assert model.score(NEW) == pytest.approx(expected, rel=0.01)


def test_the_posterior_of_the_start_is_exact():
    model = start_only(VAE(3, **ALL_ROWS), X)
    x = model.schema_.prepare(torch.from_numpy(NEW))
    mean, log_scale = split_mean_and_log_scale(model.model_.encoder(x.float()))
    w = model.model_.decoder.linear_path.map.weight.double()
    noise = float(model.model_.likelihood.variance)
    m = w.T @ w + noise * torch.eye(3)
    exact = torch.linalg.solve(m, w.T @ (x.double() - model.model_.decoder.linear_path.map.bias.double()).T).T
    np.testing.assert_allclose(mean.detach(), exact.detach(), rtol=0.02, atol=0.02)
    covariance = noise * torch.linalg.inv(m)
    scale = covariance.diagonal().sqrt().expand_as(mean)
    np.testing.assert_allclose(log_scale.exp().detach(), scale.detach(), rtol=0.02)


def test_a_large_beta_starts_without_components_that_do_not_pay():
    model = start_only(VAE(3, beta=1000.0, **ALL_ROWS), X)
    assert model.model_.decoder.linear_path.map.weight.abs().max() < 1e-9


@pytest.mark.parametrize("kind", ["unit", "binary", "count", "real"])
def test_links_give_the_features_back_as_means(kind):
    rng = np.random.default_rng(0)
    rows = {
        "unit": rng.uniform(0.05, 0.95, size=(50, 8, 8)),
        "binary": rng.integers(0, 2, size=(50, 6)).astype(float),
        "count": rng.poisson(0.5, size=(200, 6)).astype(float),
        "real": rng.normal(size=(50, 6)),
    }[kind].astype(np.float32)
    schema = infer(rows, "test")
    x = schema.prepare(torch.from_numpy(rows))
    standardize = Standardize(schema).eval()
    names = {
        "unit": ("gaussian", "continuous_bernoulli", "bernoulli", "heteroscedastic"),
        "binary": ("bernoulli",),
        "count": ("poisson", "negative_binomial"),
        "real": ("gaussian", "heteroscedastic"),
    }[kind]
    for name in names:
        assert name in LIKELIHOODS
        likelihood = choose(name, schema)[0]
        params = likelihood.link(schema)(standardize(x).flatten(1))
        assert params.shape[1:] == likelihood.params_shape(schema.shape)
        np.testing.assert_allclose(likelihood.mean(params), x, atol=0.006)


def test_the_start_is_kept_where_training_only_makes_it_worse():
    noise = np.random.default_rng(0).normal(size=(120, 30))
    fitted = AE(2, max_epochs=60, learning_rate=0.05, random_state=0).fit(noise)
    start = start_only(AE(2), noise)
    new = np.random.default_rng(1).normal(size=(500, 30))
    error = [np.square(m.reconstruct(new) - new).mean() for m in (fitted, start)]
    assert error[0] <= error[1] * 1.01


def test_training_goes_on_from_the_start():
    circle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    X = np.c_[np.cos(circle), np.sin(circle), np.cos(2 * circle)]
    model = AE(1, random_state=0).fit(X)
    pca = PCA(1).fit(X)
    error = np.square(pca.inverse_transform(pca.transform(X)) - X).mean()
    assert np.square(model.reconstruct(X) - X).mean() < 0.5 * error


@pytest.mark.parametrize("model", [AE(2, start="random"), SAE(8), DAE(), AE(2, network=torch.nn.Linear(7, 2))])
def test_models_without_a_linear_path_start_as_before(model):
    fitted = model.set_params(max_epochs=1, random_state=0).fit(X)
    assert not any(line.startswith("start = ") for line in fitted.report_)


def test_a_second_partial_fit_goes_on_from_the_first():
    model = AE(2, hidden=(4,), random_state=0).partial_fit(X)
    assert model.model_.decoder.linear_path.map.weight.abs().max() > 0
    before = model.reconstruct(X)
    model.partial_fit(X[:64])
    assert np.abs(model.reconstruct(X) - before).max() < 1.0


def test_a_conditional_model_has_no_linear_path_because_that_would_hold_the_class():
    y = (X[:, 0] > 5).astype(int)
    model = VAE(2, conditional=True, max_epochs=1, random_state=0).fit(X, y)
    assert not any(line.startswith("start = ") for line in model.report_)
    assert model.sample(3, y=1).shape == (3, 7)


def test_gaps_and_constant_columns_have_a_start():
    gappy = X.copy()
    gappy[::7, 2] = np.nan
    gappy[:, 4] = 3.0
    model = start_only(AE(2), gappy)
    reconstructed = model.reconstruct(gappy)
    assert np.isfinite(reconstructed).all()
    assert (reconstructed[:, 4] == 3.0).all()
