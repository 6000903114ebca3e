"""Faster gradients of convolutions on a CPU in bfloat16.

torch uses oneDNN. For small images with many channels, its weight gradient runs at a sixth of the speed of the
convolution. One matrix product with the windows of the image as columns takes a third of oneDNN's time. So does a plain
sum for the bias gradient of a transposed convolution. In float32 there is nothing to gain.

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

from narrows.accelerate.base import Acceleration, ContextFactory, TrainingStep

_MOST_PIXELS = 36  # of the smaller of input and output
_COMMON_ARGUMENTS = ("input", "weight", "bias", "stride", "padding")
_ARGUMENTS: dict[Any, tuple[str, ...]] = {  # names of positional arguments
    F.conv2d: (*_COMMON_ARGUMENTS, "dilation", "groups"),
    F.conv_transpose2d: (*_COMMON_ARGUMENTS, "output_padding", "groups", "dilation"),
}


def has_convolutions(model: nn.Module) -> bool:
    """True if `model` contains two-dimensional convolutions."""
    return any(isinstance(part, (nn.Conv2d, nn.ConvTranspose2d)) for part in model.modules())


def around_forward(step: TrainingStep) -> ContextFactory | None:
    """Return `FasterGradients` for a step with convolutions in bfloat16 on a CPU, unless it is compiled."""
    in_bfloat16 = step.device.type == "cpu" and step.precision == torch.bfloat16
    return FasterGradients if in_bfloat16 and not step.use_compile and has_convolutions(step.model) else None


class FasterGradients(TorchFunctionMode):
    """A context in which two-dimensional convolutions under bfloat16 autocast get the faster gradients.

    It replaces calls of torch's functions, so modules stay unchanged. Results change by rounding only.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Replace calls of convolutions and of `flatten`; call other functions as they are."""
        kwargs = kwargs or {}
        if func in _ARGUMENTS and torch.is_autocast_enabled("cpu"):
            arguments = dict(zip(_ARGUMENTS[func], args, strict=False)) | kwargs
            convolution_inputs = _prepare_inputs(func is F.conv_transpose2d, **arguments)
            if convolution_inputs is not None:
                return _Convolution.apply(*convolution_inputs)
        if (func is Tensor.flatten or func is torch.flatten) and args and _is_channels_last(args[0]):
            return func(_ChannelsLastGradient.apply(args[0]), *args[1:], **kwargs)
        return func(*args, **kwargs)


def _is_channels_last(x: Tensor) -> bool:
    return x.dim() == 4 and not x.is_contiguous() and x.is_contiguous(memory_format=torch.channels_last)


def _prepare_inputs(
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
    """Return the inputs of `_Convolution`; None if its gradient would not be faster, or is not supported."""
    if isinstance(padding, str) or groups != 1 or _pair(dilation) != (1, 1) or input.dim() != 4:
        return None
    stride, padding = _pair(stride), _pair(padding)
    sides = zip(input.shape[2:], padding, weight.shape[2:], stride, strict=True)
    if not transposed and math.prod((n + 2 * p - k) // s + 1 for n, p, k, s in sides) > _MOST_PIXELS:
        return None
    return (*_to_bfloat16(input, weight, bias), stride, padding, _pair(output_padding), transposed)


def _pair(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else cast("tuple[int, int]", tuple(value))


def _to_bfloat16(*tensors: Tensor | None) -> list[Tensor | None]:
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
        ctx.arguments = stride, padding, (1, 1), transposed, output_padding, 1
        return torch.convolution(x, weight, bias, *ctx.arguments)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        stride, padding, _, transposed, *_ = ctx.arguments
        gradient = gradients[0].contiguous(memory_format=torch.channels_last)
        needs_x, needs_weight, needs_bias, *_ = ctx.needs_input_grad
        large, small = (gradient, x) if transposed else (x, gradient)
        by_columns = needs_weight and small[0, 0].numel() <= _MOST_PIXELS
        x_gradient, weight_gradient, _ = torch.ops.aten.convolution_backward(
            gradient, x, weight, None, *ctx.arguments, [needs_x, needs_weight and not by_columns, False]
        )
        if by_columns:
            weight_gradient = _weight_gradient(large, small, weight.shape[2:], stride, padding)
        bias_gradient = gradient.sum((0, 2, 3)) if needs_bias else None
        if needs_x and x.is_contiguous():
            # unless it has the strides of x, the previous layer's gradient is 15 times as slow
            x_gradient = x_gradient.contiguous()
        return x_gradient, weight_gradient, bias_gradient, None, None, None, None


class _ChannelsLastGradient(torch.autograd.Function):
    """Returns an image for flattening, and makes its gradient channels-last, as the image is."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return x.contiguous()

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        return gradients[0].contiguous(memory_format=torch.channels_last)


def _weight_gradient(
    large: Tensor, small: Tensor, kernel: Sequence[int], stride: tuple[int, int], padding: tuple[int, int]
) -> Tensor:
    """Return the weight gradient, o x c x kernel, from images B x c x H x W (`large`) and B x o x h x w (`small`).

    It is the sum, over examples and pixels of `small`, of each channel times the window of `large` around the pixel.
    """
    (rows, columns), (n, channels, *_), pixels = kernel, large.shape, small.shape[2:]
    padded = F.pad(large.permute(0, 2, 3, 1), (0, 0, padding[1], padding[1], padding[0], padding[0])).contiguous()
    per_example, per_row, per_column, _ = padded.stride()
    windows = padded.as_strided(
        (n, *pixels, rows, columns * channels), (per_example, stride[0] * per_row, stride[1] * per_column, per_row, 1)
    )
    pixels_by_channel = small.permute(0, 2, 3, 1).reshape(-1, small.shape[1])
    product = pixels_by_channel.t() @ windows.reshape(len(pixels_by_channel), -1)
    return product.view(-1, rows, columns, channels).permute(0, 3, 1, 2)


ACCELERATION = Acceleration(around_forward=around_forward)
