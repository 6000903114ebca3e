"""AUROC of OutlierDetector and its peers, all on their defaults, on 20 data sets of ADBench.

    python benchmarks/outliers.py [semi unsupervised] [--methods narrows knn ...] [--sets glass wine ...] [--seeds 5]
                                  [--rows 50000]

`semi`: trained on a random half of the normal rows, tested on the other half and all outliers. `unsupervised`: trained
and tested on everything, without labels. Either way columns are standardised by the training rows, and of a set with
more than 50,000 rows (`--rows`) as many are drawn. The seed draws the rows, the halves and the detectors' numbers.

Settings of OutlierDetector are chosen on the ten sets of even place and confirmed on the ten of odd place. Places count
from 1 in the order of the files' names as text: 14_glass, 16_http, 18_Ionosphere, 1_ALOI, ... For each of them, and for
all, the last lines give the difference to each peer, paired by sets, with its 95 % interval over sets (bootstrap).

Each figure is written to results/outliers_JOB.json at once (outliers_JOB_ROWS.json with `--rows`); figures that are
there are not measured again.
The sets lie in $NARROWS_DATA/anomaly (https://github.com/Minqi824/ADBench).
"""

from __future__ import annotations

import fcntl
import itertools
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import RESULTS, arguments, machine
from sklearn.ensemble import IsolationForest
from sklearn.metrics import average_precision_score, roc_auc_score
from sklearn.neighbors import NearestNeighbors

MOST_ROWS = 50_000
JOBS = ("semi", "unsupervised")
Score = Callable[[np.ndarray, np.ndarray, int], np.ndarray]  # training rows, test rows, seed -> strangeness


class Split(NamedTuple):
    """Training rows, test rows, and which of those are outliers."""

    train: np.ndarray
    test: np.ndarray
    y: np.ndarray


def sets() -> dict[str, Path]:
    """Return the paths of the sets by name."""
    folder = Path(os.environ.get("NARROWS_DATA", ".")) / "anomaly"
    paths = {path.stem.partition("_")[2]: path for path in sorted(folder.glob("*.npz"))}
    if not paths:
        raise SystemExit(f"There are no sets in {folder}: NARROWS_DATA must name the folder that holds `anomaly`.")
    return paths


def split(path: Path, job: str, seed: int, most_rows: int = MOST_ROWS) -> Split:
    """Draw, halve and standardise the rows of one set."""
    rng = np.random.default_rng(seed)
    with np.load(path) as data:
        X, y = data["X"].astype(np.float64), data["y"].astype(bool)
    rows = rng.permutation(len(X))[:most_rows]
    X, y = X[rows], y[rows]
    train = np.arange(len(X))
    test = train
    if job == "semi":
        normal = rng.permutation(np.flatnonzero(~y))
        train = normal[: len(normal) // 2]
        test = np.setdiff1d(np.arange(len(X)), train)
    mean, std = X[train].mean(0), X[train].std(0)
    X = ((X - mean) / np.where(std > 0, std, 1)).astype(np.float32)
    return Split(X[train], X[test], y[test])


# --------------------------------------------------------------------------------------------------- the sides


def narrows(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """OutlierDetector."""
    from narrows.tasks import OutlierDetector

    return -OutlierDetector(random_state=seed).fit(train).score_samples(test)


def knn(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Distance to the fifth nearest training row; a training row is not its own neighbour."""
    is_training = train is test or (train.shape == test.shape and bool((train == test).all()))
    index = NearestNeighbors(n_neighbors=5).fit(train)
    return (index.kneighbors() if is_training else index.kneighbors(test))[0][:, -1]


def iforest(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """scikit-learn's isolation forest."""
    return -IsolationForest(random_state=seed).fit(train).score_samples(test)


def pca(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """pyod's PCA: distances along the components, weighted by how little those vary."""
    from pyod.models.pca import PCA

    spread = np.linalg.eigvalsh(np.cov(train, rowvar=False))
    rank = int((spread > 1e-6 * spread.max()).sum())  # the peer divides by the variance of each component
    return PCA(n_components=rank, random_state=seed).fit(train).decision_function(test)


def pyod_ae(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """pyod's AutoEncoder."""
    from pyod.models.auto_encoder import AutoEncoder

    return _pyod_network(AutoEncoder, train, test, seed)


def pyod_vae(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """pyod's VAE."""
    from pyod.models.vae import VAE

    return _pyod_network(VAE, train, test, seed)


def _pyod_network(cls: Any, train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    batch = min(32, len(train))  # the peer drops a last batch that is not full
    scores = cls(random_state=seed, verbose=0, batch_size=batch).fit(train).decision_function(test)
    return np.nan_to_num(scores, nan=0.0, posinf=np.finfo(np.float32).max)


METHODS: dict[str, Score] = {
    "narrows": narrows,
    "knn": knn,
    "iforest": iforest,
    "pca": pca,
    "pyod_ae": pyod_ae,
    "pyod_vae": pyod_vae,
}

PYOD = ("/pca", "/pyod_ae", "/pyod_vae")

# ------------------------------------------------------------------------------------------------- the measure


def measure(score: Score, rows: Split, seed: int) -> dict[str, float]:
    """Return AUROC and average precision in percent, and the seconds of this process, wall-clock and CPU."""
    wall, cpu = time.perf_counter(), time.process_time()
    strangeness = score(rows.train, rows.test, seed)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    return {
        "auroc": 100 * float(roc_auc_score(rows.y, strangeness)),
        "average_precision": 100 * float(average_precision_score(rows.y, strangeness)),
        "seconds": round(wall, 2),
        "cpu_seconds": round(cpu, 2),
    }


def update_figures(
    job: str, most_rows: int, add: dict[str, dict[str, float]] | None = None
) -> dict[str, dict[str, float]]:
    """Write `add` into the job's file of results; return all of its figures by "set/seed/method"."""
    path = RESULTS / (f"outliers_{job}.json" if most_rows == MOST_ROWS else f"outliers_{job}_{most_rows}.json")
    RESULTS.mkdir(exist_ok=True)
    with open(
        Path(tempfile.gettempdir()) / "narrows-outliers.lock", "w"
    ) as lock:  # several processes may share the work
        fcntl.flock(lock, fcntl.LOCK_EX)
        figures = json.loads(path.read_text())["figures"] if path.exists() else {}
        if add:
            figures |= add
            whole = {
                "machine": machine(*(["pyod"] if any(name.endswith(PYOD) for name in figures) else [])),
                "day": time.strftime("%Y-%m-%d"),
                "mean_auroc": mean_auroc(figures),
                "differences": differences(figures),
                "figures": dict(sorted(figures.items())),
            }
            fresh = path.with_suffix(".new")
            fresh.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
            fresh.replace(path)
    return figures


def mean_auroc(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return for each method the mean over sets of the mean over seeds, and the numbers of sets and figures."""
    by_method: dict[str, dict[str, list[float]]] = {}
    for name, figure in figures.items():
        which, _, method = name.split("/")
        by_method.setdefault(method, {}).setdefault(which, []).append(figure["auroc"])
    return {
        method: {
            "auroc": round(float(np.mean([np.mean(seeds) for seeds in by_set.values()])), 3),
            "sets": len(by_set),
            "figures": sum(map(len, by_set.values())),
        }
        for method, by_set in by_method.items()
    }


def differences(figures: dict[str, dict[str, float]]) -> dict[str, dict[str, float | int]]:
    """Return by "half/peer" the AUROC of narrows and of the peer, and their difference with its paired 95 % interval.

    Only sets and seeds that both have been measured on count. The interval is from 10,000 draws of as many sets.
    """
    names, result = list(sets()), {}
    halves = {"even": names[1::2], "odd": names[0::2], "all": names}
    for (half, members), peer in itertools.product(halves.items(), METHODS):
        pairs = []
        for which in members:
            seeds = [k.split("/")[1] for k in figures if k.startswith(f"{which}/") and k.endswith(f"/{peer}")]
            seeds = [seed for seed in seeds if f"{which}/{seed}/narrows" in figures]
            if seeds:
                pairs.append(
                    [np.mean([figures[f"{which}/{i}/{m}"]["auroc"] for i in seeds]) for m in ("narrows", peer)]
                )
        if peer == "narrows" or not pairs:
            continue
        ours, theirs = np.array(pairs).T
        difference = ours - theirs
        draws = np.random.default_rng(0).integers(len(pairs), size=(10_000, len(pairs)))
        low, high = np.quantile(difference[draws].mean(1), [0.025, 0.975])
        numbers = {
            "narrows": ours.mean(),
            "peer": theirs.mean(),
            "difference": difference.mean(),
            "low": low,
            "high": high,
        }
        result[f"{half}/{peer}"] = {"sets": len(pairs), **{k: round(float(v), 3) for k, v in numbers.items()}}
    return result


def show(job: str, figures: dict[str, dict[str, float]]) -> None:
    """Print a table of the mean AUROC of each set, one column a method."""
    methods = [m for m in METHODS if any(name.endswith(f"/{m}") for name in figures)]
    print(f"\n{job}: mean AUROC over seeds\n{'':16}" + "".join(f"{m:>10}" for m in methods))
    for which in sorted({name.split("/")[0] for name in figures}):
        cells = []
        for method in methods:
            seeds = [
                f["auroc"]
                for name, f in figures.items()
                if name.startswith(f"{which}/") and name.endswith(f"/{method}")
            ]
            cells.append(f"{np.mean(seeds):10.2f}" if seeds else f"{'':>10}")
        print(f"{which:16}" + "".join(cells))
    means = mean_auroc(figures)
    print(f"{'mean':16}" + "".join(f"{means[m]['auroc']:10.2f}" for m in methods))
    print(f"{'figures':16}" + "".join(f"{means[m]['figures']:10d}" for m in methods))
    for name, pair in differences(figures).items():
        print(
            f"{name:16} narrows {pair['narrows']:.2f}, peer {pair['peer']:.2f}, difference {pair['difference']:+.2f} "
            f"({pair['low']:+.2f} to {pair['high']:+.2f}), {pair['sets']} sets"
        )


def run(job: str, names: Iterable[str], methods: Iterable[str], seeds: Iterable[int], most_rows: int) -> None:
    """Measure the figures that are missing, one seed after another."""
    paths = sets()
    for seed in seeds:
        for name in names:
            rows = None
            for method in methods:
                key = f"{name}/{seed}/{method}"
                if key in update_figures(job, most_rows):
                    continue
                rows = rows or split(paths[name], job, seed, most_rows)
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")  # of the peers
                    figure = measure(METHODS[method], rows, seed)
                update_figures(job, most_rows, {key: figure})
                print(f"{job} {key:32} {figure['auroc']:6.2f}  {figure['seconds']:7.1f} s", flush=True)


def main() -> None:
    """Measure the missing figures, and print all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--methods", nargs="*", choices=list(METHODS), default=list(METHODS))
    parser.add_argument("--sets", nargs="*", default=None, help="some of the sets")
    parser.add_argument("--seeds", type=int, default=5, help="how many")
    parser.add_argument("--rows", type=int, default=MOST_ROWS, help="largest number of rows of a set")
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    for job in options.jobs or JOBS:
        run(job, options.sets or sets(), options.methods, range(options.seeds), options.rows)
        show(job, update_figures(job, options.rows))


if __name__ == "__main__":
    main()
