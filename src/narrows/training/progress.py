"""The output of a training in the terminal: a progress bar with the loss terms, and a line per note."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn


class Reporter:
    """A progress bar and notes on stderr, or nothing.

    Parameters
    ----------
    verbose : 0 prints nothing, 1 the bar and notes, 2 also a line per validation.
    title : text in front of the bar.
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
            text = "  ".join(f"{name} {value:.4g}" for name, value in terms.items())
            self._bar.update(self._task, completed=min(1.0, progress), terms=text)

    def note(self, message: object) -> None:
        """Print a line above the bar."""
        if self.verbose:
            self.console.print(f"  {message}", highlight=False, markup=False)

    def print_record(self, record: dict[str, Any]) -> None:
        """Print the record of a validation, if `verbose` is 2."""
        if self.verbose >= 2:
            text = "  ".join(f"{k} {v:.5g}" if isinstance(v, float) else f"{k} {v}" for k, v in record.items())
            self.console.print(f"  {text}", highlight=False, markup=False)
