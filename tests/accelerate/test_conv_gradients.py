"""Faster gradients of convolutions equal torch's gradients."""

import copy

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from narrows import VAE
from narrows.accelerate import conv_gradients
from narrows.accelerate.conv_gradients import FasterGradients

LAYERS = {
    "small": (nn.Conv2d(5, 7, 3, padding=1), (4, 4)),
    "strided": (nn.Conv2d(5, 7, 4, 2, 1), (8, 8)),
    "of one size a side": (nn.Conv2d(5, 7, (3, 2), (2, 1), (1, 0)), (9, 5)),
    "without padding or bias": (nn.Conv2d(5, 7, 3, bias=False), (6, 6)),
    "of a pixel": (nn.Conv2d(5, 7, 1), (3, 3)),
    "transposed": (nn.ConvTranspose2d(5, 7, 4, 2, 1), (4, 4)),
    "transposed, with more to put out": (nn.ConvTranspose2d(5, 7, 3, 2, 1, 1), (4, 4)),
    "transposed, large": (nn.ConvTranspose2d(5, 7, 4, 2, 1), (9, 9)),
    "reflecting": (nn.Conv2d(5, 7, 3, padding=1, padding_mode="reflect"), (4, 4)),
}
OTHERS = {
    "large": (nn.Conv2d(5, 7, 3, padding=1), (9, 9)),
    "in groups": (nn.Conv2d(6, 6, 3, groups=3), (4, 4)),
    "dilated": (nn.Conv2d(5, 7, 2, dilation=2), (4, 4)),
    "padded by name": (nn.Conv2d(5, 7, 3, padding="same"), (4, 4)),
    "transposed in groups": (nn.ConvTranspose2d(6, 6, 3, groups=3), (4, 4)),
    "of one example": (nn.Conv2d(5, 7, 3), (4, 4)),
}


def gradients(layer: nn.Module, x: Tensor, faster: bool, double: bool = False) -> list[Tensor]:
    """Return the gradients of the input and the parameters, in bfloat16 or in double precision."""
    layer = copy.deepcopy(layer).double() if double else copy.deepcopy(layer)
    x = (x.double() if double else x.clone()).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16, enabled=not double):
        if faster:
            with FasterGradients():
                y = layer(x)
        else:
            y = layer(x)
    weights = torch.randn(y.shape, generator=torch.Generator().manual_seed(1))
    (y * weights.to(y.dtype)).sum().backward()
    return [x.grad, *(p.grad for p in layer.parameters())]


def draw(layer: nn.Module, size: tuple[int, int]) -> Tensor:
    channels = layer.in_channels
    return torch.randn(3, channels, *size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("name", LAYERS)
def test_gradients(name, layout, monkeypatch):
    layer, size = LAYERS[name]
    x = draw(layer, size).contiguous(memory_format=layout)
    calls = []
    apply = conv_gradients._Convolution.apply
    monkeypatch.setattr(conv_gradients._Convolution, "apply", lambda *args: calls.append(1) or apply(*args))
    faster_ones = gradients(layer, x, faster=True)
    assert calls
    for faster, exact in zip(faster_ones, gradients(layer, x, faster=False, double=True), strict=True):
        assert faster.shape == exact.shape
        assert (faster.double() - exact).norm() < 0.01 * exact.norm()  # bfloat16 has eight bits


@pytest.mark.parametrize("name", OTHERS)
def test_unsupported_convolutions_are_left_alone(name, monkeypatch):
    layer, size = OTHERS[name]
    x = draw(layer, size)
    if name == "of one example":
        x = x[0]
    monkeypatch.setattr(conv_gradients._Convolution, "apply", lambda *args: pytest.fail("not one of those"))
    for faster, plain in zip(gradients(layer, x, faster=True), gradients(layer, x, faster=False), strict=True):
        assert torch.equal(faster, plain)


@pytest.mark.parametrize("name", ["strided", "transposed, with more to put out"])
def test_arguments_by_name(name):
    layer, size = LAYERS[name]
    arguments = {"stride": layer.stride, "padding": layer.padding, "groups": 1, "dilation": 1}
    if isinstance(layer, nn.ConvTranspose2d):
        arguments["output_padding"] = layer.output_padding
    function = getattr(nn.functional, "conv_transpose2d" if "output_padding" in arguments else "conv2d")
    x = draw(layer, size)
    with torch.autocast("cpu", torch.bfloat16), FasterGradients():
        assert torch.equal(function(input=x, weight=layer.weight, bias=layer.bias, **arguments), layer(x))


def test_frozen_weights_have_no_gradient():
    layer, size = LAYERS["small"]
    layer = copy.deepcopy(layer).requires_grad_(False)
    x = draw(layer, size).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16), FasterGradients():
        layer(x).sum().backward()
    assert x.grad is not None
    assert layer.weight.grad is None
    assert layer.bias.grad is None


def test_a_module_that_wants_its_precision_keeps_it():
    layer, size = LAYERS["small"]
    with torch.autocast("cpu", torch.bfloat16), FasterGradients(), torch.autocast("cpu", enabled=False):
        assert layer(draw(layer, size)).dtype == torch.float32


@pytest.mark.parametrize("flatten", [nn.Flatten(), torch.flatten])
def test_the_gradient_of_what_is_flattened_lies_as_it_does(flatten):
    x = torch.randn(3, 5, 4, 4).contiguous(memory_format=torch.channels_last).requires_grad_()
    y, seen = x * 2, []
    y.register_hook(seen.append)
    weights = torch.randn(3, 80)
    with FasterGradients():
        flat = flatten(y) if isinstance(flatten, nn.Module) else flatten(y, start_dim=1)
    assert torch.equal(flat, y.reshape(3, 80))
    (flat * weights).sum().backward()
    (gradient,) = seen
    assert torch.equal(gradient, weights.view(3, 5, 4, 4))
    assert gradient.is_contiguous(memory_format=torch.channels_last)
    with FasterGradients():
        assert torch.equal(torch.flatten(input=y, start_dim=1), flat)


def test_a_training_learns_the_same(monkeypatch):
    X = np.random.default_rng(0).random((200, 3, 16, 16)).astype(np.float32)

    def losses():
        model = VAE(2, network="conv", max_epochs=3, precision="bfloat16", random_state=0, early_stopping=False).fit(X)
        return [record["loss"] for record in model.history_]

    faster = losses()
    monkeypatch.setattr("narrows.accelerate.conv_gradients.has_convolutions", lambda model: False)
    assert faster == pytest.approx(losses(), rel=1e-3)
