"""What tests share. They are small: one thread is quickest, and gives the same sums on every machine."""

import os

# before torch is imported: its threads are made once
os.environ.setdefault("OMP_NUM_THREADS", "1")

import sys
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow-share", metavar="K/N", help="of the slow tests, run share K (from 0) of N alone")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    share = config.getoption("--slow-share")
    if share is None:
        return
    k, _, n = share.partition("/")
    if not (k.isdigit() and n.isdigit() and int(k) < int(n)):
        raise pytest.UsageError(f"--slow-share must be K/N with 0 <= K < N, such as 0/7. Got {share!r} instead.")
    others = [item for item in items if item.get_closest_marker("slow") and share_of(item, int(n)) != int(k)]
    config.hook.pytest_deselected(items=others)
    items[:] = [item for item in items if item not in set(others)]


def share_of(item: pytest.Item, n: int) -> int:
    """Which of `n` shares a test belongs to: always the same one. Each is dealt alone, since some classes are long."""
    return zlib.crc32(item.nodeid.encode()) % n


@pytest.fixture(autouse=True)
def no_figure_stays() -> Iterator[None]:
    """Close the figures of pyplot, which are many once one test has imported it."""
    yield
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def digits() -> np.ndarray:
    """1,797 grey images of 8 x 8 pixels, float64 from 0 to 1; not to be written to."""
    from sklearn.datasets import load_digits

    images = load_digits().images / 16
    images.setflags(write=False)
    return images


@pytest.fixture(scope="session")
def vectors() -> np.ndarray:
    """200 vectors of 6 columns that lie near a plane, float64; not to be written to."""
    rng = np.random.default_rng(1)
    X = rng.normal(size=(200, 2)) @ rng.normal(size=(2, 6)) + 0.1 * rng.normal(size=(200, 6))
    X.setflags(write=False)
    return X
