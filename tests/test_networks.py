"""Parts of networks: they compute what their docstrings say."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from narrows import recipes
from narrows.data import infer
from narrows.networks.conv import UpsampleConv


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (1, 1), (5, 3)])
def test_enlarging_and_convolving_at_once_is_one_after_the_other(height, width, dtype):
    enlarge = UpsampleConv(3, 5).to(dtype)
    h = torch.randn(2, 3, height, width, dtype=dtype, requires_grad=True)
    apart = F.conv2d(F.interpolate(h, scale_factor=2, mode="nearest"), enlarge.weight, enlarge.bias, padding=1)
    at_once = enlarge(h, (2 * height, 2 * width))
    torch.testing.assert_close(at_once, apart)
    toward, inputs = torch.randn_like(apart), (h, enlarge.weight, enlarge.bias)
    for one, other in zip(
        torch.autograd.grad(at_once, inputs, toward), torch.autograd.grad(apart, inputs, toward), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_one_less_than_twice_the_size_is_enlarged_and_then_convolved():
    enlarge, h = UpsampleConv(3, 5), torch.randn(2, 3, 4, 3)
    apart = F.conv2d(F.interpolate(h, size=(7, 6), mode="nearest"), enlarge.weight, enlarge.bias, padding=1)
    torch.testing.assert_close(enlarge(h, (7, 6)), apart, rtol=0, atol=0)


@pytest.mark.parametrize("likelihood", ["gaussian", "heteroscedastic"])
def test_units_begin_by_responding_to_what_they_add(likelihood):
    X = np.random.default_rng(0).normal(size=(50, 6))
    parts = recipes.get("sae").make(infer(X, "test"), 9, k=3, likelihood=likelihood)
    (weight,) = (m.weight for m in parts.model.encoder.modules() if isinstance(m, nn.Linear))
    added = parts.model.decoder.directions[:, :6]
    units = weight / weight.norm(dim=1, keepdim=True)
    torch.testing.assert_close(units, added / added.norm(dim=1, keepdim=True))
