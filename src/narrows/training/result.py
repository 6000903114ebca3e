"""The results of a training except the weights: history, decisions and notes. An interrupted training has them, too."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from narrows.data import BlockError
from narrows.training.device import Choice
from narrows.training.interrupt import Stopped
from narrows.training.progress import Reporter


@dataclass
class Result:
    """The results of a training except the weights of the model.

    Attributes
    ----------
    history : one record per validation: epoch, step, seconds, learning_rate, the mean training loss and its terms, the
        held-out ones (`valid_...`) and measures of the code's health.
    choices : the decisions and their reasons.
    notes : messages: an event, the reaction to it, and the parameter that changes it.
    n_epochs, n_steps : numbers of epochs and steps that were done.
    seconds : duration of the training in seconds.
    held_out : numbers of the rows that were held out for early stopping, integers; empty if none were.
    end : what ended the training: a "plateau" of the held-out loss, "epochs", "time", an "interrupt", or for
        `partial_fit` its one "pass".
    n_recoveries : number of recoveries from a loss that was not finite.
    learning_rate : highest learning rate that was planned.
    start_loss : held-out loss before the first step, nats per example, of a model that begins at PCA; otherwise None.
    """

    history: list[dict[str, Any]] = field(default_factory=list)
    choices: list[Choice] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    n_epochs: int = 0
    n_steps: int = 0
    seconds: float = 0.0
    held_out: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    end: str = "epochs"
    n_recoveries: int = 0
    learning_rate: float = 0.0
    start_loss: float | None = None

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"history": self.history, "notes": self.notes, "start_loss": self.start_loss}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.history, self.notes = state["history"], state["notes"]
        self.start_loss = state.get("start_loss")  # older checkpoints have none


class Interrupted(Stopped):
    """Raised after Ctrl-C during a training. The message says how to resume.

    Attributes
    ----------
    result : the results so far.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


class StreamFailed(ValueError):
    """Raised after an iterator of rows has failed during a training. The message says what is kept.

    Attributes
    ----------
    result : the results so far.
    """

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


@contextlib.contextmanager
def keep_on_failure(finish: Callable[[bool], None]) -> Iterator[None]:
    """Finish a training inside the context as after Ctrl-C, if its iterator of rows fails, and raise StreamFailed."""
    try:
        yield
    except BlockError as error:
        try:
            finish(True)
        except Interrupted as stopped:
            raise StreamFailed(f"{error}\n{stopped}", stopped.result) from error


def make_interrupted(result: Result, checkpoint: Path | None) -> Interrupted:
    """Return the exception to raise after Ctrl-C; `checkpoint` is the folder from which the training can resume."""
    advice = "Pass checkpoint=FOLDER to be able to continue from there."
    if checkpoint is not None:
        advice = f"Its checkpoint is in {checkpoint}: fit again to continue."
    return Interrupted(
        f"Training stopped at step {result.n_steps:,}; the best weights so far are kept. {advice}", result
    )


def add_note(result: Result, reporter: Reporter, message: str) -> None:
    """Append a note to the result, and print it."""
    result.notes.append(message)
    reporter.note(message)
