"""Products by oneDNN equal torch's up to rounding, and are used where they are faster."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from narrows import AE, VAE
from narrows.accelerate import around_inference, onednn_linear
from narrows.networks import mlp

needs_onednn = pytest.mark.skipif(not torch.backends.mkldnn.is_available(), reason="needs a torch with oneDNN")


@pytest.fixture
def shapes(monkeypatch):
    """Pretend that oneDNN is faster, and record the shapes of its inputs."""
    shapes, linear = [], onednn_linear.linear

    def recording(x, *rest):
        shapes.append(tuple(x.shape))
        return linear(x, *rest)

    monkeypatch.setattr(onednn_linear, "is_onednn_faster", lambda: True)
    monkeypatch.setattr(onednn_linear, "linear", recording)
    return shapes


@needs_onednn
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 1, 1), (5, 3, 7), (128, 784, 512)])
def test_the_product_is_torchs(shape, bias):
    n, d, o = shape
    x, weight, b = torch.randn(n, d), torch.randn(d, o).t(), torch.randn(o) if bias else None
    wide = F.linear(x.double(), weight.double(), b.double() if bias else None)
    torch.testing.assert_close(onednn_linear.linear(x, weight, b).double(), wide, rtol=1e-5, atol=1e-4)


@needs_onednn
@pytest.mark.parametrize("n", [3, 300])
def test_applying_gives_the_same(n, shapes, monkeypatch, rng):
    X = rng.normal(size=(n, 9))
    model = VAE(2, max_epochs=2, random_state=0, device="cpu").fit(rng.normal(size=(200, 9)))
    shapes.clear()
    by_onednn = [model.transform(X), model.score_samples(X), model.inverse_transform(model.transform(X))]
    assert shapes
    monkeypatch.setattr(onednn_linear, "is_onednn_faster", lambda: False)
    shapes.clear()
    by_torch = [model.transform(X), model.score_samples(X), model.inverse_transform(model.transform(X))]
    assert not shapes
    for one, other in zip(by_onednn, by_torch, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-4)


class Deep(nn.Module):
    """Linear layers over the last of three axes, over none, in double precision, and called by name."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(6, 4)

    def forward(self, x):
        three = F.linear(x[:, None], self.linear.weight)[:, 0]
        none = F.linear(x[:0], self.linear.weight).sum()
        named = F.linear(input=x, weight=self.linear.weight, bias=self.linear.bias)
        wide = F.linear(x.double(), self.linear.weight.double())
        return three + none + named + wide.float()


@needs_onednn
def test_what_onednn_does_not_take_is_left_to_torch(shapes, rng):
    X = rng.normal(size=(60, 6))
    model = AE(4, network=(Deep(), "mlp"), max_epochs=1, random_state=0, device="cpu").fit(X)
    shapes.clear()
    Z = model.transform(X)
    assert shapes == []
    x = model.schema_.prepare(torch.tensor(X, dtype=torch.float32))
    with torch.no_grad():
        np.testing.assert_allclose(Z, model.model_.encode(x).numpy(), rtol=1e-4, atol=1e-5)


def test_gradients_and_autocast_are_torchs(shapes):
    layers, x = mlp.layers([3, 5, 2]), torch.randn(4, 3)
    with around_inference(torch.device("cpu")):
        layers(x).sum().backward()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            assert layers(x).dtype == torch.bfloat16
    assert shapes == []
    assert all(p.grad is not None for p in layers.parameters())


def test_without_onednn_nothing_is_measured(monkeypatch):
    monkeypatch.setattr(torch.backends.mkldnn, "is_available", lambda: False)
    monkeypatch.setattr(onednn_linear, "min_seconds", None)
    assert not onednn_linear.is_onednn_faster.__wrapped__()
