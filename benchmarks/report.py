"""Time of `narrows.evaluate` and `narrows.write_report` on 10,000 images, and the size of the page.

    python benchmarks/report.py [vae vae-conv sae dae] [--epochs 3]

The models have their defaults and are fitted on Fashion-MNIST for a few epochs; the time does not depend on how well
they learned. Times are in seconds by the clock and in seconds of the processor over all threads. Other work on the
machine does not lengthen the latter; divided by the number of cores, they are the least that an idle machine needs.

`write_report` calls `evaluate` itself, so `report` is the whole of both.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import SEED, arguments, keep, show

import narrows

KINDS: dict[str, Callable[[], Any]] = {
    "vae": lambda: narrows.VAE(16, random_state=SEED),
    "vae-conv": lambda: narrows.VAE(16, network="conv", random_state=SEED),
    "sae": lambda: narrows.SAE(1024, random_state=SEED),
    "dae": lambda: narrows.DAE(random_state=SEED),
}


def clocked(call: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return the result of `call` and its seconds by both clocks."""
    wall, cpu = time.perf_counter(), time.process_time()
    result = call()
    return result, {"seconds": time.perf_counter() - wall, "processor_seconds": time.process_time() - cpu}


def main() -> None:
    """Measure, print and write the results."""
    parser = arguments(__doc__, KINDS)
    parser.add_argument("--epochs", type=int, default=3, help="of training before it (default: 3)")
    options = parser.parse_args()
    X = narrows.load_dataset("fashion-mnist", "train").X
    test = narrows.load_dataset("fashion-mnist", "test")
    for kind in options.jobs or KINDS:
        model = KINDS[kind]().set_params(max_epochs=options.epochs, max_time=120.0).fit(X)
        _, evaluated = clocked(lambda model=model: narrows.evaluate(model, test.X, test.y, verbose=0))
        with tempfile.TemporaryDirectory() as folder:
            page, reported = clocked(
                lambda model=model, folder=folder: narrows.write_report(
                    model, test.X, Path(folder) / "report.html", y=test.y
                )
            )
            results = {"evaluate": evaluated, "report": reported, "page_bytes": page.stat().st_size}
        print(f"\n{kind}")
        show(results)
        command = f"python benchmarks/report.py {kind} --epochs {options.epochs}"
        threads = torch.get_num_threads()
        keep(f"report_{kind}", {"command": command, "n": len(test.X), "threads": threads, "seed": SEED, **results})


if __name__ == "__main__":
    main()
