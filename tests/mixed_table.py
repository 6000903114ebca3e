"""A frame with a column of each kind, for tests."""

import numpy as np
import pandas as pd

MARKUP = "<b>pulse</b> & $x^2$"  # a name that is neither HTML nor a formula
LONG = "a level with a very long name that goes on and on and on"


def make_frame(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """Return n rows with words, dates, gaps, constants, identifiers and text, that follow two hidden numbers."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n, 2))
    frame = pd.DataFrame(
        {
            "id": [f"row-{i}" for i in range(n)],
            "height": 170 + 10 * z[:, 0] + rng.normal(size=n),
            "income": np.exp(8 + 2 * z[:, 1]),
            MARKUP: rng.poisson(np.exp(z[:, 0] / 2) + 1),
            "=1+1": np.where(z[:, 1] > 0, 100 * z[:, 1], 0.0),
            "home": np.array(["<i>rent</i>", "owner", LONG])[(z[:, 0] > 0).astype(int) + (z[:, 1] > 1)],
            "grade": pd.Categorical(
                np.array(["low", "mid", "high"])[np.digitize(z[:, 1], [-0.5, 0.5])],
                ["low", "mid", "high"],
                ordered=True,
            ),
            "smokes": z[:, 0] > 0,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta((1e7 * z[:, 0]).round(), unit="s"),
            "fixed": 7.5,
            "notes": [f"{i} is seen by the nurse at {i + 3} today" for i in range(n)],
        }
    )
    for name in ("height", "home", "since"):
        frame.loc[rng.random(n) < 0.1, name] = None
    frame.loc[3, ["height", "home"]] = None
    frame.index = pd.Index([f"p{i}" for i in range(n)])
    return frame
