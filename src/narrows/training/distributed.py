"""One training on several processes, as torchrun starts them: https://docs.pytorch.org/docs/stable/elastic/run.html.

Every process holds the same weights and walks through the same batches, of each of which it takes its own consecutive
rows. The mean of their gradients is the gradient of the whole batch, so all of them take the step that one process
would take, up to the order of sums. What is decided while training (set back, cool down, stop) must follow from numbers
that all have in common: `World` brings them together, and `Clock` the time.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import gc
import inspect
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from narrows.model import Autoencoder
from narrows.shards import Shard, sharded
from narrows.training.rng import forked_rng
from narrows.types import Batch, Loss

_PATIENCE = timedelta(minutes=10)  # for a process that does something alone, such as reading data or writing a model
_AGREE_EVERY = 0.5  # seconds
_AGREE_STEPS = 50  # at most
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


class Learner(nn.Module):
    """Model and objective as one module, which gives the loss of a batch, or of this process's rows of it.

    The mean over processes of what they give is the loss of the whole batch, also where their rows are not as many.
    """

    def __init__(self, model: Autoencoder, objective: nn.Module, world: World) -> None:
        super().__init__()
        self.model, self.objective, self.world = model, objective, world

    def forward(self, batch: Batch, shard: Shard | None = None) -> Loss:
        """Nats per example; `batch` holds the rows of `shard`."""
        with sharded(shard):
            loss: Loss = self.objective(self.model, batch)
        if shard is None or shard.rows * self.world.size == shard.of:
            return loss
        if shard.rows == 0:  # a mean over no rows is not a number
            return Loss(
                torch.zeros_like(loss.total),
                {name: torch.zeros_like(t) for name, t in loss.terms.items()},
                None if loss.not_validated is None else torch.zeros_like(loss.not_validated),
            )
        factor = shard.rows * self.world.size / shard.of
        not_validated = None if loss.not_validated is None else loss.not_validated * factor
        return Loss(loss.total * factor, {name: term * factor for name, term in loss.terms.items()}, not_validated)


def averaging(learner: Learner, batch: Batch) -> nn.Module:
    """`learner`, whose backward pass leaves the mean of all processes' gradients; `batch` is any example of a batch.

    Li et al., PyTorch distributed: experiences on accelerating data parallel training (2020),
    https://arxiv.org/abs/2006.15704.
    """
    known = inspect.signature(nn.parallel.DistributedDataParallel).parameters
    buffers = "forward_sync_buffers" if "forward_sync_buffers" in known else "broadcast_buffers"  # renamed in 2.13
    norms = any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in learner.modules())
    return nn.parallel.DistributedDataParallel(
        learner,
        find_unused_parameters=not _all_used(learner, batch),
        gradient_as_bucket_view=True,
        # batch normalisation takes rank 0's statistics along; all other buffers are the same everywhere anyway
        **{buffers: norms},  # type: ignore[arg-type]
    )


def _all_used(learner: Learner, batch: Batch) -> bool:
    """Whether every parameter gets a gradient. If not, each step must look for those, or it would wait for them."""
    learner.eval()  # nothing is learned here
    with forked_rng(0):
        learner(batch).total.backward()
    used = all(p.grad is not None for p in learner.parameters() if p.requires_grad)
    learner.zero_grad()
    return used


class Clock:
    """Steps done and seconds spent since a training began, over all its runs, and whether to stop.

    All are the same in all processes.

    Each process has a clock and a Ctrl-C of its own. Rank 0's clock and everyone's Ctrl-C are brought together about
    twice a second and at least every 50 steps; in between, steps are taken to last as long as the last ones did.
    """

    def __init__(self, world: World, device: torch.device) -> None:
        self.world, self.device = world, device
        self.step = 0
        self.started = time.perf_counter()
        self.interrupted = threading.Event()
        self._stopped = False
        self._agreed = self._due = 0
        self._seconds = self._pace = 0.0

    @property
    def stopped(self) -> bool:
        """Whether Ctrl-C was pressed, as far as all know of it."""
        return self.interrupted.is_set() if self.world.size == 1 else self._stopped

    @property
    def seconds(self) -> float:
        """Spent so far."""
        if self.world.size == 1:
            return time.perf_counter() - self.started
        return self._seconds + self._pace * (self.step - self._agreed)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"step": self.step, "seconds": self.seconds}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.started = time.perf_counter() - state["seconds"]
        self.step = self._agreed = self._due = state["step"]
        self._seconds, self._pace = state["seconds"], 0.0

    def tick(self) -> None:
        """Count a step, and bring clocks together if it is time; every process calls this after the same steps."""
        self.step += 1
        step = self.step
        if self.world.size == 1 or step < self._due:
            return
        mine = time.perf_counter() - self.started if self.world.rank == 0 else 0.0
        dtype = torch.float64
        both = torch.tensor([mine, float(self.interrupted.is_set())], dtype=dtype, device=self.device)
        dist.all_reduce(both)
        seconds, asked = both.tolist()
        if step > self._agreed:
            self._pace = max(0.0, seconds - self._seconds) / (step - self._agreed)
        self._agreed, self._seconds, self._stopped = step, seconds, self._stopped or asked > 0
        self._due = step + max(1, min(_AGREE_STEPS, int(_AGREE_EVERY / max(self._pace, 1e-9))))
