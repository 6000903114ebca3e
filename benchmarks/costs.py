"""Models whose loss has a cost of the whole pass, each measured by what the cost is for, beside AE and VAE.

    python benchmarks/costs.py [generate disentangle features select] [--data fashion_mnist] [--seeds 1]

The data are scikit-learn's digits (1,437 training and 360 test images), or 5,000 training and 2,000 test images of
another named set. All models have 8 components, in `select` 10, and at most 100 epochs.

`generate`: squared error of reconstructed test images (pixels in [0, 1]); mmd of the codes of test images (draws, if a
code has a posterior) from N(0, I), with the kernel of `objectives.Discrepancy`, times 1,000; energy distance of as many
samples as test images from these (that of the training images is the limit); ms_ssim of reconstructions.

`disentangle`: squared error; the mean KL; the total correlation of the codes in nats, as if they were Gaussian:
- log det(correlations) / 2; the largest correlation of two components.

`features`: squared error of the first k components alone, the others at their means; accuracy of 5 nearest neighbours
by codes; the share of these neighbours' accuracy that noise of standard deviation 0.2 leaves.

`select`: squared error from 10 of the pixels: chosen by `concreteae`, and at random, both with the same decoder.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from common import arguments, keep, show
from generation import energy
from sklearn.decomposition import PCA
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

import narrows
from narrows.objectives.discrepancy import mean_discrepancy
from narrows.objectives.structural_similarity import ms_ssim

Split = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
N_COMPONENTS, N_EPOCHS = 8, 100


def fit(recipe: str, X: np.ndarray, seed: int, n_components: int = N_COMPONENTS, **parameters: Any) -> Any:
    """Return the fitted estimator of a recipe."""
    fixed = {"max_epochs": N_EPOCHS, "random_state": seed, "device": "cpu"}
    return narrows.estimator(recipe)(n_components, **fixed, **parameters).fit(X)


def draw(model: Any, X: np.ndarray) -> torch.Tensor:
    """Return codes of X as the decoder gets them in training (n x L)."""
    return model._draw_codes(X, 0)


def squared_error(model: Any, T: np.ndarray) -> float:
    """Return the mean squared error of reconstructed images, pixels in [0, 1]."""
    return float(np.mean((model.reconstruct(T) / 255.0 - T / 255.0) ** 2))


GENERATE: dict[str, tuple[str, dict[str, Any]]] = {
    "AE": ("ae", {}),
    "VAE": ("vae", {}),
    "infovae": ("infovae", {}),
    "wae": ("wae", {}),
    "swae": ("swae", {}),
    "aae": ("aae", {}),
    "rae": ("rae", {}),
    "raegp": ("raegp", {}),
    "vaegan": ("vaegan", {}),
    "msssimvae": ("msssimvae", {}),
}


def generate(data: Split, seed: int) -> dict[str, Any]:
    """Codes that follow a prior, and samples."""
    X, _, T, _ = data
    results: dict[str, Any] = {"training images": {"energy": energy(X / 255.0, T / 255.0)}}
    real = torch.from_numpy(T / 255.0).unsqueeze(1)
    for name, (recipe, parameters) in GENERATE.items():
        model = fit(recipe, X, seed, **parameters)
        codes = draw(model, T)
        samples = np.asarray(model.sample(len(T), random_state=seed)) / 255.0
        restored = torch.from_numpy(model.reconstruct(T) / 255.0).unsqueeze(1)
        results[name] = {
            "squared_error": squared_error(model, T),
            "mmd_1000": 1000 * float(mean_discrepancy(codes, torch.randn(5000, codes.shape[1]).double())),
            "energy": energy(samples, T / 255.0),
            "ms_ssim": float(ms_ssim(restored, real).mean()),
            "seconds": model.history_[-1]["seconds"],
        }
        print(name, results[name], flush=True)
    return results


DISENTANGLE: dict[str, tuple[str, dict[str, Any]]] = {
    "VAE": ("vae", {}),
    "betavae": ("betavae", {}),
    "factorvae": ("factorvae", {}),
    "betatcvae": ("betatcvae", {}),
    "dipvae draws": ("dipvae", {}),
    "dipvae means": ("dipvae", {"covariance": "means", "diagonal_weight": 10.0}),
}


def disentangle(data: Split, seed: int) -> dict[str, Any]:
    """Independent components."""
    X, _, T, _ = data
    results: dict[str, Any] = {}
    for name, (recipe, parameters) in DISENTANGLE.items():
        model = fit(recipe, X, seed, **parameters)
        correlations = np.corrcoef(draw(model, T).numpy(), rowvar=False)
        results[name] = {
            "squared_error": squared_error(model, T),
            "kl": model.history_[-1]["valid_kl"],
            "tc": -0.5 * float(np.linalg.slogdet(correlations)[1]),
            "largest_correlation": float(np.abs(correlations - np.eye(len(correlations))).max()),
            "active": len(correlations) - len(model.unused_components_),
            "seconds": model.history_[-1]["seconds"],
        }
        print(name, results[name], flush=True)
    return results


def features(data: Split, seed: int) -> dict[str, Any]:
    """Ordered components, and codes that noise hardly changes."""
    X, y, T, t = data
    noisy = np.clip(T + np.random.default_rng(seed).normal(0, 0.2 * 255, T.shape), 0, 255).astype(np.uint8)
    pca = PCA(N_COMPONENTS).fit(X.reshape(len(X), -1) / 255.0)
    flat, results = T.reshape(len(T), -1) / 255.0, dict[str, Any]()
    scores = pca.transform(flat)
    results["PCA"] = {}
    for k in (1, 2, 4, N_COMPONENTS):
        restored = pca.mean_ + scores[:, :k] @ pca.components_[:k]
        results["PCA"][f"first_{k}"] = float(np.mean((restored - flat) ** 2))
    for name, parameters in {"ae": {}, "contractiveae": {}, "nestedae": {}}.items():
        model = fit(name, X, seed, **parameters)
        Z, ZT, ZN = (model.transform(A) for A in (X, T, noisy))
        judge = KNeighborsClassifier(5).fit(Z, y)
        errors = {}
        for k in (1, 2, 4, N_COMPONENTS):
            kept = np.broadcast_to(Z.mean(0), ZT.shape).copy() if name != "nestedae" else np.zeros_like(ZT)
            kept[:, :k] = ZT[:, :k]
            errors[f"first_{k}"] = float(np.mean((model.inverse_transform(kept) / 255.0 - T / 255.0) ** 2))
        results[name] = {
            **errors,
            "accuracy": judge.score(ZT, t),
            "noisy_accuracy": judge.score(ZN, t),
            "moved": float(np.mean((ZN - ZT) ** 2) / Z.var(0).mean()),
            "seconds": model.history_[-1]["seconds"],
        }
        print(name, results[name], flush=True)
    return results


def select(data: Split, seed: int) -> dict[str, Any]:
    """Pixels from which all others can be restored."""
    X, _, T, _ = data
    flat, rest = X.reshape(len(X), -1) / 255.0, T.reshape(len(T), -1) / 255.0
    generator, results = np.random.default_rng(seed), dict[str, Any]()
    model = fit("concreteae", X, seed, n_components=10)
    chosen = model.model_.bottleneck.selected.numpy()
    varied = np.flatnonzero(flat.std(0) > 0.05)

    def judge(columns: np.ndarray) -> float:
        regressor = KNeighborsRegressor(10).fit(flat[:, columns], flat)
        return float(np.mean((regressor.predict(rest[:, columns]) - rest) ** 2))

    by_chance = [judge(generator.choice(varied, 10, replace=False)) for _ in range(20)]
    by_variance = np.argsort(-flat.std(0))[:10]
    results["concreteae"] = {
        "squared_error": squared_error(model, T),
        "distinct": len(set(chosen.tolist())),
        "by_neighbors": judge(chosen),
        "seconds": model.history_[-1]["seconds"],
    }
    results["random pixels"] = {"by_neighbors": float(np.mean(by_chance)), "best_of_20": min(by_chance)}
    results["most variance"] = {"by_neighbors": judge(by_variance)}
    print(results, flush=True)
    return results


JOBS = {"generate": generate, "disentangle": disentangle, "features": features, "select": select}


def load(name: str) -> Split:
    """Return training images with labels, and test images with labels."""
    train, test = (narrows.load_dataset(name, split) for split in ("train", "test"))
    X, y, T, t = (np.asarray(a) for a in (train.X, train.y, test.X, test.y))
    X, T = (A if A.dtype == np.uint8 else (A * (255 / A.max())).astype(np.uint8) for A in (X, T))
    return X[:5000], y[:5000], T[:2000], t[:2000]


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--data", default="digits")
    parser.add_argument("--seeds", type=int, default=1, help="number of seeds")
    options = parser.parse_args()
    data = load(options.data)
    for name in options.jobs or list(JOBS):
        for seed in range(options.seeds):
            results = JOBS[name](data, seed)
            print(f"\n{name}, seed {seed}: {JOBS[name].__doc__}")
            show(results)
            numbers = {"seed": seed, "n_train": len(data[0]), "n_test": len(data[2]), name: results}
            keep(f"costs_{name}_{options.data}_{seed}", numbers)


if __name__ == "__main__":
    main()
