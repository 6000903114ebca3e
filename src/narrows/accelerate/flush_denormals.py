"""Numbers below 1e-38 (denormal numbers) are flushed to 0, because processors compute with them many times slower.

GELU returns them for large negative inputs, and Adam's running means decay to them for weights without gradients.
Results do not depend on them.

Gain, on 2 cores with AMX, `network="conv"` on 32 x 32 x 3: a step stays at 82 ms; without this it rose to 105 ms within
130 steps at a small constant learning rate. Trainings of 4 and 8 epochs are 4 and 6 % shorter. MLPs gain nothing
(docs/negative-results.md). Measured by `python benchmarks/training.py conv-own`.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import sys
from collections.abc import Iterator

import threadpoolctl
import torch

from narrows.accelerate.base import Acceleration

_ENVIRONMENT_BYTES = 256  # more than the size of `fenv_t` on any platform


@contextlib.contextmanager
def flush_denormals() -> Iterator[None]:
    """Flush denormal numbers to 0 in this thread and in the threads of its OpenMP pools, and restore both afterwards.

    The processor's mode is set per thread. A new thread inherits it; running threads are set by a task in their pool,
    which calls the C library's `fesetenv` with the environment from `fegetenv` here. Only on Linux; elsewhere this
    does nothing.
    """
    pools = _pools()
    if not pools:
        yield
        return
    c = ctypes.CDLL(None)
    before, flushing = (ctypes.create_string_buffer(_ENVIRONMENT_BYTES) for _ in range(2))
    c.fegetenv(before)
    torch.set_flush_denormal(True)
    c.fegetenv(flushing)
    _set_in_pools(pools, flushing)
    try:
        yield
    finally:
        c.fesetenv(before)
        _set_in_pools(pools, before)


def _set_in_pools(pools: list[ctypes.CDLL], environment: ctypes.Array[ctypes.c_char]) -> None:
    for pool in pools:
        n = ctypes.c_uint(torch.get_num_threads())
        pool.GOMP_parallel(ctypes.CDLL(None).fesetenv, environment, n, ctypes.c_uint(0))


@functools.cache
def _pools() -> list[ctypes.CDLL]:
    """Return the OpenMP libraries that keep a thread pool and have the function `GOMP_parallel`."""
    if sys.platform != "linux":
        return []
    paths = [info["filepath"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "openmp"]
    return [pool for pool in map(ctypes.CDLL, paths) if hasattr(pool, "GOMP_parallel")]


ACCELERATION = Acceleration(around_training=flush_denormals)
