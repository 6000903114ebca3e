"""Corruptions: the meaning of each level, and a target that stays clean."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from narrows.corruptions import NOISES, GaussianNoise, Masking, Nothing, PoissonNoise, SaltAndPepper, noise
from narrows.types import Batch


def batch(x: torch.Tensor) -> Batch:
    return Batch(x, x)


@pytest.fixture(autouse=True)
def _seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", NOISES)
def test_level_0_is_the_identity(name):
    x = torch.randn(5, 3, 8, 8)
    assert torch.equal(noise(name, 0.0)(batch(x)).x, x)
    assert torch.equal(Nothing()(batch(x)).x, x)


@pytest.mark.parametrize("name", NOISES)
@given(
    shape=st.sampled_from([(1, 1), (4, 7), (3, 1, 8, 8), (2, 3, 9, 8)]),
    level=st.floats(0, 1),
    width=st.floats(0, 1),
    scale=st.sampled_from([0.0, 1e-6, 1.0, 100.0]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
    weighted=st.booleans(),
)
@settings(max_examples=60, deadline=None, derandomize=True)
def test_any_input_and_level(name, shape, level, width, scale, dtype, weighted):
    x = scale * torch.randn(shape, dtype=dtype)
    clean = x.clone()
    weight = torch.ones(shape, dtype=dtype) if weighted else None
    examples = Batch(x, x, weight=weight)
    corrupted = noise(name, (level, min(1.0, level + width)))(examples)
    assert corrupted.x.shape == x.shape
    assert corrupted.x.dtype == dtype
    assert torch.isfinite(corrupted.x).all()
    assert torch.equal(examples.target, clean)  # never written to
    assert corrupted.scored is None


def test_gaussian_moments():
    x = torch.rand(100, 1000)
    eps = GaussianNoise(0.3)(batch(x)).x - x
    assert float(eps.mean()) == pytest.approx(0, abs=0.005)
    assert float(eps.std()) == pytest.approx(0.3, rel=0.01)
    assert float(np.corrcoef(eps.flatten(), x.flatten())[0, 1]) == pytest.approx(0, abs=0.02)


def test_masking_moments():
    x = 1 + torch.rand(100, 1000)
    seen = Masking(0.25)(batch(x)).x
    assert float((seen == 0).float().mean()) == pytest.approx(0.25, abs=0.01)
    assert torch.equal(seen[seen != 0], x[seen != 0])
    assert (Masking(1.0)(batch(x)).x == 0).all()


def test_salt_and_pepper_moments():
    x = torch.rand(50, 2000)
    seen = SaltAndPepper(0.4)(batch(x)).x
    low, high = x.amin(1, keepdim=True), x.amax(1, keepdim=True)
    assert float((seen == low).float().mean()) == pytest.approx(0.2, abs=0.01)
    assert float((seen == high).float().mean()) == pytest.approx(0.2, abs=0.01)
    kept = (seen != low) & (seen != high)
    assert torch.equal(seen[kept], x[kept])
    everything = SaltAndPepper(1.0)(batch(x)).x
    assert ((everything == low) | (everything == high)).all()


def test_poisson_moments():
    x = torch.linspace(0.1, 1, 10).repeat(20_000, 1)
    seen = PoissonNoise(0.05)(batch(x)).x
    torch.testing.assert_close(seen.mean(0), x[0], rtol=0.02, atol=0)
    torch.testing.assert_close(seen.var(0), 0.05 * x[0], rtol=0.05, atol=0)
    steps = seen / 0.05
    torch.testing.assert_close(steps, steps.round(), rtol=0, atol=1e-4)
    assert (PoissonNoise(0.05)(batch(-x)).x == 0).all()


def test_a_range_draws_a_level_for_each_example():
    x = torch.zeros(4000, 500)
    stds = GaussianNoise((0.1, 0.5))(batch(x)).x.std(1)
    assert float(stds.min()) > 0.08
    assert float(stds.max()) < 0.55
    # uniform between
    assert float(stds.mean()) == pytest.approx(0.3, abs=0.01)
    assert float(stds.std()) == pytest.approx(0.4 / 12**0.5, rel=0.05)
    fixed = GaussianNoise(0.3)(batch(x)).x.std(1)
    assert float(fixed.std()) < 0.02


def test_images_have_one_level_each():
    masked = Masking((0.0, 1.0))(batch(torch.ones(300, 3, 16, 16))).x
    share = (masked == 0).float().mean((2, 3))
    assert float((share - share.mean(1, keepdim=True)).abs().max()) < 0.15  # all channels of an image alike
    assert float(share.mean(1).std()) > 0.2


@pytest.mark.parametrize(
    ("name", "level", "owner"),
    [
        ("gaussian", -0.1, "GaussianNoise"),
        ("masking", 1.2, "Masking"),
        ("salt_and_pepper", (0.5, 2.0), "SaltAndPepper"),
        ("poisson", (0.5, 0.1), "PoissonNoise"),
        ("gaussian", float("nan"), "GaussianNoise"),
    ],
)
def test_levels_that_mean_nothing_are_refused(name, level, owner):
    with pytest.raises(ValueError, match=rf"`level` parameter of {owner} must be a number of at least 0.*Got"):
        noise(name, level)


def test_an_unknown_noise_is_refused():
    with pytest.raises(ValueError, match=r"Unknown noise 'gausian'. Did you mean 'gaussian'"):
        noise("gausian")
