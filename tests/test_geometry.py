"""Codes on curved spaces, and a posterior that follows the likelihood: densities, draws, gradients, paths."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch import nn

import narrows
from narrows.bottlenecks import Gaussian, Hamiltonian, VonMisesFisher, WrappedNormal
from narrows.corruptions import Nothing
from narrows.data import infer
from narrows.evaluation.likelihood import importance
from narrows.evaluation.scores import draw_kl, log_likelihood
from narrows.likelihoods import Gaussian as GaussianLikelihood
from narrows.model import Autoencoder
from narrows.objectives import ImportanceWeighted, WeightedObjective
from narrows.recipes import poincarevae, svae
from narrows.types import Batch

SCALES = [-8.0, -2.0, 0.0, 2.0, 20.0]  # the encoder's number for the scale: concentrations from 1e6 L to 0.14 L


def encoded(n_inputs: int, n: int = 1) -> torch.Tensor:
    return torch.randn(n, n_inputs, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


class TestSphere:
    def direction(self, L: int, scale: float) -> tuple[VonMisesFisher, torch.Tensor, float]:
        code, h = VonMisesFisher(L), encoded(L + 1)
        h[:, -1] = scale
        return code, h, float(code.split(h)[1])

    def log_bessel(self, order: float, k: float) -> float:
        """log(I(k) exp(-k))."""
        return float(np.log(scipy.special.ive(order, k)))

    @pytest.mark.parametrize("L", [2, 3, 4, 16, 100])
    @pytest.mark.parametrize("scale", SCALES)
    def test_density_and_kl_are_the_papers(self, L, scale):
        code, h, k = self.direction(L, scale)
        mean, eps = code.encode(h), encoded(L - 1)
        z, log_q, log_p = code.sample(h, eps)
        order = L / 2 - 1
        log_c = order * np.log(k) - L / 2 * np.log(2 * np.pi) - self.log_bessel(order, k)  # + k, as in ive
        log_area = np.log(2) + L / 2 * np.log(np.pi) - scipy.special.gammaln(L / 2)
        assert float(log_p) == pytest.approx(-log_area)
        rise = float((z - mean).square().sum() / 2)  # 1 - mean.z
        assert float(log_q) == pytest.approx(log_c - k * rise, rel=1e-8, abs=1e-7)
        ratio = scipy.special.ive(L / 2, k) / scipy.special.ive(order, k)
        assert float(code.kl(h)) == pytest.approx(k * (ratio - 1) + log_c + log_area, rel=1e-6, abs=1e-8)

    @pytest.mark.parametrize("scale", SCALES[1:])
    def test_the_density_integrates_to_one(self, scale):
        """Over the circle by 20,000 angles, over the sphere in R^3 by cylinders of equal area."""
        for L in (2, 3):
            code, _, k = self.direction(L, scale)
            log_z = code._tabulate(torch.tensor([k], dtype=torch.float64)).log_total
            if L == 2:
                c, area = np.cos(2 * np.pi * (np.arange(20_000) + 0.5) / 20_000), 2 * np.pi
            else:
                c, area = -1 + 2 * (np.arange(200_000) + 0.5) / 200_000, 4 * np.pi
            log_q = k * (c - 1) - code._log_area(L - 1) - float(log_z)
            assert np.exp(log_q).mean() * area == pytest.approx(1, rel=1e-6)

    @pytest.mark.parametrize("L", [2, 3, 16])
    @pytest.mark.parametrize("scale", [-2.0, 0.0, 3.0])
    def test_draws_have_the_moments_of_the_law(self, L, scale):
        code, h, k = self.direction(L, scale)
        n = 100_000
        torch.manual_seed(0)
        with torch.no_grad():
            noise = torch.randn(n, L - 1, dtype=torch.float64).split(2_000)
            z = torch.cat([code.sample(h.expand(len(eps), -1), eps).z for eps in noise])
        torch.testing.assert_close(z.norm(dim=1), torch.ones(n, dtype=torch.float64))
        mean = code.encode(h)[0]
        cosine = z @ mean
        ratio = scipy.special.ive(L / 2, k) / scipy.special.ive(L / 2 - 1, k)  # E mean.z
        second = 1 - (L - 1) / k * ratio  # E (mean.z)^2
        for value, expected in ((cosine, ratio), (cosine.square(), second)):
            assert float(value.mean()) == pytest.approx(expected, abs=5 * float(value.std()) / n**0.5)
        across = z - cosine[:, None] * mean  # no direction around the mean is preferred
        assert (across.mean(0).abs() < 5 * across.std(0) / n**0.5 + 1e-12).all()

    @pytest.mark.parametrize("L", [2, 3, 8])
    def test_gradients(self, L):
        code, h, eps = VonMisesFisher(L), encoded(L + 1, 4).requires_grad_(), encoded(L - 1, 4).requires_grad_()
        assert torch.autograd.gradcheck(lambda h, eps: code.sample(h, eps)[:2], (h, eps))
        assert torch.autograd.gradcheck(code.kl, (h,))

    @pytest.mark.parametrize("L", [2, 3, 50])
    def test_single_precision_and_extreme_inputs(self, L):
        code = VonMisesFisher(L)
        h = torch.tensor([0.0, 1e-20, 1.0, 1e6])[:, None].repeat(1, L + 1) * torch.tensor([1.0] * L + [-1.0])
        h = torch.cat([h, -h]).requires_grad_()
        for eps in (torch.zeros(8, L - 1), 10 * torch.ones(8, L - 1), torch.randn(8, L - 1)):
            z, log_q, _ = code.sample(h, eps)
            (gradient,) = torch.autograd.grad(z.sum() + log_q.sum() + code.kl(h).sum(), h)
            assert torch.isfinite(z).all()
            assert torch.isfinite(gradient).all()

    def test_codes_are_brought_to_the_sphere(self):
        code = VonMisesFisher(3)
        z = code.project(torch.tensor([[0.0, 0.0, 0.0], [0.0, 3.0, 4.0]]))
        torch.testing.assert_close(z, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.6, 0.8]]))
        path = code.interpolate(torch.tensor([1.0, 0, 0]), torch.tensor([0, 0, 1.0]), torch.linspace(0, 1, 5)[:, None])
        torch.testing.assert_close(path.norm(dim=1), torch.ones(5))

    def test_one_component_is_refused(self):
        with pytest.raises(ValueError, match="must be at least 2"):
            VonMisesFisher(1)
        with pytest.raises(ValueError, match="`n_components` parameter of SVAE"):
            narrows.estimator("svae")(1).fit(np.random.default_rng(0).normal(size=(20, 3)))

    @pytest.mark.slow
    def test_a_circle_becomes_a_circle(self):
        angle = np.linspace(0, 2 * np.pi, 400, endpoint=False)
        X = np.c_[np.cos(angle), np.sin(angle), np.cos(2 * angle)]
        model = narrows.estimator("svae")(
            2, beta=0.2, hidden=(32,), max_epochs=60, learning_rate=5e-3, random_state=0, device="cpu"
        ).fit(X)
        turn = np.unwrap(np.arctan2(*model.transform(X).T[::-1]))
        assert abs(turn[-1] - turn[0]) == pytest.approx(2 * np.pi, rel=0.05)  # once around


class TestBall:
    @pytest.mark.parametrize("curvature", [1.0, 0.3])
    def test_densities_integrate_to_one(self, curvature):
        """In the numbers of z and, without the factor of the volume, in the hyperbolic measure."""
        code, h = WrappedNormal(2, curvature), encoded(4)
        n, m, farthest = 800, 500, 9.0
        r, angle = (torch.arange(n).double() + 0.5) * farthest / n, torch.arange(m).double() * 2 * math.pi / m
        steps = torch.stack([r[:, None] * angle.cos(), r[:, None] * angle.sin()], -1).reshape(-1, 2)
        z = code.from_prior(steps)  # exp_0: polar coordinates of the hyperbolic plane
        volume = (torch.sinh(code.root * r) / code.root).repeat_interleave(m) * farthest / n * 2 * math.pi / m
        log_factor = 2 * (2 / (1 - curvature * z.square().sum(1))).log()
        hyperbolic_density = (code.log_prior(z) - log_factor).exp()
        assert float((hyperbolic_density * volume).sum()) == pytest.approx(1, rel=1e-4)
        mean, log_std = code.split(h)
        # the same for a posterior, whose polar coordinates are around its mean: log_q of a draw with known noise
        z, log_q, _ = code.sample(h.expand(len(steps), -1), steps / log_std.exp())
        log_factor = 2 * (2 / (1 - curvature * z.square().sum(1))).log()
        assert float(((log_q - log_factor).exp() * volume).sum()) == pytest.approx(1, rel=1e-4)
        torch.testing.assert_close(
            code.distance(mean.expand_as(z), z)[:2000], r.repeat_interleave(m)[:2000], rtol=1e-4, atol=1e-6
        )

    @pytest.mark.parametrize("curvature", [1.0, 0.3])
    def test_draws_have_the_distances_of_a_normal_distribution(self, curvature):
        code, n = WrappedNormal(3, curvature), 100_000
        h = encoded(6)
        h[:, 3:] = 1.0
        torch.manual_seed(0)
        z, *_ = code.sample(h.expand(n, -1), torch.randn(n, 3, dtype=torch.float64))
        distance = code.distance(code.encode(h).expand_as(z), z) / float(code.split(h)[1][0, 0].exp())
        assert scipy.stats.kstest(distance.numpy(), scipy.stats.chi(3).cdf).pvalue > 1e-3
        from_origin = code.distance_from_origin(code.from_prior(torch.randn(n, 3, dtype=torch.float64)))
        assert scipy.stats.kstest(from_origin.numpy(), scipy.stats.chi(3).cdf).pvalue > 1e-3

    def test_distances_are_those_of_the_ball(self):
        code = WrappedNormal(4)
        a, b = 0.3 * encoded(4, 8).tanh(), 0.4 * encoded(8, 8)[:, 4:].tanh()
        flat = (a - b).square().sum(1) / (1 - a.square().sum(1)) / (1 - b.square().sum(1))
        torch.testing.assert_close(code.distance(a, b), torch.arccosh(1 + 2 * flat))

    def test_a_small_curvature_is_flat(self):
        """At a curvature of 1e-8 it is the Gaussian code, at half the scale: |z| is half its distance from 0."""
        code, flat, h, eps = WrappedNormal(3, 1e-8), Gaussian(3), encoded(6, 5), encoded(3, 5)
        z, log_q, log_p = code.sample(h, eps)
        expected, flat_log_q, flat_log_p = flat.sample(h, eps)
        torch.testing.assert_close(2 * z, expected, rtol=1e-5, atol=1e-5)
        torch.testing.assert_close(log_q - log_p, flat_log_q - flat_log_p, rtol=1e-5, atol=1e-5)

    @pytest.mark.parametrize("L", [1, 2, 8])
    def test_gradients(self, L):
        code, h, eps = WrappedNormal(L), encoded(2 * L, 4).requires_grad_(), encoded(L, 4).requires_grad_()
        assert torch.autograd.gradcheck(lambda h, eps: tuple(code.sample(h, eps)), (h, eps))

    def test_extreme_inputs_stay_in_the_ball(self):
        code = WrappedNormal(2)
        h = torch.tensor([0.0, 1.0, 1e6])[:, None].repeat(1, 4).requires_grad_()
        for eps in (torch.zeros(3, 2), 30 * torch.ones(3, 2)):
            z, log_q, log_p = code.sample(h, eps)
            (gradient,) = torch.autograd.grad(z.sum() + log_q.sum() + log_p.sum(), h)
            assert (z.norm(dim=1) < 1).all()
            assert torch.isfinite(log_q - log_p).all()
            assert torch.isfinite(gradient).all()
        assert (code.project(torch.tensor([[5.0, 5.0], [0.1, 0.2]])).norm(dim=1) < 1).all()

    def test_paths_are_geodesics(self):
        code, t = WrappedNormal(2), torch.linspace(0, 1, 7, dtype=torch.float64)[:, None]
        a, b = torch.tensor([0.7, 0.1], dtype=torch.float64), torch.tensor([-0.2, 0.8], dtype=torch.float64)
        path = code.interpolate(a, b, t)
        torch.testing.assert_close(path[[0, -1]], torch.stack([a, b]))
        whole = code.distance(a[None], b[None])
        torch.testing.assert_close(code.distance(path[:-1], path[1:]), (whole / 6).expand(6))


def linear_model(code, seed: int = 0) -> Autoencoder:
    torch.manual_seed(seed)
    encoder, decoder = nn.Linear(5, code.n_inputs), nn.Linear(code.n_components, 5)
    likelihood = GaussianLikelihood()
    likelihood.variance.fill_(0.3)
    return Autoencoder(Nothing(), encoder, code, decoder, likelihood).double()


def true_log_likelihood(model: Autoencoder, x: torch.Tensor) -> torch.Tensor:
    """log p(x) of a linear decoder with Gaussian noise, in closed form: factor analysis."""
    weight, bias = model.decoder.weight, model.decoder.bias
    covariance = weight @ weight.T + 0.3 * torch.eye(5, dtype=torch.float64)
    return torch.distributions.MultivariateNormal(bias, covariance).log_prob(x).detach()


class TestHamiltonian:
    X = torch.randn(40, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)

    @pytest.mark.parametrize("n_steps", [1, 3])
    def test_importance_sampling_finds_the_true_likelihood(self, n_steps):
        """E p(x, z_K) N(r_K) / q = p(x), so the weights are right, tempering and all."""
        model = linear_model(Hamiltonian(2, n_steps)).eval()
        with torch.no_grad():
            model.encoder.weight.zero_()  # a wide posterior that covers the true ones, so that few draws will do
            model.encoder.bias.copy_(torch.tensor([0.0, 0.0, 1.0, 1.0]))
        estimate, _ = importance(model, model.encoder(self.X), self.X, 3_000, seed=0)
        error = estimate - true_log_likelihood(model, self.X)
        assert float(error.median().abs()) < 0.03  # without the tempering's Jacobian it would be 0.36
        assert float(error.mean().abs()) < 0.03

    def test_the_flow_keeps_the_volume_up_to_the_tempering(self):
        model = linear_model(Hamiltonian(2, 3)).eval()
        code, h = model.bottleneck, model.encoder(self.X[:1]).detach()

        def moved(eps):
            """log q(z_0, g) - the log density of (z_K, r_K) that the change of variables gives, less that of r_K."""
            seen = []
            original = code.momentum.log_prob
            code.momentum.log_prob = lambda r: (seen.append(r), original(r))[1]
            z, log_q, _ = model.draw(h, eps[None], self.X[:1])
            code.momentum.log_prob = original
            return torch.cat([z[0], seen[1][0]]), log_q[0] + original(seen[1])[0]

        eps = encoded(4)[0]
        model.train()
        jacobian = torch.autograd.functional.jacobian(lambda e: moved(e)[0], eps)
        normal = -0.5 * eps.square().sum() - 2 * math.log(2 * math.pi)
        torch.testing.assert_close(moved(eps)[1], normal - torch.linalg.slogdet(jacobian).logabsdet)

    def test_learned_steps_tighten_the_bound(self):
        """Only steps and temperature learn; with steps of 0 the bound is that of the Gaussian."""
        plain = float(log_likelihood(linear_model(Gaussian(2)).eval(), self.X).detach().mean())
        model = linear_model(Hamiltonian(2, 3))
        code = model.bottleneck
        with torch.no_grad():
            code.raw_steps.fill_(-20.0)
            code.raw_temperature.fill_(20.0)
        assert float(log_likelihood(model.eval(), self.X).detach().mean()) == pytest.approx(plain, abs=1e-4)
        with torch.no_grad():
            code.raw_steps.fill_(-1.0)
            code.raw_temperature.fill_(1.0)
        optimizer = torch.optim.Adam([code.raw_steps, code.raw_temperature], lr=0.05)
        torch.manual_seed(0)
        for _ in range(100):
            optimizer.zero_grad()
            output = model.train()(Batch(self.X, self.X))
            nll = -model.likelihood.score(output.params, self.X)
            (nll + output.code.costs["kl"]).mean().backward()
            optimizer.step()
        bound = float(log_likelihood(model.eval(), self.X).detach().mean())
        assert plain + 0.2 < bound < float(true_log_likelihood(model, self.X).detach().mean())

    def test_scores_and_the_loss_are_one_bound(self):
        model = linear_model(Hamiltonian(2, 2))
        batch = Batch(self.X, self.X)
        score = float(log_likelihood(model.eval(), self.X).detach().mean())
        objective = WeightedObjective({"kl": 1.0}).eval()
        torch.manual_seed(0)
        losses = torch.stack([objective(model, batch).total.detach() for _ in range(100)])
        assert -score == pytest.approx(float(losses.mean()), abs=0.25)
        rate = float(draw_kl(model, self.X).detach().mean())
        assert rate == pytest.approx(float(objective(model, batch).terms["kl"].detach()), abs=0.6)

    def test_several_draws_are_a_tighter_bound(self):
        model = linear_model(Hamiltonian(2, 2)).eval()
        torch.manual_seed(0)
        one, many = (
            float(
                torch.stack(
                    [ImportanceWeighted(k).eval()(model, Batch(self.X, self.X)).total.detach() for _ in range(30)]
                ).mean()
            )
            for k in (1, 20)
        )
        assert many < one
        assert many > -float(true_log_likelihood(model, self.X).detach().mean()) - 0.1

    def test_gradients(self):
        model = linear_model(Hamiltonian(2, 2)).train()
        h, eps = model.encoder(self.X[:3]).detach().requires_grad_(), encoded(4, 3)
        names = dict(model.named_parameters())

        def bound(h, steps, weight):
            state = {"bottleneck.raw_steps": steps, "decoder.weight": weight}
            with torch.nn.utils.stateless._reparametrize_module(model, state):
                return tuple(model.draw(h, eps, self.X[:3]))

        inputs = (names["bottleneck.raw_steps"], names["decoder.weight"])
        assert torch.autograd.gradcheck(bound, (h, *(p.detach().clone().requires_grad_() for p in inputs)))


@pytest.mark.parametrize("make", [svae, poincarevae])
def test_dials_and_moves_give_codes_of_the_space(make):
    """What is decoded has been projected: a model's codes never leave their space."""
    X = np.random.default_rng(0).normal(size=(30, 6))
    model = narrows.estimator(make.__name__)(3, hidden=(8,), max_epochs=2, random_state=0, device="cpu").fit(X)
    seen = []
    model.model_.decoder.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0].detach()))
    model.traverse(X[:1], span=5.0)
    model.interpolate(X[0], X[1])
    model.sample(20, random_state=0)
    model.move(X, model.attribute(X, X[:, 0]), 10.0)
    lengths = torch.cat(seen).double().norm(dim=1)
    lengths = lengths[lengths > 0]  # short blocks are filled up with rows of 0
    assert len(lengths) > 60
    if make is svae:
        torch.testing.assert_close(lengths, torch.ones_like(lengths), rtol=1e-5, atol=1e-5)
    assert (lengths < 1 + 1e-5).all()
    schema = infer(X, "test")
    assert make(schema, 3, hidden=(8,)).model.bottleneck.n_components == 3
