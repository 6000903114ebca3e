"""Compare this checkout's speed with that of an earlier commit.

    python benchmarks/same_speed.py [JOB ...] [--commit acfb3a0] [--pairs 15]

The sources of the commit are checked out into a temporary folder. They and those of this working tree do the same
short work in turn, after a warm-up, in two processes of one thread each that stay alive. The CPU seconds of the work
are compared pair by pair; the median of the ratios counts. Jobs: training an MLP by batches of 128 and 512,
plain and compiled, as `training.py` does, and applying a model to rows in memory. The script exits with 1 if a median
is above 1.03.
"""

from __future__ import annotations

import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from common import ROOT, SEED, arguments, checked_out, in_turn, keep

COMMIT = "acfb3a0"
LIMIT = 1.03
N, EPOCHS, N_WARM_UP = 20_000, 2, 2_000
REPEATS = 2  # of codes and reconstructions, for one pass of scores
SHARED = {"hidden": (512, 256), "random_state": SEED, "early_stopping": False, "device": "cpu"}


def images(n: int) -> np.ndarray:
    """Return bytes like those of Fashion-MNIST (n x 28 x 28): half of them 0, the others correlated."""
    rng = np.random.default_rng(SEED)
    shades = rng.normal(size=(n, 8)) @ rng.normal(size=(8, 784)) * 40
    return shades.clip(0, 255).astype(np.uint8).reshape(n, 28, 28)


def train(kind: str, **parameters: Any) -> Callable[[], None]:
    """Return a training of `EPOCHS` epochs, after a short one as a warm-up."""
    import narrows

    X = images(N)

    def fit(rows: np.ndarray) -> None:
        getattr(narrows, kind)(16, max_epochs=EPOCHS, **SHARED, **parameters).fit(rows)

    fit(X[:N_WARM_UP])
    return lambda: fit(X)


def apply() -> Callable[[], None]:
    """Return a function that computes codes, reconstructions and scores of a VAE several times."""
    import narrows

    X = images(N)
    model = narrows.VAE(16, max_epochs=1, likelihood="bernoulli", **SHARED).fit(X[:N_WARM_UP])
    model.score_samples(X[:N_WARM_UP])

    def run() -> None:
        for _ in range(REPEATS):
            model.transform(X)
            model.reconstruct(X)
        model.score_samples(X)

    return run


JOBS: dict[str, Callable[[], Callable[[], None]]] = {
    "vae-128": lambda: train("VAE", batch_size=128, likelihood="bernoulli", compile=False),
    "vae-512": lambda: train("VAE", batch_size=512, likelihood="bernoulli", compile=False),
    "ae": lambda: train("AE", batch_size=128, compile=False),
    "vae-128-compiled": lambda: train("VAE", batch_size=128, likelihood="bernoulli", compile=True),
    "apply": apply,
}


def work_on_demand(name: str) -> None:
    """Do one job for each line of the input, and print its CPU seconds."""
    work = JOBS[name]()
    print("ready", flush=True)
    for _ in sys.stdin:
        start = time.process_time()
        work()
        print(time.process_time() - start, flush=True)


@contextlib.contextmanager
def worker(tree: Path, name: str) -> Iterator[Callable[[int], float]]:
    """Start a process that does a job by the sources in `tree`; yield a function that returns its CPU seconds."""
    # one thread: with several, the time of waiting for each other varies
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, __file__, name, "--alone"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pipe_in, pipe_out = process.stdin, process.stdout
        pipe_out.readline()

        def work(_: int) -> float:
            print("go", file=pipe_in, flush=True)
            return float(pipe_out.readline())

        yield work
        pipe_in.close()


def main() -> None:
    """Run all jobs on both sides in turn, and print the ratios."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--commit", default=COMMIT, help=f"to compare with (default: {COMMIT})")
    parser.add_argument("--pairs", type=int, default=15, help="times that each side works (default: 15)")
    parser.add_argument(
        "--alone",
        action="store_true",
        help="work for each line of the input, and print its seconds",
    )
    options = parser.parse_args()
    names = options.jobs or list(JOBS)
    if options.alone:
        work_on_demand(names[0])
        return
    results: dict[str, Any] = {}
    with checked_out(options.commit) as tree:
        for name in names:
            with worker(tree, name) as before, worker(ROOT, name) as after:
                runs = in_turn({"before": before, "after": after}, options.pairs)
            ratios = [new / old for old, new in zip(runs["before"], runs["after"], strict=True)]
            results[name] = {**runs, "ratios": ratios, "median": statistics.median(ratios)}
            old, new = (statistics.median(runs[side]) for side in ("before", "after"))
            print(
                f"{name:<18} {old:8.2f} s before {new:8.2f} s after   median ratio {results[name]['median']:.3f}, "
                f"from {min(ratios):.3f} to {max(ratios):.3f}",
                flush=True,
            )
    print(f"CPU seconds, {options.pairs} pairs, seed {SEED}, n = {N:,}, {EPOCHS} epochs, beside {options.commit}")
    keep("same_speed", {"commit": options.commit, "seed": SEED, "n": N, "epochs": EPOCHS, "jobs": results})
    sys.exit(0 if all(row["median"] <= LIMIT for row in results.values()) else 1)


if __name__ == "__main__":
    main()
