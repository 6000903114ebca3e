"""Costs of a whole pass: against double loops, closed forms, autograd and other implementations."""

import copy
import functools
import itertools

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.integrate import quad
from scipy.ndimage import correlate1d
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import PCA
from torch import nn
from torch.distributions import MultivariateNormal, Normal

import narrows
from narrows.batch_sharding import Shard, split_batch
from narrows.bottlenecks import Gaussian, Joint, Label, Laplace, Matched, Plain, Selector, gaussian_posterior
from narrows.corruptions import Nothing
from narrows.data import infer, infer_table, open_frame
from narrows.likelihoods import Bernoulli
from narrows.likelihoods import Gaussian as GaussianLikelihood
from narrows.model import Autoencoder
from narrows.objectives import (
    CodeAdversary,
    CodeNorm,
    CovariancePenalty,
    DecoderJacobian,
    Discrepancy,
    EncoderJacobian,
    ExampleAdversary,
    NestedDropout,
    Prefixes,
    SampledTotalCorrelation,
    StructuralSimilarity,
    WeightedObjective,
)
from narrows.objectives.discrepancy import SCALES, mean_discrepancy, sliced_wasserstein
from narrows.objectives.jacobians import squared_norms
from narrows.objectives.structural_similarity import ms_ssim
from narrows.recipes import RECIPES
from narrows.training import Settings, fit
from narrows.types import Batch

QUICK = {"hidden": (8,), "max_epochs": 2, "device": "cpu", "precision": "float32", "random_state": 0}


def model_with(bottleneck, d: int = 5, likelihood=None) -> Autoencoder:
    torch.manual_seed(0)
    encoder = nn.Sequential(nn.Linear(d, 7), nn.GELU(), nn.LayerNorm(7), nn.Linear(7, bottleneck.n_inputs))
    decoder = nn.Sequential(nn.Linear(bottleneck.n_components, 7), nn.GELU(), nn.Linear(7, d))
    return Autoencoder(Nothing(), encoder, bottleneck, decoder, likelihood or GaussianLikelihood()).double()


def batch_of(n: int = 9, d: int = 5) -> Batch:
    x = torch.randn(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Batch(x, x)


def cost_of(cost, model, batch):
    """The value of a cost for a batch (B), with random numbers of a seed."""
    torch.manual_seed(5)
    output = model(batch)
    return cost(model, batch, output)


# -------------------------------------------------------------------------------------------------- total correlation


def gaussians(n: int, n_components: int = 2):
    generator = torch.Generator().manual_seed(2)
    mean, log_std = (torch.randn(n, n_components, generator=generator, dtype=torch.float64) for _ in range(2))
    return mean + log_std.exp() * torch.randn(n, n_components, generator=generator).double(), mean, log_std / 2


class TestSampledTotalCorrelation:
    @pytest.mark.parametrize("n_examples", [4, 20])
    def test_against_a_double_loop(self, n_examples):
        z, mean, log_std = gaussians(4)
        cost = SampledTotalCorrelation()
        cost.start(n_examples)
        for i, value in enumerate(cost.of_codes(z, mean, log_std)):
            q, q_j = 0.0, torch.zeros(2).double()
            for j in range(4):
                weight = 1 / n_examples if i == j else (n_examples - 1) / n_examples / 3
                density = Normal(mean[j], log_std[j].exp()).log_prob(z[i]).exp()
                q, q_j = q + weight * density.prod(), q_j + weight * density
            assert float(value) == pytest.approx(float(q.log() - q_j.log().sum()))

    def test_the_estimate_of_the_density_is_unbiased_over_batches(self):
        """With q constant in one component, the estimate is that of log q(z) alone."""
        n, size = 6, 3
        z, mean, log_std = gaussians(n, 1)
        truth = Normal(mean[:, 0], log_std[:, 0].exp()).log_prob(z[0, 0]).exp().mean()
        cost = SampledTotalCorrelation()
        cost.start(n)
        estimates = []
        for others in itertools.combinations(range(1, n), size - 1):
            rows = [0, *others]
            weights = cost._log_weight(torch.eye(size)[:1].double()).exp()[0]
            estimates.append((weights * Normal(mean[rows, 0], log_std[rows, 0].exp()).log_prob(z[0, 0]).exp()).sum())
        assert float(torch.stack(estimates).mean()) == pytest.approx(float(truth), rel=1e-6)

    @pytest.mark.parametrize("correlation", [0.0, 0.8])
    def test_of_correlated_codes_is_that_of_their_gaussian(self, correlation):
        torch.manual_seed(0)
        n, std = 1500, 0.4
        covariance = torch.tensor([[1.0, correlation], [correlation, 1.0]]).double()
        mean = MultivariateNormal(torch.zeros(2).double(), covariance).sample((n,))
        z = mean + std * torch.randn(n, 2)
        estimate = SampledTotalCorrelation().of_codes(z, mean, torch.full_like(mean, std).log()).mean()
        correlated = correlation / (1 + std**2)
        assert float(estimate) == pytest.approx(-0.5 * np.log(1 - correlated**2), abs=0.05)

    def test_it_learns_the_number_of_training_examples(self):
        X = np.random.default_rng(0).normal(size=(100, 4))
        schema = infer(X, "test")
        parts = RECIPES["betatcvae"].make(schema, 2, hidden=(8,))
        result = fit(parts.model, parts.objective, X, schema, Settings(max_epochs=1, device="cpu"))
        assert parts.objective.costs[0].n_examples == 100 - len(result.held_out) < 100

    def test_other_posteriors_are_refused(self):
        with pytest.raises(ValueError, match=r"needs the means and standard .* of a Gaussian code. Got Laplace"):
            gaussian_posterior(Laplace(2), torch.zeros(3, 4))
        joint = Joint(Gaussian(2), Label((0.5, 0.5)))
        mean, _ = gaussian_posterior(joint, torch.ones(3, 4))
        assert mean.shape == (3, 2)


# -------------------------------------------------------------------------------------------------- covariance


@pytest.mark.parametrize("of_draws", [False, True])
def test_the_covariance_penalty_is_that_of_the_papers(of_draws):
    model, batch = model_with(Gaussian(3)), batch_of()
    value = cost_of(CovariancePenalty(of_draws, 5.0), model, batch).value
    mean, log_std = (part.detach().numpy() for part in model.bottleneck.split(model.encoder(batch.x)))
    covariance = np.cov(mean.T, bias=True)
    if of_draws:  # the law of total variance
        covariance = covariance + np.diag(np.exp(2 * log_std).mean(0))
    expected = sum(
        5.0 * (covariance[i, i] - 1) ** 2 if i == j else covariance[i, j] ** 2 for i in range(3) for j in range(3)
    )
    assert value.shape == (9,)
    np.testing.assert_allclose(value.detach().numpy(), expected)


# -------------------------------------------------------------------------------------------------- discrepancies


def kernel(a, b) -> float:
    c = 2 * len(a)
    return float(np.mean([c * s / (c * s + np.sum((a - b) ** 2)) for s in SCALES]))


def expected_kernel(mean, variance: float) -> float:
    """E k(a, b) for a - b ~ N(mean, variance I), because 1 / x = int_0^inf exp(-t x) dt."""
    n, square = len(mean), float(np.sum(np.square(mean)))
    total = 0.0
    for s in SCALES:
        c = 2 * n * s

        def integrand(t, c=c):
            spread = 1 + 2 * variance * t / c
            return np.exp(-t - t / c * square / spread) * spread ** (-n / 2)

        total += quad(integrand, 0, np.inf)[0]
    return total / len(SCALES)


class TestMeanDiscrepancy:
    def test_against_a_double_loop(self):
        x, y = np.random.default_rng(0).normal(size=(2, 5, 3))
        y = y[:4]
        same_x = np.mean([kernel(a, b) for i, a in enumerate(x) for j, b in enumerate(x) if i != j])
        same_y = np.mean([kernel(a, b) for i, a in enumerate(y) for j, b in enumerate(y) if i != j])
        mixed = np.mean([kernel(a, b) for a in x for b in y])
        value = mean_discrepancy(torch.from_numpy(x), torch.from_numpy(y))
        assert float(value) == pytest.approx(same_x + same_y - 2 * mixed)

    @pytest.mark.parametrize(("shift", "std"), [(0.0, 1.0), (0.7, 1.0), (0.0, 0.4)])
    def test_its_mean_is_the_closed_form_for_gaussians(self, shift, std):
        torch.manual_seed(0)
        mean = torch.tensor([shift, 0.0]).double()
        estimates = torch.stack(
            [
                mean_discrepancy(mean + std * torch.randn(20, 2).double(), torch.randn(20, 2).double())
                for _ in range(600)
            ]
        )
        zero = np.zeros(2)
        expected = expected_kernel(zero, 2 * std**2) + expected_kernel(zero, 2.0)
        expected -= 2 * expected_kernel(mean.numpy(), 1 + std**2)
        error = float(estimates.std()) / len(estimates) ** 0.5
        assert float(estimates.mean()) == pytest.approx(expected, abs=4 * error)  # also at 0: it is unbiased
        assert error < 0.003


class TestSlicedWasserstein:
    def test_in_one_dimension_it_is_the_best_pairing(self):
        x, y = np.random.default_rng(0).normal(size=(2, 6, 1))
        costs = (x - y.T) ** 2
        best = costs[linear_sum_assignment(costs)].mean()
        value = sliced_wasserstein(torch.from_numpy(x), torch.from_numpy(y), torch.ones(1, 1).double())
        assert float(value) == pytest.approx(best)

    def test_of_gaussians_is_the_closed_form(self):
        """W2^2(N(m, s^2), N(0, 1)) = m^2 + (s - 1)^2 along each line."""
        torch.manual_seed(0)
        n, mean, std = 20_000, torch.tensor([0.8, 0.0]).double(), torch.tensor([0.5, 2.0]).double()
        angle = torch.arange(50).double() * (torch.pi / 50)
        lines = torch.stack([angle.cos(), angle.sin()], 1)
        expected = ((lines @ mean).square() + ((lines * std).norm(dim=1) - 1).square()).mean()
        x, y = mean + std * torch.randn(n, 2).double(), torch.randn(n, 2).double()
        assert float(sliced_wasserstein(x, y, lines)) == pytest.approx(float(expected), abs=0.03)


@pytest.mark.parametrize("measure", ["mmd", "sliced"])
def test_a_discrepancy_pulls_codes_to_the_prior(measure):
    torch.manual_seed(0)
    model = model_with(Matched(2))
    code = nn.Parameter(1 + 0.3 * torch.randn(200, 2).double())
    optimizer = torch.optim.Adam([code], 0.05)
    batch = batch_of(200)
    first = model(batch)
    for _ in range(150):
        optimizer.zero_grad()
        output = first._replace(code=first.code._replace(dense=code))
        Discrepancy(measure)(model, batch, output).value.mean().backward()
        optimizer.step()
    np.testing.assert_allclose(code.detach().mean(0), 0, atol=0.2)
    np.testing.assert_allclose(code.detach().std(0), 1, atol=0.2)


def test_a_matched_code_draws_from_its_prior():
    X = np.random.default_rng(0).normal(size=(200, 5)) @ np.random.default_rng(1).normal(size=(5, 5))
    model = narrows.estimator("wae")(3, **QUICK).fit(X)
    assert model.model_.stochastic is None
    np.testing.assert_array_equal(model.sample(4, random_state=1), model.sample(4, random_state=1, sampler="prior"))
    eps = torch.from_numpy(np.random.default_rng(1).standard_normal((4, 3)))
    with torch.no_grad():
        means = model.model_.likelihood.mean(model.model_.decoder(eps.float()))
    np.testing.assert_allclose(model.sample(4, random_state=1), model.schema_.restore(means), rtol=1e-4, atol=1e-4)
    code, z = model.model_.prior_code, torch.randn(5, 3)
    torch.testing.assert_close(code.log_prior(z), Normal(0.0, 1.0).log_prob(z).sum(1))
    # it starts with the moments of the prior
    started = narrows.estimator("wae")(3, **{**QUICK, "max_epochs": 1, "learning_rate": 1e-9}).fit(X)
    np.testing.assert_allclose(np.cov(started.transform(X).T), np.eye(3), atol=0.15)


def test_a_conditional_model_draws_from_the_prior_of_its_free_part():
    X, y = np.random.default_rng(0).normal(size=(60, 5)), np.arange(60) % 3
    model = narrows.estimator("wae")(2, conditional=True, **QUICK).fit(X, y)
    assert model.sample(6, y=1, sampler="prior", random_state=0).shape == (6, 5)


# -------------------------------------------------------------------------------------------------- opponents


def gradients(value, *modules):
    parameters = [p for module in modules for p in module.parameters()]
    return [g is not None and bool(g.any()) for g in torch.autograd.grad(value, parameters, allow_unused=True)]


class TestAdversaries:
    def test_neither_side_moves_the_other(self):
        model, batch = model_with(Matched(3)), batch_of()
        cost = CodeAdversary(3).double()
        value, loss = cost_of(cost, model, batch)
        assert value.shape == (9,)
        assert all(gradients(value.sum(), model.encoder))
        assert not any(gradients(value.sum(), cost, model.decoder))
        _, loss = cost_of(cost, model, batch)
        assert all(gradients(loss, cost))
        assert not any(gradients(loss, model))

    @pytest.mark.slow
    def test_a_trained_discriminator_gives_the_density_ratio(self):
        """log D(z) = - log(1 + q(z) / p(z)); here q = N(1, 1)."""
        torch.manual_seed(0)
        model, cost = model_with(Matched(1)).float(), CodeAdversary(1)
        optimizer = torch.optim.Adam(cost.parameters(), 1e-3)
        batch = Batch(torch.zeros(512, 5), torch.zeros(512, 5))
        output = model(batch)
        for _ in range(200):
            z = 1 + torch.randn(512, 1)
            optimizer.zero_grad()
            cost(model, batch, output._replace(code=output.code._replace(dense=z))).not_validated.backward()
            optimizer.step()
        z = torch.linspace(-1, 2, 512)[:, None]
        value = cost(model, batch, output._replace(code=output.code._replace(dense=z))).value
        expected = torch.log1p((z[:, 0] - 0.5).exp())
        torch.testing.assert_close(value, expected, rtol=0, atol=0.25)

    def test_an_opponent_of_examples_leaves_the_encoder_to_the_features(self):
        model, batch = model_with(Gaussian(3)), batch_of()
        features = nn.Sequential(nn.Linear(5, 6), nn.LeakyReLU(0.2))
        cost = ExampleAdversary(features, 6, realism=1.0).double()
        value, loss = cost_of(cost, model, batch)
        output_of = gradients(loss, model)
        assert not any(output_of)
        assert not any(gradients(cost_of(cost, model, batch).value.sum(), cost))
        # without the distance of features, the encoder has no gradient from it
        with torch.no_grad():
            features[0].weight.zero_()
            features[0].bias.zero_()
        assert not any(gradients(cost_of(cost, model, batch).value.sum(), model.encoder))
        value, loss = cost_of(cost, model, batch)
        bias = cost.opponent[1].bias
        torch.testing.assert_close(value, torch.nn.functional.softplus(-bias).expand(9))
        torch.testing.assert_close(
            loss, (torch.nn.functional.softplus(-bias) + torch.nn.functional.softplus(bias)).sum()
        )


# -------------------------------------------------------------------------------------------------- slopes


class TestJacobians:
    @pytest.mark.parametrize("n_components", [1, 3])
    def test_the_norm_of_the_encoders_is_exact_for_few_components(self, n_components):
        model, batch = model_with(Plain(n_components)), batch_of()
        value = cost_of(EncoderJacobian(), model, batch).value.detach()
        for i, x in enumerate(batch.x):
            jacobian = torch.autograd.functional.jacobian(lambda x: model.encoder(x[None])[0], x)
            assert float(value[i]) == pytest.approx(float(jacobian.square().sum()))
        with torch.no_grad():  # as in a validation
            torch.testing.assert_close(cost_of(EncoderJacobian(), model, batch).value, value)

    @pytest.mark.parametrize("cost", [EncoderJacobian(), DecoderJacobian()])
    def test_an_estimate_has_the_exact_norm_as_its_mean(self, cost):
        model, batch = model_with(Plain(6)), batch_of(4)
        torch.manual_seed(0)
        output = model(batch)
        estimates = torch.stack([cost(model, batch, output).value.detach() for _ in range(1000)])
        part, inputs = (model.encoder, batch.x) if cost.name == "jacobian" else (model.decoder, output.code.z.detach())
        exact = [torch.autograd.functional.jacobian(lambda x: part(x[None])[0], x).square().sum() for x in inputs]
        error = estimates.std(0) / len(estimates) ** 0.5
        assert ((estimates.mean(0) - torch.stack(exact)).abs() < 5 * error).all()

    def test_slopes_are_those_of_features(self):
        """Counts and levels of a table have slopes, and the size of the counts is no part of them."""
        rng = np.random.default_rng(0)
        frame = pd.DataFrame({"n": rng.poisson(3, 60), "level": rng.choice(["a", "b", "c"], 60)})
        rows, schema = infer_table(open_frame(frame, "test"), "test", {}, max_levels=None)
        assert [column.kind for column in schema.used_columns] == ["count", "categorical"]
        model, objective, *_ = RECIPES["raegp"].make(schema, 3, hidden=(8,), start="random")
        x = schema.prepare(torch.from_numpy(np.array(rows[:4])))
        batch = Batch(x, x)
        value = cost_of(EncoderJacobian(), model, batch).value.detach()
        jacobian = torch.autograd.functional.jacobian
        for i, u in enumerate(model.encoder.standardize(x)):
            exact = jacobian(lambda u: model.encoder.encode_features(u[None])[0], u)
            assert float(exact.abs().amin(0).max()) > 0
            torch.testing.assert_close(value[i], exact.square().sum())
        cost = next(c for c in objective.pass_costs() if c.name == "slope")
        estimates = torch.stack([cost(model, batch, model(batch)).value.detach() for _ in range(500)])
        frequencies = np.array(schema.used_columns[1].frequencies)
        spread = float((frequencies * (1 - frequencies)).sum() ** 0.5)

        def decode(z):
            log_count, *levels = model.decoder(z[None])[0].split([1, 3])
            return torch.cat([log_count.exp().log1p() / schema.std[0], levels[0].softmax(0) / spread])

        exact = torch.stack([jacobian(decode, z).square().sum() for z in model.encode(x).detach()])
        assert ((estimates.mean(0) - exact).abs() < 5 * estimates.std(0) / len(estimates) ** 0.5).all()

    def test_gradients_of_second_order_are_those_of_differences(self):
        layers = nn.Sequential(nn.Linear(3, 4), nn.GELU(), nn.LayerNorm(4), nn.Linear(4, 2)).double()
        x, probe = torch.randn(2, 3).double(), torch.randn(2, 2).double()
        names = [name for name, _ in layers.named_parameters()]

        def norm(*weights):
            call = lambda x: torch.func.functional_call(layers, dict(zip(names, weights, strict=True)), (x,))  # noqa: E731
            return squared_norms(call, x, [probe])

        weights = [p.detach().requires_grad_() for p in layers.parameters()]
        assert torch.autograd.gradcheck(norm, weights)

    @pytest.mark.parametrize("recipe", ["contractiveae", "raegp"])
    @pytest.mark.parametrize("parameters", [{"network": "conv"}, {"network": "conv", "precision": "bfloat16"}, {}])
    def test_networks_of_all_kinds_have_them(self, recipe, parameters):
        images = np.random.default_rng(0).integers(0, 255, size=(30, 8, 8)).astype(np.uint8)
        model = narrows.estimator(recipe)(6, **{**QUICK, **parameters}).fit(images)
        assert all(np.isfinite(value) for value in model.history_[-1].values() if isinstance(value, float))

    def test_a_contraction_flattens_the_encoder(self):
        X = np.random.default_rng(0).normal(size=(300, 6))
        slopes = []
        for contraction in (0.0, 10.0):
            model = narrows.estimator("contractiveae")(
                2, contraction=contraction, start="random", **{**QUICK, "max_epochs": 30}
            ).fit(X)
            slopes.append(model.history_[-1]["valid_jacobian"])
        assert slopes[1] < 0.5 * slopes[0]

    def test_the_norm_of_codes(self):
        model, batch = model_with(Plain(3)), batch_of()
        z = model.encoder(batch.x)
        torch.testing.assert_close(cost_of(CodeNorm(), model, batch).value, 0.5 * (z * z).sum(1))


# -------------------------------------------------------------------------------------------------- images


def numpy_ms_ssim(x: np.ndarray, y: np.ndarray, n_scales: int, size: int) -> float:
    """The same for one grey image, by SciPy."""
    weights = np.array([0.0448, 0.2856, 0.3001, 0.2363, 0.1333])[:n_scales]
    window = np.exp(-((np.arange(size) - size // 2) ** 2) / (2 * 1.5**2))
    window /= window.sum()

    def blur(image: np.ndarray) -> np.ndarray:
        half = size // 2
        for axis in (0, 1):
            image = correlate1d(image, window, axis=axis)
        return image[half : image.shape[0] - half, half : image.shape[1] - half]

    result = 1.0
    for scale in range(n_scales):
        a, b = blur(x), blur(y)
        v, w, c = blur(x * x) - a * a, blur(y * y) - b * b, blur(x * y) - a * b
        contrast = (2 * c + 0.03**2) / (v + w + 0.03**2)
        luminance = (2 * a * b + 0.01**2) / (a * a + b * b + 0.01**2)
        value = (contrast * luminance if scale == n_scales - 1 else contrast).mean()
        result *= max(value, 1e-6) ** (weights[scale] / weights.sum())
        half = len(x) // 2
        x, y = (image[: 2 * half, : 2 * half].reshape(half, 2, half, 2).mean((1, 3)) for image in (x, y))
    return result


class TestStructuralSimilarity:
    @pytest.mark.parametrize(("side", "n_scales", "size"), [(8, 1, 7), (28, 2, 11), (64, 3, 11), (176, 5, 11)])
    def test_against_scipy(self, side, n_scales, size):
        rng = np.random.default_rng(0)
        x = rng.uniform(size=(2, 3, side, side))
        y = np.clip(x + 0.2 * rng.normal(size=x.shape), 0, 1)
        values = ms_ssim(torch.from_numpy(x), torch.from_numpy(y))
        for i in range(2):
            expected = np.mean([numpy_ms_ssim(x[i, c], y[i, c], n_scales, size) for c in range(3)])
            assert float(values[i]) == pytest.approx(expected)

    def test_bright_images_with_little_contrast_lose_few_digits(self):
        generator = torch.Generator().manual_seed(0)
        x, y = 1 - 1e-3 * torch.rand(2, 4, 2, 64, 64, generator=generator)
        exact, single = x.double().requires_grad_(), x.clone().requires_grad_()
        cost, of_single = (1 - ms_ssim(a, y.to(a.dtype)) for a in (exact, single))
        torch.testing.assert_close(of_single.double(), cost, rtol=0.01, atol=0)
        cost.sum().backward()
        of_single.sum().backward()
        assert (exact.grad - single.grad).norm() < 5e-4 * exact.grad.norm()

    def test_it_is_1_for_equal_images_and_has_a_gradient_for_opposite_ones(self):
        x = torch.rand(2, 1, 28, 28, requires_grad=True)
        torch.testing.assert_close(ms_ssim(x, x.detach()), torch.ones(2))
        value = ms_ssim(x, 1 - x.detach())
        assert float(value.max().detach()) < 0.1
        value.sum().backward()
        assert torch.isfinite(x.grad).all()

    def test_a_cost_of_0_for_a_perfect_reconstruction(self):
        images = torch.rand(3, 1, 8, 8)
        model = Autoencoder(Nothing(), nn.Flatten(), Plain(64), nn.Unflatten(1, (1, 8, 8)), Bernoulli())
        output = model(Batch(images, images))
        output = output._replace(params=torch.logit(images, 1e-6))
        value = StructuralSimilarity()(model, Batch(images, images), output).value
        torch.testing.assert_close(value, torch.zeros(3), rtol=0, atol=1e-5)

    def test_vectors_are_refused(self):
        with pytest.raises(ValueError, match=r"MSSSIMVAE needs images, .* Got vectors of 4 columns"):
            RECIPES["msssimvae"].make(infer(np.random.default_rng(0).normal(size=(20, 4)), "test"))


# -------------------------------------------------------------------------------------------------- order


class TestNestedDropout:
    def test_its_mean_is_that_of_all_prefixes(self):
        model, batch = model_with(Plain(4)), batch_of(3)
        torch.manual_seed(0)
        output = model(batch)
        values = torch.stack([NestedDropout()(model, batch, output).value.detach() for _ in range(1500)])
        expected = Prefixes((1, 2, 3))(model, batch, output).value.detach()
        error = values.std(0) / len(values) ** 0.5
        assert ((values.mean(0) - expected).abs() < 5 * error).all()
        assert NestedDropout()(model_with(Plain(1)), batch, output._replace(code=Plain(1)(torch.zeros(3, 1)))) is None

    def test_the_components_of_a_linear_model_become_principal_components(self):
        rng = np.random.default_rng(0)
        X = rng.normal(size=(500, 3)) * [3.0, 2.0, 1.2] @ np.linalg.qr(rng.normal(size=(6, 3)))[0].T
        X += 0.1 * rng.normal(size=X.shape)
        X /= X.std()  # one scale, so that the model's units have the data's shape
        settings = {
            "hidden": (),
            "start": "random",
            "max_epochs": 120,
            "learning_rate": 1e-2,
            "early_stopping": False,
            "weight_decay": 0.0,
            "random_state": 0,
            "device": "cpu",
            "precision": "float64",
        }
        cosines = {}
        for name in ("ae", "nestedae"):
            model = narrows.estimator(name)(3, **settings).fit(X)
            scaled = model.prepare(X).double().numpy()
            axes = PCA(3).fit(scaled).components_
            directions = model.model_.decoder.layers[-1].weight.detach().numpy().T
            directions /= np.linalg.norm(directions, axis=1, keepdims=True)
            cosines[name] = np.abs((directions * axes).sum(1))
        assert cosines["nestedae"].min() > 0.99
        assert cosines["ae"].min() < 0.9  # whose components only span the same subspace


# -------------------------------------------------------------------------------------------------- selection


class TestSelector:
    def test_it_mixes_in_training_and_chooses_afterwards(self):
        torch.manual_seed(0)
        code, h = Selector(2, 5), torch.randn(6, 5)
        with torch.no_grad():
            code.raw_logits.zero_()
            code.raw_logits[[0, 1], [3, 1]] = 1.0
        assert code.selected.tolist() == [3, 1]
        torch.testing.assert_close(code.encode(h), h[:, [3, 1]])
        torch.testing.assert_close(code.eval()(h).z, h[:, [3, 1]])
        code.train().advance(1.0)  # cold: as good as chosen
        torch.testing.assert_close(code(h).z, h[:, [3, 1]], rtol=1e-4, atol=1e-4)
        code.advance(0.0)
        assert (code(h).z - h[:, [3, 1]]).abs().max() > 0.1
        assert float(code.temperature) == pytest.approx(10.0)

    def test_choices_follow_the_logits(self):
        """P(argmax of log a + Gumbel noise = j) = a_j / sum a."""
        torch.manual_seed(0)
        code = Selector(1, 3)
        share = torch.tensor([0.6, 0.3, 0.1])
        with torch.no_grad():
            code.raw_logits.copy_((share.log() / 30.0)[None])
        code.temperature.fill_(1e-4)
        chosen = torch.stack([code(torch.eye(3)).z[:, 0].argmax() for _ in range(3000)])
        counts = torch.bincount(chosen, minlength=3) / 3000
        torch.testing.assert_close(counts, share, rtol=0, atol=0.03)


# -------------------------------------------------------------------------------------------------- shards


@pytest.mark.parametrize(
    ("cost", "bottleneck"),
    [
        (SampledTotalCorrelation(), Gaussian(3)),
        (CovariancePenalty(True, 2.0), Gaussian(3)),
        (Discrepancy("mmd"), Matched(3)),
        (Discrepancy("sliced"), Matched(3)),
    ],
    ids=["tc", "covariance", "mmd", "sliced"],
)
def test_a_shard_gets_the_cost_of_the_whole_batch(cost, bottleneck, monkeypatch):
    model, (x, *_) = model_with(bottleneck), batch_of()
    torch.manual_seed(5)
    whole = cost(model, Batch(x, x), model(Batch(x, x))).value
    sent: list[torch.Tensor] = []

    def record(part: torch.Tensor) -> torch.Tensor:
        sent.append(part.clone())
        return part

    monkeypatch.setattr("narrows.batch_sharding._all_reduced", record)
    torch.manual_seed(5)
    with split_batch(Shard(5, 9, 9)):
        cost(model, Batch(x[5:], x[5:]), copy.deepcopy(model)(Batch(x[5:], x[5:])))
    others = iter(sent)
    monkeypatch.setattr("narrows.batch_sharding._all_reduced", lambda rows: rows + next(others))
    torch.manual_seed(5)
    with split_batch(Shard(0, 5, 9)):
        part = cost(model, Batch(x[:5], x[:5]), model(Batch(x[:5], x[:5]))).value
    torch.testing.assert_close(part, whole[:5])


@pytest.mark.parametrize("n_components", [1, 2, 3])
def test_all_processes_choose_the_same_columns(n_components):
    """Also where there are as many components as a process has rows."""
    code, h, codes = Selector(n_components, 6), torch.randn(3, 6), []
    for shard in (None, Shard(0, 1, 3), Shard(1, 3, 3)):
        torch.manual_seed(0)
        with split_batch(shard):
            codes.append(code(h if shard is None else h[shard.start : shard.stop]).z.detach())
    torch.testing.assert_close(torch.cat(codes[1:]), codes[0])


@pytest.mark.parametrize(
    ("values", "expected"),
    [({}, 1.0), ({"covariance": "means"}, 10.0), ({"covariance": "means", "diagonal_weight": 2.0}, 2.0)],
)
def test_variances_have_the_weight_of_the_paper(values, expected):
    schema = infer(np.random.default_rng(0).normal(size=(20, 4)), "test")
    objective = RECIPES["dipvae"].make(schema, 2, hidden=(4,), **values).objective
    cost = next(cost for cost in objective.pass_costs() if cost.name == "dip")
    assert cost.diagonal_weight == expected


def test_costs_of_the_whole_code_are_early_stoppings_too():
    model = narrows.estimator("dipvae")(2, dip_weight=3.0, **QUICK).fit(np.random.default_rng(0).normal(size=(150, 4)))
    record = model.history_[-1]
    assert record["valid_loss"] == pytest.approx(
        record["valid_nll"] + record["valid_kl"] + 3 * record["valid_dip"], rel=1e-5
    )
    assert WeightedObjective({"dip": 1.0}, costs=(CovariancePenalty(True, 1.0),)).weights == {"dip": 1.0}


@functools.cache
def concrete():
    """A model that selects 3 of 40 columns and its data: 25 of noise, 3 sources, and 12 sums of these."""
    rng = np.random.default_rng(0)
    sources = rng.normal(size=(600, 3))
    X = np.concatenate([rng.normal(size=(600, 25)), sources, sources @ rng.normal(size=(3, 12))], 1)
    settings = {"hidden": (), "max_epochs": 150, "random_state": 0, "device": "cpu", "precision": "float32"}
    return narrows.estimator("concreteae")(3, **settings).fit(X), X


class TestConcreteAE:
    def test_it_selects_columns_that_explain_the_others(self):
        model, X = concrete()
        indices = model.selected_features_.indices
        assert len(set(indices.tolist())) == 3
        assert indices.min() >= 25  # of three at random all are so in 5 % of draws
        informative = X[:, 25:]
        left = (informative - model.reconstruct(X)[:, 25:]).var() / informative.var()
        assert left < 0.1

    def test_names_and_supports(self):
        model, X = concrete()
        indices, names = model.selected_features_
        assert names == [f"x{j}" for j in indices]
        assert model.get_support(indices=True).tolist() == sorted(indices)
        assert np.flatnonzero(model.get_support()).tolist() == sorted(indices)
        standardised = (X - X.mean(0)) / X.std(0)
        for i, j in enumerate(indices):
            assert abs(np.corrcoef(model.transform(X)[:, i], standardised[:, j])[0, 1]) > 0.9999

    @pytest.mark.parametrize("shape", [(8, 9), (8, 9, 3)])
    def test_pixels_have_their_place_in_the_users_layout(self, shape):
        images = np.random.default_rng(0).integers(0, 255, size=(40, *shape)).astype(np.uint8)
        model = narrows.estimator("concreteae")(4, **QUICK).fit(images)
        indices, names = model.selected_features_
        codes = model.transform(images)
        for i, j in enumerate(indices):
            place = np.unravel_index(j, shape)
            assert names[i] == "pixel " + ", ".join(map(str, place))
            assert np.corrcoef(codes[:, i], images[(slice(None), *place)])[0, 1] == pytest.approx(1)

    def test_tables_are_refused(self):
        pandas = pytest.importorskip("pandas")
        frame = pandas.DataFrame({"a": ["x", "y"] * 20, "b": np.arange(40.0)})
        with pytest.raises(ValueError, match="ConcreteAE needs vectors or images"):
            narrows.estimator("concreteae")(1, **QUICK).fit(frame)
