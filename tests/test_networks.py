"""Parts of networks compute what they say."""

import pytest
import torch
import torch.nn.functional as F

from narrows.networks.conv import Enlarging


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("height", "width"), [(4, 6), (1, 1), (5, 3)])
def test_enlarging_and_convolving_at_once_is_one_after_the_other(height, width, dtype):
    enlarge = Enlarging(3, 5).to(dtype)
    h = torch.randn(2, 3, height, width, dtype=dtype, requires_grad=True)
    apart = F.conv2d(F.interpolate(h, scale_factor=2, mode="nearest"), enlarge.weight, enlarge.bias, padding=1)
    at_once = enlarge(h, (2 * height, 2 * width))
    torch.testing.assert_close(at_once, apart)
    toward, given = torch.randn_like(apart), (h, enlarge.weight, enlarge.bias)
    for one, other in zip(
        torch.autograd.grad(at_once, given, toward), torch.autograd.grad(apart, given, toward), strict=True
    ):
        torch.testing.assert_close(one, other)


def test_one_less_than_twice_the_size_is_enlarged_and_then_convolved():
    enlarge, h = Enlarging(3, 5), torch.randn(2, 3, 4, 3)
    apart = F.conv2d(F.interpolate(h, size=(7, 6), mode="nearest"), enlarge.weight, enlarge.bias, padding=1)
    torch.testing.assert_close(enlarge(h, (7, 6)), apart, rtol=0, atol=0)
