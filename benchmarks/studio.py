"""Latency of the studio from a slider to the new picture, for one client and for fifty, and its start-up time.

    python benchmarks/studio.py [start latency load] [--seconds 60] [--clients 50] [--quick]

The demo's VAE of 8 x 8 digits (64-256-128-8), served by `narrows studio` in a process of its own:

- start: seconds from the command to the first dial that is turned, and those of the imports;
- latency: one client sends a code over a WebSocket, waits for the example, and sends the next: milliseconds of each;
- load: many clients in a second process, each of which sends a code 30 times a second, as a moving slider does:
  milliseconds until the newest code is answered, errors, and the server's memory over time.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import resource
import struct
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import websockets
from common import SEED, arguments, keep, show

import narrows

JOBS = ("start", "latency", "load")
RATE = 30.0  # codes a second of a moving slider
N_COMPONENTS, N_BYTES = 8, 64
IMPORTS = "import narrows.estimators, narrows.studio.app, uvicorn, websockets"


@contextlib.contextmanager
def studio(model: Path) -> Iterator[tuple[int, str]]:
    """Start a studio; yield its process number and a pattern for its addresses, with {} for the path."""
    command = [sys.executable, "-m", "narrows", "studio", str(model), "digits", "--no-browser", "--port", "0"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        output = ""
        while (address := re.search(r"http://(\S+)/(\?token=\S+)", output)) is None:
            line = process.stderr.readline()
            if not line:
                raise RuntimeError(output)
            output += line
        yield process.pid, f"{address[1]}/{{}}{address[2]}"
    finally:
        process.terminate()
        process.wait()


async def send_codes(address: str, n: int) -> np.ndarray:
    """Send `n` codes, one after another; return the milliseconds of each."""
    generator, took = np.random.default_rng(SEED), np.empty(n)
    async with websockets.connect(f"ws://{address.format('api/decode')}", compression=None) as socket:
        for number in range(n):
            code = generator.normal(size=N_COMPONENTS).astype("<f4").tobytes()
            began = time.perf_counter()
            await socket.send(struct.pack("<I", number) + code)
            answer = await socket.recv()
            took[number] = time.perf_counter() - began
            assert answer[:4] == struct.pack("<I", number)
            assert len(answer) == 4 + N_BYTES
    return 1e3 * took


async def move_slider(address: str, seed: int, seconds: float, took: list[float], errors: list[str]) -> None:
    """Act as a client who moves a slider: send at `RATE`, and note when the newest code is answered."""
    generator, sent = np.random.default_rng(seed), {}
    try:
        async with websockets.connect(f"ws://{address.format('api/decode')}", compression=None) as socket:

            async def hear() -> None:
                async for answer in socket:
                    if isinstance(answer, str) or len(answer) != 4 + N_BYTES:
                        errors.append(str(answer[:80]))
                        continue
                    number = struct.unpack("<I", answer[:4])[0]
                    took.append(1e3 * (time.perf_counter() - sent[number]))
                    for old in [one for one in sent if one <= number]:
                        del sent[old]

            hearing = asyncio.create_task(hear())
            began = time.perf_counter()
            for number in range(int(seconds * RATE)):
                await asyncio.sleep(max(0.0, began + number / RATE - time.perf_counter()))
                sent[number] = time.perf_counter()
                await socket.send(
                    struct.pack("<I", number) + generator.normal(size=N_COMPONENTS).astype("<f4").tobytes()
                )
            await asyncio.sleep(1.0)
            if sent:
                errors.append(f"{len(sent)} newest codes without an answer")
            hearing.cancel()
    except OSError as error:
        errors.append(str(error))


def resident_mib(process: int) -> float:
    """Return the memory of another process, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return next(float(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


def quantiles(milliseconds: Any) -> dict[str, float]:
    """Return the median, the 99th percentile and the maximum."""
    values = np.asarray(milliseconds)
    return {
        "n": len(values),
        "median_ms": float(np.median(values)),
        "p99_ms": float(np.percentile(values, 99)),
        "longest_ms": float(values.max()),
    }


def cpu_seconds(process: int) -> float:
    """Return the CPU seconds of another process."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def start(model: Path) -> dict[str, float]:
    """Measure the seconds from the command to the first example, and those of the imports; also in CPU seconds."""
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)  # the files are in the system's cache
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    imports, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    imports_cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    began = time.perf_counter()
    with studio(model) as (process, address):
        served = time.perf_counter() - began
        urllib.request.urlopen(f"http://{address.format('api/state')}").read()
        asyncio.run(send_codes(address, 1))
        first, first_cpu = time.perf_counter() - began, cpu_seconds(process)
    return {
        "imports_s": imports,
        "served_s": served,
        "first_turn_s": first,
        "imports_cpu_s": imports_cpu,
        "first_turn_cpu_s": first_cpu,
    }


def latency(model: Path, n: int) -> dict[str, float]:
    """Measure the latency of one client, after a warm-up."""
    with studio(model) as (_, address):
        asyncio.run(send_codes(address, 200))
        return quantiles(asyncio.run(send_codes(address, n)))


def load(model: Path, clients: int, seconds: float) -> dict[str, Any]:
    """Measure the latency of many clients at once, and the server's memory every few seconds."""
    took: list[float] = []
    errors: list[str] = []
    memory: list[float] = []

    async def all_of_them(address: str, process: int) -> None:
        async def watch() -> None:
            while True:
                memory.append(resident_mib(process))
                await asyncio.sleep(seconds / 12)

        watching = asyncio.create_task(watch())
        await asyncio.gather(*(move_slider(address, i, seconds, took, errors) for i in range(clients)))
        watching.cancel()

    with studio(model) as (process, address):
        asyncio.run(send_codes(address, 200))
        asyncio.run(all_of_them(address, process))
    results: dict[str, Any] = {"clients": clients, "seconds": seconds, "sent": int(clients * seconds * RATE)}
    return {
        **results,
        **quantiles(took),
        "errors": len(errors),
        "first_errors": "; ".join(errors[:3]),
        "memory_mib": memory,
    }


def main() -> None:
    """Measure, print and write the results."""
    parser = arguments(__doc__, JOBS)
    parser.add_argument("--seconds", type=float, default=60.0, help="of the load")
    parser.add_argument("--clients", type=int, default=50, help="of the load")
    parser.add_argument("--quick", action="store_true", help="a smoke test, which keeps no results")
    options = parser.parse_args()
    n, seconds = (200, 3.0) if options.quick else (3000, options.seconds)
    os.environ.setdefault("PYTHONPATH", str(Path(narrows.__file__).parents[1]))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "vae"
        X = narrows.load_dataset("digits").X
        narrows.VAE(N_COMPONENTS, hidden=(256, 128), max_epochs=20, random_state=SEED).fit(X).save(model)
        for job in options.jobs or JOBS:
            print(job)
            waiting = os.getloadavg()[0]
            results = {
                "start": lambda: start(model),
                "latency": lambda: latency(model, n),
                "load": lambda: load(model, options.clients, seconds),
            }[job]()
            results["load_average_before"] = (
                waiting  # runnable processes; above the number of cores everything is slower
            )
            show(results)
            if not options.quick:
                keep(f"studio_{job}", results, "fastapi", "uvicorn", "websockets")


if __name__ == "__main__":
    main()
