"""Handling of Ctrl-C: a training stops between two steps, not within one, and a notebook's cell keeps its model."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any

from narrows.training.session import find_ipython, is_called_by_user, warn_user


class Stopped(KeyboardInterrupt):
    """Raised after Ctrl-C in long work. The message says what is kept; IPython shows it without a traceback."""

    def _render_traceback_(self) -> list[str]:
        """Return the lines that IPython shows."""
        return [f"{type(self).__name__}: {self}"]


@contextlib.contextmanager
def deferred_interrupt(include_sigterm: bool = False) -> Iterator[threading.Event]:
    """Yield an event that the first Ctrl-C sets. A second Ctrl-C raises KeyboardInterrupt at once.

    Outside the main thread, where Python handles no signals, the event is never set.

    Parameters
    ----------
    include_sigterm : if True, SIGTERM, which torchrun sends, counts as Ctrl-C.

    Raises
    ------
    Stopped
        If a training in the same cell of a notebook was stopped before.
    """
    _check_cell()
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


_stopped_cell: int | None = None  # number of the last cell of a notebook in which a training was stopped


def end_or_raise(interruption: Stopped | ValueError | None) -> None:
    """End a training whose results are stored, and which Ctrl-C has stopped unless `interruption` is None.

    An error of the user's iterator, a ValueError, is raised everywhere.

    In IPython, where `model = VAE().fit(X)` would otherwise lose the model, `fit` returns with a warning. The rest of
    the cell runs, but trains nothing more, and no cell that waits behind it is run. Elsewhere, and in a `fit` within
    other work of narrows, `interruption` is raised.
    """
    global _stopped_cell
    if interruption is None:
        return
    shell = find_ipython()
    if shell is None or isinstance(interruption, ValueError) or not is_called_by_user(sys._getframe(1)):
        raise interruption
    _stopped_cell = shell.execution_count
    warn_user(str(interruption))

    def mark_cell(result: Any) -> None:
        shell.events.unregister("post_run_cell", mark_cell)
        result.error_in_exec = result.error_in_exec or interruption  # the kernel then drops the cells that wait

    shell.events.register("post_run_cell", mark_cell)


def _check_cell() -> None:
    """Raise Stopped if a training in this cell was stopped: Ctrl-C is meant for all that the cell does."""
    shell = find_ipython()
    if shell is not None and _stopped_cell == shell.execution_count:
        raise Stopped("A training in this cell was stopped before, so this one does not begin.")
