"""Small fitted models of each kind, on digits; not to be changed."""

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

import narrows

SMALL = {"hidden": (64,), "max_epochs": 8, "random_state": 0, "device": "cpu", "precision": "float32"}


@pytest.fixture(scope="session")
def data(digits: np.ndarray) -> dict[str, Any]:
    """1,200 digits to fit on, 597 to measure on, and the labels of those."""
    return {"train": digits[:1200], "X": digits[1200:], "y": load_digits().target[1200:]}


@pytest.fixture(scope="session")
def models(data: dict[str, Any]) -> dict[str, Any]:
    known = {
        "vae": narrows.VAE(6, **SMALL),
        "ae": narrows.AE(6, **SMALL),
        "sae": narrows.SAE(32, k=4, **SMALL),
        "dae": narrows.DAE(network="mlp", **SMALL),
    }
    return {name: model.fit(data["train"]) for name, model in known.items()}
