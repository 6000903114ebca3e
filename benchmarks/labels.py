"""Classifiers from few labels: 60,000 images, of which 100 or 1,000 have a label; accuracy on 10,000 test images.

    python benchmarks/labels.py [mnist fashion-mnist] [--draws 5] [--methods spread joint]

The labelled images are drawn at random, the same number of each class; every side gets the same images. The peers are
logistic regression and an RBF support vector machine, on pixels and on 50 principal components of all images;
cross-validation over the labelled images chooses their penalty. The encoder never sees a label and is fitted once for
all draws.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from common import SEED, arguments, keep, show
from sklearn.decomposition import PCA
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.svm import SVC

import narrows
from narrows.tasks import Classifier

NUMBERS = (100, 1000)
ENCODER = {"n_components": 32, "hidden": (512, 256), "max_epochs": 12, "random_state": SEED}


def draw_rows(y: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Draw n rows, the same number of each class."""
    rng = np.random.default_rng(seed)
    return np.concatenate([rng.choice(np.flatnonzero(y == c), n // 10, replace=False) for c in range(10)])


def peers(pca: PCA) -> dict[str, Any]:
    """Return estimators by name, for images as rows of pixels in [0, 1]."""
    line = {"logisticregression__C": [0.01, 0.1, 1, 10]}
    vectors = {"svc__C": [1, 10, 100], "svc__gamma": ["scale"]}
    kinds = {"logistic regression": (LogisticRegression(max_iter=300), line), "RBF SVM": (SVC(), vectors)}
    reduced = FrozenEstimator(pca)
    return {
        f"{name} on {what}": GridSearchCV(make_pipeline(*before, model), grid, cv=3)
        for name, (model, grid) in kinds.items()
        for what, before in {"pixels": [], "50 principal components": [reduced]}.items()
    }


def job(name: str, draws: int, methods: list[str]) -> dict[str, Any]:
    """Return the accuracies of all sides on one set of images."""
    X, y = narrows.load_dataset(name)[:2]
    T, t = narrows.load_dataset(name, "test")[:2]
    flat, flat_test = (np.float32(images).reshape(len(images), -1) / 255 for images in (X, T))
    pca = PCA(50, random_state=SEED).fit(flat)
    start = time.process_time()
    encoder = narrows.AE(**ENCODER).fit(X)
    results: dict[str, Any] = {"encoder": repr(encoder), "encoder_cpu_seconds": time.process_time() - start}
    for n in NUMBERS:
        accuracies: dict[str, list[float]] = {}
        for draw in range(draws):
            rows = draw_rows(y, n, draw)
            labels = np.full(len(y), -1)
            labels[rows] = y[rows]
            for peer, model in peers(pca).items():
                accuracies.setdefault(peer, []).append(model.fit(flat[rows], y[rows]).score(flat_test, t))
            for method in methods:
                estimator = narrows.VAE(**ENCODER) if method == "joint" else FrozenEstimator(encoder)
                model = Classifier(estimator, method=method, random_state=draw).fit(X, labels)
                accuracies.setdefault(f"narrows, {method}", []).append(model.score(T, t))
        means = {side: float(np.mean(values)) for side, values in accuracies.items()}
        best = max(v for side, v in means.items() if not side.startswith("narrows"))
        points = {side: 100 * (v - best) for side, v in means.items() if side.startswith("narrows")}
        spread = {side: float(np.std(values)) for side, values in accuracies.items()}
        results[f"{n} labels"] = {"accuracy": means, "deviation": spread, "points above the best peer": points}
        show({f"{name}, {n} labels": results[f"{n} labels"]})
    return results


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, ("mnist", "fashion-mnist"))
    parser.add_argument("--draws", type=int, default=5)
    parser.add_argument("--methods", nargs="+", default=["spread"])
    options = parser.parse_args()
    for name in options.jobs or ("mnist", "fashion-mnist"):
        results = job(name, options.draws, options.methods)
        what = "" if options.methods == ["spread"] else "_" + "-".join(options.methods)
        keep(f"labels_{name}{what}", {"seed": SEED, "n": 60_000, "draws": options.draws, **results})


if __name__ == "__main__":
    main()
