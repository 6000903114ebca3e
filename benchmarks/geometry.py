"""VAEs on curved spaces beside the plain one: digits, and a tree whose nodes are drawn by branching diffusion.

    python benchmarks/geometry.py [digits tree] [--seeds 3] [--epochs 60]

All models have the same networks, no linear path, and the same steps. Digits: nats per example of held-out images, by
importance sampling with 64 draws, and the accuracy of 10 nearest neighbours, by the distance of the space, among the
codes of the training images. Tree (Mathieu et al., 2019): distances between the codes of its nodes, beside their
distances in the tree; the distortion is mean |a d_code / d_tree - 1| with the best a.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from common import SEED, arguments, keep, show
from scipy.optimize import minimize_scalar
from scipy.stats import spearmanr
from sklearn.datasets import load_digits

import narrows
from narrows.evaluation.likelihood import importance
from narrows.model import inference_mode

MODELS: dict[str, dict[str, Any]] = {"vae": {"start": "random"}, "svae": {}, "poincarevae": {}, "hvae": {}}
SIZES, N_TRAIN, N_DRAWS = (2, 5, 16), 1_400, 64
DEPTH, N_FEATURES, N_NOISY = 6, 50, 20  # levels below the root, numbers of a node, and noisy rows of each node


def fit(name: str, X: np.ndarray, n_components: int, seed: int, epochs: int) -> Any:
    """Fit a model by the name of its recipe."""
    return narrows.estimator(name)(
        n_components=n_components,
        hidden=(128, 64),
        batch_size=100,
        max_epochs=epochs,
        learning_rate=2e-3,
        precision="float32",
        compile=False,
        verbose=0,
        random_state=seed,
        **MODELS[name],
    ).fit(X)


def distances(model: Any, a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return the distances of codes a (n x L) and b (m x L) in the space of the model (n x m)."""
    first, last = torch.from_numpy(a).double(), torch.from_numpy(b).double()
    distance: Callable[..., torch.Tensor] | None = getattr(model.model_.bottleneck, "distance", None)
    if distance is None:
        return torch.cdist(first, last).numpy()
    return torch.stack([distance(row.expand_as(last), last) for row in first]).numpy()


def nll(model: Any, rows: np.ndarray) -> float:
    """Return minus the mean log-likelihood of rows, by importance sampling."""
    x, network = model.prepare(rows), model.module()
    with inference_mode(network):
        log_p, _ = importance(network, model.apply(network.encoder, x), x, N_DRAWS, SEED)
    return -float(log_p.mean()) + float(np.mean(model.schema_.log_scale(rows)))


def digits(seeds: int, epochs: int) -> dict[str, Any]:
    """Return the likelihoods and accuracies on held-out digits."""
    images, y = load_digits(return_X_y=True)
    X = (images * (255 / 16)).astype(np.uint8).reshape(-1, 8, 8)
    order = np.random.default_rng(SEED).permutation(len(X))
    train, test = order[:N_TRAIN], order[N_TRAIN:]
    results: dict[str, Any] = {"n_train": len(train), "n_test": len(test)}
    for n_components in SIZES:
        for name in MODELS:
            scores = []
            for seed in range(seeds):
                model = fit(name, X[train], n_components, seed, epochs)
                codes = distances(model, model.transform(X[test]), model.transform(X[train]))
                nearest = y[train][codes.argsort(1)[:, :10]]
                votes = np.stack([(nearest == label).sum(1) for label in range(10)], 1)
                scores.append((nll(model, X[test]), -model.score(X[test]), (votes.argmax(1) == y[test]).mean()))
            results[f"{name}, {n_components} components"] = summarize(("nll", "minus elbo", "10-nn accuracy"), scores)
            show({f"{name}, {n_components}": results[f"{name}, {n_components} components"]})
    return results


def tree(seeds: int, epochs: int) -> dict[str, Any]:
    """Return how well the distances of codes follow those of a tree with 127 nodes, for 2 components."""
    results: dict[str, Any] = {"nodes": 2 ** (DEPTH + 1) - 1, "rows of each": N_NOISY}
    for name in MODELS:
        scores = []
        for seed in range(seeds):
            nodes, steps = branching_diffusion(np.random.default_rng(seed))
            rng = np.random.default_rng(1_000 + seed)
            rows = np.repeat(nodes, N_NOISY, 0)
            model = fit(name, rows + 0.5 * rng.standard_normal(rows.shape), 2, seed, epochs)
            codes = model.transform(nodes)
            pairs = np.triu_indices(len(nodes), 1)
            ours, theirs = distances(model, codes, codes)[pairs], steps[pairs]
            scale = minimize_scalar(lambda log_a, r=ours / theirs: np.abs(np.exp(log_a) * r - 1).mean()).x
            distortion = np.abs(np.exp(scale) * ours / theirs - 1).mean()
            scores.append((distortion, spearmanr(ours, theirs).statistic, -model.score(rows)))
        results[name] = summarize(("distortion", "rank correlation", "minus elbo"), scores)
        show({name: results[name]})
    return results


def branching_diffusion(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes of a binary tree (n x d), each its parent plus N(0, I), and their distances in steps (n x n)."""
    n = 2 ** (DEPTH + 1) - 1
    nodes = np.zeros((n, N_FEATURES))
    ancestors = [{0: 0}]  # number of steps up to each ancestor, by its number
    for i in range(1, n):
        parent = (i - 1) // 2
        nodes[i] = nodes[parent] + rng.standard_normal(N_FEATURES)
        ancestors.append({i: 0, **{a: steps + 1 for a, steps in ancestors[parent].items()}})
    steps = [[min(up[a] + down[a] for a in up.keys() & down.keys()) for down in ancestors] for up in ancestors]
    return nodes, np.array(steps, dtype=float)


def summarize(names: tuple[str, ...], scores: list[tuple[float, ...]]) -> dict[str, list[float]]:
    """Return the mean and the standard deviation over seeds of each score."""
    array = np.array(scores, dtype=float)
    pairs = np.stack([array.mean(0), array.std(0)], 1).round(3).tolist()
    return dict(zip(names, pairs, strict=True))


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, ("digits", "tree"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=60)
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in options.jobs or ("digits", "tree"):
        results = {"digits": digits, "tree": tree}[name](options.seeds, options.epochs)
        keep(f"geometry_{name}", {"seeds": options.seeds, "epochs": options.epochs, **results})


if __name__ == "__main__":
    main()
