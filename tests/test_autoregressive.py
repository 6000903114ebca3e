"""The autoregressive sampler of discrete codes."""

import itertools
import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import narrows
from narrows.bottlenecks import Discrete, FiniteScalar, GridQuantizer, ResidualQuantizer, VectorQuantizer
from narrows.estimators.samplers import Autoregressive
from narrows.estimators.samplers.autoregressive import IndexNetwork
from narrows.networks import Grids

N_VALUES = (2, 3, 4)
GRIDS = Grids([(1, 1), (2, 2)], 2)


@pytest.fixture(scope="module")
def code() -> Discrete:
    return FiniteScalar(3, N_VALUES)


@pytest.fixture(scope="module")
def index() -> Tensor:
    """Indices of which the last follows from the two others: k_3 = k_1 + k_2."""
    rng = np.random.default_rng(0)
    first, second = rng.choice(2, 800, p=[0.3, 0.7]), rng.choice(3, 800, p=[0.2, 0.3, 0.5])
    return torch.from_numpy(np.stack([first, second, first + second], 1))


def bound(code: Discrete, **settings: Any) -> Autoregressive:
    model: Any = SimpleNamespace(bottleneck=code)
    return Autoregressive(16, n_layers=1, **settings).bind(model, "test")


@pytest.fixture(scope="module")
def sampler(code, index) -> Autoregressive:
    return bound(code, dropout=0.0, max_epochs=60).fit(code.from_indices(index).double(), seed=0)


def every_code(code: Discrete) -> Tensor:
    return code.from_indices(torch.tensor(list(itertools.product(*map(range, code.n_values))))).double()


def test_probabilities_of_all_codes_add_up_to_one(code, sampler):
    assert float(sampler.log_prob(every_code(code)).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_it_learns_which_values_go_together(code, index, sampler):
    drawn = code.indices(sampler.draw(2_000, np.random.default_rng(1)))
    assert float((drawn[:, 2] == drawn[:, 0] + drawn[:, 1]).double().mean()) > 0.97
    assert abs(float(drawn[:, 0].double().mean()) - 0.7) < 0.1
    entropy = -sum(p * math.log(p) for p in (0.3, 0.7, 0.2, 0.3, 0.5))
    nats = -float(sampler.log_prob(code.from_indices(index).double()).mean())
    assert entropy - 0.05 < nats < entropy + 0.15


def test_draws_have_the_probabilities_of_log_prob(code, sampler):
    codes = every_code(code)
    p, n = sampler.log_prob(codes).exp(), 20_000
    drawn = sampler.draw(n, np.random.default_rng(2))
    shares = (torch.cdist(drawn, codes) < 1e-6).double().mean(0)
    assert float(shares.sum()) == pytest.approx(1)
    torch.testing.assert_close(shares, p, rtol=0, atol=5 * 0.5 / n**0.5)


def test_temperature(code, sampler):
    cold = code.indices(sampler.draw(50, np.random.default_rng(0), temperature=0))
    assert cold.unique(dim=0).tolist() == [[1, 2, 3]]
    share = [
        float((code.indices(sampler.draw(1000, np.random.default_rng(0), t)) == cold[0]).all(1).double().mean())
        for t in (0.3, 1.0, 2.0)
    ]
    assert share[0] > share[1] > share[2]


def test_an_index_depends_on_those_before_it_only(sampler):
    network, label = sampler._load_network(), torch.zeros(1, dtype=torch.int64)
    with torch.no_grad():
        first = network(torch.tensor([[1, 0]]), label)
        second = network(torch.tensor([[1, 2]]), label)
        prefix = network(torch.tensor([[1]]), label)
    torch.testing.assert_close(first[:, :2], second[:, :2], rtol=0, atol=0)
    assert not torch.allclose(first[:, 2], second[:, 2])
    torch.testing.assert_close(prefix, first[:, :2])


@pytest.mark.parametrize(
    "code",
    [FiniteScalar(3, N_VALUES), VectorQuantizer(6, 5, 2), ResidualQuantizer(6, 5, 3), GridQuantizer(GRIDS, 5)],
    ids=lambda code: type(code).__name__,
)
def test_only_the_components_that_a_value_changes_are_kept_and_nothing_is_lost(code):
    if isinstance(code, ResidualQuantizer):
        code.codebook.normal_()
    index = torch.stack([torch.randint(k, (50,)) for k in code.n_values], 1)
    sampler = bound(code, max_epochs=2).fit(code.from_indices(index).double(), seed=0)
    network, n, L = sampler._load_network(), len(code.n_values), code.n_components
    assert network.vectors.shape[2] == (L if isinstance(code, ResidualQuantizer) else L // n)
    whole = IndexNetwork(code.n_values, L, torch.arange(L).expand(n, -1), 1, 16, 1, 0.0).eval()
    vectors = torch.zeros(n, max(code.n_values), L)
    for g, k in enumerate(code.n_values):
        others = index[:1].repeat(k, 1)
        others[:, g] = torch.arange(k)
        z = code.from_indices(others).float()
        vectors[g, :k] = z - z.mean(0)
    scale = float(network.vectors.norm() / vectors.norm())
    assert scale == pytest.approx(1 / float(vectors.std()), rel=0.02)
    whole.load_state_dict({**network.state_dict(), "vectors": scale * vectors})
    rows = torch.cat([index, torch.zeros(50, 1, dtype=torch.int64)], 1)
    torch.testing.assert_close(network.log_prob(rows), whole.log_prob(rows), rtol=1e-4, atol=1e-4)


def test_each_label_has_codes_of_its_own(code, index):
    Z, labels = code.from_indices(index).double(), index[:, 0].numpy()
    sampler = bound(code, dropout=0.0, max_epochs=40)
    sampler.classes = ("a", "b")
    sampler.fit(Z, seed=0, labels=labels)
    for label in (0, 1):
        drawn = code.indices(sampler.draw(300, np.random.default_rng(0), labels=np.full(300, label)))
        assert float((drawn[:, 0] == label).double().mean()) > 0.97
    drawn = code.indices(sampler.draw(2_000, np.random.default_rng(0)))
    assert abs(float(drawn[:, 0].double().mean()) - 0.7) < 0.05  # labels by their frequency
    assert float(sampler.log_prob(every_code(code)).exp().sum()) == pytest.approx(1, abs=1e-5)


def test_many_codes_take_several_passes(code, index, sampler, monkeypatch):
    Z = code.from_indices(index).double()
    nats, drawn = sampler.log_prob(Z), sampler.draw(100, np.random.default_rng(0))
    monkeypatch.setattr("narrows.estimators.samplers.autoregressive._MAX_NUMBERS_PER_PASS", 7 * 12)
    torch.testing.assert_close(sampler.log_prob(Z), nats, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(sampler.draw(100, np.random.default_rng(0)), drawn, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"width": 18}, "The `width` parameter of Autoregressive must be a multiple of 4"),
        ({"width": 0}, "The `width` parameter of Autoregressive must be"),
        ({"n_layers": 0}, "The `n_layers` parameter of Autoregressive must be"),
        ({"dropout": 1.0}, "The `dropout` parameter of Autoregressive must be"),
        ({"max_epochs": 0}, "The `max_epochs` parameter of Autoregressive must be"),
    ],
)
def test_settings_are_checked(code, index, settings, message):
    model: Any = SimpleNamespace(bottleneck=code)
    with pytest.raises(ValueError, match=message):
        Autoregressive(**settings).bind(model, "test").fit(code.from_indices(index).double(), seed=0)


def test_a_label_needs_codes(code, index):
    sampler = bound(code)
    sampler.classes = (0, 1)
    with pytest.raises(ValueError, match=r"needs 10 examples of each label\. One has 9"):
        sampler.fit(code.from_indices(index).double(), seed=0, labels=np.r_[np.zeros(791, int), np.ones(9, int)])


# ------------------------------------------------------------------------------------------------ in a fitted model

SMALL = {"hidden": (16,), "max_epochs": 3, "random_state": 0, "compile": False, "device": "cpu"}


@pytest.fixture(scope="module")
def rows() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.integers(0, 2, size=(200, 1)) * 4.0 + rng.normal(size=(200, 6))


@pytest.fixture(scope="module")
def model(rows) -> Any:
    return narrows.estimator("vqvae")(3, n_codes=4, **{**SMALL, "max_epochs": 60, "batch_size": 32}).fit(rows)


def test_it_becomes_the_sampler_of_the_model(model, rows, tmp_path):
    before = model.sample(20, random_state=0)
    model.fit_sampler(rows, Autoregressive(16, max_epochs=3))
    after = model.sample(20, random_state=0)
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(model.sample(20, random_state=0, sampler="gaussian"), before)
    quantizer = model.model_.bottleneck
    assert isinstance(quantizer, VectorQuantizer)
    drawn = model.sampler().draw(50, np.random.default_rng(0))
    assert torch.equal(quantizer.project(drawn), drawn)
    model.save(tmp_path / "model")
    again = narrows.load(tmp_path / "model", device="cpu")
    np.testing.assert_array_equal(again.sample(20, random_state=0), after)
    Z = torch.from_numpy(model.transform(rows)).double()
    torch.testing.assert_close(again.sampler().log_prob(Z), model.sampler().log_prob(Z), rtol=0, atol=0)
    assert again.sampler().settings() == model.sampler().settings()


def test_samples_of_a_label(model, rows):
    y = np.where(rows.mean(1) > 2, "high", "low")
    model.fit_sampler(rows, Autoregressive(16, max_epochs=10), y)
    assert model.sample(100, y="high", random_state=0).mean() > model.sample(100, y="low", random_state=0).mean() + 1


@pytest.mark.parametrize("recipe", ["ae", "vae", "jointvae"])
def test_real_numbers_are_refused(recipe, rows):
    model = narrows.estimator(recipe)(4, **{**SMALL, "max_epochs": 1}).fit(rows)
    with pytest.raises(ValueError, match=f"The code of {type(model).__name__} holds real numbers: pass sampler='mix"):
        model.fit_sampler(rows, "autoregressive")
