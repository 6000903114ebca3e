"""Bottlenecks: the KL in closed form, sparsity exactly as stated, and dead units that come back."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.distributions import Normal, kl_divergence

from narrows.bottlenecks import L1, Gaussian, KLRate, Plain, TopK
from narrows.corruptions import Nothing
from narrows.data import infer
from narrows.likelihoods import Gaussian as GaussianLikelihood
from narrows.model import Autoencoder
from narrows.networks import Dictionary, MLPEncoder
from narrows.objectives import WeightedCosts
from narrows.training import Settings
from narrows.training import fit as train

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
    (found,) = torch.autograd.grad(z.sum(), h)
    (expected,) = torch.autograd.grad(200_000 * mean.sum() + ((z - mean).sum(0).detach() * log_std).sum(), h)
    torch.testing.assert_close(found, expected)


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
    bottleneck = SPARSE[kind](d, patience=100, n_spare=8)
    bottleneck.idle.copy_(dead * 1000.0)
    assert torch.equal(bottleneck.dead(), dead)
    bottleneck.attend()
    assert bottleneck.reviving == bool(dead.any())
    h = torch.randn(n, d, generator=torch.Generator().manual_seed(data.draw(st.integers(0, 99)))) - 9  # none fires
    h.requires_grad_()
    code = bottleneck(h)
    if not dead.any():
        assert code.spare is None
        return
    assert torch.equal(bottleneck.dead(), dead)
    assert (code.spare[:, ~dead] == 0).all()
    assert ((code.spare > 0).sum(1) == min(8, int(dead.sum()))).all()
    # the largest of the dead ones
    largest = h[:, dead].topk(min(8, int(dead.sum()))).values.min(1).values
    assert (h[code.spare > 0].view(n, -1) >= largest[:, None]).all()
    code.spare.sum().backward()
    assert torch.isfinite(h.grad).all()
    assert torch.equal(h.grad != 0, code.spare > 0)
    bottleneck.eval()
    assert bottleneck(h).spare is None


def test_dead_units_are_revived():
    """Half of the units start so low that none of the data wakes them; only the spare code can."""
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
        history = train(model, WeightedCosts(), X, schema, settings).history
        with torch.no_grad():
            z = model.encode(schema.prepare(torch.from_numpy(X)))
        dead = (z > 0).any(0).logical_not().float()
        assert history[-1]["dead_fraction"] == pytest.approx(float(dead.mean()))
        return float(dead.mean()), history[-1]["nll"]

    (left, nll_left), (revived, nll_revived) = trained(patience=10**9), trained(patience=500)
    assert left >= 0.5  # they stay dead without
    assert revived < 0.5 * left
    assert nll_revived < nll_left - 1
