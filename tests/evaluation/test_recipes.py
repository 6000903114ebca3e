"""Every registered recipe can be measured, on every kind of data."""

import math
from typing import Any

import numpy as np
import pytest
from recipe_cases import REPRESENTATIVES, SIZES

import narrows
from narrows.recipes import RECIPES

N = 60


def data(kind: str) -> np.ndarray:
    rng = np.random.default_rng(5)
    z = rng.uniform(-1, 1, size=(N, 2))
    if kind == "vectors":
        return np.tanh(z @ rng.normal(size=(2, 7))) * 5 + 3
    if kind == "counts":
        return rng.poisson(np.exp(z @ rng.normal(size=(2, 7)) * 3 - 2)).astype(np.float64)
    if kind == "binary":
        return (z @ rng.normal(size=(2, 9)) + rng.normal(size=(N, 9)) > 0).astype(np.float64)
    y, x = np.mgrid[-1:1:8j, -1:1:8j]
    spots = np.exp(-((x - z[:, :1, None]) ** 2 + (y - z[:, 1:, None]) ** 2) / 0.4)
    return np.rint(255 * np.stack([spots, spots[:, ::-1], 1 - spots], axis=-1)).astype(np.uint8)


KINDS = ["vectors", "counts", "binary", "colour"]


REPRESENTED = {case.recipe for case in REPRESENTATIVES}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        # one kind of data is enough for a recipe that does not stand for a seam
        pytest.param(name, kind, marks=() if name in REPRESENTED or kind in ("vectors", "colour") else pytest.mark.slow)
        for name, recipe in RECIPES.items()
        for kind in KINDS
        if not ((recipe.is_tabular or recipe.is_layered) if kind == "colour" else recipe.is_visual)
    ],
)
def test_everything_is_finite(name: str, kind: str):
    X, y = data(kind), np.arange(N) % 3
    known: dict[str, Any] = {
        "n_components": SIZES.get(name, 3),
        "hidden": (8,),
        "max_epochs": 1,
        "random_state": 0,
        "device": "cpu",
    }
    cls = narrows.estimator(name)
    model = cls(**{k: v for k, v in known.items() if k in cls.parameters()}).fit(X, y)
    found = narrows.evaluate(model, X, y, train=X)
    assert all(math.isfinite(value) for value in found.to_dict().values()), found
    assert {"mse", "distortion", "trustworthiness", "knn_accuracy", "flagged"} <= set(found.values)
    assert ("nll" in found.values) == ("kl" in found.values)
    assert ("psnr" in found.values) == (kind == "colour")
    if "elbo" in found.values:
        # sampling the importance bound and the bound itself both have an error
        assert found["nll"] < -found["elbo"] + 1
