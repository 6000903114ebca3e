"""Speed of the sparse dictionary: a training step of SAE, beside a bare step in torch that does only what it must.

    python benchmarks/sparse.py [JOB ...] [--units 3072 12288] [--precision auto] [--repeats 5] [--rows N] [--quick]

The jobs are step, memory and encode. The data are synthetic activations of 384 entries: sparse sums of 4,096 directions
with heavy-tailed strengths, noise, and two columns of large variance, as the activations of language models have.

step: both sides take steps of 1,024 rows in turn, on one thread, and the CPU seconds of this process are counted. The
bare step is a TopK dictionary (k = 32) with AdamW, without clipping, running scale, dead units or a history: encoder
product, top-k, segmented sums, projection, optimizer. narrows takes the steps of `SAE.fit`. "rate_of_bare" is narrows'
rate / the bare step's: the median over the repeats of the ratio within a repeat.

memory: the peak above the data of a whole `SAE.fit` with a validation, in a separate process.

encode: N rows become a sparse matrix (`sparse_output=True`, k = 32) on one thread, in a separate process: rows per CPU
second, the size of the matrix, the growth of the memory. The rows come block by block, the same ones again and again,
so that they take no memory. Beside it the encoder's matrix product alone, in single precision.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from common import SEED, alone, arguments, grown_mib, in_turn, keep, show
from torch import Tensor

import narrows
from narrows import recipes
from narrows.data import infer
from narrows.dictionaries import SparseDictionary
from narrows.dictionaries.parts import to_estimator
from narrows.training.device import choose_precision
from narrows.training.loop import Trainer
from narrows.training.progress import Reporter
from narrows.training.settings import Settings

D, K, BATCH, N_ROWS = 384, 32, 1024, 20_480
N_STEPS, N_WARM_UP, RATE = 8, 3, 1e-3


def activations(n: int, seed: int = SEED) -> np.ndarray:
    """Return n synthetic activations (n x 384, float32): about 20 of 4,096 directions in each."""
    rng = np.random.default_rng(seed)
    directions = np.random.default_rng(SEED).normal(size=(4_096, D)).astype(np.float32)
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    frequency = 1 / np.arange(10, 10 + len(directions))  # Zipf's law
    X = 0.1 * rng.normal(size=(n, D)).astype(np.float32)
    for _ in range(20):
        strength = rng.pareto(3, n).astype(np.float32) + 0.5
        X += strength[:, None] * directions[rng.choice(len(directions), n, p=frequency / frequency.sum())]
    X[:, [7, 100]] *= (40, 15)
    return X + rng.normal(size=D).astype(np.float32)


def bare_step(n_units: int, dtype: torch.dtype) -> Callable[[Tensor], None]:
    """Return a step of a TopK dictionary with unit directions on rows x (B x d), in torch alone.

    o = b + sum_j z_j d_j / |d_j| for the k largest z = relu(W x + b_e); the loss is the mean of |o - x|^2 / 2.
    """
    generator = torch.Generator().manual_seed(SEED)
    directions = F.normalize(torch.randn(n_units, D, generator=generator), dim=1).requires_grad_()
    weight = directions.detach().clone().requires_grad_()
    bias, mean = torch.zeros(n_units, requires_grad=True), torch.zeros(D, requires_grad=True)
    optimizer = torch.optim.AdamW([weight, directions, bias, mean], lr=RATE, fused=True)
    starts = torch.arange(0, BATCH * K + 1, K)

    @torch.no_grad()
    def step(x: Tensor) -> None:
        h = F.linear(x.to(dtype), weight.to(dtype), bias.to(dtype))
        values, units = h.topk(K, dim=1, sorted=False)
        z, units = values.float().relu().flatten(), units.flatten()
        inverse = 1 / directions.norm(dim=1)
        scaled = z * inverse[units]
        with torch.enable_grad():
            per_entry = scaled.clone().requires_grad_()
            out = F.embedding_bag(
                units, directions.detach(), starts, mode="sum", per_sample_weights=per_entry, include_last_offset=True
            )
        e = (out.detach() + mean - x) / BATCH
        (along,) = torch.autograd.grad(out, per_entry, e)
        dz = along * inverse[units] * (z > 0)
        order = units.argsort(stable=True)
        rows, ends = order // K, units.bincount(minlength=n_units).cumsum(0)
        shape, bounds = (n_units, BATCH), F.pad(ends, (1, 0))
        directions.grad = torch.sparse_csr_tensor(bounds, rows, scaled[order], shape) @ e
        weight.grad = torch.sparse_csr_tensor(bounds, rows, dz[order], shape) @ x
        bias.grad, mean.grad = torch.zeros(n_units).index_add_(0, units, dz), e.sum(0)
        lengthwise = (directions.grad * directions).sum(1, keepdim=True) * inverse.square()[:, None]
        directions.grad -= lengthwise * directions
        optimizer.step()

    return step


def narrows_step(X: np.ndarray, n_units: int, precision: str) -> Callable[[Tensor], None]:
    """Return a function that takes the step of a training of SAE on the rows of X with the given numbers."""
    schema = infer(X, "benchmark")
    torch.manual_seed(SEED)
    parts = recipes.get("sae").make(schema, n_units, k=K)
    settings = Settings(batch_size=BATCH, learning_rate=RATE, precision=precision, device="cpu", compile=False)
    trainer = Trainer(parts.model, parts.objective, X, schema, settings, Reporter(0, "benchmark"), "")
    trainer.step.loss_module.train()
    return trainer.train_step


def step(options: argparse.Namespace) -> dict[str, Any]:
    """Compare the rates of both steps, in rows per CPU second of one thread."""
    torch.set_num_threads(1)
    X = activations(N_ROWS)
    return {f"{n} units": compare_steps(X, n, options) for n in options.units}


def compare_steps(X: np.ndarray, n_units: int, options: argparse.Namespace) -> dict[str, Any]:
    """Compare the rates for one number of units."""
    name = options.precision
    if name == "auto":
        name = str(choose_precision("auto", torch.device("cpu"), 2 * n_units * D)[0]).removeprefix("torch.")
    rows = torch.from_numpy((X - X.mean(0)) / X.std(0))  # narrows learns from such rows, too
    bare, ours = bare_step(n_units, getattr(torch, name)), narrows_step(X, n_units, name)
    numbers = torch.arange(len(X) - len(X) % BATCH).split(BATCH)[: 2 if options.quick else N_STEPS]
    batches = [rows[i] for i in numbers]
    for _ in range(N_WARM_UP):
        bare(batches[0])
        ours(numbers[0])

    def rate(take: Callable[[Tensor], None], inputs: Sequence[Tensor]) -> float:
        start = time.process_time()
        for part in inputs:
            take(part)
        return len(inputs) * BATCH / (time.process_time() - start)

    sides = {"bare": lambda _: rate(bare, batches), "narrows": lambda _: rate(ours, numbers)}
    rates = in_turn(sides, options.repeats)
    ratios = [b / a for a, b in zip(*rates.values(), strict=True)]
    return {
        "precision": name,
        "batch_size": BATCH,
        "seed": SEED,
        "rows_per_cpu_second": rates,
        "rate_of_bare": statistics.median(ratios),
        "rate_of_bare_range": [min(ratios), max(ratios)],
    }


def memory(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the growth of the memory in `SAE.fit`, each size in its own process."""
    return {f"{n} units": alone(__file__, "--fit", str(n), "--precision", options.precision) for n in options.units}


def fit_alone(n_units: int, precision: str) -> None:
    """Fit once in this process, and print the growth of its memory as JSON."""
    torch.set_num_threads(1)
    X = activations(N_ROWS)
    narrows.SAE(8, k=2, max_epochs=1, random_state=0, device="cpu", verbose=0).fit(X[:2_000])  # libraries are loaded
    model = narrows.SAE(
        n_units, k=K, batch_size=BATCH, max_epochs=4, random_state=SEED, device="cpu", precision=precision, verbose=0
    )
    print(json.dumps(grown_mib(lambda: model.fit(X), torch.device("cpu"))))


def encode(options: argparse.Namespace) -> dict[str, Any]:
    """Measure the speed and the memory of sparse codes, each size and each precision in its own process."""
    precisions = ("float32", "bfloat16") if options.precision == "auto" else (options.precision,)
    n_rows = 20_480 if options.quick else options.rows
    return {
        f"{n} units, {name}": alone(__file__, "--precision", name, "--rows", str(n_rows), "--encode", str(n))
        for n in options.units
        for name in precisions
    }


def encode_alone(n_units: int, n_rows: int, precision: str) -> None:
    """Encode rows in this process, and print its speed and the growth of its memory as JSON."""
    torch.set_num_threads(1)
    X = activations(N_ROWS)
    W = F.normalize(torch.randn(n_units, D, generator=torch.Generator().manual_seed(SEED)), dim=1)
    model = to_estimator(SparseDictionary(W.T.contiguous(), torch.zeros(n_units), W, torch.zeros(D), "topk", k=K))
    model.set_params(sparse_output=True, device="cpu", precision=precision, verbose=0)
    model.transform(X[:2_000])  # libraries are loaded

    product_start = time.process_time()
    with torch.inference_mode():
        for block in torch.from_numpy(X).split(BATCH):
            F.linear(block, W)
    product = len(X) / (time.process_time() - product_start)

    def run() -> None:
        parts = (X[: min(len(X), n_rows - first)] for first in range(0, n_rows, len(X)))
        start, wall = time.process_time(), time.perf_counter()
        Z = model.stream(parts)
        seconds["cpu"], seconds["wall"] = time.process_time() - start, time.perf_counter() - wall
        sizes["rows"], sizes["entries"] = Z.shape[0], Z.nnz
        sizes["matrix_mib"] = (Z.data.nbytes + Z.indices.nbytes + Z.indptr.nbytes) / 2**20

    seconds: dict[str, float] = {}
    sizes: dict[str, float] = {}
    usage = grown_mib(run, torch.device("cpu"))
    results = {
        "precision": precision,
        **sizes,
        **usage,
        "rows_per_cpu_second": n_rows / seconds["cpu"],
        "rows_per_second": n_rows / seconds["wall"],
        "product_alone_rows_per_cpu_second": product,
    }
    print(json.dumps(results))


JOBS = {"step": step, "memory": memory, "encode": encode}


def main() -> None:
    """Run the jobs, and keep their results."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--units", type=int, nargs="+", default=[3072, 12_288])
    parser.add_argument("--precision", default="auto", choices=["auto", "float32", "bfloat16"])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="few steps: a smoke test, whose results are not kept")
    parser.add_argument("--rows", type=int, default=200_000, help="rows of the job encode")
    parser.add_argument("--fit", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--encode", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.fit:
        fit_alone(options.fit, options.precision)
        return
    if options.encode:
        encode_alone(options.encode, options.rows, options.precision)
        return
    for name in options.jobs or JOBS:
        results = JOBS[name](options)
        print(name)
        show(results)
        if not options.quick:
            keep(f"sparse-{name}", results)


if __name__ == "__main__":
    main()
