"""SAE beside SAELens, sparsify and dictionary_learning: TopK dictionaries of the same size on the same activations.

    python benchmarks/sparse_peers.py [JOB ...] --data FOLDER [--units 3072 12288] [--tokens N] [--seeds 3]

FOLDER holds train.npy and test.npy of `sparse_activations.py`. All learn from the same number of tokens, in batches of
1,024, with k = 32, in single precision, on one thread. Each peer takes the steps of its own trainer: `step` of SAELens'
`SAETrainer`; `update` of dictionary_learning's `TopKTrainer`; of sparsify, whose loop is bound to a language model,
`SparseCoder` with the optimizer, the projections and the start of that loop. Their settings are their defaults, except
for what is counted in steps or tokens, because the defaults of warm-up and patience are longer than the runs: here the
warm-up is a twentieth of the run (dictionary_learning), the decay its last fifth, the patience with silent units a
tenth. sparsify has none of them, and by default no loss that revives units. Peers get rows that are centred and have
one scale, as narrows makes them itself with `scale="all"`.

rates: each side with three learning rates, on a seed and a number of tokens of their own, and with up to two more
beyond the lowest or the highest one as long as that is the best; the best one is used by the other jobs.

quality: explained variance 1 - sum |x - o|^2 / sum |x - mean|^2 of held-out rows in their own units, active units a row
(L0), share of units that are active for none of `--dead-rows` training rows, tokens per CPU second of the whole
training, growth of the memory. Each training has a process of its own.

speed: steps of all sides in turn in one process, tokens per CPU second; for narrows the steps of `SAE.fit`.
"""

from __future__ import annotations

import argparse
import functools
import json
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import RESULTS, SEED, alone, arguments, grown_mib, in_turn, keep, show
from sparse_sides import BATCH, PEERS, RATES, SIDES, K, Run, Scaled, load, make
from torch import Tensor

BLOCK = 2_048  # rows that are evaluated at once
N_STEPS, N_WARM_UP = 8, 3
RATES_SEED = 100
N_RATES = 5  # at most, of a side


def train_here(run: Run) -> dict[str, float]:
    """Train in this process, and measure."""
    torch.set_num_threads(1)
    X, rows = load(run.data, "train"), torch.from_numpy(load(run.data, "test"))
    start, seconds = 0.0, 0.0
    fit, apply = make(run, X)

    def timed_fit() -> None:
        nonlocal start, seconds
        start = time.process_time()
        fit()
        seconds = time.process_time() - start

    usage = grown_mib(timed_fit, torch.device("cpu"))
    with torch.no_grad():
        results = evaluate(apply, rows)
        if run.dead_rows:
            results["dead"] = share_of_dead(apply, torch.from_numpy(X[: run.dead_rows]))
    return {**results, "tokens_per_cpu_second": run.n_steps * BATCH / seconds, **usage}


def evaluate(apply: Callable[[Tensor], tuple[Tensor, Tensor]], rows: Tensor) -> dict[str, float]:
    """Return explained variance and L0 of held-out rows."""
    error, n_active = 0.0, 0
    for x in rows.split(BLOCK):
        out, active = apply(x)
        error += float((x - out).double().square().sum())
        n_active += int(active.sum())
    variance = float((rows.double() - rows.double().mean(0)).square().sum())
    return {"explained_variance": 1 - error / variance, "l0": n_active / len(rows)}


def share_of_dead(apply: Callable[[Tensor], tuple[Tensor, Tensor]], rows: Tensor) -> float:
    """Return the share of units that are active for none of the rows."""
    silent: Tensor | None = None
    for x in rows.split(BLOCK):
        fired = apply(x)[1].any(0)
        silent = ~fired if silent is None else silent & ~fired
        if not silent.any():
            break
    assert silent is not None
    return float(silent.float().mean())


def train(run: Run, is_alone: bool = True) -> dict[str, float]:
    """Train in a process of its own, or in this one, where memory is not measured."""
    result: dict[str, float] = alone(__file__, "--run", json.dumps(asdict(run))) if is_alone else train_here(run)
    print(f"  {run.side:<20} {run.n_units:>6} rate {run.rate:<8.2g} seed {run.seed:<4}", end="")
    print("".join(f"  {name} {value:.5g}" for name, value in result.items()), flush=True)
    return result


def rates(options: argparse.Namespace) -> dict[str, Any]:
    """Find the best of three learning rates of each side and size, on another seed and fewer tokens."""
    results: dict[str, Any] = {"tokens": options.rate_tokens, "seed": RATES_SEED, "explained_variance": {}}
    for n_units in options.units:
        for side in options.sides:
            tried: dict[float, float] = {}
            left = list(RATES[side])
            while left:
                rate = left.pop(0)
                run = Run(side, n_units, rate, options.rate_tokens, RATES_SEED, options.data, dead_rows=0)
                tried[rate] = train(run, is_alone=False)["explained_variance"]
                if not left and len(tried) < N_RATES:
                    left = beyond(tried)
            results["explained_variance"][f"{side}, {n_units}"] = {f"{rate:g}": ev for rate, ev in tried.items()}
    return results


def beyond(tried: dict[float, float]) -> list[float]:
    """Return the next rate beyond the best one; none if the best one has neighbours on both sides."""
    rates, best = sorted(tried), max(tried, key=lambda rate: tried[rate])
    if best == rates[0]:
        return [best * rates[0] / rates[1]]
    return [best * rates[-1] / rates[-2]] if best == rates[-1] else []


def ending(name: str) -> str:
    """Return what the given name adds to the name of a result."""
    return f"-{name}" if name else ""


def best_rate(side: str, n_units: int, name: str) -> float:
    """Return the best learning rate that the job rates has found, with the results that have this name."""
    found = json.loads((RESULTS / f"sparse_peers-rates{ending(name)}.json").read_text())["explained_variance"][
        f"{side}, {n_units}"
    ]
    return float(max(found, key=lambda rate: found[rate]))


def quality(options: argparse.Namespace) -> dict[str, Any]:
    """Train each side with its best learning rate and several seeds, the sides in turn."""
    results: dict[str, Any] = {"tokens": options.tokens, "dead_rows": options.dead_rows}
    for n_units in options.units:
        runs = {side: best_rate(side, n_units, options.rates) for side in options.sides}

        def one(repeat: int, side: str, rate: float, n_units: int = n_units) -> dict[str, float]:
            seed = options.first_seed + repeat
            return train(Run(side, n_units, rate, options.tokens, seed, options.data, options.dead_rows))

        sides = {name: functools.partial(one, side=name, rate=rate) for name, rate in runs.items()}
        for name, found in in_turn(sides, options.seeds).items():
            measures = {key: [result[key] for result in found] for key in found[0]}
            results[f"{name}, {n_units}"] = {"rate": runs[name], **measures}
    print_table(results)
    return results


def print_table(results: dict[str, Any]) -> None:
    """Print the lines of docs/benchmarks.md: means over the seeds."""
    for name, measures in results.items():
        if isinstance(measures, dict) and "rate" in measures:
            mean = {key: statistics.mean(values) for key, values in measures.items() if isinstance(values, list)}
            print(
                f"| {name} units | {measures['rate']:g} | {mean['explained_variance']:.3f} | {mean['l0']:.1f} "
                f"| {100 * mean['dead']:.1f} % | {mean['tokens_per_cpu_second']:,.0f} | {mean['grown_mib']:.0f} |"
            )


def narrows_step(X: np.ndarray, run: Run) -> Callable[[Tensor], None]:
    """Return a function that takes the step of `SAE.fit` on the rows of X with the given numbers."""
    from narrows import recipes
    from narrows.data import infer
    from narrows.training.loop import Trainer
    from narrows.training.progress import Reporter
    from narrows.training.settings import Settings

    schema = infer(X, "benchmark")  # the scale of the rows does not change the speed
    parts = recipes.get("sae").make(schema, run.n_units, k=K)
    settings = Settings(batch_size=BATCH, learning_rate=run.rate, precision="float32", device="cpu", compile=False)
    trainer = Trainer(parts.model, parts.objective, X, schema, settings, Reporter(0, "benchmark"), "")
    trainer.step.loss_module.train()
    return trainer.train_step


def speed(options: argparse.Namespace) -> dict[str, Any]:
    """Compare the steps of all sides, in turn, in tokens per CPU second of one thread."""
    torch.set_num_threads(1)
    results: dict[str, Any] = {}
    X = load(options.data, "train")[: 32 * BATCH]
    whole = torch.from_numpy(X)
    rows = Scaled.of(whole)(whole)
    batches = list(torch.arange(len(X)).split(BATCH))[:N_STEPS]
    for n_units in options.units:
        steps: dict[str, Callable[[Tensor], object]] = {}
        for side in options.sides:
            run = Run(side, n_units, RATES[side][0], 1_000 * BATCH, SEED, options.data, 0)
            if side == "narrows":
                steps[side] = narrows_step(X, run)
            else:
                torch.manual_seed(SEED)
                made = SIDES[side](run, X.shape[1])
                steps[side] = lambda numbers, made=made: made.step(rows[numbers])

        def rate(_: int, step: Callable[[Tensor], object], batches: list[Tensor] = batches) -> float:
            start = time.process_time()
            for numbers in batches:
                step(numbers)
            return len(batches) * BATCH / (time.process_time() - start)

        for step in steps.values():
            for numbers in batches[:N_WARM_UP]:
                step(numbers)
        sides = {name: functools.partial(rate, step=step) for name, step in steps.items()}
        found = in_turn(sides, options.repeats)
        medians = {f"{name}_median": statistics.median(values) for name, values in found.items()}
        results[f"{n_units} units, tokens per CPU second"] = {**medians, **found}
    return results


JOBS = {"rates": rates, "quality": quality, "speed": speed}


def main() -> None:
    """Run the jobs, and keep their results."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--data", default="activations", help="folder with train.npy and test.npy")
    parser.add_argument("--units", type=int, nargs="+", default=[3072, 12_288])
    parser.add_argument("--sides", nargs="+", default=list(RATES), choices=list(RATES))
    parser.add_argument("--tokens", type=int, default=500_000)
    parser.add_argument("--rate-tokens", type=int, default=200_000)
    parser.add_argument("--dead-rows", type=int, default=100_000)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--first-seed", type=int, default=SEED)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--name", default="", help="name of the results")
    parser.add_argument("--rates", help="name of the results of the job rates that are read; by default as --name")
    parser.add_argument("--run", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rates = options.name if options.rates is None else options.rates
    if options.run:
        print(json.dumps(train_here(Run(**json.loads(options.run)))))
        return
    for name in options.jobs or JOBS:
        print(name)
        results = {"data": Path(options.data).name, "batch_size": BATCH, "k": K, **JOBS[name](options)}
        show(results)
        keep(f"sparse_peers-{name}{ending(options.name)}", results, *PEERS)


if __name__ == "__main__":
    main()
