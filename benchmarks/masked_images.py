"""The features of a masked autoencoder for images beside those of AE and DAE, which have as much time.

    python benchmarks/masked_images.py [digits fashion] [--seconds 60] [--seeds 1] [--n-components 32]

A logistic regression on the standardised codes learns the labels of 200 and of all training images; the accuracy is
that on other images. The CPU seconds are those of the training: on a busy machine it gets less than `--seconds`. No
step is compiled.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from common import SEED, arguments, keep, show
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import narrows

MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "ae": ("ae", {}),
    "dae": ("dae", {"noise": "masking", "level": 0.5}),
    "maskedae": ("maskedae", {}),
}
SETS = {"digits": ("digits", 1_000), "fashion": ("fashion-mnist", 5_000)}
N_TEST, N_FEW = 2_000, 200


def measure(name: str, X: np.ndarray, y: np.ndarray, n: int, seed: int, options: Any) -> dict[str, float]:
    """Return the accuracies, the squared error and the CPU seconds of a model of the first n images."""
    recipe, parameters = MODELS[name]
    model = narrows.estimator(recipe)(
        n_components=options.n_components,
        max_time=options.seconds,
        compile=False,
        device="cpu",
        random_state=seed,
        verbose=0,
        **parameters,
    )
    start = time.process_time()
    model.fit(X[:n])
    seconds = time.process_time() - start
    codes, test = model.transform(X[:n]), slice(n, n + N_TEST)
    results = {
        "cpu_seconds": seconds,
        "mse": float(np.mean((model.reconstruct(X[test]) / 255.0 - X[test] / 255.0) ** 2)),
    }
    for n_labels in (N_FEW, n):
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1_000)).fit(codes[:n_labels], y[:n_labels])
        results[f"accuracy_{n_labels}"] = float(probe.score(model.transform(X[test]), y[test]))
    return results


def compare(which: str, options: Any) -> dict[str, Any]:
    """Return the mean results of each model on one set of images."""
    name, n = SETS[which]
    X, y = (np.asarray(part) for part in narrows.load_dataset(name)[:2])
    side = int(np.sqrt(X[0].size))
    scale = 255 / X.max()
    order = np.random.default_rng(SEED).permutation(len(X))[: n + N_TEST]
    X, y = np.rint(X[order].reshape(-1, side, side) * scale).astype(np.uint8), y[order]
    results = {}
    for model in MODELS:
        runs = [measure(model, X, y, n, seed, options) for seed in range(options.seeds)]
        results[model] = {key: round(float(np.mean([run[key] for run in runs])), 4) for key in runs[0]}
        show({f"{which} {model}": results[model]})
    return results


if __name__ == "__main__":
    parser = arguments(__doc__, SETS)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--n-components", type=int, default=32)
    options = parser.parse_args()
    results = {which: compare(which, options) for which in options.jobs or SETS}
    keep("masked_images", {"options": vars(options), **results})
