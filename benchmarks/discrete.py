"""Discrete codes of as many bits: what they keep of an example, how they use their values, what samples are like.

    python benchmarks/discrete.py [digits fashion-mnist] [--seeds 3] [--epochs 100] [--samplers]

All models have the same fully connected networks (256 and 128 units), but for the convolutions of vqvae2. Measured on
test examples: the mean squared error of an entry in [0, 1], the share of values in use, and the perplexity of an index.
With `--samplers` the energy distance (see generation.py) between 2,000 samples and the test examples, for the Gaussian,
the mixture and the autoregressive sampler of each code; the distance of training examples is the limit. AE, whose code
is 16 real numbers, is there for comparison.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from common import SEED, arguments, keep, show, timed
from generation import energy

import narrows
from narrows.bottlenecks import as_discrete

N_SAMPLES = 2_000
N_FASHION = 5_000
# 32 bits for the 64 pixels of digits, 64 bits for the 784 of Fashion-MNIST
MODELS: dict[str, dict[str, dict[str, Any]]] = {
    "digits": {
        "ae": {"n_components": 16},
        "vqvae": {"n_components": 8, "n_codes": 16},
        "pqvae": {"n_components": 16, "n_codes": 256},
        "rqvae": {"n_components": 16, "n_codes": 256, "n_levels": 4},
        "fsqae": {"n_components": 16, "n_values": 4},
        "catvae": {"n_components": 128, "n_values": 16},
        "vqvae2": {"n_components": 20, "n_codes": 84},
    },
    "fashion-mnist": {
        "ae": {"n_components": 16},
        "vqvae": {"n_components": 16, "n_codes": 16},
        "pqvae": {"n_components": 32, "n_codes": 256},
        "rqvae": {"n_components": 32, "n_codes": 256, "n_levels": 8},
        "fsqae": {"n_components": 32, "n_values": 4},
        "catvae": {"n_components": 256, "n_values": 16},
        "vqvae2": {"n_components": 80, "n_codes": 9},
    },
}


def measure(
    name: str, X: np.ndarray, T: np.ndarray, seed: int, epochs: int, sample: bool, **code: Any
) -> dict[str, Any]:
    """Fit a model and return its measures."""
    cls = narrows.estimator(name)
    networks = {} if cls.recipe.is_visual else {"network": "mlp", "hidden": (256, 128)}
    model = cls(**networks, max_epochs=epochs, random_state=seed, **code)
    _, seconds = timed(partial(model.fit, X))
    scale = float(X.max())
    error = (model.reconstruct(T).astype(np.float64) - T) / scale
    results: dict[str, float] = {"test_mse": float(np.mean(error**2)), "fit_seconds": seconds}
    discrete = as_discrete(model.model_.bottleneck)
    if discrete is not None:
        health = discrete.health(model.apply(model.model_.encoder, model.prepare(T)))
        results |= {"bits": discrete.bits, **{key: health[key] for key in ("codes_used", "perplexity")}}
    if sample:
        others = ["mixture"] if discrete is None else ["mixture", "autoregressive"]
        for sampler in ("gaussian", *others):
            if sampler != "gaussian":
                _, results[f"seconds_{sampler}"] = timed(partial(model.fit_sampler, X, sampler))
            drawn = model.sample(N_SAMPLES, sampler=sampler, random_state=seed)
            results[f"energy_{sampler}"] = energy(drawn / scale, T / scale)
    return results


def main() -> None:
    """Run the named data sets, or all."""
    parser = arguments(__doc__, MODELS)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=100)
    parser.add_argument("--samplers", action="store_true")
    parser.add_argument("--models", nargs="*", default=[], help="names of recipes (default: all)")
    options = parser.parse_args()
    for data in options.jobs or MODELS:
        train, test = (narrows.load_dataset(data, split).X for split in ("train", "test"))
        X, T = train[:N_FASHION], test[:2_000]
        results: dict[str, Any] = {"energy_of_training_examples": energy(X / X.max(), T / X.max())}
        for name in options.models or MODELS[data]:
            runs = [
                measure(name, X, T, SEED + i, options.epochs, options.samplers, **MODELS[data][name])
                for i in range(options.seeds)
            ]
            results[name] = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
            print(name, {key: round(value, 4) for key, value in results[name].items()}, flush=True)
        show(results)
        keep(f"discrete_{data}", {"seeds": options.seeds, "n_train": len(X), "n_test": len(T), data: results})


if __name__ == "__main__":
    main()
