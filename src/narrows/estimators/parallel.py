"""Apply a fitted model to any number of examples in blocks. Only a few blocks are in memory at the same time.

Several threads work at the same time, each on its own block. This is faster than threads that share each product and so
wait for each other at every layer. Also, while one thread waits for a file, the others continue. The calling thread
hands out the blocks and takes the results in order.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np
import torch
from torch import Tensor

from narrows.accelerate import around_inference, block_factor
from narrows.data import (
    Schema,
    as_rows,
    as_shared_tensor,
    check_form,
    check_range,
    count_gaps,
    min_max,
    warn_of_gaps,
)
from narrows.model import Autoencoder, inference_mode
from narrows.networks import has_own_parts
from narrows.training.device import default_n_threads, use_threads

if TYPE_CHECKING:
    from narrows.data.sinks import Sink
    from narrows.data.streams import Source
    from narrows.training.progress import Reporter

_MAX_ROWS = 1024  # rows in a block: the fastest of 256 to 4096, measured on 784-512-256-16
_MAX_NUMBERS = 1 << 21  # numbers in the widest layer of a block, so that it stays in the processor's cache
_RETAINED_BYTES = 31 << 20  # glibc adapts its threshold only to blocks of less than 32 MiB
_MIN_ROWS = 32  # smaller blocks are padded: an example's result must not depend on the others in its block
_MIN_TURNS = 4  # blocks for each thread, if there are enough rows: with fewer, all wait long for the last thread
_MAX_WORKERS = 8  # more threads would wait for Python's lock

T = TypeVar("T")
R = TypeVar("R")


class Operation(NamedTuple):
    """An operation on a block.

    Attributes
    ----------
    function : function from a tensor B x `schema.shape` on the model's device to a tensor with B rows.
    finish : function from the result of `function`, on the CPU, and the user's rows to the block to write.
    inspect : function of the prepared block, the user's rows and the number of the first row; raises if a row is not
        valid. None for no check.
    compute : in place of `function`: function from the prepared block, and the number of rows to which it is to be
        padded, to what `finish` takes. None for `run` with `function`.
    """

    function: Callable[[Tensor], Tensor]
    finish: Callable[[Any, np.ndarray], Any]
    inspect: Callable[[Tensor, np.ndarray, int], None] | None = None
    compute: Callable[[Tensor, int], Any] | None = None


class RowChecker:
    """A check of the rows of a source: of each block, and of all rows together at the end."""

    def __init__(
        self, schema: Schema, owner: str, allow_nan: bool = False, locate: Callable[[int], str] | None = None
    ) -> None:
        self.schema, self.owner, self.n_gaps, self.locate = schema, owner, 0, locate
        self.allow_nan = allow_nan and (locate is None or schema.has_gaps)  # activations in files have no gaps
        self.high, self.dtype = -np.inf, np.dtype(schema.dtype)
        self._lock = threading.Lock()

    def check(self, block: np.ndarray, first: int) -> np.ndarray:
        """Return the block in a dtype that torch supports. Raise ValueError for a wrong form, infinity, NaN."""
        rows = as_rows(block, self.owner)
        check_form(rows.shape, self.schema, self.owner)
        _, high = min_max(rows, self.owner, first, self.schema.columns, self.allow_nan, self.locate)
        n_gaps = count_gaps(rows) if self.allow_nan else 0
        with self._lock:
            self.n_gaps += n_gaps
            self.high, self.dtype = max(self.high, high), rows.dtype
        return rows

    def finish(self) -> None:
        """Raise ValueError if the rows are not on the scale of the training data."""
        check_range(self.high, self.dtype, self.schema, self.owner)
        warn_of_gaps(self.n_gaps, self.schema, self.owner)


def stream(
    model: Autoencoder,
    schema: Schema,
    operation: Operation,
    source: Source,
    sink: Sink,
    checker: RowChecker,
    report: Reporter,
) -> object:
    """Apply `operation` to all blocks of `source`, write the results to `sink` in order, and return `sink.finish()`."""
    rows, fewest = rows_per_block(schema, model, source.n), fewest_rows(schema, model)

    def work(block: np.ndarray, first: int) -> Any:
        raw = checker.check(block, first)
        x = prepare_rows(raw, schema, model)
        if operation.inspect is not None:
            operation.inspect(x, raw, first)
        if operation.compute is not None:
            return operation.finish(operation.compute(x, fewest), raw)
        return operation.finish(run(operation.function, x, fewest), raw)

    done = 0
    with contextlib.closing(parallel_map(work, source.blocks(rows), model)) as results:
        for block in results:
            sink.write(block)
            done += len(block)
            report.update(done / source.n if source.n else 0.0, {"examples": done})
    if not done:
        check_form((0, *schema.user_shape), schema, checker.owner)
    checker.finish()
    return sink.finish()


def parallel_map(work: Callable[[T, int], R], blocks: Iterable[T], model: Autoencoder) -> Generator[R]:
    """Yield `work(block, number of its first row)` for each block, in order. Threads work on several blocks at once."""
    # Allocated and freed at once: then glibc keeps the memory of a finished block for the next block (mallopt(3),
    # M_TRIM_THRESHOLD). Otherwise a quarter of the time goes into returning pages and getting new, zeroed ones.
    torch.empty(_RETAINED_BYTES, dtype=torch.uint8)
    blocks = iter(blocks)
    start, usual = list(itertools.islice(blocks, 2)), default_n_threads()
    with use_threads(usual):  # a thread that started during a training has kept the training's number
        if len(start) < 2:  # a single block: torch's own threads share each product
            yield from (_run_in_inference_mode(work, block, 0, model) for block in start)
        else:
            yield from _map_in_threads(work, itertools.chain(start, blocks), model, usual)


def _map_in_threads(
    work: Callable[[T, int], R], blocks: Iterable[T], model: Autoencoder, n_threads: int
) -> Generator[R]:
    """Do the same as `parallel_map` for several blocks at the same time, with `n_threads` threads in total."""
    device = next(model.parameters()).device
    workers = _n_workers(model, device, n_threads)
    if device.type == "cuda":
        torch.cuda.synchronize(device)  # the weights must be complete before other streams read them
    pending: deque[Future[R]] = deque()
    streams = iter(_streams(device, workers))
    pool = ThreadPoolExecutor(workers, "narrows", _start_thread, (device, max(1, n_threads // workers), streams))
    try:
        first = 0
        for block in blocks:
            pending.append(pool.submit(_run_in_inference_mode, work, block, first, model))
            first += len(block)  # type: ignore[arg-type]
            if len(pending) > workers + 1:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def rows_per_block(schema: Schema, model: Autoencoder, n: int | None = None) -> int:
    """Return the number of rows in a block, a power of two. If there are `n` rows in total, all threads get work."""
    device = next(model.parameters()).device
    by_rows = _n_fast_blocks(device) * block_factor(device)  # measured here, before several threads compute
    fewest = fewest_rows(schema, model)
    rows = max(fewest, min(by_rows * _MAX_ROWS, _rows_in_cache(schema, model)))
    if n is None or n <= rows:
        return rows
    share = n // (_MIN_TURNS * _n_workers(model, device, default_n_threads()))
    return min(rows, max(fewest, _power_of_two(share)))


def fewest_rows(schema: Schema, model: Autoencoder) -> int:
    """Return the number of rows to which smaller blocks are padded: 32, or fewer large images, as many as a block."""
    return min(_MIN_ROWS, _rows_in_cache(schema, model))


def _rows_in_cache(schema: Schema, model: Autoencoder) -> int:
    """Return the largest number of rows, a power of two, with at most `_MAX_NUMBERS` numbers in the widest layer."""
    widest = max(schema.n_entries, model.n_widest)
    return _power_of_two(_n_fast_blocks(next(model.parameters()).device) * _MAX_NUMBERS // widest)


def _n_fast_blocks(device: torch.device) -> int:
    """Return how many times larger than on a CPU a block is: 8 times on a GPU, to keep it busy."""
    return 8 if device.type == "cuda" else 1


def prepare_rows(rows: np.ndarray, schema: Schema, model: Autoencoder) -> Tensor:
    """Return the user's rows as a tensor on the model's scale and device."""
    parameter = next(model.parameters())
    x = as_shared_tensor(rows)
    if has_own_parts(model):
        x = x.clone()  # a user's module may write to its input, which shares the memory of X or of a read-only file
    if parameter.device.type == "cuda":
        # the copy is queued on this thread's stream; the other threads' streams compute meanwhile
        x = x.pin_memory().to(parameter.device, non_blocking=True)
    return schema.prepare(x, parameter.dtype).to(parameter.device)


def run(function: Callable[[Tensor], Tensor], x: Tensor, fewest: int) -> Tensor:
    """Apply `function` to the prepared examples `x`, padded to `fewest` rows, and return the result on the CPU."""
    return function(pad_batch(x, fewest))[: len(x)].detach().cpu()


def pad_batch(x: Tensor, fewest: int) -> Tensor:
    """Pad `x` with rows of 0 to a power of two, at least `fewest`, so that few different shapes occur."""
    n = len(x)
    n_padded = max(fewest, 1 << (n - 1).bit_length())
    return x if n == n_padded else torch.cat([x, x.new_zeros(n_padded - n, *x.shape[1:])])


def _run_in_inference_mode(work: Callable[[T, int], R], block: T, first: int, model: Autoencoder) -> R:
    with inference_mode(model), around_inference(next(model.parameters()).device):
        return work(block, first)


def _n_workers(model: Autoencoder, device: torch.device, n: int) -> int:
    if has_own_parts(model):
        return 1  # a user's module may keep values on itself that a second thread would overwrite
    return {"cpu": min(n, _MAX_WORKERS), "cuda": 2}.get(device.type, 1)


def _power_of_two(n: int) -> int:
    """Return the largest power of two up to `n`, at least 1."""
    return 1 << (max(1, n).bit_length() - 1)


@functools.cache
def _streams(device: torch.device, n: int) -> list[torch.cuda.Stream]:
    """Return a GPU stream for each of `n` threads. They are reused: torch keeps memory for each new stream."""
    return [torch.cuda.Stream(device) for _ in range(n)] if device.type == "cuda" else []


def _start_thread(device: torch.device, n: int, streams: Iterator[torch.cuda.Stream]) -> None:
    """Set up a new thread: `n` threads of torch and, on a GPU, its own stream."""
    torch.set_num_threads(n)
    if device.type == "cuda":
        torch.cuda.set_device(device)
        torch.cuda.set_stream(next(streams))
