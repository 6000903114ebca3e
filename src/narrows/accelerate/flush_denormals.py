"""Numbers under 1e-38 (denormal numbers) taken for 0: a processor is many times slower with them than with others.

A GELU gives them for what is far below 0, and Adam remembers them of weights that have no gradient any more. Nothing
rests on them.

Gain, on 2 cores with AMX, `network="conv"` on 32 x 32 x 3: a step stays at 82 ms, which went up to 105 in 130 steps at
a small constant rate; trainings of 4 and 8 epochs are 4 and 6 % shorter. MLPs gain nothing (docs/negative-results.md).
Measured by `python benchmarks/training.py conv-own`.
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

_ENVIRONMENT_BYTES = 256  # more than a `fenv_t` takes anywhere


@contextlib.contextmanager
def flush_denormals() -> Iterator[None]:
    """Take denormal numbers for 0, in this thread and in those that it shares its work with; then as before.

    How a processor computes is set for each thread apart. A thread begins as the one that starts it, but those that
    have already begun must be told, by a task for their pool: the C library's `fesetenv`, with what `fegetenv` found
    here. It is done on Linux; elsewhere numbers are taken as they are.
    """
    pools = _pools()
    if not pools:
        yield
        return
    c = ctypes.CDLL(None)
    before, now = (ctypes.create_string_buffer(_ENVIRONMENT_BYTES) for _ in range(2))
    c.fegetenv(before)
    torch.set_flush_denormal(True)
    c.fegetenv(now)
    _tell(pools, now)
    try:
        yield
    finally:
        c.fesetenv(before)
        _tell(pools, before)


def _tell(pools: list[ctypes.CDLL], environment: ctypes.Array[ctypes.c_char]) -> None:
    for pool in pools:
        n = ctypes.c_uint(torch.get_num_threads())
        pool.GOMP_parallel(ctypes.CDLL(None).fesetenv, environment, n, ctypes.c_uint(0))


@functools.cache
def _pools() -> list[ctypes.CDLL]:
    """The libraries that keep threads between two products: GNU's, or one that can be called as it is."""
    if sys.platform != "linux":
        return []
    found = [info["filepath"] for info in threadpoolctl.threadpool_info() if info["user_api"] == "openmp"]
    return [pool for pool in map(ctypes.CDLL, found) if hasattr(pool, "GOMP_parallel")]


ACCELERATION = Acceleration(around_training=flush_denormals)
