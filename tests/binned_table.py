"""A table with a column of each kind, whose numbers have bins, for tests of masked tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch

from narrows.data import Schema, infer_table, open_frame

N = 600


def make_frame(n: int = N, seed: int = 0) -> pd.DataFrame:
    """Return n rows that depend on one hidden number, with gaps in four columns."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=n)
    frame = pd.DataFrame(
        {
            "real": 10 + 3 * z + rng.normal(size=n),
            "price": np.exp(2 * rng.normal(size=n)),
            "gains": np.where(rng.random(n) < 0.6, 0.0, np.abs(rng.normal(50, 30, n))),
            "age": rng.integers(18, 90, n),
            "visits": rng.poisson(np.exp(z / 2)),
            "big": 2**52 + 2 * rng.integers(0, 10_000, n),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), "D"),
            "city": np.where(z > 0.5, "a", np.where(z > -1, "b", "c")),
            "flag": z > 0.3,
        }
    )
    for name, share in {"real": 0.2, "gains": 0.1, "day": 0.1, "city": 0.15}.items():
        frame.loc[rng.random(n) < share, name] = None
    return frame


def infer_bins(frame: pd.DataFrame, n_bins: int = 20) -> tuple[np.ndarray, Schema]:
    """Return the rows as float64 numbers (n x D), and their schema with bins."""
    rows, schema = infer_table(open_frame(frame, "test"), "test", n_bins=n_bins)
    return np.asarray(rows, dtype=np.float64), schema


def prepare(schema: Schema, rows: np.ndarray, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    """Return rows on the model's scale."""
    return schema.prepare(torch.from_numpy(np.array(rows)), dtype)
