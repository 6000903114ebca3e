"""Linear layers by the library that is faster here, while a model is applied on a CPU.

torch's own products in single precision go to MKL, which does without a processor's widest instructions where another
maker than its own made it. oneDNN, which torch brings as well, uses them. Which is faster is measured, once a process.

Gain, on 2 cores of an AMD EPYC (Zen 5): `transform`, `reconstruct` and `score_samples` of an MLP take half of the time;
a million rows go at 1.6 times the speed of torch's bare products (README.md). On Intel's processors nothing changes.
Measured by `python benchmarks/apply.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from narrows.accelerate.base import Acceleration, fastest, measured_once

_WORTHWHILE = 1.3  # times as fast: others are about equal, and chance must not choose
_ROWS, _WIDTH = 128, 512  # of the products that are measured: large enough to tell, small enough not to be noticed


def around_inference(device: torch.device) -> contextlib.AbstractContextManager[object] | None:
    """Make the context in which oneDNN computes linear layers without gradients, if it is faster on `device`."""
    return _ByOneDNN() if device.type == "cpu" and worthwhile() else None


def block_factor(device: torch.device) -> int:
    """Return 2 where oneDNN computes, which lays the weights out anew for each block, and 1 elsewhere."""
    return 2 if device.type == "cpu" and worthwhile() else 1


@measured_once
def worthwhile() -> bool:
    """Tell whether a linear layer by oneDNN is so much faster than torch's own that it is no chance."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, _WIDTH, generator=generator) for n in (_ROWS, _WIDTH))
    with torch.inference_mode():
        return fastest(lambda: F.linear(x, weight)) >= _WORTHWHILE * fastest(lambda: linear(x, weight))


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear layer by oneDNN: B x d, o x d, o -> B x o. It cannot be differentiated."""
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))


class _ByOneDNN(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """Compute linear layers by oneDNN, and all else as torch does."""
        if func is F.linear and not kwargs and _is_plain(*args):
            return linear(*args)
        return func(*args, **(kwargs or {}))


def _is_plain(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Tell whether oneDNN takes it: single-precision matrices on a CPU, none of them empty, and no gradient wanted."""
    single = all(t is None or (t.dtype == torch.float32 and t.device.type == "cpu") for t in (x, weight, bias))
    applied = torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
    return applied and single and x.dim() == 2 and min(*x.shape, *weight.shape) > 0


ACCELERATION = Acceleration(around_inference=around_inference, block_factor=block_factor)
