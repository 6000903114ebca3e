"""Memory that a training takes, estimated before it is allocated.

    needed = weights + gradients + two moments of Adam + a copy of the best weights + the inputs of layers, which a step
             keeps for its backward pass

The estimate is a lower bound: what fits is never refused.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from narrows.data import free_bytes

_COPIES = 5  # the weight, its gradient, two moments and the best value
_FLOAT = 4  # bytes of a number in single precision
_FACTORIES = frozenset((torch.empty, torch.zeros, torch.ones, torch.full, torch.rand, torch.randn))
_LARGE, _SMALL, _MANY = 1 << 20, 1 << 12, 1 << 24  # numbers in tensors of `Outline`, and in all that have numbers
_CGROUPS = Path("/sys/fs/cgroup")


class NotEnoughMemory(ValueError):
    """Error for a training, or for an array of results, that does not fit into the free memory."""


class OverBudget(Exception):
    """Raised within `Budget` before the tensor that exceeds it is made.

    Attributes
    ----------
    n_largest : numbers in that tensor.
    """

    def __init__(self, n_largest: int) -> None:
        super().__init__(n_largest)
        self.n_largest = n_largest


class Budget(TorchFunctionMode):
    """A context in which torch makes tensors of at most `n` numbers in total, those that are freed included."""

    def __init__(self, n: int) -> None:
        super().__init__()
        self.left = n

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`, unless it makes a tensor that exceeds the budget."""
        kwargs = kwargs or {}
        if func in _FACTORIES:
            n = _count(args, kwargs)
            self.left -= n
            if self.left < 0:
                raise OverBudget(n)
        return func(*args, **kwargs)


class Outline(TorchFunctionMode):
    """A context in which torch makes large tensors, and after many smaller ones these too, without their numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.left = _MANY

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Call `func`; for a large tensor on the device "meta"."""
        kwargs = dict(kwargs or {})
        if func in _FACTORIES:
            n = _count(args, kwargs)
            if n > (_LARGE if self.left > 0 else _SMALL):
                kwargs |= {"device": "meta", "generator": None} if "generator" in kwargs else {"device": "meta"}
            else:
                self.left -= n
        return func(*args, **kwargs)


def _count(args: tuple[Any, ...], kwargs: dict[str, Any]) -> int:
    """Return the numbers in the tensor that a factory makes: its shape is an argument, or several."""
    size = kwargs.get("size", args[0] if args and isinstance(args[0], (tuple, list)) else args)
    return math.prod(n for n in size if isinstance(n, int))


def bytes_per_weight(precision: str, *, on_host: bool) -> int:
    """Return the bytes that each weight takes in the memory of the host during a training.

    Parameters
    ----------
    precision : the parameter of that name.
    on_host : False if a GPU or several processes train, so that the host holds the new weights alone.
    """
    if not on_host:
        return _FLOAT
    return _COPIES * (2 * _FLOAT if precision == "float64" else _FLOAT)


def check_step(
    *modules: nn.Module, device: torch.device, owner: str, n_copies: int = 4, batch_size: int = 0, kept_bytes: int = 0
) -> None:
    """Check that what the steps of a training allocate fits into the memory of the device.

    Parameters
    ----------
    modules : model and objective.
    owner : name of the estimator, for the message.
    n_copies : times that a trained weight is still to be stored: 5, or 4 if the weights themselves are there.
    batch_size : examples per step.
    kept_bytes : bytes that a step keeps of each example for its backward pass.

    Raises
    ------
    NotEnoughMemory
        If it does not fit.
    """
    weights = [p for module in modules for p in module.parameters()]
    fixed = sum((n_copies if p.requires_grad else 1) * p.numel() * p.element_size() for p in weights)
    kept, free = batch_size * kept_bytes, available_bytes(device)
    if fixed + kept <= free:
        return
    fitting = int((free - fixed) / max(1, kept_bytes))
    advice = f"a `batch_size` of at most {fitting:,}, or " if batch_size > fitting >= 1 else ""
    raise NotEnoughMemory(
        f"The training of {owner} needs about {format_bytes(fixed + kept)} more: {format_bytes(fixed)} for "
        f"{sum(p.numel() for p in weights):,} weights, with their gradients, two moments and the best values, and "
        f"{format_bytes(kept)} for a step on {batch_size:,} examples; {format_bytes(free)} are free. Smaller: "
        f"{advice}a smaller network (`hidden` or `n_components`)."
    )


def format_bytes(n_bytes: float) -> str:
    """Return a number of bytes for people.

    >>> [format_bytes(n) for n in (12, 3_400_000, 42e6, 1.2e9, 2e10)]
    ['12 B', '3.4 MB', '42 MB', '1.2 GB', '20 GB']
    """
    size, unit = n_bytes, "B"
    for larger in ("kB", "MB", "GB"):
        if size < 1000:
            break
        size, unit = size / 1000, larger
    return f"{size:.2g} {unit}" if 0 < size < 10 else f"{size:,.0f} {unit}"


def available_bytes(device: torch.device | None = None) -> int:
    """Return the bytes that this process can still allocate on the device; on the host without one.

    On the host it is what the system calls available, with the free swap, or what the limits of the containers leave,
    if that is less. Where the system does not tell, it is all of the machine's memory, or no limit.
    """
    if device is not None and device.type == "cuda":
        return free_bytes(device)
    return min([_system_bytes(), *_cgroup_bytes()])


def _system_bytes() -> int:
    status = Path("/proc/meminfo")
    if status.exists():
        values = dict(line.split(":", 1) for line in status.read_text(encoding="ascii").splitlines())
        return sum(int(values[name].split()[0]) * 1024 for name in ("MemAvailable", "SwapFree") if name in values)
    if hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return 1 << 62


def _cgroup_bytes(root: Path = _CGROUPS, own: Path = Path("/proc/self/cgroup")) -> list[int]:
    """Return what is left of the memory limit of each cgroup that this process is in, of version 1 or 2."""
    if not own.exists():
        return []
    paths = [line.split(":", 2)[1:] for line in own.read_text(encoding="utf-8").splitlines() if line.count(":") >= 2]
    left = []
    for controllers, path in paths:
        if controllers not in ("", "memory"):
            continue
        base = root / "memory" if controllers else root
        folder = base / path.strip().lstrip("/")
        while True:
            left.append(_left_of_limit(folder, is_old=bool(controllers)))
            if folder == base or base not in folder.parents:
                break
            folder = folder.parent
    return [n for n in left if n is not None]


def _left_of_limit(folder: Path, *, is_old: bool) -> int | None:
    """Return the limit of a cgroup minus what it uses, without caches that it can drop; None without a limit."""
    names = ("memory.limit_in_bytes", "memory.usage_in_bytes") if is_old else ("memory.max", "memory.current")
    try:
        limit, used = ((folder / name).read_text(encoding="ascii").strip() for name in names)
        status = (folder / "memory.stat").read_text(encoding="ascii")
    except OSError:
        return None  # there is no such cgroup here: a container sees its own as the root
    if not limit.isdecimal() or int(limit) >= 1 << 60:
        return None
    values = dict(line.split(maxsplit=1) for line in status.splitlines() if " " in line)
    cached = int(values.get("total_inactive_file" if is_old else "inactive_file", 0))
    cached += int(values.get("total_active_file" if is_old else "active_file", 0))
    return max(0, int(limit) - int(used) + cached)
