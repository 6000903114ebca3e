"""Without any acceleration, results of a training are the same up to rounding."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import torch

from narrows import AE, SAE, VAE, accelerate
from narrows.accelerate import ACCELERATIONS, Acceleration

COMMON = {"max_epochs": 3, "random_state": 0, "device": "cpu", "precision": "float32", "batch_size": 32}
CORE = {
    "ae": lambda **k: AE(3, hidden=(16,), **COMMON, **k),
    "vae": lambda **k: VAE(3, hidden=(16,), **COMMON, **k),
    "sae": lambda **k: SAE(32, k=4, **COMMON, **k),
    "conv vae": lambda **k: VAE(3, network="conv", **COMMON, **k),
    "conv vae in bfloat16": lambda **k: VAE(3, network="conv", **{**COMMON, "precision": "bfloat16"}, **k),
}


def fitted(name: str, X: np.ndarray, **parameters):
    return CORE[name](**parameters).fit(X if "conv" in name else X.reshape(len(X), -1))


@pytest.mark.parametrize("name", CORE)
def test_without_accelerations_results_are_the_same_up_to_rounding(name, digits, monkeypatch):
    X = digits[:200]
    full = fitted(name, X)
    monkeypatch.setattr(accelerate, "ACCELERATIONS", ())
    bare = fitted(name, X)
    rounding = 1e-2 if "bfloat16" in name else 1e-4
    for a, b in zip(full.history_, bare.history_, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=rounding)
    rows = X if "conv" in name else X.reshape(len(X), -1)
    np.testing.assert_allclose(full.transform(rows), bare.transform(rows), rtol=30 * rounding, atol=30 * rounding)


def test_nothing_is_left_of_the_accelerations_where_the_list_is_empty(digits, monkeypatch):
    full = fitted("conv vae", digits[:60])
    assert any(not p.is_contiguous() for p in full.model_.parameters())
    monkeypatch.setattr(accelerate, "ACCELERATIONS", ())
    bare = fitted("conv vae", digits[:60], compile=True)  # nothing is there to compile it
    assert all(p.is_contiguous() for p in bare.model_.parameters())
    assert accelerate.block_factor(torch.device("cpu")) == 1
    with accelerate.around_training(), accelerate.around_inference(torch.device("cpu")):
        pass


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler (g++)")
def test_a_compiled_training_without_accelerations_is_a_plain_one(digits, monkeypatch):
    full = fitted("vae", digits[:200], compile=True)
    monkeypatch.setattr(accelerate, "ACCELERATIONS", ())
    bare = fitted("vae", digits[:200], compile=True)
    for a, b in zip(full.history_, bare.history_, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=1e-4)


def test_each_acceleration_acts_somewhere():
    assert all(any(hook is not None for hook in acceleration) for acceleration in ACCELERATIONS)
    assert not any(hook is not None for hook in Acceleration())
