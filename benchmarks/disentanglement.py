"""Disentanglement of VAEs on sprites with known factors, and whether UDR ranks the trainings as the factors do.

    python benchmarks/disentanglement.py [vae betavae ...] [--seeds 3] [--rows 4000] [--epochs 100] [--max-time 60]
        [--start random]

The data are `synthetic_sprites`: pictures of 24 x 24 pixels of a square, an ellipse or a heart, with 3 scales, 8
orientations and 16 x 16 positions. Each recipe is trained with several seeds, on its defaults but for 8 components,
layers of 64 and 64, the Bernoulli likelihood, and the limits on epochs and seconds. Measured are 2,000 other sprites,
the shape as a categorical factor. Trainings start at random weights: the default start at PCA makes the components of
all seeds alike before the first step, and UDR sees that. The first table has the mean over seeds and, in brackets, the
largest less the smallest value.

UDR is computed within each recipe, over its seeds ("udr_own"), and over all trainings together ("udr"). The second
table has Spearman's rank correlation of both with each measure, over all trainings.
"""

from __future__ import annotations

import argparse
import functools
from typing import Any

import numpy as np
from common import SEED, arguments, keep, timed
from scipy.stats import spearmanr

import narrows
from narrows.evaluation import evaluate_disentanglement, rank_disentanglement, synthetic_sprites
from narrows.recipes import available

RECIPES = ("vae", "betavae", "factorvae", "betatcvae", "dipvae")
N_TEST, SIZE, N_COMPONENTS = 2_000, 24, 8
N_VALUES = (3, 3, 8, 16, 16)


def train(recipe: str, X: np.ndarray, seed: int, options: argparse.Namespace) -> Any:
    """Return a fitted model of a recipe."""
    estimator = narrows.estimator(recipe)
    values = {"network": "mlp", "hidden": (64, 64), "likelihood": "bernoulli", "verbose": 0, "random_state": seed}
    if "start" in estimator.parameters():
        values["start"] = options.start
    return estimator(N_COMPONENTS, max_epochs=options.epochs, max_time=options.max_time, **values).fit(X)


def measure(model: Any, test: Any) -> dict[str, float]:
    """Return the measures of a fitted model, its loss and its size."""
    values = evaluate_disentanglement(model, test.X, test.factors, categorical=[0]).values
    return {**values, "score": float(model.score(test.X)), "epochs": float(model.n_iter_)}


def add_udr(models: list[Any], rows: list[dict[str, float]], X: np.ndarray, n_seeds: int) -> None:
    """Add UDR to the rows of all trainings: over all of them, and over the seeds of the recipe."""
    for method in ("spearman", "lasso"):
        together = rank_disentanglement(models, X, method=method).scores
        for first in range(0, len(models), n_seeds):
            own = rank_disentanglement(models[first : first + n_seeds], X, method=method).scores
            for number, udr in enumerate(own, start=first):
                rows[number] |= {f"udr_{method}": float(together[number]), f"udr_own_{method}": float(udr)}


def correlate(rows: list[dict[str, float]]) -> dict[str, dict[str, float]]:
    """Return Spearman's correlation of each UDR with each measure, over all trainings."""
    udrs = [name for name in rows[0] if name.startswith("udr")]
    names = [name for name in rows[0] if name not in (*udrs, "seconds", "epochs")]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    return {name: {udr: float(spearmanr(columns[udr], columns[name]).statistic) for udr in udrs} for name in names}


def print_table(columns: dict[str, dict[str, str]]) -> None:
    """Print texts by column and row."""
    rows = list(next(iter(columns.values())))
    print(f"\n{'':<18}" + "".join(f"{name:>18}" for name in columns))
    for row in rows:
        print(f"{row:<18}" + "".join(f"{column[row]:>18}" for column in columns.values()))


def main() -> None:
    """Train and measure all, and keep the results."""
    parser = arguments(__doc__, RECIPES)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--rows", type=int, default=4_000)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--max-time", type=float, default=60, help="seconds of a training at most")
    parser.add_argument("--start", default="random", choices=["random", "pca"], help="weights before the training")
    options = parser.parse_args()
    names = [name for name in options.jobs or RECIPES if name in available()]
    sprites = synthetic_sprites(options.rows + N_TEST, SIZE, n_values=N_VALUES, random_state=SEED)
    X = sprites.X[: options.rows]
    test = sprites._replace(X=sprites.X[options.rows :], factors=sprites.factors[options.rows :])
    models: list[Any] = []
    rows: list[dict[str, float]] = []
    for name in names:
        for seed in range(options.seeds):
            model, seconds = timed(functools.partial(train, name, X, seed, options))
            models.append(model)
            rows.append({**measure(model, test), "seconds": seconds})
            print(name, seed, {key: round(value, 3) for key, value in rows[-1].items()}, flush=True)
    add_udr(models, rows, test.X, options.seeds)
    trainings = {name: rows[i * options.seeds : (i + 1) * options.seeds] for i, name in enumerate(names)}
    print_table({name: summarise(of_recipe) for name, of_recipe in trainings.items()})
    correlation = correlate(rows)
    udrs = {udr: {name: f"{row[udr]:.2f}" for name, row in correlation.items()} for udr in correlation["mig"]}
    print_table(udrs)
    kept = {"rank_correlation": correlation, "trainings": trainings}
    keep("disentanglement", {"seeds": options.seeds, "n_train": len(X), "n_test": N_TEST, **vars(options), **kept})


def summarise(rows: list[dict[str, float]]) -> dict[str, str]:
    """Return mean and spread of each number over the trainings of a recipe, as text."""
    values = {name: [row[name] for row in rows] for name in rows[0]}
    return {name: f"{np.mean(v):.3f} ({np.ptp(v):.3f})" for name, v in values.items()}


if __name__ == "__main__":
    main()
