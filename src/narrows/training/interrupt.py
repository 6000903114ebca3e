"""Handling of Ctrl-C: a training stops between two steps, not within one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deferred_interrupt(include_sigterm: bool = False) -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets. A second Ctrl-C raises KeyboardInterrupt at once.

    Outside the main thread, where Python handles no signals, the event is never set.

    Parameters
    ----------
    include_sigterm : if True, SIGTERM, which torchrun sends, counts as Ctrl-C.
    """
    interrupted = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield interrupted
        return
    signals = (signal.SIGINT, signal.SIGTERM) if include_sigterm else (signal.SIGINT,)
    # a handler not set by Python (where Python is embedded) is None, and could not be restored
    before = {number: handler for number in signals if (handler := signal.getsignal(number)) is not None}

    def restore_handlers() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def interrupt(_signal: int, _frame: object) -> None:
        interrupted.set()
        restore_handlers()

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield interrupted
    finally:
        restore_handlers()
