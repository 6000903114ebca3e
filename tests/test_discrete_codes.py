"""Codes of whole numbers: residual, finite scalar and categorical ones, and several codes side by side."""

import copy
import itertools
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

import narrows
from narrows.batch_sharding import Shard, split_batch
from narrows.bottlenecks import (
    Categorical,
    Combined,
    Discrete,
    FiniteScalar,
    Gaussian,
    GridQuantizer,
    Joint,
    Label,
    Ladder,
    Plain,
    ResidualQuantizer,
    VectorQuantizer,
    as_discrete,
)
from narrows.networks import Grids
from narrows.priors import NormalMixture


def residual_quantizer(n_components: int, n_codes: int) -> ResidualQuantizer:
    """Three levels, each finer than the one before, as they become in a training."""
    quantizer = ResidualQuantizer(n_components, n_codes, n_levels=3).double()
    quantizer.codebook.copy_(torch.randn_like(quantizer.codebook) * torch.tensor([1.0, 0.4, 0.15])[:, None, None])
    return quantizer


DISCRETE = {
    "vectors": lambda: VectorQuantizer(6, n_codes=5, group_size=2),
    "residual": lambda: residual_quantizer(6, 5),
    "scalar": lambda: FiniteScalar(6, (2, 3, 4, 5, 8, 2)),
    "grids": lambda: GridQuantizer(Grids([(1, 1), (1, 2)], 2), n_codes=5),
    "categories": lambda: Categorical(6, n_categories=3),
}


@pytest.fixture(params=DISCRETE)
def discrete(request) -> Discrete:
    torch.manual_seed(0)
    return DISCRETE[request.param]().double().eval()


def random_indices(code: Discrete, n: int) -> Tensor:
    return torch.stack([torch.randint(k, (n,)) for k in code.n_values], 1)


class TestEveryDiscreteCode:
    def test_a_code_and_its_indices_stand_for_each_other(self, discrete):
        h = torch.randn(40, discrete.n_inputs, dtype=torch.float64)
        z = discrete.encode(h)
        index = discrete.indices(z)
        assert index.shape == (40, len(discrete.n_values))
        assert (index >= 0).all()
        assert (index < torch.tensor(discrete.n_values)).all()
        assert torch.equal(discrete.from_indices(index).to(z.dtype), z)
        every = random_indices(discrete, 200)
        assert torch.equal(discrete.indices(discrete.from_indices(every)), every)

    def test_a_projected_code_is_the_nearest_and_stays(self, discrete):
        z = 1.5 * torch.randn(30, discrete.n_components, dtype=torch.float64)
        near = discrete.project(z)
        assert torch.equal(discrete.project(near), near)
        indices = torch.tensor(list(itertools.product(*map(range, discrete.n_values))))
        nearest = torch.cdist(z, discrete.from_indices(indices).double()).min(1).values
        torch.testing.assert_close((z - near).norm(dim=1), nearest)

    def test_a_code_is_the_sum_of_what_each_index_adds(self, discrete):
        index, base = random_indices(discrete, 50), random_indices(discrete, 1)
        start = discrete.from_indices(base)
        total = start.expand(50, -1).clone()
        for g in range(index.shape[1]):
            changed = base.repeat(50, 1)
            changed[:, g] = index[:, g]
            total += discrete.from_indices(changed) - start
        torch.testing.assert_close(total, discrete.from_indices(index))

    def test_bits(self, discrete):
        assert discrete.bits == pytest.approx(math.log2(math.prod(discrete.n_values)))

    def test_health_is_the_use_of_values(self, discrete):
        h = torch.randn(50, discrete.n_inputs, dtype=torch.float64)
        index, health = discrete.indices(discrete.encode(h)).numpy(), discrete.health(h)
        used, perplexity = [], []
        for g, n_values in enumerate(discrete.n_values):
            p = np.bincount(index[:, g], minlength=n_values) / 50
            used.append((p > 0).mean())
            perplexity.append(np.exp(-sum(share * np.log(share) for share in p if share > 0)))
        assert health["codes_used"] == pytest.approx(np.mean(used))
        assert health["perplexity"] == pytest.approx(np.mean(perplexity), rel=1e-5)

    def test_perplexity_of_several_processes_is_that_of_all_rows(self, discrete, monkeypatch):
        h = torch.randn(9, discrete.n_inputs, dtype=torch.float64)
        whole = discrete.health(h)["perplexity"]
        sent: list[Tensor] = []
        monkeypatch.setattr("narrows.batch_sharding._all_reduced", lambda part: sent.append(part.clone()) or part)
        with split_batch(Shard(5, 9, 9)):
            discrete.health(h[5:])
        others = iter(sent)
        monkeypatch.setattr("narrows.batch_sharding._all_reduced", lambda part: part + next(others))
        with split_batch(Shard(0, 5, 9)):
            assert discrete.health(h[:5])["perplexity"] == pytest.approx(whole, rel=1e-6)

    def test_a_code_with_labels_is_discrete_too(self, discrete):
        assert as_discrete(Joint(discrete, Label([0.5, 0.5]))) is discrete
        assert as_discrete(Plain(2)) is None


# -------------------------------------------------------------------------------------------------------- residual


class TestResidualQuantizer:
    @pytest.fixture
    def quantizer(self) -> ResidualQuantizer:
        torch.manual_seed(0)
        return residual_quantizer(4, 6)

    def test_prefixes_of_levels_are_ever_nearer(self, quantizer):
        h = torch.randn(200, 4, dtype=torch.float64)
        index = quantizer.eval().indices(h)
        errors = [(h - quantizer.from_indices(index[:, : q + 1])).norm(dim=1).mean() for q in range(3)]
        assert errors[0] > errors[1] > errors[2]
        torch.testing.assert_close(quantizer(h).z, quantizer.from_indices(index))

    def test_the_search_is_at_least_as_good_as_the_greedy_one(self, quantizer):
        h = torch.randn(300, 4, dtype=torch.float64)
        residual = h
        for vectors in quantizer.codebook:
            residual = residual - vectors[torch.cdist(residual, vectors).argmin(1)]
        error = (h - quantizer.encode(h)).norm(dim=1)
        assert (error <= residual.norm(dim=1) + 1e-9).all()
        assert error.mean() < 0.97 * residual.norm(dim=1).mean()

    def test_gradients_go_straight_through(self, quantizer):
        h = torch.randn(5, 4, dtype=torch.float64, requires_grad=True)
        code, upstream = quantizer.eval()(h), torch.randn(5, 4, dtype=torch.float64)
        (straight,) = torch.autograd.grad((code.z * upstream).sum(), h, retain_graph=True)
        torch.testing.assert_close(straight, upstream)
        index = quantizer.indices(h)
        sums = [quantizer.from_indices(index[:, : q + 1]) for q in range(3)]
        torch.testing.assert_close(code.costs["commitment"], sum((h - z).square().sum(1) for z in sums))
        (pull,) = torch.autograd.grad(code.costs["commitment"].sum(), h)
        torch.testing.assert_close(pull, sum(2 * (h - z) for z in sums).detach())

    def test_each_level_follows_the_means_of_its_residuals(self, quantizer):
        """The moving averages of one step, computed row by row."""
        quantizer.n_steps.fill_(9)
        quantizer.counts.fill_(1.0)
        quantizer.sums.copy_(quantizer.codebook)
        h = torch.randn(20, 4, dtype=torch.float64)
        before, index = quantizer.codebook.clone(), quantizer.indices(h)
        quantizer(h)
        counts = 0.99 * torch.ones(3, 6, dtype=torch.float64)
        sums = 0.99 * before
        for row, levels in zip(h, index, strict=True):
            residual = row
            for q, k in enumerate(levels):
                counts[q, k] += 0.01
                sums[q, k] += 0.01 * residual
                residual = residual - before[q, k]
        torch.testing.assert_close(quantizer.codebook, sums / counts[..., None])

    def test_each_level_starts_with_residuals_of_the_one_before(self):
        torch.manual_seed(0)
        quantizer, h = ResidualQuantizer(2, n_codes=8, n_levels=3), 100 + torch.randn(64, 2)
        for _ in range(3):
            quantizer(h)
        sizes = quantizer.codebook.norm(dim=2).amax(1)
        assert 98 < float((quantizer.codebook[0].norm(dim=1)).min())
        assert float(sizes[2]) < float(sizes[1]) < 4
        for _ in range(200):
            quantizer.train()(h)
        error = (h - quantizer.eval().encode(h)).norm(dim=1).mean()
        assert float(error) < 0.2  # of a standard deviation, with 9 bits for two numbers
        assert quantizer.health(h)["codes_used"] == 1

    def test_some_examples_of_a_training_batch_have_fewer_levels(self, quantizer):
        quantizer.prefix_share = 0.5
        h = torch.randn(400, 4, dtype=torch.float64)
        index = quantizer.indices(h)
        prefixes = [quantizer.from_indices(index[:, : q + 1]) for q in range(3)]
        z = quantizer(h).z.detach()
        n = [int(torch.isclose(z, prefix).all(1).sum()) for prefix in prefixes]
        assert sum(n) == 400
        assert 40 < n[0] < 95  # a sixth of all
        assert 40 < n[1] < 95
        torch.testing.assert_close(quantizer.eval()(h).z, quantizer.from_indices(quantizer.indices(h)))

    def test_it_is_exact_under_bfloat16(self, quantizer):
        h = torch.randn(30, 4)
        quantizer = quantizer.float().eval()
        with torch.autocast("cpu", torch.bfloat16):
            index = quantizer.indices(h)
        assert torch.equal(index, quantizer.indices(h))

    def test_many_rows_are_looked_at_some_at_a_time(self, quantizer, monkeypatch):
        h = torch.randn(40, 4, dtype=torch.float64)
        index = quantizer.indices(h)
        monkeypatch.setattr("narrows.bottlenecks.residual.DISTANCES", 7 * 8 * 6)
        assert torch.equal(quantizer.indices(h), index)


# --------------------------------------------------------------------------------------------------- finite scalars


class TestFiniteScalar:
    @pytest.mark.parametrize("n_values", range(2, 10))
    def test_each_value_is_reached_and_all_are_even(self, n_values):
        code = FiniteScalar(1, n_values).double()
        z = code.encode(torch.linspace(-20, 20, 4001, dtype=torch.float64)[:, None])
        expected = torch.linspace(-1, 1, n_values, dtype=torch.float64)
        torch.testing.assert_close(z.unique(), expected)
        h = torch.linspace(0.01, 9, 99, dtype=torch.float64)[:, None]
        torch.testing.assert_close(code.encode(-h), -code.encode(h))

    @pytest.mark.parametrize("n_values", [3, 5, 7, 9])
    def test_odd_numbers_of_values_are_those_of_the_paper(self, n_values):
        """f(h) = floor(K / 2) tanh(h), rounded: equation 1 of Mentzer et al."""
        h = torch.randn(500, 1, dtype=torch.float64)
        rounded = (n_values // 2 * h.tanh()).round()
        torch.testing.assert_close(FiniteScalar(1, n_values).double().encode(h), rounded / (n_values // 2))

    def test_gradients_are_those_of_the_bound(self):
        code, h = FiniteScalar(3, (2, 5, 8)).double(), torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
        upstream = torch.randn(7, 3, dtype=torch.float64)
        (gradient,) = torch.autograd.grad((code(h).z * upstream).sum(), h)
        torch.testing.assert_close(gradient, upstream * (1 - h.detach().tanh().square()))
        torch.testing.assert_close(code(h).z, code.encode(h))

    def test_each_component_has_a_number_of_values(self):
        with pytest.raises(ValueError, match="n_values` parameter of FiniteScalar must be one int, or one for each of"):
            FiniteScalar(3, (2, 5))


# ------------------------------------------------------------------------------------------------------ categories


class TestCategorical:
    @pytest.fixture
    def code(self) -> Categorical:
        return Categorical(6, n_categories=3).double()

    def test_the_kl_is_that_of_torch(self, code):
        h = 2 * torch.randn(5, 6, dtype=torch.float64)
        q = torch.distributions.Categorical(logits=h.view(5, 2, 3))
        p = torch.distributions.Categorical(logits=torch.zeros(5, 2, 3, dtype=torch.float64))
        expected = torch.distributions.kl_divergence(q, p)
        kl = code.kl_per_component(h)
        torch.testing.assert_close(kl.view(5, 2, 3).sum(2), expected)
        torch.testing.assert_close(code(h).costs["kl"], expected.sum(1))
        assert code.most_nats == pytest.approx(2 * math.log(3))

    def test_hard_draws_have_the_probabilities_of_q(self, code):
        torch.manual_seed(0)
        h, n = torch.randn(1, 6, dtype=torch.float64), 40_000
        z, log_q, log_p = code.eval().sample(h.expand(n, 6), torch.randn(n, 6, dtype=torch.float64))
        assert torch.equal(z.unique(), torch.tensor([0.0, 1.0], dtype=torch.float64))
        assert torch.equal(z.view(n, 2, 3).sum(2), torch.ones(n, 2, dtype=torch.float64))
        q = h.view(2, 3).softmax(1)
        torch.testing.assert_close(z.mean(0).view(2, 3), q, rtol=0, atol=5 * 0.5 / n**0.5)
        torch.testing.assert_close(log_q, (z.view(n, 2, 3) * q.log()).sum((1, 2)))
        torch.testing.assert_close(log_p, torch.full_like(log_p, -2 * math.log(3)))

    def test_the_noise_becomes_gumbel_noise(self, code):
        """The relaxed draw of Jang et al. (2017), equation 2, with u = Phi(eps)."""
        h, eps = torch.randn(4, 6, dtype=torch.float64), torch.randn(4, 6, dtype=torch.float64)
        u = torch.distributions.Normal(0, 1).cdf(eps)
        gumbel = -(-u.log()).log()
        code.advance(1.0)
        z = code.train().sample(h, eps).z
        expected = ((h.view(4, 2, 3).log_softmax(2) + gumbel.view(4, 2, 3)) / 0.5).softmax(2)
        torch.testing.assert_close(z, expected.flatten(1), rtol=1e-6, atol=1e-9)
        torch.testing.assert_close(code.eval().sample(h, eps).z, F.one_hot(expected.argmax(2), 3).double().flatten(1))

    def test_the_temperature_falls(self, code):
        eps, h = torch.randn(50, 6, dtype=torch.float64), torch.randn(50, 6, dtype=torch.float64)
        largest = []
        for progress in (0.0, 0.5, 1.0):
            code.advance(progress)
            largest.append(float(code.sample(h, eps).z.view(50, 2, 3).amax(2).mean()))
        assert largest == sorted(largest)
        assert [float(code.temperature)] == [0.5]

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_noise_gives_finite_draws(self, dtype):
        code, h = Categorical(3, n_categories=3).to(dtype), torch.zeros(2, 3, dtype=dtype)
        eps = torch.tensor([[-30.0, 0.0, 30.0], [9.0, -9.0, 5.0]], dtype=dtype)
        assert torch.isfinite(code.train().sample(h, eps).z).all()
        assert code.from_prior(eps).sum().item() == 2

    def test_a_path_changes_one_category_after_the_other(self):
        code = Categorical(8, n_categories=2)
        first, last = (code.from_indices(torch.tensor([index]))[0] for index in ([0, 0, 0, 0], [1, 1, 0, 1]))
        path = code.indices(code.interpolate(first, last, torch.linspace(0, 1, 7)[:, None]))
        assert path[0].tolist() == [0, 0, 0, 0]
        assert path[3].tolist() == [1, 0, 0, 0] or path[3].tolist() == [1, 1, 0, 0]
        assert path[-1].tolist() == [1, 1, 0, 1]
        assert (path.diff(dim=0).abs().sum(1) <= 1).all()

    def test_categories_must_fill_the_code(self):
        with pytest.raises(ValueError, match="n_categories` parameter of Categorical must divide n_components, 5"):
            Categorical(5, n_categories=2)


# ------------------------------------------------------------------------------------------------------ combined


class TestCombined:
    @pytest.fixture
    def code(self) -> Combined:
        return Combined([Gaussian(2), Categorical(6, n_categories=3)], [2.0, 1.0]).double()

    def test_it_is_its_parts(self, code):
        h, eps = torch.randn(5, 10, dtype=torch.float64), torch.randn(5, 8, dtype=torch.float64)
        gaussian, categorical = code.eval().parts
        z, log_q, log_p = code.sample(h, eps)
        first, second = gaussian.sample(h[:, :4], eps[:, :2]), categorical.sample(h[:, 4:], eps[:, 2:])
        torch.testing.assert_close(z, torch.cat([first.z, second.z], 1))
        torch.testing.assert_close(log_q, first.log_q + second.log_q)
        torch.testing.assert_close(log_p, first.log_p + second.log_p)
        torch.testing.assert_close(code.log_prior(z), log_p)
        kl = torch.cat([gaussian.kl_per_component(h[:, :4]), categorical.kl_per_component(h[:, 4:])], 1)
        torch.testing.assert_close(code.kl_per_component(h), kl)
        torch.testing.assert_close(code(h).costs["kl"], kl.sum(1))
        assert code.health(h)["active_components"] == 2 + categorical.health(h[:, 4:])["active_components"]

    def test_the_temperature_scales_the_numbers_only(self, code):
        eps = torch.randn(30, code.n_prior_noise, dtype=torch.float64)
        cold = eps.clone()
        cold[:, code.n_unscaled_noise :] = 0
        warm, cold = code.from_prior(eps), code.from_prior(cold)
        torch.testing.assert_close(cold[:, :2], torch.zeros(30, 2, dtype=torch.float64))
        assert torch.equal(cold[:, 2:], warm[:, 2:])
        assert len(warm[:, 2:].unique(dim=0)) == 9

    def test_the_capacity_is_the_distance_of_each_part_from_its_own(self, code):
        h = torch.randn(6, 10, dtype=torch.float64)
        kl = code.kl_per_component(h)
        means = [float(kl[:, :2].sum(1).mean()), float(kl[:, 2:].sum(1).mean())]
        assert float(code.eval()(h).costs["capacity"][0]) == pytest.approx(abs(means[0] - 2) + abs(means[1] - 1))
        code.train().advance(0.25)
        cost = code(h).costs["capacity"]
        assert cost.shape == (6,)
        assert float(cost[0]) == pytest.approx(abs(means[0] - 1) + abs(means[1] - 0.5))

    def test_paths_and_projections_are_those_of_the_parts(self, code):
        z = torch.randn(4, 8, dtype=torch.float64)
        near = code.project(z)
        assert torch.equal(near[:, :2], z[:, :2])
        assert torch.equal(near[:, 2:], code.parts[1].project(z[:, 2:]))
        t = torch.linspace(0, 1, 5, dtype=torch.float64)[:, None]
        path = code.interpolate(near[0], near[1], t)
        torch.testing.assert_close(path[[0, -1]], near[:2])
        assert torch.equal(code.project(path), path)

    def test_all_parts_hear_of_the_progress(self, code):
        before = copy.deepcopy(code)
        code.advance(1.0)
        assert code.parts[1].temperature < before.parts[1].temperature

    def test_each_part_has_a_capacity(self):
        with pytest.raises(ValueError, match="capacities` parameter of Combined must hold 1 number"):
            Combined([Gaussian(2)], [1.0, 2.0])

    def test_each_part_has_a_kl_in_closed_form(self):
        for part in (Gaussian(2, prior=NormalMixture(2, 3)), Ladder(2)):
            with pytest.raises(ValueError, match="closed form"):
                Combined([Categorical(3, n_categories=3), part])


class TestIndicesOfEstimators:
    """`code_indices` and `decode_indices`, and the category of a joint code."""

    def test_they_come_back(self):
        X = np.random.default_rng(0).normal(size=(80, 6))
        for name, n_indices in {"vqvae": 4, "rqvae": 2, "fsqae": 4}.items():
            more = {"n_levels": 2, "n_codes": 16} if name == "rqvae" else {}
            model = narrows.estimator(name)(4, hidden=(16,), max_epochs=2, random_state=0, device="cpu", **more).fit(X)
            index = model.code_indices(X)
            assert index.shape == (80, n_indices)
            np.testing.assert_allclose(model.decode_indices(index), model.reconstruct(X), rtol=1e-4, atol=1e-5)

    def test_what_is_no_index_is_refused(self):
        X = np.random.default_rng(0).normal(size=(80, 6))
        model = narrows.estimator("fsqae")(3, hidden=(16,), max_epochs=2, random_state=0, device="cpu").fit(X)
        for wrong in (np.zeros((2, 3)), np.zeros((2, 2), int), np.full((2, 3), 10_000), -np.ones((2, 3), int)):
            with pytest.raises(ValueError, match="must have 3 whole numbers for each code, below"):
                model.decode_indices(wrong)
        with pytest.raises(ValueError, match="are real numbers, which have no indices"):
            narrows.AE(2, hidden=(16,), max_epochs=2, random_state=0, device="cpu").fit(X).code_indices(X)

    def test_a_joint_code_tells_the_kind(self):
        X = np.random.default_rng(0).normal(size=(80, 6))
        options = {"hidden": (16,), "max_epochs": 2, "random_state": 0, "device": "cpu"}
        model = narrows.estimator("jointvae")(5, n_values=3, **options).fit(X)
        np.testing.assert_array_equal(model.predict_cluster(X), model.transform(X)[:, 2:].argmax(1))
        with pytest.raises(ValueError, match="n_values"):
            narrows.estimator("jointvae")(5, n_values=1, **options).fit(X)
