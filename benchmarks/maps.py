"""Maps in two dimensions: narrows.MapAE beside UMAP and the plain autoencoder, on 10,000 test images.

    python benchmarks/maps.py [mnist fashion-mnist] [--sides mapae umap ...] [--again] [--models FOLDER]

Trustworthiness and continuity (Venna and Kaski, 2001) are means over k = 10, 20, ..., 200; the last measure is the
leave-one-out accuracy of 10 nearest neighbours on the map. All sides but one are fitted on the 60,000 training images
and map the test images, which they have not seen; `umap-on-test` is fitted on the test images themselves. All keep
their defaults but for the seed. Times are seconds of processor time, in all threads; that of mapping the test images
is the median of five. A side that has results is run again only with --again. With --models, narrows' models are
kept in that folder and fitted only if they are not there.

The jobs of codes compare maps of 16 numbers for each test image, the codes of a small VAE: `narrows.evaluation.layout`,
which `model.plot.map(X, method="neighbours")` draws, and UMAP, each on its defaults, with three seeds in turn. Their
measures are about the codes, not about the images.
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, SEED, arguments, keep, show

import narrows
from narrows.evaluation.inspection import Inspection
from narrows.evaluation.layout import NeighborLayout
from narrows.evaluation.manifold import neighbour_ranks, preserved

_KS = range(10, 201, 10)
_VOTES = 10
_FIRST = 20  # steps to a first layout


def evaluate(Z: np.ndarray, T: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """Return the three measures of the map Z (n x 2) of the images T with the labels y."""
    flat = T.reshape(len(T), -1)
    trust, continuity = neighbour_ranks(flat, Z, _KS[-1]), neighbour_ranks(Z, flat, _KS[-1])
    return {
        "trustworthiness": float(np.mean([preserved(trust, k).mean() for k in _KS])),
        "continuity": float(np.mean([preserved(continuity, k).mean() for k in _KS])),
        "accuracy": float((votes(Z, y) == y).mean()),
    }


def votes(Z: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the commonest label among the nearest neighbours of each point, without the point itself."""
    z, labels = torch.from_numpy(np.asarray(Z, dtype=np.float64)), torch.from_numpy(y.astype(np.int64))
    winners = []
    for start in range(0, len(z), 1000):
        distances = torch.cdist(z[start : start + 1000], z)
        rows = torch.arange(len(distances))
        distances[rows, start + rows] = torch.inf
        neighbors = labels[distances.topk(_VOTES, largest=False).indices]
        winners.append(torch.nn.functional.one_hot(neighbors).sum(1).argmax(1))
    return torch.cat(winners).numpy()


def clocked(call: Callable[[], Any]) -> tuple[Any, float]:
    """Return the result of `call` and its seconds of processor time."""
    start = time.process_time()
    return call(), time.process_time() - start


def applied(transform: Callable[[np.ndarray], np.ndarray], T: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the map of T and its seconds of processor time."""
    transform(T[:10])  # compiles it
    runs = [clocked(lambda: transform(T)) for _ in range(5)]
    return runs[0][0], float(np.median([seconds for _, seconds in runs]))


def by_umap(X: np.ndarray, T: np.ndarray, _kept: Path | None) -> tuple[np.ndarray, dict[str, float]]:
    """UMAP fitted on the training images, which transforms the test images."""
    import umap

    flat, test = (images.reshape(len(images), -1) / np.float32(255) for images in (X, T))
    model, seconds = clocked(lambda: umap.UMAP(random_state=SEED, n_jobs=1).fit(flat))
    Z, took = applied(model.transform, test)
    return Z, {"fit_cpu_seconds": seconds, "transform_cpu_seconds": took}


def by_umap_on_test(_X: np.ndarray, T: np.ndarray, _kept: Path | None) -> tuple[np.ndarray, dict[str, float]]:
    """UMAP fitted on the test images themselves."""
    import umap

    test = T.reshape(len(T), -1) / np.float32(255)
    Z, seconds = clocked(lambda: umap.UMAP(random_state=SEED, n_jobs=1).fit_transform(test))
    return Z, {"fit_cpu_seconds": seconds}


def by_narrows(name: str) -> Callable[[np.ndarray, np.ndarray, Path | None], tuple[np.ndarray, dict[str, float]]]:
    """A recipe on its defaults."""

    def side(X: np.ndarray, T: np.ndarray, kept: Path | None) -> tuple[np.ndarray, dict[str, float]]:
        folder = None if kept is None else kept / name
        measures: dict[str, Any] = {}
        if folder is not None and (folder / "recipe.json").exists():
            model, measures = narrows.load(folder), json.loads((folder / "fitted.json").read_text())
        else:
            model, seconds = clocked(lambda: narrows.estimator(name)(random_state=SEED, verbose=2).fit(X))
            measures["fit_cpu_seconds"] = seconds
            if folder is not None:
                model.save(folder)
                (folder / "fitted.json").write_text(json.dumps(measures))
        Z, took = applied(model.transform, T)
        measures |= {"transform_cpu_seconds": took, "epochs": model.n_iter_}
        measures["mse"] = float(np.square((model.inverse_transform(Z) - T.astype(np.float32)) / 255).mean())
        if hasattr(model, "trust"):
            measures |= by_fifths(model.trust(T), T, Z)
        return Z, measures

    return side


def by_fifths(trust: np.ndarray, T: np.ndarray, Z: np.ndarray) -> dict[str, Any]:
    """Return the measured trustworthiness (k = 50) of each fifth of the test images, from the least trusted on."""
    measured = preserved(neighbour_ranks(T.reshape(len(T), -1), Z, 50), 50)
    fifths = np.array_split(np.argsort(trust, kind="stable"), 5)
    return {
        "fifths_trust": [float(trust[rows].mean()) for rows in fifths],
        "fifths_measured": [float(measured[rows].mean()) for rows in fifths],
        "correlation": float(np.corrcoef(trust, measured)[0, 1]),
    }


SIDES = {
    "umap": by_umap,
    "umap-on-test": by_umap_on_test,
    "ae": by_narrows("ae"),
    "mapae": by_narrows("mapae"),
}
JOBS = ("mnist", "fashion-mnist", "mnist-codes", "fashion-mnist-codes")
_CODES = "-codes"  # the end of the names of jobs that map codes
_SEEDS = 3


def by_layout(codes: np.ndarray, start: np.ndarray, seed: int) -> np.ndarray:
    """The layout of narrows, from the principal axes on."""
    return NeighborLayout(codes, start, random_state=seed).advance()


def by_umap_of_codes(codes: np.ndarray, _start: np.ndarray, seed: int) -> np.ndarray:
    """UMAP of the same codes."""
    import umap

    return umap.UMAP(random_state=seed, n_jobs=1).fit_transform(codes)


CODE_SIDES = {"layout": by_layout, "umap": by_umap_of_codes}


def map_codes(name: str, kept: Path | None) -> None:
    """Map the codes of a VAE of the training images by both sides in turn, and write the results."""
    train, test = (narrows.load_dataset(name, split) for split in ("train", "test"))
    folder = None if kept is None else kept / f"{name}{_CODES}"
    if folder is not None and (folder / "recipe.json").exists():
        model = narrows.load(folder)
    else:
        model = narrows.VAE(16, network="mlp", hidden=(256,), max_epochs=10, random_state=SEED, verbose=2).fit(train.X)
        if folder is not None:
            model.save(folder)
    codes, y = np.asarray(model.transform(test.X)), np.asarray(test.y)
    start, threads = Inspection(model, test.X[:0], codes=codes).plane.places, torch.get_num_threads()
    by_layout(codes[:500], start[:500], 0), by_umap_of_codes(codes[:500], start[:500], 0)  # compiles UMAP
    torch.set_num_threads(threads)  # numba has raised it, and threads that wait are counted, too
    first, seconds = clocked(lambda: NeighborLayout(codes, start).advance(_FIRST))
    sides: dict[str, Any] = {"first": {"steps": _FIRST, "cpu_seconds": seconds, **evaluate(first, codes, y)}}
    runs: dict[str, list[dict[str, float]]] = {side: [] for side in CODE_SIDES}
    for seed in range(_SEEDS):
        for side, place in CODE_SIDES.items():
            torch.set_num_threads(threads)
            Z, seconds = clocked(lambda place=place, seed=seed: place(codes, start, seed))
            runs[side].append({"cpu_seconds": seconds, **evaluate(Z, codes, y)})
            print(f"{name}, {side}, seed {seed}", runs[side][-1], flush=True)
    for side, measured in runs.items():
        sides[side] = {key: [run[key] for run in measured] for key in measured[0]}
    show(sides)
    setting = {"seeds": _SEEDS, "n_train": len(train.X), "n_test": len(test.X), "threads": threads}
    keep(f"maps_{name}{_CODES}", {**setting, "epochs": model.n_iter_, "sides": sides}, "umap-learn")


def main() -> None:
    """Run the sides without results, and write the results after each."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--sides", nargs="*", choices=list(SIDES), default=list(SIDES), help="which (default: all)")
    parser.add_argument("--again", action="store_true", help="also those that were run before")
    parser.add_argument("--models", type=Path, help="where narrows' models are kept")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", module="umap")
    for name in options.jobs or JOBS:
        if name.endswith(_CODES):
            map_codes(name.removesuffix(_CODES), options.models)
            continue
        train, test = (narrows.load_dataset(name, split) for split in ("train", "test"))
        path = RESULTS / f"maps_{name}.json"
        results = json.loads(path.read_text())["sides"] if path.exists() else {}
        for side in options.sides:
            if side in results and not options.again:
                continue
            Z, measures = SIDES[side](train.X, test.X, options.models and options.models / name)
            results[side] = {**evaluate(Z, test.X, np.asarray(test.y)), **measures}
            print(f"\n{name}, {side}: {SIDES[side].__doc__}")
            show(results[side])
            setting = {"seed": SEED, "n_train": len(train.X), "n_test": len(test.X), "threads": torch.get_num_threads()}
            keep(f"maps_{name}", {**setting, "sides": results}, "umap-learn")


if __name__ == "__main__":
    main()
