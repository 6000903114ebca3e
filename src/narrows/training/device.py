"""The choice of device and precision, with the reason, unless the user sets them.

Precision is the dtype of the matrix products in a training step. Weights, optimizer state, losses and reductions are in
float32, and so is inference. On a CUDA device, torch's float32 convolutions round their inputs to ten bits (TF32),
unless `torch.backends.cudnn.allow_tf32` is False.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import NamedTuple

import torch

from narrows.accelerate import measure_once, min_seconds
from narrows.params import counted, did_you_mean

PRECISIONS = ("auto", "float32", "bfloat16", "float64")
_MIN_SPEEDUP = 1.3  # smallest speedup that is worth the lower precision of bfloat16
_FEW_WEIGHTS = 100_000  # with fewer, a step is mostly overhead, and measuring takes longer than many trainings


class Choice(NamedTuple):
    """A decision made for the user: the parameter, its value, and the reason."""

    name: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}: {self.reason}"


def choose_device(name: str, processes: int = 1) -> tuple[torch.device, Choice]:
    """Return the device called `name`; for "auto" a GPU, if there is one that this number of processes can use.

    Raises
    ------
    ValueError
        If the name is unknown, or there is no such device.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return _current_gpu(), Choice("device", "cuda", f"{torch.cuda.get_device_name()} is available")
        if torch.backends.mps.is_available() and processes == 1:
            return torch.device("mps"), Choice("device", "mps", "an Apple GPU is available")
        return torch.device("cpu"), Choice(
            "device", "cpu", f"no GPU is available; {counted(default_n_threads(), 'thread')}"
        )
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"Unknown device {name!r}. {did_you_mean(name, ['auto', 'cpu', 'cuda', 'mps'])}") from error
    if device.type == "cuda" and (
        not torch.cuda.is_available() or (device.index is not None and device.index >= torch.cuda.device_count())
    ):
        raise ValueError(
            f"device={name!r} was requested, and this machine has {counted(torch.cuda.device_count(), 'CUDA device')}. "
            'Pass device="auto".'
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError('device="mps" was requested, and this machine has none. Pass device="auto".')
    if device.type == "cuda" and device.index is None:
        device = _current_gpu()
    return device, Choice("device", name, "as asked")


def _current_gpu() -> torch.device:
    """Return the current GPU with its number, equal to the `device` of its tensors."""
    return torch.device("cuda", torch.cuda.current_device())


def choose_precision(name: str, device: torch.device, n_weights: int | None = None) -> tuple[torch.dtype, Choice]:
    """Return the dtype of matrix products in a training step, with the reason.

    Parameters
    ----------
    n_weights : number of weights of the model; None if it is not known. For a small model nothing is measured.
    """
    if name != "auto":
        return getattr(torch, name), Choice("precision", name, "as asked")
    if n_weights is not None and n_weights < _FEW_WEIGHTS and device.type == "cpu":
        return torch.float32, Choice("precision", "float32", f"{n_weights:,} weights gain nothing from bfloat16")
    if device.type == "mps":
        return torch.float32, Choice("precision", "float32", "the MPS backend is not faster with lower precision")
    speedup = bfloat16_speedup(device)
    if speedup >= _MIN_SPEEDUP:
        reason = f"matrix products on this device were measured {speedup:.1f} times as fast as in float32"
        return torch.bfloat16, Choice("precision", "bfloat16", reason)
    reason = f"bfloat16 products on this device were measured only {speedup:.2g} times as fast"
    return torch.float32, Choice("precision", "float32", reason)


class _ThreadLocal(threading.local):
    n_threads: int | None = None  # torch's number of threads, inside `use_threads` in this thread


_local, _lock = _ThreadLocal(), threading.Lock()
_n_inside = _n_default = 0  # Python threads inside `use_threads`; torch's number of threads before the first of them


def default_n_threads() -> int:
    """Return torch's number of threads, without the effect of `use_threads` in other Python threads.

    A number that one thread sets also holds in all threads that start later. A training that starts while
    another one runs would otherwise take the other's choice for the user's.
    """
    with _lock:
        if _local.n_threads is None and _n_inside:
            return _n_default
    return torch.get_num_threads()


@contextlib.contextmanager
def use_threads(n: int) -> Iterator[None]:
    """Compute with `n` threads of torch inside the context, and restore the number afterwards."""
    global _n_inside, _n_default
    before, outer = default_n_threads(), _local.n_threads
    with _lock:
        if _n_inside == 0:
            _n_default = before
        _n_inside += 1
    _local.n_threads = n
    torch.set_num_threads(n)
    try:
        yield
    finally:
        _local.n_threads = outer
        torch.set_num_threads(before)
        with _lock:
            _n_inside -= 1


def matmul_flops_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Return the floating-point operations per second of a matrix product of common size, measured once per process."""
    return 2 * _matmul_rows(device) * 1024 * 1024 / _matmul_seconds(device, dtype)


def bfloat16_speedup(device: torch.device) -> float:
    """Return the duration of a float32 matrix product / the duration in bfloat16, measured once per process."""
    return _matmul_seconds(device, torch.float32) / _matmul_seconds(device, torch.bfloat16)


def measure_core_share(seconds: float = 0.3) -> float:
    """Return the share of a core that this process gets beside the other work of the machine, in (0, 1].

    Parameters
    ----------
    seconds : duration of the measurement.
    """
    start, used = time.perf_counter(), time.thread_time()
    while (passed := time.perf_counter() - start) < seconds:
        sum(range(1000))
    return min(1.0, max(0.01, (time.thread_time() - used) / passed))


def _matmul_rows(device: torch.device) -> int:
    return 4096 if device.type == "cuda" else 256  # with fewer, a GPU takes longer to start than to compute


@measure_once
def _matmul_seconds(device: torch.device, dtype: torch.dtype) -> float:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(_matmul_rows(device), 1024, generator=generator).to(device, dtype)
    b = torch.randn(1024, 1024, generator=generator).to(device, dtype)
    return min_seconds(lambda: a @ b, device)
