"""Priors: densities that integrate to 1, and draws that come from them."""

import numpy as np
import pytest
import torch
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal, kl_divergence

import narrows
from narrows.bottlenecks import Gaussian
from narrows.priors import NormalMixture, StandardNormal


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


@pytest.mark.parametrize("n_components", [1, 2])
@pytest.mark.parametrize("make", [StandardNormal, mixture])
def test_a_prior_integrates_to_1(make, n_components):
    axis = torch.linspace(-15, 15, 20_001 if n_components == 1 else 601, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * n_components).reshape(-1, n_components)
    with torch.no_grad():
        total = make(n_components).log_prob(grid).exp().sum() * (axis[1] - axis[0]) ** n_components
    assert float(total) == pytest.approx(1, abs=1e-8)


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
