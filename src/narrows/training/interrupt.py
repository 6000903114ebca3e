"""Ctrl-C between two steps rather than within one."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def deferred_interrupt(terminated: bool = False) -> Iterator[threading.Event]:
    """Let the first Ctrl-C set a flag that is looked at between steps, and a second one interrupt at once.

    Parameters
    ----------
    terminated : whether SIGTERM is taken as a Ctrl-C, as torchrun means it.
    """
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    signals = (signal.SIGINT, signal.SIGTERM) if terminated else (signal.SIGINT,)
    # one that was not set from Python, as where that is embedded, could not be put back
    before = {number: handler for number in signals if (handler := signal.getsignal(number)) is not None}

    def put_back() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def ask(_signal: int, _frame: object) -> None:
        asked.set()
        put_back()

    for number in before:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        put_back()
