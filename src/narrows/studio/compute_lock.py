"""Lock for computations: those that a person waits for go first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class ComputeLock:
    """A lock with two queues: urgent requests go before all others.

    Long computations hold it for one short block after another, so that a dial waits for one block at most.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._is_held, self._n_urgent = False, 0

    @contextlib.contextmanager
    def hold(self, *, urgent: bool = False) -> Iterator[None]:
        """Wait for the lock, and hold it within the block."""
        with self._changed:
            self._n_urgent += urgent
            self._changed.wait_for(lambda: not self._is_held and (urgent or not self._n_urgent))
            self._n_urgent -= urgent
            self._is_held = True
        try:
            yield
        finally:
            with self._changed:
                self._is_held = False
                self._changed.notify_all()
