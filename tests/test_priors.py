"""Priors: densities that integrate to 1, and draws that come from them."""

import copy
import pickle

import numpy as np
import pytest
import torch
from torch import nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

import narrows
from narrows.bottlenecks import Gaussian
from narrows.bottlenecks.gaussian import split_mean_and_log_scale
from narrows.data import infer
from narrows.priors import FlowPrior, NormalMixture, StandardNormal, VampPrior, find_clusters
from narrows.recipes import vae


def mixture(n_components: int, n_modes: int = 3) -> NormalMixture:
    torch.manual_seed(0)
    prior = NormalMixture(n_components, n_modes).double()
    with torch.no_grad():
        prior.means.mul_(2)
        prior.log_stds.normal_(-0.5, 0.3)
    return prior


def test_a_mixture_is_that_of_torch():
    prior, z = mixture(4), 2 * torch.randn(50, 4, dtype=torch.float64)
    modes = Independent(Normal(prior.means, prior.log_stds.exp()), 1)
    expected = MixtureSameFamily(Categorical(torch.ones(3, dtype=torch.float64)), modes)
    torch.testing.assert_close(prior.log_prob(z), expected.log_prob(z))
    torch.testing.assert_close(prior.std, expected.variance.sqrt().detach())


def vamp(n_components: int, n_modes: int = 3) -> VampPrior:
    torch.manual_seed(0)
    encoder = nn.Linear(4, 2 * n_components + 1).double()  # its last output is not for the code
    prior = VampPrior(n_components, n_modes, torch.zeros(4), torch.tensor(2.0), (4,)).double()
    prior.condition(encoder, split_mean_and_log_scale)
    return prior


def flow(n_components: int) -> FlowPrior:
    pytest.importorskip("zuko")
    torch.manual_seed(0)
    prior = FlowPrior(n_components).double()
    with torch.no_grad():
        for p in prior.parameters():
            p.add_(0.2 * torch.randn_like(p))
    return prior


@pytest.mark.parametrize("n_components", [1, 2])
@pytest.mark.parametrize("make", [StandardNormal, mixture, vamp, flow])
def test_a_prior_integrates_to_1(make, n_components):
    axis = torch.linspace(-15, 15, 20_001 if n_components == 1 else 601, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * n_components).reshape(-1, n_components)
    with torch.no_grad():
        total = make(n_components).log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** n_components
    assert float(total) == pytest.approx(1, abs=1e-3 if make is flow else 1e-8)  # whose splines have kinks


@pytest.mark.parametrize("make", [StandardNormal, mixture])
def test_draws_have_the_moments_of_the_prior(make):
    prior, n = make(3), 100_000
    with torch.no_grad():
        z = prior.from_noise(torch.randn(n, prior.n_noise, dtype=torch.float64))
    assert z.shape == (n, 3)
    torch.testing.assert_close(z.std(0), prior.std.double(), rtol=0.01, atol=0)
    mean = prior.means.mean(0).detach() if make is mixture else torch.zeros(3, dtype=torch.float64)
    assert ((z.mean(0) - mean).abs() < 5 * z.std(0) / n**0.5).all()


def test_the_modes_of_a_mixture_are_drawn_equally_often():
    prior, n = mixture(2, 4), 40_000
    with torch.no_grad():
        prior.means.copy_(100 * torch.arange(4.0)[:, None].expand(4, 2))
        z = prior.from_noise(torch.randn(n, 3, dtype=torch.float64))
    counts = torch.bincount((z[:, 0] / 100).round().long(), minlength=4)
    assert (counts - n / 4).abs().max() < 5 * (n * 3 / 16) ** 0.5


@pytest.mark.parametrize("noise", [-1e9, -40.0, 40.0, 1e9])
def test_a_mixture_survives_extreme_noise(noise):
    prior = mixture(2)
    eps = torch.tensor([[noise, 0.0, 0.0]], dtype=torch.float64)
    mode = 0 if noise < 0 else 2
    torch.testing.assert_close(prior.from_noise(eps)[0], prior.means[mode])


def test_the_closed_form_is_that_of_torch():
    torch.manual_seed(0)
    mean, log_std = torch.randn(2, 5, 3, dtype=torch.float64)
    expected = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(StandardNormal(3).kl_from_gaussian(mean, log_std, log_std.exp()), expected)
    assert mixture(3).kl_from_gaussian(mean, log_std, log_std.exp()) is None


def test_a_gaussian_code_with_a_mixture_of_one_standard_mode_has_the_standard_density():
    prior = NormalMixture(3, 1).double()
    with torch.no_grad():
        prior.means.zero_()
    h, eps = torch.randn(6, 6, dtype=torch.float64), torch.randn(6, 3, dtype=torch.float64)
    for mixed, standard in zip(Gaussian(3, prior=prior).sample(h, eps), Gaussian(3).sample(h, eps), strict=True):
        torch.testing.assert_close(mixed, standard)


def test_a_vamp_prior_is_the_mean_of_the_posteriors_of_its_pseudo_inputs():
    prior, z = vamp(3, 4), torch.randn(20, 3, dtype=torch.float64)
    encoder = prior._posterior[0]
    mean, log_std = split_mean_and_log_scale(encoder(prior.pseudo_inputs)[:, :6])
    modes = Independent(Normal(mean, log_std.exp()), 1)
    expected = MixtureSameFamily(Categorical(torch.ones(4, dtype=torch.float64)), modes)
    torch.testing.assert_close(prior.log_prob(z), expected.log_prob(z))
    torch.testing.assert_close(prior.std, expected.variance.sqrt().detach())
    assert set(prior.state_dict()) == {"pseudo_inputs"}  # the encoder belongs to the model


def test_a_vamp_prior_follows_the_encoder_of_its_own_copy():
    X = np.random.default_rng(0).normal(size=(30, 4))
    parts = vae(infer(X, "test"), 2, prior="vamp")
    for model in (parts.model, copy.deepcopy(parts.model), pickle.loads(pickle.dumps(parts.model))):
        assert model.bottleneck.prior._posterior[0] is model.encoder


def test_pseudo_inputs_start_at_training_rows_once():
    X = np.random.default_rng(0).normal(size=(40, 4))
    common = {"prior": "vamp", "n_modes": 5, "hidden": (8,), "random_state": 0, "device": "cpu"}
    model = narrows.VAE(2, max_epochs=1, learning_rate=1e-9, **common).fit(X)
    rows, inputs = model.prepare(X), model.model_.bottleneck.prior.pseudo_inputs.detach()
    assert float(torch.cdist(inputs, rows).amin(1).max()) < 0.01
    assert len(torch.cdist(inputs, rows).argmin(1).unique()) == 5
    inputs += 100
    model.partial_fit(X)
    assert float(model.model_.bottleneck.prior.pseudo_inputs.detach().min()) > 90


def test_a_loaded_prior_is_not_new():
    for make in (mixture, vamp):
        prior = make(2)
        assert prior.n_start_rows > 0
        prior.load_state_dict(make(2).state_dict())
        assert prior.n_start_rows == 0


def test_the_inverse_of_a_flow_prior_gives_its_noise():
    prior, eps = flow(3), torch.randn(50, 3, dtype=torch.float64)
    with torch.no_grad():
        z = prior.from_noise(eps)
    for i in range(5):
        jacobian = torch.autograd.functional.jacobian(lambda e, i=i: prior.from_noise(e[None])[0], eps[i])
        expected = Normal(0.0, 1.0).log_prob(eps[i]).sum() - torch.linalg.slogdet(jacobian).logabsdet
        torch.testing.assert_close(prior.log_prob(z[i : i + 1])[0].detach(), expected, rtol=1e-5, atol=1e-5)


def test_a_flow_prior_takes_codes_of_another_precision():
    prior, z = flow(2), torch.randn(3, 2)
    torch.testing.assert_close(prior.log_prob(z), prior.log_prob(z.double()))
    assert prior.from_noise(z).dtype == torch.float64


def test_modes_start_at_clusters():
    rng = np.random.default_rng(0)
    centres = torch.tensor([[-4.0, 0.0], [4.0, 0.0], [0.0, 6.0]], dtype=torch.float64)
    z = centres.repeat(50, 1) + torch.from_numpy(rng.normal(size=(150, 2))) * 0.3
    prior = mixture(2, 3)
    prior.start(z, z)
    means = prior.means.detach()
    torch.testing.assert_close(means[torch.cdist(centres, means).argmin(1)], centres, rtol=0, atol=0.15)
    torch.testing.assert_close(prior.log_stds.exp().detach(), torch.full((3, 2), 0.3).double(), rtol=0, atol=0.08)
    assert (prior.mode_probs(z).argmax(1).view(50, 3) == prior.mode_probs(centres).argmax(1)).all()


def test_clusters_of_fewer_codes_than_modes_are_finite():
    means, stds = find_clusters(torch.zeros(2, 3), 5)
    assert means.shape == stds.shape == (5, 3)
    assert torch.isfinite(means).all()
    assert (stds > 0).all()


def test_an_estimator_assigns_examples_to_the_modes_of_its_prior():
    rng = np.random.default_rng(0)
    y = np.arange(200) % 2
    X = rng.normal(size=(200, 5)) + 8 * y[:, None]
    common = {"hidden": (16,), "max_epochs": 5, "random_state": 0, "device": "cpu"}
    model = narrows.estimator("gmvae")(2, n_modes=2, **common).fit(X)
    probs, clusters = model.cluster_probs(X), model.predict_cluster(X)
    np.testing.assert_allclose(probs.sum(1), 1, rtol=1e-6)
    np.testing.assert_array_equal(clusters, probs.argmax(1))
    assert (clusters == y).all() or (clusters == 1 - y).all()
    labelled = narrows.VAE(2, prior="vamp", n_modes=3, conditional=True, **common).fit(X, y)
    assert labelled.cluster_probs(X).shape == (200, 3)
    for other in (narrows.VAE(2, **common), narrows.AE(2, **common)):
        with pytest.raises(ValueError, match="has no clusters, because its prior has no modes"):
            other.fit(X).predict_cluster(X)


def test_posteriors_and_priors_that_do_not_go_together_are_refused():
    X = np.eye(8)
    for posterior, prior, message in (
        ("flow", "vamp", r"'vamp' needs the posterior 'gaussian'.*This posterior is 'flow'"),
        ("ladder", "mixture", r"posterior 'ladder' has its own prior.*Got 'mixture'"),
        ("laplace", "flow", r"posterior 'laplace' has its own prior.*Got 'flow'"),
    ):
        with pytest.raises(ValueError, match=message):
            narrows.VAE(2, posterior=posterior, prior=prior).fit(X)
    with pytest.raises(ValueError, match="must be at least 2 with posterior='ladder'"):
        narrows.VAE(1, posterior="ladder").fit(X)


def test_a_prior_that_does_not_suit_the_code_is_refused():
    with pytest.raises(ValueError, match=r"prior` parameter of Gaussian must be over 3 components. Got one over 2"):
        Gaussian(3, prior=StandardNormal(2))
    with pytest.raises(ValueError, match="free_nats` parameter of Gaussian must be 0 with a NormalMixture prior"):
        Gaussian(3, free_nats=0.1, prior=NormalMixture(3))
    with pytest.raises(
        ValueError, match="free_nats` parameter of VAE must be 0 with posterior='gaussian' and prior='mixture'"
    ):
        narrows.VAE(2, free_nats=0.1, prior="mixture").fit(np.eye(8))


def test_a_mixture_learns_where_codes_lie():
    rng = np.random.default_rng(0)
    z = torch.from_numpy(rng.normal(size=(400, 2)) * 0.3 + np.repeat([[-2.0, 0.0], [2.0, 1.0]], 200, axis=0))
    torch.manual_seed(0)
    prior = NormalMixture(2, 2).double()
    optimizer = torch.optim.Adam(prior.parameters(), 0.05)
    for _ in range(300):
        optimizer.zero_grad()
        (-prior.log_prob(z).mean()).backward()
        optimizer.step()
    means = prior.means.detach()[prior.means[:, 0].argsort()]
    expected = torch.tensor([[-2.0, 0.0], [2.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(means, expected, rtol=0, atol=0.1)
