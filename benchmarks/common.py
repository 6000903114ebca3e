"""Shared code of the benchmarks: options, clocks, peak memory, plain matrix products, results with their machine.

Measured calls run in turn (peer, ours, peer, ours, ...) after a warm-up, and medians are compared. Other work on the
machine then slows all sides alike.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import torch

ROOT = Path(__file__).resolve().parents[1]
RESULTS = Path(os.environ.get("NARROWS_RESULTS", Path(__file__).parent / "results"))
SEED = 0
_MIB = 1 << 20

_T = TypeVar("_T")


def arguments(doc: str | None, jobs: Collection[str]) -> argparse.ArgumentParser:
    """Return the parser that every script uses: it takes names of `jobs`. A script adds its own options."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="*", choices=[*jobs, []], help="which (default: all)")
    return parser


def chosen_device(name: str) -> torch.device:
    """Return the device that `--device` names."""
    return torch.device(("cuda" if torch.cuda.is_available() else "cpu") if name == "auto" else name)


@contextlib.contextmanager
def checked_out(commit: str) -> Iterator[Path]:
    """Check out the sources of `commit` into a temporary folder."""
    with tempfile.TemporaryDirectory() as scratch:
        tree = Path(scratch) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", str(tree), commit], cwd=ROOT, check=True)
        try:
            yield tree
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", str(tree)], cwd=ROOT, check=True)


def timed(call: Callable[[], _T], device: torch.device | None = None) -> tuple[_T, float]:
    """Return the result of `call` and its seconds; a GPU has finished before either clock is read."""
    _wait(device)
    start = time.perf_counter()
    result = call()
    _wait(device)
    return result, time.perf_counter() - start


def cpu_timed(call: Callable[[], _T]) -> tuple[_T, float]:
    """Return the result of `call` and its CPU seconds in all threads, which other work hardly changes."""
    start = time.process_time()
    result = call()
    return result, time.process_time() - start


def in_turn(sides: Mapping[str, Callable[[int], _T]], repeats: int) -> dict[str, list[_T]]:
    """Call all sides once, then all again, ..., each with the number of the repeat; return the results by side."""
    results: dict[str, list[_T]] = {name: [] for name in sides}
    for repeat in range(repeats):
        for name, side in sides.items():
            results[name].append(side(repeat))
    return results


def product_seconds(
    layers: Sequence[tuple[int, int]], batch: int, dtype: torch.dtype, device: torch.device
) -> tuple[float, float]:
    """Return seconds and floating-point operations of the matrix products of one training step of linear `layers`.

    For each (n_in, n_out): forward, and backward to the weights and to the input; the first layer's input needs no
    gradient. The operands lie in memory. The time is the fastest of five medians: the machine at its best.
    """
    calls: list[tuple[torch.Tensor, torch.Tensor]] = []
    operations = 0.0
    for number, (n_in, n_out) in enumerate(layers):
        x, w, g = (
            torch.randn(shape, device=device, dtype=dtype) for shape in ((batch, n_in), (n_out, n_in), (batch, n_out))
        )
        pairs = [(x, w.t()), (g.t(), x), *([(g, w)] if number else [])]
        calls += pairs
        operations += len(pairs) * 2 * batch * n_in * n_out

    def block() -> None:
        for _ in range(10):
            for a, b in calls:
                torch.mm(a, b)  # without `out`: into a given place it is slower on the CPU

    block()
    if device.type == "cuda":
        block = _recorded(block)  # as narrows' own steps are; otherwise launching kernels would be measured
    medians = [statistics.median(timed(block, device)[1] for _ in range(9)) for _ in range(5)]
    return min(medians) / 10, operations


def _recorded(block: Callable[[], None]) -> Callable[[], None]:
    """Return a function that replays the kernels of `block`, which has run once."""
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        block()
    return graph.replay


def memory_mib() -> tuple[float, float]:
    """Return the resident memory of this process now and at its peak, in MiB."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
        # getrusage would not do: a child starts with the peak of its parent
        status = {line.split(":")[0]: float(line.split()[1]) / 1024 for line in lines if line.startswith("Vm")}
        return status["VmRSS"], status["VmHWM"]
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (_MIB if sys.platform == "darwin" else 1024)
        return peak, peak


def grown_mib(call: Callable[[], object], device: torch.device) -> dict[str, float]:
    """Run `call` once; return the peak memory of this process and its growth, in MiB."""
    before, _ = memory_mib()
    call()
    _, peak = memory_mib()
    usage = {"peak_mib": peak, "grown_mib": peak - before}
    if device.type == "cuda":
        usage["device_mib"] = torch.cuda.max_memory_allocated(device) / _MIB
    return usage


def alone(*command: str) -> Any:
    """Run a script as `command` in a separate process; return the JSON of the last line that it prints."""
    done = subprocess.run([sys.executable, *command], check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def machine(*peers: str) -> dict[str, Any]:
    """Return the processor, its cores, the GPU if there is one, and versions, also those of `peers`."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        flags = next((line for line in lines if line.startswith("flags")), "")
        model += ", AMX" if "amx_bf16" in flags else ""
    except OSError:
        pass  # no /proc: the platform module's name stays
    gpu = {"gpu": torch.cuda.get_device_name()} if torch.cuda.is_available() else {}
    versions = {name: version(name) for name in ("narrows", "torch", "numpy", "scikit-learn", *peers)}
    return {"processor": model, "cores": os.cpu_count(), **gpu, "python": platform.python_version(), **versions}


def keep(name: str, results: dict[str, Any], *peers: str) -> Path:
    """Write `results` to NAME.json with the machine, the versions and the day, and print the path."""
    RESULTS.mkdir(parents=True, exist_ok=True)
    path = RESULTS / f"{name}.json"
    whole = {"machine": machine(*peers), "day": time.strftime("%Y-%m-%d"), **results}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"\n{json.dumps(whole['machine'])}\nwritten to {path}")
    return path


def show(results: Mapping[str, Any], indent: int = 2) -> None:
    """Print `results`, one a line, groups indented."""
    for name, value in results.items():
        if isinstance(value, Mapping):
            print(f"{' ' * indent}{name}")
            show(value, indent + 2)
        elif isinstance(value, list):
            print(f"{' ' * indent}{name:<22} {'  '.join(f'{v:.5g}' for v in value)}")
        else:
            print(f"{' ' * indent}{name:<22} {value if isinstance(value, (str, bool)) else f'{value:.6g}'}")


def _wait(device: torch.device | None) -> None:
    if device is not None and device.type == "cuda":
        torch.cuda.synchronize(device)
