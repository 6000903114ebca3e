"""The processes of one training, as torchrun starts them: https://docs.pytorch.org/docs/stable/elastic/run.html."""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import os
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor

from narrows.batch_sharding import Shard

_PATIENCE = timedelta(minutes=10)  # for a process that does something alone, such as reading data or writing a model
_LEAVE = 0.1  # seconds
_BROKEN = re.compile(r"gloo|nccl|connection|socket|timed? ?out", re.IGNORECASE)

_T = TypeVar("_T")


@dataclass(frozen=True)
class World:
    """The processes of a training; `rank` of `size`. A world of one does nothing and costs nothing."""

    rank: int = 0
    size: int = 1

    @property
    def restarts(self) -> int:
        """How often torchrun has started all processes anew, because one had failed."""
        return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))

    def shard(self, n: int) -> Shard | None:
        """Which rows of a batch of `n` are this process's: each row is one process's. None in a world of one."""
        if self.size == 1:
            return None
        return Shard(n * self.rank // self.size, n * (self.rank + 1) // self.size, n)

    def same(self, value: _T) -> _T:
        """Rank 0's value (anything that can be pickled), in all processes."""
        if self.size == 1:
            return value
        box = [value]
        with mended():
            dist.broadcast_object_list(box, src=0)
        return box[0]

    def check_same(self, value: Any, what: str) -> None:
        """Refuse values that differ between processes; `what` says what they are."""
        if self.size == 1:
            return
        values: list[Any] = [None] * self.size
        with mended():
            dist.all_gather_object(values, value)
        if any(other != values[0] for other in values):
            other = next(rank for rank, other in enumerate(values) if other != values[0])
            raise ValueError(
                f"All processes must be given {what}. Those of process {other} differ from those of process 0."
            )

    def add_up(self, sums: dict[str, Tensor]) -> None:
        """Add the scalars of all processes, in place."""
        if self.size > 1 and sums:
            whole = torch.stack(list(sums.values()))
            dist.all_reduce(whole)
            for mine, total in zip(sums.values(), whole, strict=True):
                mine.copy_(total)

    def alone(self, call: Callable[[], _T]) -> _T | None:
        """What `call` returns in rank 0, while the others wait. An error there is one in all."""
        result, error = None, None
        if self.rank == 0:
            try:
                result = call()
            except Exception as raised:
                error = raised
        if self.size > 1:
            failed = self.same((type(error), str(error)) if error else None)
            if failed is not None and self.rank > 0:
                raise _again(*failed)
        if error is not None:
            raise error
        return result

    def first(self, call: Callable[[], _T]) -> _T:
        """What `call` returns here; rank 0 calls it before the others do, so that they find what it leaves behind."""
        result = self.alone(call)
        return call() if self.rank else result  # type: ignore[return-value]


def join(device: str = "auto") -> World:
    """The world that this process belongs to: a process group that there is, or the one that torchrun asks for.

    Under torchrun a process computes with its share of the cores, and "cuda" is the GPU of its local rank. The group
    stays until the process ends.

    Raises
    ------
    ValueError
        If `device` cannot be that of several processes.
    """
    if not dist.is_available():
        return World()
    if not dist.is_initialized():
        if not dist.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
            return World()
        _enter(device)
    if dist.get_world_size() > 1 and device.startswith("mps"):
        raise ValueError(f'device={device!r} is for one process, and {dist.get_world_size()} train. Pass "cpu".')
    return World(dist.get_rank(), dist.get_world_size())


def _enter(device: str) -> None:
    rank, here = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    on_gpus = torch.cuda.is_available() and (device == "auto" or device.startswith("cuda"))
    if on_gpus:
        if device.startswith("cuda:"):
            raise ValueError(f'device={device!r} names one GPU, and {here} processes train here. Pass device="cuda".')
        if here > torch.cuda.device_count():
            raise ValueError(
                f"{here} processes train on a machine with {torch.cuda.device_count()} GPUs. Pass "
                f'--nproc-per-node {torch.cuda.device_count()} to torchrun, or device="cpu".'
            )
        torch.cuda.set_device(rank)
    # torchrun gives each process one thread unless OMP_NUM_THREADS says otherwise; a 1 may be its own doing
    if os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, _cores() // here))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
        store=_store(),
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=_PATIENCE,
    )
    atexit.register(_leave)


@functools.cache
def _store() -> dist.Store:
    """What the processes that torchrun started have in common.

    The addresses that a failed attempt left there must not be found by the next, as happens to `init_process_group` on
    its own (torch 2.13: "Gloo connectFullMesh failed ... Connection refused" after most restarts).
    """
    where = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    mine = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and os.environ["RANK"] == "0"
    store = dist.TCPStore(*where, is_master=mine, timeout=_PATIENCE, wait_for_workers=False)
    return dist.PrefixStore(f"narrows/{World().restarts}", store)


def _leave() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
    # DDP (torch 2.13) keeps the group's threads alive. One that still has a tensor to let go when Python ends aborts
    # the process ("terminate called without an active exception"); asleep, this thread lets it
    gc.collect()
    time.sleep(_LEAVE)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def speaks_first() -> bool:
    """Whether this process is the first of those that torchrun started to ask: what all would say is then said once."""
    if not dist.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
        return True
    try:
        return _store().add("spoken", 1) == 1
    except RuntimeError:
        return True  # nobody is there to be asked


@contextlib.contextmanager
def mended() -> Iterator[None]:
    """Say in words when the others cannot be reached any more."""
    try:
        yield
    except RuntimeError as error:  # gloo raises nothing more particular
        if not dist.is_initialized() or not _BROKEN.search(str(error)):
            raise
        raise ConnectionError(
            f"Process {dist.get_rank()} of {dist.get_world_size()} lost touch with the others: one of them has failed. "
            "What it says stands above or below. torchrun --max-restarts 3 goes on from the last checkpoint by itself."
        ) from error


def _again(kind: type[Exception], words: str) -> Exception:
    """An error that another process raised."""
    try:
        return kind(words)
    except TypeError:  # a kind that takes more than words
        return RuntimeError(words)
