"""Applying a fitted model to any number of examples: blocks come in, blocks go out, a few are in memory.

Several blocks are worked on at once, each by a thread that computes alone: threads that share one product wait for
each other at every layer, and while one thread waits for a file the others go on. The one that called feeds them and
takes what they made, in order.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from narrows.accelerate import around_inference, block_factor
from narrows.data import Schema, as_rows, as_shared_tensor, check_form, check_range, min_max
from narrows.model import Autoencoder, inference_mode
from narrows.networks import has_own_parts
from narrows.training.device import threads, usual_threads

if TYPE_CHECKING:
    from narrows.data.sinks import Sink
    from narrows.data.streams import Source
    from narrows.training.progress import Reporter

_MOST_ROWS = 1024  # in a block: measured, beside 256 to 4096, on 784-512-256-16
_MOST_NUMBERS = 1 << 21  # in a block where it is widest, so that it stays where the processor reads it fast
_RETAINED = 31 << 20  # bytes; from 32 MiB on glibc learns nothing
_FEWEST_ROWS = 32  # smaller blocks are filled up, so that an example's result does not depend on its company
_FEWEST_TURNS = 4  # of each thread, if there are enough rows: with fewer, all wait long for the last
_MOST_WORKERS = 8  # with more, threads would wait for Python's lock

T = TypeVar("T")


class Step(NamedTuple):
    """What is done with a block.

    Attributes
    ----------
    function : of the model's tensors, from B x `schema.shape` to B x anything.
    finish : from what `function` gave, on the CPU, and the rows, to the block that goes out.
    inspect : raises for a block (prepared, as it came, the number of its first row) that cannot be worked on.
    """

    function: Callable[[Tensor], Tensor]
    finish: Callable[[Tensor, np.ndarray], np.ndarray]
    inspect: Callable[[Tensor, np.ndarray, int], None] | None = None


class Checks:
    """Looks at the rows of a source block by block, and at what they were together when all have come."""

    def __init__(self, schema: Schema, owner: str) -> None:
        self.schema, self.owner = schema, owner
        self.high, self.dtype = -np.inf, np.dtype(schema.dtype)
        self._lock = threading.Lock()

    def rows(self, block: np.ndarray, first: int) -> np.ndarray:
        """The block in a dtype that torch takes; raises for another form and for what is not finite."""
        rows = as_rows(block, self.owner)
        check_form(rows.shape, self.schema, self.owner)
        _, high = min_max(rows, self.owner, first)
        with self._lock:
            self.high, self.dtype = max(self.high, high), rows.dtype
        return rows

    def finish(self) -> None:
        """Raise if all of the rows together are on another scale than the model's."""
        check_range(self.high, self.dtype, self.schema, self.owner)


def stream(
    model: Autoencoder, schema: Schema, step: Step, source: Source, sink: Sink, checks: Checks, report: Reporter
) -> object:
    """Apply `step` to every block of `source`, write the results to `sink` in order, and return what it gives."""
    rows = rows_at_once(schema, model, source.n)

    def work(block: np.ndarray, first: int) -> np.ndarray:
        raw = checks.rows(block, first)
        x = prepare_rows(raw, schema, model)
        if step.inspect is not None:
            step.inspect(x, raw, first)
        return step.finish(run(step.function, x), raw)

    done = 0
    with contextlib.closing(parallel_map(work, source.blocks(rows), model)) as results:
        for block in results:
            sink.write(block)
            done += len(block)
            report.update(done / source.n if source.n else 0.0, {"examples": done})
    if not done:
        check_form((0, *schema.user_shape), schema, checks.owner)
    checks.finish()
    return sink.finish()


def parallel_map(
    work: Callable[[T, int], np.ndarray], blocks: Iterable[T], model: Autoencoder
) -> Generator[np.ndarray]:
    """`work(block, number of its first row)` for each of `blocks`, in order, some of them at the same time."""
    # never touched, and freed at once: glibc learns from it to keep what a block frees for the next one (mallopt(3),
    # M_TRIM_THRESHOLD), where it would hand the pages back and get new ones, zeroed, for a quarter of the time
    torch.empty(_RETAINED, dtype=torch.uint8)
    blocks = iter(blocks)
    start, usual = list(itertools.islice(blocks, 2)), usual_threads()
    with threads(usual):  # a thread that began beside a training has the number that it chose for itself
        if len(start) < 2:  # nothing to share out: torch's own threads share the products
            yield from (_inferred(work, block, 0, model) for block in start)
        else:
            yield from _mapped_at_once(work, itertools.chain(start, blocks), model, usual)


def _mapped_at_once(
    work: Callable[[T, int], np.ndarray], blocks: Iterable[T], model: Autoencoder, n_threads: int
) -> Generator[np.ndarray]:
    """`mapped`, several blocks at the same time, by `n_threads` in all."""
    device = next(model.parameters()).device
    workers = _workers(model, device, n_threads)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # the weights are there before other streams read them
    pending: deque[Future[np.ndarray]] = deque()
    streams = iter(_streams(device, workers))
    pool = ThreadPoolExecutor(workers, "narrows", _begin, (device, max(1, n_threads // workers), streams))
    try:
        first = 0
        for block in blocks:
            pending.append(pool.submit(_inferred, work, block, first, model))
            first += len(block)  # type: ignore[arg-type]
            if len(pending) > workers + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def rows_at_once(schema: Schema, model: Autoencoder, n: int | None = None) -> int:
    """The rows of a block, a power of two; of not many blocks, `n` rows in all, each thread gets a fair share."""
    device = next(model.parameters()).device
    numbers = more = 8 if device.type == "cuda" else 1  # to keep it busy
    more *= block_factor(device)  # measured here, before several threads compute
    widest = max(schema.n_entries, model.n_widest)
    rows = max(_FEWEST_ROWS, min(more * _MOST_ROWS, _power(numbers * _MOST_NUMBERS // widest)))
    if n is None or n <= rows:
        return rows
    share = n // (_FEWEST_TURNS * _workers(model, device, usual_threads()))
    return min(rows, max(_FEWEST_ROWS, _power(share)))


def prepare_rows(rows: np.ndarray, schema: Schema, model: Autoencoder) -> Tensor:
    """Rows as the user has them, as the model's tensor on its device."""
    parameter = next(model.parameters())
    x = as_shared_tensor(rows)
    if has_own_parts(model):
        x = x.clone()  # a user's module may write to its input, which is the user's X or a read-only file
    if parameter.device.type == "cuda":
        # the copy does not wait: it is queued on this thread's stream, and other threads compute on theirs meanwhile
        x = x.pin_memory().to(parameter.device, non_blocking=True)
    return schema.prepare(x, parameter.dtype).to(parameter.device)


def run(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """`function` of prepared examples, on the CPU."""
    return function(pad_batch(x))[: len(x)].detach().cpu()


def pad_batch(x: Tensor) -> Tensor:
    """`x` with rows of 0 added up to a power of two, at least `_FEWEST_ROWS`, so that few shapes occur."""
    n = len(x)
    whole = max(_FEWEST_ROWS, 1 << (n - 1).bit_length())
    return x if n == whole else torch.cat([x, x.new_zeros(whole - n, *x.shape[1:])])


def _inferred(work: Callable[[T, int], np.ndarray], block: T, first: int, model: Autoencoder) -> np.ndarray:
    with inference_mode(model), around_inference(next(model.parameters()).device):
        return work(block, first)


def _workers(model: Autoencoder, device: torch.device, n: int) -> int:
    if has_own_parts(model):
        return 1  # a user's module may keep things between its lines that a second thread would overwrite
    return {"cpu": min(n, _MOST_WORKERS), "cuda": 2}.get(device.type, 1)


def _power(n: int) -> int:
    """The greatest power of two that is not above `n`, at least 1."""
    return 1 << (max(1, n).bit_length() - 1)


@functools.cache
def _streams(device: torch.device, n: int) -> list[torch.cuda.Stream]:
    """A stream for each of `n` threads, on a GPU; kept, because torch keeps memory for each that there ever was."""
    return [torch.cuda.Stream(device) for _ in range(n)] if device.type == "cuda" else []


def _begin(device: torch.device, n: int, streams: Iterator[torch.cuda.Stream]) -> None:
    """In each thread, first: how many threads of torch's own it has, and on a GPU a stream of its own."""
    torch.set_num_threads(n)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.cuda.set_stream(next(streams))
