"""Denormal numbers are 0 while a training runs, and what they were before and after it."""

import sys

import pytest
import torch

from narrows.accelerate.flush_denormals import flush_denormals

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="done on Linux alone")
LARGE = 1 << 20  # numbers: shared out among all threads of torch


def kept(n: int = LARGE) -> int:
    """How many denormal numbers a product still has, of `n`."""
    return int((torch.full((n,), 1e-38) * 0.1).count_nonzero())


def test_in_all_threads_and_only_inside():
    assert kept() == LARGE  # a pool of threads has begun
    with flush_denormals():
        assert kept() == 0
    assert kept() == LARGE


def test_after_an_error_too():
    with pytest.raises(ZeroDivisionError), flush_denormals():
        _ = 1 / 0
    assert kept() == LARGE


def test_one_inside_another():
    with flush_denormals():
        with flush_denormals():
            assert kept() == 0
        assert kept() == 0
    assert kept() == LARGE


def test_who_had_it_so_before_has_it_so_afterwards():
    torch.set_flush_denormal(True)
    try:
        with flush_denormals():
            assert kept(1) == 0
        assert kept(1) == 0
    finally:
        torch.set_flush_denormal(False)
    with flush_denormals():  # the threads of the pool, too, are as they were
        pass
    assert kept() == LARGE
