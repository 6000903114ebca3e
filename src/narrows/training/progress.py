"""Progress of long work: a bar in a notebook or a terminal, a line now and then elsewhere, nothing for short work.

Work within other work moves the bar of the outer one. Pieces of work that follow each other, such as the fits of a loop
or of a grid search, share one bar.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from typing import Any, Literal

from rich.console import Console

from narrows.params import Integer, OneOf, either
from narrows.training.progress_displays import Bar, Lines, NotebookBar, State, TerminalBar
from narrows.training.session import find_notebook, is_watched

Verbosity = int | Literal["auto"]
VERBOSITY = either(Integer(0), OneOf(("auto",)))

_PULSE = 0.5  # seconds between two beats of a thread
_NEXT_FOLLOWS = 2.0  # seconds within which the next piece of work shares the bar of the last one


class _Series:
    """Pieces of work of one title one after the other, which share a bar.

    Attributes
    ----------
    n : number of pieces that have begun.
    cell : number of the notebook's cell; None elsewhere.
    began, ended : time of the start of the first piece and of the end of the last one.
    due : time of the next update of the bar.
    """

    def __init__(self, bar: Bar, cell: int | None, wait: float) -> None:
        self.bar, self.cell, self.n = bar, cell, 0
        self.began = self.ended = time.monotonic()
        self.due = self.began + wait


_active: ContextVar[Reporter | None] = ContextVar("active", default=None)  # of this thread
_series: dict[str, _Series] = {}  # the last one of each title


class Reporter:
    """Progress and notes of a piece of work, for as long as its `with` block runs.

    Parameters
    ----------
    verbose : "auto" shows the progress of what takes more than 2 seconds (10 where there is neither a notebook nor a
        terminal), and nothing in worker processes, in threads and under pytest; 0 shows nothing; 1 shows the progress
        from the start, and the notes; 2 also a line per validation.
    title : text in front of the bar.
    has_pulse : True for a thread that shows the bar also while no update comes, as in the compilation of a first step.
    stop : event that Ctrl-C sets, if the work goes on to the end of a step.
    """

    def __init__(
        self,
        verbose: Verbosity,
        title: str = "fit",
        *,
        has_pulse: bool = False,
        stop: threading.Event | None = None,
    ) -> None:
        self.level = 0 if verbose == "auto" else verbose
        self.is_auto, self.title = verbose == "auto", title
        self.progress, self._part = 0.0, (0.0, 0.0)  # the part that work inside moves through
        self._terms: Mapping[str, float] = {}
        self._outer: Reporter | None = None
        self._series: _Series | None = None  # None if nothing is shown
        self._console: Console | None = None
        self._token: Token[Reporter | None] | None = None
        self._began, self._shown_title = 0.0, title
        self._first: tuple[float, float] | None = None  # time and progress of the first update
        self._ended = threading.Event() if has_pulse else None
        self._stop = stop or threading.Event()
        self._lock = threading.RLock()

    def __enter__(self) -> Reporter:
        self._outer = _active.get()
        self._token = _active.set(self)
        if self._outer is None and (self.level or (self.is_auto and is_watched())):
            self._series = _join_series(self.title, self.console) if self.is_auto else _new_series(self.console)
            self._series.n += 1
            self._shown_title = self.title if self._series.n == 1 else f"{self.title} no. {self._series.n}"
        self._began = time.monotonic()
        if self._series is not None and self._ended is not None:
            threading.Thread(target=self._beat, args=(self._ended,), name="narrows-progress", daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if self._token is not None:
            _active.reset(self._token)
            self._token = None
        if self._ended is not None:
            self._ended.set()
        with self._lock:
            if self._series is not None:
                self.progress = 1.0 if kind is None else self.progress
                self._series.bar.finish(self._state(), kind is None)
                self._series.ended = time.monotonic()
                self._series = None

    @property
    def console(self) -> Console:
        """The terminal; that of the outer work, whose bar stands below what is printed."""
        if self._outer is not None:
            return self._outer.console
        if self._console is None:
            self._console = Console(stderr=True, force_jupyter=False)
        return self._console

    @property
    def is_due(self) -> bool:
        """True if an update would be shown now."""
        outermost = self
        while outermost._outer is not None:
            outermost = outermost._outer
        series = outermost._series
        return series is not None and time.monotonic() >= series.due

    def update(self, progress: float, terms: Mapping[str, float] | None = None) -> None:
        """Move the bar to `progress` in [0, 1], and show the latest terms of the loss; None keeps those before."""
        self.progress = min(1.0, max(0.0, progress))
        self._part = (self.progress, self.progress)
        self._terms = self._terms if terms is None else terms
        self._first = self._first or (time.monotonic(), self.progress)
        if self._outer is not None:
            self._outer._follow(self.progress, terms)
        else:
            self._show_if_due()

    def begin_part(self, low: float, high: float) -> None:
        """Let the work that begins now, which has reporters of its own, move this bar from `low` to `high`."""
        self.update(low)
        self._part = (low, high)

    def _follow(self, progress: float, terms: Mapping[str, float] | None) -> None:
        """Move the bar as far as work inside is done."""
        low, high = part = self._part
        self.update(low + (high - low) * progress, terms)
        self._part = part

    def tick(self, progress: Callable[[], float]) -> None:
        """Move the bar to `progress()` if it is time to: this costs next to nothing where it is not."""
        if self._first is None:
            self._first = time.monotonic(), progress()
        if self.is_due:
            self.update(progress())

    def note(self, *messages: object) -> None:
        """Print a line for each message, if `verbose` is at least 1."""
        for message in messages if self.level >= 1 else ():
            self._print(f"  {message}")

    def print_record(self, record: dict[str, Any]) -> None:
        """Print the record of a validation, if `verbose` is at least 2."""
        if self.level >= 2:
            self._print(
                "  " + "  ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items())
            )

    def _show_if_due(self) -> None:
        with self._lock:
            if self._series is not None and self.is_due:
                self._series.bar.show(self._state())
                now = time.monotonic()
                self._series.due = now + self._series.bar.pause(now - self._series.began)

    def _beat(self, ended: threading.Event) -> None:
        """Show the bar now and then until `ended`."""
        while not ended.wait(_PULSE):
            self._show_if_due()

    def _print(self, line: str) -> None:
        if find_notebook() is not None:
            print(line)  # what is written to stderr looks like an error there
        else:
            self.console.print(line, highlight=False, markup=False)

    def _state(self) -> State:
        now, left = time.monotonic(), math.nan
        if self._first is not None:
            then, before = self._first
            if before < self.progress < 1:
                left = (now - then) * (1 - self.progress) / (self.progress - before)
        terms = dict(self._terms)
        if self.is_auto and "loss" in terms:
            terms = {"loss": terms["loss"]}
        return State(self._shown_title, self.progress, terms, now - self._began, left, self._stop.is_set())


def _new_series(console: Console) -> _Series:
    """Return a series of one piece whose progress the user asked for."""
    bar = _make_bar(console, True)
    return _Series(bar, None, bar.wait_if_asked)


def _join_series(title: str, console: Console) -> _Series:
    """Return the series of this title that goes on, or a new one."""
    shell, last = find_notebook(), _series.get(title)
    cell = None if shell is None else int(shell.execution_count)
    is_near = last is not None and (cell is not None or time.monotonic() - last.ended < _NEXT_FOLLOWS)
    if last is None or last.cell != cell or not is_near:
        bar = _make_bar(console, False)
        last = _series[title] = _Series(bar, cell, bar.wait)
    return last


def _make_bar(console: Console, is_kept: bool) -> Bar:
    """Return the display for this session. A bar in a terminal stays there if `is_kept`, and is erased otherwise."""
    if find_notebook() is not None:
        return NotebookBar()
    if console.is_terminal and not console.is_dumb_terminal:
        return TerminalBar(console, is_kept)
    return Lines()
