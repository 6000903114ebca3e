"""Linear layers by the library that is faster here, while a model is applied on a CPU.

torch's own products in single precision go to MKL, which does without a processor's widest instructions where another
maker than its own made it: on AMD's Zen 5 oneDNN, which torch brings as well, takes half of the time. Which is faster
is measured, once a process.
"""

from __future__ import annotations

import contextlib
import functools
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar, cast

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

R = TypeVar("R")
_MEASURING = threading.RLock()
_CPU = torch.device("cpu")
_WORTHWHILE = 1.3  # times as fast: others are about equal, and chance must not choose
_ROWS, _WIDTH = 128, 512  # of the products that are measured: large enough to tell, small enough not to be noticed


def faster_products(device: torch.device) -> contextlib.AbstractContextManager[object]:
    """Within it, linear layers that nobody differentiates are computed by oneDNN, if that is faster on `device`."""
    return _ByOneDNN() if device.type == "cpu" and worthwhile() else contextlib.nullcontext()


def measured_once(measure: Callable[..., R]) -> Callable[..., R]:
    """`measure`, once a process for the same arguments, and while no other thread measures."""
    cached = functools.cache(measure)

    @functools.wraps(measure)
    def measured(*args: Any) -> R:
        with _MEASURING:
            return cached(*args)

    return measured


@measured_once
def worthwhile() -> bool:
    """Whether a linear layer by oneDNN is so much faster than torch's own that it is no chance."""
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    generator = torch.Generator().manual_seed(0)
    x, weight = (torch.randn(n, _WIDTH, generator=generator) for n in (_ROWS, _WIDTH))
    with torch.inference_mode():
        return fastest(lambda: F.linear(x, weight)) >= _WORTHWHILE * fastest(lambda: linear(x, weight))


def fastest(call: Callable[[], object], device: torch.device = _CPU, repeats: int = 7) -> float:
    """The seconds that `call`, which computes on `device`, takes at best."""
    many = 20 if device.type == "cuda" else 1  # one alone would tell how long it takes to wait for the device
    best = float("inf")
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(many):
            call()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, (time.perf_counter() - start) / many)
    return best


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A linear layer by oneDNN: B x d, o x d, o -> B x o. It cannot be differentiated."""
    return cast("Tensor", torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], ""))


class _ByOneDNN(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Iterable[type], args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        """What torch asks in place of each of its functions."""
        if func is F.linear and not kwargs and _is_plain(*args):
            return linear(*args)
        return func(*args, **(kwargs or {}))


def _is_plain(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> bool:
    """Whether oneDNN takes it: matrices of single-precision numbers on a CPU, none empty, and no gradient wanted."""
    single = all(t is None or (t.dtype == torch.float32 and t.device.type == "cpu") for t in (x, weight, bias))
    applied = torch.is_inference_mode_enabled() and not torch.is_autocast_enabled("cpu")
    return applied and single and x.dim() == 2 and min(*x.shape, *weight.shape) > 0
