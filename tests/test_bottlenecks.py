"""Bottlenecks: the KL in closed form, sparsity exactly as stated, and dead units that come back."""

import copy

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.distributions import Normal, kl_divergence

from narrows import bottlenecks
from narrows.batch_sharding import Shard, split_batch
from narrows.bottlenecks import (
    L1,
    Bottleneck,
    FlowPosterior,
    Gaussian,
    Joint,
    KLRate,
    Label,
    LabelHead,
    Laplace,
    Plain,
    TopK,
    VectorQuantizer,
    as_stochastic,
)
from narrows.bottlenecks.gaussian import split_mean_and_log_scale
from narrows.corruptions import Nothing
from narrows.data import infer
from narrows.likelihoods import Gaussian as GaussianLikelihood
from narrows.model import Autoencoder, infer_label
from narrows.networks import Dictionary, MLPEncoder
from narrows.objectives import WeightedObjective
from narrows.priors import NormalMixture
from narrows.recipes import assemble
from narrows.training import Settings
from narrows.training import fit as train
from narrows.types import Batch, Code, SparseCode

SPARSE = {"topk": lambda n, **k: TopK(n, 3, **k), "l1": L1, "kl": KLRate}


# ------------------------------------------------------------------------------------------------------- gaussian


def test_kl_against_torch():
    torch.manual_seed(0)
    bottleneck = Gaussian(5)
    h = 2 * torch.randn(7, 10, dtype=torch.float64)
    mean, log_std = bottleneck.split(h)
    assert torch.equal(mean, h[:, :5])
    expected = kl_divergence(Normal(mean, log_std.exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(bottleneck.kl_per_component(h), expected)
    torch.testing.assert_close(bottleneck(h).costs["kl"], expected.sum(1))


def test_densities_against_torch():
    torch.manual_seed(0)
    bottleneck = Gaussian(5)
    h, eps = 2 * torch.randn(7, 10, dtype=torch.float64), torch.randn(7, 5, dtype=torch.float64)
    mean, log_std = bottleneck.split(h)
    z, log_q, log_p = bottleneck.sample(h, eps)
    torch.testing.assert_close(z, mean + log_std.exp() * eps)
    torch.testing.assert_close(log_q, Normal(mean, log_std.exp()).log_prob(z).sum(1))
    torch.testing.assert_close(log_p, Normal(0.0, 1.0).log_prob(z).sum(1))
    torch.testing.assert_close(bottleneck.log_prior(z), log_p)


def test_kl_gradient():
    torch.manual_seed(0)
    h = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(Gaussian(3).kl_per_component, (h,))


def test_kl_is_the_expectation_of_the_log_ratio():
    torch.manual_seed(0)
    bottleneck, h = Gaussian(2), torch.tensor([[0.7, -1.0, -0.5, 0.3]], dtype=torch.float64)
    _, log_q, log_p = bottleneck.sample(h.expand(400_000, 4), torch.randn(400_000, 2, dtype=torch.float64))
    ratio = log_q - log_p
    assert float(ratio.mean()) == pytest.approx(
        float(bottleneck.kl_per_component(h).sum()), abs=5 * float(ratio.std()) / 400_000**0.5
    )


def test_draws_have_the_posteriors_moments_and_a_gradient():
    torch.manual_seed(0)
    h = torch.tensor([1.5, -2.0, -0.7, 0.2], dtype=torch.float64).requires_grad_()
    z = Gaussian(2)(h.expand(200_000, 4)).z
    mean, log_std = Gaussian(2).split(h)
    torch.testing.assert_close(z.mean(0), mean, rtol=0, atol=0.02)
    torch.testing.assert_close(z.std(0), log_std.exp(), rtol=0.01, atol=0)
    # d z / d mean = 1, d z / d log_std = z - mean
    (gradient,) = torch.autograd.grad(z.sum(), h)
    (expected,) = torch.autograd.grad(200_000 * mean.sum() + ((z - mean).sum(0).detach() * log_std).sum(), h)
    torch.testing.assert_close(gradient, expected)


def test_the_code_at_inference_is_the_mean():
    h = torch.randn(5, 8)
    torch.testing.assert_close(Gaussian(4).encode(h), h[:, :4], rtol=0, atol=0)


def test_extreme_encoders_are_survived():
    h = torch.tensor([[0.0, -1e9], [0.0, 1e9], [30.0, 0.0]])
    code = Gaussian(1)(h)
    assert torch.isfinite(code.costs["kl"]).all()
    assert torch.isfinite(code.z).all()


def test_half_precision_is_lifted():
    code = Gaussian(2)(torch.zeros(3, 4, dtype=torch.bfloat16))
    assert code.z.dtype == code.costs["kl"].dtype == torch.float32


@pytest.mark.parametrize("free", [0.5, 3.0])
def test_free_nats_take_the_pull_and_leave_the_cost(free):
    torch.manual_seed(0)
    # the first two components carry little, the third about two nats
    h = (torch.randn(40, 6, dtype=torch.float64) * torch.tensor([0.1, 0.2, 2.0, 0.1, 0.1, 0.1])).requires_grad_()
    bottleneck = Gaussian(3, free_nats=free)
    code = bottleneck(h)
    kl = bottleneck.kl_per_component(h)
    torch.testing.assert_close(code.costs["kl"], kl.sum(1))  # the true one
    floor = kl.mean(0).clamp(min=free).sum()
    total = (code.costs["kl"] + code.costs["free_nats"]).mean()
    torch.testing.assert_close(total, floor)
    (gradient,) = torch.autograd.grad(total, h)
    pulled = kl.mean(0) > free
    mean_gradient, std_gradient = gradient.chunk(2, 1)
    assert (mean_gradient[:, ~pulled].abs() < 1e-12).all()
    assert (std_gradient[:, ~pulled].abs() < 1e-12).all()
    assert (mean_gradient[:, pulled].abs().sum(0) > 1e-3).all()
    assert bool(pulled.any()) == (free < 1)


def test_plain_hands_on():
    h = torch.randn(3, 4)
    code = Plain(4)(h)
    assert code.z is h
    assert code.costs == {}
    assert Plain(4).encode(h) is h


# --------------------------------------------------------------------------------------------------------- sparse

# few different values, so that there are ties
VALUES = st.sampled_from([-2.0, -1.0, 0.0, 0.5, 0.5, 1.0, 3.0])


@given(st.integers(1, 5), st.integers(1, 9), st.integers(1, 12), st.data())
@settings(max_examples=200, deadline=None, derandomize=True)
def test_topk_is_exactly_the_k_largest(n, d, k, data):
    h = torch.tensor(data.draw(st.lists(st.lists(VALUES, min_size=d, max_size=d), min_size=n, max_size=n)))
    z = TopK(d, k).encode(h)
    kept = min(k, d)
    assert z.shape == h.shape
    assert (z >= 0).all()
    assert ((z > 0).sum(1) <= kept).all()
    # the same values as the k largest of relu(h), and each where it was
    expected = h.relu().sort(dim=1, descending=True).values[:, :kept]
    torch.testing.assert_close(z.sort(dim=1, descending=True).values[:, :kept], expected, rtol=0, atol=0)
    assert torch.equal(z[z > 0], h[z > 0])


def test_topk_gradient_goes_to_the_winners_alone():
    h = torch.tensor([[3.0, -1.0, 1.0, 2.0]], requires_grad=True)
    TopK(4, 2).encode(h).sum().backward()
    assert h.grad.tolist() == [[1, 0, 0, 1]]


def test_l1_cost():
    code = L1(3)(torch.tensor([[1.0, -2.0, 0.5], [-1.0, -1.0, -1.0]]))
    assert code.z.tolist() == [[1, 0, 0.5], [0, 0, 0]]
    assert code.costs["l1"].tolist() == [1.5, 0]


def test_kl_rate_cost_against_torch():
    torch.manual_seed(0)
    h = torch.randn(50, 4, dtype=torch.float64)
    bernoulli = torch.distributions.Bernoulli
    expected = kl_divergence(bernoulli(torch.tensor(0.1).double()), bernoulli(h.sigmoid().mean(0))).sum()
    cost = KLRate(4, rate=0.1)(h).costs["kl_rate"]
    torch.testing.assert_close(cost, expected.expand(50))
    at_rate = torch.full((10, 4), float(np.log(0.1 / 0.9)), dtype=torch.float64)
    assert float(KLRate(4, rate=0.1)(at_rate).costs["kl_rate"].abs().max()) < 1e-12


@pytest.mark.parametrize("kind", ["l1", "kl"])
def test_cost_gradients(kind):
    torch.manual_seed(0)
    h = torch.randn(6, 4, dtype=torch.float64, requires_grad=True)
    bottleneck = SPARSE[kind](4)
    assert torch.autograd.gradcheck(lambda h: next(iter(bottleneck(h).costs.values())), (h,))


@pytest.mark.parametrize("kind", SPARSE)
def test_idle_counts_examples_since_a_unit_fired(kind):
    bottleneck = SPARSE[kind](5, patience=10)
    h = torch.full((4, 5), -5.0)
    h[2, 1] = h[0, 3] = 2.0
    bottleneck(h)
    assert bottleneck.idle.tolist() == [4, 0, 4, 0, 4]
    bottleneck(torch.full((7, 5), -5.0))
    assert bottleneck.idle.tolist() == [11, 7, 11, 7, 11]
    assert bottleneck.dead().tolist() == [True, False, True, False, True]
    bottleneck.eval()
    bottleneck(h)
    bottleneck.encode(h)
    assert bottleneck.idle.tolist() == [11, 7, 11, 7, 11]  # looking is not training


@pytest.mark.parametrize("kind", SPARSE)
@given(n=st.integers(1, 6), d=st.integers(1, 40), data=st.data())
@settings(max_examples=30, deadline=None, derandomize=True)
def test_spare_codes_are_on_dead_units_only(kind, n, d, data):
    dead = torch.tensor(data.draw(st.lists(st.booleans(), min_size=d, max_size=d)))
    bottleneck = SPARSE[kind](d, patience=100, n_aux=8)
    bottleneck.idle.copy_(dead * 1000.0)
    assert torch.equal(bottleneck.dead(), dead)
    bottleneck.update_dead_units()
    assert bool(bottleneck.aux_active) == bool(dead.any())
    h = torch.randn(n, d, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99)))) - 9  # none fires
    h.requires_grad_()
    code = bottleneck(h)
    if not dead.any():
        assert code.aux_code is None
        return
    assert torch.equal(bottleneck.dead(), dead)
    aux_code = code.aux_code.to_dense()
    assert (aux_code == 0).all(), "no number is above 0"
    aux_code.sum().backward()
    assert torch.equal(h.grad, is_largest(h.detach(), dead, 8).float()), "but the largest of the dead ones learn"
    bottleneck.eval()
    assert bottleneck(h).aux_code is None


def is_largest(h, dead, n):
    """True for the n largest numbers of dead units in each row."""
    rows = torch.where(dead, h, -torch.inf)
    return torch.zeros_like(h).scatter(1, rows.topk(min(n, int(dead.sum()))).indices, 1) > 0


def test_spare_codes_are_numbers_above_0_of_dead_units():
    generator = torch.Generator().manual_seed(0)
    h = torch.randn(6, 40, generator=generator).where(torch.arange(40) >= 4, 9.0).requires_grad_()  # 4 units fire
    dead = (torch.rand(40, generator=generator) < 0.5) & (torch.arange(40) >= 4)
    bottleneck = TopK(40, 4, patience=100, n_aux=12)
    bottleneck.idle.copy_(dead * 1000.0)
    bottleneck.update_dead_units()
    aux_code = bottleneck(h).aux_code.to_dense()
    largest = is_largest(h.detach(), dead, 12)
    assert ((h < 0) & largest).any()
    assert torch.equal(aux_code, torch.where(largest, h, 0.0).relu())
    aux_code.sum().backward()
    assert torch.equal(h.grad, largest.float())


def test_dead_units_are_revived():
    """Half of the units start so low that none of the data wakes them; only the auxiliary code can."""
    rng = np.random.default_rng(0)
    X = (rng.random((400, 24)) < 0.1) @ rng.normal(size=(24, 24)) + 0.01 * rng.normal(size=(400, 24))
    schema = infer(X, "test")

    def trained(patience: int) -> tuple[float, float]:
        """The share of units dead in the end, and the loss."""
        torch.manual_seed(0)
        encoder = MLPEncoder(schema, 48, ())
        with torch.no_grad():
            encoder.layers[-1].bias[24:] = -3.0
        bottleneck = TopK(48, 4, patience=patience)
        model = Autoencoder(Nothing(), encoder, bottleneck, Dictionary(schema.shape, 48), GaussianLikelihood())
        settings = Settings(max_epochs=100, learning_rate=1e-2, early_stopping=False, precision="float32", device="cpu")
        history = train(model, WeightedObjective(), X, schema, settings).history
        with torch.no_grad():
            z = model.encode(schema.prepare(torch.from_numpy(X)))
        dead = (z > 0).any(0).logical_not().float()
        assert history[-1]["dead_fraction"] == pytest.approx(float(dead.mean()))
        return float(dead.mean()), history[-1]["nll"]

    (left, nll_left), (revived, nll_revived) = trained(patience=10**9), trained(patience=500)
    assert left >= 0.5  # they stay dead without
    assert revived < 0.5 * left
    assert nll_revived < nll_left - 1


# ------------------------------------------------------------------------------------------------------- laplace


class TestLaplace:
    def test_densities_and_kl_against_torch(self):
        torch.manual_seed(0)
        code, L = Laplace(4), torch.distributions.Laplace
        h, eps = 2 * torch.randn(7, 8, dtype=torch.float64), torch.randn(7, 4, dtype=torch.float64)
        mean, log_scale = split_mean_and_log_scale(h)
        z, log_q, log_p = code.sample(h, eps)
        torch.testing.assert_close(log_q, L(mean, log_scale.exp()).log_prob(z).sum(1))
        torch.testing.assert_close(log_p, L(0.0, 1.0).log_prob(z).sum(1))
        expected = kl_divergence(L(mean, log_scale.exp()), L(torch.zeros_like(mean), torch.ones_like(mean)))
        torch.testing.assert_close(code.kl_per_component(h), expected)
        assert torch.autograd.gradcheck(code.kl_per_component, (h.requires_grad_(),))

    def test_a_draw_is_the_quantile_of_its_noise(self):
        eps = torch.linspace(-5, 5, 41, dtype=torch.float64)
        expected = scipy.stats.laplace.ppf(scipy.stats.norm.cdf(eps[eps < 0].numpy()))
        z = Laplace(1).from_prior(eps)
        np.testing.assert_allclose(z[eps < 0].numpy(), expected, rtol=1e-10)
        torch.testing.assert_close(z, -z.flip(0))
        assert float(z[20]) == 0

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
    def test_extreme_noise_is_survived(self, dtype):
        eps = torch.tensor([-30.0, -8.0, -1e-6, 0.0, 1e-6, 8.0, 30.0], dtype=dtype, requires_grad=True)
        z = Laplace(1).from_prior(eps)
        (slope,) = torch.autograd.grad(z.sum(), eps)
        assert torch.isfinite(z).all()
        assert torch.isfinite(slope).all()
        assert (z.diff() > 0).all()  # of any noise there is a further one
        assert float(z[-1].detach()) == pytest.approx(-np.log(2) - scipy.stats.norm.logcdf(-30), rel=1e-5)
        code = Laplace(1)(torch.tensor([[0.0, -1e9], [0.0, 1e9], [30.0, 0.0]], dtype=dtype))
        assert torch.isfinite(code.costs["kl"]).all()
        assert torch.isfinite(code.z).all()


# ---------------------------------------------------------------------------------------------------------- flow


class TestFlowPosterior:
    @pytest.fixture
    def flow(self) -> FlowPosterior:
        pytest.importorskip("zuko", reason="needs zuko")
        torch.manual_seed(0)
        flow = FlowPosterior(3, NormalMixture(3, 4), hidden=(8,)).double()
        with torch.no_grad():
            for p in flow.parameters():
                p.add_(0.3 * torch.randn_like(p))
        return flow

    def test_the_log_determinant_is_that_of_its_jacobian(self, flow):
        h, eps = torch.randn(4, flow.n_inputs, dtype=torch.float64), torch.randn(4, 3, dtype=torch.float64)
        _, log_q, _ = flow.sample(h, eps)
        plain = Normal(0.0, 1.0).log_prob(eps).sum(1)
        jacobians = torch.func.vmap(torch.func.jacrev(lambda e, h: flow.sample(h[None], e[None]).z[0]))(eps, h)
        torch.testing.assert_close(log_q, plain - torch.linalg.slogdet(jacobians).logabsdet)
        assert (jacobians[:, 0, 1].abs() + jacobians[:, 0, 2].abs() > 1e-6).all()  # the components depend on each other

    def test_gradients(self, flow):
        h = torch.randn(2, flow.n_inputs, dtype=torch.float64, requires_grad=True)
        eps = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(flow.sample, (h, eps))
        sample = flow.sample(h, eps)
        gradients = torch.autograd.grad((sample.log_q - sample.log_p).sum(), [*flow.parameters()])
        assert all(gradient.abs().max() > 0 for gradient in gradients)

    def test_the_code_at_inference_has_no_noise(self, flow):
        h = torch.randn(4, flow.n_inputs, dtype=torch.float64)
        torch.testing.assert_close(flow.encode(h), flow.sample(h, torch.zeros(4, 3, dtype=torch.float64)).z)

    def test_inputs_in_single_precision_are_taken_in_its_own(self, flow):
        assert flow.encode(torch.randn(4, flow.n_inputs)).dtype == torch.float64


# ------------------------------------------------------------------------------------------------------ quantised


def brute_force(quantizer: VectorQuantizer, h: torch.Tensor) -> torch.Tensor:
    """The nearest vectors' numbers, one distance after the other."""
    groups = h.unflatten(1, (quantizer.n_groups, quantizer.group_size))
    distances = (groups[:, :, None] - quantizer.codebook[None]).square().sum(3)  # B x G x K
    return distances.argmin(2)


class TestVectorQuantizer:
    @pytest.fixture
    def quantizer(self) -> VectorQuantizer:
        torch.manual_seed(0)
        return VectorQuantizer(6, n_codes=5, group_size=2).double()

    def test_a_group_is_its_nearest_vector(self, quantizer):
        h = torch.randn(30, 6, dtype=torch.float64)
        index = brute_force(quantizer, h)
        assert torch.equal(quantizer.indices(h), index)
        assert index.unique().numel() == 5
        code = quantizer.eval()(h)
        expected = torch.stack([quantizer.codebook[g, index[:, g]] for g in range(3)], 1).flatten(1)
        torch.testing.assert_close(code.z, expected)
        torch.testing.assert_close(quantizer.encode(h), expected, rtol=0, atol=0)
        torch.testing.assert_close(code.costs["commitment"], (h - expected).square().sum(1))

    def test_gradients_go_straight_through(self, quantizer):
        h = torch.randn(4, 6, dtype=torch.float64, requires_grad=True)
        code, upstream = quantizer.eval()(h), torch.randn(4, 6, dtype=torch.float64)
        (straight,) = torch.autograd.grad((code.z * upstream).sum(), h, retain_graph=True)
        torch.testing.assert_close(straight, upstream)
        (pull,) = torch.autograd.grad(code.costs["commitment"].sum(), h)
        torch.testing.assert_close(pull, 2 * (h - quantizer.encode(h)).detach())

    def test_vectors_approach_the_means_of_those_that_chose_them(self):
        torch.manual_seed(0)
        quantizer = VectorQuantizer(2, n_codes=3, group_size=2).double()
        centres = torch.tensor([[-9.0, 0.0], [0.0, 9.0], [9.0, 0.0]], dtype=torch.float64)
        h = (centres[:, None] + torch.randn(3, 20, 2, dtype=torch.float64)).flatten(0, 1)
        quantizer.codebook.copy_(centres[None] + 1)
        quantizer.sums.copy_(quantizer.codebook)
        before = quantizer.codebook.clone()
        quantizer(h)
        # counts n and sums s are averages by 0.99 and 0.01, the vectors s / n
        expected = (0.99 * before[0] + 0.01 * h.view(3, 20, 2).sum(1)) / (0.99 + 0.01 * 20)
        torch.testing.assert_close(quantizer.codebook[0], expected)
        for _ in range(1500):
            quantizer(h)
        torch.testing.assert_close(quantizer.codebook[0], h.view(3, 20, 2).mean(1), rtol=1e-4, atol=1e-4)
        learned = quantizer.codebook.clone()
        quantizer.eval()(h + 1)
        assert torch.equal(quantizer.codebook, learned)  # looking is not training

    def test_vectors_that_nobody_chose_for_long_come_back(self):
        torch.manual_seed(0)
        quantizer = VectorQuantizer(4, n_codes=8, group_size=2)
        h = torch.randn(64, 4)
        quantizer.codebook[:, 3:] += 1000
        quantizer.sums[:, 3:] += 1000
        assert quantizer.health(h)["codes_used"] < 0.5
        for _ in range(500):
            quantizer(h)
        assert quantizer.health(h)["codes_used"] == 1
        assert float(quantizer.codebook.abs().max()) < 10

    def test_a_projected_code_stays(self, quantizer):
        z = quantizer.project(3 * torch.randn(20, 6, dtype=torch.float64))
        assert torch.equal(quantizer.project(z), z)
        assert torch.equal(quantizer.encode(z), z)

    def test_the_nearest_vector_is_found_in_bfloat16_too(self):
        torch.manual_seed(0)
        quantizer, h = VectorQuantizer(4, n_codes=64, group_size=2), 8 + 0.1 * torch.randn(50, 4)
        quantizer.codebook.copy_(8 + 0.1 * torch.randn(2, 64, 2))  # which bfloat16 cannot tell apart
        quantizer.sums.copy_(quantizer.codebook)
        plain = copy.deepcopy(quantizer)
        plain(h)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(quantizer.indices(h), brute_force(quantizer, h))
            quantizer(h)
        torch.testing.assert_close(quantizer.codebook, plain.codebook)

    def test_many_rows_are_looked_at_some_at_a_time(self, quantizer, monkeypatch):
        h = torch.randn(40, 6, dtype=torch.float64)
        index, health = quantizer.indices(h), quantizer.health(h)
        monkeypatch.setattr("narrows.bottlenecks.quantized.DISTANCES", 7 * 3 * 5)
        assert torch.equal(quantizer.indices(h), index)
        assert quantizer.health(h) == health
        assert health["codes_used"] == pytest.approx(np.mean([len(index[:, g].unique()) / 5 for g in range(3)]))

    @pytest.mark.parametrize("is_shared", [False, True])
    @pytest.mark.parametrize("n_codes", [5, 6])  # as many as rows of a shard, and not
    def test_two_shards_learn_what_one_batch_does(self, n_codes, is_shared, monkeypatch):
        torch.manual_seed(0)
        whole = VectorQuantizer(4, n_codes=n_codes, group_size=2, is_shared=is_shared).double()
        part, h = copy.deepcopy(whole), torch.randn(9, 4, dtype=torch.float64)
        for quantizer in (whole, part):
            quantizer.counts[:, 0] = 0  # dead: it is moved to a row of the whole batch
        torch.manual_seed(1)
        code = whole(h)
        other = copy.deepcopy(part)
        sent: list[torch.Tensor] = []

        def record(part: torch.Tensor) -> torch.Tensor:
            sent.append(part.clone())
            return part

        monkeypatch.setattr("narrows.batch_sharding._all_reduced", record)
        with split_batch(Shard(5, 9, 9)):
            other(h[5:])
        others = iter(sent)
        monkeypatch.setattr("narrows.batch_sharding._all_reduced", lambda rows: rows + next(others))
        torch.manual_seed(1)
        with split_batch(Shard(0, 5, 9)):
            shared = part(h[:5])
        torch.testing.assert_close(shared.z, code.z[:5])
        for name, tensor in whole.state_dict().items():
            torch.testing.assert_close(part.state_dict()[name], tensor)

    def test_shared_vectors_are_those_of_one_group_with_all_rows(self):
        torch.manual_seed(0)
        shared = VectorQuantizer(6, n_codes=5, group_size=2, is_shared=True).double()
        one = VectorQuantizer(2, n_codes=5, group_size=2).double()
        one.load_state_dict(shared.state_dict())
        for _ in range(3):
            h = torch.randn(20, 6, dtype=torch.float64)
            code, expected = shared(h), one(h.view(60, 2))
            torch.testing.assert_close(code.z, expected.z.view(20, 6))
            torch.testing.assert_close(code.costs["commitment"], expected.costs["commitment"].view(20, 3).sum(1))
            torch.testing.assert_close(shared.codebook, one.codebook)
        assert torch.equal(shared.indices(h), one.indices(h.view(60, 2)).view(20, 3))

    def test_groups_must_fill_the_code(self):
        with pytest.raises(ValueError, match="group_size` parameter of VectorQuantizer must divide n_components, 5"):
            VectorQuantizer(5, group_size=2)


# --------------------------------------------------------------------------------------------------------- labels


FREE = {"plain": lambda: Plain(4), "laplace": lambda: Laplace(4), "topk": lambda: TopK(4, 2, patience=10)}


@pytest.mark.parametrize("head", [False, True], ids=["known", "guessed"])
@pytest.mark.parametrize("kind", FREE)
class TestJoint:
    def model(self, kind: str, head: bool) -> Autoencoder:
        torch.manual_seed(0)
        free = FREE[kind]()
        p = (0.5, 0.3, 0.2)
        n_inputs = free.n_inputs + (3 if head else 0)
        joint = Joint(free, Label(p, LabelHead(n_inputs, p) if head else None))
        return Autoencoder(Nothing(), nn.Linear(6, n_inputs), joint, nn.Linear(7, 6), GaussianLikelihood()).double()

    def test_any_code_takes_labels(self, kind, head):
        model, x = self.model(kind, head), torch.randn(8, 6, dtype=torch.float64)
        label = torch.tensor([0, 1, 2, 2, 0, 1, 0, 1])
        joint, free = model.bottleneck, model.bottleneck.free
        assert joint.n_inputs == model.encoder.out_features
        assert (as_stochastic(joint) is None) == (as_stochastic(free) is None)
        torch.manual_seed(3)
        output = model(Batch(x, x, label=label))
        torch.manual_seed(3)
        alone = free(output.h[:, : free.n_inputs])
        assert output.code.z.shape == (8, 7)
        assert torch.equal(output.code.free, alone.z)
        assert torch.equal(output.code.z[:, 4:], torch.eye(3, dtype=torch.float64)[label])
        assert {*output.code.costs} == {*free.costs, *(("label", "kl_label") if head else ())} == {*joint.costs}
        assert all(torch.equal(output.code.costs[name], cost) for name, cost in alone.costs.items())
        loss = WeightedObjective(dict.fromkeys(joint.costs, 1.0))
        loss.check(model)
        assert torch.isfinite(loss(model, Batch(x, x, label=label)).total)

    def test_codes_are_decoded_with_their_label(self, kind, head):
        model, x = self.model(kind, head), torch.randn(8, 6, dtype=torch.float64)
        z = model.encode(x)
        assert z.shape == (8, 4)
        columns = infer_label(model, x)
        assert columns.shape == (8, 3)
        assert (columns.sum(1) == 1).all()
        torch.testing.assert_close(model.decode_own(x), model.decode(torch.cat([z, columns], 1)))
        most_frequent = torch.eye(3, dtype=torch.float64)[:1].expand(8, 3)
        torch.testing.assert_close(model.decode(z), model.decode(torch.cat([z, most_frequent], 1)))

    def test_the_likeliest_label_is_inferred(self, kind, head):
        model, x = self.model(kind, head), torch.randn(20, 6, dtype=torch.float64)
        if head:
            scores = model.label.head.log_probs(model.encoder(x))
        else:
            eye = torch.eye(3, dtype=torch.float64)
            decoded = [model.decode(torch.cat([model.encode(x), eye[i].expand(20, 3)], 1)) for i in range(3)]
            scores = torch.stack([model.likelihood.score(o, x) for o in decoded], 1)
            scores = scores + torch.tensor([0.5, 0.3, 0.2], dtype=torch.float64).log()
        assert torch.equal(infer_label(model, x).argmax(1), scores.argmax(1))


def test_dead_units_of_a_code_with_labels_are_revived():
    """The auxiliary code has the labels' columns, too, and they add nothing."""
    torch.manual_seed(0)
    joint = Joint(TopK(8, 2, patience=100), Label((0.5, 0.5)))
    model = Autoencoder(Nothing(), nn.Linear(5, 8), joint, nn.Linear(10, 5), GaussianLikelihood())
    joint.free.idle[4:] = 1000
    joint.update_dead_units()
    x = torch.randn(12, 5)
    batch = Batch(x, x, label=torch.arange(12) % 2)
    with torch.no_grad():
        model.encoder.bias[4:] = -5
    code = model(batch).code
    assert code.aux_code.n_components == 8  # the columns of the label are the decoder's only once
    loss = WeightedObjective()(model, batch)
    assert loss.not_validated is not None
    loss.total.backward()
    assert (model.encoder.weight.grad[4:] != 0).any(1).all()


# ------------------------------------------------------------------------------------------------- sparse records


def test_a_dictionary_takes_a_sparse_record_as_it_takes_the_dense_code():
    torch.manual_seed(0)
    dictionary = Dictionary((2, 3), 10).double()
    values = torch.rand(7, 4, dtype=torch.float64, requires_grad=True)
    indices = torch.stack([torch.randperm(10)[:4] for _ in range(7)])
    record = SparseCode.of_rows(values, indices, 10)
    outputs = [dictionary(record), dictionary(record.to_dense())]
    assert outputs[0].shape == (7, 2, 3)
    torch.testing.assert_close(*outputs)
    upstream = torch.randn(7, 2, 3, dtype=torch.float64)
    inputs = [values, *dictionary.parameters()]
    sparse, dense = (torch.autograd.grad((output * upstream).sum(), inputs) for output in outputs)
    torch.testing.assert_close(sparse, dense)
    assert torch.equal(Code(None, {}, sparse=record).z, record.to_dense())


class Recorded(Bottleneck):
    """TopK that travels as a record."""

    def __init__(self, n_components: int, k: int) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components
        self.k = k

    def forward(self, h: torch.Tensor) -> Code:
        values, indices = h.topk(self.k, dim=1)
        return Code(None, {}, sparse=SparseCode.of_rows(values.relu(), indices, self.n_components))

    def encode(self, h: torch.Tensor) -> torch.Tensor:
        return self.forward(h).z


@pytest.mark.parametrize("decoder", [lambda: Dictionary((5,), 8), lambda: nn.Linear(8, 5)], ids=["takes it", "dense"])
def test_a_code_that_travels_as_a_record_is_decoded_by_any_decoder(decoder):
    torch.manual_seed(0)
    encoder, decoder, likelihood = nn.Linear(5, 8), decoder(), GaussianLikelihood()
    x = torch.randn(6, 5)
    record, dense = (
        Autoencoder(Nothing(), encoder, code, decoder, likelihood)(Batch(x, x)) for code in (Recorded(8, 3), TopK(8, 3))
    )
    torch.testing.assert_close(record.params, dense.params)
    torch.testing.assert_close(record.code.free, dense.code.free)


# ------------------------------------------------------------------------------------------------- temperatures


class Cooling(Bottleneck):
    """z = tanh(h / t), with a temperature t that falls from 2 to 1 in the course of the training."""

    def __init__(self, n_components: int) -> None:
        super().__init__()
        self.n_components = self.n_inputs = n_components
        self.temperatures: list[float] = []
        self.temperature = 2.0

    def advance(self, progress: float) -> None:
        self.temperature = 2.0 - progress
        self.temperatures.append(self.temperature)

    def forward(self, h: torch.Tensor) -> Code:
        return Code(self.encode(h), {})

    def encode(self, h: torch.Tensor) -> torch.Tensor:
        return (h / self.temperature).tanh()


@pytest.mark.parametrize("labels", [False, True])
def test_a_bottleneck_is_told_the_progress_of_the_training(labels):
    X = np.random.default_rng(0).normal(size=(40, 5))
    schema, code = infer(X, "test"), Cooling(3)
    parts = assemble(schema, code, frequencies=(0.5, 0.5) if labels else (), hidden=(4,))
    settings = Settings(max_epochs=4, batch_size=10, early_stopping=False, precision="float32", device="cpu")
    y = np.arange(40) % 2 if labels else None
    result = train(parts.model, parts.objective, X, schema, settings, labels=y)
    assert result.n_steps == len(code.temperatures) == 16
    np.testing.assert_allclose(code.temperatures, 2 - np.arange(16) / 16)


@pytest.mark.parametrize("make", [bottlenecks.Ladder, bottlenecks.PlanarPosterior, bottlenecks.FlowPosterior])
def test_every_shape_of_a_posterior_starts_as_that_of_probabilistic_pca(make):
    if make is bottlenecks.FlowPosterior:
        pytest.importorskip("zuko")
    torch.manual_seed(0)
    s, eps = torch.randn(6, 5, dtype=torch.float64), torch.randn(6, 5, dtype=torch.float64)
    variances = torch.tensor([9.0, 6.0, 4.0, 3.0, 2.0], dtype=torch.float64)
    results = []
    for code in (make(5).double(), bottlenecks.Gaussian(5)):
        start = code.linear_start(variances, 0.5, 1.0)
        results.append(code.sample(s @ start.encode.T + start.bias, eps))
        assert start.scale.shape == (5,)
    for ours, expected in zip(*results, strict=True):
        torch.testing.assert_close(ours, expected, rtol=1e-5, atol=1e-5)
