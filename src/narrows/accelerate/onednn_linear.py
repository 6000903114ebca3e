"""Linear layers by oneDNN in inference on a CPU, if it is faster than torch's default.

For float32 products torch calls MKL, which does not use the widest instructions of processors that are not Intel's.
oneDNN, which is part of torch too, uses them. The faster one is measured once per process.

Gain, on 2 cores of an AMD EPYC (Zen 5): `transform`, `reconstruct` and `score_samples` of an MLP are twice as fast;
with a million rows they are 1.6 times as fast as torch's products alone (README.md). On Intel's processors nothing
changes. Measured by `python benchmarks/apply.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from narrows.accelerate.base import Acceleration, measure_once, min_seconds

_MIN_SPEEDUP = 1.3  # smaller differences may be noise
_ROWS, _WIDTH = 128, 512  # of the measured product: large enough to be measured reliably, small enough to take no time


def around_inference(device: torch.device) -> contextlib.AbstractContextManager[object] | None:
    """Return the context in which oneDNN computes linear layers, if it is faster on `device`; otherwise None."""
    return _UseOneDNN() if device.type == "cpu" and is_onednn_faster() else None


def block_factor(device: torch.device) -> int:
    """Return 2 if oneDNN computes, because it rearranges the weights for each block; otherwise 1."""
    return 2 if device.type == "cpu" and is_onednn_faster() else 1


@measure_once
def is_onednn_faster() -> bool:
    """True if a linear layer by oneDNN is clearly faster than torch's own, measured once per process."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, _WIDTH, generator=generator) for n in (_ROWS, _WIDTH))
    with torch.inference_mode():
        return min_seconds(lambda: F.linear(x, weight)) >= _MIN_SPEEDUP * min_seconds(lambda: linear(x, weight))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """Compute a linear layer by oneDNN: B x d, o x d, o -> B x o. It has no gradient."""
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))


class _UseOneDNN(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Compute linear layers by oneDNN, and call other functions as they are."""
        if func is F.linear and not kwargs and _is_supported(*args):
            return linear(*args)
        return func(*args, **(kwargs or {}))


def _is_supported(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """True for non-empty float32 matrices on a CPU in inference mode."""
    is_float32 = all(t is None or (t.dtype == torch.float32 and t.device.type == "cpu") for t in (x, weight, bias))
    is_inference = torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
    return is_inference and is_float32 and x.dim() == 2 and min(*x.shape, *weight.shape) > 0


ACCELERATION = Acceleration(around_inference=around_inference, block_factor=block_factor)
