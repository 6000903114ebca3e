"""Faster gradients of convolutions, where a CPU multiplies in bfloat16.

torch leaves them to oneDNN, whose gradient of the weights runs at a sixth of the speed of the convolution itself where
images are small and channels many: there the columns of the image and one matrix product take a third of the time. So
does the sum of a transposed convolution's gradients beside what oneDNN does for its bias. In single precision there is
nothing to gain.

Gain, on 2 cores with AMX: a step of three strided convolutions of 64 to 256 channels and their transposes takes 23.8 ms
instead of 28.5, a step of `network="conv"` on 32 x 32 x 3 80.7 instead of 83.0 (docs/negative-results.md).
Measured by `python benchmarks/training.py conv conv-own`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from narrows.accelerate.base import Acceleration, Around, TrainingStep

_SMALL = 36  # places of the smaller image, at most
_FIRST = ("input", "weight", "bias", "stride", "padding")
_ORDERS: dict[Any, tuple[str, ...]] = {  # of the arguments
    F.conv2d: (*_FIRST, "dilation", "groups"),
    F.conv_transpose2d: (*_FIRST, "output_padding", "groups", "dilation"),
}


def has_convolutions(model: nn.Module) -> bool:
    """Tell whether there is anything to gain for `model`."""
    return any(isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)) for part in model.modules())


def around_forward(step: TrainingStep) -> Around | None:
    """Return `FasterGradients` for a step with convolutions in bfloat16 on a CPU that is not compiled."""
    in_bfloat16 = step.device.type == "cpu" and step.precision == torch.bfloat16
    return FasterGradients if in_bfloat16 and not step.use_compile and has_convolutions(step.model) else None


class FasterGradients(TorchFunctionMode):
    """While it is entered, two-dimensional convolutions by autocast in bfloat16 are differentiated as said above.

    The modules are whose they are: what is called in them is what changes, and by rounding alone.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """What torch asks in place of each of its functions."""
        kwargs = kwargs or {}
        if func in _ORDERS and torch.is_autocast_enabled("cpu"):
            given = dict(zip(_ORDERS[func], args, strict=False)) | kwargs
            call = _planned(func is F.conv_transpose2d, **given)
            if call is not None:
                return _Convolution.apply(*call)
        if (func is Tensor.flatten or func is torch.flatten) and args and _is_channels_last(args[0]):
            return func(_Flattened.apply(args[0]), *args[1:], **kwargs)
        return func(*args, **kwargs)


def _is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def _planned(
    transposed: bool,
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> tuple[Any, ...] | None:
    """What `_Convolution` is to be given; None where there is nothing to gain, or not this way."""
    if isinstance(padding, str) or groups != 1 or _pair(dilation) != (1, 1) or input.dim() != 4:
        return None
    stride, padding = _pair(stride), _pair(padding)
    sides = zip(input.shape[2:], padding, weight.shape[2:], stride, strict=True)
    if not transposed and math.prod((n + 2 * p - k) // s + 1 for n, p, k, s in sides) > _SMALL:
        return None
    return (*_narrow(input, weight, bias), stride, padding, _pair(output_padding), transposed)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else cast("tuple[int, int]", tuple(value))


def _narrow(*tensors: Tensor | None) -> list[Tensor | None]:
    return [None if t is None else t.to(torch.bfloat16) for t in tensors]


class _Convolution(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        weight: Tensor,
        bias: Tensor | None,
        stride: tuple[int, int],
        padding: tuple[int, int],
        output_padding: tuple[int, int],
        transposed: bool,
    ) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.how = stride, padding, (1, 1), transposed, output_padding, 1
        return torch.convolution(x, weight, bias, *ctx.how)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, _, transposed, *_ = ctx.how
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        to_x, to_weight, to_bias, *_ = ctx.needs_input_grad
        large, small = (gradient, x) if transposed else (x, gradient)
        by_columns = to_weight and small[0, 0].numel() <= _SMALL
        of_x, of_weight, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, *ctx.how, [to_x, to_weight and not by_columns, False]
        )
        if by_columns:
            of_weight = _by_columns(large, small, weight.shape[2:], stride, padding)
        of_bias = gradient.sum((0, 2, 3)) if to_bias else None
        if to_x and x.is_contiguous():
            of_x = of_x.contiguous()  # lying as x does: what comes before is fifteen times as slow where the two differ
        return of_x, of_weight, of_bias, None, None, None, None


class _Flattened(torch.autograd.Function):
    """An image that is to be flattened: it is given back as it is, and its gradient lies as it does."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous(memory_format=torch.channels_last)


def _by_columns(
    large: Tensor, small: Tensor, kernel: Sequence[int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Sum over examples and places of each channel of `small` times the window of `large` that lies under it.

    B x c x H x W and B x o x h x w -> o x c x kernel.
    """
    (rows, columns), (n, channels, *_), places = kernel, large.shape, small.shape[2:]
    padded = F.pad(large.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0])).contiguous()
    each, down, right, _ = padded.stride()
    windows = padded.as_strided(
        (n, *places, rows, columns * channels), (each, stride[0] * down, stride[1] * right, down, 1)
    )
    found = small.permute(0, 2, 3, 1).reshape(-1, small.shape[1])
    product = found.t() @ windows.reshape(len(found), -1)
    return product.view(-1, rows, columns, channels).permute(0, 3, 1, 2)


ACCELERATION = Acceleration(around_forward=around_forward)
