"""What a training leaves beside the model's weights, also one that was interrupted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from narrows.training.device import Choice
from narrows.training.progress import Reporter


@dataclass
class Result:
    """What a training leaves beside the model's weights.

    Attributes
    ----------
    history : one record a look: epoch, step, seconds, learning_rate, the mean training loss and its terms, the
        held-out ones (`valid_...`) and measures of the code's health.
    choices : what was decided, and why.
    notes : what happened, what was done about it, and the knob that changes it.
    n_epochs, n_steps, seconds : how long it took.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_epochs: int = 0
    n_steps: int = 0
    seconds: float = 0.0

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"history": self.history, "notes": self.notes}

    def restore(self, state: dict[str, Any]) -> None:
        """From a checkpoint."""
        self.history, self.notes = state["history"], state["notes"]


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training. What was learned so far is kept in `result`, and the message says how to go on."""

    def __init__(self, words: str, result: Result) -> None:
        super().__init__(words)
        self.result = result


def interruption(result: Result, checkpoint: Path | None) -> Interrupted:
    """Return what is raised after Ctrl-C; `checkpoint` is the folder with which the training can go on."""
    where = "Pass checkpoint=FOLDER to be able to go on from there."
    if checkpoint is not None:
        where = f"Its checkpoint is in {checkpoint}: fit again to go on."
    return Interrupted(
        f"Training stopped at step {result.n_steps:,}; the best weights so far are kept. {where}", result
    )


def note_taker(result: Result, reporter: Reporter) -> Callable[[str], None]:
    """Return what takes a note for the report and for whoever watches; it holds neither the training nor its data."""

    def say(words: str) -> None:
        result.notes.append(words)
        reporter.note(words)

    return say
