"""Recovery: goes back to earlier weights after a non-finite loss, and restarts costs after posterior collapse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from narrows.objectives import Objective
from narrows.training.early_stopping import EarlyStopping
from narrows.training.health import find_non_finite
from narrows.training.parallel import Clock
from narrows.training.schedule import Schedule
from narrows.training.step import Step

_MOST_RECOVERIES = 3


class Recovery:
    """Reactions to a non-finite loss and to posterior collapse.

    Parameters
    ----------
    add_note : function that records a message for the user.

    Attributes
    ----------
    n_recoveries : number of recoveries from a non-finite loss.
    has_restarted : True if the costs were restarted after posterior collapse, which happens at most once.
    """

    def __init__(self, add_note: Callable[[str], None]) -> None:
        self.add_note = add_note
        self.n_recoveries, self.has_restarted = 0, False

    @property
    def rate_factor(self) -> float:
        """Factor of the learning rate: one half per recovery."""
        return 0.5**self.n_recoveries

    def recover_from_nan(self, step: Step, early_stopping: EarlyStopping, clock: Clock) -> None:
        """Load the best weights so far, and halve the learning rate.

        Raises
        ------
        FloatingPointError
            At the fourth call.
        """
        self.n_recoveries += 1
        step.sums.reset()
        if self.n_recoveries > _MOST_RECOVERIES:
            names = ", ".join(find_non_finite(step.model)[:3]) or "none, but the loss"
            raise FloatingPointError(
                f"The loss became NaN or infinite {self.n_recoveries} times (parameters concerned: {names}). Lower "
                '`learning_rate`, pass precision="float32", or look for extreme values in X.'
            )
        early_stopping.load_snapshot()
        step.reset_optimizers()
        clock.step += 1
        self.add_note(
            f"step {clock.step:,}: the loss was not finite. Back to the last good weights, at half the learning "
            "rate. Lower `learning_rate` to avoid this."
        )

    def check_collapse(self, health: dict[str, float], objective: Objective, schedule: Schedule, clock: Clock) -> None:
        """Restart the weights of the costs from 0, once, if no component of the code is active."""
        if health.get("active_components") != 0 or not objective.complete or self.has_restarted:
            return
        if schedule.is_cooling(clock.step, clock.seconds):
            return
        self.has_restarted = True
        objective.restart(schedule.progress(clock.step, clock.seconds))
        self.add_note(
            f"step {clock.step:,}: posterior collapse, no component of the code is active. The weights of the "
            "costs grow from 0 again. If it comes back, make the code cost less: lower `beta` or raise `free_nats`, "
            "if the model has them."
        )

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint stores."""
        return {"n_set_back": self.n_recoveries, "has_restarted": self.has_restarted}

    def restore(self, state: dict[str, Any]) -> None:
        """Take the values from a checkpoint."""
        self.n_recoveries, self.has_restarted = state["n_set_back"], state["has_restarted"]
