"""Bounds, priors and posteriors of a VAE: the log-likelihood of test images, and the clusters of a mixture prior.

    python benchmarks/bounds.py [likelihood clusters] [--models ...]

likelihood: the digits of scikit-learn as binary images (values of at least 0.5 are 1), MLPs of one hidden layer of 128,
    codes of 8 components, 40 epochs each, of which the best by the held-out loss is kept. The negative log-likelihood
    of the 359 test images in nats is the estimate from 500 draws of each posterior. The bounds take 8 draws.
clusters: normalised mutual information and adjusted Rand index of the clusters of digits with their labels: those of
    `gmvae`, and k-means with 10 clusters on the codes of a VAE and of PCA.

All are means and standard deviations over seeds 0 to 2 (likelihood) and 0 to 4 (clusters).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import arguments, keep
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

import narrows
from narrows.data.named import load
from narrows.evaluation.likelihood import importance

_COMMON = {"hidden": (128,), "max_epochs": 40, "compile": False, "verbose": 0}
_MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "vae": ("vae", {}),
    "iwae": ("iwae", {}),
    "miwae": ("miwae", {}),
    "piwae": ("piwae", {}),
    "ciwae": ("ciwae", {}),
    "mixture prior": ("gmvae", {}),
    "vamp": ("vamp", {}),
    "flow prior": ("vae", {"prior": "flow"}),
    "planar posterior": ("vae_linnf", {}),
    "flow posterior": ("vae_iaf", {}),
    "ladder": ("laddervae", {}),
}


def measure_likelihood(name: str, seed: int) -> dict[str, float]:
    """Return the negative log-likelihood of test images in nats, and the seconds of the fit."""
    X, T = ((load("digits", split).X >= 0.5).astype(np.uint8) for split in ("train", "test"))
    recipe, parameters = _MODELS[name]
    model = narrows.estimator(recipe)(8, **parameters, **_COMMON, batch_size=64, n_iter_no_change=40, random_state=seed)
    begun = time.perf_counter()
    model.fit(X)
    seconds = time.perf_counter() - begun
    x = model.prepare(T)
    with torch.inference_mode():
        log_p, _ = importance(model.model_, model.apply(model.model_.encoder, x), x, 500, seed=0)
    return {"nll": -float(log_p.mean()), "elbo": float(model.score(T)), "seconds": seconds}


def measure_clusters(name: str, seed: int) -> dict[str, float]:
    """Return how well the clusters of digits match their labels."""
    data = load("digits")
    n, common = 10, {**_COMMON, "random_state": seed}
    if name == "gmvae":
        found = narrows.estimator("gmvae")(n, **common).fit(data.X).predict_cluster(data.X)
    elif name == "vae, k-means":
        codes = narrows.VAE(n, **common).fit_transform(data.X)
        found = KMeans(10, n_init=10, random_state=seed).fit_predict(codes)
    else:
        codes = PCA(n, random_state=seed).fit_transform(data.X.reshape(len(data.X), -1))
        found = KMeans(10, n_init=10, random_state=seed).fit_predict(codes)
    return {
        "nmi": normalized_mutual_info_score(data.y, found),
        "ari": adjusted_rand_score(data.y, found),
        "n_clusters": len(np.unique(found)),
    }


JOBS: dict[str, tuple[Callable[[str, int], dict[str, float]], list[str], int]] = {
    "likelihood": (measure_likelihood, list(_MODELS), 3),
    "clusters": (measure_clusters, ["gmvae", "vae, k-means", "pca, k-means"], 5),
}


def main() -> None:
    """Run the jobs that the command line names, and print a line for each model."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--models", nargs="*", help="which models (default: all)")
    options = parser.parse_args()
    for job in options.jobs or JOBS:
        measure, names, n_seeds = JOBS[job]
        results: dict[str, Any] = {"seeds": n_seeds}
        for name in options.models or names:
            runs = [measure(name, seed) for seed in range(n_seeds)]
            means = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
            deviations = {f"{key}_std": float(np.std([run[key] for run in runs])) for key in runs[0]}
            results[name] = {**means, **deviations}
            print(job, name, {key: round(value, 4) for key, value in results[name].items()}, flush=True)
        keep(f"bounds_{job}", results, "zuko")


if __name__ == "__main__":
    main()
