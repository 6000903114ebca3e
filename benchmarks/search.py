"""Search by example: its quality beside PCA and raw pixels, and its speed over a million codes.

    python benchmarks/search.py [retrieval million] [--model DIR]

`retrieval`: Fashion-MNIST, 32 components learned from the 60,000 training images without their labels; each of the
10,000 test images searches among the 9,999 others. narrows' default is the cosine.

`million`: 1,000,000 codes of 32 components, of the training images in 17 positions (rolled by up to two pixels); the
test images are the queries. One thread. Times are CPU seconds, on which other work of the machine has little effect.

The model, AE(32, hidden=(512, 256), max_epochs=12), is kept in DIR; an interrupted training continues there.
"""

from __future__ import annotations

import itertools
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import SEED, arguments, keep, show
from sklearn.decomposition import PCA

import narrows
from narrows.evaluation.labels import vote
from narrows.tasks import Index
from narrows.tasks.retrieval import average_precision, overlap

N_COMPONENTS = 32
K, N_NEIGHBORS = 100, 10
N_MILLION, N_QUERIES = 1_000_000, 1_000


def fitted(X: np.ndarray, folder: Path) -> tuple[Any, float]:
    """Return the model and the CPU seconds of its `fit`, from the folder if they are there."""
    clock = folder / "seconds.txt"
    if clock.exists():
        return narrows.load(folder), float(clock.read_text())
    start = time.process_time()
    model = narrows.AE(N_COMPONENTS, hidden=(512, 256), max_epochs=12, random_state=SEED, checkpoint=str(folder)).fit(X)
    seconds = time.process_time() - start
    model.set_params(checkpoint=None).save(folder)
    clock.write_text(str(seconds))
    return model, seconds


def retrieval(X: np.ndarray, T: np.ndarray, y: np.ndarray, folder: Path) -> dict[str, Any]:
    """mAP@100 and accuracy of 10 neighbours, each test image left out."""
    model, seconds = fitted(X, folder)
    results: dict[str, Any] = {"cpu_seconds_of_fit": seconds}
    for metric in ("cosine", "euclidean"):
        result = Index(model, metric=metric).add(T, y).evaluate(k=K, n_neighbors=N_NEIGHBORS)
        results[f"AE(32), {metric}"] = {"map": result.map, "accuracy": result.accuracy}
    flat, flat_train = (images.reshape(len(images), -1) / 255 for images in (T, X))
    pca = PCA(N_COMPONENTS, random_state=SEED).fit(flat_train)
    white = PCA(N_COMPONENTS, random_state=SEED, whiten=True).fit(flat_train)
    peers = {"pixels": flat, "pixels, centred": flat - flat_train.mean(0)}
    peers |= {"PCA(32)": pca.transform(flat), "PCA(32), whitened": white.transform(flat)}
    for name, Z in peers.items():
        for metric in ("euclidean", "cosine"):
            results[f"{name}, {metric}"] = compared(Z, y, metric)
    return results


def compared(Z: np.ndarray, y: np.ndarray, metric: str) -> dict[str, float]:
    """Return the same measures of any vectors, by comparing all pairs."""
    V = torch.from_numpy(np.ascontiguousarray(Z, dtype=np.float32))
    V = V / V.norm(dim=1, keepdim=True).clamp(min=1e-12) if metric == "cosine" else V
    lengths, nearest = V.square().sum(1), []
    for rows in torch.arange(len(V)).split(1000):
        squares = lengths - 2 * V[rows] @ V.T
        squares[torch.arange(len(rows)), rows] = torch.inf
        nearest.append(squares.topk(K, dim=1, largest=False).indices)
    neighbors = torch.cat(nearest).numpy()
    accuracy = float((vote(y[neighbors[:, :N_NEIGHBORS]]) == y).mean())
    return {"map": float(average_precision(y, y, neighbors, exclude_self=True).mean()), "accuracy": accuracy}


def million(X: np.ndarray, T: np.ndarray, y: np.ndarray, folder: Path) -> dict[str, Any]:
    """A million codes: the times of building the index and of a query, and the recall."""
    torch.set_num_threads(1)
    model, _ = fitted(X, folder)
    rolls = list(itertools.product(range(-2, 3), range(-2, 3)))[: -(-N_MILLION // len(X))]
    index, start = Index(model), time.process_time()
    for dy, dx in rolls:
        index.add(np.roll(X, (dy, dx), (1, 2))[: N_MILLION - len(index)])
    results: dict[str, Any] = {
        "n": len(index),
        "n_queries": N_QUERIES,
        "cpu_seconds_of_coding": time.process_time() - start,
    }
    start = time.process_time()
    index.search(T[0])
    results["cpu_seconds_of_building"] = time.process_time() - start
    results["width"] = index.width
    start = time.process_time()
    rows = index.search(T[:N_QUERIES], N_NEIGHBORS).rows
    results["cpu_ms_a_query"] = 1e3 * (time.process_time() - start) / N_QUERIES
    start = time.process_time()
    for image in T[:200]:
        index.search(image, N_NEIGHBORS)
    results["cpu_ms_a_query_one_by_one"] = 1e3 * (time.process_time() - start) / 200
    index.exact = True
    start = time.process_time()
    true = index.search(T[:N_QUERIES], N_NEIGHBORS).rows
    results["cpu_ms_a_query_comparing_all"] = 1e3 * (time.process_time() - start) / N_QUERIES
    results["recall_at_10"] = overlap(true, rows)
    return results


JOBS = {"retrieval": retrieval, "million": million}


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--model", type=Path, default=Path("search-ae"), help="where the model is kept")
    options = parser.parse_args()
    X = narrows.load_dataset("fashion-mnist", "train").X
    test = narrows.load_dataset("fashion-mnist", "test")
    assert test.y is not None
    setting = {"seed": SEED, "n_train": len(X), "n_test": len(test.X), "threads": torch.get_num_threads()}
    for name in options.jobs or list(JOBS):
        results = JOBS[name](X, test.X, np.asarray(test.y), options.model)
        print(f"\n{name}: {JOBS[name].__doc__}")
        show(results)
        keep(f"search_{name}", {**setting, name: results}, "usearch")


if __name__ == "__main__":
    main()
