"""The processes of a training, started by torchrun: https://docs.pytorch.org/docs/stable/elastic/run.html."""

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
from narrows.params import counted

_TIMEOUT = timedelta(minutes=10)  # a process may work alone for this long, for example to read data
_SECONDS_TO_CLEAN_UP = 0.1
_CONNECTION_ERROR = re.compile(r"gloo|nccl|connection|socket|timed? ?out", re.IGNORECASE)

_T = TypeVar("_T")


@dataclass(frozen=True)
class World:
    """The processes of a training: this one is number `rank` of `size`. With one process, the methods cost nothing."""

    rank: int = 0
    size: int = 1

    @property
    def n_restarts(self) -> int:
        """Number of times that torchrun restarted all processes after a failure."""
        return int(os.environ.get("TORCHELASTIC_RESTART_COUNT", "0"))

    def shard(self, n: int) -> Shard | None:
        """Return this process's rows of a batch of `n`. Each row belongs to one process. None with one process."""
        if self.size == 1:
            return None
        return Shard(n * self.rank // self.size, n * (self.rank + 1) // self.size, n)

    def broadcast(self, value: _T) -> _T:
        """Return rank 0's value, which must be picklable, in all processes.

        Raises
        ------
        ConnectionError
            If another process has failed.
        """
        if self.size == 1:
            return value
        values = [value]
        with peer_failures_as_connection_errors():
            dist.broadcast_object_list(values, src=0)
        return values[0]

    def check_same(self, value: Any, description: str) -> None:
        """Check that all processes have an equal value.

        Parameters
        ----------
        description : description of the value, for the error message.

        Raises
        ------
        ValueError
            If the values differ.
        """
        if self.size == 1:
            return
        values: list[Any] = [None] * self.size
        with peer_failures_as_connection_errors():
            dist.all_gather_object(values, value)
        if any(other != values[0] for other in values):
            rank = next(rank for rank, other in enumerate(values) if other != values[0])
            raise ValueError(f"All processes must be given {description}. Process {rank} differs from process 0.")

    def all_reduce_(self, sums: dict[str, Tensor]) -> None:
        """Replace each scalar by its sum over processes, in place."""
        if self.size > 1 and sums:
            totals = torch.stack(list(sums.values()))
            dist.all_reduce(totals)
            for scalar, total in zip(sums.values(), totals, strict=True):
                scalar.copy_(total)

    def on_rank_zero(self, call: Callable[[], _T]) -> _T | None:
        """Call `call` in rank 0 only, while the others wait. Return its result there, None elsewhere.

        An error in rank 0 is raised in all processes.
        """
        result, error = None, None
        if self.rank == 0:
            try:
                result = call()
            except Exception as raised:
                error = raised
        if self.size > 1:
            failure = self.broadcast((type(error), str(error)) if error else None)
            if failure is not None and self.rank > 0:
                raise _rebuild_error(*failure)
        if error is not None:
            raise error
        return result

    def rank_zero_first(self, call: Callable[[], _T]) -> _T:
        """Call `call` in rank 0, then in the others, so that they find the files of rank 0. Each returns its result."""
        result = self.on_rank_zero(call)
        return call() if self.rank else result  # type: ignore[return-value]


def join(device: str = "auto") -> World:
    """Return the world of this process. Under torchrun, initialise the process group if there is none.

    Under torchrun, a process computes with its share of the cores, and "cuda" is the GPU of its local rank. The group
    lasts until the process ends.

    Raises
    ------
    ValueError
        If several processes cannot use `device`.
    """
    if not dist.is_available():
        return World()
    if not dist.is_initialized():
        if not dist.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
            return World()
        _init_process_group(device)
    if dist.get_world_size() > 1 and device.startswith("mps"):
        raise ValueError(
            f'device={device!r} works with one process only, and {dist.get_world_size()} train. Pass "cpu".'
        )
    return World(dist.get_rank(), dist.get_world_size())


def _init_process_group(device: str) -> None:
    rank, n_local = int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"])
    on_gpus = torch.cuda.is_available() and (device == "auto" or device.startswith("cuda"))
    if on_gpus:
        if device.startswith("cuda:"):
            raise ValueError(
                f'device={device!r} names one GPU, and {n_local} processes train here. Pass device="cuda".'
            )
        if n_local > torch.cuda.device_count():
            raise ValueError(
                f"{n_local} processes train on a machine with {counted(torch.cuda.device_count(), 'GPU')}. Pass "
                f'--nproc-per-node {torch.cuda.device_count()} to torchrun, or device="cpu".'
            )
        torch.cuda.set_device(rank)
    # torchrun sets OMP_NUM_THREADS=1 if it is not set; a 1 set by the user looks the same
    if os.environ.get("OMP_NUM_THREADS", "1") == "1":
        torch.set_num_threads(max(1, _n_cores() // n_local))
    dist.init_process_group(
        "cpu:gloo,cuda:nccl" if on_gpus else "gloo",
        store=_store(),
        rank=int(os.environ["RANK"]),
        world_size=int(os.environ["WORLD_SIZE"]),
        timeout=_TIMEOUT,
    )
    atexit.register(_destroy_process_group)


@functools.cache
def _store() -> dist.Store:
    """Return the key-value store that the processes of torchrun share, with a prefix per restart.

    Without the prefix, `init_process_group` would find addresses of processes that have ended (torch 2.13: "Gloo
    connectFullMesh failed ... Connection refused" after most restarts).
    """
    address = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    is_master = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") != "True" and os.environ["RANK"] == "0"
    store = dist.TCPStore(*address, is_master=is_master, timeout=_TIMEOUT, wait_for_workers=False)
    return dist.PrefixStore(f"narrows/{World().n_restarts}", store)


def _destroy_process_group() -> None:
    if dist.is_initialized():
        dist.destroy_process_group()
    # DDP (torch 2.13) keeps the group's threads alive. A thread that still has to free a tensor when Python ends aborts
    # the process ("terminate called without an active exception"); sleeping here gives it time
    gc.collect()
    time.sleep(_SECONDS_TO_CLEAN_UP)


def _n_cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache
def is_first_to_report() -> bool:
    """True for the first process of torchrun that calls it, so that only one of them prints an error."""
    if not dist.is_torchelastic_launched() or int(os.environ["WORLD_SIZE"]) == 1:
        return True
    try:
        return _store().add("reported", 1) == 1
    except RuntimeError:
        return True  # the store is gone


@contextlib.contextmanager
def peer_failures_as_connection_errors() -> Iterator[None]:
    """Raise ConnectionError, with an explanation, if other processes cannot be reached any more."""
    try:
        yield
    except RuntimeError as error:  # gloo raises no narrower class
        if not dist.is_initialized() or not _CONNECTION_ERROR.search(str(error)):
            raise
        raise ConnectionError(
            f"Process {dist.get_rank()} of {dist.get_world_size()} lost its connection to the others: one has failed. "
            "Its error message is above or below. torchrun --max-restarts 3 resumes from the last checkpoint by itself."
        ) from error


def _rebuild_error(error_class: type[Exception], message: str) -> Exception:
    """Return the error that another process raised."""
    try:
        return error_class(message)
    except TypeError:  # a class with other arguments
        return RuntimeError(message)
