"""A small table with a column of each kind that models see, gaps and identifiers, and models of it."""

from typing import Any

import numpy as np
import pandas as pd

import narrows

SMALL: dict[str, Any] = {"hidden": (8,), "max_epochs": 4, "random_state": 0, "device": "cpu"}


def people(n: int = 160, seed: int = 0) -> pd.DataFrame:
    """Return a frame of `n` rows whose index are names of rows."""
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 90, n)
    frame = pd.DataFrame(
        {
            "person": [f"p{i:05d}x{seed}" for i in range(n)],
            "age": age,
            "height": np.where(rng.random(n) < 0.2, np.nan, rng.normal(170, 10, n)),
            "gain": np.where(rng.random(n) < 0.5, 0.0, rng.lognormal(3, 2, n)),
            "children": rng.poisson(1, n),
            "job": rng.choice(["clerk", "cook", "=nurse"], n, p=[0.5, 0.3, 0.2]),
            "old": np.where(age > 50, "yes", "no"),
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "country": "NL",
        },
        index=[f"row{i}" for i in range(n)],
    )
    frame.loc[rng.random(n) < 0.1, "job"] = None
    return frame


def fit(kind: str, X: Any, **settings: Any) -> Any:
    """Return a small fitted estimator of the class `kind`."""
    sizes = {"AE": {"n_components": 2}, "VAE": {"n_components": 2}, "SAE": {"n_components": 8, "k": 2}}
    return getattr(narrows, kind)(**{**SMALL, **sizes.get(kind, {}), **settings}).fit(X)
