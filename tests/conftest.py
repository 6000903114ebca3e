"""What tests share. They are small: one thread is quickest, and gives the same sums on every machine."""

import os

# before torch is imported: its threads are made once
os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import pytest
import torch

torch.set_num_threads(1)


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
