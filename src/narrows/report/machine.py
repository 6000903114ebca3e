"""The machine that makes a page: its processor, its threads, and its user's folders."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch
from threadpoolctl import threadpool_limits


@contextmanager
def limit_threads(n: int) -> Iterator[None]:
    """Limit the threads of torch and NumPy to `n`, and restore both limits at the end."""
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        with threadpool_limits(n):
            yield
    finally:
        torch.set_num_threads(before)


def processor() -> str:
    """Return the name of the processor, as the operating system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def from_home(path: Path) -> Path:
    """Return an absolute path, which begins with `~` below the user's folder: narrows and shells expand it."""
    path = path.resolve()
    return Path("~") / path.relative_to(Path.home()) if path.is_relative_to(Path.home()) else path
