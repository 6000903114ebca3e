"""Reading large tables of mixed columns: seconds, and peak memory as a multiple of the frame's own.

    python benchmarks/tables.py                # CSV and Parquet of 1,000,000 rows x 50 columns
    python benchmarks/tables.py csv --rows 100000

Each file is read in a process of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import SEED, alone, arguments, grown_mib, timed

COLUMNS = 50
_MIB = 1 << 20


def make_frame(rows: int) -> pd.DataFrame:
    """Return a frame of ten columns each: real, integer, categorical, and with gaps, dates, words, truth values."""
    rng = np.random.default_rng(SEED)
    columns: dict[str, Any] = {}
    for i in range(COLUMNS // 10):
        columns[f"real{i}"] = rng.normal(size=rows).round(4)
        columns[f"price{i}"] = np.exp(rng.normal(size=rows)).round(2)
        columns[f"gaps{i}"] = np.where(rng.random(rows) < 0.1, np.nan, rng.normal(size=rows).round(3))
        columns[f"count{i}"] = rng.poisson(3, rows)
        columns[f"year{i}"] = rng.integers(1950, 2020, rows)
        columns[f"flag{i}"] = rng.random(rows) < 0.3
        columns[f"day{i}"] = pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 1000, rows), unit="D")
        columns[f"city{i}"] = np.array([f"city {j}" for j in range(300)], object)[rng.integers(0, 300, rows)]
        columns[f"grade{i}"] = np.array(["low", "middle", "high", "?"], object)[rng.integers(0, 4, rows)]
        columns[f"zip{i}"] = np.array([f"{j:05d}" for j in range(900)], object)[rng.integers(0, 900, rows)]
    return pd.DataFrame(columns)


def write(path: Path, rows: int) -> None:
    """Write the frame to `path`, in the format of its suffix."""
    frame = make_frame(rows)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)


def read(path: Path) -> dict[str, Any]:
    """Read `path`; return the seconds, the memory of the frame and the growth of this process in MiB."""
    from narrows.data import files

    results: dict[str, Any] = {}

    def call() -> None:
        dataset, seconds = timed(lambda: files.read(path))
        results.update(
            seconds=round(seconds, 2),
            frame_mib=round(dataset.X.memory_usage(deep=True).sum() / _MIB),
            shape=list(dataset.X.shape),
            file_mib=round(path.stat().st_size / _MIB),
        )

    import torch

    results.update(grown_mib(call, torch.device("cpu")))
    results["of_frame"] = round(results["grown_mib"] / results["frame_mib"], 2)
    return results


def main() -> None:
    parser = arguments(__doc__, ("csv", "parquet"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--read", type=Path, help="read this file in this process")
    parser.add_argument("--write", type=Path, help="write this file in this process")
    options = parser.parse_args()
    if options.read or options.write:
        result = read(options.read) if options.read else write(options.write, options.rows)
        print(json.dumps(result))
        return
    with tempfile.TemporaryDirectory() as folder:
        for kind in options.jobs or ("csv", "parquet"):
            path = Path(folder) / f"table.{kind}"
            alone(__file__, "--rows", str(options.rows), "--write", str(path))
            print(kind, json.dumps(alone(__file__, "--read", str(path))), file=sys.stdout)
            path.unlink()


if __name__ == "__main__":
    main()
