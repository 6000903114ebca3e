"""Displays of progress: a bar in a terminal, a bar in a notebook, and lines of text."""

from __future__ import annotations

import html
import math
import sys
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

_REFRESH = 0.25  # seconds between two updates of a bar
_LONGEST_PAUSE = 1800.0  # seconds between two lines


class State(NamedTuple):
    """The state of a piece of work.

    Attributes
    ----------
    title : name of the work.
    progress : share that is done, in [0, 1].
    terms : latest terms of the loss, by name.
    seconds, left : seconds since its start, and probably left; NaN if nothing is known.
    is_stopping : True after Ctrl-C.
    """

    title: str
    progress: float
    terms: dict[str, float]
    seconds: float
    left: float
    is_stopping: bool = False

    def describe(self) -> str:
        """Return the losses and the time left."""
        if self.is_stopping:
            return "stopping after this step"
        terms = [f"{name} {value:.4g}" for name, value in self.terms.items()]
        if not self.progress:
            return f"preparing, {format_seconds(self.seconds)}"
        return ", ".join(terms if math.isnan(self.left) else [*terms, f"{format_seconds(self.left)} left"])

    def describe_end(self, is_complete: bool) -> str:
        """Return the end of the work in one line."""
        how = "done in" if is_complete else f"stopped at {self.progress:.0%}, after"
        losses = "".join(f", {name} {value:.4g}" for name, value in self.terms.items())
        return f"{self.title}: {how} {format_seconds(self.seconds)}{losses}"

    def __str__(self) -> str:
        return ", ".join(filter(None, (f"{self.title}: {self.progress:.0%}", self.describe())))


class Bar(ABC):
    """Abstract: a display of progress.

    Attributes
    ----------
    wait, wait_if_asked : seconds after which it first appears, by default and where the user asked for it.
    """

    wait: ClassVar[float] = 2.0
    wait_if_asked: ClassVar[float] = 0.0

    @abstractmethod
    def show(self, state: State) -> None:
        """Show a state. The first call makes the display visible."""

    @abstractmethod
    def finish(self, state: State, is_complete: bool) -> None:
        """End the display of a piece of work. Do nothing if it never became visible."""

    @abstractmethod
    def pause(self, seconds: float) -> float:
        """Return the seconds until the next update, `seconds` after the start."""


class TerminalBar(Bar):
    """A bar on the last line of a terminal.

    Parameters
    ----------
    is_kept : True to leave the bar there at the end, False to erase it.
    """

    def __init__(self, console: Console, is_kept: bool) -> None:
        self.console, self.is_kept = console, is_kept
        self._progress: Progress | None = None
        self._task = TaskID(0)

    def show(self, state: State) -> None:
        if self._progress is None:
            columns = (
                TextColumn("{task.description}", markup=False),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:3.0f}%"),
                TextColumn("{task.fields[text]}", style="cyan", markup=False),
            )
            self._progress = Progress(
                *columns, console=self.console, refresh_per_second=1 / _REFRESH, transient=not self.is_kept
            )
            self._task = self._progress.add_task(state.title, total=1.0, text="")
        self._progress.update(self._task, completed=state.progress, text=state.describe())
        self._progress.start()

    def finish(self, state: State, is_complete: bool) -> None:
        if self._progress is not None:
            text = state._replace(left=math.nan).describe()
            self._progress.update(self._task, completed=state.progress, text=text)
            self._progress.stop()
            self._progress = None

    def pause(self, seconds: float) -> float:
        return _REFRESH


class NotebookBar(Bar):
    """A bar below a cell. It is plain HTML, which Jupyter, VS Code and Colab show and update without a widget."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._has_shown = False  # something of this piece of work

    def show(self, state: State) -> None:
        bar = (
            f'<progress value="{state.progress:.4f}" max="1" aria-label="{html.escape(state.title)}" '
            'style="width: 16em; vertical-align: middle"></progress>'
        )
        text = html.escape(", ".join(filter(None, (f"{state.progress:.0%}", state.describe()))))
        self._has_shown = True
        self._display(str(state), f"{html.escape(state.title)} {bar} {text}")

    def finish(self, state: State, is_complete: bool) -> None:
        if self._has_shown:
            self._has_shown = False
            text = state.describe_end(is_complete)
            self._display(text, html.escape(text))

    def pause(self, seconds: float) -> float:
        return _REFRESH

    def _display(self, text: str, markup: str) -> None:
        markup = f'<div style="font-variant-numeric: tabular-nums">{markup}</div>'
        bundle = {"text/plain": text, "text/html": markup}
        if self._handle is None:
            from IPython.display import display

            self._handle = display(bundle, raw=True, display_id=True)
        else:
            self._handle.update(bundle, raw=True)


class Lines(Bar):
    """Lines on stderr, ever rarer: after 10, 20, 40, ... seconds, and then every half hour."""

    wait = wait_if_asked = 10.0

    def __init__(self) -> None:
        self._has_shown = False  # a line about this piece of work

    def show(self, state: State) -> None:
        self._has_shown = True
        print(state, file=sys.stderr, flush=True)

    def finish(self, state: State, is_complete: bool) -> None:
        if self._has_shown:
            self._has_shown = False
            print(state.describe_end(is_complete), file=sys.stderr, flush=True)

    def pause(self, seconds: float) -> float:
        return min(seconds, _LONGEST_PAUSE)


def format_seconds(seconds: float) -> str:
    """Return a duration for people.

    >>> [format_seconds(s) for s in (0.4, 59.6, 150, 7300)]
    ['0 s', '1 min 0 s', '2 min 30 s', '2 h 1 min']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, whole = divmod(whole, 60)
    return f"{minutes} min {whole} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"
