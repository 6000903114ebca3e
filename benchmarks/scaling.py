"""Speed of two processes on two cores, against one process on one core, in images a second.

    python benchmarks/scaling.py [ae vae] [--repeats 3] [--quick]

Each process is pinned to a core of its own and computes with one thread. All train narrows' default network
(784-1024-512-16 and back) on Fashion-MNIST through the library's own loop, in single precision and in bf16, at several
sizes of the global batch; a run is a warm-up and then one pass over the images. The sides run in turn in processes of
their own, and medians are compared. "gradient_ms" is the time of one all-reduce of as many numbers as the
network has, alone: the communication of each step.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from typing import Any

from common import SEED, arguments, in_turn, keep, show

BATCHES = (128, 512, 1024, 4096)
PRECISIONS = ("float32", "bfloat16")
N = 49_152  # images of a pass: whole batches of all sizes, and some seconds
N_COMPONENTS = 16
JOBS = ("ae", "vae")


def work(recipe: str, quick: bool) -> dict[str, dict[int, float]]:
    """Return images a second of all processes together, by precision and batch, measured in this process."""
    os.sched_setaffinity(0, {sorted(os.sched_getaffinity(0))[int(os.environ.get("LOCAL_RANK", "0"))]})
    import torch  # after the process is pinned, so that its threads are pinned too

    import narrows
    from narrows.data import infer
    from narrows.recipes import get
    from narrows.training import Settings, fit
    from narrows.training.parallel import join

    torch.set_num_threads(1)
    world = join("cpu")
    torch.set_num_threads(1)
    images = narrows.load_dataset("fashion-mnist", "train").X
    schema = infer(images, "scaling")
    rates: dict[str, Any] = {}
    for precision in PRECISIONS:
        for batch in BATCHES[1:2] if quick else BATCHES:
            X = images[: 4 * batch if quick else N]
            torch.manual_seed(SEED)
            parts = get(recipe).make(schema, N_COMPONENTS)
            options = {"batch_size": batch, "precision": precision, "compile": False, "early_stopping": False}
            settings = Settings(**options, device="cpu", seed=SEED, max_epochs=1)
            fit(parts.model, parts.objective, images[: 4 * batch], schema, settings)
            if world.size > 1:
                torch.distributed.barrier()
            start = time.perf_counter()
            fit(parts.model, parts.objective, X, schema, settings)
            rates.setdefault(precision, {})[str(batch)] = len(X) / (time.perf_counter() - start)
    if world.size > 1:
        gradients = torch.zeros(sum(p.numel() for p in parts.model.parameters()))
        torch.distributed.all_reduce(gradients)
        start = time.perf_counter()
        for _ in range(20):
            torch.distributed.all_reduce(gradients)
        rates["gradient_ms"] = 1e3 * (time.perf_counter() - start) / 20
    return rates if world.rank == 0 else {}


def run(processes: int, recipe: str, quick: bool) -> dict[str, Any]:
    """Run `work` in so many processes; return its results."""
    launch = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"] if processes > 1 else []
    command = [sys.executable, *launch, __file__, "--work", recipe, *(["--quick"] if quick else [])]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment)
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("{")))


def measure(recipe: str, repeats: int, quick: bool) -> dict[str, Any]:
    """Return medians and ratios of `recipe`."""
    sides = {str(processes): lambda _, n=processes: run(n, recipe, quick) for processes in (1, 2)}
    runs = in_turn(sides, repeats)
    results: dict[str, Any] = {}
    for precision in PRECISIONS:
        for batch in runs["1"][0][precision]:
            one, two = (statistics.median(r[precision][batch] for r in runs[side]) for side in ("1", "2"))
            results[f"{precision} batch {batch}"] = {"one": one, "two": two, "times": two / one}
    results["gradient_ms"] = statistics.median(r["gradient_ms"] for r in runs["2"])
    return results


def main() -> None:
    """Measure and write the results."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side (default: 3)")
    parser.add_argument("--quick", action="store_true", help="few examples, once: a smoke test that keeps no results")
    parser.add_argument("--work", choices=JOBS, help="be one of the processes (used by this script itself)")
    options = parser.parse_args()
    if options.work:
        results = work(options.work, options.quick)
        if results:
            print(json.dumps(results))
        return
    for recipe in options.jobs or JOBS:
        print(recipe)
        results = measure(recipe, 1 if options.quick else options.repeats, options.quick)
        show(results)
        if not options.quick:
            keep(f"scaling_{recipe}", {"seed": SEED, "repeats": options.repeats, "n": N, recipe: results})


if __name__ == "__main__":
    main()
