"""One computation at a time, and what a person waits for goes first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator


class Turns:
    """A lock with two queues: whoever is `urgent` goes before all who are not.

    Long work takes many short turns, so that a dial that is turned meanwhile waits for one of them at most.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._busy, self._urgent = False, 0

    @contextlib.contextmanager
    def turn(self, *, urgent: bool = False) -> Iterator[None]:
        """Wait for a turn, and hold it for the block."""
        with self._changed:
            self._urgent += urgent
            self._changed.wait_for(lambda: not self._busy and (urgent or not self._urgent))
            self._urgent -= urgent
            self._busy = True
        try:
            yield
        finally:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
