"""What a training leaves beside the model's weights, also one that was interrupted."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from narrows.training.device import Choice


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


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a training. What was learned so far is kept in `result`, and the message says how to go on."""

    def __init__(self, words: str, result: Result) -> None:
        super().__init__(words)
        self.result = result
