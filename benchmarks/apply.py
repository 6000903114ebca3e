"""Speed and memory of a model that is applied to a large file.

    python benchmarks/apply.py [real pixels] [--repeats 3] [--quick]

The data are 1,000,000 x 784 float32 in a mapped .npy file (3.1 GB in the temporary folder). The model is an AE
784-512-256-16. The script measures:

- `transform` against plain matrix products of the same shapes and dtype, x @ W1, h @ W2, h @ W3, in blocks of as many
  rows, the best of several runs. torch computes the products, and oneDNN too where narrows uses it. Both sides do
  2 (784 512 + 512 256 + 256 16) operations a row. `transform` also reads the file, looks for NaN and infinity,
  standardises, adds biases and applies activations;
- bytes a second against a plain read of the file into one small buffer, with the file in the system's cache;
- microseconds a row for fewer rows;
- peak memory above that of the loaded model, in a separate process; mapped pages count.

`real` has columns of real values, each with its own mean and deviation. `pixels` has values in [0, 1].
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from common import SEED, alone, arguments, grown_mib, in_turn, keep, show, timed

import narrows
from narrows.accelerate.onednn_linear import is_onednn_faster, linear
from narrows.estimators.parallel import rows_per_block

N, N_QUICK, N_FITTED = 1_000_000, 60_000, 10_000
SIZES = (784, 512, 256, 16)
OPERATIONS = 2 * sum(a * b for a, b in pairwise(SIZES))  # for a row
KINDS = ("real", "pixels")
CPU = torch.device("cpu")


def write(path: Path, n: int, kind: str) -> None:
    """Write `n` rows: 10,000 different ones, repeated."""
    generator = np.random.default_rng(SEED)
    rows = generator.normal(size=(N_FITTED, SIZES[0]))
    if kind == "real":
        rows = rows * generator.uniform(0.5, 2, SIZES[0]) + generator.normal(size=SIZES[0])
    else:
        rows = np.clip(0.5 + rows / 4, 0, 1)
    X = np.lib.format.open_memmap(path, "w+", np.float32, (n, SIZES[0]))
    for start in range(0, n, len(rows)):
        X[start : start + len(rows)] = rows[: n - start]
    X.flush()


def product(rows: int, n: int, multiply: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> float:
    """Return the seconds of the plain product for `n` rows, from the fastest of nine passes over some of them."""
    generator = torch.Generator().manual_seed(SEED)
    x = torch.randn(rows, SIZES[0], generator=generator)
    weights = [torch.randn(sizes, generator=generator) for sizes in pairwise(SIZES)]
    times = max(1, 65_536 // rows)

    def run() -> None:
        for _ in range(times):
            h = x
            for w in weights:
                h = multiply(h, w)

    with torch.inference_mode():
        return min(timed(run)[1] for _ in range(9)) * n / (times * rows)


def by_onednn(h: torch.Tensor, w: torch.Tensor) -> torch.Tensor:
    """Return h @ w, computed by oneDNN."""
    return linear(h, w.t())


def read(path: Path) -> None:
    """Read the whole file into one small buffer."""
    buffer = memoryview(bytearray(8 << 20))
    with open(path, "rb", buffering=0) as stream:
        while stream.readinto(buffer):
            pass


def measure(folder: Path, n: int, kind: str, repeats: int) -> dict[str, Any]:
    """Measure everything on one kind of data."""
    path = folder / "x.npy"
    write(path, n, kind)
    X = np.load(path, mmap_mode="r")
    model = narrows.AE(SIZES[-1], hidden=SIZES[1:-1], max_epochs=1, random_state=SEED, verbose=0, device="cpu")
    model.fit(np.array(X[:N_FITTED])).save(folder / "model")
    rows = rows_per_block(model.schema_, model.model_)
    model.transform(X[:N_FITTED])
    seconds = in_turn(
        {
            "product": lambda _: product(rows, n, torch.mm),
            **({"product_onednn": lambda _: product(rows, n, by_onednn)} if is_onednn_faster() else {}),
            "transform": lambda _: timed(lambda: model.transform(X))[1],
            "read": lambda _: timed(lambda: read(path))[1],
        },
        repeats,
    )
    best = {name: min(times) for name, times in seconds.items()}
    middle = {name: statistics.median(times) for name, times in seconds.items()}
    products = [name for name in seconds if name.startswith("product")]
    fewer = [m for m in (10_000, 100_000) if m < n]
    each = {str(m): min(timed(lambda m=m: model.transform(X[:m]))[1] for _ in range(5)) / m * 1e6 for m in fewer}
    return {
        "n": n,
        "data": model.schema_.describe(),
        "threads": torch.get_num_threads(),
        "rows_per_block": rows,
        "seconds": seconds,
        "gflops": {name: OPERATIONS * n / best[name] / 1e9 for name in (*products, "transform")},
        "share_best": {name: best[name] / best["transform"] for name in products},
        "share_median": {name: middle[name] / middle["transform"] for name in products},
        "transform_gb_per_s": X.nbytes / best["transform"] / 1e9,
        "read_gb_per_s": X.nbytes / best["read"] / 1e9,
        "microseconds_a_row": {**each, str(n): best["transform"] / n * 1e6},
        "memory": {
            method: alone(__file__, "--memory", method, str(folder)) for method in ("transform", "score_samples")
        },
    }


def memory(method: str, folder: Path) -> dict[str, float]:
    """Measure the memory that `method` takes above that of a model that was loaded and used."""
    model = narrows.load(folder / "model", device="cpu")
    model.transform(np.load(folder / "x.npy", mmap_mode="r")[:100])
    return grown_mib(lambda: model.stream(folder / "x.npy", folder / "out.npy", method), CPU)


def main() -> None:
    """Measure, print and write the results."""
    parser = arguments(__doc__, KINDS)
    parser.add_argument("--repeats", type=int, default=3, help="runs of each side (default: 3)")
    parser.add_argument("--quick", action="store_true", help="few rows, once: a smoke test that keeps no results")
    options = parser.parse_args()
    for kind in options.jobs or KINDS:
        with tempfile.TemporaryDirectory() as folder:
            n, repeats = (N_QUICK, 1) if options.quick else (N, options.repeats)
            results = measure(Path(folder), n, kind, repeats)
        print(f"\n{kind}")
        show(results)
        if not options.quick:
            keep(f"apply_{kind}", {"command": f"python benchmarks/apply.py {kind}", "seed": SEED, **results})


if __name__ == "__main__":
    if sys.argv[1:2] == ["--memory"]:
        print(json.dumps(memory(sys.argv[2], Path(sys.argv[3]))))
    else:
        main()
