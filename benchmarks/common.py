"""What every benchmark prints beside its numbers: the machine, the versions, and where the results went."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The processor, its cores, and the versions that matter."""
    model = platform.processor() or platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), model)
        flags = next((line for line in lines if line.startswith("flags")), "")
        model += ", AMX" if "amx_bf16" in flags else ""
    except OSError:
        pass  # no /proc: the platform module's word stands
    versions = {name: version(name) for name in ("torch", "numpy", "scikit-learn")}
    return {"processor": model, "cores": os.cpu_count(), "python": platform.python_version(), **versions}


def keep(name: str, results: dict[str, Any]) -> Path:
    """Write `results` to results/NAME.json with the machine and the day, and say where."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    whole = {"machine": machine(), "day": time.strftime("%Y-%m-%d"), **results}
    path.write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    print(f"\n{json.dumps(whole['machine'])}\nwritten to {path}")
    return path
