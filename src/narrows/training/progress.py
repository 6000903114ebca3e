"""What a person sees while a model trains: one bar with the named terms, and a line for every note."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Reporter:
    """A progress bar, or silence.

    Parameters
    ----------
    verbose : 0 for silence, 1 for the bar and notes, 2 for a line an epoch as well.
    title : stands before the bar.
    """

    def __init__(self, verbose: int, title: str = "fit") -> None:
        self.verbose, self.title = verbose, title
        self.console = Console(stderr=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Reporter:
        if self.verbose:
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                TextColumn("{task.percentage:3.0f}%"),
                TimeElapsedColumn(),
                TextColumn("eta"),
                TimeRemainingColumn(),
                TextColumn("{task.fields[terms]}", style="cyan"),
                console=self.console,
                refresh_per_second=4,
                transient=not self.console.is_terminal,
                disable=not self.console.is_terminal,
            )
            self._bar.start()
            self._task = self._bar.add_task(self.title, total=1.0, terms="")
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def update(self, progress: float, terms: dict[str, float]) -> None:
        """Move the bar to `progress` in [0, 1] and show the latest terms."""
        if self._bar is not None and self._task is not None:
            words = "  ".join(f"{name} {value:.4g}" for name, value in terms.items())
            self._bar.update(self._task, completed=min(1.0, progress), terms=words)

    def note(self, words: object) -> None:
        """Print a line above the bar."""
        if self.verbose:
            self.console.print(f"  {words}", highlight=False, markup=False)

    def epoch(self, record: dict[str, Any]) -> None:
        """Print an epoch's line, if asked for."""
        if self.verbose >= 2:
            words = "  ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items())
            self.console.print(f"  {words}", highlight=False, markup=False)
