"""Cost and accuracy of `narrows.evaluate` and `narrows.sweep` on Fashion-MNIST (60,000 train, 10,000 test).

    python benchmarks/evaluation.py [evaluate nll sweep] [--epochs N]

evaluate: all measures of a VAE on 10,000 images: seconds, CPU seconds and peak memory.
nll: the likelihood of a linear VAE by importance sampling, beside the exact one of probabilistic PCA.
sweep: eight sizes at once beside a fit of the largest alone, in CPU seconds, and their errors beside those of separate
fits of some sizes. Finished parts are kept, and a run that was stopped continues from there.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from common import RESULTS, SEED, arguments, keep, memory_mib, show
from sklearn.decomposition import PCA

import narrows

SIZES = (1, 2, 4, 8, 16, 32, 64, 128)
CHECKED = (128, 2, 16)  # also fitted separately


def clocked(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return the result of `call` and its seconds by both clocks."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def evaluate(X: Any, T: Any, y: np.ndarray, epochs: int | None) -> dict[str, Any]:
    """All measures of a VAE on 10,000 images, beside PCA."""
    model = narrows.VAE(16, likelihood="bernoulli", max_epochs=epochs or 5, random_state=SEED).fit(X)
    before, _ = memory_mib()
    table, cost = clocked(lambda: narrows.evaluate(model, T, y, train=X))
    _, peak = memory_mib()
    print(table)
    return {"n": len(T), "epochs": model.n_iter_, **cost, "grown_mib": peak - before, **table.to_dict()}


def nll(X: Any, T: Any, y: np.ndarray, epochs: int | None) -> dict[str, Any]:
    """A trained linear VAE on the first 8 principal components of 5,000 images, 3 of them in the code."""
    flat = X[:5_000].reshape(5_000, -1) / 255.0
    rows = PCA(8, random_state=0).fit_transform(flat)
    settings = {"early_stopping": False, "kl_warmup": 0.0, "learning_rate": 3e-3, "precision": "float32"}
    model = narrows.VAE(3, hidden=(), max_epochs=epochs or 60, random_state=SEED, **settings).fit(rows)
    prepared = model.prepare(rows).double().numpy()
    exact = -PCA(3).fit(prepared).score(prepared) + model.schema_.log_scale
    table = narrows.evaluate(model, rows, measures=["nll", "elbo"], n_draws=256)
    rows_used = np.unique(np.linspace(0, len(rows) - 1, 1_000).astype(int))  # those whose likelihood is estimated
    exact_used = -PCA(3).fit(prepared).score(prepared[rows_used]) + model.schema_.log_scale
    result = {
        "K": 256,
        "n": len(rows_used),
        "nll": table["nll"],
        "exact": exact_used,
        "exact_all": exact,
        "elbo": table["elbo"],
    }
    return {**result, "gap": table["nll"] - exact_used, "words": table.explained["nll"]}


def sweep(X: Any, T: Any, y: np.ndarray, epochs: int | None) -> dict[str, Any]:
    """Eight sizes of AE at once, and some of them separately."""
    path = RESULTS / "evaluation_sweep.json"
    results: dict[str, Any] = json.loads(path.read_text())["sweep"] if path.exists() else {}
    if results.get("max_epochs", epochs) != epochs:
        results = {}
    results["max_epochs"] = epochs
    model = narrows.AE(max_epochs="auto" if epochs is None else epochs, random_state=SEED)

    def record(**more: Any) -> None:
        results.update(more)
        keep("evaluation_sweep", {"seed": SEED, "n_train": len(X), "n_test": len(T), "sweep": results})

    for size in CHECKED:
        if f"single_{size}" not in results:
            one, cost = clocked(lambda size=size: narrows.AE(**{**model.get_params(), "n_components": size}).fit(X))
            mse = narrows.evaluate(one, T, measures=["mse"])["mse"]
            record(**{f"single_{size}": {**cost, "epochs": one.n_iter_, "mse": mse}})
        if "all" not in results:
            swept, cost = clocked(lambda: narrows.sweep(model, X, sizes=SIZES, test=T))
            print(swept)
            mse = {str(r["n_components"]): r["mse"] for r in swept.results}
            pca = {str(r["n_components"]): r["pca_mse"] for r in swept.results}
            choice = {"recommended": swept.recommended, "reason": swept.reason}
            record(all={**cost, "mode": swept.mode, **choice, "mse": mse, "pca_mse": pca})
            swept.plot(Path(__file__).parent.parent / "docs" / "sweep.png")
    results["cost_ratio"] = results["all"]["cpu_seconds"] / results[f"single_{SIZES[-1]}"]["cpu_seconds"]
    results["mse_ratio"] = {str(n): results["all"]["mse"][str(n)] / results[f"single_{n}"]["mse"] for n in CHECKED}
    return results


JOBS = {"evaluate": evaluate, "nll": nll, "sweep": sweep}


def main() -> None:
    """Run the named jobs, or all."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--epochs", type=int, help="of each training, at most; the default is the job's own")
    options = parser.parse_args()
    X, T = (narrows.load_dataset("fashion-mnist", split) for split in ("train", "test"))
    for name in options.jobs or list(JOBS):
        result = JOBS[name](X.X, T.X, T.y, options.epochs)
        print(f"\n{name}: {JOBS[name].__doc__}")
        show(result)
        keep(f"evaluation_{name}", {"seed": SEED, "n_train": len(X.X), "n_test": len(T.X), name: result})


if __name__ == "__main__":
    main()
