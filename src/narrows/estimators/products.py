"""Single-precision products by the library that is faster here, while a model is applied on a CPU.

torch's own go to MKL, which does without a processor's widest instructions where another maker than its own made it: on
AMD's Zen 5 oneDNN, which torch brings as well, takes half of the time. Which is faster is measured, once a process.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from narrows.training.device import fastest

_WORTHWHILE = 1.3  # times as fast, under which what is measured may be chance
_ROWS, _WIDTH = 128, 512  # of the products that are measured: large enough to tell, small enough not to be noticed


def faster_products(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Within it, linear layers that nobody differentiates are computed by oneDNN, if that is faster on `device`."""
    return _ByOneDNN() if device.type == "cpu" and onednn_gain() >= _WORTHWHILE else contextlib.nullcontext()


@functools.cache
def onednn_gain() -> float:
    """How many times as fast as torch's own a single-precision product by oneDNN is; 0 where there is no oneDNN."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return 0.0
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(_ROWS, _WIDTH, generator=generator)
    weight = torch.randn(_WIDTH, _WIDTH, generator=generator)
    cpu = torch.device("cpu")
    with torch.inference_mode():
        return fastest(lambda: F.linear(x, weight), cpu) / fastest(lambda: linear(x, weight), cpu)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """`torch.nn.functional.linear` by oneDNN: B x d, o x d, o -> B x o. It cannot be differentiated."""
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


class _ByOneDNN(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """What torch asks in place of each of its functions."""
        if func is F.linear and not kwargs and _is_plain(*args):
            return linear(*args)
        return func(*args, **(kwargs or {}))


def _is_plain(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether oneDNN takes it: matrices of single-precision numbers on a CPU, none of them empty."""
    single = all(t is None or (t.dtype == torch.float32 and t.device.type == "cpu") for t in (x, weight, bias))
    return single and x.dim() == 2 and min(*x.shape, *weight.shape) > 0 and torch.is_inference_mode_enabled()
