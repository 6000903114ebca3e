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
import math
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from common import RESULTS, SEED, alone, arguments, grown_mib, in_turn, keep, show
from torch import Tensor

import narrows

K, BATCH = 32, 1024
BLOCK = 2_048  # rows that are evaluated at once
N_STEPS, N_WARM_UP = 8, 3
RATES_SEED = 100
N_RATES = 5  # at most, of a side
PEERS = ("sae-lens", "eai-sparsify", "dictionary-learning")
RATES = {
    "narrows": (1e-3, 2e-3, 4e-3),
    "sae_lens": (1e-3, 3e-3, 1e-2),
    "sparsify": (1e-3, 3e-3, 1e-2),
    "dictionary_learning": (5e-4, 1.5e-3, 5e-3),
}
os.environ.setdefault("WANDB_MODE", "disabled")


@dataclass(frozen=True)
class Run:
    """One training."""

    side: str
    n_units: int
    rate: float
    n_tokens: int
    seed: int
    data: str
    dead_rows: int
    scale: str = "all"
    sparsity: str = "topk"

    @property
    def n_steps(self) -> int:
        """Number of steps."""
        return self.n_tokens // BATCH


class Trained(NamedTuple):
    """A dictionary: `step` trains it on rows, `apply` gives outputs (B x d) and active units (B x L booleans)."""

    step: Callable[[Tensor], object]
    apply: Callable[[Tensor], tuple[Tensor, Tensor]]
    finish: Callable[[], object] = lambda: None


class Scaled(NamedTuple):
    """Rows in the units of a peer: (x - mean) / scale."""

    mean: Tensor
    scale: Tensor

    @classmethod
    def of(cls, X: Tensor) -> Scaled:
        """Return the mean, and the root of the mean variance of the columns."""
        return cls(X.mean(0), X.var(0).mean().sqrt())

    def __call__(self, x: Tensor) -> Tensor:
        return (x - self.mean) / self.scale

    def undo(self, x: Tensor) -> Tensor:
        """Return rows in their own units."""
        return x * self.scale + self.mean


def sae_lens(run: Run, d: int) -> Trained:
    """Return a dictionary of SAELens."""
    from sae_lens.config import SAETrainerConfig
    from sae_lens.saes.topk_sae import TopKTrainingSAE, TopKTrainingSAEConfig
    from sae_lens.training.sae_trainer import SAETrainer

    sae = TopKTrainingSAE(TopKTrainingSAEConfig(d_in=d, d_sae=run.n_units, k=K))
    config = SAETrainerConfig(
        total_training_samples=run.n_steps * BATCH,
        train_batch_size_samples=BATCH,
        lr=run.rate,
        lr_end=run.rate / 10,  # as in its runner
        lr_decay_steps=run.n_steps // 5,
        dead_feature_window=max(1, run.n_steps // 10),
    )
    trainer = SAETrainer(config, sae, iter(()))

    def step(x: Tensor) -> None:
        trainer.step(x)
        trainer.n_training_steps += 1  # as its `fit` does

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        z = sae.encode(x)
        return sae.decode(z), z > 0

    return Trained(step, apply)


def sparsify(run: Run, d: int) -> Trained:
    """Return a dictionary of sparsify, with a step as in its trainer."""
    from schedulefree import ScheduleFreeWrapper
    from sparsify import SparseCoder, SparseCoderConfig
    from sparsify.sign_sgd import SignSGD

    coder = SparseCoder(d, SparseCoderConfig(num_latents=run.n_units, k=K))
    optimizer = ScheduleFreeWrapper(SignSGD([{"params": coder.parameters(), "lr": run.rate}]), momentum=0.95)
    optimizer.train()
    started = False

    def step(x: Tensor) -> None:
        nonlocal started
        if not started:
            coder.b_dec.data = x.mean(0)
            started = True
        coder.set_decoder_norm_to_unit_norm()
        coder(x).fvu.backward()
        coder.remove_gradient_parallel_to_decoder_directions()
        optimizer.step()
        optimizer.zero_grad()

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        values, units, _ = coder.encode(x)
        active = torch.zeros(len(x), run.n_units, dtype=torch.bool).scatter(1, units, values > 0)
        return coder.decode(values, units), active

    def finish() -> None:
        optimizer.eval()  # the averaged weights
        coder.set_decoder_norm_to_unit_norm()

    return Trained(step, apply, finish)


def dictionary_learning(run: Run, d: int) -> Trained:
    """Return a dictionary of dictionary_learning, for rows of mean square norm 1, as its training makes them."""
    from dictionary_learning.trainers.top_k import TopKTrainer

    trainer = TopKTrainer(
        steps=run.n_steps,
        activation_dim=d,
        dict_size=run.n_units,
        k=K,
        layer=0,
        lm_name="",
        lr=run.rate,
        warmup_steps=max(1, run.n_steps // 20),
        decay_start=run.n_steps - run.n_steps // 5,
        seed=run.seed,
        device="cpu",
    )
    trainer.dead_feature_threshold = run.n_tokens // 10
    norm, number = math.sqrt(d), iter(range(run.n_steps))

    def apply(x: Tensor) -> tuple[Tensor, Tensor]:
        z = trainer.ae.encode(x / norm)
        return trainer.ae.decode(z) * norm, z > 0

    return Trained(lambda x: trainer.update(next(number), x / norm), apply)


SIDES = {"sae_lens": sae_lens, "sparsify": sparsify, "dictionary_learning": dictionary_learning}


def load(folder: str, name: str) -> np.ndarray:
    """Return the rows of a file in single precision."""
    return np.load(Path(folder) / f"{name}.npy").astype(np.float32)


def numbers_of_batches(n_rows: int, n_steps: int, seed: int) -> Iterator[Tensor]:
    """Yield row numbers of batches: all rows in random order, then again in another order."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.empty(0, dtype=torch.long)
    for _ in range(n_steps):
        if len(numbers) < BATCH:
            numbers = torch.cat([numbers, torch.randperm(n_rows, generator=generator)])
        yield numbers[:BATCH]
        numbers = numbers[BATCH:]


def make_narrows(run: Run) -> narrows.SAE:
    """Return the estimator of a run."""
    return narrows.SAE(
        run.n_units,
        k=K,
        sparsity=run.sparsity,
        scale=run.scale,
        batch_size=BATCH,
        learning_rate=run.rate,
        max_examples=run.n_steps * BATCH,
        early_stopping=False,
        precision="float32",
        device="cpu",
        random_state=run.seed,
        sparse_output=True,
        verbose=0,
    )


def make(run: Run, X: np.ndarray) -> tuple[Callable[[], object], Callable[[Tensor], tuple[Tensor, Tensor]]]:
    """Return a function that trains a dictionary on X, and one from rows (B x d) to outputs and active units."""
    if run.side == "narrows":
        model = make_narrows(run)

        def apply(x: Tensor) -> tuple[Tensor, Tensor]:
            codes = model.transform(x.numpy())  # a sparse matrix
            active = torch.zeros(codes.shape, dtype=torch.bool)
            active[codes.nonzero()] = True
            return torch.from_numpy(model.inverse_transform(codes)), active

        return functools.partial(model.fit, X), apply

    torch.manual_seed(run.seed)
    whole = torch.from_numpy(X)
    scaled, side = Scaled.of(whole), SIDES[run.side](run, X.shape[1])

    def fit() -> None:
        for numbers in numbers_of_batches(len(X), run.n_steps, run.seed):
            side.step(scaled(whole[numbers]))
        side.finish()

    def apply_side(x: Tensor) -> tuple[Tensor, Tensor]:
        out, active = side.apply(scaled(x))
        return scaled.undo(out), active

    return fit, apply_side


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
        results = {**evaluate(apply, rows), "dead": share_of_dead(apply, torch.from_numpy(X[: run.dead_rows]))}
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
                run = Run(side, n_units, rate, options.rate_tokens, RATES_SEED, options.data, dead_rows=BLOCK)
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
    """Return how the names of results end that have a name of their own."""
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
        runs = {side: best_rate(side, n_units, options.name if options.rates is None else options.rates) for side in options.sides}

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
