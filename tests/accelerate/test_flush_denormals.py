"""Denormal numbers are flushed to 0 only while a training runs."""

import sys

import pytest
import torch

from narrows.accelerate.flush_denormals import flush_denormals

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only on Linux")
LARGE = 1 << 20  # numbers: enough for all threads of torch


def count_denormals(n: int = LARGE) -> int:
    """Return the number of denormal numbers that survive in a product of `n`."""
    return int((torch.full((n,), 1e-38) * 0.1).count_nonzero())


def test_in_all_threads_and_only_inside():
    assert count_denormals() == LARGE  # a pool of threads has begun
    with flush_denormals():
        assert count_denormals() == 0
    assert count_denormals() == LARGE


def test_after_an_error_too():
    with pytest.raises(ZeroDivisionError), flush_denormals():
        _ = 1 / 0
    assert count_denormals() == LARGE


def test_one_inside_another():
    with flush_denormals():
        with flush_denormals():
            assert count_denormals() == 0
        assert count_denormals() == 0
    assert count_denormals() == LARGE


def test_who_had_it_so_before_has_it_so_afterwards():
    torch.set_flush_denormal(True)
    try:
        with flush_denormals():
            assert count_denormals(1) == 0
        assert count_denormals(1) == 0
    finally:
        torch.set_flush_denormal(False)
    with flush_denormals():  # the threads of the pool, too, are as they were
        pass
    assert count_denormals() == LARGE
