"""Top examples of all units of a wide sparse autoencoder, in one pass over a file: seconds and memory.

    python benchmarks/unit_survey.py --rows 300000 --units 12288 --k 32

The weights are random, which changes no time. Compared with it, for one unit: a dense array of the codes of some rows,
sorted for that unit, which is what each unit takes without the survey.
"""

import argparse
import json
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

import narrows
from narrows.dictionaries import SparseDictionary
from narrows.dictionaries.parts import to_estimator

DENSE_ROWS = 10_000


def make_model(d: int, units: int, k: int) -> narrows.SAE:
    """Make a TopK dictionary with random directions of unit length."""
    generator = torch.Generator().manual_seed(0)
    W = torch.nn.functional.normalize(torch.randn(units, d, generator=generator), dim=1)
    return to_estimator(SparseDictionary(W.T.contiguous(), torch.zeros(units), W, torch.zeros(d), "topk", k=k))


def write_rows(path: Path, n: int, d: int) -> None:
    """Write random rows with a few large directions."""
    rng = np.random.default_rng(0)
    mixing = (rng.standard_normal((d, d)) * np.linspace(2, 0.2, d)[:, None]).astype(np.float32) / np.sqrt(d)
    rows = np.lib.format.open_memmap(path, "w+", np.float32, (n, d))
    for first in range(0, n, 10_000):
        rows[first : first + 10_000] = rng.standard_normal((min(10_000, n - first), d)).astype(np.float32) @ mixing
    rows.flush()


def resident_memory() -> float:
    """Return the memory of this process now, in GB."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e9


def peak_memory() -> float:
    """Return the largest memory of this process so far, in GB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6


def main() -> None:
    """Measure, and print one JSON document."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--entries", type=int, default=384)
    parser.add_argument("--units", type=int, default=12_288)
    parser.add_argument("--k", type=int, default=32)
    parser.add_argument("--top", type=int, default=10)
    given = parser.parse_args()
    model = make_model(given.entries, given.units, given.k)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.npy"
        # in a process of its own, whose memory does not count
        writer = multiprocessing.get_context("spawn").Process(target=write_rows, args=(path, given.rows, given.entries))
        writer.start()
        writer.join()
        rows = np.load(path, mmap_mode="r")
        model.survey_units(rows[:2_048], given.top)  # loads libraries
        before = resident_memory()
        began, cpu = time.perf_counter(), time.process_time()
        survey = model.survey_units(path, given.top)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        after = peak_memory()
        began = time.perf_counter()
        dense = model.transform(rows[:DENSE_ROWS])
        np.argsort(-dense[:, 0], kind="stable")
        one_unit = (time.perf_counter() - began) * given.rows / DENSE_ROWS
    print(
        json.dumps(
            {
                **vars(given),
                "threads": torch.get_num_threads(),
                "cores": os.cpu_count(),
                "seconds": round(seconds, 1),
                "cpu_seconds": round(cpu, 1),
                "rows_per_second": round(given.rows / seconds),
                "resident_before_gb": round(before, 3),
                "peak_gb": round(after, 3),
                "alive": int((survey.density > 0).sum()),
                "dense_seconds_for_one_unit_extrapolated": round(one_unit, 1),
            }
        )
    )


if __name__ == "__main__":
    main()
