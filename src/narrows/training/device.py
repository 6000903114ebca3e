"""Where to compute and in which precision: chosen, with the reason, unless the user says.

Precision concerns the products of the training step only: weights, optimizer state, losses and reductions are in
single precision, and a fitted model is applied in single precision. On a CUDA device convolutions in single precision
are as torch has them, which is with ten bits of a factor (TF32) unless `torch.backends.cudnn.allow_tf32` is False.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import NamedTuple

import torch

from narrows.accelerate import fastest, measured_once
from narrows.params import did_you_mean

PRECISIONS = ("auto", "float32", "bfloat16", "float64")
_WORTHWHILE = 1.3  # bf16 must be this much faster to be chosen: it costs three digits


class Choice(NamedTuple):
    """Something that was decided for the user: the parameter, its value, and why."""

    name: str
    value: str
    reason: str

    def __str__(self) -> str:
        return f"{self.name} = {self.value}: {self.reason}"


def choose_device(name: str, processes: int = 1) -> tuple[torch.device, Choice]:
    """The device called `name`; for "auto" a GPU if there is one that so many processes can use."""
    if name == "auto":
        if torch.cuda.is_available():
            return _this_gpu(), Choice("device", "cuda", f"{torch.cuda.get_device_name()} is at hand")
        if torch.backends.mps.is_available() and processes == 1:
            return torch.device("mps"), Choice("device", "mps", "an Apple GPU is at hand")
        return torch.device("cpu"), Choice("device", "cpu", f"no GPU is at hand; {usual_threads()} threads")
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise ValueError(f"Unknown device {name!r}. {did_you_mean(name, ['auto', 'cpu', 'cuda', 'mps'])}") from error
    if device.type == "cuda" and (
        not torch.cuda.is_available() or (device.index is not None and device.index >= torch.cuda.device_count())
    ):
        raise ValueError(
            f"device={name!r} was asked for, and {torch.cuda.device_count()} CUDA devices are at hand. Pass "
            'device="auto".'
        )
    if device.type == "mps" and not torch.backends.mps.is_available():
        raise ValueError('device="mps" was asked for, and none is at hand. Pass device="auto".')
    if device.type == "cuda" and device.index is None:
        device = _this_gpu()
    return device, Choice("device", name, "as asked")


def _this_gpu() -> torch.device:
    """The GPU that is the current one, by its number, which tensors on it have, too."""
    return torch.device("cuda", torch.cuda.current_device())


def choose_precision(name: str, device: torch.device) -> tuple[torch.dtype, Choice]:
    """The dtype of the training step's products."""
    if name != "auto":
        return getattr(torch, name), Choice("precision", name, "as asked")
    if device.type == "mps":
        return torch.float32, Choice("precision", "float32", "the MPS backend gains nothing from less")
    gain = bfloat16_gain(device)
    if gain >= _WORTHWHILE:
        reason = f"matrix products here are {gain:.1f} times as fast as in float32, measured"
        return torch.bfloat16, Choice("precision", "bfloat16", reason)
    reason = f"bfloat16 products here are only {gain:.1f} times as fast, measured"
    return torch.float32, Choice("precision", "float32", reason)


class _Chosen(threading.local):
    n: int | None = None  # threads of torch's that this thread computes with, where `threads` says so


_chosen, _counting = _Chosen(), threading.Lock()
_n_choosing = _n_usual = 0  # threads within `threads`, and the number before the first of them came


def usual_threads() -> int:
    """The threads that torch computes with here where nobody else has chosen a number for a while.

    A number that is set in one thread is that of all threads which begin later. So a training that begins beside
    another would otherwise take the other's choice for the user's.
    """
    with _counting:
        if _chosen.n is None and _n_choosing:
            return _n_usual
    return torch.get_num_threads()


@contextlib.contextmanager
def threads(n: int) -> Iterator[None]:
    """Compute with `n` threads, and go back to what it was afterwards."""
    global _n_choosing, _n_usual
    before, outer = usual_threads(), _chosen.n
    with _counting:
        if _n_choosing == 0:
            _n_usual = before
        _n_choosing += 1
    _chosen.n = n
    torch.set_num_threads(n)
    try:
        yield
    finally:
        _chosen.n = outer
        torch.set_num_threads(before)
        with _counting:
            _n_choosing -= 1


def matmul_flops_per_second(device: torch.device, dtype: torch.dtype) -> float:
    """Floating-point operations a second of a matrix product of common size, measured once a process."""
    return 2 * _rows(device) * 1024 * 1024 / _product_seconds(device, dtype)


def bfloat16_gain(device: torch.device) -> float:
    """How many times faster a bf16 matrix product is than a single-precision one, measured once a process."""
    return _product_seconds(device, torch.float32) / _product_seconds(device, torch.bfloat16)


def _rows(device: torch.device) -> int:
    return 4096 if device.type == "cuda" else 256  # with few of them a GPU takes longer to begin than to compute


@measured_once
def _product_seconds(device: torch.device, dtype: torch.dtype) -> float:
    generator = torch.Generator().manual_seed(0)
    a = torch.randn(_rows(device), 1024, generator=generator).to(device, dtype)
    b = torch.randn(1024, 1024, generator=generator).to(device, dtype)
    return fastest(lambda: a @ b, device)
