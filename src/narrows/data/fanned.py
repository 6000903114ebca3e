"""Several trainings that read one stream: each takes its own layer's rows, and the stream is computed once.

The thread that needs a block first computes the next one for all. None goes further ahead of the slowest than a few
blocks, which are in memory.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from torch import Tensor

_AHEAD = 4  # blocks in the queue of the slowest reader


class Fan:
    """A stream of dicts of blocks that several threads read, each one key.

    Parameters
    ----------
    passes : dicts of blocks of rows, by key.
    keys : key of each reader.
    """

    def __init__(self, passes: Iterator[Mapping[str, Tensor]], keys: Sequence[str]) -> None:
        self.passes, self.keys = passes, keys
        self.queues: dict[int, deque[Tensor]] = {number: deque() for number in range(len(keys))}
        self.error: BaseException | None = None
        self.is_over = self.is_busy = False
        self.changed = threading.Condition()

    def read(self, number: int) -> Iterator[Tensor]:
        """Yield the blocks of reader `number`."""
        while True:
            block = self._next(number)
            if block is None:
                return
            yield block

    def leave(self, number: int) -> None:
        """Keep no more blocks for reader `number`."""
        with self.changed:
            self.queues.pop(number, None)
            self.changed.notify_all()

    def stop(self, error: BaseException) -> None:
        """Let all readers fail with `error`."""
        with self.changed:
            self.error = error
            self.changed.notify_all()

    def _next(self, number: int) -> Tensor | None:
        while True:
            with self.changed:
                while not self._can_go_on(number):
                    self.changed.wait()
                if self.error is not None:
                    raise RuntimeError(f"the pass of the model failed ({self.error})") from self.error
                queue = self.queues[number]
                if queue:
                    self.changed.notify_all()
                    return queue.popleft()
                if self.is_over:
                    return None
                self.is_busy = True
            self._compute()

    def _can_go_on(self, number: int) -> bool:
        """True if reader `number` need not wait: for its next block, the end, or its turn to compute blocks."""
        if self.error is not None or self.queues[number] or self.is_over:
            return True
        return not self.is_busy and all(len(queue) < _AHEAD for queue in self.queues.values())

    def _compute(self) -> None:
        """Compute the next blocks, for all readers."""
        error, blocks = None, None
        try:
            blocks = next(self.passes, None)
        except Exception as problem:
            error = problem
        with self.changed:
            self.is_busy, self.error = False, error or self.error
            self.is_over = blocks is None and error is None
            if blocks is not None:
                for number, queue in self.queues.items():
                    queue.append(blocks[self.keys[number]])
            self.changed.notify_all()


def fit_together(trainings: Sequence[tuple[str, Any]], passes: Iterator[Mapping[str, Tensor]]) -> None:
    """Fit each estimator to the blocks of its key, all at the same time.

    Raises
    ------
    Exception
        The first error of a training, after all others are completed. After Ctrl-C, each training keeps what it has
        learned.
    """
    fan = Fan(passes, [key for key, _ in trainings])

    def train(number: int) -> None:
        try:
            trainings[number][1].fit(fan.read(number))
        finally:
            fan.leave(number)

    with ThreadPoolExecutor(max(1, len(trainings)), "narrows-fit") as pool:
        futures: list[Future[None]] = [pool.submit(train, number) for number in range(len(trainings))]
        try:
            errors = [future.exception() for future in futures]
        except KeyboardInterrupt as stopped:
            fan.stop(stopped)
            raise
    for error in errors:
        if error is not None:
            raise error
